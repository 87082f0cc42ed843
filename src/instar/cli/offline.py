"""What can be told without a gateway: the database is read as a gateway would read it (CLI-28).

A gateway is built and never started; its answers go through the same handlers as on the wire, so a list looks the same
whoever gives it. Only methods that read are answered; the others say how to start a gateway.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import NoReturn

import structlog

from instar import __version__
from instar.api.call import Call, Services
from instar.api.connection import Connection
from instar.api.handlers import HANDLERS
from instar.cli.options import GatewayFlags
from instar.client.wire import Payload
from instar.config.load import Config, Loaded, load_config
from instar.config.sections.store import DATABASE_NAME
from instar.core.model.caller import Caller
from instar.core.policy.redaction import build_redactor
from instar.core.policy.scopes import OWNER_SCOPES, READ
from instar.errors import GatewayUnreachable, NotFound
from instar.gateway.gateway import Gateway
from instar.gateway.parts import GatewayParts
from instar.ports.operator import Auditor
from instar.protocol.methods import METHODS
from instar.protocol.params import check_params
from instar.protocol.version import NEWEST
from instar.runners.book import ConfiguredModels
from instar.runners.echo import EchoRunner
from instar.stores.archive import TranscriptArchiver
from instar.stores.audit import StoreAuditor
from instar.stores.disk import SessionFiles
from instar.stores.sealing.open import load_seals
from instar.stores.sqlite import SqliteStore, open_memory_store
from instar.stores.sqlite.reading import ReadingEngine
from instar.stores.store import SessionStore
from instar.system.clock import SystemClock
from instar.system.files import make_private_folder
from instar.system.ids import SystemIds
from instar.system.log import LogSettings, open_log

__all__ = ["OfflineSource", "log_to_file", "open_offline"]


_OWNERS = frozenset({"device.pair.list", "outbox.list", "pairing.list", "security.audit", "tokens.list"})
"""Methods that read what only the owner may see: whoever may open the database is."""

_WRITES = frozenset({"tokens.create", "tokens.revoke", "sessions.cleanup"})
"""Methods that need nothing that runs; they need the database for themselves."""


class OfflineSource:
    """Answers methods that read, from one database."""

    is_gateway = False

    def __init__(self, gateway: Gateway, runner: asyncio.Runner, *, auditor: Auditor, may_write: bool = False) -> None:
        self._runner = runner
        self._may_write = may_write
        self._services = Services(gateway=gateway, clock=SystemClock(), ids=SystemIds(), auditor=auditor)
        self._connection = Connection(
            "offline",
            caller=Caller(scopes=OWNER_SCOPES, client="cli"),
            protocol=NEWEST,
            caps=frozenset(),
            buffer_max_bytes=0,
            write=_write_nothing,
            abort=lambda: None,
        )

    def call(self, method: str, params: Mapping[str, object] | None = None) -> Payload:
        """The payload of a method that reads, or writes what nothing running depends on.

        Raises `GatewayUnreachable` for every other one.
        """
        row = METHODS.get(method)
        is_plan = method == "sessions.route" or (method == "sessions.cleanup" and bool((params or {}).get("dryRun")))
        is_row_write = self._may_write and method in _WRITES
        if row is None or not (row.scope == READ or method in _OWNERS or is_plan or is_row_write):
            raise GatewayUnreachable(
                f"Only a gateway can answer {method}",
                why="none answers, and a database is only read without one",
                fix="Start one with `instar gateway`.",
            )
        checked = check_params(method, row.fields, params or {})
        call = Call(services=self._services, connection=self._connection, params=checked)
        answer = self._runner.run(_answer(method, call))
        return answer if isinstance(answer, dict) else {}


@contextmanager
def open_offline(flags: GatewayFlags, *, store: Path | None, may_write: bool = False) -> Iterator[OfflineSource]:
    """The configured database, or the one at `store`: a file, or the folder that holds one.

    Where nothing was ever stored everything is empty; with `may_write` the database is held alone, and the configured
    one is made. Raises `NotFound` for a `store` that is not there, and `ConfigError`, `StoreLocked`, `StoreTooNew`,
    `StoreUnreadable`.
    """
    loaded = load_config(flags.config, env=os.environ, home=Path.home(), thorough=False)
    path = _choose(loaded.config, store)
    is_there = store is not None or path.is_file()
    if may_write and store is not None and not path.is_file():
        raise NotFound(f"There is no database {path}", fix="Name one, or leave --store away.")
    if may_write:
        make_private_folder(loaded.config.state_dir)
        opened: SessionStore = SqliteStore(path, seals=load_seals(loaded.config))
    elif is_there:
        opened = SessionStore(ReadingEngine(path, seals=load_seals(loaded.config)))
    else:
        opened = open_memory_store()
    with ExitStack() as stack:
        if may_write:
            stack.enter_context(log_to_file(loaded.config))
        runner = stack.enter_context(asyncio.Runner())
        runner.run(opened.open())
        try:
            auditor = StoreAuditor(lambda: loaded.config, loaded.path, env=os.environ)
            gateway = _build(loaded, opened, path, may_write=may_write)
            yield OfflineSource(gateway, runner, auditor=auditor, may_write=may_write)
        finally:
            runner.run(opened.close())


@contextmanager
def log_to_file(config: Config) -> Iterator[None]:
    """What is changed without a gateway stands in the gateway's log too, and nowhere on the screen."""
    file = config.state_dir / "logs" / "gateway.log"
    make_private_folder(file.parent)
    settings = LogSettings(level="info", console="off", file=file)
    handle = open_log(settings, clock=SystemClock(), redactor=build_redactor(config.secrets), is_default=True)
    try:
        yield
    finally:
        structlog.reset_defaults()
        handle.close()


