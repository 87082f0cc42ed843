"""Changes of a run beside others (QUEUE-9)."""

from __future__ import annotations

from instar.core.model.change import SessionChange
from instar.core.model.entry import CustomMessageEntry
from instar.core.model.ids import EntryId, TurnId
from instar.core.turn.held import hold_change, place_change

ENTRY = CustomMessageEntry(
    id=EntryId("e1"), parent_id=None, timestamp=None, custom_type="x", content="y", display=False
)
RUN = TurnId("t1")


def test_only_lines_are_held():
    assert hold_change(SessionChange(entries=(ENTRY,)), RUN) == SessionChange(entries=(ENTRY,), held_by=RUN)
    assert hold_change(SessionChange(), RUN) == SessionChange()


def test_the_last_change_of_a_run_puts_its_lines_into_place():
    assert place_change(SessionChange(entries=(ENTRY,)), RUN) == SessionChange(entries=(ENTRY,), place=RUN)
