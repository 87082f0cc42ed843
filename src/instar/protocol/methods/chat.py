"""Methods of a conversation (RPC-15…18)."""

from __future__ import annotations

from typing import Final

from instar.protocol.methods.row import (
    ADMIN,
    ATTACHMENTS,
    IDEMPOTENCY_REQUIRED,
    LIMIT_200,
    MESSAGE,
    OFFSET_MAX,
    QUEUE_MODE,
    READ,
    SESSION_KEY,
    TIMEOUT_MAX_MS,
    WRITE,
    Method,
    flag,
    ignored,
    text,
    whole,
)
from instar.protocol.params import Field

CHAT: Final = (
    Method(
        name="chat.history",
        scope=READ,
        summary="the newest messages of a session, oldest of them first, at most 6 MiB",
        result="`{sessionKey, sessionId, messages, thinkingLevel, hasMore, totalMessages}`",
        rule="RPC-15, RPC-37",
        fields=(
            SESSION_KEY,
            LIMIT_200,
            whole("offset", most=OFFSET_MAX, note="skips the newest so many"),
            whole("maxBytes", least=1, most=6 * 1024 * 1024),
            whole("maxChars", least=1, most=500_000, note="longest text of one message"),
            *ignored("agentId cursor pendingBefore inputRunIds messageId sessionId"),
        ),
    ),
    Method(
        name="chat.startup",
        scope=READ,
        summary="what a chat page needs first: history, models, agents, commands",
        result="`chat.history` and `{metadata: {models, agents, commands, defaults}}`",
        rule="RPC-15",
        fields=(
            SESSION_KEY,
            LIMIT_200,
            whole("maxBytes", least=1, most=6 * 1024 * 1024),
            whole("maxChars", least=1, most=500_000),
            *ignored("agentId cursor offset pendingBefore inputRunIds messageId sessionId"),
        ),
    ),
    Method(
        name="chat.metadata",
        scope=READ,
        summary="models, agents and commands for a chat page",
        result="`{models, agents, commands, defaults}`",
        rule="RPC-22",
        fields=ignored("agentId sessionKey"),
    ),
    Method(
        name="chat.send",
        scope=WRITE,
        summary="a message to a session; the answer comes as `chat` events",
        result="`{runId, status: started|in_flight|ok|error}`",
        rule="RPC-16, RPC-36, LOSS-1",
        side_effect=True,
        durable=True,
        fields=(
            SESSION_KEY,
            MESSAGE,
            IDEMPOTENCY_REQUIRED,
            text("thinking", most=64),
            flag("deliver", note="send the answer to the session's channel as well"),
            ATTACHMENTS,
            whole("timeoutMs", most=TIMEOUT_MAX_MS),
            QUEUE_MODE,
            text("replyToId", most=512),
            Field(
                name="sessionId",
                nullable=True,
                most=512,
                note="the session shown; it goes on for this message (RESET-28)",
            ),
            Field(
                name="originatingChannel", nullable=True, most=256, note="the channel of a bare `group:<id>` (KEY-14)"
            ),
            *ignored(
                "agentId intent fastMode fastAutoOnSeconds originatingTo "
                "originatingAccountId originatingThreadId toolBindings systemInputProvenance systemProvenanceReceipt "
                "suppressCommandInterpretation expectedLeafEntryId expectedSessionRoutingContract "
                "expectedPermissionMode expectedToolOverrides"
            ),
        ),
    ),
    Method(
        name="chat.abort",
        scope=WRITE,
        summary="stop the running turn",
        result="`{ok, aborted, runIds}`",
        rule="RPC-17",
        side_effect=True,
        fields=(SESSION_KEY, text("runId", most=512), *ignored("agentId preserveSideRuns")),
    ),
    Method(
        name="chat.inject",
        scope=ADMIN,
        summary="a line in the transcript that no model wrote",
        result="`{ok, messageId}`",
        rule="RPC-18",
        side_effect=True,
        fields=(
            SESSION_KEY,
            Field(name="message", required=True, least=1, note="at most 1 MiB of UTF-8"),
            Field(name="label", most=100),
            *ignored("agentId"),
        ),
    ),
)
