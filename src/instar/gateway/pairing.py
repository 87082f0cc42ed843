"""Who may write, in the owner's hand: codes that wait, approvals, refusals (LEAK-2).

The door tells a stranger a code (`instar.core.turn.door`); here the owner answers it, from a command line, a client or
a chat. Whoever is let in is told so by a reply that is owed like every other one (LOSS-5).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import structlog

from instar.core.model.change import Acceptance, Submission
from instar.core.model.event import PairingRequested, PairingResolved
from instar.core.model.ids import AccountId, ChannelName
from instar.core.model.pairing import Admission, Pairing, PairingCode, PairingDraw, Pairings, Peer
from instar.core.model.pairing_change import PairingChange
from instar.core.policy.pairing import (
    find_approved,
    find_waiting,
    list_alive,
    plan_approval,
    plan_rejection,
    plan_revocation,
)
from instar.core.policy.rate import BackoffSettings
from instar.core.policy.sharing import find_admitted, tell_owners, tell_sharing
from instar.core.routing.key import derive_session_key
from instar.core.routing.principal import peer_name
from instar.core.turn.door import Address
from instar.errors import InvalidRequest, InvariantBroken, NotFound, Unavailable
from instar.gateway.doors import Visit
from instar.gateway.parts import GatewayParts
from instar.gateway.turn_services import TurnServices
from instar.system.limiter import FailureGuard

__all__ = ["PairingDesk"]

WRONG_CODES: Final = BackoffSettings(free=5, first_wait_s=2.0, max_wait_s=300.0, forget_after_s=3600.0)
"""Five slips cost nothing; whoever tries codes out gets one every five minutes, and there are 2^40."""

log = structlog.get_logger(__name__)


class PairingDesk:
    """The approvals of one gateway."""

    def __init__(self, parts: GatewayParts, services: TurnServices) -> None:
        self._parts = parts
        self._services = services
        self._guard = FailureGuard(WRONG_CODES, clock=parts.clock)

    # --- at the door --------------------------------------------------------------------------------------------------

    def draw(self, peer: Peer | None, submission: Submission, address: Address) -> PairingDraw | None:
        """What a code for the sender of a message is made of; None where no code is ever told."""
        if peer is None:
            return None
        access = self._parts.config().access(peer.channel)
        if (access.dm_policy if peer.kind == "direct" else access.group_policy) != "pairing":
            return None
        inbound = submission.inbound
        ids = self._parts.ids
        own_key = derive_session_key(
            self._parts.config().routing.keys,
            agent_id=address.agent_id,
            channel=inbound.channel,
            kind=inbound.chat.type,
            peer_id=peer.peer_id,
            account_id=inbound.account_id,
            dm_scope="per-account-channel-peer",
            group_scope="per-group",
        )
        return PairingDraw(peer=peer, code=ids.pairing_code(), delivery_id=ids.delivery_id(), session_key=own_key)

    def announce(self, acceptance: Acceptance) -> None:
        """Tell clients of a code that was given out, once it is stored."""
        code = acceptance.code
        if code is not None and code.told_at == code.created_at:
            log.info("pairing_requested", channel=code.peer.channel, chat=code.peer.kind)
            self._services.publish(PairingRequested(code=code))

    # --- the owner's word ---------------------------------------------------------------------------------------------

    async def load(self) -> Pairings:
        """Everybody who was approved, and the codes that still wait."""
        pairings = await self._parts.store.load_pairings()
        return Pairings(approved=pairings.approved, waiting=list_alive(pairings, now=self._parts.clock.now()))

    async def approve(self, code: str, *, who: str) -> Admission:
        """Let in whoever a code stands for. Raises `NotFound` for a wrong code, `Unavailable` after many of them, and
        while they are erased for long.
        """
        waiting = find_waiting(await self._parts.store.load_pairings(), code, now=self._parts.clock.now())
        async with self._services.doors.passing(self._visit(waiting)):
            return await self._approve(code, waiting, who=who)

    async def _approve(self, code: str, waiting: PairingCode | None, *, who: str) -> Admission:
        """Let in whom a code that waited stands for, if it still does."""
        parts = self._parts
        now = parts.clock.now()
        delivery_id = parts.ids.delivery_id()

        def decide(pairings: Pairings) -> PairingChange | None:
            found = find_waiting(pairings, code, now=now)
            if found is None or waiting is None or found.peer != waiting.peer:
                return None
            can_tell = found.peer.channel in parts.channels
            return plan_approval(found, who=who, now=now, delivery_id=delivery_id if can_tell else None)

        change = await self._answer(decide, who=who)
        pairing = change.approve
        if pairing is None:
            raise InvariantBroken("an approval names who was approved", why=change.session_key)
        self._services.outbox.wake(pairing.peer.channel)
        self._tell(PairingResolved(peer=pairing.peer, decision="approved", at=now, code=change.remove_code or ""))
        return Admission(pairing=pairing, told=bool(change.deliveries), warnings=await self._warn(pairing))

    async def reject(self, code: str, *, who: str) -> PairingCode:
        """Take a code out of the list; nobody is told. Raises as `approve`."""
        now = self._parts.clock.now()
        answered: list[PairingCode] = []

        def decide(pairings: Pairings) -> PairingChange | None:
            found = find_waiting(pairings, code, now=now)
            answered[:] = [] if found is None else [found]
            return None if found is None else plan_rejection(found, who=who)

        await self._answer(decide, who=who)
        (rejected,) = answered
        self._tell(PairingResolved(peer=rejected.peer, decision="rejected", at=now, code=rejected.code))
        return rejected

    async def revoke(
        self, peer_id: str, *, channel: ChannelName | None, account_id: AccountId | None, who: str
    ) -> Pairing:
        """Take an approval back. Raises `NotFound`, and `InvalidRequest` where the id names several."""
        now = self._parts.clock.now()
        revoked: list[Pairing] = []

        def decide(pairings: Pairings) -> PairingChange:
            found = find_approved(pairings, peer_id, channel=channel, account_id=account_id)
            if not found:
                raise NotFound(
                    f"Nobody called {peer_id} was approved",
                    why="whom `allowFrom` names needs no approval and keeps writing",
                    fix="`instar pairing list` shows who was.",
                )
            if len(found) > 1:
                places = ", ".join(f"{one.peer.channel} (account {one.peer.account_id})" for one in found)
                raise InvalidRequest(
                    f"{peer_id} was approved more than once: on {places}",
                    fix="Name the channel, and the account too where that is not enough.",
                    field="channel",
                )
            revoked[:] = found
            return plan_revocation(found[0], who=who)

        await self._parts.store.change_pairings(now=now, decide=decide)
        (pairing,) = revoked
        self._tell(PairingResolved(peer=pairing.peer, decision="revoked", at=now))
        return pairing

    def _visit(self, waiting: PairingCode | None) -> Visit:
        """Whom an approval would name: nobody, where no such code waits."""
        if waiting is None:
            return Visit(key=None)
        peer, links = waiting.peer, self._parts.config().routing.keys.links
        people = [peer_name(peer.channel, peer.peer_id, links)] if peer.kind == "direct" else []
        return Visit(key=waiting.session_key, people=people, refusal="Nobody was let in")

    # --- parts --------------------------------------------------------------------------------------------------------

    async def _answer(self, decide: Callable[[Pairings], PairingChange | None], *, who: str) -> PairingChange:
        """Carry out a word about a code; whoever tries codes out has to wait longer and longer."""
        wait_ms = self._guard.wait_ms(who)
        if wait_ms:
            raise Unavailable(
                "Too many wrong pairing codes", fix="Wait, then look at `instar pairing list`.", retry_after_ms=wait_ms
            )
        change = await self._parts.store.change_pairings(now=self._parts.clock.now(), decide=decide)
        if change is None:
            self._guard.failed(who)
            raise NotFound(
                "No such pairing code waits",
                why="it was mistyped or answered already, or its hour is over",
                fix="`instar pairing list` shows those that wait; whoever writes again gets a new one.",
            )
        self._guard.succeeded(who)
        return change

    async def _warn(self, pairing: Pairing) -> tuple[str, ...]:
        """What the owner should know about who shares what with whom now."""
        config = self._parts.config()
        pairings = await self._parts.store.load_pairings()
        channels = [config.access(name) for name in config.channels]
        admitted = find_admitted(pairings, channels, beside=pairing.peer)
        said = (
            tell_sharing(config.routing, pairing.peer, admitted),
            tell_owners(config.access(pairing.peer.channel), pairing.peer, admitted),
        )
        return tuple(sentence for sentence in said if sentence)

    def _tell(self, event: PairingResolved) -> None:
        log.info("pairing_resolved", channel=event.peer.channel, chat=event.peer.kind, decision=event.decision)
        self._services.publish(event)
