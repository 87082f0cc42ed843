"""A person who is erased: the people of the story, what they say, and an erasure that waits at a step (LEAK-11).

Alice writes under two ids in two channels, Bob under one; both are in a group, and in one where the agent is asked.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import msgspec
import pytest

from instar.core.model.ids import Instant, SessionKey
from instar.core.model.people import ErasureReceipt
from instar.core.routing.person import resolve_person_named
from instar.errors import StoreFull, Unavailable
from instar.gateway.doors import DOOR_WAIT_S
from instar.testing.clock import ManualClock
from tests.builders.people import PeopleWorld, open_people
from tests.builders.stories import until

__all__ = [
    "BOB",
    "CONFIG",
    "GROUP",
    "NOW",
    "OWN",
    "QUIET",
    "TRACES",
    "Held",
    "HeldErasure",
    "begin",
    "both_sides",
    "cut_world",
    "erase",
    "held_erasure",
    "lines",
    "nothing",
    "post",
    "still",
    "talk",
]

CONFIG: dict[str, dict[str, object]] = {
    "session": {
        "dmScope": "per-channel-peer",
        "identityLinks": {"alice": ["chat:alice-771", "other:al-772"]},
    },
    "messages": {"queue": {"debounceMs": 0}},
    "channels": {
        name: {
            "type": "bridge",
            "token": "t",
            "dmPolicy": "open",
            "groupPolicy": "open",
            "groups": {"*": {"requireMention": False}, "quiet": {"requireMention": True}},
        }
        for name in ("chat", "other")
    },
}
NOW = Instant(1_800_000_000_000)
OWN = SessionKey("agent:main:direct:alice")
BOB = SessionKey("agent:main:chat:direct:bob-88")
GROUP = SessionKey("agent:main:chat:group:room-1")
QUIET = SessionKey("agent:main:chat:group:quiet")
TRACES = ("alice-771", "al-772", "zebra", "moor@example.org", "Alice Moor", "Ali Moor")


# --- what they say ----------------------------------------------------------------------------------------------------


async def post(world: PeopleWorld, who: str, text: str, *, group: str | None = None, mentioned: bool = False) -> None:
    """One message, answered."""
    channel, sender, name = {
        "alice": ("chat", "alice-771", "Alice Moor"),
        "ali": ("other", "al-772", "Ali Moor"),
        "bob": ("chat", "bob-88", "Bob"),
    }[who]
    chat = world.gateway.channel(channel)
    if group is None:
        await chat.post(text, sender=sender, name=name)
    else:
        await chat.post(text, sender=sender, name=name, chat_type="group", chat_id=group, mentioned=mentioned)
    await world.gateway.settle()


async def talk(world: PeopleWorld) -> None:
    """A linked person on two channels, another one, a group that both are in, and one in which the agent is asked."""
    await post(world, "alice", "my code is zebra-4471")
    await post(world, "ali", "and my mail is moor@example.org")
    await post(world, "bob", "bob here, my code is panda-9001")
    await post(world, "alice", "good day from zebra-4472", group="room-1")
    await post(world, "bob", "did Alice Moor say zebra-4472? I am panda-9002", group="room-1")
    await post(world, "alice", "I only listen, zebra-4473", group="quiet")
    await post(world, "bob", "what was said? panda-9003", group="quiet", mentioned=True)
    await world.mirror.flush()


async def both_sides(world: PeopleWorld) -> None:
    """Alice and Bob in a group: no session of hers is known, so none of hers is shut."""
    await post(world, "alice", "good day from zebra-4472", group="room-1")
    await post(world, "bob", "and panda-9002", group="room-1")


async def nothing(_world: PeopleWorld) -> None:
    """Nobody has said a word."""


async def lines(world: PeopleWorld, key: SessionKey) -> list[str]:
    """The lines of the current transcript of a session."""
    session = await world.store.load_session(key)
    assert session is not None
    page = await world.store.load_all_entries(session.session_id)
    return [msgspec.json.encode(one.entry).decode() for one in page.entries]


# --- their erasure ----------------------------------------------------------------------------------------------------


async def erase(world: PeopleWorld, who: str = "other:al-772", *, drop_backups: bool = False) -> ErasureReceipt:
    """Erase somebody who is named by an id, without a gateway."""
    person = resolve_person_named(who, world.config.routing.keys.links)
    assert person is not None
    return await world.eraser.erase_all(person, now=NOW, who="operator", drop_backups=drop_backups)


def begin(world: PeopleWorld) -> asyncio.Task[ErasureReceipt]:
    """Begin to erase alice, as a gateway is asked to."""
    erasing = world.gateway.gateway.people.erase("alice", drop_backups=False, who="operator")
    return asyncio.ensure_future(erasing)


async def still(seconds: float = 0.05) -> None:
    """Let everything go on that can."""
    await asyncio.sleep(seconds)


class Held:
    """A step of an object that waits until it may go on; the first time only."""

    def __init__(self, owner: object, name: str) -> None:
        self.began, self.go_on = asyncio.Event(), asyncio.Event()
        self._step = getattr(owner, name)
        setattr(owner, name, self)

    async def __call__(self, *args: object, **wish: object) -> object:
        if not self.began.is_set():
            self.began.set()
            await self.go_on.wait()
        return await self._step(*args, **wish)


@dataclass(slots=True)
class HeldErasure:
    """The erasure of alice, which waits at one of its steps until `end` lets it go on."""

    world: PeopleWorld
    erasing: asyncio.Task[ErasureReceipt]
    held: Held

    async def keeps(self, other: asyncio.Task[object], *, seconds: float = 0.05) -> None:
        """What somebody else has begun does not come to its end meanwhile."""
        await still(seconds)
        assert not other.done()

    async def wait_too_long(self, other: asyncio.Task[object]) -> object:
        """What somebody else has begun, after more time than anybody waits at a door."""
        clock = self.world.gateway.clock
        assert isinstance(clock, ManualClock)
        waiting = clock.sleepers
        await until(lambda: clock.sleepers > waiting or other.done())
        await self.world.gateway.run_for(DOOR_WAIT_S + 1)
        return await other

    async def end(self) -> ErasureReceipt:
        """Let it go on; what it has done."""
        self.held.go_on.set()
        return await self.erasing

    async def end_clean(self) -> ErasureReceipt:
        """The same; it left nothing."""
        receipt = await self.end()
        assert (receipt.residue, receipt.left) == (0, ())
        return receipt


@asynccontextmanager
async def held_erasure(
    state: Path,
    step: str = "_carry_out",
    *,
    before: Callable[[PeopleWorld], Awaitable[None]] = talk,
    config: Mapping[str, object] = CONFIG,
) -> AsyncIterator[HeldErasure]:
    """A world in which alice is being erased, after what was said `before`; the block ends the erasure."""
    async with open_people(state, config) as world:
        await before(world)
        held = Held(world.eraser, step)
        erasing = begin(world)
        await held.began.wait()
        yield HeldErasure(world, erasing, held)
        assert erasing.done(), "the story did not let the erasure come to its end"


@asynccontextmanager
async def cut_world(state: Path, step: str = "_touch") -> AsyncIterator[PeopleWorld]:
    """A world in which the erasure of alice was cut by a full disk, after it had begun."""
    async with open_people(state, CONFIG) as world:
        await talk(world)
        sound = getattr(world.eraser, step)

        def cut(*args: object) -> object:
            raise StoreFull("The disk is full")

        setattr(world.eraser, step, cut)
        with pytest.raises(StoreFull):
            await begin(world)
        setattr(world.eraser, step, sound)
        with pytest.raises(Unavailable, match="could not be finished yet"):
            await world.gateway.channel("chat").post("anew", sender="alice-771", name="Alice Moor")
        yield world
