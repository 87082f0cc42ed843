"""Limits that a person sets on how much history is sent (HIST-1 to HIST-6).

Nothing here touches the transcript: the model is sent less of it, that is all. Limits of the model's window always
apply on top (`instar.core.context.fit`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from instar.core.context.tokens import estimate_message
from instar.core.context.turns import find_newest_turn, find_start
from instar.core.context.view import ContextView
from instar.core.model.decision import Decision
from instar.core.model.entry import AnyMessage, UserMessage
from instar.core.model.ids import ChannelName
from instar.core.transcript.repair import PlacedMessage

__all__ = [
    "DmHistoryLimits",
    "HistorySettings",
    "HistoryStrategy",
    "decide_history",
    "keep_budget",
    "select_messages",
]

HistoryStrategy = Literal["summarize", "truncate", "off"]


@dataclass(frozen=True, slots=True, kw_only=True)
class HistorySettings:
    """`session.maxMessages`, `session.maxTokens`, `session.compaction` (HIST-1, HIST-2). None is no limit."""

    max_messages: int | None = None
    max_tokens: int | None = None
    strategy: HistoryStrategy = "summarize"


@dataclass(frozen=True, slots=True, kw_only=True)
class DmHistoryLimits:
    """How many user turns are sent in direct chats, by channel and by peer (HIST-6).

    Peers are in the spelling of session keys. 0 means no limit, also for a peer whose channel has one.
    """

    by_channel: Mapping[ChannelName, int] = field(default_factory=dict)
    by_peer: Mapping[tuple[ChannelName, str], int] = field(default_factory=dict)

    def get(self, channel: ChannelName, peer_id: str) -> int | None:
        """The number of user turns for a person of a channel, None for no limit."""
        return self.by_peer.get((channel, peer_id), self.by_channel.get(channel, 0)) or None


def decide_history(view: ContextView, settings: HistorySettings) -> Decision:
    """What the limits ask for before a turn: ``within``, ``summarize``, ``truncate`` or ``off`` (HIST-3)."""
    over_messages = settings.max_messages is not None and view.message_count > settings.max_messages
    over_tokens = settings.max_tokens is not None and view.estimated > settings.max_tokens
    is_over = over_messages or over_tokens
    return Decision(
        kind="limit",
        outcome=settings.strategy if is_over else "within",
        rule="HIST-3" if not is_over else "HIST-5" if settings.strategy == "truncate" else "HIST-4",
        inputs={
            "messages": view.message_count,
            "maxMessages": settings.max_messages,
            "tokens": view.estimated,
            "maxTokens": settings.max_tokens,
        },
    )


def keep_budget(settings: HistorySettings, *, keep_tokens: int) -> tuple[int, int | None]:
    """Tokens and messages that a compaction for the limits keeps: half of each limit (HIST-4).

    `keep_tokens` is the budget of an ordinary compaction, which stays the upper bound.
    """
    tokens = keep_tokens if settings.max_tokens is None else min(keep_tokens, settings.max_tokens // 2)
    messages = None if settings.max_messages is None else max(1, settings.max_messages // 2)
    return tokens, messages


# --- sending less -----------------------------------------------------------------------------------------------------


def select_messages(
    view: ContextView, *, truncate: HistorySettings | None = None, user_turns: int | None = None
) -> tuple[PlacedMessage, ...]:
    """What of a view is sent: all of it, or the newest part that satisfies both limits.

    `truncate` are the limits to hold by leaving out (HIST-5), None when they need not be held; `user_turns` is the
    number of user messages of HIST-6. What is sent begins with a message that may start a turn. The newest turn is
    always sent whole, even where it alone is too much: what was put into it while it ran waits for the same answer.
    The summary and the pinned entries stay in front where they take no more than half of a limit.
    """
    head, rest = view.head_messages(), view.tail_messages()
    if truncate is None and not user_turns:
        return (*head, *rest)
    messages = [placed.message for placed in rest]
    newest = find_newest_turn(messages) or 0
    start = min(newest, _turn_start(messages, user_turns)) if user_turns else 0
    if truncate is not None:
        head_tokens = sum(estimate_message(placed.message) for placed in head)
        if not _fits(truncate, 2 * len(head), 2 * head_tokens):
            head, head_tokens = (), 0
        beside = len(head)
        fitting = find_start(
            messages, newest, fits=lambda count, tokens: _fits(truncate, beside + count, head_tokens + tokens)
        )
        start = max(start, fitting)
    return (*head, *rest[start:])


def _fits(limits: HistorySettings, messages: int, tokens: int) -> bool:
    if limits.max_messages is not None and messages > limits.max_messages:
        return False
    return limits.max_tokens is None or tokens <= limits.max_tokens


def _turn_start(messages: Sequence[AnyMessage], turns: int) -> int:
    """The place of the `turns`-th last user message, 0 when there are not so many."""
    users = [index for index, message in enumerate(messages) if isinstance(message, UserMessage)]
    return users[-turns] if len(users) >= turns else 0
