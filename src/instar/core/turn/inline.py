"""Directives inside other text: they hold for the turn of their message and are cut from what the agent reads (CMD-28).

The row of the message keeps what was written; what the directives ask for is read from it again whenever the message
is taken up.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from instar.core.model.change import InboxItem, TurnOptions
from instar.core.policy.command_kinds import (
    Directive,
    Elevated,
    Inline,
    Model,
    Queue,
    Reasoning,
    Status,
    Think,
    UsageMode,
    Verbose,
)
from instar.core.queue.settings import QueueDirective

__all__ = ["apply_inline", "asks_for_status", "find_inline_queue"]


def apply_inline(item: InboxItem, command: Inline) -> InboxItem:
    """The message as its turn sees it. What the caller itself asked of the turn (RPC) gives way to the words."""
    submission = item.submission
    options = _with_directives(submission.options, command.directives)
    inbound = replace(submission.inbound, text=command.text)
    return replace(item, submission=replace(submission, inbound=inbound, options=options))


def asks_for_status(command: Inline) -> bool:
    """Whether `/status` stands among the text; it is answered at once (STATUS-15)."""
    return any(isinstance(one, Status) for one in command.directives)


def find_inline_queue(command: Inline) -> QueueDirective | None:
    """What the message says of its own way through the queue (QUEUE-11), None if nothing."""
    return next((one.directive for one in command.directives if isinstance(one, Queue)), None)


def _with_directives(options: TurnOptions, directives: Iterable[Directive]) -> TurnOptions:
    for one in directives:
        match one:
            case Think():
                options = replace(options, thinking=one.level, reasoning=one.reasoning or options.reasoning)
            case Model():
                options = replace(options, model=one.model)
            case Verbose():
                options = replace(options, verbose=one.level)
            case Reasoning():
                options = replace(options, reasoning=one.level)
            case UsageMode():
                options = replace(options, usage=one.level)
            case Elevated():
                options = replace(options, elevated=one.level)
            case _:
                pass  # the status is answered at once, the queue has been asked already
    return options
