"""Playing a story: its steps one after the other, the checks in between and at the end."""

from __future__ import annotations

import asyncio
import contextlib
import sys
import traceback
from collections.abc import Iterator, MutableMapping
from dataclasses import dataclass
from typing import Any, Final

import structlog

from instar.errors import FenceLost
from instar.stores.transaction import Touched
from instar.testing.simulate.actions import act
from instar.testing.simulate.check_files import check_files
from instar.testing.simulate.checks import check_story
from instar.testing.simulate.findings import Broken
from instar.testing.simulate.story import Story
from instar.testing.simulate.virtual import VirtualLoop
from instar.testing.simulate.watched import read_now
from instar.testing.simulate.world import World

__all__ = ["Played", "play_story"]

DEFECTS: Final = frozenset(
    {
        "background_job_failed",
        "lane_failed",
        "lane_lost",
        "subscriber_dropped",
        "turn_failed",
        "turn_not_built",
        "turn_not_closed",
        "turn_not_failed",
        "work_left_behind",
    }
)
"""Lines of the log that no story may bring about: each says that the gateway met a defect of its own."""

DRAIN_S: Final = (0, 1, 10, 120, 700, 1_400, 2_800, 5_600, 11_200, 40_000)
"""How long a story may still go on after its last step; everything that was begun must have ended by then."""

FILES_S: Final = 20
"""How long after the last commit the files may still lack something."""

REST_ROUNDS: Final = 12
"""How often that is waited for: maintenance may still remove sessions, at most once a minute, when nobody waits."""

BURY_ROUNDS: Final = 5
"""How often what is left of a story is told to end; each may begin something that ends in the next."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Played:
    """What came of a story: the promises it broke, none if all is well, and how much happened in it.

    `trace` tells one way through a story from another: it is equal wherever the story goes the same way.
    """

    broken: tuple[Broken, ...]
    messages: int = 0
    turns: int = 0
    crashes: int = 0
    trace: str = ""


def play_story(story: Story) -> Played:
    """Play a story from its first step to its last, and say what it broke. Must not be called from a running loop."""
    loop = VirtualLoop()
    asyncio.set_event_loop(loop)
    world: World | None = None
    try:
        world = World(story, loop)
        with _watched_log(world):
            return loop.run_until_complete(_play(world))
    except Exception as error:  # noqa: BLE001 - a story that cannot be played is a finding like any other
        broken = Broken(rule="simulation", text="".join(traceback.format_exception(error)))
        return Played(broken=(*(world.findings.all if world else ()), broken))
    finally:
        _bury(loop, world)


async def _play(world: World) -> Played:
    await world.begin()
    for number, step in enumerate(world.story.steps, 1):
        world.findings.step = number
        await act(world, step)
        if world.findings.all:
            break
    else:
        world.findings.step = len(world.story.steps) + 1
        await _end(world)
    rows = world.shadow.rows.values()
    return Played(
        broken=tuple(world.findings.all),
        messages=len(rows),
        turns=len({row.turn_id for row in rows if row.turn_id}),
        crashes=world.crashes,
        trace=world.shadow.trace,
    )


async def _end(world: World) -> None:
    """Heal everything, let all that was begun end, and look at what is left."""
    world.heal()
    for seconds in DRAIN_S:
        await world.loop.pass_time(seconds)
        await world.fetch_all()
        if not _tell_unrest(world):
            break
    else:
        world.findings.report("LOSS-2", f"the story does not come to an end: {_tell_unrest(world)}")
        return
    if not await _let_files_follow(world):
        world.findings.report("LOSS-2", "the story does not come to an end: its sessions are still changed")
        return
    check_files(world)
    await check_story(world)
    world.is_over = True
    world.life.stop()
    await world.loop.pass_time(60)


async def _let_files_follow(world: World) -> bool:
    """Wait until no commit touched anything for as long as files may take to follow it; False when some always does.

    That nobody waits does not mean that nothing is written: a minute after it has cut the store back maintenance may do
    so again, and what it removes in the very moment of the check is in the files until the mirror has heard of it.
    """
    touched: list[Touched] = []
    world.inner.on_commit(touched.append)
    for _ in range(REST_ROUNDS):
        await world.loop.pass_time(FILES_S)
        if not touched:
            return True
        touched.clear()
    return False


def _tell_unrest(world: World) -> str:
    """What still goes on; empty when nobody waits for anything."""
    if world.busy:
        return f"{len(world.busy)} people and clients wait"
    if not world.life.is_up:
        return "the gateway is down"
    lanes = [lane.key for lane in world.life.gateway.lanes if not lane.is_idle]
    if lanes:
        return f"lanes are busy: {lanes}"
    rows = [row.item.inbound_id for row in world.shadow.rows.values() if not row.has_ended]
    if rows:
        return f"messages have not ended: {rows}"
    pending = read_now(world.inner.load_deliveries(state="pending"))
    sending = read_now(world.inner.load_deliveries(state="sending"))
    owed = len(pending) + len(sending)
    return f"{owed} replies are owed" if owed else ""


def _bury(loop: VirtualLoop, world: World | None) -> None:
    """End everything that still stands in the loop, the dead included."""
    for life in world.lives if world else ():
        life.bury()
    for _ in range(BURY_ROUNDS):
        left = asyncio.all_tasks(loop)
        if not left:
            break
        for task in left:
            task.cancel()
        with contextlib.suppress(Exception):
            loop.run_until_complete(asyncio.wait(left, timeout=1))
    loop.close()
    if world is not None and world.disk is not None:
        world.disk.close()
    asyncio.set_event_loop(None)


@contextlib.contextmanager
def _watched_log(world: World) -> Iterator[None]:
    """While the story is played, what the gateway logs is looked at and not written."""
    before = structlog.get_config()

    def look(logger: object, method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        # `Any`: an event of the log has whatever fields it has.
        del logger, method
        name = event.get("event")
        is_fenced = name == "lane_lost" or isinstance(sys.exc_info()[1], FenceLost)
        is_ghostly = is_fenced and any(life.fuse.is_ghost for life in world.lives)
        if name in DEFECTS and not is_ghostly:
            error = traceback.format_exc() if event.get("exc_info") else ""
            world.findings.report("defect", f"{dict(event)} {error}")
        raise structlog.DropEvent

    structlog.configure(processors=[look])
    try:
        yield
    finally:
        structlog.configure(**before)
