"""The keys by which a person leaves every copy of the database, wherever it was carried (LEAK-11).

Only where words are stored encrypted. The keys of the person go, those of sessions that were theirs alone, and those of
sessions that they shared: what stands there under nobody's own key, summaries and what was shown as context, may hold
their words. What is still sealed under these keys when the person's rows are gone belongs to others, and is sealed anew
first, in rows, archives and notes; then the keys are destroyed. May run again.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from functools import partial
from pathlib import Path

from instar.errors import InvariantBroken
from instar.stores.erasing.files import Places, visit_files
from instar.stores.erasing.find import Holdings
from instar.stores.erasing.notes import is_sealed_note, renew_note
from instar.stores.sealing.columns import SEALED, person, session
from instar.stores.sealing.copies import GONE_NAME
from instar.stores.sealing.seals import Seals
from instar.stores.transaction import Engine, Transaction
from instar.system.files import replace_file

__all__ = ["shred"]


async def shred(engine: Engine, places: Places, found: Holdings) -> Counter[str]:
    """Destroy the keys of a person, and of the sessions that they were in; how many. Raises `StoreError`, OSError."""
    seals = places.seals
    if engine.seals is not seals:
        raise InvariantBroken("an erasure destroys keys of the ring that its store seals with")
    if seals is None:
        return Counter()
    ids = {*found.person.principals, *found.aliases}
    names = seals.doom([*map(person, ids), *map(session, found.keys | found.shared)])
    for table in SEALED:
        await engine.write(partial(_renew, table=table), purpose="freeing")
    await asyncio.to_thread(_renew_files, places, seals)
    done = seals.shred(names)
    await engine.write(partial(_note_gone, count=len(seals.ring.gone)), purpose="freeing")
    return Counter(keys=done)


def _renew(tx: Transaction, *, table: str) -> None:
    tx.run(f"renew_cells_{table}", {})


def _renew_files(places: Places, seals: Seals) -> None:
    def visit(path: Path) -> None:
        if is_sealed_note(path):
            renew_note(path, seals)
        elif path.suffix == ".zst" and places.is_transcripts(path.parent):
            renewed = seals.renew_file(path.read_bytes())
            if renewed is not None:
                replace_file(path, [renewed])

    visit_files(places, visit)


def _note_gone(tx: Transaction, *, count: int) -> None:
    """This store has nothing any more of the keys that are destroyed by now; a copy that has is an old one."""
    tx.run("save_meta", {"name": GONE_NAME, "value": str(count)})
