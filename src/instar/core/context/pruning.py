"""Trimming old tool results from what the model is sent (PRUNE-1 to PRUNE-18).

A provider keeps the beginning of a conversation in a cache for a few minutes and charges little for it. Once that
time is over the whole context is paid for again, so this is the moment to make it smaller: long results of tools
that ran a while ago keep their beginning and end, and if that is not enough they are cleared.

    head (before the first user)  ·  candidates  ·  tail (from the k-th last answer on)
    never touched                    results only     never touched

The pass works on a copy. Messages keep their order, roles, ids and tool names; users' and assistants' words are
never altered; the transcript is not touched. Sizes are characters, four to a token.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Final, Literal

from instar.core.context.tokens import CHARS_PER_TOKEN, json_chars
from instar.core.model.decision import Decision
from instar.core.model.entry import (
    AnyMessage,
    AssistantMessage,
    Block,
    ImageBlock,
    OtherMessage,
    TextBlock,
    ThinkingBlock,
    ToolCall,
    ToolResultMessage,
    UserMessage,
)
from instar.core.model.ids import Instant
from instar.core.policy.tool_patterns import ToolPatterns, allows_tool
from instar.core.transcript.repair import PlacedMessage
from instar.core.transcript.text import content_text

__all__ = [
    "HardClear",
    "PruneAction",
    "PrunePass",
    "PruneReason",
    "PruningMode",
    "PruningSettings",
    "SoftTrim",
    "describe_pass",
    "is_anthropic",
    "plan_pruning",
    "resolve_mode",
]

PruningMode = Literal["off", "cache-ttl"]
PruneAction = Literal["keep", "soft", "hard"]
PruneReason = Literal[
    "disabled",
    "no-cache-touch",
    "ttl-zero",
    "ttl-not-expired",
    "not-enough-assistants",
    "below-soft-ratio",
    "nothing-to-do",
    "changed",
]
"""Why a pass did what it did; the first four are gates that stop it before it looks at the messages."""

_IMAGE_CHARS: Final = 8_000
_OTHER_CHARS: Final = 256
_DEFAULT_WINDOW_TOKENS: Final = 200_000


@dataclass(frozen=True, slots=True, kw_only=True)
class SoftTrim:
    """A result longer than `max_chars` keeps its first and last characters."""

    max_chars: int = 4_000
    head_chars: int = 1_500
    tail_chars: int = 1_500


@dataclass(frozen=True, slots=True, kw_only=True)
class HardClear:
    """What stands in place of a cleared result."""

    enabled: bool = True
    placeholder: str = "[Old tool result content cleared]"


@dataclass(frozen=True, slots=True, kw_only=True)
class PruningSettings:
    """How old tool results are trimmed (PRUNE-2). `mode` None: nobody said, the model decides (PRUNE-3).

    Ratios are parts of the window that must be in use before a stage begins.
    """

    mode: PruningMode | None = None
    ttl_ms: int = 300_000
    keep_last_assistants: int = 3
    soft_trim_ratio: float = 0.3
    hard_clear_ratio: float = 0.5
    min_prunable_tool_chars: int = 50_000
    soft_trim: SoftTrim = field(default_factory=SoftTrim)
    hard_clear: HardClear = field(default_factory=HardClear)
    tools: ToolPatterns = field(default_factory=ToolPatterns)


@dataclass(frozen=True, slots=True, kw_only=True)
class PrunePass:
    """What a pass came to: the messages to send and one action for each.

    `ran` is False when a gate stopped it. `resets_clock` means that the time of the last call, as far as the gate is
    concerned, is now (PRUNE-17). Sizes are characters before and after.
    """

    ran: bool
    reason: PruneReason
    messages: tuple[PlacedMessage, ...]
    actions: tuple[PruneAction, ...]
    chars_before: int = 0
    chars_after: int = 0

    @property
    def resets_clock(self) -> bool:
        """Whether anything was changed, and the window of time begins anew."""
        return self.reason == "changed"


def resolve_mode(settings: PruningSettings, *, provider: str, model: str) -> PruningSettings:
    """The settings with a mode: as configured, else on for Anthropic models and off for all others (PRUNE-3)."""
    if settings.mode is not None:
        return settings
    return replace(settings, mode="cache-ttl" if is_anthropic(provider, model) else "off")


def is_anthropic(provider: str, model: str) -> bool:
    """Whether a model is one of Anthropic's, direct or through OpenRouter; case does not matter (PRUNE-3)."""
    name = provider.strip().lower()
    return name == "anthropic" or (name == "openrouter" and model.strip().lower().startswith("anthropic/"))


