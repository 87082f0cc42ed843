"""Gathers what fills a session's window, for `/context` (STATUS-10…14, WHY-7)."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Final

from instar.core.context.tokens import json_chars
from instar.core.explain.window import (
    USAGE,
    ToolSize,
    WindowNumbers,
    WindowReport,
    build_window_fields,
    format_window_report,
    parse_window_report,
    tell_window,
)
from instar.core.model.change import SessionChange
from instar.core.model.ids import AgentId, SessionKey
from instar.core.model.session import Session
from instar.core.policy.command_kinds import ContextReport
from instar.core.routing.key import parse_key
from instar.gateway.sandboxing import describe_tools_place
from instar.gateway.tool_policy import choose_tools
from instar.gateway.turn_services import TurnServices
from instar.gateway.window_now import load_window

__all__ = ["REPORT_FIELD", "describe_context", "with_report"]

REPORT_FIELD: Final = "systemPromptReport"
"""The field of a session row that says what its last run was told before the conversation."""


async def describe_context(services: TurnServices, key: SessionKey, command: ContextReport) -> str:
    """The answer to `/context`; costs no model call and changes nothing."""
    if command.sub is None:
        return f"“{command.given}” is nothing that /context shows. {USAGE}"
    if command.sub == "help":
        return USAGE
    parts = services.parts
    session = await parts.store.load_session(key)
    config = parts.config()
    agent_id = parse_key(key, main_key=config.routing.keys.main_key).agent_id or config.agents.default_id
    stored = parse_window_report(session.extra.get(REPORT_FIELD)) if session else None
    report = stored or await _estimate(services, agent_id, key, session)
    numbers = await _count(services, agent_id, key, session)
    if command.sub == "json":
        return json.dumps(build_window_fields(report, numbers), ensure_ascii=False, indent=2)
    return tell_window(report, numbers, detail=command.sub == "detail")


def with_report(services: TurnServices, change: SessionChange) -> SessionChange:
    """The change of an answer with the report of its request in the session's row, where it is another than before."""
    session = change.session
    text = services.parts.texts.last_report(session.agent_id) if session is not None else None
    if session is None or text is None:
        return change
    parts = services.parts
    report = WindowReport.of(
        text,
        _tool_sizes(services, session),
        source="run",
        at=services.clock.now(),
        workspace=parts.config().workspace(session.agent_id),
        sandbox=describe_tools_place(parts.config(), session.agent_id, session.key, session),
    )
    fresh, old = format_window_report(report), session.extra.get(REPORT_FIELD)
    if isinstance(old, dict) and {**old, "generatedAt": None} == {**fresh, "generatedAt": None}:
        return change
    return replace(change, session=replace(session, extra={**session.extra, REPORT_FIELD: fresh}))


async def _estimate(
    services: TurnServices, agent_id: AgentId, key: SessionKey, session: Session | None
) -> WindowReport:
    parts = services.parts
    return WindowReport.of(
        await parts.texts.report(agent_id),
        _tool_sizes(services, session),
        source="estimate",
        at=services.clock.now(),
        workspace=parts.config().workspace(agent_id),
        sandbox=describe_tools_place(parts.config(), agent_id, key, session),
    )


def _tool_sizes(services: TurnServices, session: Session | None) -> list[ToolSize]:
    parts = services.parts
    tools = parts.tools if session is None else choose_tools(parts.config(), parts.tools, session, item=None)
    return [
        ToolSize(
            name=spec.name,
            summary_chars=len(spec.name) + len(spec.description),
            schema_chars=json_chars(spec.parameters),
            parameters=len(properties) if isinstance(properties := spec.parameters.get("properties"), dict) else 0,
        )
        for spec in (tool.spec for tool in tools.values())
    ]


async def _count(services: TurnServices, agent_id: AgentId, key: SessionKey, session: Session | None) -> WindowNumbers:
    """The three numbers, from the row, the transcript and the catalogue (STATUS-3)."""
    model = services.resolve_model(session, None) if session else services.parts.models.default_of(agent_id)
    window = await load_window(services.parts, session)
    return WindowNumbers(
        key=key,
        now=services.clock.now(),
        used=window.tokens,
        source=window.source,
        counted_at=window.measured_at,
        billed_in=session.counters.input_tokens if session else 0,
        billed_out=session.counters.output_tokens if session else 0,
        limit=model.context_window,
    )
