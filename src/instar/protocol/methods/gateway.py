"""Methods about agents, models and the gateway itself (RPC-19…22)."""

from __future__ import annotations

from typing import Final

from instar.protocol.methods.row import (
    AGENT,
    ATTACHMENTS,
    IDEMPOTENCY_REQUIRED,
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

AGENTS: Final = (
    Method(
        name="agent",
        scope=WRITE,
        summary="a message to an agent: to its main session, or to the session that is named",
        result="`{runId, status: accepted, acceptedAt, sessionKey}`",
        rule="RPC-19",
        side_effect=True,
        durable=True,
        fields=(
            Field(name="message", required=True, least=1, note="at most 1 MiB of UTF-8"),
            IDEMPOTENCY_REQUIRED,
            text("sessionKey", most=SESSION_KEY_MAX_CHARS),
            AGENT,
            Field(name="model", most=512),
            Field(name="thinking", most=64),
            flag("deliver"),
            ATTACHMENTS,
            whole("timeout", most=TIMEOUT_MAX_MS // 1000, note="seconds"),
            Field(name="channel", nullable=True, most=256, note="the channel of a bare `group:<id>` (KEY-14)"),
            *ignored(
                "provider to replyTo sessionId expectedExistingSessionId replyChannel accountId "
                "replyAccountId threadId groupId groupChannel groupSpace bestEffortDeliver lane cwd "
                "cleanupBundleMcpOnRunEnd modelRun promptMode extraSystemPrompt bootstrapContextMode "
                "bootstrapContextRunKind acpTurnSource internalRuntimeHandoffId internalExecutionIdentityRetry "
                "internalExecutionIdentityRecoveryAttempt execApprovalFollowupExpectedSessionId internalEvents "
                "inputProvenance suppressPromptPersistence sessionEffects sourceReplyDeliveryMode "
                "disableMessageTool swarmCollector swarmOutputSchema forceRestartSafeTools forceCodeModeTools "
                "voiceWakeTrigger label"
            ),
        ),
    ),
    Method(
        name="agent.wait",
        scope=WRITE,
        summary="wait for a run to end",
        waits=True,
        result="`{runId, status: ok|error|aborted|timeout, startedAt, endedAt, error}`",
        rule="RPC-19",
        fields=(
            text("runId", required=True, most=512),
            whole("timeoutMs", most=600_000, note="default 30000, at most 600000"),
        ),
    ),
    Method(
        name="agent.identity.get",
        scope=READ,
        summary="an agent's name",
        result="`{agentId, name}`",
        rule="RPC-22",
        fields=(AGENT, text("sessionKey", most=SESSION_KEY_MAX_CHARS)),
    ),
    Method(
        name="agents.list",
        scope=READ,
        summary="the configured agents",
        result="`{defaultId, mainKey, scope, agents}`",
        rule="RPC-22",
    ),
    Method(
        name="models.list",
        scope=READ,
        summary="the models that may be chosen",
        result="`{models}`",
        rule="RPC-22",
        fields=ignored("agentId includeProviderCapabilities preparedOnly refresh view sessionKey"),
    ),
    Method(
        name="commands.list",
        scope=READ,
        summary="the chat commands",
        result="`{commands}`",
        rule="RPC-22",
        fields=ignored("sessionKey agentId provider scope includeArgs"),
    ),
)

GATEWAY: Final = (
    Method(
        name="health",
        scope=READ,
        summary="whether the gateway works, with its channels and newest sessions",
        result="`{ok, ts, durationMs, channels, defaultAgentId, agents, sessions}`",
        rule="RPC-21",
        fields=ignored("probe"),
    ),
    Method(
        name="status",
        scope=READ,
        summary="gateway, channels, session store, newest sessions",
        result="`{runtimeVersion, gateway, channels, config, sessions, store}`",
        rule="RPC-21",
        fields=ignored("includeChannelSummary"),
    ),
)
