"""The files by which a person leaves the state directory: mirror, archives, notes, logs, exports (LEAK-11).

What belongs here: what becomes of each kind of file. What does not: the rows, which are authority and go first, and
the search for what is left (`scan`). Blocking; run off the event loop.

* a transcript's file, archive or copy of a session that was theirs alone is deleted;
* one of a session that they shared is written again without them, line by line, as the rows are; what the mirror can
  make from the rows it makes;
* a line of an agent's notes that names or quotes them goes;
* in every other file of text their names, ids and words are overwritten in place, byte for byte: a log that is being
  written keeps its lines where they are;
* an export of theirs, of everything or of a session, is deleted. Backups are `backups`' affair.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import msgspec

from instar.config.paths import resolve_store_path
from instar.core.context.erasing import (
    Spoken,
    Traces,
    copy_entries,
    erase_entries,
    recall_context,
    recall_words,
)
from instar.core.lifecycle.archive_name import parse_archive_name
from instar.core.model.entry import AnyEntry
from instar.core.model.ids import Instant, SessionKey
from instar.core.model.session import Session
from instar.core.policy.needles import build_pattern, clean_value
from instar.core.routing.person import PersonTest
from instar.core.transcript.codec import format_entry, parse_entry
from instar.errors import StoreUnreadable
from instar.stores.archive import read_archive, read_archive_label, rewrite_archive
from instar.stores.erasing.find import Holdings
from instar.stores.erasing.notes import drop_lines, drop_sealed_lines, is_sealed_note
from instar.stores.sealing.seals import Seals
from instar.stores.transaction import FileSeals
from instar.system.files import replace_file

__all__ = [
    "EXPORTS",
    "MARK",
    "Places",
    "copy_archive",
    "erase_files",
    "find_common_in_archives",
    "find_session_id",
    "follow_archived_forks",
    "recall_in_archives",
    "visit_files",
    "walk_files",
]

EXPORTS: Final = "exports"
"""The folder of the state directory that exports of people are written to."""

MARK: Final = b"*"
"""Stands for each byte of a word that was overwritten in place."""

_LOOK_BYTES: Final = 8 * 1024
"""How far a file is looked at to tell whether it is text."""

_WALKS: Final = 5
"""How often everything is walked again for files that had gone; what the search finds after that is told."""

_NO_NAME: Final = re.compile(rb"(?![\w%@+-]|[:.]\w)|\.(?:jsonl|json|html)\b")
"""What follows where the id or the key of a session ends; a file may be called after it."""

_SESSION_FILE: Final = re.compile(r"^(?P<id>.+?)(?:-topic-[^/]+)?\.jsonl(?:$|[.-])")


class _Source(msgspec.Struct):
    """What the header of a transcript says of where its first lines are from."""

    parentSession: str | None = None  # noqa: N815 - as files spell it


_PLAIN_MAX_BYTES: Final = 256 * 1024 * 1024
"""A larger file of text is left to the search, which names it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """Where things lie. `sessions` are the folders of transcripts, `config` the file that only its owner changes,
    `workspaces` the folders of agents, which may lie elsewhere; `seals` opens what is stored encrypted.
    """

    state_dir: Path
    database: Path
    sessions: tuple[Path, ...]
    workspaces: tuple[Path, ...] = ()
    config: Path | None = None
    seals: Seals | None = None

    @property
    def backups(self) -> Path:
        """The folder of backups."""
        return self.state_dir / "backups"

    def is_transcripts(self, folder: Path) -> bool:
        """Whether a folder holds files of transcripts: those of an agent, or of one session key (STORE-9)."""
        return folder in self.sessions or folder.parent == self.state_dir / "sessions"

    def is_database(self, path: Path) -> bool:
        """Whether a file is the database or belongs to it."""
        return path.parent == self.database.parent and path.name.startswith(self.database.name)


def walk_files(places: Places) -> Iterator[Path]:
    """Every plain file in which something of a person may stand, each once; links are not followed.

    A workspace outside of the state directory is somebody's own folder: only notes and exports in it are looked at.
    """
    seen: set[Path] = set()
    for folder in (places.state_dir, places.database.parent, *places.sessions, *places.workspaces):
        is_foreign = folder in places.workspaces and not folder.is_relative_to(places.state_dir)
        for place, _, names in os.walk(folder):
            for path in (Path(place) / name for name in names):
                if (
                    path in seen
                    or path.is_symlink()
                    or not path.is_file()
                    or (is_foreign and not _is_note(path, folder))
                ):
                    continue
                seen.add(path)
                yield path


