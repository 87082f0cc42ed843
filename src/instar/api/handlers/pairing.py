"""Methods about who may write (LEAK-2)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from instar.api.call import Call, Handler
from instar.api.pairing_rows import build_approved, build_peer, build_waiting
from instar.core.policy.access import PAIRING_CODE_TTL_MS, PAIRING_MAX_WAITING
from instar.core.routing.normalize import normalize_account_id, normalize_channel

__all__ = ["HANDLERS"]


async def list_pairings(call: Call) -> object:
    """`pairing.list`."""
    pairings = await call.gateway.pairing.load()
    return {
        "waiting": [build_waiting(code) for code in pairings.waiting],
        "approved": [build_approved(pairing) for pairing in pairings.approved],
        "limits": {"waitingPerAccount": PAIRING_MAX_WAITING, "ttlMs": PAIRING_CODE_TTL_MS},
    }


async def approve_pairing(call: Call) -> object:
    """`pairing.approve`."""
    done = await call.gateway.pairing.approve(call.params.text("code"), who=call.caller.who)
    return {"ok": True, **build_approved(done.pairing), "told": done.told, "warnings": list(done.warnings)}


async def reject_pairing(call: Call) -> object:
    """`pairing.reject`."""
    code = await call.gateway.pairing.reject(call.params.text("code"), who=call.caller.who)
    return {"ok": True, **build_peer(code.peer, name=code.name, key=code.session_key)}


async def revoke_pairing(call: Call) -> object:
    """`pairing.revoke`."""
    channel, account = call.params.maybe_text("channel"), call.params.maybe_text("accountId")
    pairing = await call.gateway.pairing.revoke(
        call.params.text("peerId"),
        channel=normalize_channel(channel) if channel else None,
        account_id=normalize_account_id(account) if account else None,
        who=call.caller.who,
    )
    return {"ok": True, **build_approved(pairing)}


HANDLERS: Final[Mapping[str, Handler]] = {
    "pairing.list": list_pairings,
    "pairing.approve": approve_pairing,
    "pairing.reject": reject_pairing,
    "pairing.revoke": revoke_pairing,
}
