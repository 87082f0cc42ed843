"""Running one tool call for a turn: find the tool, call it, and turn every failure into a result.

A tool is somebody else's code. Whatever it raises becomes an error result for the model, so that the call is never
left without one and the turn goes on.
"""

from __future__ import annotations

from collections.abc import Mapping

import structlog

from instar.core.model.entry import TextBlock, ToolCall
from instar.gateway.waiting import within
from instar.ports.clock import Clock
from instar.ports.tool import Tool, ToolContext, ToolOutput

__all__ = ["call_tool"]

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
