"""What becomes of messages that meet a busy session, mode by mode (QUEUE-4…17), and how their senders hear of it."""

from __future__ import annotations

import asyncio

import pytest

from instar.core.model.change import TurnOptions
from instar.errors import StoreFull
from instar.ports.channel import Capabilities
from instar.testing.gateway import GatewayInMemory
from instar.testing.runner import ScriptedRunner
from instar.testing.script import Reply, echo_script
from tests.builders.stories import (
    DIRECT,
    Gate,
    ask,
    build_config,
    read_decisions,
    read_inbox,
    read_lines,
    sent_texts,
    story,
    then,
)


def build_world(gate, *, mode, channels=("telegram",), session=None, **queue):
    """The first answer waits for the gate; later ones are echoes."""
    config = build_config(
        session=session, channels=channels, messages={"queue": {"mode": mode, "debounceMs": 0, **queue}}
    )
    first = lambda asked: Reply(text=f"You said: {asked.last_user_text}", before_chunk=gate)  # noqa: E731 - a script
    return GatewayInMemory(config, runner=ScriptedRunner(then(first, echo_script)))


async def post_behind(world, gate, *texts, sender="ann", channel="telegram"):
    """Post `texts` while the answer to a first message is held back."""
    await world.channel(channel).post("first", sender=sender)
    await gate.reached.wait()
    for text in texts:
        await world.channel(channel).post(text, sender=sender)


def expired(rows):
    return [text for text, state, _ in rows if state == "expired"]


@story
async def test_followups_get_a_turn_each_in_their_order():
    gate = Gate()
    async with build_world(gate, mode="followup") as world:
        await post_behind(world, gate, "second", "third")
        gate.open()
        await world.settle()
        assert sent_texts(world) == ["You said: first", "You said: second", "You said: third"]
        assert [state for _, state, _ in await read_inbox(world)] == ["answered"] * 3


@story
async def test_collected_messages_make_one_numbered_turn():
    gate = Gate()
    async with build_world(gate, mode="collect") as world:
        await post_behind(world, gate, "second", "third")
        gate.open()
        await world.settle()
        assert len(world.runner.requests) == 2
        told = [str(message.content) for message in world.runner.requests[1].messages[-2:]]
        assert told[0].startswith("[#1 ann ")
        assert told[0].endswith("] second")
        assert told[1].startswith("[#2 ann ")
        assert (await read_lines(world))[2:4] == ["user: second", "user: third"]
        assert [state for _, state, _ in await read_inbox(world)] == ["answered", "answered", "merged"]


@story
async def test_collecting_waits_until_it_is_quiet():
    gate = Gate()
    async with build_world(gate, mode="collect", debounceMs=1000) as world:
        await post_behind(world, gate, "second")
        gate.open()
        await world.run_for(0.6)
        await world.channel("telegram").post("third", sender="ann")
        await world.run_for(0.6)
        assert len(world.runner.requests) == 1
        await world.run_for(0.5)
        await world.settle()
        assert [len(request.messages) for request in world.runner.requests] == [1, 4]


@story
async def test_messages_of_different_chats_are_not_collected_into_one_turn():
    gate = Gate()
    async with build_world(gate, mode="collect", session={"dmScope": "main"}) as world:
        await post_behind(world, gate, "from ann")
        await world.channel("telegram").post("from bob", sender="bob")
        await world.channel("telegram").post("again ann", sender="ann")
        gate.open()
        await world.settle()
        assert len(world.runner.requests) == 4
        assert sent_texts(world, to="bob") == ["You said: from bob"]
        assert sent_texts(world, to="ann") == ["You said: first", "You said: from ann", "You said: again ann"]


@story
async def test_interrupt_ends_the_turn_drops_what_waits_and_runs_the_newest():
    gate = Gate()
    async with build_world(gate, mode="interrupt") as world:
        await post_behind(world, gate, "second")
        await world.settle()
        assert await read_lines(world) == [
            "user: first",
            "assistant (aborted):",
            "user: second",
            "assistant: You said: second",
        ]
        assert await read_inbox(world) == [("first", "answered", "interrupt"), ("second", "answered", None)]
        assert world.runner.cancelled == 1


