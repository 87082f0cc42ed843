"""`/pairing` in a chat: the owner's word about who may write (LEAK-2)."""

from __future__ import annotations

from instar.core.model.change import InboxItem
from instar.core.policy.access import is_named_owner
from instar.core.policy.command_kinds import Pairing
from instar.core.policy.pairing_text import PAIRING_USAGE, name_peer, tell_admission, tell_pairings
from instar.gateway.pairing import PairingDesk
from instar.gateway.parts import GatewayParts

__all__ = ["answer_pairing", "comes_from_named_owner"]


def comes_from_named_owner(parts: GatewayParts, item: InboxItem) -> bool:
    """Whether an operator that may administer sent the message, or somebody whom `commands.ownerAllowFrom` names."""
    inbound = item.submission.inbound
    if item.submission.session_key is not None:
        return item.submission.is_owner
    return is_named_owner(parts.config().access(inbound.channel), inbound.sender.id)


async def answer_pairing(parts: GatewayParts, desk: PairingDesk, command: Pairing, item: InboxItem, *, who: str) -> str:
    """Do what an owner asked for, and say what came of it. Raises what `PairingDesk` raises."""
    if item.submission.inbound.chat.type != "direct":
        return "Say this to me directly: it tells who may write."
    match command.verb:
        case None:
            return PAIRING_USAGE
        case "list":
            return tell_pairings(await desk.load(), now=parts.clock.now())
        case "approve":
            return tell_admission(await desk.approve(command.argument, who=who))
        case "reject":
            rejected = await desk.reject(command.argument, who=who)
            return f"The code of {name_peer(rejected.peer, rejected.name)} is gone."
        case "revoke":
            gone = await desk.revoke(command.argument, channel=None, account_id=None, who=who)
            return f"{name_peer(gone.peer, gone.name)} may not write any more."
