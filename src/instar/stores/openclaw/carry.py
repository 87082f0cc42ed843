"""Carrying out the import of a state directory: transcripts into the store, the rest where it belongs (STORE-6).

Everything is looked for in the store first, so that an import that is repeated, or was cut off, adds what is missing
and nothing else. The source is opened for reading only.
"""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Container
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from hashlib import sha256
from pathlib import Path

from instar.config.config import Config
from instar.core.model.decision import Decision
from instar.core.model.entry import Header
from instar.core.model.fields import parse_session
from instar.core.model.ids import Instant, SessionId, SessionKey
from instar.core.model.session import Session
from instar.core.policy.levels import parse_thinking
from instar.core.routing.grammar import is_incognito_key
from instar.core.routing.key import build_source_key, parse_key
from instar.core.turn.imported import build_imported_session, read_level
from instar.errors import InvalidRequest, NotFound, TranscriptError
from instar.ports.store import Store
from instar.stores.importer import ImportLimits, TranscriptFile, read_transcript_file
from instar.stores.openclaw.doorkeeper import carry_approvals
from instar.stores.openclaw.forgotten import Forgotten, find_forgotten
from instar.stores.openclaw.jobs import carry_jobs, read_job_files
from instar.stores.openclaw.later import LaterState, read_databases
from instar.stores.openclaw.plan import PlannedTranscript, plan_state
from instar.stores.openclaw.report import ImportItem, ItemStatus, StateReport
from instar.stores.openclaw.scan import FoundState, scan_state
from instar.stores.openclaw.side import carry_memory, keep_files, propose_config

__all__ = ["import_state"]


async def import_state(
    root: Path, store: Store | None, config: Config, *, now: Instant, is_dry_run: bool
) -> StateReport:
    """Import a state directory, or with `is_dry_run` only say what that would do; `store` None is an empty one.

    Raises `NotFound` for no directory, `StoreError`, OSError.
    """
    found = await asyncio.to_thread(scan_state, root)
    with ExitStack() as stack:
        databases = read_databases(found, config.routing.keys, default_agent=config.agents.default_id, now=now)
        later = await asyncio.to_thread(stack.enter_context, databases)
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="instar-import-")))
        forgotten = await find_forgotten(found, store, config, folder=folder)
        return await _import_found(found, later, store, config, now=now, is_dry_run=is_dry_run, forgotten=forgotten)


async def _import_found(
    found: FoundState,
    later: LaterState,
    store: Store | None,
    config: Config,
    *,
    now: Instant,
    is_dry_run: bool,
    forgotten: Forgotten,
) -> StateReport:
    """Everything that was found, databases first: where a file says the same, it is the older one."""
    root, default_agent = found.root, config.agents.default_id
    plan = await asyncio.to_thread(
        plan_state, found, config.routing.keys, default_agent=default_agent, now=now, held=later.agents
    )
    report = StateReport(root=str(root), is_dry_run=is_dry_run)
    report.items += [
        ImportItem(kind="path", status="refused", source=_name(root, path), detail=why) for path, why in found.refused
    ]
    report.items += [*plan.items, *later.items]
    carrier = _Carrier(found, store, config, report, now=now)
    for planned in (*later.transcripts, *plan.transcripts):
        await carrier.carry(planned)
    report.items += await carry_approvals(found, store, config, now=now, is_dry_run=is_dry_run, later=later.approvals)
    jobs = [forgotten.clean_jobs(one) for one in (*later.jobs, *await asyncio.to_thread(read_job_files, found))]
    report.items += await asyncio.to_thread(carry_jobs, jobs, config.state_dir, is_dry_run=is_dry_run)
    for carry in (carry_memory, propose_config, partial(keep_files, read=later.read)):
        report.items += await asyncio.to_thread(carry, found, config, is_dry_run=is_dry_run, without=forgotten.copy_of)
    return report


