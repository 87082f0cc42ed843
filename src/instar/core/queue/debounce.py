"""Joining quick messages: how long a lane stays quiet, and which waiting messages make one turn (QUEUE-5, QUEUE-14).

What belongs here: the two questions about messages that wait together. What does not: whether a message waits at
all (`instar.core.queue.mode`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from instar.core.model.ids import Instant
from instar.core.model.message import Target

__all__ = ["LINE_MAX_CHARS", "are_one_route", "name_line", "quiet_until", "summarise_line"]

LINE_MAX_CHARS: Final = 160
"""The longest line that stands for a dropped message (QUEUE-13)."""


def quiet_until(*, last_arrival_at: Instant, debounce_ms: int, now: Instant) -> Instant:
    """When the quiet time after the last arrival is over (QUEUE-14); not after `now` means that it is over.

    A last arrival in the future means that the clock went back since: the quiet time then counts as over, or a
    message would wait for as long as the clock jumped.
    """
    if last_arrival_at > now:
        return now
    return Instant(last_arrival_at + debounce_ms)


def are_one_route(routes: Sequence[Target | None]) -> bool:
    """Whether all messages came from the same channel, account, chat and thread (QUEUE-5).

    None is a source without a route of its own (RPC); it is like no channel's route. The message that a route
    replies to does not matter.
    """
    return len({_place(route) for route in routes}) <= 1


def name_line(text: str, sender: str | None) -> str:
    """What is kept of a message that may fall out: its words, after who wrote them where that could be anybody."""
    return text if sender is None else f"{' '.join(sender.split())}: {text}"


def summarise_line(text: str) -> str:
    """One line of at most 160 characters that stands for a dropped message (QUEUE-13); blanks are merged."""
    line = " ".join(text.split())
    return line if len(line) <= LINE_MAX_CHARS else line[: LINE_MAX_CHARS - 1].rstrip() + "…"


def _place(route: Target | None) -> tuple[str, ...] | None:
    return None if route is None else (route.channel, route.account_id, route.to, route.thread_id or "")
