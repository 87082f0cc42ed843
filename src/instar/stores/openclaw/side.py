"""What lies beside the sessions (STORE-6): memory goes into workspaces, a configuration is proposed, the rest is kept.

What Instar has no room for yet (jobs, databases of later versions) loses nothing: it lies byte for byte below
``imported/openclaw`` in the state directory, and the report says where. A place that holds something else is never
written over.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Container, Iterator
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Final

import pyjson5

from instar.config.config import Config
from instar.config.load import list_problems
from instar.core.model.ids import AgentId
from instar.stores.openclaw.report import ImportItem, ItemKind, ItemStatus
from instar.stores.openclaw.scan import FoundState
from instar.stores.openclaw.translate import translate_config
from instar.system.files import create_private_file, make_private_folder, replace_file, sync_file

__all__ = ["PROPOSED_NAME", "Without", "carry_memory", "keep_files", "propose_config", "read_listed"]

PROPOSED_NAME: Final = "instar.proposed.json5"
_KEPT: Final = Path("imported", "openclaw")
Without = Callable[[Path], Path | None]
"""Gives a file as it may be taken: as it is, or a copy without who was erased here; None where there can be none."""


def _as_it_is(path: Path) -> Path:
    return path


_SIDE_MAX_BYTES: Final = 16 * 1024 * 1024
"""A memory file, a configuration or a list above this is none: it is kept, and not read."""


def carry_memory(
    found: FoundState, config: Config, *, is_dry_run: bool, without: Without = _as_it_is
) -> list[ImportItem]:
    """Copy memory files to the same places of each agent's workspace. Blocking.

    An agent that would share the default one's workspace gets a folder of its own: notes of one agent are not for
    another (LEAK-6).
    """
    items = []
    for one in found.memory:
        folder, note = _workspace(config, one.agent_id)
        item = _carry_one(found, one.path, folder / one.name, kind="memory", is_dry_run=is_dry_run, without=without)
        items.append(replace(item, detail=f"{item.detail}{note}"))
    items += [
        ImportItem(
            kind="memory",
            status="noted",
            source=name,
            detail=f"{count} files are no memory and stay where they are; copy by hand what the agent works on",
        )
        for name, count in sorted(found.others.items())
    ]
    return items


def _workspace(config: Config, agent_id: str) -> tuple[Path, str]:
    """The folder of an agent, and what to do so that the agent finds it."""
    default = config.workspace(config.agents.default_id)
    if not agent_id or agent_id == config.agents.default_id:
        return Path(default), ""
    named = config.workspace(AgentId(agent_id))
    if named != default:
        return Path(named), ""
    own = f"workspace-{agent_id}"
    return config.state_dir / own, f"; set workspace to {own!r} for agent {agent_id}, which has none of its own yet"


# --- the configuration ------------------------------------------------------------------------------------------------


def propose_config(
    found: FoundState, config: Config, *, is_dry_run: bool, without: Without = _as_it_is
) -> list[ImportItem]:
    """Write the configuration as Instar would have it beside the state's own, and tell what was changed. Blocking."""
    path = found.config
    if path is None:
        return []
    source = _name(found, path)
    try:
        text = (without(path) or path).read_text(encoding="utf-8-sig")
    except (OSError, ValueError) as error:
        return [ImportItem(kind="config", status="damaged", source=source, detail=str(error))]
    made = translate_config(
        text,
        root=found.root,
        home=config.home,
        default_agent=config.agents.default_id,
        workspaces=frozenset(one.agent_id for one in found.memory),
    )
    told = [
        ImportItem(kind="config", status="noted", source=source, line=line, detail=what) for line, what in made.changes
    ]
    if made.problem:
        why = f"there is no proposal: {made.problem}"
        return [ImportItem(kind="config", status="damaged", source=source, detail=why), *told]
    target = config.state_dir / PROPOSED_NAME
    item = _write_one(source, target, made.text.encode(), is_dry_run=is_dry_run)
    use = f"read it, then name it {target.with_name('instar.json5')}"
    _wrong, notes = list_problems(made.text, env={}, home=config.home)
    told += [
        ImportItem(kind="config", status="noted", source=source, line=max(0, (note.line or 0) - 1), detail=str(note))
        for note in notes
    ]
    return [replace(item, detail=f"{item.detail}; {use}"), *told]


def _write_one(source: str, target: Path, content: bytes, *, is_dry_run: bool) -> ImportItem:
    if target.is_symlink() or (target.exists() and target.read_bytes() != content):
        return ImportItem(kind="config", status="kept", source=source, detail=f"{target} holds other words and stays")
    if target.exists():
        return ImportItem(kind="config", status="known", source=source, detail=f"proposed in {target}")
    if not is_dry_run:
        make_private_folder(target.parent)
        replace_file(target, [content])
    status: ItemStatus = "would-copy" if is_dry_run else "copied"
    return ImportItem(kind="config", status=status, source=source, detail=f"proposed in {target}")


