"""A model that fails gives its person a clear sentence, and the session stays usable (issue of TRANS-6, LOSS-2)."""

from __future__ import annotations

import pytest

from instar.core.model.change import TurnOptions
from instar.core.model.event import RunEnded
from instar.gateway import asking, turn
from instar.testing.gateway import GatewayInMemory
from instar.testing.runner import ScriptedRunner
from instar.testing.script import Fault, Reply, call, play
from tests.builders.stories import (
    DIRECT,
    Gate,
    Listener,
    ask,
    build_config,
    read_inbox,
    read_lines,
    sent_texts,
    story,
    until,
)

CODES = {
    "auth": "model_auth",
    "not_found": "model_not_found",
    "overflow": "model_overflow",
    "rate_limit": "model_rate_limited",
    "overloaded": "model_unavailable",
    "reset": "model_unavailable",
    "rejected": "model_rejected",
    "cut": "model_cut_off",
}


def build_world(*replies):
    return GatewayInMemory(build_config(), runner=ScriptedRunner(play(*replies)))


@pytest.mark.parametrize(("kind", "code"), CODES.items(), ids=CODES)
def test_each_failure_is_told_in_a_sentence_and_the_next_message_is_answered(kind, code):
    @story
    async def play_it():
        fault = Fault(kind=kind, text="The key was refused by the provider")
        async with build_world(Reply(text="partly", fault=fault), "well again") as world:
            await world.channel("telegram").post("one", sender="ann")
            await world.settle()
            (sentence,) = sent_texts(world)
            assert sentence.startswith("The key was refused by the provider")
            assert "Traceback" not in sentence
            said = "partly" if kind == "cut" else ""
            assert await read_lines(world) == ["user: one", f"assistant (error): {said}".rstrip()]
            assert await read_inbox(world) == [("one", "answered", code)]
            await world.channel("telegram").post("two", sender="ann")
            await world.settle()
            assert sent_texts(world)[-1] == "well again"
            assert (await read_lines(world))[2:] == ["user: two", "assistant: well again"]

    play_it()


@story
async def test_a_failure_is_kept_in_the_transcript_beside_what_was_said():
    fault = Fault(kind="server", text="It broke", after_chunks=2)
    async with build_world(Reply(text="one two three", chunks=3, fault=fault)) as world:
        await world.channel("telegram").post("hello", sender="ann")
        await world.settle()
        page = await world.store.load_all_entries((await world.store.load_session(DIRECT)).session_id)
        message = page.entries[-1].entry.message
        assert message.content[0].text.startswith("one two")
        assert message.error_message == "It broke."
        assert message.stop_reason == "error"


@story
async def test_a_failure_in_the_middle_of_a_tool_loop_leaves_no_call_without_a_result():
    async with build_world(Reply(calls=(call("nothing"),)), Reply(fault=Fault(kind="server"))) as world:
        await world.channel("telegram").post("hello", sender="ann")
        await world.settle()
        lines = await read_lines(world)
        assert lines[1:3] == ["assistant: [nothing]", lines[2]]
        assert lines[2].startswith("nothing → error")
        assert lines[3] == "assistant (error):"


@story
async def test_a_client_hears_of_the_failure_once():
    async with build_world(Reply(fault=Fault(kind="auth", text="No key"))) as world:
        listener = Listener(world)
        await ask(world, "hello", run_id="r1")
        await world.settle()
        (end,) = [event for event in listener.events if isinstance(event, RunEnded)]
        assert (end.turn_id, end.state, end.error) == ("r1", "error", "No key.")
        state = await world.gateway.run_state("r1")
        assert (state.status, state.error) == ("error", "No key.")
        assert sent_texts(world) == []


@story
async def test_a_model_that_never_answers_is_cut_off_after_its_time():
    async with build_world(Reply(fault=Fault(kind="hang")), "well again") as world:
        await ask(world, "hello", run_id="r1", options=TurnOptions(timeout_ms=30_000))
        await until(lambda: world.runner.running == 1)
        await world.run_for(30 + asking.RUNNER_GRACE_S)
        await world.settle()
        assert await read_inbox(world) == [("hello", "answered", "model_unavailable")]
        assert "no answer in time" in (await world.gateway.run_state("r1")).error
        assert world.runner.cancelled == 1
        await ask(world, "again", run_id="r2")
        await world.settle()
        assert (await read_lines(world))[-1] == "assistant: well again"


@story
async def test_a_defect_of_ours_is_told_and_the_session_stays_usable():
    def script(asked):
        if asked.last_user_text == "one":
            msg = "a defect in a runner"
            raise RuntimeError(msg)
        return Reply(text="well again")

    async with GatewayInMemory(build_config(), runner=ScriptedRunner(script)) as world:
        await world.channel("telegram").post("one", sender="ann")
        await world.settle()
        assert await read_inbox(world) == [("one", "answered", "internal")]
        assert sent_texts(world)[0].startswith("Something went wrong inside the gateway")
        await world.channel("telegram").post("two", sender="ann")
        await world.settle()
        assert sent_texts(world)[1:] == ["well again"]


@story
async def test_a_defect_before_the_turn_began_ends_its_message_too(monkeypatch):
    from instar.gateway.turn_services import TurnServices

    def broken(self, key, item):
        raise RuntimeError

    listener_events = []
    async with build_world("never", "well again") as world:
        world.gateway.events.subscribe(listener_events.append)
        with monkeypatch.context() as patched:
            patched.setattr(TurnServices, "begin_settings", broken)
            await world.channel("telegram").post("one", sender="ann")
            await ask(world, "two", run_id="r2")
            await world.settle()
        assert [(state, reason) for _, state, reason in await read_inbox(world)] == [("expired", "internal")] * 2
        assert sent_texts(world) == [
            "Your message “one” was not answered: something went wrong inside the gateway, and its log says more."
        ]
        ends = [event for event in listener_events if isinstance(event, RunEnded)]
        assert [(end.state, end.turn_id) for end in ends if end.turn_id == "r2"] == [("error", "r2")]
        await world.channel("telegram").post("three", sender="ann")
        await world.settle()
        assert sent_texts(world)[-1] == "never"


@story
async def test_a_model_that_only_calls_tools_is_stopped_some_time(monkeypatch):
    monkeypatch.setattr(turn, "MAX_REQUESTS", 3)
    runner = ScriptedRunner(lambda _: Reply(calls=(call("nothing"),)))
    async with GatewayInMemory(build_config(), runner=runner) as world:
        await world.channel("telegram").post("one", sender="ann")
        await world.settle()
        assert await read_inbox(world) == [("one", "answered", "too_many_steps")]
        assert sent_texts(world) == ["The agent did not come to an end in 3 steps."]
        assert len(runner.requests) == 3


@story
async def test_a_failure_in_one_session_does_not_touch_another():
    gate = Gate()

    def script(asked):
        if asked.last_user_text == "bad":
            return Reply(fault=Fault(kind="server"))
        return Reply(text="fine", before_chunk=gate)

    async with GatewayInMemory(build_config(), runner=ScriptedRunner(script)) as world:
        await world.channel("telegram").post("good", sender="bob")
        await gate.reached.wait()
        await world.channel("telegram").post("bad", sender="ann")
        await until(lambda: len(sent_texts(world, to="ann")) == 1)
        gate.open()
        await world.settle()
        assert sent_texts(world, to="bob") == ["fine"]
