"""People, without a store: for tests of the wire."""

from __future__ import annotations

from instar.core.model.ids import Instant
from instar.core.model.people import ErasureReceipt, ExportedPerson, Left, PersonRow
from instar.errors import NotFound

__all__ = ["FakePeople"]

NOW = Instant(1_773_144_000_000)
ANN = PersonRow(id="telegram:42", ids=("telegram:42",), names=("Ann",), sessions=1, messages=3, last_at=NOW)


class FakePeople:
    """Keeps `instar.api.port.PeoplePort`: one person is known, and can be erased once."""

    def __init__(self) -> None:
        self.rows = [ANN]
        self.asked_by: list[str] = []

    async def list(self, *, limit: int) -> tuple[PersonRow, ...]:
        return tuple(self.rows[:limit])

    async def export(self, text: str, *, name: str | None) -> ExportedPerson:
        self._require(text)
        return ExportedPerson(path=f"/state/exports/{name or 'person'}", counts={"inbox": 3})

    async def plan(self, text: str) -> ErasureReceipt:
        self._require(text)
        return ErasureReceipt(id="", at=NOW, counts={"messages": 3}, residue=9, planned=True)

    async def erase(self, text: str, *, drop_backups: bool, who: str) -> ErasureReceipt:
        self._require(text)
        self.rows.clear()
        self.asked_by.append(who)
        dropped = ("old.tar.zst",) if drop_backups else ()
        left = (Left(place="instar.json5", count=1, fix="Take them out."),)
        return ErasureReceipt(id="e1", at=NOW, counts={"inbox": 3}, residue=1, left=left, dropped_backups=dropped)

    def _require(self, text: str) -> None:
        if text not in {row.id for row in self.rows}:
            raise NotFound(f"Nothing is held about {text}")