class _Carrier:
    """Stores planned transcripts one by one, and writes the report on the way."""

    def __init__(
        self, found: FoundState, store: Store | None, config: Config, report: StateReport, *, now: Instant
    ) -> None:
        self._root = found.root
        self._store = store
        self._config = config
        self._report = report
        self._now = now
        self._seen: dict[SessionId, frozenset[str]] = {}

    async def carry(self, planned: PlannedTranscript) -> None:
        """Store one transcript; one that cannot be read is named, and the rest goes on (LOSS-10)."""
        source = _source(self._root, planned)
        try:
            file = await self._read(planned)
        except TranscriptError as error:
            self._report.items.append(
                ImportItem(
                    kind=planned.kind,
                    status="damaged",
                    source=source,
                    key=planned.key,
                    line=error.line or 0,
                    detail=str(error).replace(str(planned.path), source),
                )
            )
            if planned.row is None or planned.archived_at is not None:
                return
            file = _no_words(planned)
        planned = self._keep_reachable(planned, file.header.id, source)
        self._tell_findings(file, planned, source)
        header = await self._find_id(file, planned)
        is_dry_run = self._report.is_dry_run
        status: ItemStatus = "known" if header is None else "would-import" if is_dry_run else "imported"
        detail = f"{len(file.entries)} entries, version {file.from_version}"
        if header is not None:
            self._tell_level(planned, source)
        if header is not None and not is_dry_run and self._store is not None:
            try:
                await self._save(self._store, replace(file, header=header), planned)
            except InvalidRequest as error:
                # Whoever was erased stays away; everybody else comes along (LEAK-11).
                status, detail = "refused", str(error)
        self._report.items.append(
            ImportItem(
                kind=planned.kind, status=status, source=source, key=planned.key, line=planned.line, detail=detail
            )
        )

    def _keep_reachable(self, planned: PlannedTranscript, session_id: SessionId, source: str) -> PlannedTranscript:
        """The plan under a key of its own where its key is one of memory: nobody would find it there (KEY-22)."""
        if not is_incognito_key(planned.key):
            return planned
        key = build_source_key(planned.agent_id, "explicit", f"imported-{session_id}")
        what = f"{planned.key!r} is a key of sessions in memory, and this comes from a file: it comes under {key}"
        self._report.items.append(
            ImportItem(kind=planned.kind, status="noted", source=source, key=key, line=planned.line, detail=what)
        )
        return replace(planned, key=key)

    async def _read(self, planned: PlannedTranscript) -> TranscriptFile:
        if planned.path is None:
            return _no_words(planned)
        file = await asyncio.to_thread(read_transcript_file, planned.path, ImportLimits())
        # A file is known by its name: a copied one often keeps the id of another in its first line.
        wanted = planned.session_id or file.header.id
        return replace(file, header=replace(file.header, id=SessionId(wanted)))

    async def _find_id(self, file: TranscriptFile, planned: PlannedTranscript) -> Header | None:
        """The header to store; None when all words of the file are stored already.

        Another file with the same id and other words gets an id of its own, the same one each time.
        """
        words = frozenset(entry.id for entry in file.entries)
        session_id = file.header.id
        known = await self._words_of(session_id)
        if known is None:
            self._seen[session_id] = words
            return file.header
        if words <= known:
            return None
        digest = sha256("\n".join(sorted(words)).encode()).hexdigest()[:12]
        other = SessionId(f"{session_id}.{digest}")
        if await self._words_of(other) is not None:
            return None
        self._seen[other] = words
        self._report.items.append(
            ImportItem(
                kind=planned.kind,
                status="noted",
                source=_source(self._root, planned),
                key=planned.key,
                detail=f"another transcript has the id {session_id}; this one is stored as {other}",
            )
        )
        return replace(file.header, id=other)

    async def _words_of(self, session_id: SessionId) -> frozenset[str] | None:
        """The ids of the entries that are stored, or would be, under a session id; None for an unknown one."""
        if session_id in self._seen:
            return self._seen[session_id]
        if self._store is None:
            return None
        try:
            page = await self._store.load_all_entries(session_id)
        except NotFound:
            return None
        return frozenset(stored.entry.id for stored in page.entries)

    async def _save(self, store: Store, file: TranscriptFile, planned: PlannedTranscript) -> None:
        session = build_session(file, planned, person_names=self._config.routing.keys.links.names)
        label = session.naming.label
        if label is not None and await store.find_sessions(label=label):
            session = replace(session, naming=replace(session.naming, label=None))
            self._report.items.append(
                ImportItem(
                    kind="session",
                    status="noted",
                    source=_source(self._root, planned),
                    key=planned.key,
                    line=planned.line,
                    detail=f"the label {label!r} is taken; the session has none now",
                )
            )
        decision = Decision(
            kind="import",
            outcome="imported",
            rule="STORE-6",
            inputs={
                "file": Path(_source(self._root, planned)).name,
                "entries": len(file.entries),
                "findings": len(file.findings),
            },
        )
        await store.import_transcript(session, file.header, file.entries, now=self._now, decision=decision)

    def _tell_findings(self, file: TranscriptFile, planned: PlannedTranscript, source: str) -> None:
        found: list[tuple[int, str, ItemStatus]] = [
            (finding.line, finding.detail, "noted" if finding.kind == "blank" else "damaged")
            for finding in file.findings
        ]
        repaired = "something in this line was no proper text and was repaired"
        found += [(line, repaired, "damaged") for line in file.repaired_lines]
        self._report.items += [
            ImportItem(kind=planned.kind, status=status, source=source, key=planned.key, line=line, detail=detail)
            for line, detail, status in sorted(found)
        ]

    def _tell_level(self, planned: PlannedTranscript, source: str) -> None:
        """Say which thinking word of an entry is no level: the session is stored without it (X-16)."""
        word = (planned.row or {}).get("thinkingLevel")
        if isinstance(word, str) and word and parse_thinking(word) is None:
            self._report.items.append(
                ImportItem(
                    kind="session",
                    status="noted",
                    source=source,
                    key=planned.key,
                    line=planned.line,
                    detail=f"the thinking level {word[:60]!r} is none; the session has none now",
                )
            )


