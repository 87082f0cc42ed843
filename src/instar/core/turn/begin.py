"""The first transaction of a turn: whose life of the session it is, and what the person wrote (LOSS-3).

In order: is the session still fresh (RESET-12…18), does the message itself ask for a reset (CMD-1…8), what does the
session become, does a new thread go on from its parent (KEY-18), which lines are written, and why. A message that asks
for a reset and says nothing else gets a short greeting turn (CMD-7): its prompt is a line for the model alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import tzinfo
from typing import Final

from instar.core.delivery.route import apply_inbound_route
from instar.core.lifecycle.awareness import decide_watchers, note_people
from instar.core.lifecycle.freshness import Freshness, decide_freshness
from instar.core.lifecycle.reset import (
    NOTICE_FIELD,
    ResetPolicy,
    ResetType,
    apply_reset,
    apply_soft_reset,
    is_provider_owned,
    resolve_session_type,
)
from instar.core.model.change import (
    CloseReason,
    InboxChange,
    InboxItem,
    Noted,
    SessionChange,
    SessionFacts,
    TranscriptHead,
)
from instar.core.model.decision import Decision
from instar.core.model.entry import AnyEntry, CustomMessageEntry, Header
from instar.core.model.ids import AgentId, EntryId, Instant, SessionId, SessionKey, TurnId
from instar.core.model.session import Lifecycle, Overrides, Session
from instar.core.model.state import WaitingNotice
from instar.core.policy.command_kinds import Reset
from instar.core.policy.model_choice import apply_model_choice
from instar.core.queue.mode import Next
from instar.core.turn.entries import (
    build_dropped_context,
    build_first_words,
    build_notice_context,
    build_user_entries,
)
from instar.core.turn.fork import Fork, ThreadParent, decide_fork
from instar.core.turn.steps import hang_entries, touch_updated

__all__ = [
    "GREETING_TYPE",
    "BeginDraws",
    "BeginSettings",
    "Begun",
    "describe_freshness",
    "plan_begin",
    "will_start_over",
]

GREETING_TYPE = "instar.greeting"
"""`customType` of the prompt of a greeting turn (CMD-7)."""

_SOFT_GREETING: Final = (
    "The person asked for a soft reset: this session and all that was said in it stay; only what the provider had kept "
    "beside it is forgotten. Say so in one or two short sentences, and ask how to go on."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class BeginSettings:
    """What the begin of a turn needs of the configuration, resolved for its session.

    `policies` are the policies by the kind of place that the message and the session's row say it is (RESET-11), and
    `policy` is the one for a kind that is not among them.

    `zone` is the zone of the host (COMPAT-10), `cwd` what the header names as folder (TRANS-2), `default_model` is
    ``provider/model``, None without any model. `pinned_sender` is the one person whom the allow-list of a shared main
    session names (ENTRY-14), None if there is none; `numbers` are those of hidden ids (NORM-5). `group_main` is
    the main session that watches an isolated group (STATE-3), None for any other session. `notes` are the notes that a
    bare reset brings along (CMD-10), empty if there are none.
    """

    agent_id: AgentId
    policy: ResetPolicy
    zone: tzinfo
    cwd: str = ""
    default_model: str | None = None
    pinned_sender: str | None = None
    numbers: Mapping[str, str] = field(default_factory=dict)
    group_main: SessionKey | None = None
    notes: str = ""
    policies: Mapping[ResetType, ResetPolicy] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class BeginDraws:
    """The ids a begin may need, drawn before the transaction so that the decision stays pure."""

    session_id: SessionId
    entry_ids: tuple[EntryId, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Begun:
    """What a begin decided. `reason` says why a life of the session began (``create``, ``reset``, ``new``, ``daily``,
    ``idle``), None when it goes on.
    """

    change: SessionChange
    reason: str | None = None


def plan_begin(
    facts: SessionFacts,
    items: Sequence[InboxItem],
    *,
    turn_id: TurnId,
    settings: BeginSettings,
    draws: BeginDraws,
    command: Reset | None = None,
    queued: Next | None = None,
    contexts: Sequence[str] = (),
    alone: bool = True,
    parent: ThreadParent | None = None,
) -> Begun:
    """What the begin of a turn for `items` writes; `command` is the reset that the (only) item asks for, if any.

    `contexts` is what was said in the group before each item (ACT-7). `alone` is False while another turn of the
    session runs: the session is then not rolled under its feet (QUEUE-9). `parent` is what a thread that has no session
    yet hangs under (KEY-18), None for anything else; a message that asks for a fresh start takes nothing from it.
    """
    now, settings = facts.now, _choose_policy(facts, items, settings)
    freshness = _test_freshness(facts, items, settings, command=command, alone=alone)
    session, close, decision = _decide_life(facts, items, settings, draws, command=command, freshness=freshness)
    is_new = close is not None or facts.session is None
    session = _use(session, items, settings, now=now)
    is_first = facts.session is None and command is None
    fork = decide_fork(parent) if parent is not None and is_first else None
    session = _mark_fork(session, fork)
    # What waits to be told was meant for the life that is over (STATE-7); a greeting has no room for it.
    greets = command is not None and not command.remainder
    notices = () if is_new or greets else facts.notices
    told = _add_told(contexts, queued, notices, count=len(items))
    entries = _build_entries(
        items,
        draws.entry_ids,
        command=command,
        settings=settings,
        is_soft=not is_new and command is not None and command.mode == "soft",
        now=now,
        contexts=told,
    )
    if session.naming.first_words is None:
        session = replace(session, naming=replace(session.naming, first_words=build_first_words(entries)))
    head = None if is_new else facts.transcript
    change = SessionChange(
        session=session,
        close=close if facts.transcript is not None else None,
        open=_build_header(session, settings, now, fork) if head is None else None,
        forked=fork.lines if fork else (),
        entries=hang_entries(entries, _find_leaf(head, fork)),
        inbox=tuple(InboxChange(inbound_id=item.inbound_id, state="running", turn_id=turn_id) for item in items),
        decisions=tuple(
            Noted(decision=one, inbound_id=items[0].inbound_id, turn_id=turn_id)
            for one in (decision, fork.decision if fork else None, queued.as_decision() if queued else None)
            if one is not None
        ),
        shown=queued.dropped_ids if queued is not None else (),
        told=notices,
        states=note_people(
            sum(not item.submission.options.system for item in items),
            watchers=decide_watchers(facts.key, group_main=settings.group_main),
        ),
    )
    reason = "create" if facts.session is None else close
    return Begun(change=change, reason=reason)


def will_start_over(
    facts: SessionFacts,
    items: Sequence[InboxItem],
    settings: BeginSettings,
    *,
    command: Reset | None = None,
    alone: bool = True,
) -> bool:
    """Whether the begin of this turn would open a new life of its session, for whoever must know before it.

    Nothing was spent in a new life and nothing said, so this has to be what `plan_begin` does with the same arguments.
    """
    if facts.session is None:
        return True
    if command is not None:
        return command.mode != "soft"
    settings = _choose_policy(facts, items, settings)
    freshness = _test_freshness(facts, items, settings, command=command, alone=alone)
    return freshness is not None and not freshness.fresh


def _choose_policy(facts: SessionFacts, items: Sequence[InboxItem], settings: BeginSettings) -> BeginSettings:
    """`settings` with the policy for where the newest message was written (RESET-11)."""
    kind = resolve_session_type(facts.key, facts.session, items[-1].submission)
    return replace(settings, policy=settings.policies.get(kind, settings.policy))


def _test_freshness(
    facts: SessionFacts, items: Sequence[InboxItem], settings: BeginSettings, *, command: Reset | None, alone: bool
) -> Freshness | None:
    """Whether the session goes on; None where that is no question of time: there is none yet (RESET-17), the message
    itself decides (CMD-8), or other turns run in it (QUEUE-9).
    """
    session = facts.session
    if session is None or command is not None or not alone:
        return None
    return decide_freshness(
        session.lifecycle,
        header_at=facts.transcript.header.timestamp if facts.transcript else None,
        policy=settings.policy,
        now=facts.now,
        zone=settings.zone,
        provider_owned=is_provider_owned(session),
        shown_by_client=any(item.submission.shown_session_id == session.session_id for item in items),
    )


def _decide_life(
    facts: SessionFacts,
    items: Sequence[InboxItem],
    settings: BeginSettings,
    draws: BeginDraws,
    *,
    command: Reset | None,
    freshness: Freshness | None,
) -> tuple[Session, CloseReason | None, Decision]:
    """The session the turn runs in, why its last transcript closes (None: it goes on), and the record of it.

    After an automatic reset the session row says so until its person was told (LOSS-7).
    """
    old, now = facts.session, facts.now
    if old is None:
        session = _create_session(facts, items[0], settings, draws)
        decision = Decision(kind="freshness", outcome="new", rule="RESET-17")
        return (_choose_model(session, command, settings) if command else session), None, decision
    if command is not None:
        return _reset_by_command(old, command, settings, draws, now=now)
    if freshness is None:
        return old, None, Decision(kind="freshness", outcome="fresh", rule="QUEUE-9", inputs={"alone": False})
    if freshness.reason is None:
        return old, None, describe_freshness(freshness, settings.policy)
    fresh = apply_reset(old, session_id=draws.session_id, now=now)
    marked = replace(fresh, extra={**fresh.extra, NOTICE_FIELD: freshness.reason})
    return marked, freshness.reason, describe_freshness(freshness, settings.policy)


def _reset_by_command(
    old: Session, command: Reset, settings: BeginSettings, draws: BeginDraws, *, now: Instant
) -> tuple[Session, CloseReason | None, Decision]:
    inputs = {"trigger": command.trigger, "model": command.model}
    if command.mode == "soft":
        return apply_soft_reset(old, now=now), None, Decision(kind="reset", outcome="soft", rule="CMD-8", inputs=inputs)
    fresh = _choose_model(apply_reset(old, session_id=draws.session_id, now=now), command, settings)
    reason: CloseReason = "new" if command.trigger.lower() == "/new" else "reset"
    return fresh, reason, Decision(kind="reset", outcome=reason, rule="CMD-8", inputs=inputs)


def _choose_model(session: Session, command: Reset, settings: BeginSettings) -> Session:
    """The session with the model that the reset named (CMD-6)."""
    if command.model is None:
        return session
    return replace(
        session, overrides=apply_model_choice(session.overrides, command.model, default=settings.default_model)
    )


def _create_session(facts: SessionFacts, item: InboxItem, settings: BeginSettings, draws: BeginDraws) -> Session:
    now = facts.now
    return Session(
        key=facts.key,
        agent_id=settings.agent_id,
        session_id=draws.session_id,
        owner=item.acceptance.owner,
        lifecycle=Lifecycle(started_at=now, last_interaction_at=now, updated_at=now, created_at=now),
        overrides=Overrides(),
    )


def _use(session: Session, items: Sequence[InboxItem], settings: BeginSettings, *, now: Instant) -> Session:
    """The session after these messages: its route, and its interaction where a person wrote (RESET-19, RESET-20)."""
    for item in items:
        session = apply_inbound_route(
            session, item.submission, pinned_sender=settings.pinned_sender, numbers=settings.numbers
        )
    touched = touch_updated(session, now)
    if all(item.submission.options.system for item in items):
        return touched
    return replace(touched, lifecycle=replace(touched.lifecycle, last_interaction_at=now))


def _build_entries(
    items: Sequence[InboxItem],
    entry_ids: Sequence[EntryId],
    *,
    command: Reset | None,
    settings: BeginSettings,
    is_soft: bool,
    now: Instant,
    contexts: Sequence[str],
) -> tuple[AnyEntry, ...]:
    """The first lines of a turn. `is_soft` says that a bare reset left the session as it was (CMD-8)."""
    if command is None:
        return build_user_entries(items, entry_ids, now=now, contexts=contexts)
    if command.remainder:
        return build_user_entries(items, entry_ids, now=now, text=command.remainder, contexts=contexts)
    model = command.model if command.model and command.model != settings.default_model else None
    named = f" Say that you now run as {model}." if model else ""
    prompt = (
        "A new session was started at the person's wish. Greet them in one or two short sentences, confirm that this "
        f"is a fresh start, and ask what to do.{named}"
    )
    if is_soft:
        prompt = _SOFT_GREETING
    if settings.notes:
        prompt = f"{prompt}\n\n{settings.notes}"
    greeting = CustomMessageEntry(
        id=entry_ids[0], parent_id=None, timestamp=now, custom_type=GREETING_TYPE, content=prompt, display=False
    )
    return (greeting,)


def _add_told(
    contexts: Sequence[str], queued: Next | None, notices: Sequence[WaitingNotice], *, count: int
) -> tuple[str, ...]:
    """The contexts with notices (STATE-4) and what fell to a full queue (QUEUE-13) in front of the first."""
    known = tuple(contexts) or ("",) * count
    dropped = build_dropped_context(len(queued.dropped_ids), queued.dropped_lines) if queued is not None else ""
    parts = (build_notice_context(notices), dropped, known[0])
    return ("\n\n".join(part for part in parts if part), *known[1:])


def _build_header(session: Session, settings: BeginSettings, now: Instant, fork: Fork | None) -> Header:
    source = fork.session_id if fork else None
    return Header(id=session.session_id, timestamp=now, cwd=settings.cwd, parent_session=source)


def _mark_fork(session: Session, fork: Fork | None) -> Session:
    if fork is None or fork.session_id is None:
        return session
    return replace(session, origin=replace(session.origin, forked_from=fork.session_id))


def _find_leaf(head: TranscriptHead | None, fork: Fork | None) -> EntryId | None:
    """What the first line of the turn hangs on."""
    if head is not None:
        return head.leaf_id
    return fork.lines[-1].id if fork is not None and fork.lines else None


def describe_freshness(freshness: Freshness, policy: ResetPolicy) -> Decision:
    """The answer as a decision to be stored (WHY-1)."""
    return Decision(
        kind="freshness",
        outcome="fresh" if freshness.fresh else str(freshness.reason),
        rule=freshness.rule,
        inputs={
            "mode": policy.mode,
            "at": f"{policy.at_hour:02}:{policy.at_minute:02}",
            "idle_s": policy.idle_s,
            "started_at": freshness.started_at,
            "interacted_at": freshness.interacted_at,
            "daily_reset_at": freshness.daily_reset_at,
            "idle_expires_at": freshness.idle_expires_at,
            "next_expiry_at": freshness.next_expiry_at,
        },
    )
