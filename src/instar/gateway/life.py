"""Whether the next message begins a new life of its session, asked before its turn does (RESET-12…18)."""

from __future__ import annotations

from instar.core.lifecycle.freshness import decide_freshness
from instar.core.model.change import SessionFacts
from instar.core.model.ids import ChannelName
from instar.gateway.parts import GatewayParts
from instar.gateway.settings import reset_policy

__all__ = ["will_start_over"]


def will_start_over(parts: GatewayParts, facts: SessionFacts, channel: ChannelName) -> bool:
    """Whether there is no session yet, or one that an automatic reset is due for."""
    session = facts.session
    if session is None:
        return True
    return not decide_freshness(
        session.lifecycle,
        header_at=facts.transcript.header.timestamp if facts.transcript else None,
        policy=reset_policy(parts.config(), facts.key, channel),
        now=facts.now,
        zone=parts.clock.zone(),
    ).fresh
