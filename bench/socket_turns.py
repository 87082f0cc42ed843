"""A turn through the socket with a model behind HTTP, beside the same request to the model by the bare HTTP client.

Gateway, model and client are three processes on this machine; the model answers at once and streams. A turn is timed
from sending `chat.send` to the event that ends its run. Each has a fresh session, so that every request has the size
of the bare one, whose body was taken down from a gateway's own request. What the gateway adds is the difference of
the two medians. The mirror of files and the search index are at work behind it, as they are for people.
"""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Mapping
from typing import Any

import httpx2

from bench.harness import Aim, Options, Row, Sample, Table, await_in_turns, timed
from bench.outside import WireClient, open_client, open_gateway, open_model
from bench.seeds import build_words
from instar.testing.model_server import ModelServer

TITLE = "A turn through the socket"

SESSIONS = 32
WATCHERS = 8
"""Clients beside the one that writes: each is told of every run."""

_numbers = itertools.count()


async def measure(options: Options) -> Table:
    """Every row of the table."""
    with open_model(options) as model_url, ModelServer() as tape:
        config = build_config(model_url, tape.url)
        with open_gateway(options, options.folder / "socket", config) as gateway:
            async with open_client(gateway.url) as client:
                body = await record_body(client, tape)
                rows = [
                    *await measure_overhead(options, client, model_url, body),
                    await measure_rate(options, client, f"turns a second, {SESSIONS} sessions at once"),
                ]
                rows.append(await measure_watched(options, client, gateway.url))
    return Table(title=TITLE, text=__doc__.partition("\n\n")[2], rows=tuple(rows))


def build_config(model_url: str, tape_url: str) -> Mapping[str, object]:
    """A configuration with the model, and with one whose requests this process can look at."""
    model = {"id": "m", "contextWindow": 200_000}
    providers = {
        name: {"baseUrl": f"{url}/v1", "api": "openai-completions", "models": [model]}
        for name, url in (("bench", model_url), ("tape", tape_url))
    }
    return {"models": {"providers": providers}, "agents": {"defaults": {"model": "bench/m"}}}


async def record_body(client: WireClient, tape: ModelServer) -> Mapping[str, Any]:
    """The body of the request that the first turn of a session makes. `Any`: JSON."""
    key = build_key()
    await client.call("sessions.create", {"key": key, "model": "tape/m", "idempotencyKey": key})
    await take_turn(client, key)
    body: Mapping[str, Any] = tape.requests[-1].body
    return body


def build_key() -> str:
    """The key of a fresh session."""
    return f"agent:main:bench:{next(_numbers):06d}"


async def take_turn(client: WireClient, key: str) -> None:
    """One turn of a session."""
    number = next(_numbers)
    await client.take_turn(key, build_words(number), f"run-{number}")


async def measure_overhead(
    options: Options, client: WireClient, model_url: str, body: Mapping[str, object]
) -> list[Row]:
    """Turns one after the other, in turns with bare requests."""
    async with httpx2.AsyncClient(timeout=60) as bare:

        async def run_ours(_number: int) -> None:
            await take_turn(client, build_key())

        async def run_bare(_number: int) -> None:
            async with bare.stream("POST", f"{model_url}/v1/chat/completions", json=body) as response:
                async for _ in response.aiter_lines():
                    pass

        taken = await await_in_turns({"ours": run_ours, "bare": run_bare}, options.times(400), warm_up=60)
    ours, theirs = timed(taken["ours"]), timed(taken["bare"])
    added = Sample(values=tuple(a - b for a, b in zip(ours.values, theirs.values, strict=True)), unit="ms")
    return [
        Row(name="a streamed turn", ours=ours, against="the request by bare httpx2", theirs=theirs),
        Row(name="what the gateway adds", ours=added, aim=Aim(text="≤ 15 ms", most=15.0)),
    ]


async def measure_rate(options: Options, client: WireClient, name: str) -> Row:
    """Turns of many sessions at once, each with the next message as soon as it has its answer."""
    rates = []
    for _ in range(options.times(6, least=2)):
        keys = [build_key() for _ in range(SESSIONS)]
        each = options.times(10, least=4)

        async def talk(key: str, each: int = each) -> None:
            for _ in range(each):
                await take_turn(client, key)

        started = time.perf_counter()
        await asyncio.gather(*map(talk, keys))
        rates.append(SESSIONS * each / (time.perf_counter() - started))
    sample = Sample(values=tuple(rates[1:]), unit="/s")
    return Row(name=name, ours=sample, aim=Aim(text="≥ 80/s", least=80.0))


async def measure_watched(options: Options, client: WireClient, url: str) -> Row:
    """The same while other clients listen to everything."""
    clients = [open_client(url) for _ in range(WATCHERS)]
    for watcher in clients:
        watching = await watcher.__aenter__()
        await watching.call("sessions.subscribe")
    row = await measure_rate(options, client, f"the same, told to {WATCHERS} more clients")
    for watcher in clients:
        await watcher.__aexit__(None, None, None)
    return Row(name=row.name, ours=row.ours)