# --- the pass ---------------------------------------------------------------------------------------------------------


def plan_pruning(
    messages: Sequence[PlacedMessage],
    settings: PruningSettings,
    *,
    window_tokens: int,
    now: Instant,
    last_call_at: Instant | None,
) -> PrunePass:
    """Decide what of the messages is sent shortened, and shorten it.

    `last_call_at` is when the provider last answered in this session, None if it never did. A window of 0 or less
    counts as 200,000 tokens (PRUNE-6).
    """
    gate = _gate(settings, now=now, last_call_at=last_call_at)
    if gate is not None:
        kept: list[PruneAction] = ["keep"] * len(messages)
        return PrunePass(ran=False, reason=gate, messages=tuple(messages), actions=tuple(kept))
    window = (window_tokens if window_tokens > 0 else _DEFAULT_WINDOW_TOKENS) * CHARS_PER_TOKEN
    trimming = _Trimming(messages, settings=settings, window=window)
    return trimming.finish(trimming.run())


def _gate(settings: PruningSettings, *, now: Instant, last_call_at: Instant | None) -> PruneReason | None:
    """Why the pass must not run, None if it may (PRUNE-5)."""
    if settings.mode != "cache-ttl":
        return "disabled"
    if last_call_at is None:
        return "no-cache-touch"
    if settings.ttl_ms <= 0:
        return "ttl-zero"
    return "ttl-not-expired" if now - last_call_at < settings.ttl_ms else None


class _Trimming:
    """One pass over one list of messages."""

    def __init__(self, messages: Sequence[PlacedMessage], *, settings: PruningSettings, window: int) -> None:
        self._settings = settings
        self._window = window
        self._messages = list(messages)
        self._actions: list[PruneAction] = ["keep"] * len(messages)
        self._sizes = [message_chars(placed.message) for placed in messages]
        self._before = self._total = sum(self._sizes)

    def run(self) -> PruneReason:
        """Both stages, as far as they are needed."""
        tail = _tail_start(self._messages, self._settings.keep_last_assistants)
        if tail is None:
            return "not-enough-assistants"
        if self._usage() < self._settings.soft_trim_ratio:
            return "below-soft-ratio"
        candidates = list(self._candidates(tail))
        self._trim_softly(candidates)
        self._clear(candidates)
        return "changed" if any(action != "keep" for action in self._actions) else "nothing-to-do"

    def finish(self, reason: PruneReason) -> PrunePass:
        """The result as a value."""
        return PrunePass(
            ran=True,
            reason=reason,
            messages=tuple(self._messages),
            actions=tuple(self._actions),
            chars_before=self._before,
            chars_after=self._total,
        )

    def _usage(self) -> float:
        return self._total / self._window

    def _candidates(self, tail: int) -> Iterator[tuple[int, ToolResultMessage]]:
        """Tool results between head and tail that may be touched, oldest first (PRUNE-8, PRUNE-9, PRUNE-11)."""
        allowed: dict[str, bool] = {}
        head_is_over = False
        for index in range(tail):
            message = self._messages[index].message
            head_is_over = head_is_over or isinstance(message, UserMessage)
            if not head_is_over or not isinstance(message, ToolResultMessage):
                continue
            name = message.tool_name
            if name not in allowed:
                allowed[name] = allows_tool(self._settings.tools, name)
            if allowed[name] and not any(isinstance(block, ImageBlock) for block in message.content):
                yield index, message

    def _trim_softly(self, candidates: Sequence[tuple[int, ToolResultMessage]]) -> None:
        for index, message in candidates:
            trimmed = _trimmed_text(content_text(message.content), self._settings.soft_trim)
            if trimmed is not None:
                self._put(index, message, trimmed, "soft")

    def _clear(self, candidates: Sequence[tuple[int, ToolResultMessage]]) -> None:
        """Clear results, oldest first, while too much of the window is in use (PRUNE-13 to PRUNE-15)."""
        settings = self._settings
        if not settings.hard_clear.enabled or self._usage() < settings.hard_clear_ratio:
            return
        if sum(self._sizes[index] for index, _ in candidates) < settings.min_prunable_tool_chars:
            return
        for index, message in candidates:
            if self._usage() < settings.hard_clear_ratio:
                return
            self._put(index, message, settings.hard_clear.placeholder, "hard")

    def _put(self, index: int, message: ToolResultMessage, text: str, action: PruneAction) -> None:
        shortened = replace(message, content=(TextBlock(text=text),), extra=_without_content(message))
        self._messages[index] = PlacedMessage(entry_id=self._messages[index].entry_id, message=shortened)
        self._actions[index] = action
        self._total += len(text) - self._sizes[index]
        self._sizes[index] = len(text)