def _choose(config: Config, named: Path | None) -> Path:
    """The database file."""
    if named is not None:
        return named / DATABASE_NAME if named.is_dir() else named
    if config.store.path is None:
        raise GatewayUnreachable(
            "The sessions are in PostgreSQL", why="only a gateway reads it", fix="Start one with `instar gateway`."
        )
    return config.store.path


def _build(loaded: Loaded, store: SessionStore, path: Path, *, may_write: bool) -> Gateway:
    """A gateway that is never started: it answers questions and runs nothing. With `may_write` it may remove sessions,
    which leave their archives beside that database.
    """
    config, clock = _beside(loaded.config, path), SystemClock()
    return Gateway(
        GatewayParts(
            version=__version__,
            config=lambda: config,
            store=store,
            clock=clock,
            ids=SystemIds(),
            runner=EchoRunner(),
            models=ConfiguredModels(lambda: config),
            texts=_Nobody(),
            archiver=TranscriptArchiver(store, config, clock=clock) if may_write else _Nobody(),
            disk=SessionFiles(store, config),
            state_dir=str(config.state_dir),
            config_path=str(loaded.path or ""),
            store_path=str(path),
            redactor=build_redactor(config.secrets),
        )
    )


def _beside(config: Config, path: Path) -> Config:
    """The configuration for the database at `path`: another's files lie in its own folder."""
    own = config.store.path
    if own is not None and path.resolve() == own.resolve():
        return config
    return replace(config, state_dir=path.parent, store=replace(config.store, path=path, mirror_template=None))


class _Nobody:
    """Stands where only a running gateway needs somebody."""

    async def load(self, *_: object, **__: object) -> NoReturn:
        raise GatewayUnreachable("No gateway runs", fix="Start one with `instar gateway`.")

    archive = load
    report = load
    load_notes = load

    def is_writable(self, *_: object) -> bool:
        return False

    def last_report(self, *_: object) -> None:
        return None


async def _answer(method: str, call: Call) -> object:
    return await HANDLERS[method](call)


async def _write_nothing(frame: bytes) -> None:
    """There is nobody to write to."""