def build_session(file: TranscriptFile, planned: PlannedTranscript, *, person_names: Container[str]) -> Session:
    """The session of a planned transcript: what its entry says, and what the words tell where it says nothing."""
    built = build_imported_session(file.header, file.entries, key=planned.key, agent_id=planned.agent_id)
    row = {**(planned.row or {}), "sessionId": file.header.id}
    session = parse_session(row, key=planned.key, agent_id=planned.agent_id) or built
    lifecycle = session.lifecycle
    if lifecycle.updated_at is None:
        lifecycle = replace(built.lifecycle, archived_at=lifecycle.archived_at, pinned_at=lifecycle.pinned_at)
    if planned.archived_at is not None:
        lifecycle = replace(lifecycle, archived_at=planned.archived_at)
    return replace(
        session,
        owner=_owner_of(planned.key, person_names),
        lifecycle=lifecycle,
        overrides=read_level(session.overrides),
        naming=replace(session.naming, first_words=built.naming.first_words),
    )


def _owner_of(key: SessionKey, person_names: Container[str]) -> str | None:
    """Whose a direct chat is: a linked person's, or a peer's on a channel (LEAK-4)."""
    parts = parse_key(key)
    if parts.type != "direct" or parts.peer_id is None:
        return None
    if parts.channel is not None:
        return f"{parts.channel}:{parts.peer_id}"
    return parts.peer_id if parts.peer_id in person_names else None


def _no_words(planned: PlannedTranscript) -> TranscriptFile:
    return TranscriptFile(
        path=planned.path or Path("sessions.json"),
        header=Header(id=SessionId(planned.session_id), timestamp=None),
        entries=(),
        from_version=3,
    )


def _source(root: Path, planned: PlannedTranscript) -> str:
    """Where a transcript comes from, below the imported directory."""
    return planned.source or (_name(root, planned.path) if planned.path else "sessions.json")


def _name(root: Path, path: Path) -> str:
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else str(path)
