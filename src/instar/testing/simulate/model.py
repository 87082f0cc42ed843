"""The scripted model and its tools: they do what the words of a message ask, and look hard at what they are given.

Every request is held against what a provider accepts and what a person would forgive: calls and results paired, a
user first, the message that is to be answered in it, no secret of another session, one request at a time per session.
"""

from __future__ import annotations

import asyncio
import re
from collections import Counter, defaultdict
from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from instar.core.model.entry import (
    AnyMessage,
    AssistantMessage,
    TextBlock,
    ToolCall,
    ToolResultMessage,
    Usage,
    UserMessage,
)
from instar.core.model.ids import SessionKey, TurnId
from instar.core.transcript.injected import is_injected
from instar.core.transcript.text import message_text
from instar.errors import (
    ModelAuthFailed,
    ModelCutOff,
    ModelError,
    ModelOverflow,
    ModelRateLimited,
    ModelRejected,
    ModelUnavailable,
)
from instar.ports.clock import Clock
from instar.ports.runner import Finished, ModelRequest, ModelSpec, RunnerEvent, TextDelta, ToolCallSeen
from instar.ports.tool import ToolContext, ToolOutput, ToolSpec
from instar.testing.simulate.findings import Findings
from instar.testing.simulate.stand_ins import MODELS, model_why

__all__ = ["PROVIDER", "SYSTEM_TEXT", "TOOLS", "ModelTwin", "Observer", "Record", "ToolTwin", "find_marks"]

PROVIDER = "sim"
SYSTEM_TEXT = "You are an assistant."
SUMMARISER = "summariser"
TOOLS = ("look", "slow", "crash", "hang", "write")
NOTES = "n0n noted"

_MARK = re.compile(r"\b[was]\d+[was]\b")
_NUMBER = re.compile(r"\bw\d+w\b")
_FILLER = "Nothing is lost and all of it is told in time. "

_ERRORS: Mapping[str, type[ModelError]] = {
    "auth": ModelAuthFailed,
    "server": ModelUnavailable,
    "overloaded": ModelUnavailable,
    "reset": ModelUnavailable,
    "rejected": ModelRejected,
    "cut": ModelCutOff,
    "rate_limit": ModelRateLimited,
}


class Observer(Protocol):
    """What the model may ask about the story it is in."""

    def may_hold(self, key: SessionKey, secret: str) -> bool:
        """Whether a session may hold words of this place."""
        ...

    def waits_for(self, turn_id: TurnId, *, start: int) -> frozenset[str]:
        """The marks of the messages that a turn answers, as the life of this start knows."""
        ...

    def may_run_together(self, key: SessionKey) -> bool:
        """Whether several turns of a session may run at once (fanout)."""
        ...


@dataclass(slots=True)
class Record:
    """What all models of a story have done: shared by every life of the gateway."""

    findings: Findings
    observer: Observer
    requests: int = 0
    answers: int = 0
    calls: int = 0
    overflows: Counter[str] = field(default_factory=Counter)
    ran: Counter[str] = field(default_factory=Counter)
    turn_of: dict[str, TurnId] = field(default_factory=dict)
    given: defaultdict[TurnId, set[str]] = field(default_factory=lambda: defaultdict(set))
    cost_usd: float | None = None
    whys: set[str] = field(default_factory=set)


def find_marks(text: str, kind: str) -> list[str]:
    """The marks of a kind (``w``, ``s``, ``a``) in a text, in order."""
    return [mark for mark in _MARK.findall(text) if mark[0] == kind == mark[-1]]