def visit_files(places: Places, visit: Callable[[Path], None]) -> None:
    """Visit each file of `walk_files`. Raises what `visit` does.

    The gateway goes on meanwhile: a file that is gone when its turn comes may have got its last name just then, so that
    name is looked for.
    """
    seen: set[Path] = set()
    for _ in range(_WALKS):
        is_level = True
        for path in [path for path in walk_files(places) if path not in seen]:
            try:
                visit(path)
            except FileNotFoundError:
                is_level = False
            else:
                seen.add(path)
        if is_level:
            return


def _is_note(path: Path, workspace: Path) -> bool:
    """Whether a file of a workspace is one that the gateway has agents write: their notes, and exports."""
    parts = path.relative_to(workspace).parts
    return parts == ("MEMORY.md",) or parts[0] in ("memory", EXPORTS)


def erase_files(places: Places, found: Holdings, test: PersonTest) -> Counter[str]:
    """Take the person out of every file but the database, backups and the configuration; what was done, by kind.

    Raises OSError, `StoreError`; may run again.
    """
    done: Counter[str] = Counter()
    traces = found.traces()
    pattern = build_pattern(found.needles)
    needle = re.compile(pattern.encode()) if pattern is not None else None
    for key in found.keys:
        done["folders"] += _drop_folder(resolve_store_path(places.state_dir, key))

    def visit(path: Path) -> None:
        if places.is_database(path) or path == places.config or path.is_relative_to(places.backups):
            return
        if _is_whole_export(path, places.state_dir / EXPORTS):
            return
        if _is_export(path, places, found):
            path.unlink(missing_ok=True)
            done["exports"] += 1
        elif places.is_transcripts(path.parent) and path.name.partition(".")[2].startswith("jsonl"):
            done[_erase_transcript(path, found, test, traces, seals=places.seals)] += 1
        elif needle is not None and path.suffix == ".md" and any(path.is_relative_to(one) for one in places.workspaces):
            done["notes"] += drop_lines(path, needle)
        elif needle is not None and is_sealed_note(path):
            done["notes"] += drop_sealed_lines(path, needle, places.seals) if places.seals is not None else 0
        elif needle is not None:
            done["files_changed"] += _overwrite(path, needle)

    visit_files(places, visit)
    done["exports"] += _drop_exports(places.state_dir / EXPORTS, found)
    del done[""]
    return done


def recall_in_archives(places: Places, found: Holdings) -> list[tuple[Instant, Spoken]]:
    """Words of the person that only archives of deleted sessions hold any more, with their moments. Blocking."""
    follow_archived_forks(places, found)
    traces = Traces(spoken=found.spoken, names=frozenset(found.names))
    recalled = []
    for path, label in _list_archives(places):
        lines = _read_packed(path, places.seals) or []
        if found.is_apart(label.key) and not _note_carried(found, label.key, lines):
            continue
        own = _narrow(traces, found, lines, label.key)
        for line in lines:
            if '"role":"user"' in line:
                with contextlib.suppress(msgspec.DecodeError):
                    entry = parse_entry(msgspec.json.decode(line, type=dict[str, object]))
                    one = recall_words(entry, own)
                    recalled += [one] if one is not None else []
                    found.overheard.update(recall_context(entry, own))
    return recalled


def copy_archive(path: Path, label: Session, places: Places, found: Holdings) -> list[AnyEntry]:
    """Their lines in the archive of a session that they shared, and the answers to them; none where nobody can read it.

    Blocking.
    """
    lines = _read_packed(path, places.seals) or []
    traces = _narrow(found.traces(), found, lines, label.key)
    return list(copy_entries(_parse_lines(lines), traces))


def _parse_lines(lines: Iterable[str]) -> Iterator[AnyEntry]:
    for line in lines:
        with contextlib.suppress(msgspec.DecodeError):
            raw = msgspec.json.decode(line, type=dict[str, object])
            if raw.get("type") != "session":
                yield parse_entry(raw)


def find_session_id(path: Path) -> str | None:
    """The session that the mirror's file of a transcript, or an archive, is called after; None for other files."""
    match = _SESSION_FILE.match(path.name)
    return None if match is None else match["id"]


