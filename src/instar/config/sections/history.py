"""Limits on how much history is sent: `session.maxMessages` and its neighbours, `channels.<c>.dmHistoryLimit`
(HIST-1, HIST-2, HIST-6).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Final

from instar.config.read import join_path, read_object
from instar.config.sections.routing import parse_numbers
from instar.core.context.limits import DmHistoryLimits, HistorySettings, HistoryStrategy
from instar.core.model.ids import ChannelName
from instar.core.routing.normalize import normalize_channel, normalize_peer

__all__ = ["parse_dm_history", "parse_history"]

_STRATEGIES: Final[Mapping[str, HistoryStrategy]] = {
    "truncate": "truncate",
    "drop": "truncate",
    "off": "off",
    "none": "off",
}
"""Every word that does not mean to summarise; all others do."""


def parse_history(root: Mapping[str, object]) -> HistorySettings:
    """The limits of a whole configuration whose aliases are applied. What is no positive number is no limit."""
    session = read_object(root.get("session"), "session")
    word = session.get("compaction")
    strategy = _STRATEGIES.get(word.strip().lower(), "summarize") if isinstance(word, str) else "summarize"
    return HistorySettings(
        max_messages=_limit(session.get("maxMessages")),
        max_tokens=_limit(session.get("maxTokens")),
        strategy=strategy,
    )


def parse_dm_history(root: Mapping[str, object]) -> DmHistoryLimits:
    """The user turns that are sent in direct chats, by channel and by peer, in the spelling of session keys."""
    by_channel: dict[ChannelName, int] = {}
    by_peer: dict[tuple[ChannelName, str], int] = {}
    channels = read_object(root.get("channels"), "channels")
    numbers = parse_numbers(root)
    # Own names last: they overwrite their aliases (NORM-2).
    for name in sorted(channels, key=lambda name: name == normalize_channel(name)):
        path = join_path("channels", name)
        fields = read_object(channels[name], path)
        channel = normalize_channel(name)
        if fields.get("dmHistoryLimit") is not None:
            by_channel[channel] = _limit(fields["dmHistoryLimit"]) or 0
        peers = read_object(fields.get("dms"), f"{path}.dms")
        for peer in peers:
            limit = read_object(peers[peer], join_path(f"{path}.dms", peer)).get("historyLimit")
            if limit is not None:
                plain = normalize_peer(channel, kind="direct", peer_id=peer, numbers=numbers)
                by_peer[channel, plain] = _limit(limit) or 0
    return DmHistoryLimits(by_channel=by_channel, by_peer=by_peer)


def _limit(value: object) -> int | None:
    """A positive number, floored; None for anything else: it is ignored (HIST-1)."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return None
    return math.floor(value) if math.floor(value) > 0 else None
