"""A message that comes while a turn runs is put into it (QUEUE-3, QUEUE-7)."""

from __future__ import annotations

from dataclasses import dataclass, field

from instar.core.model.change import InboxChange, SessionChange
from instar.core.model.entry import TextBlock
from instar.core.model.event import RunEnded
from instar.core.transcript.text import message_text
from instar.core.turn.recover import SKIPPED_TEXT
from instar.ports.tool import ToolOutput, ToolSpec
from instar.testing.fuse import Fuse
from instar.testing.gateway import GatewayInMemory
from instar.testing.runner import ScriptedRunner
from instar.testing.script import Reply, call, play
from tests.builders.stories import (
    DIRECT,
    Gate,
    Listener,
    ask,
    build_config,
    read_decisions,
    read_inbox,
    read_lines,
    sent_texts,
    story,
    until,
)


@dataclass
class Look:
    """A tool that a test holds back; remembers how often it ran."""

    gate: Gate = field(default_factory=Gate)
    ran: list[object] = field(default_factory=list)
    spec = ToolSpec(name="look", description="Look.", parameters={"type": "object"})

    async def call(self, context, arguments):
        self.ran.append(arguments.get("at"))
        await self.gate()
        return ToolOutput(content=(TextBlock(text=f"seen {arguments.get('at')}"),))


def build_world(*replies, look=None, mode="steer"):
    config = build_config(messages={"queue": {"mode": mode, "debounceMs": 0}})
    tools = {"look": look} if look else {}
    return GatewayInMemory(config, runner=ScriptedRunner(play(*replies)), tools=tools)


@story
async def test_a_message_steers_into_a_turn_whose_tool_runs():
    look = Look()
    async with build_world(Reply(calls=(call("look", at="a"),)), "both answered", look=look) as world:
        await world.channel("telegram").post("look there", sender="ann")
        await look.gate.reached.wait()
        await world.channel("telegram").post("and hurry", sender="ann")
        look.gate.open()
        await world.settle()
        assert await read_lines(world) == [
            "user: look there",
            "assistant: [look]",
            "look → seen a",
            "user: and hurry",
            "assistant: both answered",
        ]
        assert await read_inbox(world) == [("look there", "answered", None), ("and hurry", "merged", None)]
        rows = await world.store.load_inbox(session_key=DIRECT)
        assert rows[1].turn_id == rows[0].turn_id
        assert sent_texts(world) == ["both answered"]
        queue = [row.decision for row in await read_decisions(world, kind="queue")]
        assert [(one.outcome, one.rule) for one in queue] == [("steer", "QUEUE-3")]


@story
async def test_tools_that_had_not_begun_are_not_run_for_a_message_that_steers():
    look = Look()
    calls = (call("look", at="a"), call("look", at="b"))
    async with build_world(Reply(calls=calls), "changed plan", look=look) as world:
        await world.channel("telegram").post("look at a and b", sender="ann")
        await look.gate.reached.wait()
        await world.channel("telegram").post("not at b", sender="ann")
        look.gate.open()
        await world.settle()
        assert look.ran == ["a"]
        assert await read_lines(world) == [
            "user: look at a and b",
            "assistant: [look] [look]",
            "look → seen a",
            f"look → error: {SKIPPED_TEXT}",
            "user: not at b",
            "assistant: changed plan",
        ]


@story
async def test_a_message_that_comes_while_the_model_speaks_is_answered_in_the_same_turn():
    gate = Gate()
    async with build_world(Reply(text="first answer", before_chunk=gate), "second answer") as world:
        await world.channel("telegram").post("one", sender="ann")
        await gate.reached.wait()
        await world.channel("telegram").post("two", sender="ann")
        gate.open()
        await world.settle()
        assert await read_lines(world) == [
            "user: one",
            "assistant: first answer",
            "user: two",
            "assistant: second answer",
        ]
        assert sent_texts(world) == ["first answer", "second answer"]


@story
async def test_several_messages_steer_in_the_order_they_came():
    look = Look()
    async with build_world(Reply(calls=(call("look"),)), "all", look=look) as world:
        await world.channel("telegram").post("0", sender="ann")
        await look.gate.reached.wait()
        for text in ("1", "2", "3"):
            await world.channel("telegram").post(text, sender="ann")
        look.gate.open()
        await world.settle()
        assert [line for line in await read_lines(world) if line.startswith("user")] == [
            "user: 0",
            "user: 1",
            "user: 2",
            "user: 3",
        ]


