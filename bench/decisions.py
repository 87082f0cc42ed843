"""Decisions that every message needs: where it goes, and whether the session is still fresh.

All are pure functions; the time is that of one call, taken over a thousand at a time. The configuration has bindings,
identity links, and a daily and an idle rule in a zone with summer time; the message is a direct one. The last two rows
are what a gateway does around the first two: which agent, which person, what is recorded of it, and which of the
configured rules holds for the session.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from zoneinfo import ZoneInfo

from bench.harness import Aim, Options, Row, Table, timed
from instar.config.config import Config, parse_config
from instar.core.lifecycle.freshness import decide_freshness
from instar.core.lifecycle.reset import ResetPolicy, resolve_reset_policy, resolve_reset_type
from instar.core.model.ids import AccountId, ChannelName, Instant
from instar.core.model.message import Chat, Inbound, Sender
from instar.core.model.session import Lifecycle
from instar.core.routing.key import derive_session_key
from instar.core.routing.route import route

TITLE = "Decisions"

CALLS = 1_000
NOW = Instant(1_773_144_000_000)  # 2026-03-10T12:00:00Z

_CONFIG = {
    "session": {
        "dmScope": "per-channel-peer",
        "identityLinks": {f"person{n}": [f"telegram:{n}", f"discord:{n + 100}"] for n in range(50)},
        "reset": {"mode": "daily", "atHour": 4, "idleMinutes": 240},
    },
    "agents": {"list": [{"id": "main", "default": True}, {"id": "work"}]},
    "bindings": [{"agentId": "work", "match": {"channel": "slack", "accountId": f"team{n}"}} for n in range(10)],
}


async def measure(options: Options) -> Table:
    """Every row of the table."""
    config = parse_config(_CONFIG, env={}, state_dir=options.folder, home=options.folder)
    inbound = Inbound(
        channel=ChannelName("telegram"),
        account_id=AccountId("default"),
        message_id="m1",
        chat=Chat(type="direct", id="4711"),
        sender=Sender(id="4711", name="Ann"),
        text="hello",
        at=NOW,
    )
    rounds = options.times(200)

    key = str(route(config.routing, inbound).session_key)
    policy = resolve_policy(config, key)
    used = Instant(NOW - 3_600_000)
    lifecycle = Lifecycle(started_at=used, last_interaction_at=used, updated_at=used)
    zone = ZoneInfo("Europe/Berlin")

    def derive() -> object:
        return derive_session_key(
            config.routing.keys, agent_id="main", channel="telegram", kind="direct", peer_id="4711"
        )

    def judge() -> object:
        return decide_freshness(lifecycle, header_at=None, policy=policy, now=NOW, zone=zone)

    derived, judged = take(derive, rounds), take(judge, rounds)
    both = [first + second for first, second in zip(derived, judged, strict=True)]
    rows = (
        Row(name="derive the key of a direct message", ours=timed(derived, "us")),
        Row(name="decide whether a session is fresh", ours=timed(judged, "us")),
        Row(name="both", ours=timed(both, "us"), aim=Aim(text="≤ 20 µs", most=20.0)),
        Row(
            name="route a message, with its record",
            ours=timed(take(lambda: route(config.routing, inbound), rounds), "us"),
        ),
        Row(
            name="find the reset rule of a session", ours=timed(take(lambda: resolve_policy(config, key), rounds), "us")
        ),
    )
    return Table(title=TITLE, text=__doc__.partition("\n\n")[2], rows=rows)


def resolve_policy(config: Config, key: str) -> ResetPolicy:
    """The rule that holds for a session."""
    return resolve_reset_policy(config.reset, resolve_reset_type(key), ChannelName("telegram"))


def take(work: Callable[[], object], rounds: int) -> list[float]:
    """The seconds of one call, a value for each round."""
    taken = []
    for _ in range(rounds):
        started = time.perf_counter()
        for _ in range(CALLS):
            work()
        taken.append((time.perf_counter() - started) / CALLS)
    return taken