@story
async def test_only_the_newest_of_several_interrupting_messages_is_answered_and_the_others_are_told():
    gate = Gate()
    async with build_world(gate, mode="followup") as world:
        await post_behind(world, gate, "second")
        await ask(world, "third", run_id="r3", options=TurnOptions(queue_mode="interrupt"))
        await world.settle()
        assert await read_inbox(world) == [
            ("first", "answered", "interrupt"),
            ("second", "expired", "interrupted"),
            ("third", "answered", None),
        ]
        assert sent_texts(world) == ["Your message “second” was not answered: a newer message took its place."]


async def wait_for_end(world, count):
    """Wait until so many messages have ended in the rows, so that a crash finds them so."""
    await until_async(lambda: ended(world), count)


async def ended(world):
    return len([1 for _, state, _ in await read_inbox(world) if state == "expired"])


async def until_async(question, wanted):
    for _ in range(200):
        if await question() == wanted:
            return
        await asyncio.sleep(0)
    raise AssertionError(await question())


@story
async def test_what_fell_to_a_full_queue_is_told_after_a_crash_too_and_once():
    gate, later = Gate(), Gate()
    async with build_world(gate, mode="followup", cap=1, drop="summarize") as world:
        await post_behind(world, gate, "second", "third", "fourth")
        await wait_for_end(world, 2)
        world.runner.script = then(echo_script, lambda asked: Reply(text="told", before_chunk=later), echo_script)
        await world.restart(kill=True)
        await later.reached.wait()
        told = str(world.runner.requests[-1].messages[-1].content)
        # As many lines as may wait, and the number of all.
        assert told.startswith("2 earlier messages were left out, because too many were waiting:\n- third\n\n")
        assert told.endswith("fourth")
        # The turn that tells has begun: cut now, it goes on, and a later turn does not tell it again.
        await world.restart(kill=True)
        later.open()
        await world.settle()
        await world.channel("telegram").post("fifth", sender="ann")
        await world.settle()
        assert "left out" not in str(world.runner.requests[-1].messages[-1].content)
        assert (await world.store.recover(world.clock.now())).left_out == ()


@story
async def test_lines_of_a_queue_that_was_emptied_are_forgotten_for_good():
    gate = Gate()
    async with build_world(gate, mode="followup", cap=1, drop="summarize") as world:
        await post_behind(world, gate, "second", "third")
        await wait_for_end(world, 1)
        await world.gateway.sessions.abort(DIRECT, None, who="ann")
        await world.settle()
        await world.restart(kill=True)
        await world.channel("telegram").post("fourth", sender="ann")
        await world.settle()
        assert "left out" not in str(world.runner.requests[-1].messages[-1].content)
        assert (await world.store.recover(world.clock.now())).left_out == ()


@pytest.mark.parametrize("drop", ["old", "summarize"])
def test_a_full_queue_drops_the_oldest_and_tells_its_sender_once(drop):
    @story
    async def play():
        gate = Gate()
        async with build_world(gate, mode="followup", cap=2, drop=drop) as world:
            await post_behind(world, gate, "a", "b", "c", "d")
            gate.open()
            await world.settle()
            assert expired(await read_inbox(world)) == ["a", "b"]
            assert [line for line in await read_lines(world) if line.startswith("user")] == [
                "user: first",
                "user: c",
                "user: d",
            ]
            notices = [text for text in sent_texts(world) if "was not answered" in text]
            assert notices == [
                f"Your message “{text}” was not answered: too many messages were waiting." for text in "ab"
            ]
            told = str(world.runner.requests[1].messages[-1].content)
            if drop == "summarize":
                assert told.startswith("2 earlier messages were left out, because too many were waiting:\n- a\n- b\n")
                assert told.endswith("[Current message - respond to this]\nc")
            else:
                assert told == "c"
            assert "left out" not in str(world.runner.requests[2].messages[-1].content)

    play()


@story
async def test_in_a_group_the_agent_is_told_whose_message_fell_out():
    gate = Gate()
    async with build_world(gate, mode="followup", cap=1, drop="summarize") as world:
        for sender, text in (("ann", "first"), ("bob", "second"), ("ann", "third")):
            await world.channel("telegram").post(
                f"@bot {text}", sender=sender, name=sender.title(), chat_type="group", chat_id="club", mentioned=True
            )
            await gate.reached.wait()
        gate.open()
        await world.settle()
        told = str(world.runner.requests[1].messages[-1].content)
        assert told.startswith("1 earlier message was left out, because too many were waiting:\n- Bob: @bot second\n")