class ModelTwin:
    """The model of one life of the gateway, which is that of the start so numbered. Keeps
    `instar.ports.runner.Runner`.
    """

    def __init__(self, record: Record, clock: Clock, *, start: int) -> None:
        self._record = record
        self._clock = clock
        self._start = start
        self._running: Counter[SessionKey] = Counter()

    @property
    def name(self) -> str:
        """``simulated``."""
        return "simulated"

    async def close(self) -> None:
        """Nothing to let go of."""

    async def run(self, request: ModelRequest) -> AsyncGenerator[RunnerEvent, None]:
        """Answer as the newest message asks, or keep the record where a summary is asked for."""
        record = self._record
        record.requests += 1
        if request.system.startswith(f"{SYSTEM_TEXT}\n\n"):
            yield self._take_notes(request)
            return
        if request.system != SYSTEM_TEXT:
            yield _summary(request, cost_usd=record.cost_usd)
            return
        self._running[request.session_key] += 1
        try:
            if self._running[request.session_key] > 1 and not record.observer.may_run_together(request.session_key):
                record.findings.report("QUEUE-2", f"two turns of {request.session_key} ask the model at once")
            messages = list(request.messages)
            _check_request(messages, request, record, start=self._start)
            wish = _read_wish(messages)
            await self._misbehave(wish, messages, request)
            async for event in self._speak(wish, messages, request):
                yield event
        finally:
            self._running[request.session_key] -= 1

    def _take_notes(self, request: ModelRequest) -> Finished:
        """What a memory flush is answered with: a note is written first, and then there are words for nobody."""
        messages = request.messages
        _check_secrets(messages, request, self._record)
        has_written = bool(messages) and isinstance(messages[-1], ToolResultMessage)
        heard = sum(len(message_text(one)) for one in messages)
        if has_written:
            return _finished(NOTES, (), request.model, heard=heard, cost_usd=self._record.cost_usd)
        self._record.calls += 1
        call = ToolCall(id=f"call{self._record.calls}", name="write", arguments={"for": "later"})
        return _finished("", (call,), request.model, heard=heard, cost_usd=self._record.cost_usd)

    async def _misbehave(self, wish: Wish, messages: Sequence[AnyMessage], request: ModelRequest) -> None:
        """Fail before anything is said, where that is asked for, or where the window is too small."""
        spec = request.model
        size = sum(len(message_text(message)) for message in messages) // 4
        wanted = int(wish.words.get("overflow", "0"))
        refused = self._record.overflows[wish.mark]
        if size > (spec.context_window or size) or refused < wanted:
            self._record.overflows[wish.mark] += 1
            raise ModelOverflow("The prompt is too long", provider=spec.provider, model=spec.id)
        if "slow" in wish.words:
            await self._clock.sleep(float(wish.words["slow"]) / 2)
        if "hang" in wish.words:
            await asyncio.get_running_loop().create_future()
        if wish.words.get("fault") == "auth" and self._fails(wish, spec):
            raise self._fail("auth", spec)

    async def _speak(
        self, wish: Wish, messages: Sequence[AnyMessage], request: ModelRequest
    ) -> AsyncGenerator[RunnerEvent, None]:
        record = self._record
        calls = self._draw_calls(wish, messages)
        record.answers += 1
        record.turn_of[f"a{record.answers}a"] = request.turn_id
        text = _answer_text(wish, number=record.answers, is_last=not calls)
        half = len(text) // 2
        yield TextDelta(text=text[:half])
        if "slow" in wish.words:
            await self._clock.sleep(float(wish.words["slow"]) / 2)
        fault = wish.words.get("fault")
        if fault is not None and self._fails(wish, request.model):
            raise self._fail(fault, request.model)
        yield TextDelta(text=text[half:])
        if not calls:
            record.given[request.turn_id].update(wish.quoted)
        for call in calls:
            yield ToolCallSeen(call=call)
        heard = sum(len(message_text(one)) for one in messages)
        yield _finished(text, calls, request.model, heard=heard, cost_usd=record.cost_usd)

    def _fails(self, wish: Wish, spec: ModelSpec) -> bool:
        """Whether this model fails: all of them do, or as many as the words say."""
        return MODELS.index(spec.id) < int(wish.words.get("down", str(len(MODELS))))

    def _fail(self, fault: str, spec: ModelSpec) -> ModelError:
        """The failure, remembered: people are told of it where another model stands in."""
        self._record.whys.add(model_why(fault))
        return _ERRORS[fault](model_why(fault), why=fault, provider=spec.provider, model=spec.id)

    def _draw_calls(self, wish: Wish, messages: Sequence[AnyMessage]) -> tuple[ToolCall, ...]:
        done = sum(isinstance(one, AssistantMessage) and bool(_calls(one)) for one in messages[wish.place :])
        names = wish.words.get("tools", "")
        if not names or done >= int(wish.words.get("rounds", "1")):
            return ()
        calls: list[ToolCall] = []
        for name in names.split("+"):
            self._record.calls += 1
            calls.append(ToolCall(id=f"call{self._record.calls}", name=name, arguments={"for": wish.mark}))
        return tuple(calls)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What the newest message asks: its mark, its words, every mark it is answered with, and where it stands."""

    mark: str
    words: Mapping[str, str]
    quoted: tuple[str, ...]
    place: int


def _read_wish(messages: Sequence[AnyMessage]) -> Wish:
    """The wish of the newest message of a person, and the marks of all that were not answered yet.

    What an operator put in meanwhile answers nobody (TRANS-16): the words before it still wait for an answer.
    """
    place = max((at for at, one in enumerate(messages) if isinstance(one, UserMessage)), default=0)
    first = place
    while first > 0 and not _is_answer(messages[first - 1]):
        first -= 1
    heard = [_newest_words(message_text(one)) for one in messages[first : place + 1] if isinstance(one, UserMessage)]
    newest = heard[-1] if heard else ""
    marks = _NUMBER.findall(newest)
    words = dict(part.partition("=")[::2] for part in newest.split())
    quoted = tuple(mark for text in heard for mark in _MARK.findall(text))
    return Wish(mark=marks[-1] if marks else "", words=words, quoted=quoted, place=place)


def _newest_words(text: str) -> str:
    """A message without the group context in front of it."""
    found = list(_NUMBER.finditer(text))
    return text[found[-1].start() :] if found else text


def _calls(message: AnyMessage) -> tuple[ToolCall, ...]:
    if not isinstance(message, AssistantMessage):
        return ()
    return tuple(block for block in message.content if isinstance(block, ToolCall))


def _is_answer(message: AnyMessage) -> bool:
    """Whether a model has answered with this message all that was said before it."""
    return isinstance(message, AssistantMessage) and not _calls(message) and not is_injected(message)


def _answer_text(wish: Wish, *, number: int, is_last: bool) -> str:
    if is_last and "silent" in wish.words:
        return "NO_REPLY"
    if is_last and "empty" in wish.words:
        return ""
    quoted = " ".join(dict.fromkeys(wish.quoted))
    filler = (_FILLER * 80)[: int(wish.words.get("long", "0"))]
    return f"a{number}a re {quoted} {filler}".strip()


def _finished(
    text: str, calls: tuple[ToolCall, ...], spec: ModelSpec, *, heard: int, cost_usd: float | None
) -> Finished:
    usage = Usage(input=heard // 4 + 1, output=len(text) // 4 + 1, total_tokens=heard // 4 + len(text) // 4 + 2)
    message = AssistantMessage(
        content=(*((TextBlock(text=text),) if text else ()), *calls),
        api=spec.api,
        provider=PROVIDER,
        model=spec.id,
        usage=usage,
        stop_reason="toolUse" if calls else "stop",
        timestamp=None,
    )
    return Finished(message=message, cost_usd=cost_usd)


def _summary(request: ModelRequest, *, cost_usd: float | None) -> Finished:
    """A record that keeps every mark of what it is told, and nothing else of it."""
    told = "\n".join(message_text(message) for message in request.messages)
    marks = " ".join(dict.fromkeys(_MARK.findall(told)))
    spec = ModelSpec(provider=PROVIDER, id=SUMMARISER, api="scripted")
    return _finished(
        f"## Goal\nTo be told.\n\n## Critical context\n{marks}", (), spec, heard=len(told), cost_usd=cost_usd
    )


# --- what a request must be -------------------------------------------------------------------------------------------


def _check_request(messages: Sequence[AnyMessage], request: ModelRequest, record: Record, *, start: int) -> None:
    findings, observer = record.findings, record.observer
    where = f"a request for {request.session_key}"
    if not messages or isinstance(messages[0], AssistantMessage | ToolResultMessage):
        findings.report("TRANS-21", f"{where} does not begin with a user message")
    _check_pairs(messages, findings, where)
    _check_secrets(messages, request, record)
    # An answer that calls a tool quotes what it heard, and a result names it: neither stands for the words themselves.
    words = "\n".join(message_text(one) for one in messages if isinstance(one, UserMessage))
    for mark in sorted(observer.waits_for(request.turn_id, start=start) - record.given[request.turn_id]):
        findings.require(mark in words, "LOSS-9", f"{where} does not hold {mark}, which it is to answer")


def _check_secrets(messages: Sequence[AnyMessage], request: ModelRequest, record: Record) -> None:
    """No words of a request are of another session's people."""
    text = "\n".join(message_text(message) for message in messages)
    for secret in sorted(set(find_marks(text, "s"))):
        may_hold = record.observer.may_hold(request.session_key, secret)
        record.findings.require(may_hold, "LEAK-4", f"a request for {request.session_key} holds {secret}")


