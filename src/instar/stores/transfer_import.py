"""A store made of what `transfer` wrote: all of it, or a beginning that goes on when the same export is imported again.

What belongs here: putting an export into an empty store. What does not: what an export looks like (`transfer`), and
foreign transcripts (`importer`, `staging`).

Theory of operation. `meta` says which export is on its way and how many rows of each table are there; each transaction
that stores rows moves that on. A session is there as a whole or not at all. One with few lines comes in one
transaction; the transcripts of a larger one are put under rows that nobody finds, piece by piece, as `staging` does,
and the last transaction gives all of them their ids, and stores the session. Where the process dies, the next import of
the same export goes on. Where a gateway has started in between, it does not: nothing is told twice.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

import msgspec

from instar.core.model.entry import AnyEntry, Header
from instar.core.model.ids import EntryId, Instant, SessionId, SessionKey
from instar.core.model.session import Session
from instar.core.transcript.codec import parse_entry, parse_header
from instar.errors import InvalidRequest, InvariantBroken, StoreUnreadable
from instar.stores.change import FENCE
from instar.stores.known import TranscriptRow
from instar.stores.rows import parse_session, write_header
from instar.stores.search import keep_out, take_in_again
from instar.stores.sessions import load_session, save_session
from instar.stores.store import SessionStore
from instar.stores.transaction import Engine, Params, Transaction
from instar.stores.transcripts import STAGED, append_entries, append_some, find_transcript, move_leaf, open_transcript
from instar.stores.transfer import DOCUMENTS, FORMAT, LATER, SLICE, TABLES, VERSION, TransferReport

__all__ = ["UNDER_WAY", "import_store"]

UNDER_WAY: Final = "import_under_way"
"""The name in `meta` of an import that has not come to its end."""

_WHOLE_BYTES: Final = 256 * 1024
"""A session with so much text in its transcripts is stored in one transaction: some ten milliseconds."""

_PIECE_ENTRIES: Final = 400
_PIECE_BYTES: Final = 512 * 1024
"""What one transaction takes of a larger one. A single line may be longer."""


async def import_store(folder: Path, store: SessionStore) -> TransferReport:
    """Make the store of an export; it must be empty, so that nothing is mixed or told twice, or hold a part of it.

    Every file is held against the manifest first. Raises `InvalidRequest`, `StoreUnreadable`, `StoreError`, OSError.
    """
    manifest = await asyncio.to_thread(_check_folder, folder)
    export = await asyncio.to_thread(lambda: sha256((folder / "manifest.json").read_bytes()).hexdigest())
    progress = await store.engine.write(partial(_begin, export=export), purpose="new")
    await store.clearing.recover()
    for name in sorted(name for name in manifest["files"] if name.endswith("/session.json")):
        path = folder / name
        await _bring_session(store.engine, path.parent, await asyncio.to_thread(_decode, path))
    for table in TABLES:
        if f"{table}.jsonl" not in manifest["files"]:
            continue  # an older build's export, which knew of nothing to put there
        lines = (folder / f"{table}.jsonl").read_bytes().splitlines()
        for start in range(progress.rows.get(table, 0), len(lines), SLICE):
            some = lines[start : start + SLICE]
            await store.engine.write(partial(_store_rows, table=table, lines=some, done=start + len(some)))
    await store.engine.write(_end)
    return TransferReport(folder=folder, counts=dict(manifest["counts"]))


# --- how far it has come ----------------------------------------------------------------------------------------------


class _Progress(msgspec.Struct):
    """An import under way: the SHA-256 of its manifest, how often a gateway had started, the rows that are there."""

    export: str
    starts: str
    rows: dict[str, int] = msgspec.field(default_factory=dict)


def _begin(tx: Transaction, *, export: str) -> _Progress:
    """Begin with an empty store, or go on where the same import was cut off. Raises `InvalidRequest`."""
    row = tx.one("load_meta", {"name": FENCE})
    starts = str(row[0]) if row is not None else "0"
    progress = _load_progress(tx)
    if progress is None:
        found = tx.one("count_all", {})
        if found is None or found[0]:
            raise InvalidRequest(
                "The store is not empty", why="an export is imported into an empty one only", fix="Name a new state."
            )
        progress = _Progress(export=export, starts=starts)
        _save_progress(tx, progress)
    if progress.export != export:
        raise InvalidRequest(
            "The store is not empty",
            why="it holds a part of another export, whose import was cut off",
            fix="Import that one again, and it goes on where it was; or name a new state.",
        )
    if progress.starts != starts:
        raise InvalidRequest(
            "The import cannot go on where it was cut off",
            why="a gateway has run on the part that is there",
            fix="Name a new state, and import the export into that.",
        )
    return progress


def _load_progress(tx: Transaction) -> _Progress | None:
    row = tx.one("load_meta", {"name": UNDER_WAY})
    return msgspec.json.decode(row[0], type=_Progress) if row is not None else None


def _save_progress(tx: Transaction, progress: _Progress) -> None:
    tx.run("save_meta", {"name": UNDER_WAY, "value": msgspec.json.encode(progress).decode()})


def _end(tx: Transaction) -> None:
    tx.run("delete_meta", {"name": UNDER_WAY})


# --- files ------------------------------------------------------------------------------------------------------------


def _check_folder(folder: Path) -> dict[str, Any]:  # Any: JSON, whose parts are used as what they are found to be
    manifest = _decode(folder / "manifest.json")
    if manifest.get("format") != FORMAT or not isinstance(manifest.get("files"), dict):
        raise StoreUnreadable(f"{folder} is no export", why="its manifest is another one's", fix="Name an export.")
    if manifest["version"] > VERSION:
        raise StoreUnreadable(f"{folder} was written by a newer build", fix="Use that build.")
    for name, digest in manifest["files"].items():
        path = folder / name
        if ".." in Path(name).parts or Path(name).is_absolute() or path.is_symlink() or not path.is_file():
            raise StoreUnreadable(f"{folder} is not whole", why=f"{name} is missing", fix="Use another copy.")
        if sha256(path.read_bytes()).hexdigest() != digest:
            raise StoreUnreadable(f"{folder} is damaged", why=f"{name} was changed", fix="Use another copy.")
    return manifest


def _decode(path: Path) -> dict[str, Any]:  # Any: see `_check_folder`
    try:
        value: dict[str, Any] = msgspec.json.decode(path.read_bytes(), type=dict)
    except (OSError, msgspec.DecodeError) as error:
        raise StoreUnreadable(f"{path} cannot be read", why=str(error), fix="Use another copy.") from error
    return value


@dataclass(frozen=True, slots=True, kw_only=True)
class _Life:
    """One transcript of an export: its header, what the list says of it, and its lines as they stand in the file."""

    header: Header
    told: Mapping[str, Any]  # Any: JSON, see `_check_folder`
    lines: Sequence[bytes] = field(repr=False)

    @property
    def staged_id(self) -> SessionId:
        """What the transcript is called until all of its session is there."""
        return SessionId(f"{STAGED}:{self.header.id}")

    @property
    def began_at(self) -> Instant:
        """When it began."""
        return Instant(self.told["beganAt"])

    @property
    def closed_as(self) -> str | None:
        """Why it ended, None for one that goes on.

        What an export brings is all there, whatever it says: a part of one would be cleared away at the next start.
        """
        if self.told["closedAt"] is None:
            return None
        return "import" if self.told["closeReason"] in {None, STAGED} else str(self.told["closeReason"])


def _read_life(folder: Path, told: Mapping[str, Any]) -> _Life:
    path = folder / Path(told["file"]).name
    head, *lines = path.read_bytes().splitlines()
    header = parse_header(msgspec.json.decode(head, type=dict))
    if header is None:
        raise StoreUnreadable(f"{path} has no header", fix="Use another copy of the export.")
    return _Life(header=header, told=told, lines=lines)


# --- sessions ---------------------------------------------------------------------------------------------------------


async def _bring_session(engine: Engine, folder: Path, document: Mapping[str, Any]) -> None:
    """A session with its transcripts, the oldest first, so that the current one is opened last."""
    listed = sorted(document["transcripts"], key=lambda one: one["closedAt"] is None)
    sizes = await asyncio.to_thread(lambda: [(folder / Path(one["file"]).name).stat().st_size for one in listed])
    if sum(sizes) <= _WHOLE_BYTES:
        lives = await asyncio.to_thread(lambda: [_read_life(folder, one) for one in listed])
        await engine.write(partial(_store_session, document=document, lives=lives), purpose="new")
        return
    staged: list[_Life] = []
    for one in listed:
        life = await asyncio.to_thread(_read_life, folder, one)
        if await engine.write(partial(_stage, life=life, key=SessionKey(document["key"])), purpose="new"):
            await _fill(engine, life)
            staged.append(_Life(header=life.header, told=life.told, lines=()))
    await engine.write(partial(_publish, document=document, lives=staged), purpose="new")


def _store_session(tx: Transaction, *, document: Mapping[str, Any], lives: Sequence[_Life]) -> None:
    """A session with few lines, all at once."""
    _save_row(tx, document)
    for life in lives:
        if find_transcript(tx, life.header.id) is not None:
            continue
        key = SessionKey(document["key"])
        row = open_transcript(tx, key, life.header, now=life.began_at, closed_as=life.closed_as)
        row = append_entries(tx, row, [_parse(line) for line in life.lines])
        _settle(tx, _move(tx, row, life), life)


def _save_row(tx: Transaction, document: Mapping[str, Any]) -> None:
    if "row" in document and load_session(tx, SessionKey(document["key"])) is None:
        session: Session = parse_session(msgspec.json.encode(document["row"]).decode())
        save_session(tx, None, session)


def _parse(line: bytes) -> AnyEntry:
    return parse_entry(msgspec.json.decode(line, type=dict))


def _move(tx: Transaction, row: TranscriptRow, life: _Life) -> TranscriptRow:
    """Put the leaf where it was."""
    leaf_id = life.told["leafId"]
    return row if leaf_id is None or leaf_id == row.head.leaf_id else move_leaf(tx, row, EntryId(leaf_id))


def _settle(tx: Transaction, row: TranscriptRow, life: _Life) -> None:
    times = {"began_at": life.began_at, "closed_at": life.told["closedAt"], "close_reason": life.closed_as}
    tx.run("settle_transcript", {"transcript": row.id, **times})


# --- sessions with many lines -----------------------------------------------------------------------------------------


def _stage(tx: Transaction, *, life: _Life, key: SessionKey) -> bool:
    """Open a hidden row; False when the transcript is there."""
    if find_transcript(tx, life.header.id) is not None:
        return False
    columns: Params = {
        "session_id": life.staged_id,
        "key": key,
        "header": write_header(life.header),
        "began_at": life.began_at,
        "closed_at": life.began_at,
        "close_reason": STAGED,
    }
    tx.one("insert_transcript", columns)
    keep_out(tx, _require(tx, life).id)
    return True


async def _fill(engine: Engine, life: _Life) -> None:
    """Put the lines under a hidden row, piece by piece, and the leaf where it was."""
    at = 0
    while at < len(life.lines):
        at += await engine.write(partial(_append, life=life, at=at), purpose="new")
    await engine.write(partial(_move_hidden, life=life))


def _append(tx: Transaction, *, life: _Life, at: int) -> int:
    some = [_parse(line) for line in life.lines[at : at + _PIECE_ENTRIES]]
    taken = append_some(tx, _require(tx, life), some, most_bytes=_PIECE_BYTES)
    tx.touched.transcripts.discard(life.staged_id)
    return taken


def _move_hidden(tx: Transaction, *, life: _Life) -> None:
    _move(tx, _require(tx, life), life)
    tx.touched.transcripts.discard(life.staged_id)


def _publish(tx: Transaction, *, document: Mapping[str, Any], lives: Sequence[_Life]) -> None:
    """Let a session be there with all its transcripts."""
    _save_row(tx, document)
    for life in lives:
        row = _require(tx, life)
        columns: Params = {
            "transcript": row.id,
            "session_id": life.header.id,
            "header": write_header(life.header),
            "closed_at": life.told["closedAt"],
            "close_reason": life.closed_as,
        }
        tx.run("rename_transcript", columns)
        _settle(tx, row, life)
        take_in_again(tx, row.id)
        tx.touched.transcripts.add(life.header.id)
    tx.known.forget(SessionKey(document["key"]))


def _require(tx: Transaction, life: _Life) -> TranscriptRow:
    row = find_transcript(tx, life.staged_id)
    if row is None:
        raise InvariantBroken("what an import hides stays until it is whole", why=f"{life.staged_id} is gone")
    return row


# --- rows -------------------------------------------------------------------------------------------------------------


def _store_rows(tx: Transaction, *, table: str, lines: list[bytes], done: int) -> None:
    """Some rows of a table; `done` is how many of it are there then."""
    tx.run_many(f"restore_{table}", [_close_row(table, msgspec.json.decode(line, type=dict)) for line in lines])
    progress = _load_progress(tx)
    if progress is None:
        raise InvariantBroken("an import says how far it has come until its end")
    progress.rows[table] = done
    _save_progress(tx, progress)


def _close_row(table: str, row: Mapping[str, Any]) -> dict[str, Any]:
    """A line as the parameters of its query. An older build's export lacks the columns that came later."""
    missing = {*TABLES[table]} - row.keys() - LATER.get(table, frozenset())
    if missing:
        why = f"a line has no {', '.join(sorted(missing))}"
        raise StoreUnreadable(f"{table}.jsonl is not whole", why=why, fix="Use another copy of the export.")
    named = {name: row.get(name) for name in TABLES[table]}
    return {
        name: msgspec.json.encode(value).decode() if name in DOCUMENTS and value is not None else value
        for name, value in named.items()
    }
