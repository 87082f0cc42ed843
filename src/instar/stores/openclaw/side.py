"""What lies beside the sessions: memory files are copied; configuration, jobs, allow-lists are told (STORE-6)."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import pyjson5

from instar.config.config import Config
from instar.config.load import list_problems
from instar.errors import ConfigError
from instar.stores.openclaw.report import ImportItem
from instar.stores.openclaw.scan import FoundState
from instar.system.files import make_private_folder, replace_file

__all__ = ["carry_memory", "note_side_files"]

_MEMORY_MAX_BYTES: Final = 16 * 1024 * 1024
_SIDE_MAX_BYTES: Final = 16 * 1024 * 1024


def carry_memory(found: FoundState, workspace: Path, *, is_dry_run: bool) -> list[ImportItem]:
    """Copy memory files to the same places of the workspace; a place that holds other words keeps them. Blocking."""
    return [_carry_one(found, name, path, workspace / name, is_dry_run=is_dry_run) for name, path in found.memory]


def _carry_one(found: FoundState, name: str, path: Path, target: Path, *, is_dry_run: bool) -> ImportItem:
    source = path.relative_to(found.root).as_posix()
    try:
        if path.stat().st_size > _MEMORY_MAX_BYTES:
            return ImportItem(kind="memory", status="noted", source=source, detail="it is too large to be a memory")
        content = path.read_bytes()
        if target.is_symlink() or (target.exists() and target.read_bytes() != content):
            detail = f"{target} holds other words and stays; compare the two"
            return ImportItem(kind="memory", status="kept", source=source, detail=detail)
        if target.exists():
            return ImportItem(kind="memory", status="known", source=source)
        if not is_dry_run:
            make_private_folder(target.parent)
            replace_file(target, [content])
    except OSError as error:
        return ImportItem(kind="memory", status="damaged", source=source, detail=f"{name}: {error.strerror or error}")
    return ImportItem(
        kind="memory", status="would-copy" if is_dry_run else "copied", source=source, detail=f"to {target}"
    )


def note_side_files(found: FoundState, config: Config) -> list[ImportItem]:
    """What a person has to carry over by hand, with what to do. Blocking."""
    items = []
    if found.config is not None:
        items += _note_config(found.config, found.root, config)
    if found.cron is not None:
        jobs = _read(found.cron)
        listed = jobs.get("jobs") if isinstance(jobs, dict) else jobs
        count = len(listed) if isinstance(listed, list) else 0
        detail = f"{count} jobs; this build runs no jobs, so nothing was taken over"
        items.append(ImportItem(kind="cron", status="noted", source=_name(found, found.cron), detail=detail))
    for path in found.credentials:
        items.append(ImportItem(kind="pairing", status="noted", source=_name(found, path), detail=_tell_peers(path)))
    return items


def _note_config(path: Path, root: Path, config: Config) -> list[ImportItem]:
    """What Instar would make of the configuration file, each finding with its line."""
    source = path.relative_to(root).as_posix()
    target = config.state_dir / "instar.json5"
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, ValueError) as error:
        return [ImportItem(kind="config", status="damaged", source=source, detail=str(error))]
    wrong, notes = list_problems(text, file="", env={}, home=config.home)
    where = f"it can be copied to {target}" if not wrong else "mend it before you copy it"
    items = [ImportItem(kind="config", status="noted", source=source, detail=where)]
    items += [_note_error(source, error) for error in wrong]
    items += [
        ImportItem(kind="config", status="noted", source=source, line=note.line or 0, detail=str(note))
        for note in notes
    ]
    return items


def _note_error(source: str, error: ConfigError) -> ImportItem:
    return ImportItem(kind="config", status="damaged", source=source, line=error.line or 0, detail=str(error))


def _tell_peers(path: Path) -> str:
    """Who was let in, as a setting that lets them in again."""
    channel = path.name.rpartition("-")[0]
    value = _read(path)
    allowed = value.get("allowFrom") if isinstance(value, dict) else value
    if path.name.endswith("-pairing.json"):
        return f"requests that waited for approval on {channel}; they ask again by themselves"
    names = [str(one) for one in allowed] if isinstance(allowed, list) else []
    return f"{len(names)} senders; set channels.{channel}.allowFrom to {names}" if names else "nobody in it"


def _read(path: Path) -> object:
    try:
        if path.stat().st_size > _SIDE_MAX_BYTES:
            return None
        value: object = pyjson5.loads(path.read_text(encoding="utf-8-sig", errors="replace"))
    except (OSError, pyjson5.Json5Exception, RecursionError):
        return None
    return value


def _name(found: FoundState, path: Path) -> str:
    return path.relative_to(found.root).as_posix()