@story
async def test_a_message_for_another_chat_does_not_steer_but_waits():
    config = build_config(session={"dmScope": "main"})
    look = Look()
    runner = ScriptedRunner(play(Reply(calls=(call("look"),)), "for ann", "for bob"))
    async with GatewayInMemory(config, runner=runner, tools={"look": look}) as world:
        await world.channel("telegram").post("ann asks", sender="ann")
        await look.gate.reached.wait()
        await world.channel("telegram").post("bob asks", sender="bob")
        look.gate.open()
        await world.settle()
        assert sent_texts(world, to="ann") == ["for ann"]
        assert sent_texts(world, to="bob") == ["for bob"]


@story
async def test_an_operator_may_steer_a_turn_that_answers_on_a_channel():
    look = Look()
    async with build_world(Reply(calls=(call("look"),)), "done", look=look) as world:
        await world.channel("telegram").post("look", sender="ann")
        await look.gate.reached.wait()
        listener = Listener(world)
        await ask(world, "be kind", run_id="r1")
        look.gate.open()
        await world.settle()
        assert sent_texts(world, to="ann") == ["done"]
        (end,) = [event for event in listener.events if isinstance(event, RunEnded)]
        assert end.also == ("r1",)
        assert (await world.gateway.run_state("r1")).status == "ok"


@story
async def test_a_message_that_came_too_late_gets_a_turn_of_its_own():
    """The turn is writing its end down when the message comes: nothing is left that could take it."""
    async with build_world("one", "two") as world:
        post = world.channel("telegram").post
        posted = []

        async def post_late():
            posted.append(await post("2", sender="ann"))

        original = world.store.change

        async def change(name, key, **kwargs):
            if name == "finish_turn" and not posted:
                await post_late()
            return await original(name, key, **kwargs)

        world.store.change = change
        await post("1", sender="ann")
        await world.settle()
        assert await read_lines(world) == ["user: 1", "assistant: one", "user: 2", "assistant: two"]
        assert [state for _, state, _ in await read_inbox(world)] == ["answered", "answered"]


@story
async def test_steer_backlog_puts_a_message_into_the_turn_and_answers_it_again_afterwards():
    look = Look()
    async with build_world(
        Reply(calls=(call("look"),)), "with a word on two", "now to two itself", look=look, mode="steer-backlog"
    ) as world:
        await world.channel("telegram").post("one", sender="ann")
        await look.gate.reached.wait()
        await world.channel("telegram").post("two", sender="ann")
        look.gate.open()
        await world.settle()
        assert (await read_lines(world))[3:] == [
            "user: two",
            "assistant: with a word on two",
            "(instar.backlog)",
            "assistant: now to two itself",
        ]
        assert await read_inbox(world) == [("one", "answered", None), ("two", "answered", None)]


@story
async def test_a_backlog_message_is_not_told_to_the_model_as_new_after_a_crash():
    look = Look()
    script = play(Reply(calls=(call("look"),)), "for both", "for two")
    config = build_config(messages={"queue": {"mode": "steer-backlog", "debounceMs": 0}})
    async with GatewayInMemory(config, runner=ScriptedRunner(script), tools={"look": look}) as world:
        await world.channel("telegram").post("one", sender="ann")
        await look.gate.reached.wait()
        await world.channel("telegram").post("two", sender="ann")
        await until(lambda: world.gateway.lanes.get(DIRECT).waiting_count == 1)
        world.fuse.on = "after change steer_turn"
        look.gate.open()
        await world.fuse.blown.wait()
        await world.restart(kill=True)
        await world.settle()
        lines = await read_lines(world)
        assert lines[3:] == ["user: two", "assistant: for both", "(instar.backlog)", "assistant: for two"]
        assert [state for _, state, _ in await read_inbox(world)] == ["answered", "answered"]


