"""What the security audit looks at outside of the configuration: modes, approvals, who met whom (AUDIT-*, LEAK-7).

Everything is read and nothing changed, whether a gateway runs or not; only `tighten` changes modes, and is called by
whoever asked for ``--fix``. Modes of links are not looked at, and no link is followed below the state directory.
"""

from __future__ import annotations

import asyncio
import os
import stat
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Final

import apsw

from instar.config.audit_view import Approved, build_audit_facts
from instar.config.config import Config
from instar.config.finding import Finding
from instar.config.lint import lint_config
from instar.config.lint_owners import lint_owners, list_linked_keys
from instar.core.model.ids import ChannelName, Instant, SessionKey
from instar.core.policy.audit import AuditReport, audit
from instar.core.policy.audit_facts import FileFacts, FilePlace, Meeting
from instar.core.policy.audit_host import tight_mode
from instar.core.routing.identity import Links, person_segment, resolve_person
from instar.core.routing.normalize import normalize_channel, normalize_peer
from instar.errors import InstarError
from instar.stores.doctor import is_held
from instar.stores.known import Known
from instar.stores.migrate import load_steps, plan_steps
from instar.stores.rows import read_submission
from instar.stores.sealing.check import require_seals
from instar.stores.sqlite.connection import SqliteTransaction, read_schema, translate_error
from instar.stores.sqlite.snapshot import open_still
from instar.stores.transaction import Transaction, load_queries

__all__ = ["StoreAuditor", "find_meetings", "list_files", "tighten"]

_PAGE: Final = 2_000

_SECRET_FILE: Final = "gateway.json"  # noqa: S105 - the name of the file that holds the secret


class StoreAuditor:
    """Audits a state directory. Keeps `instar.ports.operator.Auditor`.

    `secret` is what clients of the gateway need; None asks the configuration, and where it has none the gateway draws
    a long one at its first start.
    """

    def __init__(
        self,
        config: Callable[[], Config],
        config_file: Path | None,
        *,
        env: Mapping[str, str],
        secret: str | None = None,
    ) -> None:
        self._config = config
        self._config_file = config_file
        self._env = env
        self._secret = secret

    async def audit(self, *, is_deep: bool) -> AuditReport:
        """What is risky; `is_deep` reads the whole store for people who met (LEAK-7)."""
        return await asyncio.to_thread(self._audit, self._config(), is_deep=is_deep)

    def _audit(self, config: Config, *, is_deep: bool) -> AuditReport:
        approved: Approved = {}
        meetings: tuple[Meeting, ...] = ()
        taken: tuple[Finding, ...] = ()
        unread = ""
        try:
            approved, taken, meetings = _read_store(config, is_deep=is_deep)
        except InstarError as error:
            unread = str(error)
        facts = build_audit_facts(
            config,
            [*lint_config(config), *taken],
            secret=self._secret or config.gateway.secret or _drawn(config),
            approved=approved,
            env=self._env,
        )
        files = tuple(list_files(config, self._config_file))
        return audit(replace(facts, files=files, meetings=meetings, unread=unread))


def _drawn(config: Config) -> str | None:
    """What stands for the secret that the gateway draws by itself; a password it cannot draw."""
    return "drawn-at-the-first-start-" if config.gateway.auth_mode == "token" else None


# --- files ------------------------------------------------------------------------------------------------------------


def list_files(config: Config, config_file: Path | None) -> Iterator[FileFacts]:
    """The state directory, the configuration, and whatever below the state directory others may touch."""
    yield from _look(config.state_dir, "state")
    for path in (config_file, config.state_dir / _SECRET_FILE):
        if path is not None:
            yield from _look(path, "config")
    if config.store.path is not None:
        for path in (
            config.store.path,
            *(config.store.path.with_name(f"{config.store.path.name}-{end}") for end in ("wal", "shm")),
        ):
            yield from _look(path, "store")
    seen = {config.store.path, config.state_dir / _SECRET_FILE, config_file}
    for folder, names, files in os.walk(config.state_dir):
        for name in (*names, *files):
            path = Path(folder, name)
            if path not in seen:
                yield from _look_inside(path)


def tighten(files: list[FileFacts]) -> Iterator[tuple[str, str]]:
    """Take away what others may do with these (AUDIT-33); each changed path with its new mode. Raises OSError."""
    for file in files:
        old = stat.S_IMODE(file.mode)
        new = old & tight_mode(file.mode)
        if new != old:
            os.chmod(file.path, new)  # noqa: PTH101 - the path is a text here
            yield file.path, f"{new:03o}"


