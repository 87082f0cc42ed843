"""What belongs into a backup of this configuration: which files, and where they lie when they come back (LOSS-12)."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from instar.config.config import Config
from instar.config.paths import encode_name
from instar.core.lifecycle.archive_name import parse_archive_name
from instar.errors import NotFound
from instar.stores.backup import BackupSource
from instar.stores.mirror_places import MirrorPlaces
from instar.system.running import FILE_NAME

__all__ = ["build_source"]

_CONFIG: Final = "instar.json5"
_CONFLICT: Final = ".conflict."


def build_source(config: Config, config_file: Path | None) -> BackupSource:
    """Everything of a state directory that cannot be made again. Raises `NotFound` without a database. Blocking."""
    database = config.store.path
    if database is None or not database.is_file():
        raise NotFound(
            "There is no database to back up",
            why=f"{database} is not there" if database else "sessions are kept in PostgreSQL",
            fix="Check --config and INSTAR_STATE_DIR; a PostgreSQL database is backed up with its own tools.",
        )
    files: dict[str, Path] = {}
    notes: list[str] = []
    if config_file is not None and config_file.is_file():
        files[_CONFIG] = config_file
    if (config.state_dir / FILE_NAME).is_file():
        files[FILE_NAME] = config.state_dir / FILE_NAME
    if database.parent != config.state_dir or database.name != "instar.db":
        notes.append(f"The database was at {database}; it comes back as instar.db in the state directory.")
    if config.store.encryption.enabled:
        notes.append(
            "Its words are encrypted. Neither the key ring nor the master key is in it: "
            "`instar encryption copy-keys FILE` copies the ring."
        )
    for agent in config.agents.all:
        _add_workspace(Path(config.workspace(agent.id)), config.state_dir, str(agent.id), files, notes)
        files |= _find_archives(MirrorPlaces.of(config).index(agent.id).parent, str(agent.id))
    for folder in (config.state_dir / "imported", *sorted(config.state_dir.glob("workspace-*"))):
        _add_workspace(folder, config.state_dir, "", files, notes)
    return BackupSource(database=database, files=files, notes=tuple(notes))


def _add_workspace(folder: Path, state_dir: Path, agent_id: str, files: dict[str, Path], notes: list[str]) -> None:
    """The files of a workspace; one outside the state directory comes back inside it, and a note says so."""
    if folder.is_relative_to(state_dir) and folder != state_dir:
        place = folder.relative_to(state_dir).as_posix()
    else:
        place = f"workspaces/{encode_name(agent_id)}"
        if folder.is_dir():
            notes.append(f"The workspace of agent {agent_id} was at {folder}; it comes back as {place}.")
    files |= {f"{place}/{path.relative_to(folder).as_posix()}": path for path in _walk(folder)}


def _walk(folder: Path) -> Iterator[Path]:
    """Every file below a folder; links are given too, to be named as left out, and never followed."""
    for place, _, names in os.walk(folder):
        for name in names:
            yield Path(place) / name


def _find_archives(folder: Path, agent_id: str) -> dict[str, Path]:
    """Archives of deleted sessions, which hold the only copy, and files that another hand had changed."""
    if not folder.is_dir():
        return {}
    found = {}
    for path in folder.iterdir():
        archive = parse_archive_name(path.name)
        is_only_copy = archive is not None and (archive.is_compressed or archive.reason != "reset")
        if path.is_file() and (is_only_copy or _CONFLICT in path.name):
            found[f"agents/{encode_name(agent_id)}/sessions/{path.name}"] = path
    return found
