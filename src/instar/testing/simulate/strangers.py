"""Who was let in, told in another way than the door decides it: by the owner's words alone (LEAK-2).

Every message at the door, every word of the owner and every reply that is owed passes here. Whoever has to be let in
and was not gets a code and nothing else; a code opens within its hour, for the one to whom it was told.
"""

from __future__ import annotations

from typing import Final

from instar.core.model.change import Acceptance, NewDelivery
from instar.core.model.ids import Instant
from instar.core.model.message import Inbound
from instar.core.model.pairing import PairingCode, Peer
from instar.core.model.pairing_change import PairingChange
from instar.ports.clock import Clock
from instar.testing.simulate.findings import Findings
from instar.testing.simulate.story import Setting

__all__ = ["Guest", "Strangers", "guest_of", "name_guest"]

Guest = tuple[str, str, str]
"""Whoever is let in: a channel, ``direct`` or ``group``, and the id there."""

HOUR_MS: Final = 3_600_000
"""How long a code opens."""

MINUTE_MS: Final = 60_000
"""How far a clock is moved in passing: what lies further ahead was told before it was set back."""

WAITING_MAX: Final = 3
"""So many codes of a channel may wait at once."""

FOR_STRANGERS: Final = ("I do not answer people I do not know yet.", "I do not answer in groups I do not know yet.")
"""How the only sentence begins that somebody reads who was never let in."""


class Strangers:
    """Watches the door of a story. `approved` are those whom the owner has let in and not sent away."""

    def __init__(self, findings: Findings, setting: Setting, clock: Clock) -> None:
        self._findings = findings
        self._setting = setting
        self._clock = clock
        self._codes: dict[str, PairingCode] = {}
        self._known: set[tuple[str, str]] = set()
        self._welcomed: set[Guest] = set()
        self.approved: set[Guest] = set()

    def accepted(self, inbound: Inbound, acceptance: Acceptance) -> None:
        """A message of a channel was let in or refused."""
        guest = guest_of(inbound)
        is_let_in = not self._must_be_let_in(guest) or guest in self.approved
        is_refused = acceptance.status == "refused"
        findings = self._findings
        if not is_let_in:
            findings.require(is_refused, "LEAK-2", f"{guest} was never let in, and {inbound.message_id} is taken")
        elif acceptance.reason == "not_paired":
            findings.report("LEAK-2", f"{guest} was let in, and {inbound.message_id} is refused")
        if not is_refused:
            self._known.add((guest[0], inbound.chat.id))
        if acceptance.code is not None:
            self._note_code(guest, acceptance.code)

    def answered(self, change: PairingChange) -> None:
        """The owner said a word."""
        code = self._codes.pop(change.remove_code, None) if change.remove_code is not None else None
        if change.approve is not None:
            guest = name_guest(change.approve.peer)
            is_theirs = code is not None and name_guest(code.peer) == guest
            self._findings.require(is_theirs, "LEAK-2", f"{guest} was let in by a code that is not theirs")
            if code is not None and not self._is_alive(code):
                self._findings.report("LEAK-2", f"{guest} was let in by a code whose hour was over")
            self.approved.add(guest)
            self._welcomed.add(guest)
        if change.revoke is not None:
            self.approved.discard(name_guest(change.revoke))

    def owed(self, delivery: NewDelivery) -> None:
        """A reply of a session is owed: to nobody who was never let in."""
        target = delivery.target
        if (str(target.channel), str(target.to)) not in self._known and delivery.state == "pending":
            self._findings.report(
                "LEAK-2", f"{target.channel}/{target.to} was never let in and is owed {delivery.text}"
            )

    def keep(self, approved: set[Guest], waiting: set[str]) -> tuple[set[Guest], set[Guest]]:
        """Somebody was erased: who was let in and is not among the `approved` any more, and whose codes wait no more.

        `waiting` are the codes in the rows. One that went opens to nobody, and leaves its place to another.
        """
        lost = self.approved - approved
        self.approved -= lost
        gone = [self._codes.pop(code) for code in list(self._codes) if code not in waiting]
        return lost, {name_guest(code.peer) for code in gone}

    def heard(self, channel: str, to: str, text: str) -> None:
        """Somebody heard this: whoever was never let in hears of codes, and of being let in."""
        if (channel, to) in self._known or text.startswith(FOR_STRANGERS):
            return
        is_news = any(guest[0] == channel and guest[2] == to for guest in self._welcomed)
        self._findings.require(is_news, "LEAK-2", f"{channel}/{to} was never let in and heard {text}")

    def _must_be_let_in(self, guest: Guest) -> bool:
        if guest[1] != "direct":
            return self._setting.paired_groups
        person = guest[2].removesuffix(f"-{guest[0]}")
        return person in self._setting.paired or person in self._setting.shut_out

    def _note_code(self, guest: Guest, code: PairingCode) -> None:
        self._findings.require(name_guest(code.peer) == guest, "LEAK-2", f"{guest} was told the code of {code.peer}")
        # Whatever is over when another is told goes for good: a clock that is set back later brings none of it back.
        kept = [one for one in self._codes.values() if self._is_alive(one, at=code.told_at)]
        self._codes = {one.code: one for one in (*kept, code)}
        alive = [one for one in self._codes.values() if one.created_at <= code.created_at and self._is_alive(one)]
        waiting = [one for one in alive if one.peer.channel == guest[0]]
        if len(waiting) > WAITING_MAX:
            self._findings.report("LEAK-2", f"{len(waiting)} codes of {guest[0]} wait at once")

    def _is_alive(self, code: PairingCode, *, at: Instant | None = None) -> bool:
        """Whether the hour of a code goes on, now or then; one that was told before the clock was set back is over."""
        return -MINUTE_MS <= (self._clock.now() if at is None else at) - code.created_at < HOUR_MS


def guest_of(inbound: Inbound) -> Guest:
    """Who would have to be let in for a message."""
    is_direct = inbound.chat.type == "direct"
    return str(inbound.channel), "direct" if is_direct else "group", inbound.sender.id if is_direct else inbound.chat.id


def name_guest(peer: Peer) -> Guest:
    """Whom an approval or a code is for."""
    return str(peer.channel), peer.kind, peer.peer_id
