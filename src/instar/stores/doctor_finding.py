"""What the doctor tells: one thing found, in a form that people and programs read (LOSS-10)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from instar.core.explain.counting import count_of

__all__ = ["DoctorFinding", "Severity", "build_note", "tell_names"]

Severity = Literal["critical", "warning", "note"]
"""`critical`: words are in danger or out of reach. `warning`: something to settle. `note`: worth knowing."""

_SHOWN: Final = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class DoctorFinding:
    """One thing found: what, why, and the safe step to take. `count` is how many of it there are."""

    code: str
    severity: Severity
    what: str
    why: str = ""
    fix: str = ""
    count: int = 1


def build_note(code: str, what: str, *, why: str = "", fix: str = "") -> DoctorFinding:
    """A finding that is only worth knowing."""
    return DoctorFinding(code=code, severity="note", what=what, why=why, fix=fix)


def tell_names(code: str, severity: Severity, names: list[str], *, one: str, many: str, fix: str) -> DoctorFinding:
    """A finding about one or more things: how many, in the words for one or for several, and which."""
    number = len(names)
    return DoctorFinding(
        code=code, severity=severity, what=count_of(number, one, many), why=_name_some(names), fix=fix, count=number
    )


def _name_some(names: list[str]) -> str:
    """The first of some names, and how many there are beside."""
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more
