"""The flat, camel-case form of a session that files and the wire show (section 4.2 of the spec, ENTRY-1…8).

One table names every field with the group and attribute it comes from; fields that are None or empty are left out, so
that absent means "not set" (PATCH-1). What this build does not know stands in `Session.extra` and is put back as it
was; a field that this build knows always wins over a stale one there.

Reading trusts nothing: a known field that holds something else than it should is kept in `extra` like an unknown one,
so that a row of a foreign store loses nothing and never stops an import (LOSS-10).
"""

from __future__ import annotations

from collections.abc import Mapping
from operator import attrgetter
from typing import Any, Final, Literal

from instar.core.model.ids import AgentId, SessionId, SessionKey
from instar.core.model.session import Counters, Delivery, Lifecycle, Naming, Origin, Overrides, Session

__all__ = ["OWNER_FIELDS", "SESSION_FIELDS", "format_session", "parse_session", "rename_old_fields"]

SESSION_FIELDS: Final[Mapping[str, str]] = {
    "sessionId": "session_id",
    "sessionStartedAt": "lifecycle.started_at",
    "lastInteractionAt": "lifecycle.last_interaction_at",
    "updatedAt": "lifecycle.updated_at",
    "lastActivityAt": "lifecycle.last_activity_at",
    "archivedAt": "lifecycle.archived_at",
    "pinnedAt": "lifecycle.pinned_at",
    "lastReadAt": "lifecycle.last_read_at",
    "markedUnreadAt": "lifecycle.marked_unread_at",
    "createdAt": "lifecycle.created_at",
    "label": "naming.label",
    "displayName": "naming.display_name",
    "subject": "naming.subject",
    "groupChannel": "naming.group_channel",
    "space": "naming.space",
    "chatType": "origin.chat_type",
    "channel": "origin.channel",
    "groupId": "origin.group_id",
    "spawnedBy": "origin.spawned_by",
    "spawnDepth": "origin.spawn_depth",
    "forkedFromParent": "origin.forked_from",
    "parentSessionKey": "origin.parent_key",
    "lastChannel": "delivery.channel",
    "lastTo": "delivery.to",
    "lastAccountId": "delivery.account_id",
    "lastThreadId": "delivery.thread_id",
    "thinkingLevel": "overrides.thinking_level",
    "verboseLevel": "overrides.verbose_level",
    "reasoningLevel": "overrides.reasoning_level",
    "elevatedLevel": "overrides.elevated_level",
    "responseUsage": "overrides.response_usage",
    "ttsAuto": "overrides.tts_auto",
    "execHost": "overrides.exec_host",
    "execSecurity": "overrides.exec_security",
    "execAsk": "overrides.exec_ask",
    "execNode": "overrides.exec_node",
    "sendPolicy": "overrides.send_policy",
    "groupActivation": "overrides.group_activation",
    "groupActivationNeedsSystemIntro": "overrides.group_activation_needs_system_intro",
    "queueMode": "overrides.queue_mode",
    "queueDebounceMs": "overrides.queue_debounce_ms",
    "queueCap": "overrides.queue_cap",
    "queueDrop": "overrides.queue_drop",
    "sandboxMode": "overrides.sandbox_mode",
    "providerOverride": "overrides.provider_override",
    "modelOverride": "overrides.model_override",
    "authProfileOverride": "overrides.auth_profile_override",
    "authProfileOverrideSource": "overrides.auth_profile_override_source",
    "modelProvider": "counters.model_provider",
    "model": "counters.model",
    "inputTokens": "counters.input_tokens",
    "outputTokens": "counters.output_tokens",
    "totalTokens": "counters.total_tokens",
    "contextTokens": "counters.context_tokens",
    "compactionCount": "counters.compaction_count",
    "memoryFlushAt": "counters.memory_flush_at",
    "memoryFlushCompactionCount": "counters.memory_flush_compaction_count",
    "systemSent": "counters.system_sent",
    "abortedLastRun": "counters.aborted_last_run",
}
"""Name in files and on the wire → attribute of `Session`."""

_READ: Final = tuple((name, attrgetter(path)) for name, path in SESSION_FIELDS.items())

_ORIGIN: Final = {
    "label": "label",
    "provider": "provider",
    "surface": "surface",
    "chatType": "chat_type",
    "from": "from_id",
    "to": "to_id",
    "accountId": "account_id",
    "threadId": "thread_id",
}

_DELIVERY: Final = {"channel": "channel", "to": "to", "accountId": "account_id", "threadId": "thread_id"}


def format_session(session: Session) -> dict[str, object]:
    """The entry of a session as plain JSON values, without its key. Instants are epoch milliseconds.

    ``lastChannel`` and the like say the same as ``deliveryContext`` (ENTRY-3). ``lifecycleRevision`` is text, since
    clients of the protocol compare it as text.
    """
    entry: dict[str, object] = {name: value for name, read in _READ if (value := read(session)) is not None}
    if origin := _group(session.origin, _ORIGIN):
        entry["origin"] = origin
    if context := _group(session.delivery, _DELIVERY):
        entry["deliveryContext"] = context
    entry["lifecycleRevision"] = str(session.lifecycle.revision)
    for name in ("origin", "deliveryContext"):
        unknown = session.extra.get(name)
        if isinstance(unknown, Mapping):
            known = entry.get(name)
            entry[name] = {**unknown, **known} if isinstance(known, dict) else dict(unknown)
    return {**session.extra, **entry}


