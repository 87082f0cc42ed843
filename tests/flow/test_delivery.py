"""Replies are owed: sent with retries, recorded, and after a crash sent again only where that is safe (LOSS-5)."""

from __future__ import annotations

import pytest

from instar.errors import ChannelError, StoreFull
from instar.ports.channel import Capabilities, Receipt
from instar.testing.gateway import GatewayInMemory
from tests.builders.stories import DIRECT, Gate, build_config, read_decisions, sent_texts, story, until


async def deliveries(world, key=DIRECT):
    rows = await world.store.load_deliveries(session_key=key)
    return [(row.state, row.hand_outs, row.reason) for row in reversed(rows)]


@story
async def test_a_reply_that_fails_is_tried_again_later():
    async with GatewayInMemory(build_config()) as world:
        channel = world.channel("telegram")
        channel.failures = [ChannelError("down"), ChannelError("still down")]
        await channel.post("hello", sender="ann")
        await world.settle()
        assert await deliveries(world) == [("pending", 1, "down.")]
        await world.run_for(0.9)
        assert await deliveries(world) == [("pending", 1, "down.")]
        await world.run_for(0.2)
        assert await deliveries(world) == [("pending", 2, "still down.")]
        await world.run_for(2)
        assert await deliveries(world) == [("sent", 3, None)]
        assert [sent.attempt for sent in channel.sent] == [3]
        rows = await read_decisions(world, kind="deliver")
        assert [row.decision.outcome for row in rows] == ["try_again", "try_again", "sent"]


@story
async def test_a_failure_for_good_is_not_tried_again():
    async with GatewayInMemory(build_config()) as world:
        channel = world.channel("telegram")
        channel.failures = [ChannelError("blocked by the person", permanent=True)]
        await channel.post("hello", sender="ann")
        await world.settle()
        assert await deliveries(world) == [("failed", 1, "blocked by the person.")]
        await world.run_for(3600)
        assert channel.sent == []


@story
async def test_tries_come_to_an_end():
    async with GatewayInMemory(build_config()) as world:
        channel = world.channel("telegram")
        channel.failures = [ChannelError("down") for _ in range(20)]
        await channel.post("hello", sender="ann")
        await world.settle()
        await world.run_for(3600)
        assert await deliveries(world) == [("failed", 6, "down.")]


@story
async def test_the_platform_says_when_to_come_back():
    async with GatewayInMemory(build_config()) as world:
        channel = world.channel("telegram")
        channel.failures = [ChannelError("slow down", retry_after_ms=90_000)]
        await channel.post("hello", sender="ann")
        await world.settle()
        await world.run_for(89)
        assert channel.sent == []
        await world.run_for(2)
        assert sent_texts(world) == ["You said: hello"]


@story
async def test_later_replies_of_a_session_wait_for_one_that_is_tried_again():
    """Else the second half of an answer would be read before the first."""
    async with GatewayInMemory(build_config()) as world:
        channel = world.channel("telegram")
        channel._capabilities = Capabilities(text_max_chars=40)
        channel.failures = [ChannelError("down")]
        await channel.post("x" * 100, sender="ann")
        await channel.post("hello", sender="bob")
        await world.settle()
        assert sent_texts(world) == ["You said: hello"]
        await world.run_for(2)
        await world.settle()
        pieces = sent_texts(world, to="ann")
        assert len(pieces) > 1
        assert pieces[0].startswith("You said")
        assert sent_texts(world)[0] == "You said: hello"


@story
async def test_a_defect_of_a_channel_does_not_silence_it():
    async with GatewayInMemory(build_config()) as world:
        channel = world.channel("telegram")
        channel.failures = [ValueError("a defect in the adapter")]
        await channel.post("hello", sender="ann")
        await world.settle()
        await world.run_for(2)
        assert sent_texts(world) == ["You said: hello"]


@story
async def test_a_sending_that_hangs_is_given_up_and_tried_again():
    async with GatewayInMemory(build_config()) as world:
        channel, gate = world.channel("telegram"), Gate()
        original = channel.send

        async def send(outbound):
            if not gate.opened.is_set():
                await gate()
            return await original(outbound)

        channel.send = send
        await channel.post("hello", sender="ann")
        await gate.reached.wait()
        await world.run_for(60)
        gate.open()
        await world.run_for(2)
        await world.settle()
        assert await deliveries(world) == [("sent", 2, None)]


