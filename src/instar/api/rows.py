"""Rows of session lists, from a session's values (RPC-31, ENTRY-10, ENTRY-11, ENTRY-13)."""

from __future__ import annotations

from collections.abc import Sequence

from instar.core.lifecycle.group_name import name_session
from instar.core.model.fields import OWNER_FIELDS, format_session
from instar.core.model.ids import TurnId
from instar.core.model.session import Lifecycle, Session
from instar.core.model.view import GatewayFacts, SessionView
from instar.core.routing.grammar import is_incognito_key, row_kind

__all__ = ["build_defaults", "build_entry", "build_row", "build_view_row"]


def build_entry(session: Session, *, is_owner: bool) -> dict[str, object]:
    """The entry of a session: the whole of it for the gateway's owner, for a person what is theirs to know (LEAK-4)."""
    entry = format_session(session)
    return entry if is_owner else {name: value for name, value in entry.items() if name not in OWNER_FIELDS}


def build_view_row(view: SessionView) -> dict[str, object]:
    """The row of a session with the texts that were asked for."""
    row = build_row(view.session, view.active_run_ids)
    row["stateVersion"] = view.state_version
    if view.derived_title is not None:
        row["derivedTitle"] = view.derived_title
    if view.last_message is not None:
        row["lastMessagePreview"] = view.last_message
    return row


def build_row(session: Session, active_run_ids: Sequence[TurnId] = ()) -> dict[str, object]:
    """The row of a session; fields without a value are left out."""
    entry = {name: value for name, value in format_session(session).items() if name not in OWNER_FIELDS}
    counters = session.counters
    name = name_session(session)
    if name is not None:
        entry["displayName"] = name
    if is_incognito_key(session.key):
        entry["incognito"] = True
    return {
        "key": session.key,
        **entry,
        "agentId": session.agent_id,
        "kind": row_kind(session.key, chat_type=session.origin.chat_type),
        "totalTokens": counters.total_tokens or counters.input_tokens + counters.output_tokens,
        "archived": session.lifecycle.archived_at is not None,
        "pinned": session.lifecycle.pinned_at is not None,
        "unread": is_unread(session.lifecycle),
        "hasActiveRun": bool(active_run_ids),
        "activeRunIds": list(active_run_ids),
    }


def is_unread(lifecycle: Lifecycle) -> bool:
    """Whether a person marked the session unread, or it was used since they last read it (ENTRY-13).

    A session that was never read is not unread: nobody has begun to follow it.
    """
    if lifecycle.marked_unread_at is not None:
        return True
    read_at, used_at = lifecycle.last_read_at, lifecycle.last_activity_at
    return read_at is not None and used_at is not None and used_at > read_at


def build_defaults(facts: GatewayFacts) -> dict[str, object]:
    """What holds for a session that sets nothing of its own."""
    model = facts.model
    return {
        "modelProvider": model.provider if model else None,
        "model": model.id if model else None,
        "contextTokens": model.context_window if model else None,
    }