def follow_archived_forks(places: Places, found: Holdings) -> None:
    """Note sessions that began as forks of where the person spoke, as far as only archives tell it: of a fork that is
    archived, or of what it was forked from. They hold lines of theirs.

    A thread begins so (KEY-18), and its archive tells the session above it. Blocking; may be called again.
    """
    keys = dict(found.transcripts)
    forks: list[tuple[str, SessionKey]] = []
    for path, label in _list_archives(places):
        session_id = find_session_id(path)
        if session_id is not None:
            keys.setdefault(session_id, label.key)
        source = _read_source(path, places.seals)
        if source is not None:
            forks.append((source, label.key))
    stored = set(found.transcripts.values())
    # A fork may have been forked again: another walk, until there is nothing new.
    waiting = True
    while waiting:
        waiting = False
        for source, key in (*forks, *found.forks):
            origin = keys.get(source)
            if origin is None or not found.is_apart(key) or found.is_apart(origin):
                continue
            waiting = True
            if key in stored:
                found.shared.add(key)
            else:
                found.archived.add(key)
                found.origins[key] = (found.origins.get(key) or frozenset()) | {origin}


def _read_source(path: Path, seals: FileSeals | None) -> str | None:
    """The session that an archived transcript was forked from, None for none or where nobody can tell."""
    from zstandard import ZstdError

    try:
        header = next(read_archive(path, seals=seals), "{}")
        return msgspec.json.decode(header, type=_Source).parentSession
    except (FileNotFoundError, StoreUnreadable, ZstdError, UnicodeDecodeError, msgspec.DecodeError):
        return None


def _note_carried(found: Holdings, key: SessionKey, lines: Sequence[str]) -> bool:
    """Whether an archive of a session has lines of theirs that came to another one; noted, so that it is cleaned."""
    traces = Traces(spoken=found.spoken)
    origins = {one for line in lines if '"role":"user"' in line for one in found.find_origins(line, traces)}
    if origins:
        found.archived.add(key)
        found.origins[key] = (found.origins.get(key) or frozenset()) | origins
    return bool(origins)


def _narrow(traces: Traces, found: Holdings, lines: Sequence[str], key: SessionKey | None) -> Traces:
    """Traces as they hold in the file of a session's transcript; one that was forked has lines from elsewhere."""
    is_fork = bool(lines) and '"parentSession"' in lines[0]
    return traces if is_fork else found.narrow(traces, key)


def _list_archives(places: Places) -> Iterator[tuple[Path, Session]]:
    """Archives that tell whose they are; one that maintenance removes meanwhile is left out."""
    for path in (path for folder in places.sessions if folder.is_dir() for path in sorted(folder.glob("*.zst"))):
        with contextlib.suppress(FileNotFoundError):
            label = read_archive_label(path, seals=places.seals)
            if label is not None:
                yield path, label


def find_common_in_archives(places: Places, found: Holdings, test: PersonTest) -> set[str]:
    """Which of the person's words others wrote in sessions that are only kept as archives."""
    cleaner = found.cleaner()
    common: set[str] = set()
    for path, label in _list_archives(places):
        if not found.is_apart(label.key) or test.owns(label.key, label.owner):
            continue
        for line in _read_packed(path, places.seals) or ():
            if '"role":"user"' in line:
                common.update(cleaner.find_all(line))
    return {word for word in common if ":" not in word}


# --- files of transcripts ---------------------------------------------------------------------------------------------


def _erase_transcript(path: Path, found: Holdings, test: PersonTest, traces: Traces, *, seals: FileSeals | None) -> str:
    """Delete or rewrite one file of a transcript; what was done, empty for a file that has nothing of the person."""
    is_packed = path.suffix == ".zst"
    label = read_archive_label(path, seals=seals) if is_packed else None
    session_id = find_session_id(path)
    is_own = session_id in found.session_ids
    if label is not None:
        is_own = is_own or label.key in found.keys or test.owns(label.key, label.owner)
    if is_own:
        path.unlink(missing_ok=True)
        return "archives" if is_packed else "files"
    key = found.transcripts.get(session_id) if session_id is not None else None
    if not is_packed and found.is_apart(key) and ".conflict." not in path.name:
        return ""  # the mirror's file of somebody else's session, which is as its rows are
    if label is not None and found.is_apart(label.key):
        # Who wrote at the same moment elsewhere is not the person, though a message without words may look like it.
        traces = replace(traces, spoken={})
    read = _read_packed(path, seals) if is_packed else path.read_text("utf-8", "surrogateescape").splitlines()
    if read is None:
        return ""
    lines = list(read)
    changed = _rewrite_lines(lines, _narrow(traces, found, lines, label.key if label is not None else key))
    if changed == lines:
        return ""
    if is_packed:
        rewrite_archive(path, changed, clean=lambda label: clean_value(label, traces.cleaner), seals=seals)
    elif parse_archive_name(path.name) is None and ".conflict." not in path.name:
        # The mirror's own file of a transcript that is stored: it is made anew from the rows.
        path.unlink()
    else:
        replace_file(path, ["".join(f"{line}\n" for line in changed).encode("utf-8", "surrogateescape")])
    return "archives_changed" if is_packed else "files_changed"


