"""What reaches a provider's wire beside the messages: caching, thinking, limits, headers; and what is imported when."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import replace

import pytest

from instar.config.sections.models import parse_models
from instar.core.model.entry import Usage, UsageCost, UserMessage
from instar.core.model.ids import SessionKey, TurnId
from instar.errors import ModelAuthFailed, ModelError, ModelNotFound, ModelOverflow, ModelRejected, ModelUnavailable
from instar.ports.runner import Finished, ModelRequest, ModelSpec
from instar.ports.tool import ToolSpec
from instar.runners.catalog import resolve_model
from instar.runners.model import ModelRunner
from instar.testing.model_server import ModelServer
from instar.testing.script import Fault, Reply, play

TOOL = ToolSpec(name="session_status", description="Tells.", parameters={"type": "object", "properties": {}})


@pytest.fixture
def server() -> Iterator[ModelServer]:
    with ModelServer() as running:
        yield running


def runner_for(
    server: ModelServer, name: str, *, api: str | None = None, model: object = "m", **fields: object
) -> tuple[ModelRunner, ModelSpec]:
    url = server.openai_url if name != "anthropic" else server.anthropic_url
    provider = {"baseUrl": url, "apiKey": "key", "models": [model], **fields} | ({"api": api} if api else {})
    settings = parse_models({"models": {"providers": {name: provider}}}, environ={})
    return ModelRunner(settings), resolve_model(settings, None)


def request_for(spec: ModelSpec, **fields: object) -> ModelRequest:
    base = ModelRequest(
        session_key=SessionKey("agent:main:telegram:direct:4711"),
        turn_id=TurnId("t"),
        model=spec,
        system="Be brief.",
        messages=[UserMessage(content="Hello?", timestamp=None)],
        tools=(TOOL,),
        timeout_s=20,
    )
    return replace(base, **fields)  # type: ignore[arg-type]


def send(runner: ModelRunner, request: ModelRequest) -> Finished:
    async def scenario() -> Finished:
        try:
            events = [event async for event in runner.run(request)]
        finally:
            await runner.close()
        last = events[-1]
        assert isinstance(last, Finished)
        return last

    return asyncio.run(scenario())


def body_of(
    server: ModelServer, name: str, spec_fields: Mapping[str, object] | None = None, **fields: object
) -> Mapping[str, object]:
    model = fields.pop("model_settings", "m")
    runner, spec = runner_for(server, name, model=model)
    send(runner, request_for(replace(spec, **(spec_fields or {})), **fields))  # type: ignore[arg-type]
    return server.requests[-1].body


# --- caching ----------------------------------------------------------------------------------------------------------


def test_anthropic_is_asked_to_cache_system_tools_and_the_last_message(server: ModelServer) -> None:
    body = body_of(server, "anthropic")
    mark = {"type": "ephemeral", "ttl": "5m"}
    assert body["system"] == [{"type": "text", "text": "Be brief.", "cache_control": mark}]
    assert body["tools"][-1]["cache_control"] == mark  # type: ignore[index]
    assert body["messages"][-1]["content"][-1]["cache_control"] == mark  # type: ignore[index]


@pytest.mark.parametrize(("key", "is_said"), [("sk-ant-oat01-none", True), ("sk-ant-api03-none", False)])
def test_the_token_of_a_subscription_comes_with_the_word_that_it_is_one(
    server: ModelServer, key: str, is_said: bool
) -> None:
    runner, spec = runner_for(server, "anthropic", apiKey=key)

    send(runner, request_for(spec))

    headers = server.requests[-1].headers
    assert key in headers.get("authorization", "") + headers.get("x-api-key", "")
    assert ("oauth-2025-04-20" in headers.get("anthropic-beta", "")) is is_said


def test_the_request_says_how_long_anthropic_shall_cache(server: ModelServer) -> None:
    assert body_of(server, "anthropic", cache="1h")["system"][0]["cache_control"]["ttl"] == "1h"  # type: ignore[index]
    assert "cache_control" not in str(body_of(server, "anthropic", cache="off"))


def test_openai_gets_a_cache_key_that_tells_nothing_of_the_person(server: ModelServer) -> None:
    key = str(body_of(server, "openai")["prompt_cache_key"])
    assert key.startswith("instar-")
    assert "4711" not in key
    assert body_of(server, "openai")["prompt_cache_key"] == key
    assert "prompt_cache_key" not in body_of(server, "openai", cache="off")


def test_a_server_of_ones_own_gets_no_field_it_may_not_know(server: ModelServer) -> None:
    body = body_of(server, "mine", model_settings={"id": "m", "maxTokens": 500})
    assert set(body) == {"model", "messages", "tools", "tool_choice", "stream", "stream_options", "max_tokens"}
    assert body["max_tokens"] == 500


def test_claude_behind_openrouter_is_asked_to_cache_too(server: ModelServer) -> None:
    body = body_of(server, "openrouter", model_settings="anthropic/claude-sonnet-5.5")
    assert "cache_control" in str(body["messages"])


def test_no_text_of_the_library_stands_before_the_system_text(server: ModelServer) -> None:
    body = body_of(server, "anthropic", model_settings="claude-sonnet-4-6")
    assert [block["text"] for block in body["system"]] == ["Be brief."]  # type: ignore[attr-defined]


# --- thinking ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("level", "budget"), [("minimal", 1024), ("low", 2048), ("medium", 10000), ("high", 16384)])
def test_older_claude_models_get_a_budget_for_thinking(server: ModelServer, level: str, budget: int) -> None:
    body = body_of(server, "anthropic", model_settings="claude-haiku-4-5", thinking=level)
    assert body["thinking"] == {"type": "enabled", "budget_tokens": budget}


def test_newer_claude_models_get_an_effort(server: ModelServer) -> None:
    body = body_of(server, "anthropic", model_settings="claude-opus-4-7", thinking="high")
    assert body["thinking"]["type"] == "adaptive"  # type: ignore[index]
    assert body["output_config"]["effort"] == "high"  # type: ignore[index]


def test_thinking_that_is_off_is_said_or_left_out_but_never_enabled(server: ModelServer) -> None:
    body = body_of(server, "anthropic", model_settings="claude-haiku-4-5", thinking="off")
    assert body.get("thinking") in (None, {"type": "disabled"})


def test_openai_gets_an_effort_also_for_models_the_library_does_not_know(server: ModelServer) -> None:
    assert body_of(server, "openai", model_settings="gpt-5.1", thinking="high")["reasoning_effort"] == "high"
    assert body_of(server, "openai", model_settings="gpt-5.1", thinking="off")["reasoning_effort"] == "none"
    own = {"id": "my-thinker", "reasoning": True}
    assert body_of(server, "mine", model_settings=own, thinking="low")["reasoning_effort"] == "low"


def test_a_model_that_does_not_think_is_not_asked_to(server: ModelServer) -> None:
    assert "reasoning_effort" not in body_of(server, "mine", thinking="high")


def test_no_level_leaves_it_to_the_model(server: ModelServer) -> None:
    assert "thinking" not in body_of(server, "anthropic", model_settings="claude-haiku-4-5")
    assert "reasoning_effort" not in body_of(server, "openai", model_settings="gpt-5.1")


# --- keys, headers, cost ----------------------------------------------------------------------------------------------


def test_key_and_own_headers_are_sent(server: ModelServer) -> None:
    runner, spec = runner_for(server, "mine", headers={"X-Team": "blue"})
    send(runner, request_for(spec))
    assert server.requests[-1].headers["authorization"] == "Bearer key"
    assert server.requests[-1].headers["x-team"] == "blue"


def test_a_key_of_another_tool_in_the_environment_is_not_sent(
    server: ModelServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ANTHROPIC_AUTH_TOKEN", "foreign")
    runner, spec = runner_for(server, "anthropic")
    send(runner, request_for(spec))
    assert "foreign" not in str(server.requests[-1].headers)


def test_a_built_in_provider_without_its_key_says_which_one_is_missing() -> None:
    settings = parse_models({"models": {"providers": {"openai": {}}}}, environ={})
    with pytest.raises(ModelAuthFailed, match="OPENAI_API_KEY is not set"):
        send(ModelRunner(settings), request_for(resolve_model(settings, "openai/gpt-5.2")))


def test_a_wire_format_that_is_not_spoken_is_named(server: ModelServer) -> None:
    runner, spec = runner_for(server, "mine", api="bedrock-converse-stream")
    with pytest.raises(ModelRejected, match="bedrock-converse-stream"):
        send(runner, request_for(spec))


def test_a_provider_that_went_away_is_named(server: ModelServer) -> None:
    _, spec = runner_for(server, "mine")
    with pytest.raises(ModelNotFound, match="no provider"):
        send(ModelRunner(parse_models({}, environ={})), request_for(spec))


def test_the_providers_own_number_is_the_cost(server: ModelServer) -> None:
    server.script = play(Reply(text="Hi.", usage=Usage(input=5, output=5, cost=UsageCost(total=0.25))))
    runner, spec = runner_for(server, "openrouter", model="anthropic/claude-sonnet-5.5")
    finished = send(runner, request_for(spec))
    assert finished.cost_usd == pytest.approx(0.25)
    assert finished.message.usage.cost.total == pytest.approx(0.25)


def test_a_model_without_a_price_has_no_cost(server: ModelServer) -> None:
    runner, spec = runner_for(server, "mine")
    assert send(runner, request_for(spec)).cost_usd is None


# --- failures that the library does not know --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "text", "expected"),
    [
        ("rejected", "the request exceeds the available context size, try increasing it", ModelOverflow),  # llama.cpp
        ("rejected", "Input is too long for the model", ModelOverflow),
        ("server", "prompt is too long: 9 > 8", ModelOverflow),
        ("rejected", "The model's context window is too small", ModelRejected),
        ("rejected", "Unknown field", ModelRejected),
        ("server", "CUDA error", ModelUnavailable),
    ],
)
def test_words_decide_where_the_code_does_not(
    server: ModelServer, kind: str, text: str, expected: type[ModelError]
) -> None:
    server.script = play(Reply(fault=Fault(kind=kind, text=text)))  # type: ignore[arg-type]
    runner, spec = runner_for(server, "mine")
    with pytest.raises(ModelError) as caught:
        send(runner, request_for(spec))
    assert type(caught.value) is expected


def test_a_providers_words_are_quoted_shortly_and_on_one_line(server: ModelServer) -> None:
    server.script = play(Reply(fault=Fault(kind="rejected", text="<html>\n" + "long " * 500)))
    runner, spec = runner_for(server, "mine")
    with pytest.raises(ModelRejected) as caught:
        send(runner, request_for(spec))
    assert "\n" not in caught.value.why
    assert len(caught.value.why) < 320


def test_a_wrong_address_is_explained(server: ModelServer) -> None:
    settings = parse_models(
        {"models": {"providers": {"mine": {"baseUrl": server.url + "/api/x", "models": ["m"]}}}}, environ={}
    )
    runner, spec = ModelRunner(settings), resolve_model(settings, None)
    send(runner, request_for(spec))  # this server does not mind where its pages are
    server.script = play(Reply(fault=Fault(kind="not_found")))
    with pytest.raises(ModelNotFound, match="end in /v1"):
        send(runner, request_for(spec))


# --- what is imported when --------------------------------------------------------------------------------------------


def _modules_after(code: str) -> set[str]:
    told = f"{code}\nimport sys\nprint(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", told], capture_output=True, text=True, check=True, timeout=50)
    return set(done.stdout.split())


def test_building_a_runner_imports_no_library_of_a_provider() -> None:
    modules = _modules_after("import instar.runners.factory, instar.runners.model, instar.runners.catalog")
    assert not {"pydantic_ai", "openai", "anthropic", "httpx2"} & modules


def test_only_the_configured_provider_is_imported() -> None:
    code = """
import asyncio
from instar.config.sections.models import parse_models
from instar.runners.model import ModelRunner
async def main():
    runner = ModelRunner(parse_models({}, environ={"OPENAI_API_KEY": "k"}))
    await runner.warm_up()
    await runner.close()
asyncio.run(main())
"""
    modules = _modules_after(code)
    assert "openai" in modules
    assert not {"anthropic", "google.genai"} & modules
