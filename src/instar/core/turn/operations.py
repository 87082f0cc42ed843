"""What operations on a session write: create, reset, inject (RPC-5, RPC-7, RPC-18)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any

from instar.core.lifecycle.reset import apply_reset
from instar.core.model.change import CloseReason, Noted, SessionChange, SessionFacts
from instar.core.model.decision import Decision
from instar.core.model.entry import AnyEntry, Header, MessageEntry
from instar.core.model.ids import AgentId, EntryId, SessionId, SessionKey
from instar.core.model.session import Lifecycle, Naming, Origin, Overrides, Session
from instar.core.transcript.injected import build_injected_message
from instar.core.turn.entries import build_first_words
from instar.core.turn.steps import hang_entries, touch_updated
from instar.errors import NotFound

__all__ = ["Creation", "plan_create", "plan_inject", "plan_manual_reset"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Creation:
    """A session to create, with everything looked up. `forked` are the parent's lines, empty for an empty start.

    `origin` is where it comes from beside its parent: for a sub-agent what it has from the session that started it.
    """

    agent_id: AgentId
    session_id: SessionId
    label: str | None = None
    overrides: Overrides = Overrides()
    parent_key: SessionKey | None = None
    parent_session_id: SessionId | None = None
    forked: Sequence[AnyEntry] = ()
    cwd: str = ""
    owner: str | None = None
    origin: Origin = field(default_factory=Origin)


def plan_create(facts: SessionFacts, creation: Creation, *, who: str) -> SessionChange:
    """A new session; one that is there already only takes the label and the overrides that are given.

    What else is set for it stays: whoever may create may not lift a send policy by that.
    """
    noted = Noted(decision=Decision(kind="reset", outcome="create", rule="RPC-5"), who=who)
    old = facts.session
    if old is not None:
        naming = replace(old.naming, label=creation.label or old.naming.label)
        overrides = _lay_over(old.overrides, creation.overrides)
        changed = replace(touch_updated(old, facts.now), naming=naming, overrides=overrides)
        return SessionChange(session=changed, decisions=(noted,))
    now = facts.now
    session = Session(
        key=facts.key,
        agent_id=creation.agent_id,
        session_id=creation.session_id,
        owner=creation.owner,
        lifecycle=Lifecycle(started_at=now, last_interaction_at=now, updated_at=now, created_at=now),
        naming=Naming(label=creation.label, first_words=build_first_words(creation.forked)),
        origin=replace(creation.origin, parent_key=creation.parent_key, forked_from=creation.parent_session_id),
        overrides=creation.overrides,
    )
    header = Header(id=creation.session_id, timestamp=now, cwd=creation.cwd, parent_session=creation.parent_session_id)
    return SessionChange(session=session, open=header, entries=tuple(creation.forked), decisions=(noted,))


def _lay_over(old: Overrides, given: Overrides) -> Overrides:
    """The overrides with those that are given; a login was chosen for a model and goes with it (CMD-6)."""
    # Any: the values of several fields, each of its own type.
    named: dict[str, Any] = {
        one.name: value for one in fields(given) if (value := getattr(given, one.name)) is not None
    }
    if given.model_override is not None:
        old = replace(old, auth_profile_override=None, auth_profile_override_source=None)
    return replace(old, **named)


def plan_manual_reset(
    facts: SessionFacts, *, session_id: SessionId, agent_id: AgentId, reason: CloseReason, cwd: str, who: str
) -> SessionChange:
    """Close the transcript and begin another (RPC-34); a key without a session gets its first one."""
    if facts.session is None:
        return plan_create(facts, Creation(agent_id=agent_id, session_id=session_id, cwd=cwd), who=who)
    decision = Decision(kind="reset", outcome=reason, rule="RPC-34", inputs={"closed": facts.session.session_id})
    session = apply_reset(facts.session, session_id=session_id, now=facts.now)
    return SessionChange(
        session=replace(session, naming=replace(session.naming, first_words=None)),
        close=reason if facts.transcript is not None else None,
        open=Header(id=session_id, timestamp=facts.now, cwd=cwd),
        decisions=(Noted(decision=decision, who=who),),
    )


def plan_inject(facts: SessionFacts, text: str, *, label: str | None, entry_id: EntryId, who: str) -> SessionChange:
    """Append a line that no model wrote (TRANS-16). Raises `NotFound` for a key without a session."""
    if facts.session is None or facts.transcript is None:
        raise NotFound(f"There is no session {facts.key}", fix="List the sessions with `instar sessions list`.")
    message = build_injected_message(text, label=label, at=facts.now)
    entry = MessageEntry(id=entry_id, parent_id=None, timestamp=facts.now, message=message)
    decision = Decision(kind="command", outcome="injected", rule="TRANS-16", inputs={"label": label})
    return SessionChange(
        session=touch_updated(facts.session, facts.now),
        entries=hang_entries((entry,), facts.transcript.leaf_id),
        decisions=(Noted(decision=decision, who=who),),
    )
