"""The world of one story: people and clients, platforms, a store, and a gateway that dies and is started again.

It keeps what outlives every life of the gateway. What happens in it is carried out by `actions`, held against what was
promised by `checks`, and led from the first step to the last by `play`.
"""

from __future__ import annotations

import asyncio
import traceback
from collections.abc import Coroutine, Mapping
from pathlib import Path
from zoneinfo import ZoneInfo

from instar.config.config import Config, parse_config
from instar.core.model.ids import ChannelName, SessionKey, TurnId
from instar.errors import StoreError
from instar.stores.sqlite import MemoryEngine
from instar.stores.store import SessionStore
from instar.testing.ids import SequenceIds
from instar.testing.simulate.book import Book
from instar.testing.simulate.dice import Dice
from instar.testing.simulate.disk import Disk
from instar.testing.simulate.findings import Findings
from instar.testing.simulate.forgetting import Forgetting
from instar.testing.simulate.forks import Forks
from instar.testing.simulate.lives import Around, Keeper, Life
from instar.testing.simulate.model import Record
from instar.testing.simulate.people import Platform
from instar.testing.simulate.posting import Post
from instar.testing.simulate.purse import Purse
from instar.testing.simulate.resets import Resets
from instar.testing.simulate.shadow import Row, Shadow, Watchers
from instar.testing.simulate.stand_ins import MODELS, StandIns
from instar.testing.simulate.story import CHANNELS, LIMIT_USD, Harm, Story, build_places, owner_of, read_secret
from instar.testing.simulate.strangers import Strangers
from instar.testing.simulate.virtual import VirtualClock, VirtualLoop
from instar.testing.simulate.watched import watch_store

__all__ = ["World"]

RESTART_S = 5.0
"""How soon a gateway that could not start is started again."""


