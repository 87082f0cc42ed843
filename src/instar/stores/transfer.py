"""Everything in open formats: a folder that any program can read, and a store made of it again.

Layout (docs/howto/backup.md)::

    manifest.json                          format, version, when, counts, a SHA-256 of every other file
    sessions/<key, encoded>/session.json   the session's entry (ENTRY-*), its row, its transcripts in order
    sessions/<key, encoded>/<id>.jsonl     each transcript with every branch (docs/formats/transcript.md)
    inbox.jsonl outbox.jsonl decisions.jsonl usage.jsonl    one object a line, in order
    pairings.jsonl members.jsonl           who was let in by the owner, who is in which group
    state_versions.jsonl state_log.jsonl state_watches.jsonl notices.jsonl run_lines.jsonl    the same

Two stores are equal when their exports are: that is how the round trip is tested.
"""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

import msgspec

from instar.config.paths import encode_name
from instar.core.model.change import TranscriptHead
from instar.core.model.fields import format_session
from instar.core.model.ids import EntryId, Instant, SessionKey
from instar.core.model.session import Session
from instar.core.transcript.codec import format_entry, format_header, parse_entry, parse_header
from instar.errors import InvalidRequest, StoreUnreadable
from instar.stores.rows import format_session as format_row
from instar.stores.rows import parse_session
from instar.stores.sealing.seals import Seals
from instar.stores.sessions import load_session, save_session
from instar.stores.sqlite.reading import ReadingEngine
from instar.stores.sqlite.snapshot import copy_database
from instar.stores.store import SessionStore
from instar.stores.transaction import Row, Transaction
from instar.stores.transcripts import (
    STAGED,
    append_entries,
    find_transcript,
    load_all_entries,
    move_leaf,
    open_transcript,
)
from instar.system.files import make_private_folder, replace_file

__all__ = ["TransferReport", "export_store", "import_store"]

FORMAT: Final = "instar-export"
VERSION: Final = 1

_TABLES: Final[Mapping[str, list[str]]] = {
    "inbox": [
        "inbound_id",
        "channel",
        "account_id",
        "message_id",
        "session_key",
        "state",
        "turn_id",
        "reason",
        "received_at",
        "ended_at",
        "acknowledgement",
        "acceptance",
        "submission",
        "attachments",
        "left_out",
    ],
    "outbox": [
        "delivery_id",
        "session_key",
        "channel",
        "target",
        "text",
        "turn_id",
        "state",
        "reason",
        "hand_outs",
        "created_at",
        "next_at",
        "ended_at",
        "platform_id",
    ],
    "decisions": ["at", "session_key", "inbound_id", "turn_id", "kind", "outcome", "rule", "inputs", "who"],
    "usage": [
        "at",
        "session_key",
        "turn_id",
        "agent_id",
        "principal",
        "provider",
        "model",
        "purpose",
        "input_tokens",
        "output_tokens",
        "cache_read_tokens",
        "cache_write_tokens",
        "cost_usd",
        "channel",
    ],
    "pairings": [
        "channel",
        "account_id",
        "chat_type",
        "peer_id",
        "name",
        "session_key",
        "approved_at",
        "approved_by",
    ],
    "members": ["person", "session_key", "source", "since_at"],
    "state_versions": ["session_key", "version"],
    "state_log": ["session_key", "sequence", "kind", "actor_type", "actor", "summary", "at"],
    "state_watches": ["watcher", "watched", "cursor"],
    "notices": ["session_key", "about", "since", "version", "text", "created_at"],
    "run_lines": ["turn_id", "place", "session_key", "line"],
    "erased": ["hash", "salt", "at"],
}
"""Columns in the order of the queries of ``transfer.sql``."""

_LATER: Final = {"inbox": frozenset({"left_out"}), "usage": frozenset({"channel"})}
"""Columns that exports of older builds lack; they are empty then."""

_DOCUMENTS: Final = frozenset({"acknowledgement", "acceptance", "submission", "attachments", "target", "inputs"})
"""Columns that hold JSON; in the files they are JSON too, not text."""

_SLICE: Final = 500

