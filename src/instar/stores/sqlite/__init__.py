"""The SQLite engine: one writer with group commit, a few readers, and a twin in memory.

One process owns the file (a lock beside it says so); in it, one thread writes and the others see what is committed.
The write-ahead log is synced on every commit, so what was acknowledged survives a loss of power.
"""

from __future__ import annotations

import asyncio
import errno
from collections.abc import Callable
from datetime import UTC
from functools import partial
from pathlib import Path
from queue import SimpleQueue
from typing import Final, TypeVar, cast

import apsw

from instar.core.policy.redaction import Redactor
from instar.errors import InstarError, StoreError, StoreFull, StoreReadOnly
from instar.stores.known import Known
from instar.stores.migrate import load_steps
from instar.stores.sealing.seals import Seals, check_unsealed
from instar.stores.sqlite.answers import Question, ShortAnswers, Snapshots
from instar.stores.sqlite.commit import Committer, Unit
from instar.stores.sqlite.connection import (
    SqliteTransaction,
    keep_log,
    open_reader,
    open_writer,
    translate_error,
)
from instar.stores.sqlite.log_damage import save_damaged_log
from instar.stores.sqlite.rehearsal import rehearse
from instar.stores.sqlite.reserve import Reserve
from instar.stores.sqlite.threads import BATCH_MAX, Job, Worker
from instar.stores.store import SessionStore
from instar.stores.transaction import Purpose, Touched, Transaction, load_queries
from instar.system.clock import SystemClock
from instar.system.files import create_private_file, make_private_folder
from instar.system.lock import ProcessLock

__all__ = ["MemoryEngine", "SqliteEngine", "SqliteStore", "open_memory_store"]

T = TypeVar("T")

_READERS: Final = 2
"""Threads that read. Reads share one interpreter; more threads would only take turns."""

_RESERVE_BYTES: Final = 16 * 1024 * 1024
"""Kept back on the disk: enough to delete the largest sessions and to finish every running turn."""


