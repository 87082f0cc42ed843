"""What was spent, told in another way than the gateway decides it: every line of the ledger, added up (COST-2).

The gateway asks before a turn begins and follows sums; here each begin is held against all lines that were booked, by
the host's own calendar. A turn that was let through just before another one booked may still begin (`PLAY_S`), and one
that was let through on a day that the wall clock was set away from before the begin was committed: the gateway decided
by the clock that it saw. What it saw is a clock that was shown after the message was accepted, by the start that
committed, and no longer ago than `PLAY_S`; under none but these may the budget have been free.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, datetime, tzinfo
from typing import Final

from instar.core.model.change import Ledger, SessionChange
from instar.core.model.ids import InboundId, Instant, SessionKey
from instar.core.model.session import Session
from instar.testing.simulate.findings import Findings
from instar.testing.simulate.story import LIMIT_USD, Setting
from instar.testing.simulate.virtual import Moment, VirtualClock

__all__ = ["Purse"]

PLAY_S: Final = 60
"""Between the question and the begin of a turn a full disk may lie, or the notes of a flush."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Line:
    key: SessionKey
    person: str
    usd: float
    at: Instant
    elapsed_s: float
    is_forgotten: bool = False
    is_of_erased_session: bool = False


class Purse:
    """Watches what every commit spends. `spent` is all of it."""

    def __init__(self, findings: Findings, setting: Setting, clock: VirtualClock) -> None:
        self._findings = findings
        self._setting = setting
        self._clock = clock
        self._lines: list[_Line] = []
        self._accepted: dict[InboundId, Moment] = {}
        self._started = clock.moment()

    @property
    def spent(self) -> float:
        """Everything that was ever booked."""
        return sum(line.usd for line in self._lines)

    def accepted(self, inbound_id: InboundId) -> None:
        """A message was stored: nothing was decided about its turn before."""
        self._accepted[inbound_id] = self._clock.moment()

    def started(self) -> None:
        """A gateway started: it decides anew whatever has not begun."""
        self._started = self._clock.moment()

    def watch(self, name: str, key: SessionKey, change: SessionChange, before: Session | None, *, person: str) -> None:
        """Look at a commit called `name`, whose newest message is of `person`."""
        if self._setting.budget and name == "begin_turn":
            is_new = before is None or change.close is not None or change.open is not None
            until_s = self._clock.monotonic() - PLAY_S
            since = self._decided_since(change, until_s)
            spent = min(self._spent(key, None if is_new else before, person, until_s=until_s, since=since))
            self._findings.require(spent < LIMIT_USD, "COST-2", f"a turn of {key} begins although ${spent} are spent")
        elif self._setting.budget and name == "refuse_turn":
            until_s = self._clock.monotonic()
            since = self._decided_since(change, until_s)
            spent = max(self._spent(key, before, person, until_s=until_s, since=since, at_most=True))
            self._findings.require(
                spent >= LIMIT_USD, "COST-2", f"a turn of {key} is refused although ${spent} are spent"
            )
        for line in change.ledger:
            self._book(key, line)

    def forget(self, people: set[str], sessions: set[SessionKey]) -> None:
        """What these have spent was nobody's; a gateway that has added it up may know the sum for a while.

        What was spent in sessions that went as a whole belongs to no session any more: the next one of the same key has
        spent nothing yet, also where it begins within the same millisecond, so that no moment tells the two apart.
        """
        self._lines = [
            replace(
                line,
                is_forgotten=line.is_forgotten or line.person in people,
                is_of_erased_session=line.is_of_erased_session or line.key in sessions,
            )
            for line in self._lines
        ]

    def _book(self, key: SessionKey, line: Ledger) -> None:
        self._lines.append(
            _Line(
                key=key,
                person=line.principal or "",
                usd=line.cost_usd or 0.0,
                at=self._clock.now(),
                elapsed_s=self._clock.monotonic(),
            )
        )

    def _decided_since(self, change: SessionChange, earliest_s: float) -> Moment:
        """The first moment at which the gateway may have decided about the turn of these messages."""
        now = self._clock.moment()
        newest = max((self._accepted.get(move.inbound_id, now) for move in change.inbox), default=now)
        since = max(newest, self._started)
        return replace(since, elapsed_s=max(since.elapsed_s, earliest_s))

    def _spent(
        self,
        key: SessionKey,
        session: Session | None,
        person: str,
        *,
        until_s: float,
        since: Moment,
        at_most: bool = False,
    ) -> list[float]:
        """What the budget of the story has been used for, as far as it counts for a turn of this session and person:
        by each wall clock that was shown since then.
        """
        lines = [line for line in self._lines if line.elapsed_s <= until_s]
        if self._setting.budget == "session":
            began = session.lifecycle.started_at if session is not None else None
            lines = [line for line in lines if line.key == key and not line.is_of_erased_session]
            return [sum(line.usd for line in lines if began is not None and line.at >= began)]
        if self._setting.budget == "person":
            whose = self._setting.budget_person
            lines = [line for line in lines if line.person == whose == person and (at_most or not line.is_forgotten)]
        return [
            sum(line.usd for line in lines if _date(line.at, zone) == _date(at, zone))
            for at, zone in self._clock.read_since(since)
        ]


def _date(at: Instant, zone: tzinfo) -> date:
    return datetime.fromtimestamp(at / 1000, zone).date()