def _check_pairs(messages: Sequence[AnyMessage], findings: Findings, where: str) -> None:
    """Every call is followed by its result at once, and no result stands without its call."""
    owed: list[str] = []
    for message in messages:
        if isinstance(message, ToolResultMessage):
            findings.require(
                message.tool_call_id in owed,
                "TRANS-20",
                f"{where} holds a result without its call {message.tool_call_id}",
            )
            owed = [call_id for call_id in owed if call_id != message.tool_call_id]
            continue
        findings.require(not owed, "TRANS-20", f"{where} holds calls without results: {owed}")
        owed = [call.id for call in _calls(message)]
    findings.require(not owed, "TRANS-20", f"{where} ends with calls without results: {owed}")


# --- tools ------------------------------------------------------------------------------------------------------------


class ToolTwin:
    """A tool. Counts how often each call was run: once, whatever dies (LOSS-4)."""

    def __init__(self, name: str, record: Record, clock: Clock) -> None:
        self._name = name
        self._record = record
        self._clock = clock

    @property
    def spec(self) -> ToolSpec:
        """What the model is told."""
        return ToolSpec(name=self._name, description="A tool.", parameters={"type": "object"})

    async def call(self, context: ToolContext, arguments: Mapping[str, object]) -> ToolOutput:
        """Do what the name says."""
        self._record.ran[context.call_id] += 1
        if self._record.ran[context.call_id] > 1:
            self._record.findings.report("LOSS-4", f"{context.call_id} was run more than once")
        if self._name == "crash":
            raise RuntimeError("the tool broke")
        if self._name == "slow":
            await self._clock.sleep(5)
        if self._name == "hang":
            await self._clock.sleep(100_000)
        return ToolOutput(content=(TextBlock(text=f"looked for {arguments.get('for', '')} " + _FILLER * 4),))
