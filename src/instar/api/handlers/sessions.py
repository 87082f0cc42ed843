"""Methods about sessions (RPC-1…8)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal

from instar.api.call import Call, Handler
from instar.api.messages import build_messages
from instar.api.rows import build_defaults, build_entry, build_row, build_view_row
from instar.core.model.entry import AssistantMessage, MessageEntry, UserMessage
from instar.core.model.ids import Instant, SessionKey
from instar.core.model.query import SearchHit, SearchQuery, SessionQuery, StoredEntry
from instar.core.model.view import History, NewSession, SessionRef, SessionView
from instar.core.policy.scopes import ADMIN, has_scope
from instar.core.routing.grammar import is_incognito_key, parse_key
from instar.core.transcript.text import message_text
from instar.errors import Forbidden, InstarError, InvalidRequest
from instar.protocol.params import Params

__all__ = ["HANDLERS"]

LIST_DEFAULT_LIMIT: Final = 100
"""Rows that protocol 4 gets without asking for a number; protocol 3 gets all (RPC-30)."""

SEARCH_DEFAULT_LIMIT: Final = 20
PREVIEW_KEYS_MAX: Final = 64
PREVIEW_SCAN: Final = 20
"""Messages that a preview looks at beyond what it shows, since tool results are no words (RPC-33)."""

_MINUTE_MS: Final = 60_000


async def list_sessions(call: Call) -> object:
    """`sessions.list`."""
    params = call.params
    limit = params.maybe_whole("limit")
    if limit is None and call.connection.protocol > 3:
        limit = LIST_DEFAULT_LIMIT
    now = call.services.clock.now()
    query = _query(call, limit=limit, now=now)
    listing = await call.gateway.sessions.list(
        query, titles=params.flag("includeDerivedTitles"), last_messages=params.flag("includeLastMessage")
    )
    shown = query.offset + len(listing.sessions)
    seen = set(await call.see(view.session.key for view in listing.sessions))
    views = [view for view in listing.sessions if view.session.key in seen]
    facts = call.gateway.facts()
    return {
        "ts": now,
        "path": facts.store_path if call.sight.sees_all else "",
        "count": len(views),
        "totalCount": listing.total,
        "limitApplied": limit,
        "offset": query.offset,
        "nextOffset": shown if shown < listing.total else None,
        "hasMore": shown < listing.total,
        "defaults": build_defaults(facts),
        "sessions": [build_view_row(view) for view in views],
    }


def _query(call: Call, *, limit: int | None, now: Instant) -> SessionQuery:
    params = call.params
    minutes = params.maybe_whole("activeMinutes")
    return SessionQuery(
        agent_id=call.agent(),
        updated_since=None if minutes is None else Instant(now - minutes * _MINUTE_MS),
        search=params.text("search").strip() or None,
        owner_in=call.owner_in,
        label=params.maybe_text("label"),
        spawned_by=call.maybe_key("spawnedBy"),
        archived=None if params.text("archived") == "all" else params.flag("archived"),
        include_global=params.flag("includeGlobal"),
        include_unknown=params.flag("includeUnknown"),
        offset=params.whole("offset", 0),
        limit=limit,
        incognito=has_scope(call.caller.scopes, ADMIN),
    )


async def get_session(call: Call) -> object:
    """`sessions.get`."""
    history = await call.gateway.sessions.history(call.key("key"), limit=call.params.whole("limit", 200))
    messages, _ = build_messages(history.entries)
    return {"messages": messages}


async def describe_session(call: Call) -> object:
    """`sessions.describe`: the row and the whole entry."""
    titles = call.params.flag("includeDerivedTitles") or call.params.flag("includeLastMessage")
    view = await call.gateway.sessions.describe(call.key("key"), titles=titles)
    if view is None:
        return {"session": None}
    return {"session": {**build_entry(view.session, is_owner=call.sight.sees_all), **build_view_row(view)}}


async def preview_sessions(call: Call) -> object:
    """`sessions.preview`: the last words of each session; one that cannot be read does not spoil the others."""
    limit, max_chars = call.params.whole("limit", 12), call.params.whole("maxChars", 240)
    previews = [
        await _preview(call, key, limit=limit, max_chars=max_chars)
        for key in call.params.texts("keys")[:PREVIEW_KEYS_MAX]
    ]
    return {"ts": call.services.clock.now(), "previews": previews}


async def _preview(call: Call, text: str, *, limit: int, max_chars: int) -> Mapping[str, object]:
    try:
        key = call.resolve(text)
        if not call.sight.sees(key):
            return {"key": text, "status": "missing", "items": []}
        history = await call.gateway.sessions.history(key, limit=limit + PREVIEW_SCAN)
    except InstarError:
        return {"key": text, "status": "error", "items": []}
    items = [item for stored in history.entries if (item := _preview_item(stored, max_chars)) is not None]
    return {"key": text, "status": _preview_status(history, items=len(items)), "items": items[-limit:]}


def _preview_status(history: History, *, items: int) -> Literal["ok", "empty", "missing"]:
    if history.session is None:
        return "missing"
    return "ok" if items else "empty"


def _preview_item(stored: StoredEntry, max_chars: int) -> dict[str, object] | None:
    """Role and words of a message by a person or the agent; None for anything else."""
    if not isinstance(stored.entry, MessageEntry):
        return None
    message = stored.entry.message
    if not isinstance(message, (UserMessage, AssistantMessage)):
        return None
    text = message_text(message).strip()
    if not text:
        return None
    role = "user" if isinstance(message, UserMessage) else "assistant"
    return {"role": role, "text": text if len(text) <= max_chars else text[: max_chars - 1] + "…"}


async def search_sessions(call: Call) -> object:
    """`sessions.search`. `snippet` and `score` are what clients of other gateways of this protocol read."""
    params = call.params
    keys = tuple(call.resolve(text) for text in params.texts("sessionKeys"))
    page = await call.gateway.sessions.search(
        SearchQuery(
            text=params.text("query"),
            agent_id=call.agent(),
            owner_in=call.owner_in,
            key_in=keys or None,
            limit=params.whole("limit", SEARCH_DEFAULT_LIMIT),
        )
    )
    seen = set(await call.see({hit.session_key for hit in page.hits}))
    answer: dict[str, object] = {"results": [_hit(hit) for hit in page.hits if hit.session_key in seen]}
    answer |= {"indexing": True} if page.indexing else {}
    return {**answer, "encrypted": True} if page.encrypted else answer


def _hit(hit: SearchHit) -> dict[str, object]:
    return {
        "sessionKey": hit.session_key,
        "sessionId": hit.session_id,
        "messageId": hit.entry_id,
        "timestamp": hit.at or 0,
        "role": hit.role,
        "excerpt": hit.text,
        "snippet": hit.text,
        "score": 1.0,
    }


async def resolve_session(call: Call) -> object:
    """`sessions.resolve` (RESOLVE-1…3)."""
    params = call.params
    given = [name for name in ("key", "sessionId", "label") if params.text(name).strip()]
    if len(given) != 1:
        what = "provide exactly one of key, sessionId, label" + (f" (got {', '.join(given)})" if given else "")
        raise InvalidRequest(f"invalid sessions.resolve params: {what}", field=given[0] if given else "key")
    ref = _ref(call, params)
    found = await call.gateway.sessions.resolve(ref)
    # Whoever knows the key has it already; nobody else but an admin learns of one in memory (KEY-22).
    is_told = ref.key is not None or has_scope(call.caller.scopes, ADMIN)
    keys = await call.see(key for key in found if is_told or not is_incognito_key(key))
    if not keys and params.flag("allowMissing"):
        return {"ok": False}
    if not keys:
        raise InvalidRequest(f"no session found for {given[0]}: {params.text(given[0])}", field=given[0])
    if len(keys) > 1:
        raise InvalidRequest(f"several sessions match {given[0]}: {', '.join(keys)}", field=given[0])
    agent_id = parse_key(keys[0]).agent_id or call.gateway.facts().default_agent_id
    return {"ok": True, "key": keys[0], "agentId": agent_id}


def _ref(call: Call, params: Params) -> SessionRef:
    return SessionRef(
        key=call.resolve(params.text("key")) if params.text("key") else None,
        session_id=params.text("sessionId").strip() or None,
        label=params.text("label").strip() or None,
        owner_in=call.owner_in,
        agent_id=call.agent(),
        spawned_by=call.maybe_key("spawnedBy"),
        include_global=params.flag("includeGlobal"),
        include_unknown=params.flag("includeUnknown"),
    )


async def create_session(call: Call) -> object:
    """`sessions.create`. A label names one session of the whole gateway, so a person's token gives none."""
    params = call.params
    if params.text("label") and not call.sight.sees_all:
        raise Forbidden(f"missing scope: {ADMIN}", why="a label was asked for", missing_scope=ADMIN)
    key = call.key("key", agent_id=call.agent()) if params.text("key") else None
    if key is not None:
        call.check_may_set(key, "model", "thinkingLevel")
    new = NewSession(
        key=key,
        owner=call.caller.principal,
        agent_id=call.agent(),
        label=params.maybe_text("label"),
        model=params.maybe_text("model"),
        thinking_level=params.maybe_text("thinkingLevel"),
        parent_key=call.maybe_key("parentSessionKey"),
        fork=params.flag("fork"),
        incognito=params.flag("incognito"),
        began_with=call.caller.credentials,
    )
    view = await call.gateway.sessions.create(new, who=call.caller.who)
    return {**_changed(call, view), "sessionId": view.session.session_id}


