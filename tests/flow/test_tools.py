"""Tools in a turn: called, answered, failing, and asked about the session itself."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from instar.core.model.entry import TextBlock
from instar.core.model.event import ToolEnded, ToolStarted
from instar.gateway import tool_calls
from instar.ports.tool import ToolOutput, ToolSpec
from instar.testing.gateway import GatewayInMemory
from instar.testing.runner import ScriptedRunner
from instar.testing.script import Reply, call, play, tool_script
from instar.tools.session_status import SessionStatusTool
from tests.builders.stories import (
    DIRECT,
    Gate,
    Listener,
    build_config,
    read_lines,
    sent_texts,
    story,
    until,
)


@dataclass
class Counter:
    """Counts its calls; does what the test says."""

    does: object = None
    calls: list[dict] = field(default_factory=list)
    spec = ToolSpec(name="count", description="Count.", parameters={"type": "object"})

    async def call(self, context, arguments):
        self.calls.append(dict(arguments))
        if self.does is not None:
            return await self.does(context)
        return ToolOutput(content=(TextBlock(text=f"{len(self.calls)}"),))


def build_world(*replies, tool=None):
    tools = {"count": tool} if tool else {}
    return GatewayInMemory(build_config(), runner=ScriptedRunner(play(*replies)), tools=tools)


@story
async def test_the_model_asks_how_its_session_stands():
    tool = SessionStatusTool()
    world = GatewayInMemory(build_config(), runner=ScriptedRunner(tool_script), tools={"session_status": tool})
    async with world:
        tool.connect(world.gateway.status_facts, world.gateway.sessions.changes)
        await world.channel("telegram").post("how are we doing?", sender="ann")
        await world.settle()
        lines = await read_lines(world)
        assert lines[:2] == ["user: how are we doing?", "assistant: Let me look. [session_status]"]
        assert lines[2].startswith("session_status → ")
        assert DIRECT in lines[2]
        assert "test/scripted" in lines[2]
        assert sent_texts(world)[0] == "Let me look."
        assert sent_texts(world)[1].startswith("The tool says: ")


@story
async def test_a_result_is_committed_before_the_model_is_asked_again():
    tool = Counter()
    async with build_world(Reply(calls=(call("count", n=1), call("count", n=2))), "done", tool=tool) as world:
        await world.channel("telegram").post("count", sender="ann")
        await world.settle()
        assert tool.calls == [{"n": 1}, {"n": 2}]
        assert await read_lines(world) == [
            "user: count",
            "assistant: [count] [count]",
            "count → 1",
            "count → 2",
            "assistant: done",
        ]
        second = world.fuse.steps.index("before model", world.fuse.steps.index("before model") + 1)
        assert world.fuse.steps[:second].count("after change append_tool_result") == 2
        roles = [type(message).__name__ for message in world.runner.requests[1].messages]
        assert roles == ["UserMessage", "AssistantMessage", "ToolResultMessage", "ToolResultMessage"]


@story
async def test_a_tool_that_raises_becomes_an_error_result_and_the_turn_goes_on():
    async def fails(context):
        raise ValueError("no such file")

    async with build_world(Reply(calls=(call("count"),)), "I could not", tool=Counter(does=fails)) as world:
        await world.channel("telegram").post("count", sender="ann")
        await world.settle()
        assert (await read_lines(world))[2:] == [
            "count → error: The tool count failed: no such file",
            "assistant: I could not",
        ]


@story
async def test_a_tool_that_breaks_itself_off_is_a_failed_tool():
    async def breaks_off(context):
        raise asyncio.CancelledError

    async with build_world(Reply(calls=(call("count"),)), "I could not", tool=Counter(does=breaks_off)) as world:
        await world.channel("telegram").post("count", sender="ann")
        await world.settle()
        assert (await read_lines(world))[2].startswith("count → error: The tool count failed")
        assert sent_texts(world) == ["I could not"]


@story
async def test_an_unknown_tool_is_answered_with_the_names_of_those_there_are():
    async with build_world(Reply(calls=(call("sing"),)), "then not", tool=Counter()) as world:
        await world.channel("telegram").post("sing", sender="ann")
        await world.settle()
        assert (await read_lines(world))[2] == (
            "sing → error: There is no tool named 'sing'. Tools of this session: count."
        )


@story
async def test_a_tool_that_takes_too_long_is_stopped():
    gate = Gate()

    async def waits(context):
        await gate()

    async with build_world(Reply(calls=(call("count"),)), "too slow", tool=Counter(does=waits)) as world:
        await world.channel("telegram").post("count", sender="ann")
        await gate.reached.wait()
        await world.run_for(tool_calls.TOOL_TIMEOUT_S)
        await world.settle()
        assert (await read_lines(world))[2] == "count → error: The tool count was stopped after 600 seconds."
        assert sent_texts(world) == ["too slow"]


@story
async def test_a_tool_is_told_for_whom_it_runs():
    seen = []

    async def looks(context):
        seen.append(context)
        return ToolOutput(content=())

    async with build_world(Reply(calls=(call("count"),)), "done", tool=Counter(does=looks)) as world:
        listener = Listener(world)
        await world.channel("telegram").post("count", sender="ann")
        await world.settle()
        (context,) = seen
        (row,) = await world.store.load_inbox(session_key=DIRECT)
        assert (context.session_key, context.agent_id, context.turn_id) == (DIRECT, "main", row.turn_id)
        told = [event for event in listener.events if isinstance(event, ToolStarted | ToolEnded)]
        assert [(type(event).__name__, event.call_id) for event in told] == [
            ("ToolStarted", context.call_id),
            ("ToolEnded", context.call_id),
        ]


@story
async def test_a_line_injected_while_a_tool_runs_keeps_calls_and_results_together():
    gate = Gate()

    async def waits(context):
        await gate()
        return ToolOutput(content=(TextBlock(text="seen"),))

    async with build_world(Reply(calls=(call("count"),)), "done", tool=Counter(does=waits)) as world:
        await world.channel("telegram").post("count", sender="ann")
        await gate.reached.wait()
        await world.gateway.sessions.inject(DIRECT, "a note", label=None, who="operator")
        gate.open()
        await world.settle()
        assert await read_lines(world) == [
            "user: count",
            "assistant: [count]",
            "assistant (injected): a note",
            "count → seen",
            "assistant: done",
        ]
        roles = [type(message).__name__ for message in world.runner.requests[1].messages]
        assert roles == ["UserMessage", "AssistantMessage", "ToolResultMessage", "AssistantMessage"]


@story
async def test_a_stop_after_an_injected_line_still_closes_the_call():
    gate = Gate()

    async def waits(context):
        await gate()

    async with build_world(Reply(calls=(call("count"),)), tool=Counter(does=waits)) as world:
        await world.channel("telegram").post("count", sender="ann")
        await gate.reached.wait()
        await world.gateway.sessions.inject(DIRECT, "a note", label=None, who="operator")
        await world.channel("telegram").post("/stop", sender="ann")
        await until(lambda: sent_texts(world) == ["Stopped."])
        lines = await read_lines(world)
        assert lines[3].startswith("count → error: This tool call was interrupted")
        assert lines[4] == "assistant (aborted):"
