"""What every column of every table may hold about a person, and what takes it out (LEAK-11).

A table or a column that is not named here fails a test, so nobody can add a place for words or identity that an
erasure does not know. Tables are emptied in this order.

`erased_by` names the queries of ``erase.sql`` that empty a table of a person; where rows must
be read to know what they hold, `rewritten_by` names the function that does it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

__all__ = ["TABLES", "Table"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """A table's columns: those that hold `words`, those that hold `identity`, and `neither`."""

    words: tuple[str, ...] = ()
    identity: tuple[str, ...] = ()
    neither: tuple[str, ...] = ()
    erased_by: tuple[str, ...] = ()
    rewritten_by: str = ""


TABLES: Final[Mapping[str, Table]] = {
    "meta": Table(neither=("name", "value")),
    "sessions": Table(
        words=("label", "names", "fields"),
        identity=("key", "owner", "spawned_by"),
        neither=("id", "agent_id", "session_id", "kind", "archived", "pinned", "updated_at"),
        rewritten_by="rows.erase_session, rows.clean_shared",
    ),
    "session_counts": Table(neither=("agent_id", "kind", "archived", "sessions")),
    "transcripts": Table(
        words=("header",),
        identity=("key",),
        neither=("id", "session_id", "began_at", "closed_at", "close_reason", "is_linear", "context_seq", "leaf_seq"),
        rewritten_by="rows.erase_session",
    ),
    "entries": Table(
        words=("line",),
        neither=("transcript", "seq", "id", "parent_seq", "type", "at", "tokens", "messages", "bytes"),
        rewritten_by="rows.erase_session, rows.rewrite_transcript",
    ),
    "search_rows": Table(neither=("id", "transcript", "seq")),
    "search_marks": Table(neither=("transcript", "seq", "leaf_seq")),
    "search": Table(words=("words",), rewritten_by="search.unindex_transcript, search.reindex_line"),
    "inbox": Table(
        words=("submission", "attachments"),
        identity=("session_key", "message_id", "acknowledgement", "acceptance"),
        neither=(
            "seq",
            "inbound_id",
            "channel",
            "account_id",
            "state",
            "turn_id",
            "reason",
            "received_at",
            "ended_at",
            "left_out",
        ),
        erased_by=("erase_inbox",),
        rewritten_by="rows.clean_shared",
    ),
    "outbox": Table(
        words=("text",),
        identity=("session_key", "target", "platform_id"),
        neither=(
            "seq",
            "delivery_id",
            "channel",
            "turn_id",
            "state",
            "reason",
            "hand_outs",
            "created_at",
            "next_at",
            "ended_at",
        ),
        erased_by=("erase_outbox",),
        rewritten_by="rows.clean_shared",
    ),
    "decisions": Table(
        identity=("session_key", "outcome", "inputs", "who"),
        neither=("id", "at", "inbound_id", "turn_id", "kind", "rule"),
        erased_by=("erase_decisions", "erase_actor"),
        rewritten_by="rows.clean_shared",
    ),
    "usage": Table(
        identity=("session_key", "turn_id", "principal"),
        neither=(
            "id",
            "at",
            "session_id",
            "agent_id",
            "provider",
            "model",
            "purpose",
            "input_tokens",
            "output_tokens",
            "cost_usd",
            "cache_read_tokens",
            "cache_write_tokens",
            "channel",
        ),
        erased_by=("erase_usage_session", "erase_usage_principal"),
    ),
    "lanes": Table(identity=("session_key",), neither=("owner", "fence", "expires_at"), erased_by=("erase_lanes",)),
    "mirror": Table(identity=("owner", "path"), neither=("seq", "size", "changed_ns"), erased_by=("erase_mirror",)),
    "pairings": Table(
        words=("name",),
        identity=("peer_id", "session_key", "approved_by"),
        neither=("channel", "account_id", "chat_type", "approved_at"),
        erased_by=("erase_pairings", "erase_approver"),
        rewritten_by="rows.clean_shared",
    ),
    "pairing_codes": Table(
        words=("name",),
        identity=("peer_id", "session_key", "target"),
        neither=("code", "channel", "account_id", "chat_type", "created_at", "told_at", "expires_at"),
        erased_by=("erase_pairing_codes",),
    ),
    "devices": Table(
        words=("name",),
        identity=("approved_by",),
        neither=("device_id", "public_key", "platform", "client", "scopes", "token_id", "approved_at"),
        erased_by=("erase_devices", "erase_device_approver"),
        rewritten_by="rows.clean_shared",
    ),
    "device_requests": Table(
        words=("name",),
        neither=(
            "request_id",
            "device_id",
            "public_key",
            "platform",
            "client",
            "mode",
            "scopes",
            "reason",
            "address",
            "created_at",
            "expires_at",
        ),
        rewritten_by="rows.clean_shared",
    ),
    "tokens": Table(
        words=("label",),
        identity=("hash", "principal", "created_by"),
        neither=("id", "role", "scopes", "created_at", "expires_at", "last_used_at", "revoked_at"),
        erased_by=("erase_tokens", "erase_token_maker"),
        rewritten_by="rows.clean_shared",
    ),
    "members": Table(identity=("person", "session_key"), neither=("source", "since_at"), erased_by=("erase_members",)),
    "state_versions": Table(identity=("session_key",), neither=("version",), erased_by=("erase_state_versions",)),
    "state_log": Table(
        words=("summary",),
        identity=("session_key", "actor"),
        neither=("id", "sequence", "kind", "actor_type", "at"),
        erased_by=("erase_state_log", "erase_state_actor"),
        rewritten_by="rows.clean_shared",
    ),
    "state_watches": Table(identity=("watcher", "target"), neither=("cursor",), erased_by=("erase_state_watches",)),
    "notices": Table(
        words=("text",),
        identity=("session_key", "about"),
        neither=("id", "since", "version", "created_at"),
        erased_by=("erase_notices",),
        rewritten_by="rows.clean_shared",
    ),
    "run_lines": Table(
        words=("line",),
        identity=("session_key",),
        neither=("turn_id", "place"),
        erased_by=("erase_run_lines",),
    ),
    "erasures": Table(
        identity=("wanted", "pad", "receipt"),
        neither=("id", "began_at", "ended_at"),
        rewritten_by="eraser.Eraser, rows.clean_shared",
    ),
    "erased": Table(neither=("hash", "salt", "at")),
}
"""Every table of the database; the tables behind the index of words belong to `search`."""
