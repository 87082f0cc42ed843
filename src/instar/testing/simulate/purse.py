"""What was spent, told in another way than the gateway decides it: every line of the ledger, added up (COST-2).

The gateway follows sums, and settles them in the transaction by which a turn begins or is refused. Here each of these
is held against every line that was booked before it: those of the day that the host's calendar shows at that moment,
or those of the life that the session goes on with.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, datetime, tzinfo

from instar.core.model.change import Ledger, SessionChange
from instar.core.model.ids import Instant, SessionId, SessionKey
from instar.core.model.session import Session
from instar.ports.clock import Clock
from instar.testing.simulate.findings import Findings
from instar.testing.simulate.story import LIMIT_USD, Setting

__all__ = ["Purse"]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Line:
    life: SessionId | None
    person: str
    usd: float
    at: Instant
    is_forgotten: bool = False


class Purse:
    """Watches what every commit spends. `spent` is all of it."""

    def __init__(self, findings: Findings, setting: Setting, clock: Clock) -> None:
        self._findings = findings
        self._setting = setting
        self._clock = clock
        self._lines: list[_Line] = []

    @property
    def spent(self) -> float:
        """Everything that was ever booked."""
        return sum(line.usd for line in self._lines)

    def watch(self, name: str, key: SessionKey, change: SessionChange, before: Session | None, *, person: str) -> None:
        """Look at a commit called `name`, whose newest message is of `person`."""
        if self._setting.budget and name == "begin_turn":
            is_new = before is None or change.close is not None or change.open is not None
            spent = self._spent(None if is_new else before, person)
            self._findings.require(spent < LIMIT_USD, "COST-2", f"a turn of {key} begins although ${spent} are spent")
        elif self._setting.budget and name == "refuse_turn":
            spent = self._spent(before, person, at_most=True)
            self._findings.require(
                spent >= LIMIT_USD, "COST-2", f"a turn of {key} is refused although ${spent} are spent"
            )
        session = change.session or before
        for line in change.ledger:
            self._book(session.session_id if session is not None else None, line)

    def forget(self, people: set[str]) -> None:
        """What these have spent was nobody's; a gateway that has added it up may know the sum for a while."""
        self._lines = [replace(line, is_forgotten=line.is_forgotten or line.person in people) for line in self._lines]

    def _book(self, life: SessionId | None, line: Ledger) -> None:
        self._lines.append(
            _Line(life=life, person=line.principal or "", usd=line.cost_usd or 0.0, at=self._clock.now())
        )

    def _spent(self, session: Session | None, person: str, *, at_most: bool = False) -> float:
        """What the budget of the story has been used for, as far as it counts for a turn of this session and person."""
        lines = self._lines
        if self._setting.budget == "session":
            return sum(line.usd for line in lines if session is not None and line.life == session.session_id)
        if self._setting.budget == "person":
            whose = self._setting.budget_person
            lines = [line for line in lines if line.person == whose == person and (at_most or not line.is_forgotten)]
        now, zone = self._clock.now(), self._clock.zone()
        return sum(line.usd for line in lines if _date(line.at, zone) == _date(now, zone))


def _date(at: Instant, zone: tzinfo) -> date:
    return datetime.fromtimestamp(at / 1000, zone).date()
