"""The short way to chat completions sends what the library's own way sends, field by field."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from instar.config.sections.models import parse_models
from instar.core.model.entry import (
    AssistantMessage,
    ImageBlock,
    TextBlock,
    ToolCall,
    ToolResultMessage,
    Usage,
    UserMessage,
)
from instar.core.model.ids import SessionKey, TurnId
from instar.ports.runner import ModelRequest
from instar.ports.tool import ToolSpec
from instar.runners.catalog import resolve_model
from instar.runners.completions import use_plain_completions
from instar.runners.model import ModelRunner
from instar.runners.providers import build_http_client
from instar.testing.model_server import ModelServer

PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="


def _conversation(api: str) -> list[object]:
    messages: list[object] = []
    for number in range(20):
        blocks = (TextBlock(text=f"question {number} ü\u2028"), ImageBlock(data=PIXEL, mime_type="image/png"))
        call = ToolCall(id=f"c{number}", name="look", arguments={"deep": {"list": [1, 2.5, None, "ü"]}})
        answer = (TextBlock(text="Let me look."), call)
        messages += [
            UserMessage(content=blocks, timestamp=None),
            AssistantMessage(
                content=answer,
                api=api,
                provider="openai",
                model="m",
                usage=Usage(),
                stop_reason="toolUse",
                timestamp=None,
            ),
            ToolResultMessage(
                tool_call_id=f"c{number}",
                tool_name="look",
                content=(TextBlock(text="nothing"),),
                is_error=number % 2 == 1,
                timestamp=None,
            ),
        ]
    return [*messages, UserMessage(content="and now?", timestamp=None)]


def test_the_bodies_are_equal() -> None:
    model = {"id": "gpt-5.1", "input": ["text", "image"], "maxTokens": 100}
    with ModelServer() as server:
        provider = {"baseUrl": server.openai_url, "apiKey": "k", "models": [model]}
        settings = parse_models({"models": {"providers": {"openai": provider}}}, environ={})
        request = ModelRequest(
            session_key=SessionKey("k"),
            turn_id=TurnId("t"),
            model=resolve_model(settings, None),
            system="Be brief.",
            messages=_conversation("openai-completions"),  # type: ignore[arg-type]
            tools=(ToolSpec(name="look", description="Looks.", parameters={"type": "object", "properties": {}}),),
            thinking="high",
        )

        async def send(*, plainly: bool) -> Mapping[str, object]:
            runner = ModelRunner(settings)
            if not plainly:
                await runner.warm_up()
                built = runner._model(runner._provider(request.model), request.model)
                del built.client.chat.__dict__["completions"]
            async for _ in runner.run(request):
                pass
            await runner.close()
            return server.requests[-1].body

        ours, theirs = asyncio.run(send(plainly=True)), asyncio.run(send(plainly=False))
    assert ours == theirs
    assert len(ours["messages"]) == 62  # type: ignore[arg-type]


def test_the_client_keeps_the_short_way_for_every_request() -> None:
    """The library copies its client when a request says how often to repeat; a copy would take the long way again."""
    with ModelServer() as server:
        settings = parse_models(
            {"models": {"providers": {"mine": {"baseUrl": server.openai_url, "models": ["m"]}}}}, environ={}
        )

        async def scenario() -> None:
            from openai import AsyncOpenAI

            http = build_http_client()
            client = use_plain_completions(AsyncOpenAI(api_key="k", base_url=server.openai_url, http_client=http))
            assert type(client.chat.completions).__name__ == "_PlainCompletions"
            whole = await client.chat.completions.create(model="m", messages=[{"role": "user", "content": "hi"}])
            assert whole.choices[0].message.content == "You said: hi"
            await http.aclose()
            runner = ModelRunner(settings)
            spec = resolve_model(settings, None)
            await runner.warm_up()
            model = runner._model(runner._provider(spec), spec)
            assert model.client.max_retries == 0
            assert type(model.client.chat.completions).__name__ == "_PlainCompletions"
            await runner.close()

        asyncio.run(scenario())
