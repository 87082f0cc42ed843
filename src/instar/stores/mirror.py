"""The live mirror: every session as files that people and tools can read (STORE-2…5).

Rows are the authority and files follow them, after the commit and off the event loop. After each commit the store
names what it touched; a moment later all that was touched is brought level at once: lines are appended, files of
closed and deleted transcripts renamed. ``sessions.json`` follows at a pace of its own. A disk that is full or a file
that cannot be written is told in the log and tried again; it never fails a turn. Nothing is ever read back as truth.

After a start every file is looked at once, and what a crash left behind is finished.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Final, Protocol

import structlog

from instar.config.config import Config
from instar.core.model.ids import AgentId, SessionId
from instar.core.routing.grammar import parse_key
from instar.errors import StoreError
from instar.ports.clock import Clock
from instar.stores.mirror_files import Mark, is_as_left
from instar.stores.mirror_folders import KeyFolders, find_keys, list_folders
from instar.stores.mirror_index import write_index
from instar.stores.mirror_level import Leveller
from instar.stores.mirror_moved import move_marks
from instar.stores.mirror_names import list_namesakes
from instar.stores.mirror_places import MirrorPlaces
from instar.stores.mirror_rows import Listed, list_agents, list_mirrored, list_written_indices, load_lost, save_marks
from instar.stores.mirror_strays import STRAYS_FIX, is_archived, pick_strays, walk_transcript_files
from instar.stores.store import SessionStore
from instar.stores.transaction import Touched
from instar.system.log_events import MIRROR_CONFLICT, MIRROR_FAILED, MIRROR_STRAYS

__all__ = ["Flushable", "Mirror", "open_mirror"]

_GATHER_S: Final = 0.05
"""How long after a commit its files follow: under load many commits share one round."""

_INDEX_PAUSE_S: Final = 1.0
_INDEX_SHARE: Final = 50
"""An index is rewritten at most once a second, and rests fifty times as long as the rewrite took (STORE-3)."""

_RETRY_S: Final = 5.0
"""Rest after a file could not be written."""

_ROUND: Final = 64
"""Transcripts brought level at once."""

log = structlog.get_logger(__name__)


class Flushable(Protocol):
    """What a gateway needs of a mirror."""

    async def flush(self) -> None:
        """Bring every file level with what is committed, now."""
        ...


class _NoMirror:
    """Stands for a mirror that is switched off."""

    async def flush(self) -> None:
        """Do nothing."""


@asynccontextmanager
async def open_mirror(store: SessionStore, config: Config, *, clock: Clock) -> AsyncIterator[Flushable]:
    """The mirror that the configuration asks for, at work inside the block; at its end all files are level."""
    if config.store.mirror == "off":
        yield _NoMirror()
        return
    folders = KeyFolders(store, config.state_dir, clock=clock) if config.store.mirror == "per-key" else None
    lets_go = config.maintenance.lets_archives_go
    mirror = Mirror(store, MirrorPlaces.of(config), clock=clock, folders=folders, lets_go=lets_go)
    mirror.start()
    try:
        yield mirror
    finally:
        await mirror.close()


class Mirror:
    """Follows a store. Start it once, close it before the store.

    `folders` are kept beside where they are wanted. `lets_go` says that maintenance removes files of closed transcripts
    (MAINT-16, MAINT-19): one that was whole and is gone is then not missed.
    """

    def __init__(
        self,
        store: SessionStore,
        places: MirrorPlaces,
        *,
        clock: Clock,
        folders: KeyFolders | None = None,
        lets_go: bool = False,
    ) -> None:
        self._folders = folders
        self._lets_go = lets_go
        self._grown: set[SessionId] = set()
        self._store = store
        self._places = places
        self._clock = clock
        self._leveller = Leveller(store, places, clock=clock)
        self._told: deque[Touched] = deque()
        self._transcripts: set[SessionId] = set()
        self._files: dict[SessionId, list[Path]] = {}
        self._agents: set[AgentId] = set()
        self._indices: set[Path] = set()
        self._marks: dict[SessionId, Mark] = {}
        self._unsaved: dict[str, Mark | None] = {}
        self._wake, self._wake_index = asyncio.Event(), asyncio.Event()
        self._following, self._writing = asyncio.Lock(), asyncio.Lock()
        self._is_woken = False
        self._has_looked = False
        self._loop: asyncio.AbstractEventLoop | None = None
        self._tasks: list[asyncio.Task[None]] = []

    # --- life ---------------------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Begin to follow, and bring level what an earlier run left behind."""
        self._loop = asyncio.get_running_loop()
        self._store.on_commit(self._hear)
        self._tasks = [asyncio.create_task(self._follow()), asyncio.create_task(self._write_indices())]

    async def close(self) -> None:
        """Bring everything level once more, then stop; what cannot be written now is found at the next start."""
        async with self._following, self._writing:  # a round that is cut goes on in its thread, and nobody hears how
            for task in self._tasks:
                task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        try:
            await self.flush()
        except (OSError, StoreError) as error:
            log.warning(MIRROR_FAILED, error=str(error))
        self._loop = None

    async def flush(self) -> None:
        """Bring every file level with what is committed, now. Raises OSError, `StoreError`."""
        await self._look_once()
        await self._follow_now()
        await self._write_now()
        await self._save_marks()

    async def rebuild(self) -> int:
        """Compare every file with the rows and write anew what differs; changed files are kept beside (STORE-5).

        Gives the number of transcripts. Raises OSError, `StoreError`.
        """
        async with self._following:
            self._marks.clear()
            await self._look_at_all(lambda _: False)
            count = len(self._transcripts)
        await self.flush()
        return count

    def _hear(self, touched: Touched) -> None:
        """Note what a commit touched; in the thread that committed."""
        loop = self._loop
        if loop is None:
            return
        self._told.append(touched)
        if not self._is_woken:
            self._is_woken = True
            loop.call_soon_threadsafe(self._wake.set)

    def _take_in(self) -> None:
        """Take over what was heard so far."""
        while self._told:
            touched = self._told.popleft()
            self._transcripts |= touched.transcripts
            if self._folders is not None:
                self._folders.touch(touched.keys)
                self._grown |= touched.transcripts
            self._agents |= {parse_key(key).agent_id or self._places.default_agent_id for key in touched.keys}
        if self._agents:
            self._wake_index.set()

    # --- transcripts --------------------------------------------------------------------------------------------------

    async def _follow(self) -> None:
        await self._until_it_works(self._start_up)
        while True:
            await self._wake.wait()
            await self._clock.sleep(_GATHER_S)
            self._wake.clear()
            self._is_woken = False
            await self._until_it_works(self._follow_now)
            await self._until_it_works(self._save_marks)

    async def _start_up(self) -> None:
        await self._look_once()
        await self._follow_now()
        await self._save_marks()

    async def _look_once(self) -> None:
        """Look at every file, the first time, and note those that are not level."""
        async with self._following:
            if not self._has_looked:
                old = await self._store.engine.write(partial(move_marks, places=self._places))
                if old is not None:
                    log.info("mirror_moved", old=str(old))
                await self._look_at_all(self._is_level)
                await self._look_for_strays()
                self._has_looked = True

    async def _look_for_strays(self) -> None:
        """Say which files hold words that no row holds any more, and note those of lives that have ended."""
        walk, lost = walk_transcript_files(self._places), list[Path]()
        while files := await asyncio.to_thread(next, walk, ()):
            found = await self._store.engine.read(partial(pick_strays, files=files))
            lost += found.files
            for session_id, path in found.closed.items():
                self._transcripts.add(session_id)
                self._files.setdefault(session_id, []).append(path)
        strays = await asyncio.to_thread(_let_archived_go, sorted(lost))
        if strays:
            log.critical(MIRROR_STRAYS, count=len(strays), first=str(strays[0]), fix=STRAYS_FIX)

    async def _look_at_all(self, is_level: Callable[[Listed], bool]) -> None:
        after, nameless = 0, dict[Path, dict[str, SessionId]]()
        while rows := await self._store.engine.read(partial(list_mirrored, after=after)):
            level = await asyncio.to_thread(lambda seen: [is_level(row) for row in seen], rows)
            unlevel = [row for row, fine in zip(rows, level, strict=True) if not fine]
            self._transcripts |= {row.session_id for row in unlevel}
            await asyncio.to_thread(self._note_nameless, unlevel, nameless)
            if self._folders is not None:
                self._folders.touch(row.key for row in rows if row.closed_at is None)
            after = rows[-1].place
        if self._folders is not None:
            self._folders.touch(await self._store.engine.read(list_folders))
        self._files |= await asyncio.to_thread(list_namesakes, nameless)
        self._transcripts |= set(await self._store.engine.read(load_lost))
        self._agents |= set(await self._store.engine.read(list_agents))
        # An agent whose last session was deleted just before a crash has no row that would lead to its index.
        self._indices |= set(await self._store.engine.read(list_written_indices))
        self._wake_index.set()

    def _note_nameless(self, rows: Sequence[Listed], nameless: dict[Path, dict[str, SessionId]]) -> None:
        """Note transcripts of which no mark leads to a file, by folder and by the name that it would have if current.

        Names and no paths: after the mirror was away there may be a hundred thousand.
        """
        for row in rows:
            if row.mark is not None and row.mark.path.exists():
                continue
            if row.mark is not None:
                self._files[row.session_id] = []
            path = self._places.transcript(row.key, row.session_id)
            nameless.setdefault(path.parent, {})[path.name] = row.session_id

    def _is_level(self, row: Listed) -> bool:
        path = self._places.transcript(row.key, row.session_id, closed_at=row.closed_at)
        mark = row.mark
        if mark is None or mark.path != path or mark.seq != row.last_seq:
            return False
        return is_as_left(mark) or (self._lets_go and row.closed_at is not None and not path.exists())

    async def _follow_now(self) -> None:
        """Bring the files of all touched transcripts level.

        Raises OSError for the first file that could not be written, after all others were; it stays noted.
        """
        async with self._following:
            self._take_in()
            failed: dict[SessionId, OSError] = {}
            while some := [*(self._transcripts - failed.keys())][:_ROUND]:
                marks = {session_id: self._marks.get(session_id) for session_id in some}
                found = await self._leveller.level(marks, files=self._files)
                for session_id, outcome in found.items():
                    if isinstance(outcome, OSError):
                        failed[session_id] = outcome
                        continue
                    self._transcripts.discard(session_id)
                    self._files.pop(session_id, None)
                    self._unsaved[session_id] = outcome
                    if outcome is None:
                        self._marks.pop(session_id, None)
                    else:
                        self._marks[session_id] = outcome
            await self._write_folders()
            for error in failed.values():
                raise error

    async def _write_folders(self) -> None:
        """Bring the folders of touched keys level, where they are wanted."""
        if self._folders is not None:
            self._folders.touch(await self._store.engine.read(partial(find_keys, session_ids=[*self._grown])))
            self._grown.clear()
            await self._folders.write()

    async def _save_marks(self) -> None:
        """Keep how files were left; whatever a crash loses of it is found by comparing."""
        async with self._following:
            if not self._unsaved:
                return
            marks, self._unsaved = self._unsaved, {}
            try:
                await self._store.engine.write(lambda tx: save_marks(tx, marks))
            except BaseException:
                self._unsaved = marks | self._unsaved
                raise

    # --- sessions.json ------------------------------------------------------------------------------------------------

    async def _write_indices(self) -> None:
        while True:
            await self._wake_index.wait()
            self._wake_index.clear()
            began = self._clock.monotonic()
            await self._until_it_works(self._write_now)
            took = self._clock.monotonic() - began
            await self._clock.sleep(max(_INDEX_PAUSE_S, _INDEX_SHARE * took))

    async def _write_now(self) -> None:
        """Rewrite the index of every agent of which a session changed. Raises OSError; what is not done stays noted."""
        async with self._writing:
            agents = sorted(self._agents)
            self._indices = {path for path in self._indices if path.exists()}
            paths = self._indices | {self._places.index(agent_id) for agent_id in agents}
            if not paths:
                return
            known = await self._store.engine.read(list_agents)
            for path in sorted(paths):
                sharing = [agent_id for agent_id in {*known, *agents} if self._places.index(agent_id) == path]
                self._agents -= set(sharing)
                self._indices.discard(path)
                try:
                    kept = await write_index(self._store, path, sorted(sharing), now=self._clock.now())
                except BaseException:
                    self._agents |= set(sharing)
                    self._indices.add(path)
                    raise
                if kept is not None:
                    log.warning(MIRROR_CONFLICT, path=str(path), kept=str(kept))

    async def _until_it_works(self, work: Callable[[], Awaitable[None]]) -> None:
        """Do work of the mirror, again after a rest when the disk or the store refuses it."""
        while True:
            try:
                return await work()
            except (OSError, StoreError) as error:
                log.warning(MIRROR_FAILED, error=str(error))
            except Exception:
                log.exception(MIRROR_FAILED)
            await self._clock.sleep(_RETRY_S)


def _let_archived_go(strays: Sequence[Path]) -> list[Path]:
    """Remove files of deleted sessions, whose archives hold every word; the others. Blocking; raises OSError."""
    archived = {path for path in strays if is_archived(path)}
    for path in archived:
        path.unlink(missing_ok=True)
    return [path for path in strays if path not in archived]