class World:
    """Everything that one story needs. Made inside its loop."""

    def __init__(self, story: Story, loop: VirtualLoop) -> None:
        setting = story.setting
        self.story = story
        self.loop = loop
        self.findings = Findings()
        self.clock = VirtualClock(loop, zone=ZoneInfo(setting.zone))
        self.places = build_places(setting)
        has_fanout = story.has_fanout
        watchers = Watchers(
            resets=Resets(self.findings, setting, self.clock, has_fanout=has_fanout),
            strangers=Strangers(self.findings, setting, self.clock),
            purse=Purse(self.findings, setting, self.clock),
            stand_ins=StandIns(self.findings, story),
            forks=Forks(self.findings, self.clock),
        )
        self.shadow = Shadow(self.findings, watchers, has_fanout=has_fanout)
        engine = MemoryEngine()
        self.inner = SessionStore(engine)
        self.watched, store = watch_store(self.inner, self.shadow, self.clock)
        self.book = Book()
        self.post = Post(self.book, self.shadow, self.clock, self.findings)
        self.disk = Disk() if setting.mirrored else None
        self.forgetting: Forgetting | None = None
        if self.disk is not None and setting.erasable:
            self.forgetting = Forgetting(
                findings=self.findings,
                setting=setting,
                shadow=self.shadow,
                book=self.book,
                store=self.inner,
                engine=engine,
                disk=self.disk,
                dice=Dice(story.seed),
            )
        self.config = self.parse(setting.raw())
        self.platforms = {ChannelName(name): Platform(ChannelName(name), CHANNELS[name]) for name in setting.channels}
        self.keeper = Keeper(store)
        self.record = Record(
            self.findings,
            self,
            cost_usd=LIMIT_USD / 4 if setting.budget else None,
            whys=watchers.stand_ins.whys,
        )
        self.around = Around(
            config=lambda: self.config,
            rows=self.inner,
            store=store,
            disk=self.disk,
            clock=self.clock,
            ids=SequenceIds(),
            record=self.record,
            platforms=self.platforms,
            keeper=self.keeper,
            window_tokens=setting.window_tokens,
            stand_ins=MODELS[1 : setting.stand_ins + 1],
            forgetting=self.forgetting,
        )
        self.lives: list[Life] = []
        self.crashes = 0
        self.down_s = 0.0
        self.harm: Harm = ""
        self.again = 0
        self.is_over = False
        self.busy: set[asyncio.Task[None]] = set()

    def parse(self, raw: Mapping[str, object]) -> Config:
        """A configuration, as the gateway would read it."""
        state_dir = self.disk.folder if self.disk is not None else Path("/nowhere/state")
        return parse_config(raw, env={}, state_dir=state_dir, home=Path("/nowhere"))

    @property
    def life(self) -> Life:
        """The newest life."""
        return self.lives[-1]

    def spawn(self, work: Coroutine[object, object, None]) -> None:
        """Let a person or a client do something while the story goes on."""
        task = asyncio.ensure_future(work)
        self.busy.add(task)
        task.add_done_callback(self._note_done)

    def _note_done(self, task: asyncio.Task[None]) -> None:
        self.busy.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self.findings.report("simulation", "".join(traceback.format_exception(error)))

    async def begin(self) -> None:
        """Open the store and start the first gateway."""
        await self.inner.open()
        supervisor = asyncio.ensure_future(self._live())
        supervisor.add_done_callback(self._note_done)
        await self.loop.pass_time(0)

    def heal(self) -> None:
        """Let nothing go wrong any more."""
        self.watched.refuses_until_s = 0.0
        for platform in self.platforms.values():
            platform.faults.clear()
        self.life.fuse.at, self.again = None, 0

    async def fetch_all(self) -> None:
        """Let every fetching channel fetch all that it is owed."""
        for name, channel in self.life.channels.items():
            if self.platforms[name].capabilities.pulls and self.life.is_up:
                await channel.fetch(100, lost="")
        await self.loop.pass_time(0)

    # --- what the model asks (Observer) -------------------------------------------------------------------------------

    def may_hold(self, key: SessionKey, secret: str) -> bool:
        """Whether a session may hold words of this place: those of its owner, what clients sent into it, and what it
        took along when it began as a thread.
        """
        return self.is_own(key, secret) or self.shadow.watchers.forks.holds(key, secret)

    def is_own(self, key: SessionKey, secret: str) -> bool:
        """Whether a place has this session."""
        owner = self.book.owners.get(key)
        place = self.places[read_secret(self.story.setting, secret)]
        return owner is None or owner_of(self.story.setting, place) == owner

    def is_forgotten(self, turn_id: TurnId) -> bool:
        """Whether somebody who was erased had a part in a turn."""
        return self.forgetting is not None and turn_id in self.forgetting.turns

    def waits_for(self, turn_id: TurnId, *, start: int) -> frozenset[str]:
        """The marks of the messages that a turn answers; none of them is beyond a limit (HIST-5).

        One that was put into the turn and also waits for its own, or fell to a full queue since, belongs to it as one
        that only merged into it does (QUEUE-7). A ghost of an earlier start knows nothing of what was taken after a
        later one.
        """
        if self.story.has_fanout:
            return frozenset()  # what others say meanwhile may push it out of a limit
        rows = [row for row in self.shadow.rows.values() if turn_id in row.taken and row.taken[turn_id] <= start]
        ids = [row.item.submission.inbound.message_id for row in rows if _is_awaited(row)]
        return frozenset(mark for one in ids if (mark := self.book.sent[int(one[1:])].mark))

    def may_run_together(self, key: SessionKey) -> bool:  # noqa: ARG002 - a mode may come from anywhere in the story
        """Whether turns of a session may run side by side."""
        return self.story.has_fanout or any(life.fuse.is_ghost for life in self.lives)

    # --- the gateway's lives ------------------------------------------------------------------------------------------

    async def _live(self) -> None:
        """Start the gateway, and start it again whenever it has died or was stopped, until the story is over."""
        while not self.is_over:
            life = Life(self.around, up=self.post.up, start=self.shadow.starts + 1)
            life.fuse.at, self.again = self.again or None, 0
            self.lives.append(life)
            self.post.life = life
            running = asyncio.ensure_future(life.run())
            death = asyncio.ensure_future(life.fuse.blown.wait())
            await asyncio.wait({running, death}, return_when=asyncio.FIRST_COMPLETED)
            death.cancel()
            if running.done():
                # A process that has ended does nothing more, and its store is closed: what it was asked and had not
                # done yet (an erasure, a message that waits at a door) must not go on beside the next one (SCALE-5).
                self.again = 0
                for what in await life.asked.find_left(erasing=life.is_erasing):
                    self.findings.report("LOSS-2", f"the gateway has stopped and still owes an answer: {what}")
                life.die(ghost=False)
                await self._see_off(running)
                continue
            self.crashes += 1
            life.die(ghost=life.fuse.is_ghost)
            if self.disk is not None:
                self.disk.harm(self.harm)
            await self.clock.sleep(self.down_s)

    async def _see_off(self, running: asyncio.Task[None]) -> None:
        """A process that ended by itself: stopped in good order, or unable to start on a disk that refuses."""
        try:
            running.result()
        except StoreError:
            await self.clock.sleep(RESTART_S)


def _is_awaited(row: Row) -> bool:
    """Whether a turn that took a message still holds it; one that fell to a full queue since was taken all the same."""
    fell = row.state == "expired" and row.reason != "session_deleted"
    return fell or row.state in {"waiting", "running", "merged"}
