"""Who answered, where it was not the model that was asked for (CFG-13).

The reason is told with the first answer of the stand-in, and not again while the same one goes on for the same reason.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from instar.core.lifecycle.reset import STAND_IN_FIELD
from instar.core.model.change import SessionChange
from instar.core.model.decision import Decision
from instar.core.model.entry import AssistantMessage
from instar.core.model.session import Session

__all__ = ["build_stand_in_line", "describe_stand_in", "with_stand_in"]


def build_stand_in_line(session: Session, notes: Sequence[str]) -> str | None:
    """The line in front of an answer; None where nothing is new. `notes` are the runner's sentences."""
    told = " ".join(notes)
    return f"({told})" if told and session.extra.get(STAND_IN_FIELD) != told else None


def with_stand_in(change: SessionChange, notes: Sequence[str], *, was_told: bool) -> SessionChange:
    """The change with a row that remembers what its person was told, if they were; without notes the model that was
    asked for answers again, and its next failure is news.
    """
    session = change.session
    if session is None or (notes and not was_told):
        return change
    extra = {name: value for name, value in session.extra.items() if name != STAND_IN_FIELD}
    if notes:
        extra[STAND_IN_FIELD] = " ".join(notes)
    return replace(change, session=replace(session, extra=extra))


def describe_stand_in(message: AssistantMessage, *, asked: str, notes: Sequence[str]) -> Decision | None:
    """The record of it (WHY-1), None where the model that was asked for answered."""
    if not notes:
        return None
    inputs = {"asked": asked, "model": f"{message.provider}/{message.model}", "why": " ".join(notes)}
    return Decision(kind="turn", outcome="stand_in", rule="CFG-13", inputs=inputs)
