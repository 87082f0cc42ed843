"""Everything in open formats: a folder that any program can read. `transfer_import` makes a store of it again.

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
from typing import Final

import msgspec

from instar.config.paths import encode_name
from instar.core.model.change import TranscriptHead
from instar.core.model.fields import format_session
from instar.core.model.ids import Instant, SessionKey
from instar.core.transcript.codec import format_entry, format_header
from instar.errors import InvalidRequest
from instar.stores.rows import format_session as format_row
from instar.stores.sealing.seals import Seals
from instar.stores.sqlite.reading import ReadingEngine
from instar.stores.sqlite.snapshot import copy_database
from instar.stores.store import SessionStore
from instar.stores.transaction import Row
from instar.stores.transcripts import load_all_entries
from instar.system.files import make_private_folder, replace_file

__all__ = [
    "DOCUMENTS",
    "FORMAT",
    "LATER",
    "SLICE",
    "TABLES",
    "VERSION",
    "TransferReport",
    "export_store",
    "make_export_folder",
]

FORMAT: Final = "instar-export"
VERSION: Final = 1

TABLES: Final[Mapping[str, list[str]]] = {
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
        "session_id",
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

LATER: Final = {"inbox": frozenset({"left_out"}), "usage": frozenset({"channel", "session_id"})}
"""Columns that exports of older builds lack; they are empty then."""

DOCUMENTS: Final = frozenset({"acknowledgement", "acceptance", "submission", "attachments", "target", "inputs"})
"""Columns that hold JSON; in the files they are JSON too, not text."""

SLICE: Final = 500
"""Rows read, or written, at once."""

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
    await asyncio.to_thread(make_export_folder, folder)
    with tempfile.TemporaryDirectory(prefix=".instar-export-", dir=folder.parent) as place:
        copy = Path(place) / "instar.db"
        await asyncio.to_thread(copy_database, database, copy)
        store = SessionStore(ReadingEngine(copy, seals=seals))
        await store.open()
        try:
            return await _Writer(store, folder, clean or (lambda value: value)).write(now)
        finally:
            await store.close()


def make_export_folder(folder: Path) -> None:
    """A private folder for an export. Raises `InvalidRequest` for one that holds anything, OSError."""
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise InvalidRequest(f"{folder} is not empty", why="an export overwrites nothing", fix="Name a new directory.")
    make_private_folder(folder)


class _Writer:
    """One export while it is written."""

    def __init__(self, store: SessionStore, folder: Path, clean: Clean) -> None:
        self._store = store
        self._folder = folder
        self._clean = clean
        self._counts = dict.fromkeys(("sessions", "transcripts", "entries", *TABLES), 0)
        self._digests: dict[str, str] = {}

    async def write(self, now: Instant) -> TransferReport:
        async for key in self._keys():
            await self._write_session(key)
        for table in TABLES:
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
        return await self._store.engine.read(lambda tx: tx.all(query, {"after": after, "limit": SLICE}))

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
    named = dict(zip(TABLES[table], row, strict=True))
    return {
        name: msgspec.json.decode(value) if name in DOCUMENTS and value is not None else value
        for name, value in named.items()
    }


def _line(value: object) -> bytes:
    return msgspec.json.encode(value) + b"\n"


def _pretty(value: object) -> bytes:
    return msgspec.json.format(msgspec.json.encode(value), indent=2) + b"\n"
