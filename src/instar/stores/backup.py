"""Backups: one file with everything that cannot be made again, checked before anybody relies on it (LOSS-12).

The file is a tar archive, compressed with zstd. What lies below ``state/`` in it lies the same way in a state
directory: the database, the configuration, the workspaces with what agents wrote down, the archives of deleted
sessions. The mirror is left out, since it is written anew from the database. The last member, ``manifest.json``,
has the size and the SHA-256 of every other one; docs/howto/backup.md describes the format.
"""

from __future__ import annotations

import io
import json
import os
import shutil
import tarfile
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from hashlib import sha256
from pathlib import Path, PurePosixPath
from typing import IO, Any, Final

from instar.config.sections.store import DATABASE_NAME
from instar.core.lifecycle.archive_name import format_file_time
from instar.core.model.ids import Instant
from instar.core.model.people import ErasureReceipt
from instar.errors import InvalidRequest, StoreError, StoreUnreadable
from instar.stores.erased import read_lists
from instar.stores.erasing.again import reapply_erasures
from instar.stores.sealing.restore import FindMaster, bring_ring, is_sealed
from instar.stores.sqlite.snapshot import DatabaseFacts, copy_database, make_ready, read_facts
from instar.system.files import make_private_folder, sync_folder

__all__ = [
    "BackupReport",
    "BackupSource",
    "RestoreReport",
    "create_backup",
    "format_backup_name",
    "restore_backup",
    "verify_backup",
]

FORMAT: Final = "instar-backup"
VERSION: Final = 1
_MANIFEST: Final = "manifest.json"
_STATE: Final = "state"
_DATABASE: Final = f"{_STATE}/instar.db"
_CHUNK: Final = 1024 * 1024
_FILE_MAX_BYTES: Final = 512 * 1024 * 1024
"""A file of a workspace above this is left out and named: it is no memory of an agent."""

_MANIFEST_MAX_BYTES: Final = 256 * 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class BackupSource:
    """What is backed up. `files` maps places below the state directory to the files that belong there.

    `notes` say what whoever restores must know.
    """

    database: Path
    files: Mapping[str, Path] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class BackupReport:
    """What a backup holds, after it was read back. `skipped` names files that were left out, and why."""

    path: Path
    created_at: Instant
    version: str
    schema_version: int
    counts: Mapping[str, int]
    files: int
    bytes: int
    notes: tuple[str, ...] = ()
    skipped: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class RestoreReport:
    """What came back, and where. `held` counts replies that wait for a person's word (`instar outbox list`).

    `erased` is the receipt for whoever was erased after the backup was made, and was taken out again; None for nobody.
    """

    backup: BackupReport
    state_dir: Path
    held: int
    erased: ErasureReceipt | None = None


def format_backup_name(now: Instant) -> str:
    """What a backup is called that nobody named."""
    return f"instar-{format_file_time(now)}.tar.zst"


# --- create -----------------------------------------------------------------------------------------------------------


def create_backup(source: BackupSource, target: Path, *, now: Instant, version: str) -> BackupReport:
    """Write a backup while a gateway runs or not, read it back, then give it its name. Blocking.

    Raises `InvalidRequest` when something lies there already, `StoreError`, OSError; then no file is left.
    """
    if os.path.lexists(target):
        raise InvalidRequest(f"{target} is there already", why="a backup never overwrites", fix="Give another name.")
    make_private_folder(target.parent)
    with tempfile.TemporaryDirectory(prefix=".instar-backup-", dir=target.parent) as folder:
        copy = Path(folder) / "instar.db"
        copy_database(source.database, copy)
        facts = read_facts(copy)
        if facts.problems:
            raise StoreUnreadable(
                f"{source.database} is damaged",
                why=facts.problems[0],
                fix="Run `instar doctor`. No backup was written, so none replaces an older, sound one.",
            )
        made = Path(folder) / "backup"
        _write_archive(made, copy, source, facts, now=now, version=version)
        report = verify_backup(made)
        if os.path.lexists(target):
            raise InvalidRequest(f"{target} came meanwhile", why="a backup never overwrites", fix="Give another name.")
        made.rename(target)
    sync_folder(target.parent)
    return replace(report, path=target)


