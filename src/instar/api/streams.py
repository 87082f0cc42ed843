"""What clients see of a run while it runs: `agent` and `chat` events from the gateway's events (RPC-36, RPC-38).

Theory of operation. Each run has one counter that `agent` events raise; a `chat` event repeats its present value, so
both kinds of one run can be put in order. Text comes in many small pieces; it is told at once when nothing was told
for `interval_s`, else kept until `take_due` is called, so that a fast model costs a client some seven events a second
and not a thousand. A draft that may turn out to be the agent's word for silence is kept back until it cannot be
(FLUSH-6). When a run ends, what was kept is told first, then the end.

There is no clock and no socket here: `now` comes in, values go out.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

from instar.api.messages import build_text_message
from instar.core.delivery.silent import could_become_silent
from instar.core.model.event import (
    AssistantDelta,
    CommandAnswered,
    Event,
    RunEnded,
    RunNote,
    RunPhase,
    RunStarted,
    ToolEnded,
    ToolStarted,
)
from instar.core.model.ids import AgentId, Instant, SessionKey, TurnId
from instar.core.transcript.text import message_text

__all__ = ["Audience", "Outgoing", "RunStreams"]

RUNS_MAX: Final = 4096
"""Runs that are followed at once; beyond that the oldest is forgotten, whose later text is then told as new."""

TOOL_CAPABILITY: Final = "tool-events"
"""What a client says at `connect` when it wants to see tool calls."""

Audience = Literal["all", "readers", "admins", "lists", "messages"]
"""Every connection; those that may read; those that may administer; those with `sessions.subscribe`; or these and
those that follow the messages of the key.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outgoing:
    """An event for clients. `protocols` are the versions that know it in this form; `cap` a capability it needs."""

    event: str
    payload: Mapping[str, object]
    audience: Audience = "all"
    session_key: SessionKey | None = None
    protocols: tuple[int, ...] = (3, 4)
    cap: str | None = None
    owner: str | None = None
    """Whose the session was, where its row is gone already."""
    state_version: Mapping[str, int] | None = None
    """Which state of the gateway it tells, for `presence` and `health`."""


@dataclass(slots=True, kw_only=True)
class _Run:
    """What was told of one run."""

    run_id: TurnId
    session_key: SessionKey
    agent_id: AgentId
    seq: int = 0
    text: str = ""
    told: str = ""
    told_at: float | None = None
    names: dict[str, object] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.names = {"runId": self.run_id, "sessionKey": self.session_key, "agentId": self.agent_id}