@story
async def test_a_full_queue_may_refuse_the_newest_instead():
    gate = Gate()
    async with build_world(gate, mode="followup", cap=1, drop="new") as world:
        await post_behind(world, gate, "a", "b")
        gate.open()
        await world.settle()
        assert [(text, state) for text, state, _ in await read_inbox(world)] == [
            ("first", "answered"),
            ("a", "answered"),
            ("b", "expired"),
        ]
        queue = [(row.decision.outcome, row.decision.rule) for row in await read_decisions(world, kind="queue")]
        assert ("refuse", "QUEUE-13") in queue


@story
async def test_a_session_may_have_a_mode_of_its_own():
    gate = Gate()
    async with build_world(gate, mode="steer") as world:
        await world.channel("telegram").post("hello", sender="ann")
        gate.open()
        await world.settle()
        await world.channel("telegram").post("/queue collect", sender="ann")
        await world.settle()
        session = await world.store.load_session(DIRECT)
        assert session.overrides.queue_mode == "collect"


@story
async def test_why_a_message_waited_is_on_record():
    gate = Gate()
    async with build_world(gate, mode="followup") as world:
        await post_behind(world, gate, "second")
        gate.open()
        await world.settle()
        rows = await read_decisions(world, kind="queue")
        assert [(row.decision.outcome, row.decision.rule) for row in rows] == [("wait", "QUEUE-4"), ("run", "QUEUE-4")]
        inbox = await world.store.load_inbox(session_key=DIRECT)
        assert {row.inbound_id for row in rows} == {inbox[1].inbound_id}


@story
async def test_fanned_out_messages_run_side_by_side_and_each_is_answered():
    gates = [Gate(), Gate()]
    config = build_config(messages={"queue": {"mode": "fanout", "debounceMs": 0}})
    scripts = [
        lambda asked, gate=gate: Reply(text=f"You said: {asked.last_user_text}", before_chunk=gate) for gate in gates
    ]
    async with GatewayInMemory(config, runner=ScriptedRunner(then(*scripts))) as world:
        await world.channel("telegram").post("one", sender="ann")
        await gates[0].reached.wait()
        await world.channel("telegram").post("two", sender="ann")
        await gates[1].reached.wait()
        assert len(world.gateway.lanes.get(DIRECT).active_turn_ids) == 2
        gates[1].open()
        gates[0].open()
        await world.settle()
        assert sorted(sent_texts(world)) == ["You said: one", "You said: two"]
        assert [state for _, state, _ in await read_inbox(world)] == ["answered", "answered"]


@story
async def test_a_session_is_not_rolled_under_the_feet_of_a_turn_that_runs():
    from tests.builders.stories import at

    gates = [Gate(), Gate()]
    config = build_config(messages={"queue": {"mode": "fanout", "debounceMs": 0}})
    scripts = [lambda _, gate=gate: Reply(text="done", before_chunk=gate) for gate in gates]
    async with GatewayInMemory(config, runner=ScriptedRunner(then(*scripts))) as world:
        world.clock.jump(at("2026-03-11 03:59"))
        await world.channel("telegram").post("one", sender="ann")
        await gates[0].reached.wait()
        world.clock.jump(at("2026-03-11 04:01"))
        await world.channel("telegram").post("two", sender="ann")
        await gates[1].reached.wait()
        for gate in gates:
            gate.open()
        await world.settle()
        assert len(await world.store.load_transcripts(DIRECT)) == 1
        await world.channel("telegram").post("three", sender="ann")
        await world.settle()
        assert len(await world.store.load_transcripts(DIRECT)) == 2


