"""Repeating and replacing, carried out: what is asked, when, and what the person is told."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

import pytest

from instar.core.model.entry import AnyMessage, TextBlock, UserMessage
from instar.core.model.ids import SessionKey, TurnId
from instar.core.policy.retry import RetrySettings
from instar.errors import ModelAuthFailed, ModelOverflow, ModelRateLimited, ModelUnavailable
from instar.ports.runner import Finished, ModelRequest, ModelSpec, Restarted, RunnerEvent, TextDelta
from instar.runners.fallback import FallbackRunner
from instar.system.log_events import MODEL_FAILED, MODEL_REPLACED, MODEL_RETRIED
from instar.testing.clock import ManualClock
from instar.testing.log import build_memory_log
from instar.testing.runner import ScriptedRunner
from instar.testing.script import Asked, Fault, FaultKind, Reply, Script, play

FIRST = ModelSpec(provider="a", id="first", api="scripted")
SECOND = ModelSpec(provider="b", id="second", api="scripted")


MessagesFor = Callable[[ModelSpec], Sequence[AnyMessage]]


class Stage:
    def __init__(self, script: Script, *, settings: RetrySettings | None = None) -> None:
        self.clock = ManualClock(auto_advance_s=0)
        self.inner = ScriptedRunner(script, clock=self.clock)
        log, self.sink = build_memory_log(clock=self.clock)
        self.runner = FallbackRunner(self.inner, clock=self.clock, log=log, settings=settings)

    def ask(
        self, *fallbacks: ModelSpec, timeout_s: float = 600, messages_for: MessagesFor | None = None
    ) -> list[RunnerEvent]:
        request = ModelRequest(
            session_key=SessionKey("k"),
            turn_id=TurnId("t"),
            model=FIRST,
            system="",
            messages=[UserMessage(content="hi", timestamp=None)],
            fallbacks=fallbacks,
            timeout_s=timeout_s,
            messages_for=messages_for,
        )

        async def scenario() -> list[RunnerEvent]:
            return [event async for event in self.runner.run(request)]

        return asyncio.run(scenario())

    def asked(self) -> list[str]:
        return [request.model.id for request in self.inner.requests]


def fails(kind: FaultKind, *, retry_after_s: float | None = None) -> Reply:
    return Reply(fault=Fault(kind=kind, text=f"{kind} of the model", retry_after_s=retry_after_s))


def by_model(**replies: Reply) -> Script:
    def script(asked: Asked) -> Reply:
        return replies[asked.model]

    return script


def finished(events: list[RunnerEvent]) -> Finished:
    last = events[-1]
    assert isinstance(last, Finished)
    return last


def test_an_answer_is_passed_on_as_it_is() -> None:
    stage = Stage(play("Hello."))
    events = stage.ask()
    assert finished(events).notes == ()
    assert [event.text for event in events if isinstance(event, TextDelta)] == ["He", "ll", "o."]
    assert stage.runner.name == "scripted"


def test_what_passes_is_asked_again_after_growing_waits() -> None:
    stage = Stage(play(fails("overloaded"), fails("server"), "Hello."))
    assert finished(stage.ask()).notes == ()
    assert stage.asked() == ["first"] * 3
    assert stage.clock.monotonic() == pytest.approx(3.0)
    assert [event["wait_s"] for event in stage.sink.named(MODEL_RETRIED)] == [1.0, 2.0]


def test_the_providers_word_is_waited_for() -> None:
    stage = Stage(play(fails("rate_limit", retry_after_s=17), "Hello."))
    stage.ask()
    assert stage.clock.monotonic() == pytest.approx(17)


def test_after_the_last_attempt_the_failure_is_told() -> None:
    stage = Stage(lambda _: fails("overloaded"))
    with pytest.raises(ModelUnavailable, match="overloaded of the model"):
        stage.ask()
    assert len(stage.inner.requests) == 4
    assert len(stage.sink.named(MODEL_FAILED)) == 1


def test_a_wrong_key_is_not_tried_twice() -> None:
    stage = Stage(lambda _: fails("auth"))
    with pytest.raises(ModelAuthFailed):
        stage.ask()
    assert len(stage.inner.requests) == 1


def test_another_model_stands_in_and_the_person_is_told_why() -> None:
    stage = Stage(by_model(first=fails("auth"), second=Reply(text="Hello.")))
    answer = finished(stage.ask(SECOND))
    assert (answer.message.provider, answer.message.model) == ("b", "second")
    assert answer.notes == ("b/second answers instead of a/first: auth of the model.",)
    assert stage.sink.named(MODEL_REPLACED)[0]["by"] == "b/second"


def test_a_model_that_was_given_up_rests_while_another_can_answer() -> None:
    stage = Stage(by_model(first=fails("auth"), second=Reply(text="Hello.")))
    stage.ask(SECOND)
    again = finished(stage.ask(SECOND))
    assert stage.asked() == ["first", "second", "second"]
    assert again.notes == ("b/second answers instead of a/first: auth of the model.",)
    stage.clock.advance(61)
    stage.ask(SECOND)
    assert stage.asked()[3:] == ["first", "second"]


def test_a_resting_model_is_asked_all_the_same_when_there_is_no_other() -> None:
    stage = Stage(by_model(first=fails("auth"), second=fails("auth")))
    with pytest.raises(ModelAuthFailed):
        stage.ask(SECOND)
    with pytest.raises(ModelAuthFailed):
        stage.ask()
    assert stage.asked() == ["first", "second", "first"]


def test_when_all_fail_the_first_failure_is_told_with_the_others() -> None:
    stage = Stage(by_model(first=fails("quota"), second=fails("auth")))
    with pytest.raises(ModelRateLimited, match="None of the 2 models could answer") as caught:
        stage.ask(SECOND)
    assert "a/first: quota of the model; b/second: auth of the model" in caught.value.why
    assert caught.value.lasting


def test_an_overflow_is_told_as_it_is_so_that_it_can_be_mended() -> None:
    stage = Stage(by_model(first=fails("auth"), second=fails("overflow")))
    with pytest.raises(ModelOverflow, match="overflow of the model"):
        stage.ask(SECOND)


def test_half_an_answer_is_taken_back_before_the_whole_one_comes() -> None:
    half = Reply(text="one two three", fault=Fault(kind="cut", text="broke off", after_chunks=2))
    events = Stage(play(half, "Whole.")).ask()
    kinds = [type(event) for event in events]
    at = kinds.index(Restarted)
    assert kinds[:at] == [TextDelta, TextDelta]
    assert events[at] == Restarted(reason="broke off")
    assert "".join(event.text for event in events[at:] if isinstance(event, TextDelta)) == "Whole."
    assert finished(events).message.content == (TextBlock(text="Whole."),)


def test_a_failure_before_the_first_word_takes_nothing_back() -> None:
    events = Stage(play(fails("server"), "Whole.")).ask()
    assert Restarted not in [type(event) for event in events]


def test_the_time_limit_holds_over_all_attempts() -> None:
    stage = Stage(lambda _: fails("overloaded"))
    with pytest.raises(ModelUnavailable):
        stage.ask(timeout_s=2.5)
    assert stage.clock.monotonic() <= 2.5
    assert [round(request.timeout_s, 3) for request in stage.inner.requests] == [2.5, 1.5]


def test_the_runner_inside_is_asked_for_one_model_at_a_time() -> None:
    stage = Stage(play("Hello."))
    stage.ask(SECOND)
    assert stage.inner.requests[0].fallbacks == ()


def test_stopping_while_it_waits_stops_at_once() -> None:
    clock = ManualClock()
    inner = ScriptedRunner(lambda _: fails("overloaded"), clock=clock)
    log, _ = build_memory_log()
    runner = FallbackRunner(inner, clock=clock, log=log)
    request = ModelRequest(session_key=SessionKey("k"), turn_id=TurnId("t"), model=FIRST, system="", messages=[])

    async def scenario() -> None:
        async def drain() -> None:
            async for _ in runner.run(request):
                pass

        task = asyncio.create_task(drain())
        for _ in range(20):
            await asyncio.sleep(0)
        assert clock.sleepers == 1
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        assert task.cancelled()
        await runner.close()

    asyncio.run(scenario())
    assert len(inner.requests) == 1


def test_a_stand_in_is_sent_what_was_made_for_it_and_the_first_model_what_was_made_for_that() -> None:
    def shorten(model: ModelSpec) -> list[AnyMessage]:
        return [UserMessage(content=f"short for {model.id}", timestamp=None)]

    stage = Stage(by_model(first=fails("auth"), second=Reply(text="Hello.")))
    stage.ask(SECOND, messages_for=shorten)
    stage.ask(SECOND, messages_for=shorten)

    words = [
        [one.content for one in request.messages if isinstance(one, UserMessage)] for request in stage.inner.requests
    ]
    assert words == [["hi"], ["short for second"], ["short for second"]]
    assert all(request.messages_for is None for request in stage.inner.requests)
