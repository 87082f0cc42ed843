"""Of a thousand people some are erased: nothing of them is left in any byte, and everything of the others (LEAK-11)."""

from __future__ import annotations

import asyncio
import time

from instar.core.model.ids import Instant
from instar.core.routing.person import resolve_person_named
from tests.builders.people import PeopleWorld, open_people

PEOPLE = 1_000
LINKED = 50
"""The first so many write on a second channel too, and are linked."""

GROUPS = 20
ERASED = (7, 333, 900)
LIMIT_S = 5.0
"""What one erasure may take of a processor."""

CONFIG = {
    "session": {
        "dmScope": "per-channel-peer",
        "identityLinks": {f"person{n:04}": [f"chat:peer-{n:04}", f"other:side-{n:04}"] for n in range(LINKED)},
    },
    "messages": {"queue": {"debounceMs": 0}},
    "agents": {"defaults": {"maxConcurrent": 16}},
    "channels": {
        name: {
            "type": "bridge",
            "token": "t",
            "dmPolicy": "open",
            "groupPolicy": "open",
            "groups": {"*": {"requireMention": True}},
        }
        for name in ("chat", "other")
    },
}


def secret(number: int) -> str:
    return f"secret-{number:04}-{number * 7919 % 9973:04}"


async def talk(world: PeopleWorld) -> None:
    """Everybody writes alone, the linked ones on two channels, and each in one group; there some ask the agent."""
    chat, other = world.gateway.channel("chat"), world.gateway.channel("other")
    for number in range(PEOPLE):
        who = {"sender": f"peer-{number:04}", "name": f"Name{number:04} Family{number:04}"}
        await chat.post(f"my word is {secret(number)}", **who)
        if number < LINKED:
            await other.post(f"on this channel too: {secret(number)}", sender=f"side-{number:04}", name=who["name"])
        place = {"chat_type": "group", "chat_id": f"room-{number % GROUPS}", "mentioned": number // GROUPS % 10 == 0}
        await chat.post(f"all of you know {secret(number)}", **who, **place)
        if number % 25 == 24:
            await world.gateway.settle(timeout_s=60)
    await world.gateway.settle(timeout_s=60)
    await world.mirror.flush()


def traces(number: int) -> tuple[str, ...]:
    return (secret(number), f"peer-{number:04}", f"side-{number:04}", f"Name{number:04}", f"Family{number:04}")


def test_of_a_thousand_people_nothing_is_left_of_those_who_were_erased(tmp_path):
    asyncio.run(_erase_some(tmp_path))


async def _erase_some(state) -> None:
    async with open_people(state, CONFIG) as world:
        await talk(world)
        everything = b"".join(world.read_everything().values())
        for number in ERASED:
            assert secret(number).encode() in everything
        for number in ERASED:
            person = resolve_person_named(f"chat:peer-{number:04}", world.config.routing.keys.links)
            began = time.process_time()
            receipt = await world.eraser.erase_all(
                person, now=Instant(1_800_000_000_000), who="operator", drop_backups=False
            )
            assert time.process_time() - began < LIMIT_S
            assert [(one.place, one.count) for one in receipt.left] == []
            assert receipt.residue == 0
            assert receipt.counts["sessions"] == 1
        await world.mirror.flush()
        everything = b"".join(world.read_everything().values()).lower()
        for number in ERASED:
            assert [word for word in traces(number) if word.lower().encode() in everything] == []
        kept = [number for number in range(PEOPLE) if number not in ERASED]
        assert [number for number in kept if secret(number).encode() not in everything] == []
        assert (await world.store.describe())["sessions"] == PEOPLE + GROUPS - len(ERASED)
