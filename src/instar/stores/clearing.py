"""Lines that nobody sees any more, or not yet, taken away piece by piece (STORE-6, LOSS-4).

What belongs here: the rest of a large session that was deleted, and of an import that was cut off. What does not: when
a transcript is hidden (`change`, `staging`), and what is deleted within one transaction (`transcripts`).

Theory of operation. A hidden transcript is closed for the reason `STAGED`, which every list of transcripts leaves out,
and has a session id that nobody else has. So the transaction that deletes a large session takes no longer than one that
deletes a small one: it hides what is large. The lines go afterwards, in transactions between which everybody else
writes, and the row with the last of them. Where the process dies in between, the next start goes on.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from typing import Final

from instar.core.model.ids import SessionId
from instar.stores.transaction import Engine, Transaction
from instar.stores.transcripts import STAGED, find_transcript

__all__ = ["clear_away", "drop_leftovers"]

_DROP_ENTRIES: Final = 500
"""Lines taken away in one transaction; what is deleted is overwritten, so it takes as long as writing."""


async def clear_away(engine: Engine, session_ids: Iterable[SessionId]) -> None:
    """Take hidden transcripts away, those of them that are still there. Raises `StoreError`; the rest is there then."""
    for session_id in session_ids:
        while await engine.write(partial(_drop_some, session_id=session_id), purpose="freeing"):
            pass


async def drop_leftovers(engine: Engine) -> int:
    """Take away what imports and deletions left that were cut off; how many of them. For a start, when none runs."""
    left = await engine.read(lambda tx: [SessionId(row[0]) for row in tx.all("list_staged", {})])
    await clear_away(engine, left)
    return len(left)


def _drop_some(tx: Transaction, *, session_id: SessionId) -> bool:
    """Take some lines of a hidden transcript away, and the row when none is left; False when there was none."""
    transcript = find_transcript(tx, session_id)
    if transcript is None or transcript.head.close_reason != STAGED:
        return False
    if not tx.run("delete_some_entries", {"transcript": transcript.id, "limit": _DROP_ENTRIES}):
        tx.run("delete_search_mark", {"transcript": transcript.id})
        tx.run("delete_transcript", {"transcript": transcript.id})
    return True
