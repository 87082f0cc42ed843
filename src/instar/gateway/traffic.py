"""The traffic that a gateway has on record: who wrote where and when, from the rows of its inbox (WHY-4)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from instar.core.explain.traffic import TrafficRecord, record_message
from instar.core.lifecycle.reset import is_provider_owned
from instar.core.model.change import InboxItem
from instar.core.model.ids import Instant, SessionKey, TurnId
from instar.core.policy.command_kinds import Command, Dock, Reset
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
    owned_since = await _find_provider_owned(parts, {item.acceptance.session_key for item in items})
    records = []
    for item in items:
        if item.submission.options.system:
            continue
        tokens = 0
        if item.state == "answered" and item.turn_id is not None and item.turn_id not in told:
            told.add(item.turn_id)
            tokens = outputs.get(item.turn_id, 0)
        command = _read_command(parts, item)
        since_then = owned_since.get(item.acceptance.session_key)
        records.append(
            record_message(
                item,
                reply_tokens=tokens,
                resets=isinstance(command, Reset) and command.mode != "soft",
                docks=command.channel if isinstance(command, Dock) and item.state == "command" else None,
                is_provider_owned=since_then is not None and item.received_at >= since_then,
            )
        )
    return tuple(records)


async def _find_provider_owned(parts: GatewayParts, keys: Iterable[SessionKey]) -> Mapping[SessionKey, Instant]:
    """The sessions that a provider keeps on its side, with the begin of that life: of earlier ones nothing is left."""
    found = {}
    for key in sorted(keys):
        session = await parts.store.load_session(key)
        if session is not None and is_provider_owned(session):
            found[key] = session.lifecycle.started_at or Instant(0)
    return found


def _read_command(parts: GatewayParts, item: InboxItem) -> Command | None:
    """The command that the message was, from somebody who may give it; None where its words are forgotten."""
    text, agent_id = item.submission.inbound.text, item.acceptance.agent_id
    if not text or not item.acceptance.authorised:
        return None
    is_group = item.submission.inbound.chat.type != "direct"
    context = command_context(parts.config(), agent_id, parts.models.names(agent_id), is_group=is_group)
    return parse_command(text, context)