def _group(value: object, names: Mapping[str, str]) -> dict[str, object]:
    """The attributes that are set, under their names in files."""
    fields = ((name, getattr(value, attribute)) for name, attribute in names.items())
    return {name: part for name, part in fields if part is not None}


# --- reading ----------------------------------------------------------------------------------------------------------

_FLAGS: Final = frozenset(
    {"groupActivationNeedsSystemIntro", "sandboxMode", "systemSent", "abortedLastRun"},
)
_NUMBERS: Final = frozenset(
    name
    for name, path in SESSION_FIELDS.items()
    if path.startswith("lifecycle.") or name.endswith(("Tokens", "Count", "At", "Ms", "Cap", "Depth"))
)
_CHAT_TYPES: Final = frozenset({"direct", "group", "channel"})

OWNER_FIELDS: Final = frozenset(
    {"authProfileOverride", "authProfileOverrideSource", "skillsSnapshot", "systemPromptReport"}
)
"""Fields of an entry that are for the gateway's owner: which login pays, caches, where files lie (LEAK-4)."""

_NOT_KEPT: Final = frozenset({"sessionId", "sessionFile", "lifecycleRevision", "origin", "deliveryContext"})
"""Fields that are read by hand, and the path of a file that the mirror names itself."""

_OLD_NAMES: Final = {"provider": "channel", "lastProvider": "lastChannel", "room": "groupChannel"}


def rename_old_fields(entry: Mapping[str, object]) -> dict[str, object]:
    """The entry with fields of old stores under today's names, where today's name is absent (STORE-7)."""
    renamed = dict(entry)
    for old, new in _OLD_NAMES.items():
        if old in renamed and new not in renamed:
            renamed[new] = renamed.pop(old)
    return renamed


def parse_session(entry: Mapping[str, object], *, key: SessionKey, agent_id: AgentId) -> Session | None:
    """The session that an entry describes, None for one without a session id.

    Of the two spellings of where replies go, ``last…`` counts first and ``deliveryContext`` fills its gaps (ENTRY-3).
    """
    session_id = entry.get("sessionId")
    if not isinstance(session_id, str) or not session_id:
        return None
    groups: dict[str, dict[str, Any]] = {}  # Any: values go to attributes whose types `_read_field` has checked
    extra: dict[str, object] = {}
    for name, raw in entry.items():
        path = SESSION_FIELDS.get(name)
        value = _read_field(name, raw) if path is not None else None
        if path is not None and value is not None:
            group, _, attribute = path.rpartition(".")
            groups.setdefault(group, {})[attribute] = value
        elif name not in _NOT_KEPT and raw is not None:
            extra[name] = raw
    _fill(groups.setdefault("origin", {}), entry, "origin", _ORIGIN, extra)
    _fill(groups.setdefault("delivery", {}), entry, "deliveryContext", _DELIVERY, extra)
    lifecycle = groups.get("lifecycle", {})
    return Session(
        key=key,
        agent_id=agent_id,
        session_id=SessionId(session_id),
        lifecycle=Lifecycle(**lifecycle, revision=_read_revision(entry.get("lifecycleRevision"))),
        naming=Naming(**groups.get("naming", {})),
        origin=Origin(**groups["origin"]),
        delivery=Delivery(**groups["delivery"]),
        overrides=Overrides(**groups.get("overrides", {})),
        counters=Counters(**groups.get("counters", {})),
        extra=extra,
    )


def _read_field(name: str, raw: object) -> str | int | bool | None:
    """The value of a known field, None where it is of another kind than the field's."""
    if name in _FLAGS:
        return raw if isinstance(raw, bool) else None
    if name in _NUMBERS:
        return _read_number(raw)
    if name == "chatType":
        return raw if isinstance(raw, str) and raw in _CHAT_TYPES else None
    return _read_text(name, raw)


def _read_number(raw: object) -> int | None:
    if isinstance(raw, float) and raw.is_integer():
        return int(raw)
    return raw if isinstance(raw, int) and not isinstance(raw, bool) else None


def _read_text(name: str, raw: object) -> str | None:
    """Text; ids of threads and accounts may have been written as numbers."""
    if name.endswith(("ThreadId", "threadId", "AccountId", "accountId")) and _read_number(raw) is not None:
        return str(_read_number(raw))
    return raw if isinstance(raw, str) else None


def _read_revision(raw: object) -> int:
    if isinstance(raw, str) and raw.isascii() and raw.isdigit():
        return int(raw)
    return _read_number(raw) or 0


def _fill(
    group: dict[str, Any],  # Any: see `parse_session`
    entry: Mapping[str, object],
    field: Literal["origin", "deliveryContext"],
    names: Mapping[str, str],
    extra: dict[str, object],
) -> None:
    """Read a nested object into the gaps of a group; what is unknown in it is kept in `extra` under the same name."""
    nested = entry.get(field)
    if not isinstance(nested, Mapping):
        if nested is not None:
            extra[field] = nested
        return
    unknown: dict[str, object] = {}
    for name, raw in nested.items():
        attribute = names.get(name)
        value = _read_field(name, raw) if attribute is not None else None
        if attribute is not None and value is not None:
            group.setdefault(attribute, value)
        elif raw is not None:
            unknown[name] = raw
    if unknown:
        extra[field] = unknown
