"""Methods about what is on record (WHY-2, LOSS-6, STORE-6, STATUS-6)."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from instar.api.call import Call, Handler
from instar.core.explain.changes import build_changes_fields
from instar.core.explain.status import build_status_fields, build_status_lines, hide_others_spending
from instar.core.model.change import TranscriptHead
from instar.core.model.ids import InboundId, TurnId
from instar.core.model.keeping import ImportedTranscript
from instar.core.model.message import Chat, Inbound, Sender
from instar.core.model.query import DecisionQuery
from instar.core.model.view import ToldDecision
from instar.core.routing.normalize import normalize_account_id, normalize_channel, normalize_chat_type
from instar.errors import InvalidRequest, TranscriptError

__all__ = ["HANDLERS", "build_import_result"]

EXPLAIN_DEFAULT_LIMIT: Final = 50


async def explain_session(call: Call) -> object:
    """`sessions.explain`."""
    params = call.params
    given = [name for name in ("key", "inboundId", "turnId") if params.text(name)]
    if len(given) != 1:
        what = "provide exactly one of key, inboundId, turnId" + (f" (got {', '.join(given)})" if given else "")
        raise InvalidRequest(f"invalid sessions.explain params: {what}", field=given[0] if given else "key")
    inbound_id, turn_id = params.maybe_text("inboundId"), params.maybe_text("turnId")
    query = DecisionQuery(
        session_key=call.maybe_key("key"),
        inbound_id=InboundId(inbound_id) if inbound_id else None,
        turn_id=TurnId(turn_id) if turn_id else None,
        limit=params.whole("limit", EXPLAIN_DEFAULT_LIMIT),
    )
    told = await call.gateway.sessions.explain(query)
    if inbound_id and not told:
        meant = await _find_message(call, inbound_id)
        told = await call.gateway.sessions.explain(replace(query, inbound_id=meant)) if meant else ()
    seen = set(await call.see({one.recorded.session_key for one in told if one.recorded.session_key is not None}))
    sees_unplaced = call.sight.sees_all
    rows = [
        one for one in told if (sees_unplaced if one.recorded.session_key is None else one.recorded.session_key in seen)
    ]
    return {"rows": [_decision(one) for one in rows]}


async def _find_message(call: Call, name: str) -> InboundId | None:
    """The message that its platform calls `name`, among those that the caller may see (LEAK-4); None if none is.

    Raises `InvalidRequest` where several are called so, naming them by the ids that tell them apart.
    """
    found = await call.gateway.sessions.find_messages(name)
    seen = set(await call.see({item.acceptance.session_key for item in found}))
    meant = [item for item in found if item.acceptance.session_key in seen]
    if len(meant) > 1:
        told = ", ".join(
            f"{item.inbound_id} ({item.submission.inbound.channel}, {item.acceptance.session_key})" for item in meant
        )
        raise InvalidRequest(
            f"several messages are called {name}",
            why=f"platforms count for themselves: {told}",
            fix="Name one by the id in front, or by its channel, like telegram:17.",
            field="inboundId",
        )
    return meant[0].inbound_id if meant else None


async def foresee_route(call: Call) -> object:
    """`sessions.route`."""
    params = call.params
    chat = normalize_chat_type(params.text("chat")) or "direct"  # the table lets no other word through
    peer = params.text("peer")
    inbound = Inbound(
        channel=normalize_channel(params.text("channel")),
        account_id=normalize_account_id(params.maybe_text("account")),
        message_id="foreseen",
        chat=Chat(type=chat, id=peer, thread_id=params.maybe_text("thread"), space_id=params.maybe_text("space")),
        sender=Sender(id=params.maybe_text("sender") or (peer if chat == "direct" else "somebody")),
        text=params.text("text"),
        mentioned=params.flag("mentioned"),
    )
    found = await call.gateway.upkeep.foresee(inbound)
    return {
        "status": found.status,
        "reason": found.reason,
        "hint": found.hint or None,
        "sessionKey": found.session_key,
        "agentId": found.agent_id,
        "nextExpiryAt": found.next_expiry_at,
        "rows": [_decision(one) for one in found.decisions],
    }


def _decision(told: ToldDecision) -> dict[str, object]:
    recorded, decision = told.recorded, told.recorded.decision
    return {
        "at": recorded.at,
        "kind": decision.kind,
        "outcome": decision.outcome,
        "rule": decision.rule,
        "question": told.question,
        "sentence": told.sentence,
        "inputs": dict(decision.inputs),
        "who": recorded.who,
        "sessionKey": recorded.session_key,
        "inboundId": recorded.inbound_id,
        "turnId": recorded.turn_id,
    }


async def list_transcripts(call: Call) -> object:
    """`sessions.transcripts`."""
    key = call.key("key")
    return {"key": key, "transcripts": [_transcript(head) for head in await call.gateway.sessions.transcripts(key)]}


def _transcript(head: TranscriptHead) -> dict[str, object]:
    return {
        "sessionId": head.session_id,
        "isCurrent": head.closed_at is None,
        "beganAt": head.began_at,
        "closedAt": head.closed_at,
        "closeReason": head.close_reason,
        "messages": head.message_count,
        "bytes": head.bytes,
    }


async def import_transcript(call: Call) -> object:
    """`sessions.import`."""
    try:
        data = base64.b64decode(call.params.text("content"), validate=True)
    except ValueError:
        raise InvalidRequest("at /content: must be base64", field="content") from None
    key = call.maybe_key("key")
    try:
        done = await call.gateway.keeping.import_transcript(data, name=call.params.text("name"), key=key)
    except TranscriptError as error:
        raise InvalidRequest(str(error), field="content") from None
    return build_import_result(done)


def build_import_result(done: ImportedTranscript) -> dict[str, object]:
    """What became of an imported file, as `sessions.import` and `instar import transcript` tell it."""
    return {
        "ok": True,
        "key": done.key,
        "sessionId": done.session_id,
        "stored": done.stored,
        "entries": done.entries,
        "fromVersion": done.from_version,
        "findings": list(done.findings),
    }


async def load_session_status(call: Call) -> object:
    """`sessions.status`."""
    key, since = call.key("key"), call.params.maybe_whole("changesSince")
    facts = await call.gateway.status_facts(key)
    if not call.sight.sees_all:
        facts = hide_others_spending(facts)
    answer: dict[str, object] = {"text": build_status_lines(facts), "status": build_status_fields(facts)}
    found = None if since is None else await call.gateway.sessions.changes(key, key, since=since)
    return answer if found is None else {**answer, "changes": build_changes_fields(key, found)}


HANDLERS: Final[Mapping[str, Handler]] = {
    "sessions.explain": explain_session,
    "sessions.route": foresee_route,
    "sessions.transcripts": list_transcripts,
    "sessions.import": import_transcript,
    "sessions.status": load_session_status,
}
