"""Everything that is held about one person, in a folder that any program can read (LEAK-11).

Layout::

    manifest.json                       format, whose it is, when, counts, a SHA-256 of every other file
    sessions/<key, encoded>/…           sessions that are theirs alone: session.json and each transcript
    shared/<key, encoded>/<id>.jsonl    of a session that they shared: their lines and the answers to them
    archives/<name>.jsonl               archives of deleted sessions, unpacked; of one that they shared as above
    files/<name>                        the mirror's files and exports of earlier days
    inbox.jsonl outbox.jsonl …          their rows of every table, one object a line

What others wrote is not in it. Secrets are left out by the rules that hold for every export (LEAK-12).
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Final

import msgspec

from instar.config.paths import encode_name
from instar.core.context.erasing import copy_entries
from instar.core.model.entry import AnyEntry
from instar.core.model.fields import format_session
from instar.core.model.ids import Instant, SessionId, SessionKey
from instar.core.model.people import ExportedPerson
from instar.core.transcript.codec import format_entry, format_header
from instar.stores.archive import read_archive, read_archive_label
from instar.stores.erasing.files import Places, copy_archive, find_session_id
from instar.stores.erasing.find import Holdings, ask
from instar.stores.store import SessionStore
from instar.stores.transaction import Row
from instar.stores.transcripts import load_all_entries
from instar.stores.transfer import make_export_folder
from instar.system.files import make_private_folder, replace_file

__all__ = ["EXPORTED", "FORMAT", "export_person"]

FORMAT: Final = "instar-person"
VERSION: Final = 1

EXPORTED: Final[Mapping[str, str]] = {
    "list_inbox_of_person": "inbound_id channel account_id message_id session_key state turn_id reason received_at "
    "ended_at acknowledgement acceptance submission attachments",
    "list_outbox_of_person": "delivery_id session_key channel target text turn_id state reason hand_outs created_at "
    "next_at ended_at platform_id",
    "list_decisions_of_person": "at session_key inbound_id turn_id kind outcome rule inputs who",
    "list_usage_of_person": "at session_key session_id turn_id agent_id principal channel provider model purpose "
    "input_tokens output_tokens cache_read_tokens cache_write_tokens cost_usd",
    "list_pairings_of_person": "channel account_id chat_type peer_id name session_key approved_at approved_by",
    "list_members_of_person": "person session_key source since_at",
    "list_tokens_of_person": "id label role scopes principal created_by created_at expires_at last_used_at revoked_at",
    "list_pairing_codes_of_person": "code channel account_id chat_type peer_id name session_key created_at told_at "
    "expires_at",
    "list_devices_of_person": "device_id name platform client scopes approved_at approved_by",
    "list_state_log_of_person": "session_key sequence kind actor_type actor summary at",
    "list_notices_of_person": "session_key about since version text created_at",
    "list_run_lines_of_person": "turn_id place session_key line",
}
"""The queries whose rows are written out, with the names of their columns."""

_JSON: Final = frozenset({"acknowledgement", "acceptance", "submission", "attachments", "target", "inputs"})

Clean = Callable[[object], object]


async def export_person(
    store: SessionStore, places: Places, found: Holdings, folder: Path, *, now: Instant, clean: Clean
) -> ExportedPerson:
    """Write what is held about a person. Raises `InvalidRequest` for a folder that holds anything, `StoreError`."""
    await asyncio.to_thread(make_export_folder, folder)
    writer = _Writer(store, folder, clean)
    for key in sorted(found.keys):
        await writer.write_session(key)
    for key in sorted(found.shared):
        await writer.write_shared(key, found)
    params = found.params()
    for query, columns in EXPORTED.items():
        rows = await store.engine.read(partial(ask, query=query, params=params))
        writer.write_rows(query.removeprefix("list_").removesuffix("_of_person"), columns.split(), rows)
    await asyncio.to_thread(writer.copy_files, places, found)
    manifest = {
        "format": FORMAT,
        "version": VERSION,
        "person": found.person.name,
        "ids": sorted(found.person.principals | found.aliases),
        "exportedAt": now,
        "counts": dict(writer.counts),
        "files": writer.digests,
    }
    replace_file(folder / "manifest.json", [msgspec.json.format(msgspec.json.encode(manifest), indent=2), b"\n"])
    return ExportedPerson(path=str(folder), counts=dict(writer.counts))


class _Writer:
    """One export while it is written."""

    def __init__(self, store: SessionStore, folder: Path, clean: Clean) -> None:
        self._store = store
        self._folder = folder
        self._clean = clean
        self.counts: Counter[str] = Counter()
        self.digests: dict[str, str] = {}

    async def write_session(self, key: SessionKey) -> None:
        """A session that is theirs alone, with every transcript it ever had."""
        session, heads = await self._store.load_session(key), await self._store.load_transcripts(key)
        if session is None and not heads:
            return
        place = f"sessions/{encode_name(key)}"
        for head in heads:
            page = await self._store.engine.read(partial(load_all_entries, session_id=head.session_id))
            lines: list[object] = [format_header(head.header), *(format_entry(one.entry) for one in page.entries)]
            self._save(f"{place}/{encode_name(head.session_id)}.jsonl", lines)
            self.counts["transcripts"] += 1
            self.counts["entries"] += len(page.entries)
        document = {"key": key, "entry": format_session(session) if session is not None else None}
        self._save(f"{place}/session.json", [document])
        self.counts["sessions"] += 1

    async def write_shared(self, key: SessionKey, found: Holdings) -> None:
        """What they wrote in a session that they shared, and what was answered to it."""
        traces = found.traces(key)
        for head in await self._store.load_transcripts(key):
            page = await self._store.engine.read(partial(load_all_entries, session_id=SessionId(head.session_id)))
            name = f"shared/{encode_name(key)}/{encode_name(head.session_id)}.jsonl"
            self._save_shared(name, list(copy_entries((one.entry for one in page.entries), traces)))

    def write_rows(self, table: str, columns: Sequence[str], rows: Iterable[Row]) -> None:
        """Their rows of one table."""
        lines = [_open_row(columns, row) for row in rows]
        self.counts[table] += len(lines)
        self._save(f"{table}.jsonl", lines)

    def copy_files(self, places: Places, found: Holdings) -> None:
        """The archives and the mirror's files of their own sessions. Blocking."""
        for folder in places.sessions:
            for path in sorted(folder.iterdir()) if folder.is_dir() else ():
                label = read_archive_label(path, seals=places.seals) if path.suffix == ".zst" else None
                if label is not None and label.key in found.keys:
                    self._save(f"archives/{path.stem}.jsonl", _decode(read_archive(path, seals=places.seals)))
                    self.counts["archives"] += 1
                elif label is not None and not found.is_apart(label.key):
                    self._save_shared(f"archives/{path.stem}.jsonl", copy_archive(path, label, places, found))
                elif path.suffix != ".zst" and find_session_id(path) in found.session_ids:
                    self._save(f"files/{path.name}", _decode(path.read_text("utf-8", "replace").splitlines()))
                    self.counts["files"] += 1

    def _save_shared(self, name: str, theirs: Sequence[AnyEntry]) -> None:
        """Their lines of one transcript that they shared; no file where there are none."""
        if theirs:
            self._save(name, [format_entry(entry) for entry in theirs])
            self.counts["shared_entries"] += len(theirs)

    def _save(self, name: str, lines: Iterable[object]) -> None:
        content = b"".join(msgspec.json.encode(self._clean(line)) + b"\n" for line in lines)
        path = self._folder / name
        make_private_folder(path.parent)
        self.digests[name] = sha256(content).hexdigest()
        replace_file(path, [content])


def _decode(lines: Iterable[str]) -> Iterable[object]:
    """Lines of a file as values; one that is no JSON as text."""
    for line in lines:
        try:
            yield msgspec.json.decode(line)
        except msgspec.DecodeError:
            yield line


def _open_row(columns: Sequence[str], row: Row) -> dict[str, object]:
    named = dict(zip(columns, row, strict=True))
    return {
        name: msgspec.json.decode(value) if name in _JSON and value is not None else value
        for name, value in named.items()
    }
