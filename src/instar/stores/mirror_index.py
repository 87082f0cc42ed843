"""Writing ``sessions.json``: all sessions of an agent in one file that people can read (STORE-3).

The rows are read and written in slices, so nothing waits for it, then the file is renamed over the old one. A file
that another hand has changed meanwhile is kept beside. How the file will be left is stored before the rename: after
a crash in between, either the old or the new one is recognised as ours.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from instar.core.model.ids import AgentId, Instant
from instar.stores.mirror_files import read_mark, set_aside
from instar.stores.mirror_rows import IndexSlice, load_index_slice, load_mark, save_marks
from instar.stores.store import SessionStore
from instar.stores.transaction import Transaction
from instar.system.files import make_private_folder

__all__ = ["compare_index", "take_place", "write_index"]


async def write_index(store: SessionStore, path: Path, agents: Sequence[AgentId], *, now: Instant) -> Path | None:
    """Write the index of some agents anew; where a changed file was kept, None if there was none. Raises OSError."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        await asyncio.to_thread(_create, temporary)
        async for chunk in _chunks(store, agents):
            await asyncio.to_thread(_append, temporary, chunk)
        return await take_place(store, temporary, path, owners=_owners(path), now=now)
    finally:
        await asyncio.to_thread(_remove, temporary)


def compare_index(tx: Transaction, path: Path, agents: Sequence[AgentId]) -> bool | None:
    """Whether an index holds what the rows say; None where it does not, and is as the mirror left it: it is late.

    Blocking; raises FileNotFoundError, OSError.
    """
    there = read_mark(path, 0)
    with path.open("rb") as file:
        is_level = all(file.read(len(chunk)) == chunk for chunk in _chunks_now(tx, agents)) and not file.read(1)
    if is_level:
        return True
    return None if there is not None and there in [load_mark(tx, owner) for owner in _owners(path)] else False


def _chunks_now(tx: Transaction, agents: Sequence[AgentId]) -> Iterator[bytes]:
    """The text of the file, piece by piece, as of this moment."""
    before = b"{\n"
    for agent_id in agents:
        after = ""
        while (rows := load_index_slice(tx, agent_id, after=after)).last is not None:
            yield before + rows.text
            before, after = b",\n", rows.last
    yield b"{}\n" if before == b"{\n" else b"\n}\n"


async def _chunks(store: SessionStore, agents: Sequence[AgentId]) -> AsyncIterator[bytes]:
    """The text of the file, piece by piece."""
    before = b"{\n"
    for agent_id in agents:
        after = ""
        while (rows := await store.engine.read(_question(agent_id, after))).last is not None:
            yield before + rows.text
            before, after = b",\n", rows.last
    yield b"{}\n" if before == b"{\n" else b"\n}\n"


def _question(agent_id: AgentId, after: str) -> Callable[[Transaction], IndexSlice]:
    return lambda tx: load_index_slice(tx, agent_id, after=after)


async def take_place(
    store: SessionStore, temporary: Path, path: Path, *, owners: tuple[str, str], now: Instant
) -> Path | None:
    """Rename the new file over the old one, which is kept where it is not as it was left. Raises OSError.

    `owners` are the names under which it is stored how the last but one rewrite left the file, and how the last one
    leaves it if it comes so far.
    """
    was_left, is_meant = owners
    made = await asyncio.to_thread(read_mark, temporary, 0)
    there = await asyncio.to_thread(read_mark, path, 0)
    left, meant = await store.engine.read(lambda tx: (load_mark(tx, was_left), load_mark(tx, is_meant)))
    kept = None
    if there is not None and there not in (left, meant):
        kept = await asyncio.to_thread(set_aside, path, now)
    marks = {was_left: there if kept is None else None, is_meant: made and replace(made, path=path)}
    await store.engine.write(lambda tx: save_marks(tx, marks))
    await asyncio.to_thread(temporary.replace, path)
    return kept


def _owners(path: Path) -> tuple[str, str]:
    """Under which names it is stored how an index was left by the last two rewrites."""
    return f"index left {path}", f"index meant {path}"


def _create(path: Path) -> None:
    make_private_folder(path.parent)
    os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600))


def _remove(path: Path) -> None:
    """Leave no part behind. An error here must not take the place of what ended the rewrite, a cancellation least."""
    with contextlib.suppress(OSError):
        path.unlink()


def _append(path: Path, chunk: bytes) -> None:
    with path.open("ab") as file:
        file.write(chunk)
