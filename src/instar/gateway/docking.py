"""Carrying out `/dock-<channel>`: the session is answered in another place from now on (CMD-29, DOCK-*)."""

from __future__ import annotations

from instar.core.model.change import InboxItem, SessionChange, SessionFacts
from instar.core.model.ids import ChannelName
from instar.core.turn.dock import DockPlan, plan_dock
from instar.gateway.parts import GatewayParts
from instar.gateway.turn_services import TurnServices

__all__ = ["dock_session"]


async def dock_session(parts: GatewayParts, services: TurnServices, item: InboxItem, target: ChannelName) -> str:
    """Dock the sender's session, or say why not; the sentence that answers the command."""
    planned: list[DockPlan] = []
    links = parts.config().routing.keys.links

    def decide(facts: SessionFacts) -> SessionChange:
        planned[:] = [plan_dock(facts, item, target, links=links, is_connected=target in parts.channels)]
        return planned[0].change

    changed = await services.change("dock_session", item.acceptance.session_key, decide)
    if changed.session is not None and changed.change.session is not None:
        services.tell_session(changed.session, "patch")
    return planned[0].text
