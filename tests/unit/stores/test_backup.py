"""Backups: taken while words arrive, sound or refused, restored whole or not at all (LOSS-12)."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import apsw
import pytest

from instar.config.config import parse_config
from instar.core.model.change import SessionChange
from instar.core.model.ids import Instant
from instar.errors import InvalidRequest, NotFound, StoreUnreadable
from instar.stores.backup import BackupReport, BackupSource, create_backup, restore_backup, verify_backup
from instar.stores.backup_source import build_source
from instar.stores.sqlite.snapshot import read_facts
from tests.builders.store import NOW, SessionTalk, accept, build_delivery, build_message, file_store


def rows(path: Path, sql: str) -> list[tuple[object, ...]]:
    connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)
    try:
        return connection.execute(sql).fetchall()
    finally:
        connection.close()


async def fill(state: Path) -> None:
    async with file_store(state / "instar.db")() as store:
        await accept(store)
        talk = SessionTalk(store)
        await talk.begin(build_message(1, None, "first words"), build_message(2, 1))
        await talk.change(SessionChange(deliveries=(build_delivery(1),)))


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """A state directory with a session, a configuration, a workspace and the archive of a deleted session."""
    state = tmp_path / "state"
    asyncio.run(fill(state))
    (state / "instar.json5").write_text("{}")
    (state / "workspace").mkdir()
    (state / "workspace" / "MEMORY.md").write_text("Ann likes tea")
    folder = state / "agents" / "main" / "sessions"
    folder.mkdir(parents=True)
    (folder / "ab.jsonl.deleted.2026-03-10T12-00-00.000Z.zst").write_bytes(b"archive")
    (folder / "sessions.json").write_text("{}")
    return state


def source_of(state: Path) -> BackupSource:
    return build_source(parse_config({}, env={}, state_dir=state, home=state.parent), state / "instar.json5")


def back_up(state: Path, name: str = "b.tar.zst") -> BackupReport:
    return create_backup(source_of(state), state.parent / name, now=NOW, version="0")


def test_what_was_backed_up_comes_back(state: Path, tmp_path: Path):
    report = back_up(state)
    assert report == verify_backup(report.path)
    assert (report.counts["sessions"], report.counts["entries"], report.files) == (1, 2, 4)
    assert report.path.stat().st_mode & 0o777 == 0o600
    restored = restore_backup(report.path, tmp_path / "new", now=NOW)
    new = restored.state_dir
    assert rows(new / "instar.db", "SELECT line FROM entries ORDER BY seq") == rows(
        state / "instar.db", "SELECT line FROM entries ORDER BY seq"
    )
    assert (new / "workspace" / "MEMORY.md").read_text() == "Ann likes tea"
    assert [path.name for path in (new / "agents" / "main" / "sessions").iterdir()] == [
        "ab.jsonl.deleted.2026-03-10T12-00-00.000Z.zst"
    ]
    assert new.stat().st_mode & 0o777 == 0o700
    assert sorted(path.name for path in tmp_path.iterdir()) == ["b.tar.zst", "new", "state"]


def test_a_restored_store_opens_and_goes_on(state: Path, tmp_path: Path):
    new = restore_backup(back_up(state).path, tmp_path / "new", now=NOW).state_dir

    async def scenario():
        async with file_store(new / "instar.db")() as store:
            await SessionTalk(store).append(build_message(3, 2))
            assert await SessionTalk(store).numbers() == [1, 2, 3]

    asyncio.run(scenario())


def test_replies_that_were_owed_then_are_held_after_a_restore(state: Path, tmp_path: Path):
    restored = restore_backup(back_up(state).path, tmp_path / "new", now=NOW)
    assert restored.held == 1
    assert rows(restored.state_dir / "instar.db", "SELECT state, reason FROM outbox") == [("unknown", "held")]
    assert rows(state / "instar.db", "SELECT state FROM outbox") == [("pending",)]


def test_the_mirror_of_the_old_place_is_forgotten(state: Path, tmp_path: Path):
    connection = apsw.Connection(str(state / "instar.db"))
    connection.execute("INSERT INTO mirror VALUES ('x', '/old/x.jsonl', 1, 1, 1)")
    connection.close()
    restored = restore_backup(back_up(state).path, tmp_path / "new", now=NOW)
    assert rows(restored.state_dir / "instar.db", "SELECT * FROM mirror") == []


def test_a_backup_during_writing_is_the_state_of_one_moment(state: Path, tmp_path: Path):
    async def scenario():
        async with file_store(state / "instar.db")() as store:
            talk = SessionTalk(store)
            taking = asyncio.create_task(asyncio.to_thread(back_up, state))
            number = 2
            while not taking.done():
                number += 1
                await talk.append(build_message(number, number - 1))
            return number, await taking

    last, report = asyncio.run(scenario())
    new = restore_backup(report.path, tmp_path / "new", now=NOW).state_dir
    seqs = [row[0] for row in rows(new / "instar.db", "SELECT seq FROM entries ORDER BY seq")]
    assert seqs == list(range(1, len(seqs) + 1))
    assert 2 <= len(seqs) <= last
    assert report.counts["entries"] == len(seqs)
    assert not read_facts(new / "instar.db").problems


def test_a_backup_never_overwrites(state: Path):
    back_up(state)
    with pytest.raises(InvalidRequest, match="there already"):
        back_up(state)


def test_a_directory_that_holds_anything_is_refused(state: Path, tmp_path: Path):
    report = back_up(state)
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "x").write_text("mine")
    with pytest.raises(InvalidRequest, match="not empty"):
        restore_backup(report.path, tmp_path / "full", now=NOW)
    assert [path.name for path in (tmp_path / "full").iterdir()] == ["x"]


@pytest.mark.parametrize("part", [0, 0.1, 0.5, 0.9, 0.999])
def test_a_flipped_bit_anywhere_is_found(state: Path, tmp_path: Path, part: float):
    path = back_up(state).path
    content = bytearray(path.read_bytes())
    content[int(len(content) * part)] ^= 0x10
    path.write_bytes(content)
    with pytest.raises(StoreUnreadable, match="no sound backup"):
        verify_backup(path)
    with pytest.raises(StoreUnreadable):
        restore_backup(path, tmp_path / "new", now=NOW)
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("part", [0, 0.3, 0.99])
def test_a_backup_that_was_cut_is_refused(state: Path, part: float):
    path = back_up(state).path
    os.truncate(path, int(path.stat().st_size * part))
    with pytest.raises(StoreUnreadable, match="no sound backup"):
        verify_backup(path)


def test_a_damaged_database_gives_no_backup(state: Path, tmp_path: Path):
    path = state / "instar.db"
    with path.open("r+b") as file:
        file.seek(4096 * 3)
        file.write(b"\x5a" * 4096 * 4)
    with pytest.raises(StoreUnreadable):
        back_up(state)
    assert sorted(one.name for one in tmp_path.iterdir()) == ["state"]


def test_links_in_a_workspace_are_named_and_left_out(state: Path, tmp_path: Path):
    (state / "workspace" / "passwords").symlink_to("/etc/passwd")
    report = back_up(state)
    assert "passwords" in report.skipped[0]
    new = restore_backup(report.path, tmp_path / "new", now=NOW).state_dir
    assert [path.name for path in (new / "workspace").iterdir()] == ["MEMORY.md"]


def test_a_workspace_elsewhere_comes_back_inside_and_is_told(state: Path, tmp_path: Path):
    outside = tmp_path / "elsewhere"
    outside.mkdir()
    (outside / "SOUL.md").write_text("kind")
    config = parse_config({"agents": {"defaults": {"workspace": str(outside)}}}, env={}, state_dir=state, home=tmp_path)
    report = create_backup(build_source(config, None), tmp_path / "b", now=NOW, version="0")
    assert str(outside) in report.notes[0]
    new = restore_backup(report.path, tmp_path / "new", now=NOW).state_dir
    assert (new / "workspaces" / "main" / "SOUL.md").read_text() == "kind"


def test_a_member_that_leads_out_is_refused(tmp_path: Path):
    import io
    import tarfile

    import zstandard

    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w") as tar:
        info = tarfile.TarInfo("state/../../out")
        info.size = 1
        tar.addfile(info, io.BytesIO(b"x"))
    (tmp_path / "b").write_bytes(zstandard.compress(raw.getvalue()))
    with pytest.raises(StoreUnreadable, match="has no place"):
        restore_backup(tmp_path / "b", tmp_path / "new", now=Instant(1))
    assert not (tmp_path.parent / "out").exists()


def test_without_a_database_there_is_nothing_to_back_up(tmp_path: Path):
    with pytest.raises(NotFound, match="no database"):
        source_of(tmp_path)


def test_what_an_import_kept_and_workspaces_beside_come_along(state: Path, tmp_path: Path):
    for name in ("imported/openclaw/cron/jobs.json", "workspace-bo/MEMORY.md"):
        (state / name).parent.mkdir(parents=True, exist_ok=True)
        (state / name).write_text(name)
    back_up(state)
    restore_backup(tmp_path / "b.tar.zst", tmp_path / "new", now=NOW)
    assert (tmp_path / "new" / "imported" / "openclaw" / "cron" / "jobs.json").read_text().endswith("jobs.json")
    assert (tmp_path / "new" / "workspace-bo" / "MEMORY.md").read_text().endswith("MEMORY.md")
