"""Which transcripts of a scanned state become which sessions (KEY-15, STORE-6). Reads the indices, writes nothing.

Rules where a directory contradicts itself: a key in an older spelling is the key of today; of two entries that mean
one key, or one session id, the later used one counts and the other is reported; of two for one key, the older one
fills the gaps of the newer (`gaps`); a transcript without an entry comes
back under a key of its own, archived, so that it is there and in nobody's way.
"""

from __future__ import annotations

from collections.abc import Container, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

from instar.core.model.ids import AgentId, Instant, SessionKey
from instar.core.routing.key import KeySettings, build_source_key, canonical_key, parse_key
from instar.stores.openclaw.gaps import fill_gaps
from instar.stores.openclaw.index import IndexEntry, IndexReading, find_channel, read_index
from instar.stores.openclaw.report import ImportItem, ItemKind, ItemStatus
from instar.stores.openclaw.scan import FoundKeyFolder, FoundSessions, FoundState, transcript_id

__all__ = ["PlannedTranscript", "StatePlan", "plan_state"]

_INDEX_MAX_BYTES: Final = 256 * 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedTranscript:
    """One transcript to store. `path` None makes a session of its row alone; `row` None makes a row of the words.

    `archived_at` is set for what has no entry; `session_id` is what file name or row say. `source` is where it comes
    from if that is not the path.
    """

    kind: ItemKind
    key: SessionKey
    agent_id: AgentId
    session_id: str
    path: Path | None
    row: Mapping[str, object] | None = None
    line: int = 0
    archived_at: Instant | None = None
    source: str = ""


@dataclass(slots=True, kw_only=True)
class StatePlan:
    """What to store, current transcripts before others of their key, and what was noticed on the way."""

    transcripts: list[PlannedTranscript] = field(default_factory=list)
    items: list[ImportItem] = field(default_factory=list)


def plan_state(
    found: FoundState,
    keys: KeySettings,
    *,
    default_agent: AgentId,
    now: Instant,
    held: Container[AgentId] = frozenset(),
) -> StatePlan:
    """The plan of an import; `held` are agents whose index is a database. Raises OSError for an unreadable index."""
    plan = StatePlan()
    for sessions in found.sessions:
        agent_id = AgentId(sessions.agent_id or default_agent)
        if sessions.index is None and agent_id in held:
            sessions.is_indexed_elsewhere = True
        _Folder(plan, found, sessions, keys, agent_id=agent_id, now=now).add()
    for folder in found.key_folders:
        _add_key_folder(plan, found, folder, keys=keys, default_agent=default_agent)
    return plan