# --- what is kept -----------------------------------------------------------------------------------------------------


def keep_files(
    found: FoundState,
    config: Config,
    *,
    is_dry_run: bool,
    read: Container[Path] = frozenset(),
    without: Without = _as_it_is,
) -> list[ImportItem]:
    """Copy what Instar has no room for, byte for byte, and say what it is; `read` are databases made out. Blocking."""
    items = []
    for kind, path, tell in _kept(found, read):
        target = config.state_dir / _KEPT / path.relative_to(found.root)
        item = _carry_one(found, path, target, kind=kind, is_dry_run=is_dry_run, without=without)
        items.append(replace(item, detail=f"{item.detail}; {tell(path)}"))
    return items


def _kept(found: FoundState, read: Container[Path]) -> Iterator[tuple[ItemKind, Path, Callable[[Path], str]]]:
    if found.config is not None:
        yield "config", found.config, lambda _: "as it was"
    for path in found.cron:
        yield "cron", path, _tell_jobs
    for path in found.credentials:
        yield "pairing", path, _tell_peers
    for path in found.databases:
        yield "database", path, _tell_read if _main_file(path) in read else _tell_unknown


def _carry_one(
    found: FoundState, path: Path, target: Path, *, kind: ItemKind, is_dry_run: bool, without: Without
) -> ImportItem:
    """Copy one file; where something else lies already it goes beside, under a name that tells its content."""
    source = _name(found, path)
    try:
        copy = without(path)
        if copy is None:
            detail = "it names somebody who was erased here, and is no text that could go without them; it stays there"
            return ImportItem(kind=kind, status="refused", source=source, detail=detail)
        path = copy
        if _is_same(path, target):
            return ImportItem(kind=kind, status="known", source=source, detail=f"in {target}")
        if kind == "memory" and path.stat().st_size > _SIDE_MAX_BYTES:
            return ImportItem(kind=kind, status="noted", source=source, detail="it is too large to be a memory")
        if target.is_symlink() or target.exists():
            if kind == "memory":
                detail = f"{target} holds other words and stays; compare the two"
                return ImportItem(kind=kind, status="kept", source=source, detail=detail)
            target = target.with_name(f"{target.name}.{_digest(path)[:8]}")
            if _is_same(path, target):
                return ImportItem(kind=kind, status="known", source=source, detail=f"in {target}")
        if not is_dry_run:
            _copy(path, target)
    except OSError as error:
        return ImportItem(kind=kind, status="damaged", source=source, detail=f"{path.name}: {error.strerror or error}")
    return ImportItem(kind=kind, status="would-copy" if is_dry_run else "copied", source=source, detail=f"to {target}")


def _copy(path: Path, target: Path) -> None:
    """Copy a file of any size: whole under its name, or not there. Raises OSError."""
    make_private_folder(target.parent)
    part = target.with_name(f".{target.name}.part")
    try:
        create_private_file(part)
        shutil.copyfile(path, part, follow_symlinks=False)
        sync_file(part)
        part.rename(target)
    except BaseException:
        part.unlink(missing_ok=True)
        raise


def _is_same(path: Path, target: Path) -> bool:
    return (
        target.is_file()
        and not target.is_symlink()
        and target.stat().st_size == path.stat().st_size
        and _digest(target) == _digest(path)
    )


def _digest(path: Path) -> str:
    digest = sha256()
    with path.open("rb") as file:
        while chunk := file.read(1024 * 1024):
            digest.update(chunk)
    return digest.hexdigest()


def _main_file(path: Path) -> Path:
    """The database that a log belongs to."""
    return path.with_name(path.name.removesuffix("-wal"))


def _tell_read(_: Path) -> str:
    return "a database of a later version; what this build knows of it was read, the rest waits here"


def _tell_unknown(_: Path) -> str:
    return "a database in which this build can make out nothing"


def _tell_jobs(path: Path) -> str:
    if path.name != "jobs.json":
        return "what jobs did"
    jobs = read_listed(path, "jobs")
    return "it cannot be read" if jobs is None else f"as it was; its {len(jobs)} jobs are told of one by one"


def _tell_peers(path: Path) -> str:
    """What a list was for; whom it names is approved (`doorkeeper`)."""
    if path.name.endswith("-pairing.json"):
        return "requests that waited for approval; they ask again by themselves"
    return "as it was"


def read_listed(path: Path, name: str) -> list[object] | None:
    """The list of a file that holds one, or an object with one of that name; None for anything else. Blocking."""
    try:
        if path.stat().st_size > _SIDE_MAX_BYTES:
            return None
        value: object = pyjson5.loads(path.read_text(encoding="utf-8-sig", errors="replace"))
    except (OSError, pyjson5.Json5Exception, RecursionError):
        return None
    listed = value.get(name) if isinstance(value, dict) else value
    return listed if isinstance(listed, list) else None


def _name(found: FoundState, path: Path) -> str:
    return path.relative_to(found.root).as_posix()
