"""One model request in, a stream of events out.

A runner knows providers and nothing of sessions: no store, no lane, no tools being run. The turn loop
(`instar.gateway.turn`) owns the loop around it, since it must commit between two requests (LOSS-3).
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final, Protocol

from instar.core.context.heartbeat import AuthKind
from instar.core.model.entry import AnyMessage, AssistantMessage, ToolCall
from instar.core.model.ids import SessionKey, TurnId
from instar.ports.tool import ToolSpec

__all__ = [
    "Finished",
    "ModelRequest",
    "ModelSpec",
    "Restarted",
    "Runner",
    "RunnerEvent",
    "TextDelta",
    "ThinkingDelta",
    "ToolCallSeen",
]

_USUAL_WINDOW_TOKENS: Final = 200_000


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelSpec:
    """A model as it is configured (CFG-13). `api` names the wire format; prices are US dollars per million tokens.

    `context_window` and `max_output` are tokens, None where nobody said. `auth` is how its provider knows who asks.
    """

    provider: str
    id: str
    api: str
    name: str = ""
    context_window: int | None = None
    max_output: int | None = None
    reasoning: bool = False
    input_kinds: tuple[str, ...] = ("text",)
    price: Mapping[str, float] = field(default_factory=dict)
    auth: AuthKind = "api-key"

    @property
    def ref(self) -> str:
        """``provider/model``, as people and configuration write it."""
        return f"{self.provider}/{self.id}"

    @property
    def window_tokens(self) -> int:
        """The window to reckon with: the model's own, or what most have where nobody said (PRUNE-6)."""
        return self.context_window or _USUAL_WINDOW_TOKENS


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelRequest:
    """Everything one request needs. `messages` are in order, valid for a provider (calls and results paired).

    `session_key` and `turn_id` are for logs and cache keys. `timeout_s` bounds the whole request, repetitions
    included. `fallbacks` are models to ask in turn when `model` cannot answer, with what `messages_for` gives for each,
    since its window may be smaller (HIST-7); None where the same messages serve all. `cache` is how long a provider
    should keep the prompt (``5m``, ``1h``), ``off`` for not at all, None for what suits the provider.
    """

    session_key: SessionKey
    turn_id: TurnId
    model: ModelSpec
    system: str
    messages: Sequence[AnyMessage]
    tools: tuple[ToolSpec, ...] = ()
    thinking: str | None = None
    cache: str | None = None
    timeout_s: float = 600.0
    fallbacks: tuple[ModelSpec, ...] = ()
    messages_for: Callable[[ModelSpec], Sequence[AnyMessage]] | None = None

    def made_for(self, model: ModelSpec, *, timeout_s: float) -> ModelRequest:
        """The same request for one model alone: itself, or one that stands in."""
        fit = self.messages_for if model != self.model else None
        messages = self.messages if fit is None else fit(model)
        return replace(self, model=model, messages=messages, fallbacks=(), messages_for=None, timeout_s=timeout_s)


@dataclass(frozen=True, slots=True, kw_only=True)
class TextDelta:
    """More text of the answer."""

    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ThinkingDelta:
    """More thinking."""

    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolCallSeen:
    """A tool call is complete; it is run only after the whole message was committed."""

    call: ToolCall


@dataclass(frozen=True, slots=True, kw_only=True)
class Restarted:
    """What was streamed so far counts for nothing: the request is made once more, perhaps to another model.

    `reason` is a sentence for people that says why.
    """

    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Finished:
    """The whole answer; always the last event. Its timestamp is left to the turn (None).

    `notes` are sentences for people about how the answer came about: which model stood in for which, and why.
    """

    message: AssistantMessage
    cost_usd: float | None = None
    notes: tuple[str, ...] = ()


RunnerEvent = TextDelta | ThinkingDelta | ToolCallSeen | Restarted | Finished


class Runner(Protocol):
    """Makes one model request at a time per call; calls may run side by side."""

    @property
    def name(self) -> str:
        """How logs and `status` name it."""
        ...

    def run(self, request: ModelRequest) -> AsyncGenerator[RunnerEvent, None]:
        """Ask the model. Ends with `Finished`, or raises a `ModelError`.

        Cancelling it, or closing the generator early (`contextlib.aclosing`), closes the connection.
        """
        ...

    async def close(self) -> None:
        """Let go of connections. May be called twice."""
        ...
