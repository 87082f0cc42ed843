"""Where a turn starts, in what a model sees (COMPACT-10, HIST-5 to HIST-7, PRUNE-19).

People, shell runs, summaries of branches and messages that the gateway or a plug-in put in may start a turn. What
comes while a turn runs is put into it and starts none, and nothing in a transcript marks it. It is read off what
stands before: a turn goes on until an answer calls no tool, or fails.

    u0 a1 · u2 a3[call] r4 u5 a6 · u7 u8 a9[call] r10 u11 …
                           └ put into the turn of u2       └ put into the turn of u7, as u8 is

A line of `chat.inject` may come at any time and answers nobody, so it ends no turn. Other lines that no model wrote end
one only where no tool was called before them: a mirrored delivery may be all that somebody was answered with.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from instar.core.context.tokens import estimate_message
from instar.core.model.entry import (
    AnyEntry,
    AnyMessage,
    AssistantMessage,
    BranchSummaryEntry,
    CustomMessageEntry,
    MessageEntry,
    OtherMessage,
    ToolCall,
    UserMessage,
)
from instar.core.transcript.injected import is_injected, is_model_answer

__all__ = ["SeenTurn", "find_newest_turn", "find_start", "may_start_turn", "split_turns", "starts_turn"]

_STARTING_ROLES: Final = frozenset({"bashExecution", "branchSummary", "custom"})
"""Roles by which entries of other kinds reach the model (`instar.core.context.view`), and shell runs."""

_FAILED: Final = frozenset({"aborted", "error"})


def starts_turn(entry: AnyEntry) -> bool:
    """Whether a turn may start with an entry (COMPACT-10)."""
    if isinstance(entry, MessageEntry):
        return may_start_turn(entry.message)
    return isinstance(entry, CustomMessageEntry | BranchSummaryEntry)


def may_start_turn(message: AnyMessage) -> bool:
    """Whether a turn may start with a message; all but answers, tool results and the summary of a compaction."""
    return isinstance(message, UserMessage) or (isinstance(message, OtherMessage) and message.role in _STARTING_ROLES)


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenTurn:
    """A turn as a model sees it: the place of its first message, and whether an answer has closed it."""

    start: int
    is_closed: bool


def split_turns(messages: Iterable[AnyMessage]) -> tuple[SeenTurn, ...]:
    """The turns of a conversation in order. What stands before the first message that may start one is in none."""
    starts: list[int] = []
    is_open = is_calling = False
    for index, message in enumerate(messages):
        if may_start_turn(message):
            if not is_open or not starts:
                starts.append(index)
            is_open = True
        elif isinstance(message, AssistantMessage) and not is_injected(message):
            calls = any(isinstance(block, ToolCall) for block in message.content)
            is_open = message.stop_reason not in _FAILED and (calls or (is_calling and not is_model_answer(message)))
            is_calling = is_open
    return tuple(SeenTurn(start=start, is_closed=start != starts[-1] or not is_open) for start in starts)


def find_newest_turn(messages: Iterable[AnyMessage]) -> int | None:
    """The place at which the newest turn starts; None where no message may start one.

    From there on stands all that still waits for an answer, however it came into the turn.
    """
    turns = split_turns(messages)
    return turns[-1].start if turns else None


def find_start(messages: Sequence[AnyMessage], newest: int, *, fits: Callable[[int, int], bool]) -> int:
    """The first place at which a turn may start and from which on everything fits; never after `newest`.

    `newest` is where the newest turn starts, and everything from there on counts as fitting. `fits` is asked with a
    number of messages and the estimate of their tokens, both from a place on to the end.
    """
    start = newest
    tokens = sum(estimate_message(message) for message in messages[newest:])
    for index in range(newest - 1, -1, -1):
        tokens += estimate_message(messages[index])
        if not fits(len(messages) - index, tokens):
            break
        if may_start_turn(messages[index]):
            start = index
    return start