def _without_content(message: ToolResultMessage) -> dict[str, object]:
    """The extra fields without an original spelling of the content, which would win over the new one."""
    return {name: value for name, value in message.extra.items() if name != "content"}


def _tail_start(messages: Sequence[PlacedMessage], keep: int) -> int | None:
    """Where the protected tail begins: at the `keep`-th last answer. None if there are fewer; 0 means no tail."""
    if keep <= 0:
        return len(messages)
    for index in range(len(messages) - 1, -1, -1):
        if isinstance(messages[index].message, AssistantMessage):
            keep -= 1
            if keep == 0:
                return index
    return None


def _trimmed_text(text: str, trim: SoftTrim) -> str | None:
    """Head and tail of a long text with a note on what is missing; None for one that stays (PRUNE-12)."""
    if len(text) <= trim.max_chars or trim.head_chars + trim.tail_chars >= len(text):
        return None
    tail = text[len(text) - trim.tail_chars :]
    note = (
        f"[Tool result shortened: the first {trim.head_chars} and the last {trim.tail_chars}"
        f" of {len(text)} characters are shown.]"
    )
    return f"{text[: trim.head_chars]}\n...\n{tail}\n\n{note}"


# --- sizes ------------------------------------------------------------------------------------------------------------


def message_chars(message: AnyMessage) -> int:
    """The size of a message for this pass (PRUNE-7)."""
    if isinstance(message, OtherMessage):
        return _OTHER_CHARS
    content = message.content
    return len(content) if isinstance(content, str) else sum(map(_block_chars, content))


def _block_chars(block: Block) -> int:
    match block:
        case TextBlock():
            return len(block.text)
        case ThinkingBlock():
            return len(block.thinking)
        case ToolCall():
            return json_chars(block.arguments)
        case ImageBlock():
            return _IMAGE_CHARS
        case _:
            return 0


# --- explanation ------------------------------------------------------------------------------------------------------

_RULES: Final[dict[PruneReason, str]] = {
    "disabled": "PRUNE-3",
    "no-cache-touch": "PRUNE-5",
    "ttl-zero": "PRUNE-5",
    "ttl-not-expired": "PRUNE-5",
    "not-enough-assistants": "PRUNE-8",
    "below-soft-ratio": "PRUNE-10",
    "nothing-to-do": "PRUNE-11",
    "changed": "PRUNE-12",
}


def describe_pass(done: PrunePass) -> Decision:
    """The pass as a decision to be stored (WHY-1)."""
    hard = done.actions.count("hard")
    return Decision(
        kind="prune",
        outcome=done.reason,
        rule="PRUNE-15" if hard else _RULES[done.reason],
        inputs={
            "softTrimmed": done.actions.count("soft"),
            "hardCleared": hard,
            "charsBefore": done.chars_before,
            "charsAfter": done.chars_after,
        },
    )