@story
async def test_one_slow_channel_does_not_hold_another():
    async with GatewayInMemory(build_config(channels=("telegram", "slack"))) as world:
        gate, slow = Gate(), world.channel("telegram")

        async def send(outbound):
            await gate()

        slow.send = send
        await slow.post("hello", sender="ann")
        await gate.reached.wait()
        await world.channel("slack").post("hello", sender="ann")
        await until(lambda: sent_texts(world, "slack") == ["You said: hello"])


@story
async def test_what_was_sent_and_could_not_be_recorded_is_not_sent_again():
    async with GatewayInMemory(build_config()) as world:
        channel = world.channel("telegram")
        original = channel.send

        async def send(outbound):
            receipt = await original(outbound)
            world.fuse.refusals += [StoreFull("full"), StoreFull("full")]
            channel.send = original
            return receipt

        channel.send = send
        await channel.post("hello", sender="ann")
        await until(lambda: len(channel.sent) == 1)
        await world.run_for(5)
        await world.settle()
        assert await deliveries(world) == [("sent", 1, None)]
        assert len(channel.sent) == 1


async def crash_between_send_and_receipt(world):
    world.fuse.on = "after send"
    await world.channel("telegram").post("hello", sender="ann")
    await world.fuse.blown.wait()


@story
async def test_a_reply_whose_fate_is_unknown_is_sent_again_while_it_is_young():
    async with GatewayInMemory(build_config()) as world:
        await crash_between_send_and_receipt(world)
        await world.restart(kill=True)
        await world.settle()
        assert sent_texts(world) == ["You said: hello", "You said: hello"]
        outcomes = [row.decision.outcome for row in await read_decisions(world, kind="deliver")]
        assert outcomes == ["send_again", "sent"]


@story
async def test_an_old_reply_whose_fate_is_unknown_is_held_and_shown():
    async with GatewayInMemory(build_config()) as world:
        await crash_between_send_and_receipt(world)
        world.clock.jump(world.clock.now() + 601_000)
        await world.restart(kill=True)
        await world.settle()
        assert len(sent_texts(world)) == 1
        assert await deliveries(world) == [("unknown", 1, "held")]
        await world.restart()
        outcomes = [row.decision.outcome for row in await read_decisions(world, kind="deliver")]
        assert outcomes == ["held"]


@story
async def test_a_held_reply_stays_held_when_the_clock_is_set_back():
    async with GatewayInMemory(build_config()) as world:
        await crash_between_send_and_receipt(world)
        world.clock.jump(world.clock.now() + 601_000)
        await world.restart(kill=True)
        await world.settle()
        world.clock.jump(world.clock.now() - 86_400_000)
        await world.restart()
        await world.settle()
        assert len(sent_texts(world)) == 1
        assert await deliveries(world) == [("unknown", 1, "held")]


@story
async def test_a_channel_that_tells_repeats_gets_it_again_however_old_it_is():
    async with GatewayInMemory(build_config()) as world:
        world.channel("telegram")._capabilities = Capabilities(tells_repeats=True)
        await crash_between_send_and_receipt(world)
        world.clock.jump(world.clock.now() + 86_400_000)
        await world.restart(kill=True)
        await world.settle()
        first, second = world.channel("telegram").sent
        assert first.delivery_id == second.delivery_id
        assert await deliveries(world) == [("sent", 2, None)]


@pytest.mark.parametrize("kill", [False, True])
def test_what_was_not_sent_before_the_end_is_sent_after_the_start(kill):
    @story
    async def play():
        async with GatewayInMemory(build_config()) as world:
            channel = world.channel("telegram")
            channel.failures = [ChannelError("down")]
            await channel.post("hello", sender="ann")
            await world.settle()
            await world.restart(kill=kill)
            await world.run_for(2)
            await world.settle()
            assert sent_texts(world) == ["You said: hello"]

    play()


