"""The rows of a script: they live in memory, and stand in a file while something reads or copies the database file."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from instar.core.model.ids import Instant, SessionKey
from instar.core.model.keeping import StoredBackup
from instar.core.model.people import ErasureReceipt, Person
from instar.stores.erasing.eraser import StoreEraser
from instar.stores.keeper import StoreKeeper
from instar.stores.sealing.seals import Seals
from instar.stores.sqlite import MemoryEngine

__all__ = ["EraserOfRows", "KeeperOfRows", "Rows"]


class Rows(MemoryEngine):
    """An engine in memory. Its `image` is what a file would hold, free pages included."""

    def __init__(self, path: Path, *, seals: Seals | None) -> None:
        super().__init__(seals=seals)
        self._path = path
        self._is_shown = False

    @property
    def image(self) -> bytes:
        """Every byte of the database."""
        return b"" if self.connection is None else self.connection.serialize("main")

    @contextmanager
    def in_file(self) -> Iterator[None]:
        """While a copy of the rows stands where the database of the configuration is."""
        self._is_shown = True
        self._show()
        try:
            yield
        finally:
            self._is_shown = False
            for path in self._path.parent.glob(f"{self._path.name}*"):
                path.unlink()

    async def wipe(self, *, log_only: bool = False) -> None:
        """Leave nothing of what was deleted, in the copy neither."""
        await super().wipe(log_only=log_only)
        if self._is_shown:
            self._show()

    def _show(self) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._path.write_bytes(self.image)


class EraserOfRows(StoreEraser):
    """The eraser, over rows that are shown to it as a file."""

    rows: Rows

    async def plan(self, person: Person, *, now: Instant) -> ErasureReceipt:
        """What an erasure would take out."""
        with self.rows.in_file():
            return await super().plan(person, now=now)

    async def erase(
        self, person: Person, *, within: frozenset[SessionKey], now: Instant, who: str, drop_backups: bool
    ) -> ErasureReceipt | None:
        """Take a person out of everything."""
        with self.rows.in_file():
            return await super().erase(person, within=within, now=now, who=who, drop_backups=drop_backups)


class KeeperOfRows(StoreKeeper):
    """What makes backups and finds archives, over the same."""

    rows: Rows

    async def back_up(self, name: str | None, *, now: Instant) -> StoredBackup:
        """Write a backup."""
        with self.rows.in_file():
            return await super().back_up(name, now=now)
