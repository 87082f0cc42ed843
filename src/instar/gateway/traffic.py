"""The traffic that a gateway has on record: who wrote where and when, from the rows of its inbox (WHY-4)."""

from __future__ import annotations

from typing import Final

from instar.core.explain.traffic import TrafficRecord, record_message
from instar.core.model.change import InboxItem
from instar.core.model.ids import Instant, TurnId
from instar.core.policy.command_kinds import Reset
from instar.core.policy.commands import parse_command
from instar.gateway.parts import GatewayParts
from instar.gateway.settings import command_context

__all__ = ["load_traffic"]

_MESSAGES_MAX: Final = 50_000
"""The newest messages that one question looks at."""


async def load_traffic(parts: GatewayParts, *, since: Instant) -> tuple[TrafficRecord, ...]:
    """What came since a moment, in arrival order; system events are no traffic of people."""
    items = await parts.store.load_arrivals(since=since, limit=_MESSAGES_MAX)
    outputs = await parts.store.load_turn_outputs(since)
    told: set[TurnId] = set()
    records = []
    for item in items:
        if item.submission.options.system:
            continue
        tokens = 0
        if item.state == "answered" and item.turn_id is not None and item.turn_id not in told:
            told.add(item.turn_id)
            tokens = outputs.get(item.turn_id, 0)
        records.append(record_message(item, reply_tokens=tokens, resets=_asks_for_reset(parts, item)))
    return tuple(records)


def _asks_for_reset(parts: GatewayParts, item: InboxItem) -> bool:
    """Whether the message began a new session as a command; one whose words are forgotten did not."""
    text, agent_id = item.submission.inbound.text, item.acceptance.agent_id
    if not text or not item.acceptance.authorised:
        return False
    is_group = item.submission.inbound.chat.type != "direct"
    context = command_context(parts.config(), agent_id, parts.models.names(agent_id), is_group=is_group)
    command = parse_command(text, context)
    return isinstance(command, Reset) and command.mode != "soft"
