"""What the runner adds to one streamed model request, beside the same request by the bare HTTP client.

The server is a process of its own; both ways speak to it over the same kind of client, on uvloop, in turns. Prints the
median and the 95th percentile in milliseconds, for a short conversation and one of 201 messages:

    python bench/model_request.py [--requests 300]
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Mapping

import httpx2
import uvloop

from instar.config.sections.models import parse_models
from instar.core.model.entry import (
    ZERO_USAGE,
    AnyMessage,
    AssistantMessage,
    TextBlock,
    ToolCall,
    ToolResultMessage,
    UserMessage,
)
from instar.core.model.ids import SessionKey, TurnId
from instar.core.policy.redaction import build_redactor
from instar.ports.runner import ModelRequest
from instar.ports.tool import ToolSpec
from instar.runners.catalog import resolve_model
from instar.runners.fallback import FallbackRunner
from instar.runners.model import ModelRunner
from instar.system.clock import SystemClock
from instar.system.log import build_log
from instar.testing.model_server import ModelServer

TOOL = ToolSpec(name="session_status", description="Tells the state.", parameters={"type": "object", "properties": {}})
APIS = {"openai": "openai-completions", "anthropic": "anthropic-messages"}


def build_conversation(turns: int, api: str) -> list[AnyMessage]:
    """A conversation of ``4 * turns + 1`` messages, each turn with a tool call."""
    messages: list[AnyMessage] = []
    for number in range(turns):
        call = ToolCall(id=f"c{number}", name="session_status", arguments={"n": number})
        facts = {"api": api, "provider": "bench", "model": "m", "usage": ZERO_USAGE, "timestamp": None}
        messages += [
            UserMessage(content=f"Question {number}: " + "words " * 40, timestamp=None),
            AssistantMessage(content=(call,), stop_reason="toolUse", **facts),
            ToolResultMessage(
                tool_call_id=call.id,
                tool_name=call.name,
                content=(TextBlock(text="result " * 40),),
                is_error=False,
                timestamp=None,
            ),
            AssistantMessage(content=(TextBlock(text="answer " * 40),), stop_reason="stop", **facts),
        ]
    return [*messages, UserMessage(content="And now?", timestamp=None)]


async def measure(ways: Mapping[str, Callable[[], Awaitable[None]]], requests: int) -> dict[str, list[float]]:
    """Milliseconds of each request of each way; the ways take turns, so that a noisy moment hits all of them."""
    taken: dict[str, list[float]] = {name: [] for name in ways}
    for round_ in range(requests + 20):
        for name, way in ways.items():
            started = time.perf_counter()
            await way()
            if round_ >= 20:
                taken[name].append((time.perf_counter() - started) * 1000)
    return taken


def build_runner(url: str, name: str, turns: int) -> tuple[FallbackRunner, ModelRequest]:
    """The runner of a gateway for the server at `url`, and the request to make."""
    api = APIS[name]
    base = f"{url}/v1" if name == "openai" else url
    model = {"id": "m", "cost": {"input": 1, "output": 2}}
    provider = {"baseUrl": base, "api": api, "models": [model]}
    settings = parse_models({"models": {"providers": {"bench": provider}}}, environ={})
    clock = SystemClock()
    log = build_log([], level="info", clock=clock, redactor=build_redactor())
    request = ModelRequest(
        session_key=SessionKey("bench"),
        turn_id=TurnId("t"),
        model=resolve_model(settings, None),
        system="Be brief.",
        messages=build_conversation(turns, api),
        tools=(TOOL,),
    )
    return FallbackRunner(ModelRunner(settings), clock=clock, log=log), request


async def record_body(name: str, turns: int) -> Mapping[str, object]:
    """The body that the runner sends, for the bare client to send the very same."""
    with ModelServer() as server:
        runner, request = build_runner(server.url, name, turns)
        async for _ in runner.run(request):
            pass
        await runner.close()
        return server.requests[-1].body


async def bench(url: str, name: str, turns: int, requests: int) -> None:
    """Measure both ways and print a line."""
    body = await record_body(name, turns)
    runner, request = build_runner(url, name, turns)
    bare = httpx2.AsyncClient(timeout=60)
    page = f"{url}/v1/chat/completions" if name == "openai" else f"{url}/v1/messages"

    async def ask_runner() -> None:
        async for _ in runner.run(request):
            pass

    async def ask_bare() -> None:
        async with bare.stream("POST", page, json=body) as response:
            async for _ in response.aiter_lines():
                pass

    taken = await measure({"bare httpx2": ask_bare, "runner": ask_runner}, requests)
    await bare.aclose()
    await runner.close()
    shown = {way: (statistics.median(ms), statistics.quantiles(ms, n=20)[-1]) for way, ms in taken.items()}
    added = shown["runner"][0] - shown["bare httpx2"][0]
    told = "  ".join(f"{way} p50 {p50:5.2f} p95 {p95:5.2f}" for way, (p50, p95) in shown.items())
    print(f"{name:<10}{len(request.messages):>4} messages  {told}  added p50 {added:5.2f} ms")


def main() -> None:
    """Run all rows."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--requests", type=int, default=300)
    requests = parser.parse_args().requests
    command = [sys.executable, "-m", "instar.testing.model_server", "--seconds", "300"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        url = server.stdout.readline().split("OpenAI ")[1].split("/v1")[0]
        try:
            for name in APIS:
                for turns in (0, 50):
                    uvloop.run(bench(url, name, turns, requests))
        finally:
            server.kill()


if __name__ == "__main__":
    main()
