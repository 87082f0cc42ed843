"""Bringing back and holding on: resume a closed transcript, pin an entry (LOSS-6, LOSS-9)."""

from __future__ import annotations

from dataclasses import replace

from instar.core.context.pins import PIN_TYPE, build_pin_data
from instar.core.lifecycle.reset import forget_life
from instar.core.model.change import Noted, SessionChange, SessionFacts, TranscriptHead
from instar.core.model.decision import Decision
from instar.core.model.entry import AnyEntry, CustomEntry
from instar.core.model.ids import EntryId
from instar.core.model.session import Counters
from instar.core.turn.steps import hang_entries, touch_updated
from instar.errors import NotFound

__all__ = ["plan_pin", "plan_resume_transcript"]


def plan_resume_transcript(facts: SessionFacts, head: TranscriptHead, *, who: str) -> SessionChange:
    """Make a closed transcript current again; what was current is closed in turn (LOSS-6).

    The session goes on as if it had been used just now: its own begin would make the next message reset it at once.
    What was noted of the life that ends, such as a reset that its person was not told of yet, ends with it.
    Raises `NotFound` for a key without a session.
    """
    if facts.session is None:
        raise NotFound(f"There is no session {facts.key}", fix="Write a message first.")
    touched = touch_updated(facts.session, facts.now)
    lifecycle = replace(
        touched.lifecycle,
        started_at=facts.now,
        last_interaction_at=facts.now,
        revision=touched.lifecycle.revision + 1,
    )
    counters = Counters(model_provider=touched.counters.model_provider, model=touched.counters.model)
    decision = Decision(
        kind="reset",
        outcome="resume",
        rule="LOSS-6",
        inputs={"resumed": head.session_id, "closed": facts.session.session_id},
    )
    return SessionChange(
        session=replace(
            touched,
            session_id=head.session_id,
            lifecycle=lifecycle,
            counters=counters,
            extra=forget_life(touched.extra),
        ),
        close="resume" if facts.transcript is not None else None,
        open=head.header,
        decisions=(Noted(decision=decision, who=who),),
    )


def plan_pin(
    facts: SessionFacts, target: AnyEntry, *, entry_id: EntryId, pinned: bool, in_view: bool, who: str
) -> SessionChange:
    """Keep an entry word for word through compactions, or let it go again (LOSS-9)."""
    if facts.session is None or facts.transcript is None:
        raise NotFound(f"There is no session {facts.key}", fix="Write a message first.")
    entry = CustomEntry(
        id=entry_id,
        parent_id=None,
        timestamp=facts.now,
        custom_type=PIN_TYPE,
        data=build_pin_data(target, pinned=pinned, in_view=in_view),
    )
    outcome = "pinned" if pinned else "unpinned"
    decision = Decision(kind="command", outcome=outcome, rule="LOSS-9", inputs={"entry": target.id})
    return SessionChange(
        session=touch_updated(facts.session, facts.now),
        entries=hang_entries((entry,), facts.transcript.leaf_id),
        decisions=(Noted(decision=decision, who=who),),
    )