def _look(path: Path, place: FilePlace) -> Iterator[FileFacts]:
    try:
        yield FileFacts(place=place, path=str(path), mode=path.stat().st_mode)
    except OSError:
        return


def _look_inside(path: Path) -> Iterator[FileFacts]:
    """A file below the state directory, where others may touch it."""
    try:
        mode = path.lstat().st_mode
    except OSError:
        return
    if not stat.S_ISLNK(mode) and stat.S_IMODE(mode) & ~tight_mode(mode) & 0o077:
        yield FileFacts(place="store", path=str(path), mode=mode)


# --- the store --------------------------------------------------------------------------------------------------------


def _read_store(config: Config, *, is_deep: bool) -> tuple[Approved, tuple[Finding, ...], tuple[Meeting, ...]]:
    """Approvals, linked people whose session another began, and for a deep audit who met whom. Raises `StoreError`."""
    path = config.store.path
    if path is None or not path.is_file():
        return {}, (), ()
    try:
        connection = open_still(path, in_use=is_held(path.with_name(f"{path.name}.lock")))
        try:
            if plan_steps(read_schema(connection), load_steps("sqlite")):
                return {}, (), ()
            seals, queries = require_seals(connection, config), load_queries("sqlite")
            tx = SqliteTransaction(connection, queries if seals is None else seals.queries(queries), Known(0))
            connection.execute("BEGIN")
            meetings = find_meetings(tx, config.routing.keys.links) if is_deep else ()
            return _load_approved(tx), _find_taken(tx, config), meetings
        finally:
            connection.close()
    except apsw.Error as error:
        raise translate_error(error, path) from error


def _find_taken(tx: Transaction, config: Config) -> tuple[Finding, ...]:
    rows = {key: tx.one("load_owner", {"key": key}) for key in list_linked_keys(config)}
    return tuple(lint_owners(config, {key: row[0] for key, row in rows.items() if row is not None}))


def _load_approved(tx: Transaction) -> Approved:
    found: dict[ChannelName, tuple[frozenset[str], frozenset[str]]] = {}
    for channel, chat_type, peer_id in tx.all("list_approved", {}):
        people, groups = found.get(channel, (frozenset(), frozenset()))
        is_person = chat_type == "direct"
        found[channel] = (people | {peer_id}, groups) if is_person else (people, groups | {peer_id})
    return found


def find_meetings(tx: Transaction, links: Links) -> tuple[Meeting, ...]:
    """The sessions in which direct messages of two people or more stand, by the links of today, in order of key.

    What was written before the current transcript began counts only where the current one is clean.
    """
    began = dict(_load_lives(tx))
    current: defaultdict[SessionKey, set[str]] = defaultdict(set)
    ever: defaultdict[SessionKey, set[str]] = defaultdict(set)
    for key, at, person in _load_arrivals(tx, links):
        if key not in began:
            continue
        ever[key].add(person)
        since = began[key]
        if since is not None and at >= since:
            current[key].add(person)
    return tuple(
        Meeting(session_key=key, people=tuple(sorted(people)), is_over=len(current[key]) < 2)
        for key, people in sorted((key, current[key] if len(current[key]) > 1 else ever[key]) for key in ever)
        if len(people) > 1
    )


def _load_lives(tx: Transaction) -> Iterator[tuple[SessionKey, Instant | None]]:
    after = ""
    while rows := tx.all("list_lives", {"after": after, "limit": _PAGE}):
        yield from ((key, began_at) for key, began_at in rows)
        after = rows[-1][0]


def _load_arrivals(tx: Transaction, links: Links) -> Iterator[tuple[SessionKey, Instant, str]]:
    """Direct messages of people: the session, when they ended, and who wrote."""
    after = 0
    while rows := tx.all("list_arrivals", {"after": after, "limit": _PAGE}):
        for _, key, at, text in rows:
            person = _find_person(text, links)
            if person is not None:
                yield key, at, person
        after = rows[-1][0]


def _find_person(text: str, links: Links) -> str | None:
    """Who wrote one-to-one; None for groups, for the operator and for sources that are not people."""
    submission = read_submission(text)
    if submission.session_key is not None or submission.principal is not None:
        return submission.principal.strip().lower() if submission.principal else None
    inbound = submission.inbound
    if inbound.chat.type != "direct" or submission.options.system:
        return None
    channel = normalize_channel(inbound.channel)
    written = inbound.chat.id if inbound.chat.id.strip() else inbound.sender.id
    peer_id = normalize_peer(channel, kind="direct", peer_id=written, numbers=links.numbers)
    if not peer_id:
        return None
    group = resolve_person(links, channel=channel, peer_id=peer_id)
    return f"{channel}:{peer_id}" if group is None else person_segment(group.name)