class SqliteEngine:
    """A database file. `reserve_bytes` 0 keeps nothing back; `redactor` knows the secrets of the configuration; `seals`
    has the keys of a store whose words are sealed.
    """

    def __init__(
        self,
        path: Path,
        *,
        readers: int = _READERS,
        reserve_bytes: int = _RESERVE_BYTES,
        redactor: Redactor | None = None,
        seals: Seals | None = None,
    ) -> None:
        self._path = path
        self._redactor = redactor
        self.seals = seals
        self._queries = load_queries("sqlite")
        self._callbacks: list[Callable[[Touched], None]] = []
        self._lock = ProcessLock(path.with_name(path.name + ".lock"))
        self._reserve = Reserve(path.with_name(path.name + ".reserve"), reserve_bytes) if reserve_bytes else None
        self._reader_count = readers
        self._units: SimpleQueue[Job[Unit] | None] = SimpleQueue()
        self._questions: SimpleQueue[Job[Question] | None] = SimpleQueue()
        self._workers: list[Worker[Unit] | Worker[Question]] = []
        self._committer: Committer
        self._sources: list[Snapshots] = []
        self._at_once: ShortAnswers
        self._keep_log: Callable[..., None]
        self._closers: list[Callable[[], None]] = []
        self._is_open = False

    async def open(self) -> None:
        """Take the lock, open, migrate. Raises `StoreLocked`, `StoreTooNew`, `StoreUnreadable`, `StoreReadOnly`."""
        await asyncio.to_thread(self._open)

    def _open(self) -> None:
        try:
            make_private_folder(self._path.parent)
            create_private_file(self._path)
            self._lock.acquire()
            save_damaged_log(self._path)
        except OSError as error:
            self._lock.release()
            kind = StoreFull if error.errno == errno.ENOSPC else StoreReadOnly
            raise kind(
                f"{self._path} cannot be opened for writing",
                why=(error.strerror or str(error)).lower(),
                fix="Check who owns the folder, and whether the disk is mounted read-only or full.",
            ) from error
        try:
            self._connect()
        except apsw.Error as error:
            self._undo()
            raise translate_error(error, self._path) from error
        except InstarError:
            self._undo()
            raise
        self._is_open = True

    def _connect(self) -> None:
        steps = load_steps("sqlite")
        rehearse(self._path, steps)
        connection = open_writer(str(self._path), steps)
        self._closers.append(connection.close)
        self._keep_log = partial(keep_log, connection)
        if self.seals is None:
            check_unsealed(connection)
        else:
            self.seals.install_writer(connection)
            self._queries = self.seals.queries(load_queries("sqlite"))
        if self._reserve is not None:
            self._reserve.hold()
        self._committer = Committer(
            connection,
            self._queries,
            path=self._path,
            reserve=self._reserve,
            on_commit=self._callbacks,
            redactor=self._redactor,
            seals=self.seals,
        )
        sources = [Snapshots(*self._open_source()) for _ in range(self._reader_count)]
        self._at_once = ShortAnswers(*self._open_source(), monotonic=SystemClock(UTC).monotonic)
        self._sources = [*sources, self._at_once]
        writer = Worker("instar-store-writer", self._units, batch_max=BATCH_MAX)
        writer.start(self._committer.commit, self._committer.tidy)
        self._workers.append(writer)
        for number, source in enumerate(sources):
            reader = Worker(f"instar-store-reader-{number}", self._questions, batch_max=1)
            reader.start(source.serve, _nothing)
            self._workers.append(reader)

    def _open_source(self) -> tuple[apsw.Connection, SqliteTransaction, Path]:
        connection = open_reader(str(self._path))
        self._closers.append(connection.close)
        if self.seals is not None:
            self.seals.install(connection)
        return connection, SqliteTransaction(connection, self._queries, Known(0)), self._path

    def _undo(self) -> None:
        for close in self._closers:
            close()
        self._closers.clear()
        self._lock.release()

    async def close(self) -> None:
        """Finish what is queued, close every connection, let go of the lock; may be called twice."""
        if not self._is_open:
            return
        self._is_open = False
        await asyncio.to_thread(self._close)

    def _close(self) -> None:
        self._units.put(None)
        for _ in range(self._reader_count):
            self._questions.put(None)
        for worker in self._workers:
            worker.join()
        self._workers.clear()
        self._keep_log(is_kept=self._committer.has_seen_damage or any(one.has_seen_damage for one in self._sources))
        # The writer goes last: the connection that closes last brings the log home and removes it.
        self._closers.reverse()
        self._undo()

    async def write(self, unit: Callable[[Transaction], T], *, purpose: Purpose = "owed") -> T:
        """Run `unit` in a transaction; its result comes after the commit."""
        self._check_open()
        future: asyncio.Future[object] = asyncio.get_running_loop().create_future()
        self._units.put(Job(Unit(unit, purpose), future))
        return cast("T", await future)  # the future carries what `unit` gave back

    async def wipe(self, *, log_only: bool = False) -> None:
        """Leave nothing of what was deleted in the file and its log."""
        self._check_open()
        future: asyncio.Future[object] = asyncio.get_running_loop().create_future()
        self._units.put(Job(Unit(_keep_quiet, wipe="log" if log_only else "file"), future))
        await future

    async def read(self, unit: Callable[[Transaction], T], *, is_short: bool = False) -> T:
        """Run `unit` on one snapshot, a short one at once where it can be."""
        self._check_open()
        if is_short and (outcome := self._at_once.attempt(unit)) is not None:
            await asyncio.sleep(0)
            return cast("T", outcome.value)  # the outcome carries what `unit` gave back
        future: asyncio.Future[object] = asyncio.get_running_loop().create_future()
        self._questions.put(Job(unit, future))
        return cast("T", await future)  # the future carries what `unit` gave back

    def on_commit(self, callback: Callable[[Touched], None]) -> None:
        """Call back after each commit, in the writer's thread."""
        self._callbacks.append(callback)

    def describe(self) -> dict[str, object]:
        """The engine's name, its SQLite, and the file."""
        return {"engine": "sqlite", "version": apsw.sqlite_lib_version(), "path": str(self._path)}

    def _check_open(self) -> None:
        if not self._is_open:
            raise StoreError("The store is closed", why="the gateway is starting or stopping", fix="Try again later.")