def _read_packed(path: Path, seals: FileSeals | None) -> list[str] | None:
    """The lines of an archive; None for one that is gone, damaged or sealed for ever: the search names what is there
    and damaged, and nobody reads the last.
    """
    from zstandard import ZstdError

    try:
        return list(read_archive(path, seals=seals))
    except (FileNotFoundError, StoreUnreadable, ZstdError, UnicodeDecodeError):
        return None


def _rewrite_lines(lines: list[str], traces: Traces) -> list[str]:
    """The lines of a transcript's file without the person; what is no entry has their words blanked out."""
    entries: list[AnyEntry] = []
    places: list[int] = []
    changed = list(lines)
    for place, line in enumerate(lines):
        try:
            raw = msgspec.json.decode(line, type=dict[str, object])
        except msgspec.DecodeError:
            changed[place] = traces.cleaner.clean(line)
            continue
        if raw.get("type") == "session":
            continue
        entries.append(parse_entry(raw))
        places.append(place)
    for place, (entry, change) in zip(places, erase_entries(entries, traces), strict=True):
        if change is not None:
            changed[place] = msgspec.json.encode(format_entry(entry)).decode()
    return changed


# --- other files ------------------------------------------------------------------------------------------------------


def _overwrite(path: Path, needle: re.Pattern[bytes]) -> int:
    """Overwrite every word of the person in a file of text, in place; 1 if there was any."""
    if path.stat().st_size > _PLAIN_MAX_BYTES:
        return 0
    descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    try:
        content = os.pread(descriptor, _PLAIN_MAX_BYTES, 0)
        if b"\0" in content[:_LOOK_BYTES]:
            return 0  # no text: another program's database would be broken by it, so the search only names it
        hits = [match.span() for match in needle.finditer(content)]
        for start, end in hits:
            os.pwrite(descriptor, MARK * (end - start), start)
        if hits:
            os.fsync(descriptor)
    finally:
        os.close(descriptor)
    return 1 if hits else 0


def _drop_folder(folder: Path) -> int:
    """Delete the folder of a session key, with what was set aside in it; 1 if there was one."""
    if not folder.is_dir():
        return 0
    shutil.rmtree(folder)
    return 1


def _is_export(path: Path, places: Places, found: Holdings) -> bool:
    """Whether a file is a session of theirs as somebody had it written into a workspace (CMD-31)."""
    is_written = path.suffix in {".html", ".json", ".jsonl"} or path.parent.name == EXPORTS
    if not is_written or not any(path.is_relative_to(one) for one in places.workspaces):
        return False
    if path.stat().st_size > _PLAIN_MAX_BYTES:
        return False
    content = path.read_bytes()
    return any(_mentions(content, each.encode()) for each in (*found.session_ids, *found.keys))


def _mentions(content: bytes, name: bytes) -> bool:
    """Whether an id or a key of a session stands in a file as a whole: another's may begin like it."""
    at = content.find(name)
    while at >= 0:
        if _NO_NAME.match(content, at + len(name)):
            return True
        at = content.find(name, at + 1)
    return False


def _is_whole_export(path: Path, folder: Path) -> bool:
    """Whether a file is part of an export of a person, which has digests of its files and is kept or deleted whole."""
    return path.is_relative_to(folder) and (folder / path.relative_to(folder).parts[0] / "manifest.json").is_file()


def _drop_exports(folder: Path, found: Holdings) -> int:
    """Delete the exports of this person, told by their manifests."""
    done = 0
    names = found.person.principals | found.aliases | {found.person.name}
    for manifest in folder.glob("*/manifest.json") if folder.is_dir() else ():
        try:
            told = msgspec.json.decode(manifest.read_bytes(), type=_Manifest)
        except msgspec.DecodeError:
            continue
        if names & {told.person, *told.ids}:
            shutil.rmtree(manifest.parent)
            done += 1
    return done


class _Manifest(msgspec.Struct):
    """The fields of an export's manifest that tell whose it is."""

    person: str = ""
    ids: list[str] = []
