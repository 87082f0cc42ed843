"""Every runner keeps the same promises: the echo, the scripted twin, and real ones over each wire format.

The real ones talk to a real server (`instar.testing.model_server`) that speaks the provider's format and refuses what
a provider refuses.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, replace

import pytest

from instar.config.sections.models import ModelsSettings, parse_models
from instar.core.model.entry import (
    AnyMessage,
    AssistantMessage,
    ImageBlock,
    OtherMessage,
    TextBlock,
    ThinkingBlock,
    ToolCall,
    ToolResultMessage,
    Usage,
    UserMessage,
)
from instar.core.model.ids import SessionKey, TurnId
from instar.errors import (
    ModelAuthFailed,
    ModelCutOff,
    ModelError,
    ModelNotFound,
    ModelOverflow,
    ModelRateLimited,
    ModelRejected,
    ModelUnavailable,
)
from instar.ports.runner import Finished, ModelRequest, ModelSpec, Runner, RunnerEvent, TextDelta, ToolCallSeen
from instar.ports.tool import ToolSpec
from instar.runners.catalog import resolve_model
from instar.runners.echo import ECHO_MODEL, EchoRunner
from instar.runners.model import ModelRunner
from instar.testing.model_server import ModelServer
from instar.testing.runner import SCRIPTED_MODEL, ScriptedRunner
from instar.testing.script import Asked, Fault, FaultKind, Reply, Script, call, play, tool_script

STATUS = ToolSpec(
    name="session_status", description="Tells the state.", parameters={"type": "object", "properties": {}}
)
PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="


@dataclass
class Stage:
    """A runner, its model, and the hand that writes its script. `server` is there where a real one answers."""

    runner: Runner
    model: ModelSpec
    play: Callable[[Script], None]
    server: ModelServer | None = None

    def request(self, *messages: AnyMessage, **fields: object) -> ModelRequest:
        base = ModelRequest(
            session_key=SessionKey("agent:main:main"),
            turn_id=TurnId("t"),
            model=self.model,
            system="Be brief.",
            messages=messages or (user("Hello?"),),
            timeout_s=20,
        )
        return replace(base, **fields)  # type: ignore[arg-type]

    def ask(self, request: ModelRequest | None = None) -> list[RunnerEvent]:
        async def scenario() -> list[RunnerEvent]:
            try:
                return [event async for event in self.runner.run(request or self.request())]
            finally:
                await self.runner.close()

        return asyncio.run(scenario())

    def answer(self, request: ModelRequest | None = None) -> Finished:
        last = self.ask(request)[-1]
        assert isinstance(last, Finished)
        return last


def user(text: str) -> UserMessage:
    return UserMessage(content=text, timestamp=None)


def said(*blocks: TextBlock | ToolCall | ThinkingBlock, model: ModelSpec = SCRIPTED_MODEL) -> AssistantMessage:
    return AssistantMessage(
        content=blocks,
        api=model.api,
        provider=model.provider,
        model=model.id,
        usage=Usage(),
        stop_reason="stop",
        timestamp=None,
    )


def result(call_id: str, text: str, *, is_error: bool = False) -> ToolResultMessage:
    content = (TextBlock(text=text),)
    return ToolResultMessage(
        tool_call_id=call_id, tool_name="session_status", content=content, is_error=is_error, timestamp=None
    )


def settings_for(server: ModelServer, api: str) -> ModelsSettings:
    url = server.openai_url if api.startswith("openai") else server.url
    models = [
        {"id": "m", "input": ["text", "image"], "cost": {"input": 1, "output": 2, "cacheRead": 0.5, "cacheWrite": 3}}
    ]
    provider = {"baseUrl": url, "api": api, "apiKey": "the-secret-key", "models": models}
    return parse_models({"models": {"providers": {"mine": provider}}}, environ={})


def _echo() -> Iterator[Stage]:
    yield Stage(runner=EchoRunner(), model=ECHO_MODEL, play=lambda _: None)


def _scripted() -> Iterator[Stage]:
    runner = ScriptedRunner()
    yield Stage(runner=runner, model=SCRIPTED_MODEL, play=lambda script: setattr(runner, "script", script))


def _real(api: str) -> Callable[[], Iterator[Stage]]:
    def stage() -> Iterator[Stage]:
        with ModelServer(key="the-secret-key") as server:
            settings = settings_for(server, api)
            yield Stage(
                runner=ModelRunner(settings),
                model=resolve_model(settings, "mine/m"),
                play=lambda script: setattr(server, "script", script),
                server=server,
            )

    return stage


REAL = {
    "openai": _real("openai-completions"),
    "responses": _real("openai-responses"),
    "anthropic": _real("anthropic-messages"),
    "google": _real("google-generative-ai"),
}
SCRIPTABLE = {"scripted": _scripted, **REAL}
ALL = {"echo": _echo, **SCRIPTABLE}


@pytest.fixture
def stage(request: pytest.FixtureRequest) -> Iterator[Stage]:
    yield from request.param()


every = pytest.mark.parametrize("stage", ALL.values(), ids=ALL.keys(), indirect=True)
scriptable = pytest.mark.parametrize("stage", SCRIPTABLE.values(), ids=SCRIPTABLE.keys(), indirect=True)
real = pytest.mark.parametrize("stage", REAL.values(), ids=REAL.keys(), indirect=True)


# --- what every runner does -------------------------------------------------------------------------------------------


@every
def test_the_last_event_is_the_whole_answer_and_the_deltas_are_its_text(stage: Stage) -> None:
    *events, last = stage.ask(stage.request(user("What is new?")))
    assert isinstance(last, Finished)
    text = "".join(event.text for event in events if isinstance(event, TextDelta))
    assert text == "".join(block.text for block in last.message.content if isinstance(block, TextBlock))
    assert "What is new?" in text
    assert not any(isinstance(event, Finished) for event in events)


@every
def test_an_answer_names_who_gave_it_and_leaves_its_time_to_the_turn(stage: Stage) -> None:
    message = stage.answer().message
    assert (message.provider, message.model, message.api) == (stage.model.provider, stage.model.id, stage.model.api)
    assert (message.stop_reason, message.timestamp, message.error_message) == ("stop", None, None)


@every
def test_an_empty_conversation_is_answered_all_the_same(stage: Stage) -> None:
    assert stage.answer(replace(stage.request(), messages=(), system="")).message.content


@every
def test_requests_may_run_side_by_side(stage: Stage) -> None:
    async def scenario() -> list[str]:
        async def one(number: int) -> str:
            events = [event async for event in stage.runner.run(stage.request(user(f"number {number}!")))]
            return "".join(event.text for event in events if isinstance(event, TextDelta))

        try:
            return await asyncio.gather(*(one(number) for number in range(8)))
        finally:
            await stage.runner.close()

    assert all(f"number {number}!" in text for number, text in enumerate(asyncio.run(scenario())))


@every
def test_closing_twice_does_no_harm_and_a_closed_runner_can_be_asked_again(stage: Stage) -> None:
    async def scenario() -> int:
        await stage.runner.close()
        await stage.runner.close()
        events = [event async for event in stage.runner.run(stage.request())]
        await stage.runner.close()
        return len(events)

    assert asyncio.run(scenario()) >= 2


# --- tools ------------------------------------------------------------------------------------------------------------


@scriptable
def test_a_tool_call_comes_whole_and_its_result_goes_back(stage: Stage) -> None:
    stage.play(tool_script)
    asked = user("How are you?")
    events = stage.ask(stage.request(asked, tools=(STATUS,)))
    first = events[-1]
    assert isinstance(first, Finished)
    (seen,) = [event.call for event in events if isinstance(event, ToolCallSeen)]
    assert first.message.stop_reason == "toolUse"
    assert seen == first.message.content[-1]
    assert (seen.name, dict(seen.arguments)) == ("session_status", {})

    second = stage.answer(stage.request(asked, first.message, result(seen.id, "all is well"), tools=(STATUS,)))
    assert second.message.stop_reason == "stop"
    (block,) = second.message.content
    assert isinstance(block, TextBlock)
    assert block.text == "The tool says: all is well"


@scriptable
def test_several_calls_keep_their_order_and_their_arguments(stage: Stage) -> None:
    stage.play(play(Reply(calls=(call("read", path="a", deep={"n": [1, 2.5, None, "ü"]}), call("read", path="b")))))
    message = stage.answer(stage.request(tools=(STATUS,))).message
    calls = [block for block in message.content if isinstance(block, ToolCall)]
    assert [dict(each.arguments) for each in calls] == [
        {"path": "a", "deep": {"n": [1, 2.5, None, "ü"]}},
        {"path": "b"},
    ]
    assert len({each.id for each in calls}) == 2


@scriptable
def test_words_put_in_while_a_tool_ran_come_behind_its_result(stage: Stage) -> None:
    heard: list[Asked] = []
    stage.play(lambda asked: heard.append(asked) or Reply(text="ok"))
    stage.ask(
        stage.request(
            user("go"),
            said(ToolCall(id="c1", name="session_status", arguments={}), model=stage.model),
            result("c1", "done"),
            user("and hurry"),
            tools=(STATUS,),
        )
    )
    (asked,) = heard
    assert [(each.role, each.text) for each in asked.spoken] == [
        ("user", "go"),
        ("assistant", ""),
        ("tool", "done"),
        ("user", "and hurry"),
    ]


# --- what reaches a provider ------------------------------------------------------------------------------------------


@real
@pytest.mark.parametrize(
    "messages",
    [
        [said(TextBlock(text="I speak first")), user("hi")],
        [user("hi"), said(TextBlock(text="I speak last"))],
        [user("hi"), said(), user("again")],
        [user("  ")],
        [user("hi"), said(ToolCall(id="lost", name="x", arguments={})), user("again")],
        [user("hi"), result("nobody asked", "x")],
        [user("hi"), said(ToolCall(id="odd|id with:signs" + "x" * 90, name="x", arguments={}))],
        [
            user("hi"),
            said(ToolCall(id="call_0", name="x", arguments={})),
            result("call_0", "1"),
            said(ToolCall(id="call_0", name="x", arguments={})),
            result("call_0", "2"),
        ],
        [user("hi"), said(*(ToolCall(id="same", name="x", arguments={}) for _ in range(2))), result("same", "1")],
        [user("hi"), said(ThinkingBlock(thinking="hm", signature="s")), user("and?")],
        [OtherMessage(role="compactionSummary", raw={"role": "compactionSummary", "summary": "They met."}), user("hi")],
        [OtherMessage(role="branchSummary", raw={"summary": "They left."}), OtherMessage(role="unheard of", raw={})],
        [OtherMessage(role="bashExecution", raw={"command": "ls", "output": "a b"})],
        [OtherMessage(role="custom", raw={"content": [{"type": "text", "text": "note"}]})],
        [UserMessage(content=(TextBlock(text=" "), TextBlock(text="")), timestamp=None)],
    ],
    ids=lambda messages: "-".join(type(each).__name__ for each in messages),
)
def test_a_provider_gets_only_what_it_accepts(stage: Stage, messages: list[AnyMessage]) -> None:
    """The server refuses what real ones refuse: wrong order, empty texts, calls and results that do not pair."""
    assert stage.answer(replace(stage.request(), messages=messages, tools=(STATUS,))).message.content


@real
def test_summaries_and_pictures_reach_the_model(stage: Stage) -> None:
    summary = OtherMessage(role="compactionSummary", raw={"summary": "They met in Rome."})
    picture = UserMessage(
        content=(TextBlock(text="Look:"), ImageBlock(data=PIXEL, mime_type="image/png")), timestamp=None
    )
    stage.ask(replace(stage.request(), messages=(summary, picture)))
    assert stage.server is not None
    spoken = stage.server.requests[-1].asked.spoken
    assert "They met in Rome." in " ".join(each.text for each in spoken)
    assert sum(each.images for each in spoken) == 1


@real
def test_a_model_without_eyes_is_told_of_a_picture_instead(stage: Stage) -> None:
    picture = UserMessage(content=(ImageBlock(data=PIXEL, mime_type="image/png"),), timestamp=None)
    broken = UserMessage(content=(ImageBlock(data="%%%", mime_type="image/png"),), timestamp=None)
    blind = replace(stage.model, input_kinds=("text",))
    stage.ask(replace(stage.request(), messages=(picture,), model=blind))
    stage.ask(replace(stage.request(), messages=(broken,)))
    assert stage.server is not None
    told = [request.asked.spoken[0] for request in stage.server.requests]
    assert [each.images for each in told] == [0, 0]
    assert "cannot be shown" in told[0].text
    assert "damaged" in told[1].text


@real
def test_the_system_text_goes_out_once_and_unchanged(stage: Stage) -> None:
    long = (user("a"), said(TextBlock(text="b"), model=stage.model), user("c"))
    stage.ask(stage.request(*long, system="Speak like a pirate.\n<system>no</system>"))
    assert stage.server is not None
    assert stage.server.requests[-1].asked.system == "Speak like a pirate.\n<system>no</system>"


# --- usage and cost ---------------------------------------------------------------------------------------------------


@scriptable
def test_usage_is_counted_apart_from_the_cache(stage: Stage) -> None:
    written = 0 if stage.model.api in {"openai-completions", "google-generative-ai"} else 111  # the two do not tell
    usage = Usage(input=10, output=5, cache_read=222, cache_write=written)
    stage.play(play(Reply(text="Hello.", usage=usage)))
    counted = stage.answer().message.usage
    assert (counted.input, counted.output) == (10, 5)
    assert (counted.cache_read, counted.cache_write) == (222, written)
    if stage.server:
        assert counted.total_tokens == 10 + 5 + 222 + written


@real
def test_the_price_of_the_model_makes_the_cost(stage: Stage) -> None:
    stage.play(play(Reply(text="Hello.", usage=Usage(input=1_000_000, output=500_000, cache_read=200_000))))
    finished = stage.answer()
    assert finished.cost_usd == pytest.approx(1.0 + 1.0 + 0.1)
    assert finished.message.usage.cost.total == pytest.approx(finished.cost_usd)
    assert finished.message.usage.cost.cache_read == pytest.approx(0.1)


@scriptable
def test_an_answer_that_hit_the_limit_says_so(stage: Stage) -> None:
    stage.play(play(Reply(text="Once upon a", stop_reason="length")))
    assert stage.answer().message.stop_reason == "length"


@scriptable
def test_thinking_comes_apart_from_the_answer(stage: Stage) -> None:
    stage.play(play(Reply(text="42.", thinking="Six times seven.")))
    message = stage.answer().message
    assert [type(block) for block in message.content] == [ThinkingBlock, TextBlock]
    assert isinstance(message.content[0], ThinkingBlock)
    assert message.content[0].thinking == "Six times seven."
    stage.play(play("Fine."))
    stage.ask(stage.request(user("6*7?"), message, user("Sure?")))  # and back to where it came from


# --- failures ---------------------------------------------------------------------------------------------------------

FAILURES: list[tuple[FaultKind, type[ModelError]]] = [
    ("auth", ModelAuthFailed),
    ("not_found", ModelNotFound),
    ("overflow", ModelOverflow),
    ("rate_limit", ModelRateLimited),
    ("quota", ModelRateLimited),
    ("overloaded", ModelUnavailable),
    ("server", ModelUnavailable),
    ("rejected", ModelRejected),
    ("reset", ModelUnavailable),
    ("cut", ModelCutOff),
]


@scriptable
@pytest.mark.parametrize(("kind", "expected"), FAILURES, ids=[kind for kind, _ in FAILURES])
def test_a_failure_has_its_own_error_which_names_the_model(
    stage: Stage, kind: FaultKind, expected: type[ModelError]
) -> None:
    stage.play(play(Reply(text="Never said whole.", fault=Fault(kind=kind))))
    with pytest.raises(ModelError) as caught:
        stage.ask()
    assert type(caught.value) is expected
    assert (caught.value.provider, caught.value.model) == (stage.model.provider, stage.model.id)


@real
@pytest.mark.parametrize(("kind", "expected"), FAILURES, ids=[kind for kind, _ in FAILURES])
def test_a_failure_is_told_in_a_sentence_with_a_way_out_and_no_key(
    stage: Stage, kind: FaultKind, expected: type[ModelError]
) -> None:
    text = "" if kind in {"auth", "overflow"} else "It said: your key is the-secret-key, Bearer abcdefgh1234"
    stage.play(play(Reply(text="Never said whole.", fault=Fault(kind=kind, text=text))))
    with pytest.raises(expected) as caught:
        stage.ask()
    told = str(caught.value)
    assert "mine" in told
    assert caught.value.fix
    assert "the-secret-key" not in told
    assert "abcdefgh1234" not in told


@scriptable
@pytest.mark.parametrize("kind", ["server", "overloaded", "reset", "cut"])
def test_a_failure_in_the_middle_follows_what_was_said(stage: Stage, kind: FaultKind) -> None:
    reply = Reply(text="one two three four", chunks=4, fault=Fault(kind=kind, after_chunks=2))
    stage.play(play(reply))
    heard: list[str] = []

    async def scenario() -> None:
        try:
            async for event in stage.runner.run(stage.request()):
                assert isinstance(event, TextDelta)
                heard.append(event.text)
        finally:
            await stage.runner.close()

    with pytest.raises(ModelError) as caught:
        asyncio.run(scenario())
    assert caught.value.retryable
    assert len("".join(heard)) == 10  # two of four chunks


@scriptable
def test_the_providers_word_on_waiting_is_kept(stage: Stage) -> None:
    stage.play(play(Reply(fault=Fault(kind="rate_limit", retry_after_s=7))))
    with pytest.raises(ModelRateLimited) as caught:
        stage.ask()
    assert caught.value.retry_after_ms == 7000
    assert not caught.value.lasting


@scriptable
def test_a_quota_that_is_used_up_does_not_pass_by_waiting(stage: Stage) -> None:
    stage.play(play(Reply(fault=Fault(kind="quota"))))
    with pytest.raises(ModelRateLimited) as caught:
        stage.ask()
    assert caught.value.lasting


@real
def test_a_failed_request_is_made_once_and_no_more(stage: Stage) -> None:
    stage.play(lambda _: Reply(fault=Fault(kind="server")))
    with pytest.raises(ModelUnavailable):
        stage.ask()
    assert stage.server is not None
    assert len(stage.server.requests) == 1


@real
def test_a_provider_that_does_not_answer_in_time_is_left(stage: Stage) -> None:
    stage.play(play(Reply(fault=Fault(kind="hang"))))
    with pytest.raises(ModelUnavailable, match=r"0\.3 seconds"):
        stage.ask(stage.request(timeout_s=0.3))


@real
def test_a_provider_that_stops_in_the_middle_is_left_in_time(stage: Stage) -> None:
    stage.play(play(Reply(text="one two three", fault=Fault(kind="hang", after_chunks=1))))
    with pytest.raises(ModelUnavailable, match=r"0\.3 seconds"):
        stage.ask(stage.request(timeout_s=0.3))


@real
def test_a_provider_that_is_not_there_cannot_be_reached(stage: Stage) -> None:
    assert stage.server is not None
    stage.server.stop()
    with pytest.raises(ModelUnavailable, match="cannot be reached"):
        stage.ask()


# --- stopping ---------------------------------------------------------------------------------------------------------


async def _hear_one(stage: Stage) -> None:
    async with contextlib.aclosing(stage.runner.run(stage.request())) as events:
        async for _ in events:
            return


def _endless() -> Reply:
    async def wait(index: int) -> None:
        if index > 1:
            await asyncio.get_running_loop().create_future()

    return Reply(text="word " * 20, chunks=20, before_chunk=wait)


STOPS = [
    pytest.param(made, how, id=f"{name}-{how}")
    for name, made in SCRIPTABLE.items()
    for how in ("cancel", "leave")
    if (name, how) != ("google", "leave")  # Google's library closes a stream that was left only when it is collected
]


@pytest.mark.parametrize(("stage", "how"), STOPS, indirect=["stage"])
def test_stopping_early_closes_the_connection(stage: Stage, how: str) -> None:
    stage.play(lambda _: _endless())

    async def cancelled() -> None:
        heard = asyncio.Event()
        task = asyncio.create_task(_drain(stage, heard))
        await heard.wait()  # only a request that is under way can be cut off
        await asyncio.wait({task}, timeout=0.1)  # and it is to be found waiting for more
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    async def scenario() -> None:
        work: Awaitable[None] = cancelled() if how == "cancel" else _hear_one(stage)
        await work
        if stage.server is not None:
            for _ in range(6000):
                if stage.server.requests[-1].was_cut_off:
                    break
                await asyncio.sleep(0.01)
            assert stage.server.requests[-1].was_cut_off
        else:
            assert isinstance(stage.runner, ScriptedRunner)
            assert (stage.runner.cancelled, stage.runner.running) == (1, 0)
        await stage.runner.close()

    asyncio.run(scenario())


async def _drain(stage: Stage, heard: asyncio.Event) -> None:
    async for _ in stage.runner.run(stage.request()):
        heard.set()
