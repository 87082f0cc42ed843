"""Bringing back and holding on: resume a closed transcript, pin an entry (LOSS-6, LOSS-9)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from instar.core.context.pins import PIN_TYPE, build_pin_data
from instar.core.lifecycle.reset import forget_life
from instar.core.model.change import Noted, SessionChange, SessionFacts, TranscriptHead
from instar.core.model.decision import Decision
from instar.core.model.entry import AnyEntry, CustomEntry
from instar.core.model.ids import EntryId
from instar.core.model.session import Counters
from instar.core.turn.entries import build_first_words
from instar.core.turn.steps import hang_entries, touch_updated
from instar.errors import InvalidRequest, NotFound

__all__ = ["find_closed_transcript", "plan_pin", "plan_resume_transcript"]

_SHOWN_IDS: Final = 5
_SHOWN_ID_CHARS: Final = 8
"""What is shown of the ids that could be meant: as much as people type."""


def find_closed_transcript(heads: Sequence[TranscriptHead], which: str) -> TranscriptHead:
    """The closed transcript that somebody wants back: the last one, or the one whose session id begins with `which`.

    `heads` are all transcripts of a key, the newest first. Raises `NotFound` when there is none, or none that fits,
    and `InvalidRequest` when several fit.
    """
    wanted = which.strip().lower()
    closed = [head for head in heads if head.closed_at is not None]
    if not closed:
        raise NotFound("There is no closed session to go back to", fix="`sessions show --history` lists them.")
    if not wanted:
        return closed[0]
    fitting = [head for head in closed if head.session_id.lower().startswith(wanted)]
    if len(fitting) == 1:
        return fitting[0]
    if fitting:
        ids = ", ".join(head.session_id for head in fitting)
        raise InvalidRequest("Several closed sessions fit", why=ids, fix="Give more of the id.", field="sessionId")
    is_current = any(head.closed_at is None and head.session_id.lower().startswith(wanted) for head in heads)
    ids = ", ".join(head.session_id[:_SHOWN_ID_CHARS] for head in closed[:_SHOWN_IDS])
    raise NotFound(
        "That session is the current one" if is_current else f'No closed session has an id that begins with "{wanted}"',
        why=f"closed are {ids}" + (f" and {len(closed) - _SHOWN_IDS} more" if len(closed) > _SHOWN_IDS else ""),
        fix="Give the beginning of one of these, or nothing for the last one; `sessions show --history` lists them.",
    )


def plan_resume_transcript(
    facts: SessionFacts, head: TranscriptHead, *, branch: Sequence[AnyEntry], who: str
) -> SessionChange:
    """Make a closed transcript current again; what was current is closed in turn (LOSS-6).

    The session goes on as if it had been used just now: its own begin would make the next message reset it at once.
    What was noted of the life that ends, such as a reset that its person was not told of yet, ends with it; its title
    comes from `branch`, the lines that are current again (ENTRY-12).
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
            naming=replace(touched.naming, first_words=build_first_words(branch)),
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