@story
async def test_a_bridge_fetches_its_replies_and_sees_them_until_it_has_told_what_became_of_them():
    async with GatewayInMemory(build_config()) as world:
        channel = world.channel("telegram")
        channel._capabilities = Capabilities(pulls=True, tells_repeats=True)
        await world.restart()
        context = channel._context
        await channel.post("hello", sender="ann")
        await until(lambda: not world.gateway.lanes.get(DIRECT).active_turn_ids)
        await until(lambda: world.fuse.steps.count("after change finish_turn") == 1)
        (first,) = await context.claim(10)
        (again,) = await context.claim(10)
        assert (first.delivery_id, first.attempt, again.attempt) == (again.delivery_id, 1, 2)
        assert await context.settle(first.delivery_id, Receipt(status="sent"))
        assert await context.claim(10) == ()
        assert not await context.settle("nobody's", Receipt(status="sent"))
        assert channel.sent == []


@story
async def test_whoever_fetches_is_woken_when_there_is_something():
    async with GatewayInMemory(build_config()) as world:
        channel = world.channel("telegram")
        channel._capabilities = Capabilities(pulls=True)
        await world.restart()
        import asyncio

        waiting = asyncio.ensure_future(channel._context.wait(30))
        await channel.post("hello", sender="ann")
        await until(waiting.done)
        assert len(await channel._context.claim(10)) == 1
        waiting = asyncio.ensure_future(channel._context.wait(30))
        await until(lambda: world.clock.sleepers > 0)
        await world.run_for(31)
        assert waiting.done()


# --- a clock that is set ----------------------------------------------------------------------------------------------

DAY_MS = 86_400_000


@story
async def test_a_bridge_gets_a_reply_of_a_time_that_was_taken_back():
    async with GatewayInMemory(build_config()) as world:
        channel = world.channel("telegram")
        channel._capabilities = Capabilities(pulls=True, tells_repeats=True)
        await world.restart()
        before = world.clock.now()
        world.clock.jump(before + 5 * DAY_MS)
        await channel.post("hello", sender="ann")
        await until(lambda: world.fuse.steps.count("after change finish_turn") == 1)
        world.clock.jump(before)
        assert [one.text for one in await channel._context.claim(10)] == ["You said: hello"]
        assert [one.attempt for one in await channel._context.claim(10)] == [2]


@pytest.mark.parametrize("days", [-5, 5])
def test_a_retry_waits_no_longer_when_the_clock_is_set(days):
    @story
    async def play():
        async with GatewayInMemory(build_config()) as world:
            channel = world.channel("telegram")
            channel.failures = [ChannelError("down")]
            await channel.post("hello", sender="ann")
            await world.settle()
            world.clock.jump(world.clock.now() + days * DAY_MS)
            await world.run_for(1.1)
            assert sent_texts(world) == ["You said: hello"]

    play()


@story
async def test_a_retry_of_a_time_that_was_taken_back_waits_no_longer():
    async with GatewayInMemory(build_config()) as world:
        channel = world.channel("telegram")
        channel.failures = [ChannelError("down")]
        before = world.clock.now()
        world.clock.jump(before + 5 * DAY_MS)
        await channel.post("hello", sender="ann")
        await world.settle()
        world.clock.jump(before)
        await world.run_for(1.1)
        assert sent_texts(world) == ["You said: hello"]


@story
async def test_a_reply_that_is_sent_again_by_hand_leaves_at_once_when_the_clock_is_set_back():
    async with GatewayInMemory(build_config()) as world:
        channel = world.channel("telegram")
        channel._capabilities = Capabilities(pulls=True, tells_repeats=True)
        await world.restart()
        await channel.post("hello", sender="ann")
        await until(lambda: world.fuse.steps.count("after change finish_turn") == 1)
        (reply,) = await channel._context.claim(10)
        await channel._context.settle(reply.delivery_id, Receipt(status="failed"))
        before = world.clock.now()
        world.clock.jump(before + 5 * DAY_MS)
        await world.gateway.keeping.redo(reply.delivery_id, "send", who="operator")
        world.clock.jump(before)
        assert len(await channel._context.claim(10)) == 1


@story
async def test_a_reply_of_unknown_fate_from_a_time_that_was_taken_back_is_held():
    async with GatewayInMemory(build_config()) as world:
        before = world.clock.now()
        world.clock.jump(before + 5 * DAY_MS)
        await crash_between_send_and_receipt(world)
        world.clock.jump(before)
        await world.restart(kill=True)
        await world.settle()
        assert len(sent_texts(world)) == 1
        assert await deliveries(world) == [("unknown", 1, "held")]
