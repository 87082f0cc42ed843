"""Operations on sessions through the socket, beside the emptiest call on that server: `sessions.messages.unsubscribe`.

The gateway is a process of its own on a state as a gateway left it; one client calls one operation after the other, the
operations and the bare call in turns. Patches and resets go to another session each time. The history has 10,000
messages.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Any

from bench.harness import Aim, Options, Row, Table, await_in_turns, timed
from bench.outside import WireClient, open_client, open_gateway
from bench.seeds import DATABASE, fill_transcript, open_state, seed_key
from instar.core.model.ids import SessionId, SessionKey
from instar.stores.sqlite import SqliteStore

TITLE = "Operations through the socket"

LONG, LONG_ID = SessionKey("agent:main:bench:long"), SessionId("ffffffff-0000-4000-8000-000000000000")
LONG_MESSAGES = 10_000

EMPTIEST = "sessions.messages.unsubscribe"

OWN = 50
"""Sessions of the bench's own where the state has none."""

AIMS: Mapping[str, Aim] = {
    "sessions.list 50": Aim(text="≤ 3 ms", most=3.0),
    "sessions.patch": Aim(text="≤ 3 ms", most=3.0),
    "sessions.reset": Aim(text="≤ 3 ms", most=3.0),
    "chat.history 200 of 10,000": Aim(text="≤ 8 ms", most=8.0),
}


async def measure(options: Options) -> Table:
    """Every row of the table: each size by itself."""
    sizes = (0, 5_000) if options.quick else (0, 5_000, 20_000)
    rows = [row for size in sizes for row in await measure_size(options, size)]
    return Table(title=TITLE, text=__doc__.partition("\n\n")[2], rows=tuple(rows))


async def measure_size(options: Options, sessions: int) -> list[Row]:
    """The operations of a gateway with so many sessions."""
    state = await open_state(options, sessions)
    store = SqliteStore(state / DATABASE, reserve_bytes=0)
    await store.open()
    if await store.load_session(LONG) is None:
        await fill_transcript(store, LONG, session_id=LONG_ID, entries=LONG_MESSAGES)
    await store.close()
    with open_gateway(options, state, {}) as gateway:
        async with open_client(gateway.url) as client:
            keys = await choose_keys(client, sessions)
            taken = await await_in_turns(build_ways(client, keys), options.times(250), warm_up=30)
    echo = timed(taken.pop(EMPTIEST))
    aims = AIMS if sessions == 20_000 else {}
    return [
        Row(
            name=f"{name}, {sessions:,} sessions",
            ours=timed(values),
            against="an empty call",
            theirs=echo,
            aim=aims.get(name),
        )
        for name, values in taken.items()
    ]


async def choose_keys(client: WireClient, sessions: int) -> list[str]:
    """Sessions to work on: seeded ones, or some that are made now."""
    if sessions:
        return [seed_key(number) for number in range(min(sessions, 1_000))]
    keys = [f"agent:main:bench:own-{number}" for number in range(OWN)]
    for key in keys:
        await client.call("sessions.create", {"key": key, "idempotencyKey": key})
    return keys


def build_ways(client: WireClient, keys: list[str]) -> dict[str, Callable[[int], Awaitable[Mapping[str, Any]]]]:
    """The operations by name. `Any`: JSON."""

    def key_of(number: int) -> str:
        return keys[number % len(keys)]

    def patch(number: int) -> Awaitable[Mapping[str, Any]]:
        return client.call("sessions.patch", {"key": key_of(number), "label": f"label {number} of {key_of(number)}"})

    def reset(number: int) -> Awaitable[Mapping[str, Any]]:
        return client.call("sessions.reset", {"key": key_of(number), "idempotencyKey": f"reset {number}"})

    def describe(number: int) -> Awaitable[Mapping[str, Any]]:
        return client.call("sessions.describe", {"key": key_of(number)})

    return {
        EMPTIEST: lambda _: client.call(EMPTIEST, {"key": "main"}),
        "health": lambda _: client.call("health"),
        "sessions.list 50": lambda _: client.call("sessions.list", {"limit": 50}),
        "sessions.describe": describe,
        "sessions.patch": patch,
        "sessions.reset": reset,
        "chat.history 200 of 10,000": partial(_load_history, client),
    }


def _load_history(client: WireClient, _number: int) -> Awaitable[Mapping[str, Any]]:
    return client.call("chat.history", {"sessionKey": LONG, "limit": 200})
