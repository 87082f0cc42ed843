"""A large transcript that comes in piece by piece, and is there all at once (STORE-6).

What belongs here: writing a foreign transcript in pieces between which everybody else writes, too. What does not:
reading the file (`importer`), and what makes a transcript known or refused (`change`).

Theory of operation. The pieces are put under a transcript row that nobody finds: its session id is a made-up one, it
is closed for the reason `STAGED`, and the lists of transcripts leave that reason out. The last transaction gives the
row its own id and its session, which takes no longer than for a short transcript. Until then nothing of it is visible;
what is left after a crash, or on a disk that was full, is taken away in pieces too (`clearing`): at once, before the
same import is tried again, or at the next start.

The rows stand under the key of their session from the first piece on, so that an erasure finds them. An import that is
overtaken by one stops and says so.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Final

from instar.core.model.decision import Decision
from instar.core.model.entry import AnyEntry, Header
from instar.core.model.ids import Instant, SessionId
from instar.core.model.session import Session
from instar.errors import InvalidRequest, StoreError
from instar.stores.change import begin_import, finish_import
from instar.stores.clearing import clear_away
from instar.stores.known import TranscriptRow
from instar.stores.rows import write_header
from instar.stores.search import keep_out, take_in_again
from instar.stores.transaction import Engine, Params, Transaction
from instar.stores.transcripts import STAGED, append_some, find_transcript

__all__ = ["Overtaken", "import_in_pieces"]

_PIECE_ENTRIES: Final = 400
_PIECE_BYTES: Final = 512 * 1024
"""What one transaction takes: some ten milliseconds. A single line may be longer."""


class Overtaken(InvalidRequest):
    """What was stored of an import was taken away meanwhile."""


async def import_in_pieces(
    engine: Engine,
    session: Session,
    header: Header,
    entries: Sequence[AnyEntry],
    *,
    now: Instant,
    decision: Decision,
) -> bool:
    """As `change.import_transcript`, for a transcript of any length; others wait for one piece at most.

    Raises `Overtaken` where an erasure, or another import of the same transcript, came in between.
    """
    pieces = _Pieces(session=session, header=header, entries=entries, now=now)
    await clear_away(engine, [pieces.staged_id])
    try:
        stored = await engine.write(pieces.begin, purpose="new")
        at = 0
        while stored and at < len(entries):
            at += await engine.write(partial(pieces.append, at=at), purpose="new")
        stored = stored and await engine.write(partial(pieces.finish, decision=decision), purpose="new")
    except Overtaken:
        # What is there under this name now is another one's.
        raise
    except BaseException:
        with suppress(StoreError):
            await clear_away(engine, [pieces.staged_id])
        raise
    if not stored:
        await clear_away(engine, [pieces.staged_id])
    return stored


@dataclass(frozen=True, slots=True, kw_only=True)
class _Pieces:
    """One import, transaction by transaction."""

    session: Session
    header: Header
    entries: Sequence[AnyEntry] = field(repr=False)
    now: Instant

    @property
    def staged_id(self) -> SessionId:
        """What the transcript is called until it is whole."""
        return SessionId(f"{STAGED}:{self.header.id}")

    def begin(self, tx: Transaction) -> bool:
        """Open the hidden row; False when the transcript is known. Raises `InvalidRequest` for an erased person's."""
        if not begin_import(tx, self.session, self.header):
            return False
        if find_transcript(tx, self.staged_id) is not None:
            raise self._overtaken()
        columns: Params = {
            "session_id": self.staged_id,
            "key": self.session.key,
            "header": write_header(self.header),
            "began_at": self.now if self.header.timestamp is None else self.header.timestamp,
            "closed_at": self.now,
            "close_reason": STAGED,
        }
        tx.one("insert_transcript", columns)
        keep_out(tx, self._require(tx).id)
        return True

    def append(self, tx: Transaction, *, at: int) -> int:
        """Put the next lines in; how many."""
        some = self.entries[at : at + _PIECE_ENTRIES]
        taken = append_some(tx, self._require(tx), some, most_bytes=_PIECE_BYTES)
        tx.touched.transcripts.discard(self.staged_id)
        return taken

    def finish(self, tx: Transaction, *, decision: Decision) -> bool:
        """Make it visible; False when it is there already."""
        transcript = self._require(tx)
        if not begin_import(tx, self.session, self.header):
            return False
        is_new = finish_import(tx, self.session, self.header, now=self.now, decision=decision)
        columns: Params = {
            "transcript": transcript.id,
            "session_id": self.header.id,
            "header": write_header(self.header),
            "closed_at": None if is_new else self.now,
            "close_reason": None if is_new else "import",
        }
        tx.run("rename_transcript", columns)
        take_in_again(tx, transcript.id)
        tx.touched.transcripts.add(self.header.id)
        return True

    def _require(self, tx: Transaction) -> TranscriptRow:
        transcript = find_transcript(tx, self.staged_id)
        if transcript is None:
            raise self._overtaken()
        return transcript

    def _overtaken(self) -> Overtaken:
        return Overtaken(
            f"The import of {self.header.id} was overtaken",
            why="an erasure, or another import of the same transcript, came in between",
            fix="Look whether it is there, and import it again if it is not.",
        )