async def patch_session(call: Call) -> object:
    """`sessions.patch`; what the fields may hold is decided by `core.policy.patch`."""
    key = call.key("key")
    fields = call.params.without("key", "idempotencyKey")
    view = await call.gateway.sessions.patch(key, fields, who=call.caller.who)
    return {**_changed(call, view), "path": call.gateway.facts().store_path}


async def reset_session(call: Call) -> object:
    """`sessions.reset`."""
    reason: Literal["reset", "new"] = "new" if call.params.text("reason") == "new" else "reset"
    return _changed(call, await call.gateway.sessions.reset(call.key("key"), reason=reason, who=call.caller.who))


async def delete_session(call: Call) -> object:
    """`sessions.delete`."""
    deleted = await call.gateway.sessions.delete(
        call.key("key"), delete_transcript=call.params.flag("deleteTranscript", default=True), who=call.caller.who
    )
    return {"ok": True, "key": deleted.key, "deleted": deleted.deleted, "archived": list(deleted.archived)}


def _changed(call: Call, view: SessionView) -> dict[str, object]:
    """What every method answers that changed a session."""
    key: SessionKey = view.session.key
    resolved = {"modelProvider": view.session.counters.model_provider, "model": view.session.counters.model}
    return {"ok": True, "key": key, "entry": _entry(call, view), "resolved": resolved}


def _entry(call: Call, view: SessionView) -> dict[str, object]:
    row = build_row(view.session, view.active_run_ids)
    entry = build_entry(view.session, is_owner=call.sight.sees_all)
    return {**entry, "archived": row["archived"], "pinned": row["pinned"]}


HANDLERS: Final[Mapping[str, Handler]] = {
    "sessions.list": list_sessions,
    "sessions.get": get_session,
    "sessions.describe": describe_session,
    "sessions.preview": preview_sessions,
    "sessions.search": search_sessions,
    "sessions.resolve": resolve_session,
    "sessions.create": create_session,
    "sessions.patch": patch_session,
    "sessions.reset": reset_session,
    "sessions.delete": delete_session,
}
