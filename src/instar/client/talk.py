"""A message to a session and what comes back, piece by piece, across a lost connection (LOSS-1, RPC-36).

The message carries an idempotency key, so sending it again after the connection broke does no harm: the gateway
answers how far the run is. What was said while nobody listened is then read from the history.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from instar.client.wire import Payload

__all__ = ["ChatUpdate", "build_late_end", "find_answer", "message_text", "read_update"]

UpdateKind = Literal["delta", "tool", "note", "waiting", "final", "aborted", "error"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatUpdate:
    """One piece of what comes back.

    `text` is all of the answer so far, `delta` what is new in it; `restarts` says that `delta` begins a new text
    (after a tool call). `tool` names a tool that starts, or with `is_done` has ended. ``note`` is a line beside the
    answer, such as that another model gives it. ``waiting`` says that the connection is lost and being restored.
    ``final``, ``aborted`` and ``error`` are the last piece; `error` is a readable sentence, `is_late` says that the
    text was read from the history.
    """

    kind: UpdateKind
    run_id: str
    text: str = ""
    delta: str = ""
    restarts: bool = False
    tool: str = ""
    is_done: bool = False
    is_error: bool = False
    error: str = ""
    is_late: bool = False
    usage: Payload | None = None

    @property
    def is_end(self) -> bool:
        """Whether nothing follows."""
        return self.kind in {"final", "aborted", "error"}


def read_update(name: str, payload: Payload, *, run_id: str) -> ChatUpdate | None:
    """What an event of the gateway means for a run; None for events that mean nothing for it."""
    if payload.get("runId") != run_id:
        return None
    if name == "agent" and payload.get("stream") == "tool":
        data = payload.get("data") or {}
        return ChatUpdate(
            kind="tool",
            run_id=run_id,
            tool=str(data.get("name", "")),
            is_done=data.get("phase") == "result",
            is_error=bool(data.get("isError")),
        )
    if name == "agent" and payload.get("stream") == "notice":
        return ChatUpdate(kind="note", run_id=run_id, text=str((payload.get("data") or {}).get("text", "")))
    if name != "chat":
        return None
    text = message_text(payload.get("message") or {})
    match payload.get("state"):
        case "delta":
            return ChatUpdate(
                kind="delta",
                run_id=run_id,
                text=text,
                delta=str(payload.get("deltaText", "")),
                restarts=bool(payload.get("replace")),
            )
        case "final" | "aborted" | "error" as kind:
            error = str(payload.get("errorMessage", ""))
            return ChatUpdate(kind=kind, run_id=run_id, text=text, error=error, usage=payload.get("usage"))
        case _:
            return None


def build_late_end(run_id: str, state: Payload, messages: Iterable[Payload], *, sent: str) -> ChatUpdate:
    """The end of a run that ended while nobody listened. `state` is what ``agent.wait`` answers."""
    kind: UpdateKind = {"error": "error", "aborted": "aborted"}.get(str(state.get("status")), "final")  # type: ignore[assignment]  # the three words are kinds
    return ChatUpdate(
        kind=kind,
        run_id=run_id,
        text=find_answer(messages, sent=sent),
        error=str(state.get("error") or ""),
        is_late=True,
    )


def find_answer(messages: Iterable[Payload], *, sent: str) -> str:
    """The last words said after the last time that `sent` stands in the history; empty when there are none."""
    answer, was_found = "", False
    for message in messages:
        if message.get("role") == "user":
            if message_text(message).strip() == sent.strip():
                answer, was_found = "", True
            elif was_found:
                was_found = False
        elif was_found and message.get("role") == "assistant":
            answer = message_text(message) or answer
    return answer


def message_text(message: Payload) -> str:
    """The words of a message in wire form, without thoughts, pictures and tool calls."""
    content = message.get("content")
    if isinstance(content, str):
        return content
    blocks = content if isinstance(content, list) else ()
    return "".join(
        str(block.get("text", "")) for block in blocks if isinstance(block, dict) and block.get("type") == "text"
    )
