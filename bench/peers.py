"""Add one message and read the newest 20 back, beside the session stores of two agent frameworks.

Each store is asked through its own interface, on a file on the same disk, in a session of 200 messages and more. The
others run in a process and an environment of their own, which is made for this run and thrown away; rounds take turns.
Ours waits for the disk at every commit, as it always does.
"""

from __future__ import annotations

import itertools
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from bench.harness import Aim, Options, Row, Table, child_environment, collect, time_each, timed
from bench.inside import open_store
from bench.peer_sessions import READ_BACK, STORED, WORDS
from bench.seeds import copy_store, fill_transcript
from instar.core.model.change import SessionChange, SessionFacts
from instar.core.model.entry import MessageEntry, UserMessage
from instar.core.model.ids import EntryId, SessionId, SessionKey
from instar.stores.sqlite import SqliteStore
from instar.system.clock import SystemClock

TITLE = "Other session stores"

PEERS = {
    "agents": ("openai-agents", "OpenAI Agents SDK, SQLiteSession", ("openai-agents",)),
    "adk": ("google-adk", "Google ADK, DatabaseSessionService", ("google-adk[db]", "aiosqlite")),
}
"""By name: the package, how the row calls it, what is installed."""

INSTALL_S = 120
PIECES = 20

KEY, KEY_ID = SessionKey("agent:main:bench:peers"), SessionId("ffffffff-0000-4000-8000-000000000000")


async def measure(options: Options) -> Table:
    """A row for each of the others."""
    path = await copy_store(options, 100, options.folder / "peers")
    async with open_store(path) as store:
        await fill_transcript(store, KEY, session_id=KEY_ID, entries=STORED)
        add_and_read = build_ours(store)
        rows = [await measure_peer(options, name, add_and_read) for name in PEERS]
    return Table(title=TITLE, text=__doc__.partition("\n\n")[2], rows=tuple(rows))


def build_ours(store: SqliteStore) -> Callable[[], Awaitable[None]]:
    """One time of ours."""
    ids, clock = itertools.count(1 << 20), SystemClock()

    async def add_and_read() -> None:
        now = clock.now()
        entry_id = EntryId(f"{next(ids):08x}")

        def decide(facts: SessionFacts) -> SessionChange:
            leaf_id = facts.transcript.leaf_id if facts.transcript else None
            message = UserMessage(content=WORDS, timestamp=now)
            return SessionChange(
                entries=(MessageEntry(id=entry_id, parent_id=leaf_id, timestamp=now, message=message),)
            )

        await store.change("append", KEY, now=now, fence=None, decide=decide)
        page = await store.load_entries(KEY_ID, limit=READ_BACK)
        if len(page.entries) != READ_BACK:
            raise RuntimeError(f"the store gave {len(page.entries)} entries")

    return add_and_read


async def measure_peer(options: Options, name: str, add_and_read: Callable[[], Awaitable[None]]) -> Row:
    """The row beside one other store; without its package a row that says so."""
    package, called, wanted = PEERS[name]
    row = Row(name=f"add one, read {READ_BACK} back", against=called, aim=Aim(text="< 1×", ratio_max=0.999))
    python = install(options, name, wanted)
    if python is None:
        return replace(row, skipped=f"{package} cannot be installed here")
    with open_peer(options, python) as peer:
        if not ask(peer, name, 1):
            return replace(row, skipped=f"{package} {read_version(python, package)} does not run")

        async def ask_peer() -> Sequence[float]:
            return ask(peer, name, PIECES)

        async def ask_ours() -> Sequence[float]:
            return await time_each(add_and_read, PIECES)

        ours, theirs = await collect(ask_ours, ask_peer, rounds=options.times(40))
    against = f"{called} ({read_version(python, package)})"
    return replace(row, ours=timed(ours), against=against, theirs=timed(theirs))


@contextmanager
def open_peer(options: Options, python: Path) -> Iterator[subprocess.Popen[str]]:
    """The process that runs the other store."""
    command = [str(python), str(Path(__file__).with_name("peer_sessions.py")), str(options.folder)]
    environment = child_environment(options.folder)
    with subprocess.Popen(
        command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as peer:
        try:
            yield peer
        finally:
            peer.kill()


def ask(peer: subprocess.Popen[str], name: str, count: int) -> list[float]:
    """The seconds of each of so many times; empty from a process that has ended."""
    if peer.stdin is None or peer.stdout is None:
        raise RuntimeError("a peer is spoken to through pipes")
    peer.stdin.write(f"{name} {count}\n")
    peer.stdin.flush()
    line = peer.stdout.readline()
    taken: list[float] = json.loads(line) if line else []
    return taken


def install(options: Options, name: str, packages: Sequence[str]) -> Path | None:
    """The Python of a fresh environment with these packages; None where they cannot be had."""
    folder = options.folder / f"peer-{name}"
    python = folder / "bin" / "python"
    uv = shutil.which("uv")
    commands = [
        [uv, "venv", "--quiet", "--python", sys.executable, str(folder)],
        [uv, "pip", "install", "--quiet", "--python", str(python), *packages],
    ]
    if uv is None:
        commands = [
            [sys.executable, "-m", "venv", str(folder)],
            [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *packages],
        ]
    try:
        for command in commands:
            subprocess.run(command, check=True, timeout=INSTALL_S, capture_output=True)
    except (subprocess.SubprocessError, OSError):
        return None
    return python


def read_version(python: Path, package: str) -> str:
    """The version that was installed."""
    code = f"import importlib.metadata as m; print(m.version({package!r}))"
    shown = subprocess.run([str(python), "-c", code], check=True, capture_output=True, text=True).stdout
    return re.sub(r"\s", "", shown)
