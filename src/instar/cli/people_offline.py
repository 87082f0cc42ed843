"""What is asked about people while no gateway runs: the store is read, or opened as a gateway opens it (LEAK-11)."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from instar.cli.options import GatewayFlags
from instar.config.load import Config, load_config
from instar.core.model.people import Person
from instar.core.policy.redaction import build_redactor
from instar.core.routing.person import resolve_person_named
from instar.errors import GatewayUnreachable, InvalidRequest, NotFound
from instar.ports.clock import Clock
from instar.stores.erasing.eraser import StoreEraser
from instar.stores.erasing.places import build_places
from instar.stores.mirror import open_mirror
from instar.stores.sealing.open import load_seals
from instar.stores.sealing.seals import Seals
from instar.stores.sqlite import SqliteStore
from instar.stores.sqlite.reading import ReadingEngine
from instar.stores.store import SessionStore
from instar.system.clock import SystemClock
from instar.system.ids import SystemIds
from instar.system.log import LogSettings, open_log

__all__ = ["PeopleOffline", "open_reading", "open_writing", "warn_only"]


class PeopleOffline:
    """The eraser of a store, and the people that its configuration links."""

    def __init__(self, eraser: StoreEraser, config: Config) -> None:
        self.eraser = eraser
        self._config = config

    def name(self, text: str) -> Person:
        """Whom a text names. Raises `InvalidRequest`."""
        person = resolve_person_named(text, self._config.routing.keys.links)
        if person is None:
            raise InvalidRequest("A person has an id", fix="Name them as `instar people list` does.", field="id")
        return person


@asynccontextmanager
async def open_reading(flags: GatewayFlags) -> AsyncIterator[PeopleOffline]:
    """Questions about people, whether a gateway runs or not. Raises `NotFound`, `StoreError`."""
    config, config_file, path = _load(flags)
    seals = load_seals(config)
    store = SessionStore(ReadingEngine(path, seals=seals))
    await store.open()
    try:
        yield _build(store, config, config_file, seals=seals)
    finally:
        await store.close()


@asynccontextmanager
async def open_writing(flags: GatewayFlags) -> AsyncIterator[PeopleOffline]:
    """An erasure without a gateway: the store is locked meanwhile. Raises `StoreLocked` when a gateway has it."""
    config, config_file, path = _load(flags)
    warn_only(SystemClock())
    seals = load_seals(config)
    store = SqliteStore(path, seals=seals)
    await store.open()
    try:
        async with open_mirror(store, config, clock=SystemClock()) as mirror:
            people = _build(store, config, config_file, seals=seals, flush_mirror=mirror.flush)
            await people.eraser.resume()
            yield people
    finally:
        await store.close()


def warn_only(clock: Clock) -> None:
    """Let only warnings be logged, and on standard error: standard output is for the answer."""
    open_log(LogSettings(level="warning", console="text"), clock=clock, redactor=build_redactor(), is_default=True)


def _load(flags: GatewayFlags) -> tuple[Config, Path | None, Path]:
    loaded = load_config(flags.config, env=os.environ, home=Path.home(), thorough=False)
    path = loaded.config.store.path
    if path is None:
        raise GatewayUnreachable(
            "The sessions are in PostgreSQL", why="only a gateway reads it", fix="Start one with `instar gateway`."
        )
    if not path.is_file():
        raise NotFound(f"There is no database {path}", fix="Check --config and INSTAR_STATE_DIR.")
    return loaded.config, loaded.path, path


async def _nothing() -> None:
    """Whoever only reads has no mirror to bring level."""


def _build(
    store: SessionStore,
    config: Config,
    config_file: Path | None,
    *,
    seals: Seals | None,
    flush_mirror: Callable[[], Awaitable[None]] = _nothing,
) -> PeopleOffline:
    eraser = StoreEraser(
        store,
        build_places(config, config_file, seals=seals),
        links=lambda: config.routing.keys.links,
        ids=SystemIds(),
        flush_mirror=flush_mirror,
        clean=build_redactor(config.secrets).value,
    )
    return PeopleOffline(eraser, config)
