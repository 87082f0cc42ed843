"""What a model is asked and what a script lets it answer: one language for the runner twin and for the wire server.

A `Script` is any callable from `Asked` to `Reply`, awaited if it gives something to await. So a test can hold a model
back, look at what it was told, or fail as a provider does::

    runner = ScriptedRunner(play(Reply(text="Hello."), Reply(fault=Fault(kind="overloaded"))))
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

from instar.core.model.entry import ToolCall, Usage
from instar.errors import InvariantBroken

__all__ = [
    "Asked",
    "Fault",
    "FaultKind",
    "Reply",
    "Script",
    "Spoken",
    "call",
    "echo_script",
    "finish_reply",
    "play",
    "slow_script",
    "split_text",
    "tool_script",
]

FaultKind = Literal[
    "auth",
    "not_found",
    "overflow",
    "rate_limit",
    "quota",
    "overloaded",
    "server",
    "rejected",
    "reset",
    "cut",
    "hang",
]
"""How a provider fails: the kinds of `instar.errors.ModelError`; ``reset`` breaks the connection, ``cut`` ends the
stream cleanly but too early, ``hang`` never goes on."""

CHARACTERS_PER_TOKEN = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Spoken:
    """One message as the model got it. `call_id` is set for results of tools."""

    role: Literal["system", "user", "assistant", "tool"]
    text: str
    calls: tuple[ToolCall, ...] = ()
    call_id: str | None = None
    is_error: bool = False
    images: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """One request to a model, whichever way it came."""

    model: str
    system: str
    spoken: tuple[Spoken, ...]
    tools: tuple[str, ...] = ()
    is_streamed: bool = True

    @property
    def last(self) -> Spoken | None:
        """The newest message."""
        return self.spoken[-1] if self.spoken else None

    @property
    def last_user_text(self) -> str:
        """The newest words of a person, empty if there are none."""
        return next((each.text for each in reversed(self.spoken) if each.role == "user"), "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """A failure. `after_chunks` None fails before anything is said; else after so many chunks of the answer."""

    kind: FaultKind
    text: str = ""
    retry_after_s: float | None = None
    after_chunks: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """One answer. `chunks` is how many deltas its text comes in; `usage` None is counted from the words.

    `delay_s` passes before the first delta and `pause_s` between two; `before_chunk` is awaited before each, with its
    index, for tests that hold a model back in the middle. `stop_reason` "" follows from the calls.
    """

    text: str = ""
    thinking: str = ""
    calls: tuple[ToolCall, ...] = ()
    usage: Usage | None = None
    stop_reason: Literal["", "stop", "length", "toolUse"] = ""
    chunks: int = 3
    delay_s: float = 0.0
    pause_s: float = 0.0
    before_chunk: Callable[[int], Awaitable[None]] | None = None
    fault: Fault | None = None
    signature: str | None = None


Script = Callable[[Asked], Reply | Awaitable[Reply]]


def call(name: str, **arguments: object) -> ToolCall:
    """A tool call for a reply; its id is drawn when the reply is given, unique in the conversation."""
    return ToolCall(id="", name=name, arguments=arguments)


def play(*replies: Reply | str) -> Script:
    """These replies, one per request, in order. Asking once more is a defect of the test and says so."""
    waiting = [Reply(text=each) if isinstance(each, str) else each for each in replies]

    def script(asked: Asked) -> Reply:
        if not waiting:
            raise InvariantBroken(
                "a script has a reply for each request", why=f"it was asked once more: {asked.last_user_text!r}"
            )
        return waiting.pop(0)

    return script


def echo_script(asked: Asked) -> Reply:
    """Says what it heard."""
    return Reply(text=f"You said: {asked.last_user_text}")


def slow_script(asked: Asked) -> Reply:
    """Says what it heard, word by word, ten words a second."""
    text = f"You said, slowly: {asked.last_user_text}"
    return Reply(text=text, chunks=len(text.split()), pause_s=0.1)


def tool_script(asked: Asked) -> Reply:
    """Calls the first tool it is offered once, then tells what came back."""
    last = asked.last
    if last is not None and last.role == "tool":
        return Reply(text=f"The tool says: {last.text}")
    if asked.tools:
        return Reply(text="Let me look.", calls=(call(asked.tools[0]),))
    return Reply(text=f"No tools here. You said: {asked.last_user_text}")


def finish_reply(reply: Reply, asked: Asked) -> Reply:
    """The reply with everything it left open: ids of calls, usage, stop reason."""
    taken = sum(len(each.calls) for each in asked.spoken)
    calls = tuple(
        each if each.id else replace(each, id=f"call_{taken + number}") for number, each in enumerate(reply.calls, 1)
    )
    stop = reply.stop_reason or ("toolUse" if calls else "stop")
    return replace(reply, calls=calls, stop_reason=stop, usage=reply.usage or _count(reply, asked))


def split_text(text: str, chunks: int) -> list[str]:
    """The text in at most so many parts of about equal length; none for an empty text."""
    size = max(1, -(-len(text) // max(1, chunks)))
    return [text[at : at + size] for at in range(0, len(text), size)]


def _count(reply: Reply, asked: Asked) -> Usage:
    heard = len(asked.system) + sum(len(each.text) + len(_arguments(each.calls)) for each in asked.spoken)
    said = len(reply.text) + len(reply.thinking) + len(_arguments(reply.calls))
    given = max(1, heard // CHARACTERS_PER_TOKEN)
    taken = max(1, said // CHARACTERS_PER_TOKEN)
    return Usage(input=given, output=taken, total_tokens=given + taken)


def _arguments(calls: tuple[ToolCall, ...]) -> str:
    return "".join(each.name + json.dumps(dict(each.arguments)) for each in calls)


@dataclass(slots=True, kw_only=True)
class Recorded:
    """A request that the wire server saw, as it came: for tests of what reaches a provider."""

    path: str
    headers: Mapping[str, str]
    body: Mapping[str, object]
    asked: Asked = field(default_factory=lambda: Asked(model="", system="", spoken=()))
    was_cut_off: bool = False
    """Whether the caller closed the connection before the answer was complete."""
    was_refused: bool = False
    """Whether the server took it for one that a provider refuses: a wrong key, illegal roles, a window too small."""