class RunStreams:
    """The runs of one gateway as clients see them. Feed it every event, and call `take_due` when `next_due` says."""

    def __init__(self, *, interval_s: float) -> None:
        self._interval_s = interval_s
        self._runs: dict[TurnId, _Run] = {}

    def apply(self, event: Event, *, now: float) -> list[Outgoing]:
        """What clients are told of an event; nothing for events that are not about a run. `now` is monotonic."""
        match event:
            case RunStarted():
                return [self._lifecycle(self._run(event), event.at, {"phase": "start", "startedAt": event.at})]
            case RunPhase():
                return list(self._phase(self._run(event), event))
            case RunNote():
                return [self._note(event)]
            case AssistantDelta():
                return list(self._text(self._run(event), event, now))
            case ToolStarted() | ToolEnded():
                return list(self._tool(self._run(event), event, now))
            case RunEnded():
                return list(self._end(event))
            case CommandAnswered():
                return [self._chat(self._take(event), "final", _message(event.text, event.at))]
            case _:
                return []

    def next_due(self) -> float | None:
        """When text that is kept may be told, in monotonic seconds; None while nothing is kept."""
        kept = (run.told_at or 0.0 for run in self._runs.values() if _is_kept(run))
        oldest = min(kept, default=None)
        return None if oldest is None else oldest + self._interval_s

    def take_due(self, *, now: float, at: Instant) -> list[Outgoing]:
        """Text that was kept long enough. `at` is the wall clock for its time stamps."""
        due = [run for run in self._runs.values() if _is_kept(run) and self._may_tell(run, now)]
        return [out for run in due for out in self._tell(run, at=at, now=now)]

    # --- one run ------------------------------------------------------------------------------------------------------

    def _run(self, event: RunStarted | RunPhase | AssistantDelta | ToolStarted | ToolEnded) -> _Run:
        run = self._runs.get(event.turn_id)
        if run is None:
            run = _Run(run_id=event.turn_id, session_key=event.session_key, agent_id=event.agent_id)
            self._runs[event.turn_id] = run
            if len(self._runs) > RUNS_MAX:
                self._runs.pop(next(iter(self._runs)))
        return run

    def _take(self, event: RunEnded | CommandAnswered) -> _Run:
        """The run of an end, which is no longer followed."""
        known = self._runs.pop(event.turn_id, None)
        return known or _Run(run_id=event.turn_id, session_key=event.session_key, agent_id=event.agent_id)

    def _phase(self, run: _Run, event: RunPhase) -> Iterator[Outgoing]:
        yield self._agent(run, "run_status", event.at, {"phase": event.phase})
        if event.phase in {"preparing_context", "starting_model"}:
            yield self._chat(run, "status", {"phase": event.phase}, protocols=(4,))

    def _note(self, event: RunNote) -> Outgoing:
        """A line about a run, which may have ended already; it is not followed for that."""
        run = self._runs.get(event.turn_id) or _Run(
            run_id=event.turn_id, session_key=event.session_key, agent_id=event.agent_id
        )
        return self._agent(run, "notice", event.at, {"text": event.text})

    def _text(self, run: _Run, event: AssistantDelta, now: float) -> Iterator[Outgoing]:
        if not event.text.startswith(run.text) and _is_kept(run):
            # The answer starts over after a tool call: what was kept belongs to the message before.
            yield from self._tell(run, at=event.at, now=now)
        run.text = event.text
        if _is_kept(run) and self._may_tell(run, now):
            yield from self._tell(run, at=event.at, now=now)

    def _may_tell(self, run: _Run, now: float) -> bool:
        return run.told_at is None or now - run.told_at >= self._interval_s

    def _tell(self, run: _Run, *, at: Instant, now: float) -> Iterator[Outgoing]:
        yield self._assistant(run, at)
        yield from self._delta(run, at)
        run.told, run.told_at = run.text, now

    def _assistant(self, run: _Run, at: Instant) -> Outgoing:
        delta, _ = _difference(run)
        return self._agent(run, "assistant", at, {"text": run.text, "delta": delta})

    def _delta(self, run: _Run, at: Instant) -> Iterator[Outgoing]:
        delta, is_new = _difference(run)
        message = _message(run.text, at)
        yield self._chat(run, "delta", message, protocols=(3,))
        replaced = {"replace": True} if is_new else {}
        yield self._chat(run, "delta", {**message, "deltaText": delta, **replaced}, protocols=(4,))

    def _tool(self, run: _Run, event: ToolStarted | ToolEnded, now: float) -> Iterator[Outgoing]:
        if _is_kept(run):
            yield from self._tell(run, at=event.at, now=now)
        data: dict[str, object] = {"name": event.name, "toolCallId": event.call_id}
        data |= {"phase": "result", "isError": event.is_error} if isinstance(event, ToolEnded) else {"phase": "start"}
        yield self._agent(run, "tool", event.at, data, cap=TOOL_CAPABILITY)

    # --- ends ---------------------------------------------------------------------------------------------------------

    def _end(self, event: RunEnded) -> Iterator[Outgoing]:
        run = self._take(event)
        text = "" if event.silent else _final_text(event, run)
        run.text = text
        tell_rest = bool(text) and text != run.told
        if tell_rest:
            yield self._assistant(run, event.at)
        yield self._lifecycle(run, event.at, _end_data(event))
        if tell_rest:
            yield from self._delta(run, event.at)
        yield self._chat(run, event.state, {**_message(text, event.at), **_end_facts(event)})
        for run_id in event.also:
            # Its message was answered by this run; whoever waits for it needs an end, and no second copy of the words.
            merged = _Run(run_id=run_id, session_key=event.session_key, agent_id=event.agent_id)
            yield self._chat(merged, event.state, _end_facts(event))

    def _lifecycle(self, run: _Run, at: Instant, data: Mapping[str, object]) -> Outgoing:
        return self._agent(run, "lifecycle", at, data)

    def _agent(
        self, run: _Run, stream: str, at: Instant, data: Mapping[str, object], *, cap: str | None = None
    ) -> Outgoing:
        run.seq += 1
        payload = {**run.names, "stream": stream, "data": data, "seq": run.seq, "ts": at}
        return Outgoing(event="agent", payload=payload, session_key=run.session_key, cap=cap)

    def _chat(
        self, run: _Run, state: str, facts: Mapping[str, object], *, protocols: tuple[int, ...] = (3, 4)
    ) -> Outgoing:
        payload = {**run.names, "seq": run.seq, "state": state, **facts}
        return Outgoing(event="chat", payload=payload, session_key=run.session_key, protocols=protocols)


def _is_kept(run: _Run) -> bool:
    """Whether there is text that clients were not told and may be told."""
    return run.text != run.told and bool(run.text) and not could_become_silent(run.text)


def _difference(run: _Run) -> tuple[str, bool]:
    """What is new since clients were last told, and whether it replaces what they were told."""
    if run.text.startswith(run.told):
        return run.text[len(run.told) :], False
    return run.text, True


def _final_text(event: RunEnded, run: _Run) -> str:
    """The words of the end: the answer, or as far as it came when it was stopped."""
    if event.message is not None:
        return message_text(event.message)
    return run.text if event.state == "aborted" and not could_become_silent(run.text) else ""


def _message(text: str | None, at: Instant) -> dict[str, object]:
    return {"message": build_text_message(text, at=at)} if text else {}


def _end_data(event: RunEnded) -> dict[str, object]:
    """What a `lifecycle` event says of an end."""
    phase = "error" if event.state == "error" else "end"
    data: dict[str, object] = {"phase": phase, "startedAt": event.started_at, "endedAt": event.at}
    if event.error is not None:
        data["error"] = event.error
    return data | {"aborted": event.state == "aborted"}


def _end_facts(event: RunEnded) -> dict[str, object]:
    """What a `chat` event says of an end, beside the words."""
    facts: dict[str, object] = {}
    if event.state != "final" and event.error is not None:
        facts["errorMessage"] = event.error
    if event.usage is not None and event.state != "aborted":
        usage = event.usage
        facts["usage"] = {
            "input": usage.input,
            "output": usage.output,
            "cacheRead": usage.cache_read,
            "cacheWrite": usage.cache_write,
            "totalTokens": usage.total_tokens,
        }
    if event.stop_reason is not None:
        facts["stopReason"] = event.stop_reason
    return facts