def _write_archive(
    made: Path, copy: Path, source: BackupSource, facts: DatabaseFacts, *, now: Instant, version: str
) -> None:
    import zstandard

    descriptor = os.open(made, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb") as raw:
        compressor = zstandard.ZstdCompressor(level=6, write_checksum=True)
        with (
            compressor.stream_writer(raw, closefd=False) as stream,
            tarfile.open(fileobj=stream, mode="w|", format=tarfile.PAX_FORMAT) as tar,
        ):
            members = [_add_database(tar, copy, now=now)]
            skipped: list[str] = []
            for name, path in sorted(source.files.items()):
                member = _add_file(tar, f"{_STATE}/{name}", path, skipped)
                members += [] if member is None else [member]
            manifest = {
                "format": FORMAT,
                "version": VERSION,
                "createdAt": now,
                "instar": version,
                "schemaVersion": facts.schema.schema_version,
                "oldestBuild": facts.schema.oldest_build,
                "counts": dict(facts.counts),
                "notes": list(source.notes),
                "skipped": skipped,
                "files": members,
            }
            _add_bytes(tar, _MANIFEST, json.dumps(manifest, ensure_ascii=False, indent=2).encode(), now=now)
        raw.flush()
        os.fsync(raw.fileno())


def _add_database(tar: tarfile.TarFile, copy: Path, *, now: Instant) -> dict[str, object]:
    digest = sha256()
    with copy.open("rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
        file.seek(0)
        tar.addfile(_member(_DATABASE, copy.stat().st_size, now), file)
    return {"path": _DATABASE, "bytes": copy.stat().st_size, "sha256": digest.hexdigest()}


def _add_file(tar: tarfile.TarFile, name: str, path: Path, skipped: list[str]) -> dict[str, object] | None:
    """Take one file as it is at this moment; one that cannot be read is named and left out (LOSS-10)."""
    try:
        facts = path.lstat()
        if not path.is_file() or path.is_symlink() or facts.st_size > _FILE_MAX_BYTES:
            skipped.append(f"{path}: it is a link, no plain file, or larger than {_FILE_MAX_BYTES} bytes")
            return None
        content = path.read_bytes()
    except OSError as error:
        skipped.append(f"{path}: {error.strerror or error}")
        return None
    _add_bytes(tar, name, content, now=Instant(facts.st_mtime_ns // 1_000_000))
    return {"path": name, "bytes": len(content), "sha256": sha256(content).hexdigest()}


def _add_bytes(tar: tarfile.TarFile, name: str, content: bytes, *, now: Instant) -> None:
    tar.addfile(_member(name, len(content), now), io.BytesIO(content))


def _member(name: str, size: int, at: Instant) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.size, info.mtime, info.mode = size, at // 1000, 0o600
    return info


# --- verify -----------------------------------------------------------------------------------------------------------


def verify_backup(path: Path) -> BackupReport:
    """Read a whole backup: every checksum, the database's own integrity, its counts. Blocking; needs no gateway.

    Raises `StoreUnreadable` naming what is damaged, OSError.
    """
    place = path.parent if os.access(path.parent, os.W_OK) else None
    with tempfile.TemporaryDirectory(prefix=".instar-verify-", dir=place) as folder:
        return _unpack(path, Path(folder), keep=lambda name: name == _DATABASE)


def _unpack(path: Path, folder: Path, *, keep: Callable[[str], bool]) -> BackupReport:
    """Put the kept members below `folder` and check all. Raises `StoreUnreadable`."""
    import zstandard

    seen: dict[str, tuple[int, str]] = {}
    manifest: bytes | None = None
    try:
        with (
            path.open("rb") as raw,
            zstandard.ZstdDecompressor().stream_reader(raw) as stream,
            tarfile.open(fileobj=stream, mode="r|") as tar,
        ):
            for member, file in _members(tar, path):
                if member.name == _MANIFEST:
                    manifest = file.read(_MANIFEST_MAX_BYTES)
                else:
                    seen[member.name] = _take(file, folder / member.name if keep(member.name) else None)
    except (tarfile.TarError, zstandard.ZstdError, EOFError) as error:
        raise _damaged(path, str(error) or "it ends too early") from error
    if manifest is None:
        raise _damaged(path, "it has no manifest, so it was cut off or is no backup")
    return _check(path, manifest, seen, folder)


def _members(tar: tarfile.TarFile, path: Path) -> Iterator[tuple[tarfile.TarInfo, IO[bytes]]]:
    """The plain files of an archive; any other kind, and any name that leads out, is refused (STORE-12)."""
    for member in tar:
        parts = PurePosixPath(member.name).parts
        is_inside = member.name == _MANIFEST or (parts[:1] == (_STATE,) and ".." not in parts and len(parts) > 1)
        file = tar.extractfile(member) if member.isreg() and is_inside else None
        if file is None:
            raise _damaged(path, f"{member.name!r} has no place in a backup")
        yield member, file


def _take(file: IO[bytes], target: Path | None) -> tuple[int, str]:
    """Read a member, and write it where `target` says; its size and digest."""
    digest, size = sha256(), 0
    if target is not None:
        make_private_folder(target.parent)
    descriptor = os.open(target or os.devnull, os.O_WRONLY | (os.O_CREAT | os.O_EXCL if target else 0), 0o600)
    with os.fdopen(descriptor, "wb") as out:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
            size += len(chunk)
            out.write(chunk)
        if target is not None:
            out.flush()
            os.fsync(out.fileno())
    return size, digest.hexdigest()


def _check(path: Path, text: bytes, seen: Mapping[str, tuple[int, str]], folder: Path) -> BackupReport:
    """Hold what was read against the manifest, and the database against itself."""
    manifest = _read_manifest(path, text)
    listed = {str(one["path"]): (one["bytes"], one["sha256"]) for one in manifest["files"]}
    for name in sorted(listed.keys() | seen.keys()):
        if listed.get(name) != seen.get(name):
            raise _damaged(path, f"{name} is missing, too much, or not as it was written")
    facts = read_facts(folder / _DATABASE)
    if facts.problems:
        raise _damaged(path, facts.problems[0])
    if dict(facts.counts) != manifest["counts"]:
        raise _damaged(path, "its database has other numbers of rows than its manifest says")
    return BackupReport(
        path=path,
        created_at=Instant(manifest["createdAt"]),
        version=str(manifest["instar"]),
        schema_version=facts.schema.schema_version,
        counts=dict(facts.counts),
        files=len(listed),
        bytes=path.stat().st_size,
        notes=tuple(map(str, manifest["notes"])),
        skipped=tuple(map(str, manifest["skipped"])),
    )


def _read_manifest(path: Path, text: bytes) -> dict[str, Any]:  # Any: JSON, whose parts are compared below
    try:
        manifest: dict[str, Any] = json.loads(text)
        is_ours = manifest["format"] == FORMAT
        if is_ours and manifest["version"] > VERSION:
            raise StoreError(
                f"{path} was written by a newer build",
                why=f"its version is {manifest['version']}, and this build reads up to {VERSION}",
                fix="Use that build.",
            )
        fields = ("files", "counts", "createdAt", "instar", "notes", "skipped")
        if not is_ours or any(name not in manifest for name in fields):
            raise _damaged(path, "its manifest is not that of a backup")
    except (ValueError, TypeError, KeyError) as error:
        raise _damaged(path, f"its manifest cannot be read ({error})") from error
    return manifest


def _damaged(path: Path, why: str) -> StoreUnreadable:
    return StoreUnreadable(f"{path} is no sound backup", why=why, fix="Use another backup. Nothing was changed.")


# --- restore ----------------------------------------------------------------------------------------------------------


def restore_backup(
    path: Path,
    state_dir: Path,
    *,
    now: Instant,
    lists: Sequence[Path] = (),
    find_master: FindMaster | None = None,
) -> RestoreReport:
    """Put a backup into a state directory that is empty or not there yet; all of it or nothing. Blocking.

    Where its words are encrypted, its key ring is looked for where the lists are, and comes along; `find_master` gives
    the master key for a restored directory.

    Whoever was erased since it was made is taken out again (LEAK-11): by the lists in the folders `lists`, in that of
    the backup and in the one above, which is the state directory that it was made in.
    Raises `InvalidRequest` for a directory that holds anything, `StoreUnreadable`, `StoreTooNew`, OSError.
    """
    state_dir = state_dir.absolute()
    if state_dir.is_symlink() or (state_dir.exists() and (not state_dir.is_dir() or any(state_dir.iterdir()))):
        raise InvalidRequest(
            f"{state_dir} is not empty",
            why="a backup is restored into an empty state directory only",
            fix="Name a new directory with --state-dir, or move that one away.",
        )
    make_private_folder(state_dir.parent)
    places = [*lists, path.absolute().parent, path.absolute().parent.parent]
    erased = read_lists(places)
    with tempfile.TemporaryDirectory(prefix=".instar-restore-", dir=state_dir.parent) as folder:
        report = _unpack(path, Path(folder), keep=lambda _: True)
        made = Path(folder) / _STATE
        held = make_ready(Path(folder) / _DATABASE, now=now)
        is_needed = any(one.at > report.created_at for one in erased)
        seals = bring_ring(made, places, find_master=find_master, is_needed=is_needed)
        receipt = None
        if seals is not None or not is_sealed(made / DATABASE_NAME):
            receipt = reapply_erasures(made, erased, made_at=report.created_at, now=now, seals=seals)
        if state_dir.exists():
            state_dir.rmdir()
        shutil.copymode(folder, made)
        made.rename(state_dir)
    sync_folder(state_dir.parent)
    return RestoreReport(backup=report, state_dir=state_dir, held=held, erased=receipt)