Clean = Callable[[object], object]
"""Takes secrets out of a JSON value (LEAK-12)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TransferReport:
    """What went through, by name of its file or ``sessions``, ``transcripts``, ``entries``."""

    folder: Path
    counts: Mapping[str, int] = field(default_factory=dict)


# --- export -----------------------------------------------------------------------------------------------------------


async def export_store(
    database: Path, folder: Path, *, now: Instant, clean: Clean | None, seals: Seals | None = None
) -> TransferReport:
    """Write everything that a database holds, as of one moment; `clean` None leaves secrets in.

    What is stored encrypted is opened with `seals`: an export is for people and other programs.

    A gateway may run meanwhile. Raises `InvalidRequest` for a folder that holds anything, `StoreError`, OSError.
    """
    await asyncio.to_thread(_make_folder, folder)
    with tempfile.TemporaryDirectory(prefix=".instar-export-", dir=folder.parent) as place:
        copy = Path(place) / "instar.db"
        await asyncio.to_thread(copy_database, database, copy)
        store = SessionStore(ReadingEngine(copy, seals=seals))
        await store.open()
        try:
            return await _Writer(store, folder, clean or (lambda value: value)).write(now)
        finally:
            await store.close()


def _make_folder(folder: Path) -> None:
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise InvalidRequest(f"{folder} is not empty", why="an export overwrites nothing", fix="Name a new directory.")
    make_private_folder(folder)


class _Writer:
    """One export while it is written."""

    def __init__(self, store: SessionStore, folder: Path, clean: Clean) -> None:
        self._store = store
        self._folder = folder
        self._clean = clean
        self._counts = dict.fromkeys(("sessions", "transcripts", "entries", *_TABLES), 0)
        self._digests: dict[str, str] = {}

    async def write(self, now: Instant) -> TransferReport:
        async for key in self._keys():
            await self._write_session(key)
        for table in _TABLES:
            await self._write_table(table)
        manifest = {
            "format": FORMAT,
            "version": VERSION,
            "exportedAt": now,
            "counts": self._counts,
            "files": self._digests,
        }
        replace_file(self._folder / "manifest.json", [_pretty(manifest)])
        return TransferReport(folder=self._folder, counts=self._counts)

    async def _keys(self) -> AsyncIterator[SessionKey]:
        after = ""
        while rows := await self._slice("list_keys", after):
            for row in rows:
                yield row[0]
            after = rows[-1][0]

    async def _slice(self, query: str, after: str | int) -> list[Row]:
        return await self._store.engine.read(lambda tx: tx.all(query, {"after": after, "limit": _SLICE}))

    async def _write_session(self, key: SessionKey) -> None:
        session = await self._store.load_session(key)
        heads = await self._store.load_transcripts(key)
        place = f"sessions/{encode_name(key)}"
        listed = []
        for head in reversed(heads):
            name = f"{encode_name(head.session_id)}.jsonl"
            await self._write_transcript(head, f"{place}/{name}")
            listed.append(_describe(head, name))
        document: dict[str, object] = {"key": key, "transcripts": listed}
        if session is not None:
            self._counts["sessions"] += 1
            document |= {"entry": format_session(session), "row": msgspec.json.decode(format_row(session))}
        self._save(f"{place}/session.json", [_pretty(self._clean(document))])

    async def _write_transcript(self, head: TranscriptHead, name: str) -> None:
        page = await self._store.engine.read(partial(load_all_entries, session_id=head.session_id))
        self._counts["transcripts"] += 1
        self._counts["entries"] += len(page.entries)
        lines: list[object] = [format_header(head.header)]
        lines += [format_entry(stored.entry) for stored in page.entries]
        self._save(name, (_line(self._clean(line)) for line in lines))

    async def _write_table(self, table: str) -> None:
        lines: list[bytes] = []
        after = 0
        while rows := await self._slice(f"dump_{table}", after):
            lines += [_line(self._clean(_open_row(table, row[1:]))) for row in rows]
            after = rows[-1][0]
        self._counts[table] = len(lines)
        self._save(f"{table}.jsonl", lines)

    def _save(self, name: str, chunks: Iterator[bytes] | list[bytes]) -> None:
        path = self._folder / name
        make_private_folder(path.parent)
        content = b"".join(chunks)
        self._digests[name] = sha256(content).hexdigest()
        replace_file(path, [content])


def _describe(head: TranscriptHead, name: str) -> dict[str, object]:
    return {
        "sessionId": head.session_id,
        "file": name,
        "beganAt": head.began_at,
        "closedAt": head.closed_at,
        "closeReason": head.close_reason,
        "leafId": head.leaf_id,
    }


def _open_row(table: str, row: Row) -> dict[str, object]:
    """A row as an object; its JSON columns as values."""
    named = dict(zip(_TABLES[table], row, strict=True))
    return {
        name: msgspec.json.decode(value) if name in _DOCUMENTS and value is not None else value
        for name, value in named.items()
    }


def _line(value: object) -> bytes:
    return msgspec.json.encode(value) + b"\n"


def _pretty(value: object) -> bytes:
    return msgspec.json.format(msgspec.json.encode(value), indent=2) + b"\n"


# --- import -----------------------------------------------------------------------------------------------------------


async def import_store(folder: Path, store: SessionStore) -> TransferReport:
    """Make the store of an export; it must be empty, so that nothing is mixed or told twice.

    Every file is held against the manifest first. Raises `InvalidRequest`, `StoreUnreadable`, `StoreError`, OSError.
    """
    manifest = await asyncio.to_thread(_check_folder, folder)
    found = await store.engine.read(lambda tx: tx.one("count_all", {}))
    if found is None or found[0]:
        raise InvalidRequest(
            "The store is not empty", why="an export is imported into an empty one only", fix="Name a new state."
        )
    for name in sorted(name for name in manifest["files"] if name.endswith("/session.json")):
        path = folder / name
        document = await asyncio.to_thread(_decode, path)
        await store.engine.write(partial(_store_session, folder=path.parent, document=document))
    for table in _TABLES:
        if f"{table}.jsonl" not in manifest["files"]:
            continue  # an older build's export, which knew of nothing to put there
        lines = (folder / f"{table}.jsonl").read_bytes().splitlines()
        for start in range(0, len(lines), _SLICE):
            await store.engine.write(partial(_store_rows, table=table, lines=lines[start : start + _SLICE]))
    return TransferReport(folder=folder, counts=dict(manifest["counts"]))


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


def _store_session(tx: Transaction, *, folder: Path, document: Mapping[str, Any]) -> None:
    """A session with its transcripts, the oldest first, so that the current one is opened last."""
    key = SessionKey(document["key"])
    if "row" in document:
        session: Session = parse_session(msgspec.json.encode(document["row"]).decode())
        if load_session(tx, key) is None:
            save_session(tx, None, session)
    for one in sorted(document["transcripts"], key=lambda one: one["closedAt"] is None):
        _store_transcript(tx, key, folder / Path(one["file"]).name, one)


def _store_transcript(tx: Transaction, key: SessionKey, path: Path, one: Mapping[str, Any]) -> None:
    head, *lines = (msgspec.json.decode(line, type=dict) for line in path.read_bytes().splitlines())
    header = parse_header(head)
    if header is None:
        raise StoreUnreadable(f"{path} has no header", fix="Use another copy of the export.")
    if find_transcript(tx, header.id) is not None:
        return
    closed_at, began_at = one["closedAt"], Instant(one["beganAt"])
    # What an export brings is all there, whatever it says: a part of one would be cleared away at the next start.
    reason = "import" if one["closeReason"] == STAGED else one["closeReason"]
    row = open_transcript(tx, key, header, now=began_at, closed_as=None if closed_at is None else reason or "import")
    row = append_entries(tx, row, [parse_entry(line) for line in lines])
    if one["leafId"] is not None and one["leafId"] != row.head.leaf_id:
        move_leaf(tx, row, EntryId(one["leafId"]))
    times = {"began_at": began_at, "closed_at": closed_at, "close_reason": reason}
    tx.run("settle_transcript", {"transcript": row.id, **times})


def _store_rows(tx: Transaction, *, table: str, lines: list[bytes]) -> None:
    tx.run_many(f"restore_{table}", [_close_row(table, msgspec.json.decode(line, type=dict)) for line in lines])


def _close_row(table: str, row: Mapping[str, Any]) -> dict[str, Any]:
    """A line as the parameters of its query. An older build's export lacks the columns that came later."""
    missing = {*_TABLES[table]} - row.keys() - _LATER.get(table, frozenset())
    if missing:
        why = f"a line has no {', '.join(sorted(missing))}"
        raise StoreUnreadable(f"{table}.jsonl is not whole", why=why, fix="Use another copy of the export.")
    named = {name: row.get(name) for name in _TABLES[table]}
    return {
        name: msgspec.json.encode(value).decode() if name in _DOCUMENTS and value is not None else value
        for name, value in named.items()
    }
