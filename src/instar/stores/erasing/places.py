"""Where a configuration puts what may hold something of a person (LEAK-11)."""

from __future__ import annotations

from pathlib import Path

from instar.config.config import Config
from instar.errors import NotFound
from instar.stores.erasing.files import Places
from instar.stores.mirror_places import MirrorPlaces
from instar.stores.sealing.seals import Seals

__all__ = ["build_places"]


def build_places(config: Config, config_file: Path | None, *, seals: Seals | None = None) -> Places:
    """The places of a state directory; `seals` are those of its store. Raises `NotFound` without a database file."""
    database = config.store.path
    if database is None:
        raise NotFound("There is no database file", why="sessions are kept in PostgreSQL", fix="Use its own tools.")
    mirror = MirrorPlaces.of(config)
    agents = {agent.id for agent in config.agents.all} | {config.agents.default_id}
    return Places(
        state_dir=config.state_dir,
        database=database,
        sessions=tuple(sorted({*(mirror.index(agent).parent for agent in agents), *_stored(config.state_dir)})),
        workspaces=tuple(sorted({Path(config.workspace(agent)) for agent in agents})),
        config=config_file,
        seals=seals,
    )


def _stored(state_dir: Path) -> tuple[Path, ...]:
    """Folders of agents that are configured no more."""
    return tuple(path for path in (state_dir / "agents").glob("*/sessions") if path.is_dir())
