"""The same message again: one turn, and the same words to its sender for ever (LOSS-1)."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from instar.core.model.view import RunState
from instar.errors import StoreFull
from instar.testing.gateway import GatewayInMemory
from tests.builders.stories import DIRECT, ask, build_config, read_inbox, read_lines, sent_texts, story


def told(acknowledgement):
    """What the sender hears: everything but whether it was heard before."""
    return replace(acknowledgement, repeated=False)


@story
async def test_a_message_posted_three_times_is_one_turn_and_told_alike():
    async with GatewayInMemory(build_config()) as world:
        post = world.channel("telegram").post
        first = await post("hello", sender="ann", message_id="m1")
        second = await post("hello", sender="ann", message_id="m1")
        await world.settle()
        third = await post("hello", sender="ann", message_id="m1")
        await world.settle()
        assert told(first) == told(second) == told(third)
        assert (first.repeated, second.repeated, third.repeated) == (False, True, True)
        assert await read_lines(world) == ["user: hello", "assistant: You said: hello"]
        assert sent_texts(world) == ["You said: hello"]


@story
async def test_three_at_the_same_time_are_one_turn():
    async with GatewayInMemory(build_config()) as world:
        post = world.channel("telegram").post
        answers = await asyncio.gather(*(post("hello", sender="ann", message_id="m1") for _ in range(3)))
        await world.settle()
        assert len({told(each) for each in answers}) == 1
        assert len(world.runner.requests) == 1


@pytest.mark.parametrize("kill", [False, True])
def test_the_first_answer_is_given_again_after_a_restart(kill):
    @story
    async def play():
        async with GatewayInMemory(build_config()) as world:
            first = await world.channel("telegram").post("hello", sender="ann", message_id="m1")
            await world.settle()
            await world.restart(kill=kill)
            again = await world.channel("telegram").post("hello", sender="ann", message_id="m1")
            await world.settle()
            assert told(again) == told(first)
            assert sent_texts(world) == ["You said: hello"]

    play()


@story
async def test_a_refused_message_is_refused_alike_even_when_its_sender_is_let_in_meanwhile():
    config = build_config()
    config["channels"]["telegram"]["dmPolicy"] = "allowlist"
    async with GatewayInMemory(config) as world:
        first = await world.channel("telegram").post("hello", sender="ann", message_id="m1")
        config["channels"]["telegram"]["allowFrom"] = ["ann"]
        world.configure(config)
        again = await world.channel("telegram").post("hello", sender="ann", message_id="m1")
        assert first.status == "refused"
        assert told(again) == told(first)
        await world.channel("telegram").post("hello again", sender="ann", message_id="m2")
        await world.settle()
        assert await read_lines(world) == ["user: hello again", "assistant: You said: hello again"]


@story
async def test_the_same_id_on_another_channel_is_another_message():
    async with GatewayInMemory(build_config(channels=("telegram", "slack"))) as world:
        await world.channel("telegram").post("hello", sender="ann", message_id="m1")
        await world.channel("slack").post("hello", sender="ann", message_id="m1")
        await world.settle()
        assert len(world.runner.requests) == 2


@story
async def test_a_message_that_could_not_be_stored_is_taken_when_it_comes_again():
    async with GatewayInMemory(build_config()) as world:
        world.fuse.refusals.append(StoreFull("The disk is full"))
        with pytest.raises(StoreFull):
            await world.channel("telegram").post("hello", sender="ann", message_id="m1")
        told_again = await world.channel("telegram").post("hello", sender="ann", message_id="m1")
        await world.settle()
        assert (told_again.status, told_again.repeated) == ("accepted", False)
        assert await read_inbox(world) == [("hello", "answered", None)]


@story
async def test_a_repeated_run_id_tells_how_far_the_run_is_also_after_a_restart():
    async with GatewayInMemory(build_config()) as world:
        await ask(world, "hello", run_id="r1")
        await world.settle()
        assert (await ask(world, "hello", run_id="r1")).repeated
        before = await world.gateway.run_state("r1")
        assert isinstance(before, RunState)
        assert (before.status, before.session_key) == ("ok", DIRECT)
        await world.restart(kill=True)
        after = await world.gateway.run_state("r1")
        assert (after.status, after.session_key) == ("ok", DIRECT)
        assert await world.gateway.run_state("r2") is None
