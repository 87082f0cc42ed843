"""Who answered, where it was not the model that was asked for (CFG-13).

The reason is told with the first answer of the stand-in, and not again while the same one goes on for the same reason.
Whoever writes through a client is told by an event. Nobody sees that in a chat, so there the first words that leave
tell it all the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from instar.core.lifecycle.reset import STAND_IN_EVENT_FIELD, STAND_IN_FIELD
from instar.core.model.change import SessionChange
from instar.core.model.decision import Decision
from instar.core.model.entry import AssistantMessage
from instar.core.model.session import Session

__all__ = ["build_stand_in_event", "build_stand_in_line", "describe_stand_in", "with_stand_in"]


def build_stand_in_line(session: Session, notes: Sequence[str]) -> str | None:
    """The line in front of an answer; None where nothing is new in the chat. `notes` are the runner's sentences."""
    return _build_line(notes, known=session.extra.get(STAND_IN_FIELD))


def build_stand_in_event(session: Session, notes: Sequence[str]) -> str | None:
    """The same line for clients; None where nothing is new for them, who hear of what a chat is told, too."""
    return _build_line(notes, known=session.extra.get(STAND_IN_EVENT_FIELD, session.extra.get(STAND_IN_FIELD)))


def _build_line(notes: Sequence[str], *, known: object) -> str | None:
    told = " ".join(notes)
    return f"({told})" if told and told != known else None


def with_stand_in(
    change: SessionChange, notes: Sequence[str], *, was_told: bool, by_event: bool = False
) -> SessionChange:
    """The change with a row that remembers what people were told: in a chat (`was_told`), or only a client that asked
    (`by_event`). Without notes the model that was asked for answers again, and its next failure is news.
    """
    session = change.session
    if session is None or (notes and not was_told and not by_event):
        return change
    told = " ".join(notes)
    gone = (STAND_IN_FIELD, STAND_IN_EVENT_FIELD) if was_told or not notes else (STAND_IN_EVENT_FIELD,)
    extra = {name: value for name, value in session.extra.items() if name not in gone}
    if told and extra.get(STAND_IN_FIELD) != told:
        extra[STAND_IN_FIELD if was_told else STAND_IN_EVENT_FIELD] = told
    return replace(change, session=replace(session, extra=extra))


def describe_stand_in(message: AssistantMessage, *, asked: str, notes: Sequence[str]) -> Decision | None:
    """The record of it (WHY-1), None where the model that was asked for answered."""
    if not notes:
        return None
    inputs = {"asked": asked, "model": f"{message.provider}/{message.model}", "why": " ".join(notes)}
    return Decision(kind="turn", outcome="stand_in", rule="CFG-13", inputs=inputs)