class _Folder:
    """The planning of one folder of sessions."""

    def __init__(
        self,
        plan: StatePlan,
        found: FoundState,
        sessions: FoundSessions,
        keys: KeySettings,
        *,
        agent_id: AgentId,
        now: Instant,
    ) -> None:
        self._plan = plan
        self._root = found.root
        self._sessions = sessions
        self._keys = keys
        self._agent_id = agent_id
        self._now = now
        self._taken: set[str] = set()

    def add(self) -> None:
        """Plan the rows with their transcripts, then what no row names."""
        index = self._sessions.index
        source = _name(self._root, index or self._sessions.folder / "sessions.json")
        missing = () if self._sessions.is_indexed_elsewhere else ((0, "the file is missing"),)
        reading = _read(index) if index is not None else IndexReading(problems=missing)
        for line, what in reading.problems:
            self._note("index", source, what, line=line)
        for key, entry in self._choose(reading, source):
            self._add_row(key, entry, source)
        for name, path in sorted(self._sessions.transcripts.items()):
            if name not in self._taken:
                self._add_orphan("transcript", path, transcript_id(name), what="no entry names it")
        for archive, path in self._sessions.archives:
            what = {"reset": "ended by a reset", "deleted": "of a deleted session", "bak": "a copy"}[archive.reason]
            self._add_orphan("archive", path, transcript_id(archive.file_name), what=what)

    def _choose(self, reading: IndexReading, source: str) -> list[tuple[SessionKey, IndexEntry]]:
        """One entry for each key and each session id: the one that was used last, its gaps filled from the others."""
        by_key: dict[SessionKey, IndexEntry] = {}
        for entry in sorted(reading.entries, key=_used_at, reverse=True):
            hint = find_channel(entry.fields)
            key = canonical_key(entry.key, self._keys, default_agent=self._agent_id, channel_hint=hint)
            session_id = str(entry.fields.get("sessionId") or "")
            is_taken = bool(session_id) and any(session_id == one.fields.get("sessionId") for one in by_key.values())
            if key is None:
                self._note("session", source, f"{entry.key!r} is no session key", line=entry.line)
            elif key in by_key:
                what = f"{entry.key!r} means the same session as {by_key[key].key!r}, which was used later"
                self._note("session", source, f"{what}; its settings fill gaps", line=entry.line)
                fields = fill_gaps(by_key[key].fields, entry.fields, may_take_life=not is_taken)
                by_key[key] = replace(by_key[key], fields=fields)
            elif is_taken:
                self._note(
                    "session", source, f"{entry.key!r} shares its transcript with a later used entry", line=entry.line
                )
            else:
                by_key[key] = entry
        return sorted(by_key.items())

    def _add_row(self, key: SessionKey, entry: IndexEntry, source: str) -> None:
        path = self._find_transcript(entry, source)
        session_id = str(entry.fields.get("sessionId") or (transcript_id(path.name) if path else ""))
        if not session_id:
            self._note("session", source, f"{entry.key!r} names no session id", line=entry.line)
            return
        if path is None:
            self._note("session", source, f"{entry.key!r} has no transcript; its settings are kept", line=entry.line)
        self._plan.transcripts.append(
            PlannedTranscript(
                kind="session",
                key=key,
                agent_id=parse_key(key).agent_id or self._agent_id,
                session_id=session_id,
                path=path,
                row=entry.fields,
                line=entry.line,
            )
        )

    def _find_transcript(self, entry: IndexEntry, source: str) -> Path | None:
        """The file of an entry, in its own folder only: a path that leads elsewhere is refused (STORE-12)."""
        named = entry.fields.get("sessionFile")
        names = []
        if isinstance(named, str) and named:
            place = Path(named)
            names.append(place.name)
            if ".." in place.parts or (place.is_absolute() and place.parent != self._sessions.folder):
                self._plan.items.append(
                    ImportItem(
                        kind="path",
                        status="refused",
                        source=source,
                        line=entry.line,
                        key=entry.key,
                        detail=f"sessionFile {named!r} leads out of {self._sessions.folder.name}; "
                        "a file of that name is looked for here instead",
                    )
                )
        session_id = str(entry.fields.get("sessionId") or "")
        topic = parse_key(entry.key).thread_id
        names += [f"{session_id}-topic-{topic}.jsonl"] if topic else []
        names += [f"{session_id}.jsonl"]
        for name in names:
            if name in self._sessions.transcripts and name not in self._taken:
                self._taken.add(name)
                return self._sessions.transcripts[name]
        return None

    def _add_orphan(self, kind: ItemKind, path: Path, session_id: str, *, what: str) -> None:
        key = build_source_key(self._agent_id, "explicit", f"imported-{session_id}")
        self._plan.transcripts.append(
            PlannedTranscript(
                kind=kind,
                key=key,
                agent_id=self._agent_id,
                session_id=session_id,
                path=path,
                row={"displayName": f"Imported: {what}"},
                archived_at=self._now,
            )
        )

    def _note(self, kind: ItemKind, source: str, detail: str, *, line: int) -> None:
        status: ItemStatus = "damaged" if kind == "index" else "noted"
        self._plan.items.append(ImportItem(kind=kind, status=status, source=source, detail=detail, line=line))


def _add_key_folder(
    plan: StatePlan,
    found: FoundState,
    folder: FoundKeyFolder,
    *,
    keys: KeySettings,
    default_agent: AgentId,
) -> None:
    """A folder of the layout with one per key (STORE-9); its ``session.json`` is one entry of an index."""
    written_key, entry, transcript = folder.key, folder.entry, folder.transcript
    source = _name(found.root, entry or transcript or found.root)
    data = b"" if entry is None else b'{"entry":' + entry.read_bytes() + b"}"
    reading = read_index(data)
    fields = reading.entries[0].fields if reading.entries else {}
    key = canonical_key(written_key, keys, default_agent=default_agent, channel_hint=find_channel(fields))
    if key is None:
        plan.items.append(
            ImportItem(kind="session", status="noted", source=source, detail=f"{written_key!r} is no session key")
        )
        return
    if not fields:
        plan.items.append(ImportItem(kind="index", status="damaged", source=source, detail="the entry is unreadable"))
    plan.transcripts.append(
        PlannedTranscript(
            kind="session",
            key=key,
            agent_id=parse_key(key).agent_id or default_agent,
            session_id=str(fields.get("sessionId") or ""),
            path=transcript,
            row=fields or None,
        )
    )


def _read(path: Path) -> IndexReading:
    if path.stat().st_size > _INDEX_MAX_BYTES:
        return IndexReading(problems=((0, f"the file is larger than {_INDEX_MAX_BYTES} bytes"),))
    return read_index(path.read_bytes())


def _used_at(entry: IndexEntry) -> float:
    at = entry.fields.get("updatedAt")
    return at if isinstance(at, (int, float)) and not isinstance(at, bool) else 0


def _name(root: Path, path: Path) -> str:
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else str(path)
