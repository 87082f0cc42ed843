"""The flat, camel-case form of a session that files and the wire show (section 4.2 of the spec, ENTRY-1…8).

One table names every field with the group and attribute it comes from; fields that are None or empty are left out, so
that absent means "not set" (PATCH-1). What this build does not know stands in `Session.extra` and is put back as it
was; a field that this build knows always wins over a stale one there.
"""

from __future__ import annotations

from collections.abc import Mapping
from operator import attrgetter
from typing import Final

from instar.core.model.session import Session

__all__ = ["SESSION_FIELDS", "format_session"]

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
    return {**session.extra, **entry}


def _group(value: object, names: Mapping[str, str]) -> dict[str, object]:
    """The attributes that are set, under their names in files."""
    fields = ((name, getattr(value, attribute)) for name, attribute in names.items())
    return {name: part for name, part in fields if part is not None}