def _nothing() -> None:
    """What a reader does between questions."""


def _keep_quiet(_tx: Transaction) -> None:
    """What a wipe runs in a transaction."""


class MemoryEngine:
    """The same SQL in memory, on the caller's own thread, each unit committed by itself: for sessions that no disk may
    hold (KEY-22), and the twin for tests.

    Every call lets other tasks run once, as a store on disk would. Nothing spills into a temporary file, and what is
    deleted is overwritten.
    """

    def __init__(self, *, seals: Seals | None = None, redactor: Redactor | None = None) -> None:
        self.seals = seals
        self._redactor = redactor
        self._callbacks: list[Callable[[Touched], None]] = []
        self._connection: apsw.Connection | None = None
        self._committer: Committer | None = None

    @property
    def connection(self) -> apsw.Connection | None:
        """The rows themselves, for a test that looks at all of them; None before it was opened."""
        return self._connection

    async def open(self) -> None:
        """Make the tables; a store that was closed and is opened again is as it was."""
        if self._connection is None:
            self._connection = open_writer(":memory:", load_steps("sqlite"))
            self._connection.execute("PRAGMA temp_store = memory").fetchall()
            self._connection.execute("PRAGMA secure_delete = on").fetchall()
            if self.seals is not None:
                self.seals.install_writer(self._connection)
        queries = load_queries("sqlite")
        self._committer = Committer(
            self._connection,
            queries if self.seals is None else self.seals.queries(queries),
            path=None,
            reserve=None,
            on_commit=self._callbacks,
            redactor=self._redactor,
            seals=self.seals,
        )

    async def close(self) -> None:
        """Refuse what comes later; the rows stay, for a test that opens the store again."""
        self._committer = None

    async def write(self, unit: Callable[[Transaction], T], *, purpose: Purpose = "owed") -> T:
        """Run `unit` in a transaction."""
        return await self._run(Unit(unit, purpose))

    async def read(
        self,
        unit: Callable[[Transaction], T],
        *,
        is_short: bool = False,  # noqa: ARG002 - every unit runs at once here
    ) -> T:
        """Run `unit` on one snapshot."""
        return await self._run(Unit(unit))

    async def wipe(self, *, log_only: bool = False) -> None:
        """Leave nothing of what was deleted."""
        await self._run(Unit(_keep_quiet, wipe="log" if log_only else "file"))

    async def _run(self, unit: Unit) -> T:
        if self._committer is None:
            raise StoreError("The store is closed")
        (outcome,) = self._committer.commit([unit])
        await asyncio.sleep(0)
        if outcome.error is not None:
            raise outcome.error
        return cast("T", outcome.value)  # the outcome carries what the unit gave back

    def on_commit(self, callback: Callable[[Touched], None]) -> None:
        """Call back after each commit."""
        self._callbacks.append(callback)

    def describe(self) -> dict[str, object]:
        """The engine's name and its SQLite."""
        return {"engine": "memory", "version": apsw.sqlite_lib_version(), "path": None}


class SqliteStore(SessionStore):
    """The session store in a database file."""

    def __init__(
        self,
        path: Path,
        *,
        reserve_bytes: int = _RESERVE_BYTES,
        redactor: Redactor | None = None,
        seals: Seals | None = None,
    ) -> None:
        super().__init__(SqliteEngine(path, reserve_bytes=reserve_bytes, redactor=redactor, seals=seals))


def open_memory_store(*, seals: Seals | None = None, redactor: Redactor | None = None) -> SessionStore:
    """The session store in memory; still to be opened with `await store.open()`."""
    return SessionStore(MemoryEngine(seals=seals, redactor=redactor))
