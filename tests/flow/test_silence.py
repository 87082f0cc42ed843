"""Answers that do not leave: silence, a send policy, and clients that listen themselves (FLUSH-6, ACT-8, SEND-*)."""

from __future__ import annotations

import pytest

from instar.core.model.change import TurnOptions
from instar.core.model.event import RunEnded
from instar.testing.gateway import GatewayInMemory
from instar.testing.runner import ScriptedRunner
from instar.testing.script import play
from tests.builders.stories import (
    DIRECT,
    Listener,
    ask,
    build_config,
    read_decisions,
    read_inbox,
    read_lines,
    sent_texts,
    story,
)


@pytest.mark.parametrize("token", ["NO_REPLY", "no_reply.", "**NO_REPLY**"])
def test_an_agent_that_has_nothing_to_say_is_silent_and_shown_to_be(token):
    @story
    async def play_it():
        async with GatewayInMemory(build_config(), runner=ScriptedRunner(play(token, "hello"))) as world:
            listener = Listener(world)
            await world.channel("telegram").post("thanks", sender="ann")
            await world.settle()
            assert sent_texts(world) == []
            (row,) = await world.store.load_deliveries(session_key=DIRECT)
            assert (row.state, row.reason) == ("suppressed", "silent")
            assert await read_inbox(world) == [("thanks", "answered", None)]
            assert await read_lines(world) == ["user: thanks", f"assistant: {token}"]
            (end,) = [event for event in listener.events if isinstance(event, RunEnded)]
            assert (end.state, end.silent, end.message) == ("final", True, None)
            rows = await read_decisions(world, kind="send")
            assert [(one.decision.outcome, one.decision.rule) for one in rows] == [("silent", "FLUSH-6")]

    play_it()


@story
async def test_the_token_inside_other_words_is_an_ordinary_answer():
    async with GatewayInMemory(build_config(), runner=ScriptedRunner(play("I would say NO_REPLY here"))) as world:
        await world.channel("telegram").post("thanks", sender="ann")
        await world.settle()
        assert sent_texts(world) == ["I would say NO_REPLY here"]


@story
async def test_a_send_policy_keeps_an_answer_inside_and_says_so():
    policy = {"default": "allow", "rules": [{"action": "deny", "match": {"channel": "telegram", "chatType": "direct"}}]}
    async with GatewayInMemory(build_config(session={"sendPolicy": policy})) as world:
        await world.channel("telegram").post("hello", sender="ann")
        await world.channel("telegram").post("hi", sender="cid", chat_type="group", chat_id="club", mentioned=True)
        await world.settle()
        assert sent_texts(world, to="ann") == []
        assert len(sent_texts(world, to="club")) == 1
        assert await read_lines(world) == ["user: hello", "assistant: You said: hello"]
        (row,) = await world.store.load_deliveries(session_key=DIRECT)
        assert (row.state, row.outbound.text) == ("suppressed", "You said: hello")
        assert row.reason
        (decision,) = await read_decisions(world, kind="send")
        assert decision.decision.outcome == "deny"


@story
async def test_answers_to_commands_leave_whatever_the_policy_says():
    async with GatewayInMemory(build_config(session={"sendPolicy": {"default": "deny"}})) as world:
        await world.channel("telegram").post("/help", sender="ann")
        await world.settle()
        assert len(sent_texts(world)) == 1


@story
async def test_a_client_that_listens_is_sent_nothing_through_a_channel():
    async with GatewayInMemory(build_config()) as world:
        await world.channel("telegram").post("hello", sender="ann")
        await world.settle()
        await ask(world, "and now?", run_id="r1")
        await world.settle()
        assert sent_texts(world) == ["You said: hello"]
        assert (await read_lines(world))[-1] == "assistant: You said: and now?"


@story
async def test_a_client_may_ask_for_delivery_to_where_the_session_last_was():
    async with GatewayInMemory(build_config()) as world:
        await world.channel("telegram").post("hello", sender="ann")
        await world.settle()
        await ask(world, "and now?", run_id="r1", options=TurnOptions(deliver=True))
        await world.settle()
        assert sent_texts(world, to="ann") == ["You said: hello", "You said: and now?"]


@story
async def test_delivery_of_a_session_that_was_nowhere_stays_inside():
    async with GatewayInMemory(build_config()) as world:
        await ask(world, "hello", run_id="r1", options=TurnOptions(deliver=True))
        await world.settle()
        assert await world.store.load_deliveries(session_key=DIRECT) == ()
        assert (await world.gateway.run_state("r1")).status == "ok"
