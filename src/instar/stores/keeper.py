"""What lies beside the database: archives of deleted sessions to bring back, backups to make (LOSS-8, LOSS-12)."""

from __future__ import annotations

import asyncio
from pathlib import Path

from instar.config.config import Config
from instar.core.lifecycle.archive_name import parse_archive_name
from instar.core.model.ids import Instant, SessionKey
from instar.core.model.keeping import ArchivedTranscript, StoredBackup
from instar.errors import InvalidRequest
from instar.stores.archive import read_archive_label
from instar.stores.backup import create_backup, format_backup_name
from instar.stores.backup_source import build_source
from instar.stores.importer import ImportLimits, describe_findings, read_transcript_file
from instar.stores.mirror_places import MirrorPlaces
from instar.stores.transaction import FileSeals
from instar.system.files import is_plain_name

__all__ = ["StoreKeeper", "read_archived"]


class StoreKeeper:
    """Keeps `instar.gateway.parts.Keeper` over the files of a state directory."""

    def __init__(
        self, config: Config, config_file: Path | None, *, version: str, seals: FileSeals | None = None
    ) -> None:
        self._config = config
        self._seals = seals
        self._config_file = config_file
        self._places = MirrorPlaces.of(config)
        self._version = version

    async def back_up(self, name: str | None, *, now: Instant) -> StoredBackup:
        """Write a backup into ``<state>/backups``. Raises `InvalidRequest`, `StoreError`, OSError."""
        return await asyncio.to_thread(self._back_up, name, now)

    def _back_up(self, name: str | None, now: Instant) -> StoredBackup:
        if name and not is_plain_name(name):
            raise InvalidRequest(f"{name!r} is no name of a file", fix="Give a plain name, no path.", field="name")
        target = self._config.state_dir / "backups" / (name or format_backup_name(now))
        source = build_source(self._config, self._config_file)
        report = create_backup(source, target, now=now, version=self._version)
        return StoredBackup(
            path=str(report.path),
            size_bytes=report.bytes,
            files=report.files,
            counts=report.counts,
            notes=report.notes,
            skipped=report.skipped,
        )

    async def find_archives(self, key: SessionKey) -> tuple[str, ...]:
        """The archives of a deleted session, oldest first."""
        return await asyncio.to_thread(self._find, key)

    def _find(self, key: SessionKey) -> tuple[str, ...]:
        folder = self._places.folder(key)
        found = []
        for path in folder.glob("*.deleted.*.zst") if folder.is_dir() else ():
            name = parse_archive_name(path.name)
            session = read_archive_label(path, seals=self._seals) if name is not None else None
            if name is not None and session is not None and session.key == key:
                found.append((name.at, str(path)))
        return tuple(path for _, path in sorted(found))

    async def read_archive(self, path: str) -> ArchivedTranscript:
        """One archive below the state directory. Raises `InvalidRequest` for one elsewhere, `TranscriptError`."""
        return await asyncio.to_thread(self._read_inside, path)

    def _read_inside(self, path: str) -> ArchivedTranscript:
        if "\0" in path:
            raise InvalidRequest("That is no path", why="it has a character that no file name has", field="path")
        place = Path(path).resolve()
        inside = (self._config.state_dir.resolve(), self._places.index(self._places.default_agent_id).parent.resolve())
        if not any(place.is_relative_to(folder) for folder in inside):
            raise InvalidRequest(
                f"{path} does not lie in the state directory",
                why="a gateway reads archives from its own folder only",
                fix=f"Copy it into {inside[1]} and name it there.",
                field="path",
            )
        return read_archived(place, seals=self._seals)


def read_archived(path: Path, *, seals: FileSeals | None = None) -> ArchivedTranscript:
    """An archive with what it tells of its session. Raises `TranscriptError`, OSError. Blocking."""
    file = read_transcript_file(path, ImportLimits(), seals=seals)
    session = read_archive_label(path, seals=seals) if path.suffix == ".zst" else None
    return ArchivedTranscript(
        path=str(path),
        header=file.header,
        entries=file.entries,
        session=session,
        findings=describe_findings(file, with_settings=session is None),
    )
