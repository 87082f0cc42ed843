"""From starting the process to the first answered call, and what an idle gateway takes of memory.

The first call is a list of 50 sessions, asked by a client that waits for the ready line. Compiled modules are kept, as
they are where people install a package; the first start, which compiles, does not count. Memory is the resident set
of the process once it has answered a call and has imported what its one provider needs.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from pathlib import Path

from bench.harness import Aim, Options, Row, Sample, Table, timed
from bench.outside import open_client, open_gateway
from bench.seeds import open_state

TITLE = "Start and memory"

SETTLE_S = 6.0
"""How long a gateway is left alone before its memory is read: what it does after the ready line is over by then."""

PROVIDERS: Mapping[str, tuple[str, str]] = {
    "OpenAI": ("openai", "openai-completions"),
    "Anthropic": ("anthropic", "anthropic-messages"),
}


async def measure(options: Options) -> Table:
    """Every row of the table."""
    sessions = 5_000 if options.quick else 20_000
    state = await open_state(options, sessions)
    await measure_start(options, state)
    starts = [await measure_start(options, state) for _ in range(options.times(10))]
    empty = [await measure_start(options, options.folder / "empty") for _ in range(options.times(5) + 1)][1:]
    rows = [
        Row(
            name=f"start to the first answered call, {sessions:,} sessions",
            ours=timed(starts),
            aim=Aim(text="≤ 1 s", most=1_000.0),
        ),
        Row(name="the same, no sessions", ours=timed(empty)),
    ]
    for name, (provider, api) in PROVIDERS.items():
        megabytes = await measure_memory(options, state, build_config(provider, api))
        sample = Sample(values=(megabytes,), unit="MB")
        rows.append(Row(name=f"idle memory with {name} set", ours=sample, aim=Aim(text="≤ 120 MB", most=120.0)))
    megabytes = await measure_memory(options, state, {})
    rows.append(Row(name="idle memory without a model", ours=Sample(values=(megabytes,), unit="MB")))
    return Table(title=TITLE, text=__doc__.partition("\n\n")[2], rows=tuple(rows))


def build_config(provider: str, api: str) -> Mapping[str, object]:
    """One provider, at an address where nobody answers: nothing is asked of it."""
    named = {"baseUrl": "http://127.0.0.1:9", "api": api, "apiKey": "none", "models": [{"id": "m"}]}
    return {"models": {"providers": {provider: named}}, "agents": {"defaults": {"model": f"{provider}/m"}}}


async def measure_start(options: Options, state: Path) -> float:
    """The seconds from the start of the process to the answer of the first call."""
    with open_gateway(options, state, {}) as gateway:
        async with open_client(gateway.url) as client:
            await client.call("sessions.list", {"limit": 50})
            return time.monotonic() - gateway.started_at


async def measure_memory(options: Options, state: Path, config: Mapping[str, object]) -> float:
    """The resident megabytes of a gateway that has nothing to do, at its second start: the first compiles modules."""
    await measure_idle(options, state, config)
    return await measure_idle(options, state, config)


async def measure_idle(options: Options, state: Path, config: Mapping[str, object]) -> float:
    """The resident megabytes of a gateway that was started and asked once."""
    with open_gateway(options, state, config) as gateway:
        async with open_client(gateway.url) as client:
            await client.call("sessions.list", {"limit": 50})
        await asyncio.sleep(SETTLE_S)
        return read_resident(gateway.process.pid)


def read_resident(pid: int) -> float:
    """The resident set of a process in megabytes."""
    status = Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
    return int(status.partition("VmRSS:")[2].split()[0]) / 1024
