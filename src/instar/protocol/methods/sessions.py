"""Methods about sessions (RPC-1…14)."""

from __future__ import annotations

from typing import Final

from instar.protocol.methods.row import (
    ADMIN,
    AGENT,
    ATTACHMENTS,
    KEY,
    LIMIT_200,
    MESSAGE,
    OFFSET_MAX,
    QUEUE_MODE,
    READ,
    SESSION_KEY_MAX_CHARS,
    TIMEOUT_MAX_MS,
    WRITE,
    Method,
    flag,
    ignored,
    text,
    whole,
)
from instar.protocol.params import Field

SESSIONS: Final = (
    Method(
        name="sessions.list",
        scope=READ,
        summary="sessions, pinned ones first, then the newest first",
        result="`{ts, path, count, totalCount, limitApplied, hasMore, nextOffset, defaults, sessions: [row]}`",
        rule="RPC-1, RPC-32",
        fields=(
            whole("limit", least=1, most=10_000, note="without it: all rows in protocol 3, 100 in protocol 4"),
            whole("offset", most=OFFSET_MAX),
            whole("activeMinutes", least=1, most=10_000_000),
            flag("includeGlobal"),
            flag("includeUnknown"),
            flag("includeDerivedTitles"),
            flag("includeLastMessage"),
            text("label", most=512),
            text("spawnedBy", most=SESSION_KEY_MAX_CHARS),
            AGENT,
            Field(name="search", most=512),
            Field(name="archived", kinds=("boolean", "string"), choices=("all",)),
            *ignored(
                "requireLastInteraction sortBy configuredAgentsOnly boardFace creatorId ownerId ownerFirst "
                "involvingMe involvingProfileId includePeople"
            ),
        ),
    ),
    Method(
        name="sessions.get",
        scope=READ,
        summary="the messages of one session, by its key",
        result="`{messages}`",
        rule="RPC-4",
        fields=(KEY, LIMIT_200, *ignored("agentId")),
    ),
    Method(
        name="sessions.describe",
        scope=READ,
        summary="one session with every field of its entry",
        result="`{session: row and entry, or null}`",
        rule="RPC-4",
        fields=(KEY, flag("includeDerivedTitles"), flag("includeLastMessage"), *ignored("agentId")),
    ),
    Method(
        name="sessions.preview",
        scope=READ,
        summary="the last words of up to 64 sessions",
        result="`{ts, previews: [{key, status: ok|empty|missing|error, items: [{role, text}]}]}`",
        rule="RPC-2",
        fields=(
            Field(
                name="keys",
                kinds=("array",),
                required=True,
                least=1,
                items=text("key", most=SESSION_KEY_MAX_CHARS),
                note="the first 64 are used",
            ),
            whole("limit", least=1, most=100, note="items of each session, default 12"),
            whole("maxChars", least=20, most=20_000, note="of each item, default 240"),
        ),
    ),
    Method(
        name="sessions.search",
        scope=READ,
        summary="messages of people and agents in which all words of the query occur, the newest first",
        result="`{results: [{sessionKey, sessionId, messageId, timestamp, role, excerpt, snippet, score}], indexing?, "
        "encrypted?}`",
        rule="RPC-24, SEARCH-1…6",
        fields=(
            text("query", required=True, most=4096, note="words; no sign in it is an operator"),
            whole("limit", least=1, most=100, note="default 20"),
            AGENT,
            Field(
                name="sessionKeys",
                kinds=("array",),
                least=1,
                most=200,
                items=text("key", most=SESSION_KEY_MAX_CHARS),
                note="only in these sessions",
            ),
        ),
    ),
    Method(
        name="sessions.resolve",
        scope=READ,
        summary="the key that a key, session id or label means",
        result="`{ok, key, agentId}`",
        rule="RPC-3, RESOLVE-1…3",
        fields=(
            text("key", most=SESSION_KEY_MAX_CHARS),
            text("sessionId", most=256),
            text("label", most=512),
            AGENT,
            text("spawnedBy", most=SESSION_KEY_MAX_CHARS),
            flag("includeGlobal"),
            flag("includeUnknown"),
            flag("allowMissing", note="not found answers `{ok: false}`"),
            *ignored("shortId slugHint"),
        ),
    ),
    Method(
        name="sessions.create",
        scope=WRITE,
        summary="a new session",
        result="`{ok, key, sessionId, entry}`",
        rule="RPC-5",
        side_effect=True,
        fields=(
            text("key", most=SESSION_KEY_MAX_CHARS),
            AGENT,
            text("label", most=512),
            text("model", most=512),
            text("thinkingLevel", most=64),
            text("parentSessionKey", most=SESSION_KEY_MAX_CHARS),
            flag("fork"),
            flag("incognito", note="it lives in the gateway's memory alone, under a key that is drawn (KEY-22)"),
            *ignored(
                "displayName category contextWindow fastMode permissionMode toolOverrides visibility "
                "catalogId spawnDepth forkFrom emitCommandHooks succeedsParent task message attachments projectId "
                "projectGitUrl worktree worktreeBaseRef worktreeName execNode cwd"
            ),
        ),
    ),
    Method(
        name="sessions.patch",
        scope=ADMIN,
        summary="change settings of one session; null removes one",
        result="`{ok, path, key, entry}`",
        rule="RPC-6, PATCH-1…16",
        side_effect=True,
        fields=(
            KEY,
            *(
                Field(name=name, kinds=("string",), nullable=True)
                for name in (
                    "label",
                    "model",
                    "thinkingLevel",
                    "verboseLevel",
                    "reasoningLevel",
                    "elevatedLevel",
                    "responseUsage",
                    "execHost",
                    "execSecurity",
                    "execAsk",
                    "execNode",
                    "queueMode",
                    "queueDrop",
                    "groupActivation",
                    "activationMode",
                    "sendPolicy",
                    "spawnedBy",
                )
            ),
            *(
                Field(name=name, kinds=("integer",), nullable=True)
                for name in ("queueDebounceMs", "queueCap", "spawnDepth")
            ),
            *(
                Field(name=name, kinds=("boolean",), nullable=True)
                for name in ("archived", "pinned", "unread", "sandboxMode")
            ),
            *ignored(
                "agentId expectedSessionId expectedLifecycleRevision expectedPermissionMode expectedToolOverrides "
                "expectedMarkedUnreadAt icon color category boardFace statusNote attention ttlMinutes contextWindow "
                "fastMode toolOverrides traceLevel permissionMode completionOwnerSessionKey "
                "inheritedToolPolicyVersion inheritedToolAllow inheritedToolDeny"
            ),
        ),
    ),
    Method(
        name="sessions.reset",
        scope=ADMIN,
        summary="close the transcript and begin a new one under the same key",
        result="`{ok, key, entry}`",
        rule="RPC-7, RPC-34",
        side_effect=True,
        fields=(KEY, Field(name="reason", choices=("new", "reset")), *ignored("agentId")),
    ),
    Method(
        name="sessions.delete",
        scope=ADMIN,
        summary="remove a session; its transcript is archived",
        result="`{ok, key, deleted, archived: [paths]}`",
        rule="RPC-8, RPC-35",
        side_effect=True,
        fields=(
            KEY,
            flag("deleteTranscript", note="default true"),
            *ignored(
                "agentId expectedSessionId expectedLifecycleRevision expectedSessionUpdatedAt emitLifecycleHooks "
                "archivedOnly"
            ),
        ),
    ),
    Method(
        name="sessions.subscribe",
        scope=READ,
        summary="`sessions.changed` and `session.message` of every session until the socket closes",
        result="`{subscribed: true}`",
        rule="RPC-13",
    ),
    Method(
        name="sessions.messages.subscribe",
        scope=READ,
        summary="`session.message` of one session until the socket closes",
        result="`{subscribed: true, key}`",
        rule="RPC-13",
        fields=(KEY, *ignored("agentId includeApprovals")),
    ),
    Method(
        name="sessions.messages.unsubscribe",
        scope=READ,
        summary="end of `sessions.messages.subscribe`",
        result="`{subscribed: false, key}`",
        rule="RPC-13",
        fields=(KEY, *ignored("agentId")),
    ),
    Method(
        name="sessions.send",
        scope=WRITE,
        summary="a message to a session, like `chat.send`",
        result="`{runId, status}`",
        rule="RPC-14",
        side_effect=True,
        durable=True,
        fields=(
            KEY,
            MESSAGE,
            text("thinking", most=64),
            ATTACHMENTS,
            whole("timeoutMs", most=TIMEOUT_MAX_MS),
            QUEUE_MODE,
            *ignored("agentId"),
        ),
    ),
    Method(
        name="sessions.steer",
        scope=WRITE,
        summary="a message that is put into the running turn, or begins one",
        result="`{runId, status}`",
        rule="RPC-14, QUEUE-3",
        side_effect=True,
        durable=True,
        fields=(
            KEY,
            MESSAGE,
            text("thinking", most=64),
            ATTACHMENTS,
            whole("timeoutMs", most=TIMEOUT_MAX_MS),
            *ignored("agentId"),
        ),
    ),
    Method(
        name="sessions.abort",
        scope=WRITE,
        summary="stop the running turn, like `chat.abort`",
        result="`{ok, aborted, runIds}`",
        rule="RPC-17",
        side_effect=True,
        fields=(
            text("key", most=SESSION_KEY_MAX_CHARS),
            text("runId", most=512, note="`key`, `runId` or both"),
            *ignored("agentId clearQueued"),
        ),
    ),
)
