"""A store of many people on disk, with everything beside it that a gateway leaves: mirror, archives, notes, a log."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from instar.config.config import Config, parse_config
from instar.gateway.parts import GatewayParts
from instar.ports.runner import Runner
from instar.stores.archive import TranscriptArchiver
from instar.stores.erasing.eraser import StoreEraser
from instar.stores.erasing.places import build_places
from instar.stores.intake import TranscriptIntake
from instar.stores.keeper import StoreKeeper
from instar.stores.mirror import Flushable, open_mirror
from instar.stores.sealing.open import load_seals
from instar.stores.sqlite import SqliteStore
from instar.system.clock import SystemClock
from instar.system.ids import SystemIds
from instar.testing.gateway import GatewayInMemory
from tests.builders.folder import read_files

__all__ = ["PeopleWorld", "open_people"]


_ZSTD = (0xFD2FB528).to_bytes(4, "little")


@dataclass(slots=True, kw_only=True)
class PeopleWorld:
    """A gateway over a store in `state`, with its mirror and its eraser."""

    state: Path
    config: Config
    store: SqliteStore
    gateway: GatewayInMemory
    mirror: Flushable
    eraser: StoreEraser
    archiver: TranscriptArchiver

    def read_everything(self) -> dict[str, bytes]:
        """Every byte of the state directory, archives unpacked, by place."""
        import zstandard

        found = {}
        for path, content in read_files(self.state).items():
            if path.name.endswith(".reserve"):
                continue
            unpacked = b""
            if path.suffix == ".zst" and content.startswith(_ZSTD):
                with zstandard.ZstdDecompressor().stream_reader(content, read_across_frames=True) as stream:
                    unpacked = stream.read()
            found[path.relative_to(self.state).as_posix()] = content + unpacked
        return found

    def count(self, *words: str) -> dict[str, int]:
        """How often any of the words stands in the state directory, in whatever case, by place."""
        hits = {
            place: sum(content.lower().count(word.lower().encode()) for word in words)
            for place, content in self.read_everything().items()
        }
        return {place: count for place, count in hits.items() if count}


@asynccontextmanager
async def open_people(
    state: Path, raw: Mapping[str, object], *, runner: Runner | None = None
) -> AsyncIterator[PeopleWorld]:
    """Open a store in `state` under a configuration, and close it again."""
    config = parse_config(raw, env={}, state_dir=state, home=state)
    seals = load_seals(config)
    store = SqliteStore(state / "instar.db", reserve_bytes=64 * 1024, seals=seals)
    opened: list[Flushable] = []

    async def flush() -> None:
        await opened[0].flush()

    eraser = StoreEraser(
        store,
        build_places(config, None, seals=seals),
        links=lambda: config.routing.keys.links,
        ids=SystemIds(),
        flush_mirror=flush,
    )
    archiver = TranscriptArchiver(store, config, clock=SystemClock())

    def arm(parts: GatewayParts) -> GatewayParts:
        keeper = StoreKeeper(config, state / "instar.db", version="0", seals=seals)
        return replace(parts, archiver=archiver, keeper=keeper, intake=TranscriptIntake(store))

    async with (
        GatewayInMemory(raw, store=store, eraser=eraser, runner=runner, arm=arm) as gateway,
        open_mirror(store, config, clock=SystemClock()) as mirror,
    ):
        opened.append(mirror)
        yield PeopleWorld(
            state=state,
            config=config,
            store=store,
            gateway=gateway,
            mirror=mirror,
            eraser=eraser,
            archiver=archiver,
        )
