"""Methods that look after sessions: compact, resume, export, usage, cleanup (RPC-9…12, LOSS-6, LOSS-9)."""

from __future__ import annotations

from typing import Final

from instar.protocol.methods.row import (
    ADMIN,
    AGENT,
    KEY,
    READ,
    SESSION_KEY_MAX_CHARS,
    Method,
    flag,
    ignored,
    text,
    whole,
)
from instar.protocol.params import Field

__all__ = ["UPKEEP"]

UPKEEP: Final = (
    Method(
        name="sessions.compact",
        scope=ADMIN,
        summary="summarise the older part of a session; with `undo` take the newest compaction back",
        result="`{ok, key, compacted, reason?, kept?, archived?, result {tokensBefore, tokensAfter}}`",
        rule="RPC-9, COMPACT-20…25, LOSS-9",
        side_effect=True,
        fields=(
            KEY,
            whole("maxLines", least=1, most=1_000_000, note="keep the last lines instead of summarising"),
            text("instructions", most=16_384),
            flag("undo"),
            *ignored("agentId"),
        ),
    ),
    Method(
        name="sessions.resume",
        scope=ADMIN,
        summary="make a closed transcript of a session current again",
        result="`{ok, key, sessionId}`",
        rule="LOSS-6",
        side_effect=True,
        fields=(KEY, text("sessionId", most=256, note="its beginning is enough; without it the last one closed")),
    ),
    Method(
        name="sessions.export",
        scope=READ,
        summary="a session as a document",
        result="`{ok, key, format, content}`",
        rule="RPC-11, CLI-20",
        fields=(
            KEY,
            Field(name="format", choices=("json", "jsonl", "markdown", "html"), note="default json"),
            text("sessionId", most=256, note="a closed life of the session"),
            flag("allBranches"),
            flag("raw", note="leave secrets in; needs operator.admin"),
            *ignored("agentId"),
        ),
    ),
    Method(
        name="sessions.usage",
        scope=READ,
        summary="what was spent, by agent, provider and model",
        result="`{updatedAt, totals, byModel: [row], budgets?: [{per, action, limitUsd, spentUsd, forecastUsd}]}`",
        rule="RPC-12, LOSS-11, COST-2",
        fields=(
            text("key", most=SESSION_KEY_MAX_CHARS),
            AGENT,
            whole("days", least=1, most=3_650),
            *ignored(
                "limit startDate endDate includeContextWeight groupBy range utcOffset includeHistorical mode "
                "agentScope timeZone"
            ),
        ),
    ),
    Method(
        name="sessions.cleanup",
        scope=ADMIN,
        summary="plan maintenance, and carry it out where the configuration or `enforce` says so",
        result="MAINT-21",
        rule="RPC-10, MAINT-12…22",
        side_effect=True,
        fields=(
            text("agent", most=256),
            AGENT,
            flag("allAgents"),
            flag("enforce"),
            flag("dryRun"),
            text("activeKey", most=SESSION_KEY_MAX_CHARS),
            flag("fixMissing"),
            flag("fixDmScope"),
        ),
    ),
)
