"""What the databases of later OpenClaw versions become: the same plan that files make (STORE-6, COMPAT-8).

Each transcript is written out as the file it would have been, below a private folder that is gone after the import;
from there on it is treated like any other. So a transcript that lies both in a file and in a database comes once.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

import apsw

from instar.core.model.ids import AgentId, Instant, SessionKey
from instar.core.routing.key import KeySettings, build_source_key, canonical_key, parse_key
from instar.stores.openclaw.database import LaterSession, OpenedDatabase, open_copy
from instar.stores.openclaw.gaps import fill_gaps
from instar.stores.openclaw.index import find_channel
from instar.stores.openclaw.jobs import FoundJobs
from instar.stores.openclaw.plan import PlannedTranscript
from instar.stores.openclaw.report import ImportItem, ItemKind, ItemStatus
from instar.stores.openclaw.scan import FoundState

__all__ = ["LaterState", "read_databases"]

_UNSAFE: Final = re.compile(r"[^A-Za-z0-9._-]+")


@dataclass(slots=True, kw_only=True)
class LaterState:
    """Everything that the databases of a state directory hold; `approvals` are channel, account and entry."""

    transcripts: list[PlannedTranscript] = field(default_factory=list)
    jobs: list[FoundJobs] = field(default_factory=list)
    approvals: list[tuple[str, tuple[str, str, str]]] = field(default_factory=list)
    items: list[ImportItem] = field(default_factory=list)
    read: frozenset[Path] = frozenset()
    """The databases that were read: their bytes need not be told of as something nobody could make out."""
    agents: frozenset[AgentId] = frozenset()
    """Whose sessions are in a database: they need no index in a file."""


@contextmanager
def read_databases(
    found: FoundState, keys: KeySettings, *, default_agent: AgentId, now: Instant
) -> Iterator[LaterState]:
    """Everything in the databases of a state directory; the files of the plan are there inside the block. Blocking."""
    with tempfile.TemporaryDirectory(prefix="instar-import-") as name:
        folder = Path(name)
        state = LaterState()
        for number, path in enumerate(path for path in found.databases if not path.name.endswith("-wal")):
            copies = folder / str(number)
            copies.mkdir()
            _read(state, found, path, copies, keys=keys, default_agent=default_agent, now=now)
        yield state


def _read(
    state: LaterState,
    found: FoundState,
    path: Path,
    copies: Path,
    *,
    keys: KeySettings,
    default_agent: AgentId,
    now: Instant,
) -> None:
    source = path.relative_to(found.root).as_posix()
    try:
        with open_copy(path, copies) as database:
            if database.has_sessions:
                agent_id = _agent_of(path, found.root, default_agent)
                state.agents |= {agent_id}
                _Sessions(state, database, source, copies, keys=keys, agent_id=agent_id, now=now).add()
            state.jobs.append(FoundJobs(source=source, jobs=tuple(database.jobs()), runs=tuple(database.runs())))
            state.approvals += [(source, approval) for approval in database.approvals()]
            if database.tables:
                state.read |= {path}
    except (apsw.Error, OSError) as error:
        what = f"the database is damaged ({error}); what came before that is taken, and its bytes are kept"
        state.items.append(ImportItem(kind="database", status="damaged", source=source, detail=what))


def _agent_of(path: Path, root: Path, default_agent: AgentId) -> AgentId:
    """The agent that a database below ``agents/<id>`` belongs to."""
    match path.relative_to(root).parts:
        case ["agents", agent, *_]:
            return AgentId(agent)
        case _:
            return default_agent


class _Sessions:
    """The planning of one database with sessions."""

    def __init__(
        self,
        state: LaterState,
        database: OpenedDatabase,
        source: str,
        copies: Path,
        *,
        keys: KeySettings,
        agent_id: AgentId,
        now: Instant,
    ) -> None:
        self._state = state
        self._database = database
        self._source = source
        self._copies = copies
        self._keys = keys
        self._agent_id = agent_id
        self._now = now
        self._written: dict[str, Path] = {}
        self._keyed: dict[str, SessionKey] = {}

    def add(self) -> None:
        """Plan the current transcripts, then the older ones of the same sessions, then what no session claims."""
        claims = dict(self._database.transcripts())
        for key, session in self._choose().items():
            self._add_current(key, session, has_lines=session.session_id in claims)
        for session_id, written_key in claims.items():
            if session_id not in self._written:
                self._add_older(session_id, self._keyed.get(written_key))
        for archive in self._database.archives():
            path = self._place(f"{archive.session_id}.jsonl")
            path.write_bytes(archive.lines)
            self._add_apart(archive.session_id, path, f"of {archive.key}, put aside as {archive.name}", kind="archive")

    def _choose(self) -> dict[SessionKey, LaterSession]:
        """One row for each key: the one that was used last, its gaps filled from the others (KEY-15)."""
        chosen: dict[SessionKey, LaterSession] = {}
        for session in self._database.sessions():
            hint = find_channel(session.fields)
            key = canonical_key(session.key, self._keys, default_agent=self._agent_id, channel_hint=hint)
            if key is None:
                self._tell("session", "noted", f"{session.key!r} is no session key")
                continue
            if session.problem:
                self._tell("session", "damaged", session.problem, key=key)
            if key in chosen:
                newer = chosen[key]
                what = f"{session.key!r} means the same session as {newer.key!r}, which was used later"
                self._tell("session", "noted", f"{what}; its settings fill gaps", key=key)
                # A row of the database always has a life of its own, so none is taken.
                fields = fill_gaps(newer.fields, session.fields, may_take_life=False)
                chosen[key] = replace(newer, fields=fields)
            else:
                chosen[key] = session
        return chosen

    def _add_current(self, key: SessionKey, session: LaterSession, *, has_lines: bool) -> None:
        self._keyed[session.key] = key
        self._state.transcripts.append(
            PlannedTranscript(
                kind="session",
                key=key,
                agent_id=parse_key(key).agent_id or self._agent_id,
                session_id=session.session_id,
                path=self._write(session.session_id) if has_lines else None,
                row=session.fields or None if has_lines else session.fields,
                source=self._source,
            )
        )

    def _add_older(self, session_id: str, key: SessionKey | None) -> None:
        path = self._write(session_id)
        if key is None:
            self._add_apart(session_id, path, "no session names it", kind="transcript")
            return
        self._state.transcripts.append(
            PlannedTranscript(
                kind="transcript",
                key=key,
                agent_id=parse_key(key).agent_id or self._agent_id,
                session_id=session_id,
                path=path,
                source=self._source,
            )
        )

    def _add_apart(self, session_id: str, path: Path, what: str, *, kind: ItemKind) -> None:
        self._state.transcripts.append(
            PlannedTranscript(
                kind=kind,
                key=build_source_key(self._agent_id, "explicit", f"imported-{session_id}"),
                agent_id=self._agent_id,
                session_id=session_id,
                path=path,
                row={"displayName": f"Imported: {what}"},
                archived_at=self._now,
                source=self._source,
            )
        )

    def _write(self, session_id: str) -> Path:
        """The transcript as the file it would have been."""
        path = self._place(f"{session_id}.jsonl")
        with path.open("wb") as file:
            for line in self._database.lines(session_id):
                # A line of the database may hold line ends between its words; a line of a file may not.
                file.write(line.replace(b"\n", b" ").replace(b"\r", b" ") + b"\n")
        self._written[session_id] = path
        return path

    def _place(self, name: str) -> Path:
        """A free place for a file whose name somebody else chose."""
        return self._copies / f"{len(list(self._copies.iterdir()))}-{_UNSAFE.sub('-', name)[-100:]}"

    def _tell(self, kind: ItemKind, status: ItemStatus, detail: str, *, key: str = "") -> None:
        self._state.items.append(ImportItem(kind=kind, status=status, source=self._source, key=key, detail=detail))
