"""A disk that fills up under a backup, an export, an import or a migration: a clear sentence, and nothing half-written.

The limit on file size (`RLIMIT_FSIZE`) holds for every user; a file system of a few megabytes needs root and shows the
real error.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import resource
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from instar.core.model.ids import AgentId, SessionKey
from instar.stores.migrate import load_steps
from instar.stores.sqlite import SqliteStore
from instar.stores.sqlite.connection import open_writer
from tests.builders.disk import needs_small_disk, small_disk
from tests.builders.imports import import_transcript_file
from tests.builders.openclaw import OpenClawState
from tests.builders.store import NOW

KIB = 1024


def fill_state(state: Path) -> None:
    """A state directory with some megabytes of words that do not shrink much."""
    old = OpenClawState(state.parent / "source")
    words = [
        " ".join(hashlib.sha256(f"{number} {part}".encode()).hexdigest() for part in range(60)) for number in range(600)
    ]
    path = old.add("agent:main:main", 1, *words)

    async def story():
        store = SqliteStore(state / "instar.db", reserve_bytes=0)
        await store.open()
        await import_transcript_file(store, path, key=SessionKey("agent:main:main"), agent_id=AgentId("main"), now=NOW)
        await store.close()

    asyncio.run(story())


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    state = tmp_path_factory.mktemp("full") / "state"
    fill_state(state)
    return state


def run(*args: str, state: Path, limit_bytes: int | None = None) -> subprocess.CompletedProcess[str]:
    """A command, where no file may grow beyond the limit."""

    def limit() -> None:
        if limit_bytes is not None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit_bytes, limit_bytes))

    return subprocess.run(
        [sys.executable, "-m", "instar", *args],
        env={**os.environ, "INSTAR_STATE_DIR": str(state)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        preexec_fn=limit,
    )


def check_refusal(done: subprocess.CompletedProcess[str], *words: str) -> None:
    """A sentence with what, why and what to do; never a traceback."""
    said = done.stdout + done.stderr
    assert done.returncode == 1, said
    assert "Traceback" not in said
    assert any(word in said for word in words), said


WRITES = {
    "backup": ("backup", "create", "{target}/b.tar.zst"),
    "export": ("export", "all", "--output", "{target}/all"),
    "one session": ("sessions", "export", "agent:main:main", "--output", "{target}/s.jsonl"),
}


@pytest.mark.parametrize("name", WRITES)
def test_where_no_file_may_grow_nothing_is_left_that_looks_whole(source: Path, tmp_path: Path, name: str):
    target = tmp_path / "target"
    target.mkdir()
    before = digest_of(source / "instar.db")
    args = [part.format(target=target) for part in WRITES[name]]
    done = run(*args, state=source, limit_bytes=512 * KIB)
    check_refusal(done, "too large", "disk", "cannot be written")
    assert [path for path in target.rglob("*") if path.is_file()] == []
    assert digest_of(source / "instar.db") == before
    assert run(*args, state=source).returncode == 0
    assert [path for path in target.rglob("*") if path.is_file()]


@needs_small_disk
@pytest.mark.parametrize("name", WRITES)
def test_on_a_full_disk_nothing_is_left_that_looks_whole(source: Path, tmp_path: Path, name: str):
    with small_disk(tmp_path / "disk", 3) as disk:
        (disk / "ballast").write_bytes(bytes(2 * KIB * KIB))
        args = [part.format(target=disk) for part in WRITES[name]]
        check_refusal(run(*args, state=source), "No space left", "disk is full", "full")
        left = [path.name for path in disk.rglob("*") if path.is_file()]
        assert left == ["ballast"]


def make_older(state: Path) -> bytes:
    """A database of an older build with words in it; its digest."""
    state.mkdir(parents=True)
    connection = open_writer(str(state / "instar.db"), load_steps("sqlite")[:3])
    filler = "x" * 1000
    rows = [(f"filler {number}", filler) for number in range(1500)]
    with connection:
        connection.executemany("INSERT INTO meta (name, value) VALUES (?, ?)", rows)
    connection.wal_checkpoint()
    connection.close()
    (state / "instar.db-wal").unlink(missing_ok=True)
    (state / "instar.db-shm").unlink(missing_ok=True)
    return hashlib.sha256((state / "instar.db").read_bytes()).digest()


def digest_of(path: Path) -> bytes:
    return hashlib.sha256(path.read_bytes()).digest()


def test_a_migration_that_has_no_room_for_its_rehearsal_leaves_the_database_as_it_was(tmp_path: Path):
    state = tmp_path / "state"
    before = make_older(state)
    done = run("gateway", "--port", "0", state=state, limit_bytes=512 * KIB)
    check_refusal(done, "disk")
    assert digest_of(state / "instar.db") == before
    assert [path.name for path in state.iterdir() if "rehearsal" in path.name] == []


@needs_small_disk
def test_a_migration_on_a_full_disk_leaves_the_database_as_it_was(tmp_path: Path):
    with small_disk(tmp_path / "disk", 64) as disk:
        before = make_older(disk / "state")
        (disk / "ballast").write_bytes(bytes(shutil.disk_usage(disk).free - 512 * KIB))
        done = run("gateway", "--port", "0", state=disk / "state")
        check_refusal(done, "the disk is full", "No space left")
        assert digest_of(disk / "state" / "instar.db") == before
        assert [path.name for path in (disk / "state").iterdir() if "rehearsal" in path.name] == []


@needs_small_disk
def test_an_import_on_a_full_disk_says_so_and_goes_on_when_there_is_room(tmp_path: Path):
    old = OpenClawState(tmp_path / "old")
    for number in range(1, 30):
        old.add(f"agent:main:telegram:direct:{number}", number, *(["words " * 2000] * 20))
    old.file("state/openclaw.sqlite", "x" * 2_000_000)
    old.write_index()
    with small_disk(tmp_path / "disk", 24) as disk:
        (disk / "ballast").write_bytes(bytes(4 * KIB * KIB))
        check_refusal(run("import", "openclaw", str(old.root), "--yes", state=disk / "state"), "full", "No space left")
        (disk / "ballast").unlink()
        run("import", "openclaw", str(old.root), "--yes", state=disk / "state")
        listed = [path.name for path in (disk / "state").rglob("*") if path.name.endswith(".part")]
        assert listed == []
