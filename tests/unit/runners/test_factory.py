"""From settings to the runner of a gateway."""

from __future__ import annotations

import asyncio

from instar.config.sections.models import parse_models
from instar.core.model.entry import UserMessage
from instar.core.model.ids import SessionKey, TurnId
from instar.ports.runner import Finished, ModelRequest, RunnerEvent
from instar.runners.catalog import resolve_model
from instar.runners.echo import ECHO_MODEL
from instar.runners.factory import build_runner
from instar.testing.clock import ManualClock
from instar.testing.log import build_memory_log
from instar.testing.model_server import ModelServer
from instar.testing.script import Fault, Reply, play


def ask(root: dict[str, object], model: str | None = None) -> list[RunnerEvent]:
    settings = parse_models(root, environ={})
    log, _ = build_memory_log()
    request = ModelRequest(
        session_key=SessionKey("k"),
        turn_id=TurnId("t"),
        model=resolve_model(settings, model),
        system="",
        messages=[UserMessage(content="hi", timestamp=None)],
    )

    async def scenario() -> list[RunnerEvent]:
        built = build_runner(settings, clock=ManualClock(auto_advance_s=0), log=log)
        await built.warm_up()
        try:
            return [event async for event in built.runner.run(request)]
        finally:
            await built.runner.close()

    return asyncio.run(scenario())


def answerer(events: list[RunnerEvent]) -> str:
    last = events[-1]
    assert isinstance(last, Finished)
    return f"{last.message.provider}/{last.message.model}"


def test_without_a_provider_the_echo_answers() -> None:
    assert answerer(ask({})) == ECHO_MODEL.ref


def test_a_provider_without_models_echoes_until_one_is_named() -> None:
    with ModelServer() as server:
        root: dict[str, object] = {"models": {"providers": {"mine": {"baseUrl": server.openai_url}}}}
        assert answerer(ask(root)) == ECHO_MODEL.ref
        assert answerer(ask(root, "mine/llama")) == "mine/llama"


def test_a_real_model_is_repeated_when_it_stumbles() -> None:
    with ModelServer(play(Reply(fault=Fault(kind="overloaded")), "Hello.")) as server:
        root: dict[str, object] = {"models": {"providers": {"mine": {"baseUrl": server.openai_url, "models": ["m"]}}}}
        assert answerer(ask(root)) == "mine/m"
        assert len(server.requests) == 2
