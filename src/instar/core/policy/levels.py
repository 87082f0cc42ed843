"""The words for thinking, verbose, reasoning, elevated and usage, in commands and patches alike (PATCH-6, PATCH-7)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

from instar.errors import InvalidRequest

__all__ = [
    "THINKING_LEVELS",
    "ElevatedLevel",
    "ReasoningLevel",
    "ThinkingLevel",
    "ThinkingWord",
    "UsageLevel",
    "VerboseLevel",
    "parse_elevated",
    "parse_reasoning",
    "parse_thinking",
    "parse_usage",
    "parse_verbose",
    "require_thinking",
    "require_xhigh",
]

ThinkingLevel = Literal["off", "minimal", "low", "medium", "high", "xhigh"]
VerboseLevel = Literal["on", "off", "full"]
ReasoningLevel = Literal["on", "off", "stream"]
ElevatedLevel = Literal["on", "off", "ask", "full"]
UsageLevel = Literal["off", "tokens", "full"]

THINKING_LEVELS: Final[tuple[ThinkingLevel, ...]] = ("off", "minimal", "low", "medium", "high", "xhigh")
"""From none to most."""

_THINKING: Final[Mapping[str, ThinkingLevel]] = {
    **{level: level for level in THINKING_LEVELS},
    "on": "low",
    "stream": "low",
    "think": "minimal",
    "min": "minimal",
    "mid": "medium",
    "med": "medium",
    "max": "high",
    "ultra": "high",
    "highest": "high",
}
_VERBOSE: Final[Mapping[str, VerboseLevel]] = {"on": "on", "off": "off", "full": "full"}
_REASONING: Final[Mapping[str, ReasoningLevel]] = {"on": "on", "off": "off", "stream": "stream"}
_ELEVATED: Final[Mapping[str, ElevatedLevel]] = {"on": "on", "off": "off", "ask": "ask", "full": "full"}
_USAGE: Final[Mapping[str, UsageLevel]] = {"off": "off", "on": "tokens", "tokens": "tokens", "full": "full"}


@dataclass(frozen=True, slots=True, kw_only=True)
class ThinkingWord:
    """What a thinking word asks for. `reasoning` is set by the word `stream`, which means both; else None."""

    level: ThinkingLevel
    reasoning: ReasoningLevel | None = None


def parse_thinking(word: str) -> ThinkingWord | None:
    """The level a word means, case and surrounding blanks ignored; None for any other word (PATCH-6, X-16)."""
    name = word.strip().lower()
    level = _THINKING.get(name)
    return None if level is None else ThinkingWord(level=level, reasoning="stream" if name == "stream" else None)


def require_thinking(word: str, *, field: str) -> ThinkingWord:
    """As `parse_thinking`, for a field of a request. Raises `InvalidRequest` for a word that is no level."""
    found = parse_thinking(word)
    if found is None:
        raise InvalidRequest(
            f"invalid {field}: must be one of {', '.join(THINKING_LEVELS)}",
            why=f"{word[:60]!r} is no level",
            field=field,
        )
    return found


def require_xhigh(level: str | None, *, is_known: bool, field: str) -> None:
    """Raises `InvalidRequest` for ``xhigh`` where the model does not know it (PATCH-6)."""
    if level == "xhigh" and not is_known:
        raise InvalidRequest(
            f"invalid {field}: the model does not support xhigh",
            fix="Ask for high, or choose a model that knows xhigh.",
            field=field,
        )


def parse_verbose(word: str) -> VerboseLevel | None:
    """How much a session tells of its work; None for any other word (PATCH-7)."""
    return _VERBOSE.get(word.strip().lower())


def parse_reasoning(word: str) -> ReasoningLevel | None:
    """Whether the model's reasoning is shown; None for any other word (PATCH-7)."""
    return _REASONING.get(word.strip().lower())


def parse_elevated(word: str) -> ElevatedLevel | None:
    """Whether tools may reach beyond the sandbox; None for any other word (PATCH-7)."""
    return _ELEVATED.get(word.strip().lower())


def parse_usage(word: str) -> UsageLevel | None:
    """What a reply tells of its tokens; None for any other word (PATCH-7)."""
    return _USAGE.get(word.strip().lower())