@story
async def test_a_dropped_backlog_message_ends_as_merged_into_the_turn_that_took_it():
    look = Look()
    gate = Gate()
    async with build_world(
        Reply(calls=(call("look"),)), Reply(text="slow", before_chunk=gate), look=look, mode="steer-backlog"
    ) as world:
        await world.channel("telegram").post("one", sender="ann")
        await look.gate.reached.wait()
        await world.channel("telegram").post("two", sender="ann")
        look.gate.open()
        await gate.reached.wait()
        await world.channel("telegram").post("/stop", sender="ann")
        await world.settle()
        assert [(text, state) for text, state, _ in await read_inbox(world)] == [
            ("one", "answered"),
            ("two", "merged"),
            ("/stop", "command"),
        ]
        assert sent_texts(world) == ["Stopped."]


@story
async def test_an_answer_that_was_given_before_a_crash_is_not_asked_for_again():
    """The turn had answered and was about to take the message that came meanwhile (LOSS-4)."""
    gate = Gate()
    runner = ScriptedRunner(play(Reply(text="first answer", before_chunk=gate), "second answer"))
    async with GatewayInMemory(build_config(), runner=runner) as world:
        await world.channel("telegram").post("one", sender="ann")
        await gate.reached.wait()
        await world.channel("telegram").post("two", sender="ann")
        await until(lambda: world.gateway.lanes.get(DIRECT).waiting_count == 1)
        world.fuse.on = "after change append_answer"
        gate.open()
        await world.fuse.blown.wait()
        await world.restart(kill=True)
        await world.settle()
        assert await read_lines(world) == [
            "user: one",
            "assistant: first answer",
            "user: two",
            "assistant: second answer",
        ]
        assert sent_texts(world) == ["first answer", "second answer"]
        assert len(runner.requests) == 2


@story
async def test_such_an_answer_ends_its_turn_when_nothing_steers_it_any_more():
    gate = Gate()
    runner = ScriptedRunner(play(Reply(text="first answer", before_chunk=gate)))
    async with GatewayInMemory(build_config(), runner=runner) as world:
        await world.channel("telegram").post("one", sender="ann")
        await gate.reached.wait()
        await world.channel("telegram").post("two", sender="ann")
        await until(lambda: world.gateway.lanes.get(DIRECT).waiting_count == 1)
        world.fuse.on = "after change append_answer"
        gate.open()
        await world.fuse.blown.wait()
        world.fuse.kill()
        await world.gateway.drop()
        rows = await world.store.load_inbox(session_key=DIRECT)
        end = InboxChange(inbound_id=rows[1].inbound_id, state="expired", reason="stopped")
        await world.store.change(
            "expire", DIRECT, now=world.clock.now(), fence=None, decide=lambda _: SessionChange(inbox=(end,))
        )
        world.fuse = Fuse()
        await world.__aenter__()
        await world.settle()
        assert await read_lines(world) == ["user: one", "assistant: first answer"]
        assert [state for _, state, _ in await read_inbox(world)] == ["answered", "expired"]
        assert sent_texts(world) == ["first answer"]
        assert len(runner.requests) == 1


@story
async def test_a_turn_sees_its_own_message_whatever_is_put_into_it_under_a_limit():
    looks = [Look(), Look()]

    class LookTwice:
        spec = Look.spec

        async def call(self, context, arguments):
            return await looks[arguments["at"]].call(context, arguments)

    replies = (Reply(calls=(call("look", at=0),)), "with a word", Reply(calls=(call("look", at=1),)), "two it is")
    config = build_config(
        messages={"queue": {"mode": "steer-backlog", "debounceMs": 0}},
        session={"maxMessages": 1, "compaction": "truncate"},
    )
    runner = ScriptedRunner(play(*replies, "three it is"))
    async with GatewayInMemory(config, runner=runner, tools={"look": LookTwice()}) as world:
        for look, words in zip(looks, ("two", "three"), strict=True):
            if look is looks[0]:
                await world.channel("telegram").post("one", sender="ann")
            await look.gate.reached.wait()
            await world.channel("telegram").post(words, sender="ann")
            look.gate.open()
        await world.settle()
        seen = [" | ".join(message_text(one) for one in request.messages) for request in runner.requests]
        prompts = [f"which you have seen above: {words}" for words in ("two", "three")]
        assert [[words in text for words in ("one", "two", "three", *prompts)] for text in seen] == [
            [True, False, False, False, False],
            [True, True, False, False, False],
            [False, True, False, True, False],
            [False, True, True, True, False],
            [False, False, True, False, True],
        ]
        assert [state for _, state, _ in await read_inbox(world)] == ["answered"] * 3