@story
async def test_a_turn_that_came_later_does_not_begin_before_one_that_starts_the_session_over():
    from tests.builders.stories import at

    config = build_config(messages={"queue": {"mode": "fanout", "debounceMs": 0}})
    async with GatewayInMemory(config, runner=ScriptedRunner(echo_script)) as world:
        world.clock.jump(at("2026-03-11 03:59"))
        await world.channel("telegram").post("one", sender="ann")
        await world.settle()
        world.clock.jump(at("2026-03-11 04:01"))
        begins, change = [], world.store.change

        async def change_slowly(name, *args, **kwargs):
            if name == "begin_turn":
                begins.append(name)
                if len(begins) == 1:
                    raise StoreFull("Nothing can be stored", why="the disk is full", fix="Wait.")
            return await change(name, *args, **kwargs)

        world.store.change = change_slowly
        await world.channel("telegram").post("two", sender="ann")
        await world.channel("telegram").post("three", sender="ann")
        await world.run_for(30)
        await world.settle()
        assert [(text, state) for text, state, _ in await read_inbox(world)] == [
            ("one", "answered"),
            ("two", "answered"),
            ("three", "answered"),
        ]
        assert len(await world.store.load_transcripts(DIRECT)) == 2
        assert [line for line in await read_lines(world) if line.startswith("user")] == ["user: two", "user: three"]


@story
async def test_no_more_turns_run_at_once_than_the_gateway_has_places_for():
    gate = Gate()
    config = build_config(agents={"defaults": {"maxConcurrent": 2}})
    runner = ScriptedRunner(lambda asked: Reply(text=asked.last_user_text, before_chunk=gate))
    async with GatewayInMemory(config, runner=runner) as world:
        for sender in ("ann", "bob", "cid", "dan"):
            await world.channel("telegram").post("hi", sender=sender)
        await gate.reached.wait()
        await world.run_for(1)
        assert runner.running == 2
        gate.open()
        await world.settle()
        assert len(sent_texts(world)) == 4


@pytest.mark.parametrize("key", ["agent:main:subagent:1", "agent:main:cron:daily"])
def test_spawned_sessions_and_jobs_do_not_wait_for_the_places_of_people(key):
    @story
    async def play():
        gate = Gate()
        config = build_config(agents={"defaults": {"maxConcurrent": 1, "subagents": {"maxConcurrent": 1}}})
        first = lambda asked: Reply(text="held", before_chunk=gate)  # noqa: E731 - a script
        async with GatewayInMemory(config, runner=ScriptedRunner(then(first, echo_script))) as world:
            # The only place of people's turns is taken …
            await world.channel("telegram").post("first", sender="ann")
            await gate.reached.wait()
            await ask(world, "meanwhile", key=key, options=TurnOptions(system=True))
            # … and the other lane goes on.
            await until_lines(world, key, 2)
            assert (await read_lines(world, key))[-1] == "assistant: You said: meanwhile"
            # A second person waits for the first one's place.
            await world.channel("telegram").post("second", sender="bob")
            await world.run_for(1)
            assert await read_lines(world, "agent:main:telegram:direct:bob") == []
            gate.open()
            await world.settle()
            assert len(await read_lines(world, "agent:main:telegram:direct:bob")) == 2

    play()


async def until_lines(world, key, count):
    for _ in range(500):
        if len(await read_lines(world, key)) == count:
            return
        await asyncio.sleep(0)
    raise AssertionError(await read_lines(world, key))


@pytest.mark.parametrize(
    ("by_channel", "quiet_ms"),
    [({}, 700), ({"debounceMsByChannel": {"telegram": 300}}, 300)],
    ids=["own", "configured"],
)
@story
async def test_a_channel_prefers_a_quiet_time_of_its_own_to_what_holds_for_all(by_channel, quiet_ms):
    """QUEUE-11: below what the configuration says of the channel, above what it says of all (here 0)."""
    gate = Gate()
    async with build_world(gate, mode="collect", **by_channel) as world:
        world.channel("telegram")._capabilities = Capabilities(debounce_ms=700)
        await post_behind(world, gate, "second")
        gate.open()
        await world.run_for((quiet_ms - 50) / 1000)
        assert sent_texts(world) == ["You said: first"]
        await world.run_for(0.1)
        assert sent_texts(world) == ["You said: first", "You said: second"]
        await world.channel("telegram").post("/queue", sender="ann")
        await world.settle()
        assert f"debounce {quiet_ms} ms (the channel's)" in sent_texts(world)[-1]
