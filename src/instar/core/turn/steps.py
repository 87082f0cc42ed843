"""What a turn writes after its begin: assistant messages, tool results, steered messages, its end (LOSS-3).

Each is one change, and so is the last answer with all that must be true together with it (`plan_answer`).

Every function takes the facts as they are inside the transaction and hangs its entries on the leaf found there, so
a line that somebody injected meanwhile stays in the tree (TRANS-16).
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

from instar.core.lifecycle.awareness import note_people, note_run_end
from instar.core.lifecycle.reset import NOTICE_FIELD
from instar.core.model.change import InboxChange, InboxItem, Ledger, NewDelivery, Noted, SessionChange, SessionFacts
from instar.core.model.entry import AnyEntry, AssistantMessage, Block, MessageEntry, ToolCall, ToolResultMessage, Usage
from instar.core.model.ids import AgentId, ChannelName, EntryId, InboundId, Instant, SessionId, TurnId
from instar.core.model.session import Counters, Session
from instar.core.model.state import StateNote
from instar.core.turn.recover import build_steered_reason
from instar.errors import InvariantBroken

__all__ = [
    "ModelCall",
    "hang_entries",
    "plan_answer",
    "plan_finish",
    "plan_steer",
    "plan_tool_result",
    "require_session",
    "touch_updated",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelCall:
    """What a model was asked and took, as far as the ledger and the counters need it.

    `window_tokens` is the model's context window, None if unknown; `context_tokens` estimates what the window holds
    after the answer (TRANS-19). `cost_usd` is the provider's or the price table's number, None without either.
    """

    agent_id: AgentId
    provider: str
    model: str
    usage: Usage
    context_tokens: int
    window_tokens: int | None = None
    cost_usd: float | None = None
    principal: str | None = None
    channel: ChannelName | None = None
    purpose: str = "turn"


def require_session(facts: SessionFacts, session_id: SessionId) -> Session:
    """The session a turn writes to. Raises `InvariantBroken` when the turn began in another life of it."""
    session = facts.session
    if session is None or session.session_id != session_id:
        found = "deleted" if session is None else f"in session {session.session_id}"
        raise InvariantBroken(
            "a turn writes only to the session it began in",
            why=f"{facts.key} began in session {session_id} and is now {found}",
        )
    return session


def hang_entries(entries: Sequence[AnyEntry], leaf_id: EntryId | None) -> tuple[AnyEntry, ...]:
    """The entries as one chain below `leaf_id`."""
    chained: list[AnyEntry] = []
    for entry in entries:
        chained.append(replace(entry, parent_id=leaf_id))
        leaf_id = entry.id
    return tuple(chained)


def touch_updated(session: Session, now: Instant) -> Session:
    """The session with `updated_at` and `last_activity_at` moved to now, never backwards (ENTRY-9)."""
    lifecycle = session.lifecycle
    at = Instant(max(now, lifecycle.updated_at or now))
    return replace(session, lifecycle=replace(lifecycle, updated_at=at, last_activity_at=at))


def plan_answer(
    facts: SessionFacts,
    message: AssistantMessage,
    *,
    session_id: SessionId,
    entry_id: EntryId,
    turn_id: TurnId,
    call: ModelCall | None,
    deliveries: tuple[NewDelivery, ...] = (),
    ended: tuple[InboxChange, ...] = (),
    decisions: tuple[Noted, ...] = (),
    aborted: bool = False,
    has_told_reset: bool = False,
    states: tuple[StateNote, ...] = (),
) -> SessionChange:
    """Commit an assistant message: a step of the turn, or with `ended` its finish.

    `has_told_reset` says that one of the `deliveries` begins with the line about a reset, which is then owed no more
    (LOSS-7). The same change holds the ledger line, the counters, the replies that are owed and the ends of the
    messages that were answered, so none of them can be there without the others.
    """
    session = require_session(facts, session_id)
    entry = MessageEntry(id=entry_id, parent_id=None, timestamp=facts.now, message=message)
    counters = replace(session.counters, aborted_last_run=aborted, system_sent=True)
    if call is not None:
        counters = _count(counters, call)
    leaf = facts.transcript.leaf_id if facts.transcript else None
    touched = replace(touch_updated(session, facts.now), counters=counters)
    return SessionChange(
        session=_without_notice(touched) if has_told_reset else touched,
        entries=hang_entries((entry,), leaf),
        inbox=ended,
        deliveries=deliveries,
        ledger=() if call is None else (_book(call, turn_id),),
        decisions=decisions,
        states=states,
    )


def plan_finish(facts: SessionFacts, *, session_id: SessionId, ended: tuple[InboxChange, ...]) -> SessionChange:
    """Finish a turn whose answer is in the transcript already: it was cut off in between (LOSS-4)."""
    session = require_session(facts, session_id)
    return SessionChange(
        session=touch_updated(session, facts.now), inbox=ended, states=note_run_end(failed=False, reason=None)
    )


def _without_notice(session: Session) -> Session:
    return replace(session, extra={name: value for name, value in session.extra.items() if name != NOTICE_FIELD})


def plan_tool_result(
    facts: SessionFacts,
    call: ToolCall,
    *,
    session_id: SessionId,
    entry_id: EntryId,
    content: tuple[Block, ...],
    is_error: bool,
    details: object | None = None,
    decisions: tuple[Noted, ...] = (),
) -> SessionChange:
    """Commit the result of one tool call, with what was decided about it."""
    session = require_session(facts, session_id)
    result = ToolResultMessage(
        tool_call_id=call.id,
        tool_name=call.name,
        content=content,
        is_error=is_error,
        timestamp=facts.now,
        details=details,
    )
    entry = MessageEntry(id=entry_id, parent_id=None, timestamp=facts.now, message=result)
    leaf = facts.transcript.leaf_id if facts.transcript else None
    return SessionChange(
        session=touch_updated(session, facts.now),
        entries=hang_entries((entry,), leaf),
        decisions=decisions,
    )


def plan_steer(
    facts: SessionFacts,
    items: Sequence[InboxItem],
    entries: Sequence[AnyEntry],
    *,
    session_id: SessionId,
    turn_id: TurnId,
    staying: Collection[InboundId] = (),
    answered: Sequence[InboxItem] = (),
) -> SessionChange:
    """Commit messages that were put into the running turn (QUEUE-3); they end as ``merged`` into it.

    Those of `staying` also wait for a turn of their own (QUEUE-7); their rows note that their words are stored. Those
    of `answered` had got their answer before; the turn owes another one now, and their rows say so.
    """
    session = require_session(facts, session_id)
    touched = touch_updated(session, facts.now)
    leaf = facts.transcript.leaf_id if facts.transcript else None
    return SessionChange(
        session=replace(touched, lifecycle=replace(touched.lifecycle, last_interaction_at=facts.now)),
        entries=hang_entries(entries, leaf),
        inbox=(
            *(InboxChange(inbound_id=item.inbound_id, state="running", turn_id=turn_id) for item in answered),
            *(
                InboxChange(inbound_id=item.inbound_id, state="waiting", reason=build_steered_reason(turn_id))
                if item.inbound_id in staying
                else InboxChange(inbound_id=item.inbound_id, state="merged", turn_id=turn_id)
                for item in items
            ),
        ),
        states=note_people(sum(not item.submission.options.system for item in items)),
    )


def _count(counters: Counters, call: ModelCall) -> Counters:
    usage = call.usage
    return replace(
        counters,
        input_tokens=counters.input_tokens + usage.input + usage.cache_read + usage.cache_write,
        output_tokens=counters.output_tokens + usage.output,
        total_tokens=call.context_tokens,
        context_tokens=call.window_tokens if call.window_tokens is not None else counters.context_tokens,
        model_provider=call.provider,
        model=call.model,
    )


def _book(call: ModelCall, turn_id: TurnId) -> Ledger:
    usage = call.usage
    return Ledger(
        turn_id=turn_id,
        agent_id=call.agent_id,
        provider=call.provider,
        model=call.model,
        input_tokens=usage.input,
        output_tokens=usage.output,
        cache_read_tokens=usage.cache_read,
        cache_write_tokens=usage.cache_write,
        cost_usd=call.cost_usd,
        principal=call.principal,
        channel=call.channel,
        purpose=call.purpose,
    )
