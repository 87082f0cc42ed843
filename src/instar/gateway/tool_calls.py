"""Running one tool call for a turn: find the tool, call it, and turn every failure into a result.

A tool is somebody else's code. Whatever it raises becomes an error result for the model, so that the call is never
left without one and the turn goes on. A call that was cut off with its gateway is never run again: it gets a result
that says so, before anything else happens in its session (LOSS-4).
"""

from __future__ import annotations

from collections.abc import Mapping

import structlog

from instar.core.model.change import SessionChange, SessionFacts
from instar.core.model.entry import TextBlock, ToolCall
from instar.core.model.ids import EntryId, SessionId, SessionKey
from instar.core.turn.recover import INTERRUPTED_TEXT, SKIPPED_TEXT, find_open_calls
from instar.core.turn.steps import plan_tool_result
from instar.gateway.turn_services import TurnServices
from instar.gateway.waiting import within
from instar.ports.clock import Clock
from instar.ports.tool import Tool, ToolContext, ToolOutput

__all__ = ["INTERRUPTED", "SKIPPED", "call_tool", "close_cut_calls", "plan_result"]

INTERRUPTED = ToolOutput(content=(TextBlock(text=INTERRUPTED_TEXT),), is_error=True)
SKIPPED = ToolOutput(content=(TextBlock(text=SKIPPED_TEXT),), is_error=True)

CUT_ENTRIES = 1_000
"""How far back a call that was cut off is looked for; one turn writes a few dozen entries."""

TOOL_TIMEOUT_S = 600.0
"""The longest a single tool call may take; tools with limits of their own end sooner."""

log = structlog.get_logger(__name__)


async def call_tool(tools: Mapping[str, Tool], call: ToolCall, context: ToolContext, *, clock: Clock) -> ToolOutput:
    """Run the tool that the model asked for; every failure but cancellation comes back as an error result."""
    tool = tools.get(call.name)
    if tool is None:
        known = ", ".join(sorted(tools)) or "none"
        return _failed(f"There is no tool named {call.name!r}. Tools of this session: {known}.")
    try:
        return await within(clock, TOOL_TIMEOUT_S, tool.call(context, call.arguments))
    except TimeoutError:
        return _failed(f"The tool {call.name} was stopped after {TOOL_TIMEOUT_S:.0f} seconds.")
    except Exception as error:
        # A job boundary (style, section 6): the tool is foreign code, and its call must not stay without a result.
        log.exception("tool_failed", tool=call.name, session_key=context.session_key)
        return _failed(f"The tool {call.name} failed: {error}")


def _failed(text: str) -> ToolOutput:
    return ToolOutput(content=(TextBlock(text=text),), is_error=True)


def plan_result(
    facts: SessionFacts, call: ToolCall, output: ToolOutput, *, session_id: SessionId, entry_id: EntryId
) -> SessionChange:
    """The commit of what a call gave back."""
    return plan_tool_result(
        facts,
        call,
        session_id=session_id,
        entry_id=entry_id,
        content=output.content,
        is_error=output.is_error,
        details=output.details,
        decisions=output.decisions,
    )


async def close_cut_calls(services: TurnServices, key: SessionKey) -> None:
    """Give every call of a session that has no result one that says that it was cut off.

    Only for a session in which nothing runs yet. Raises `StoreError`; called again it goes on with what is left.
    """
    store = services.parts.store
    session = await store.load_session(key)
    if session is None:
        return
    page = await store.load_entries(session.session_id, limit=CUT_ENTRIES)
    for call in find_open_calls([stored.entry for stored in page.entries]):
        entry_id = services.ids.entry_id()
        changed = await services.change(
            "append_tool_result",
            key,
            lambda facts, call=call, entry_id=entry_id: plan_result(  # type: ignore[misc]  # bound for this call
                facts, call, INTERRUPTED, session_id=session.session_id, entry_id=entry_id
            ),
        )
        services.tell_messages(session.agent_id, changed)
