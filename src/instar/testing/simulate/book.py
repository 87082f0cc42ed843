"""What people and clients have sent in a story, and the sessions that were seen, by whom they belong to."""

from __future__ import annotations

from dataclasses import dataclass, field

from instar.core.model.change import Acknowledgement, Submission
from instar.core.model.ids import SessionKey
from instar.testing.simulate.story import Call, Place, Write

__all__ = ["Book", "Sent"]


@dataclass(slots=True, kw_only=True)
class Sent:
    """One message of a person or a client, and every acknowledgement of it. One that `is_erased` counts no more."""

    number: int
    place: Place
    step: Write | Call
    submission: Submission
    told: list[Acknowledgement] = field(default_factory=list)
    is_erased: bool = False

    @property
    def mark(self) -> str:
        """The mark that stands in its words; empty for a bare command."""
        return "" if isinstance(self.step, Write) and self.step.is_bare else f"w{self.number}w"


@dataclass(slots=True)
class Book:
    """Every message that was sent, by its number, and the sessions that were seen, by whom they belong to."""

    sent: dict[int, Sent] = field(default_factory=dict)
    keys: dict[str, SessionKey] = field(default_factory=dict)
    owners: dict[SessionKey, str] = field(default_factory=dict)
