"""A log with a hole in its middle is told from one that a crash cut at its end (LOSS-10)."""

import asyncio
import shutil

import pytest
from structlog.testing import capture_logs

from instar.config.config import parse_config
from instar.stores.doctor import examine
from instar.stores.sqlite import SqliteStore
from instar.stores.sqlite.log_damage import find_log_damage
from tests.builders.store import SessionTalk, build_message

PAGE = 4096
FRAME = PAGE + 24
OTHER = "22222222-2222-4222-8222-222222222222"


@pytest.fixture
def killed(tmp_path):
    """A database as a kill leaves it: ten commits in its log."""
    path, folder = tmp_path / "instar.db", tmp_path / "killed"
    folder.mkdir()

    async def live():
        store = SqliteStore(path, reserve_bytes=0)
        await store.open()
        talk = SessionTalk(store)
        await talk.begin()
        for number in range(1, 11):
            await talk.append(build_message(number, None if number == 1 else number - 1))
        for name in ("instar.db", "instar.db-wal"):
            shutil.copyfile(tmp_path / name, folder / name)
        await store.close()

    asyncio.run(live())
    return folder / "instar.db"


def log_of(path):
    return path.with_name("instar.db-wal")


def spoil(path, frame):
    """Turn one bit of a frame, counted from 0."""
    content = bytearray(log_of(path).read_bytes())
    content[32 + frame * FRAME + 100] ^= 1
    log_of(path).write_bytes(content)


def test_a_sound_log_is_no_damage_and_is_left_as_it_is(killed):
    before = log_of(killed).read_bytes()
    assert find_log_damage(killed) is None
    assert log_of(killed).read_bytes() == before


@pytest.mark.parametrize("part", [0.0, 0.3, 0.6])
def test_a_hole_in_the_middle_says_how_many_commits_are_out_of_reach(killed, part):
    frames = (log_of(killed).stat().st_size - 32) // FRAME
    spoil(killed, int(frames * part))
    before = log_of(killed).read_bytes()
    damage = find_log_damage(killed)
    assert damage.sound <= frames * part
    assert damage.lost_commits >= 2
    assert log_of(killed).read_bytes() == before


@pytest.mark.parametrize("bytes_less", [1, 100, FRAME, FRAME + 30])
def test_what_a_crash_leaves_at_the_end_is_no_damage(killed, bytes_less):
    content = log_of(killed).read_bytes()
    log_of(killed).write_bytes(content[:-bytes_less])
    assert find_log_damage(killed) is None


def test_a_last_commit_that_is_not_whole_is_no_damage(killed):
    frames = (log_of(killed).stat().st_size - 32) // FRAME
    spoil(killed, frames - 1)
    assert find_log_damage(killed) is None


def test_frames_of_an_older_generation_are_no_damage(killed):
    content = bytearray(log_of(killed).read_bytes())
    half = 32 + (len(content) - 32) // FRAME // 2 * FRAME
    for at in range(half, len(content), FRAME):
        content[at + 8 : at + 16] = b"\x01" * 8
    log_of(killed).write_bytes(content)
    assert find_log_damage(killed) is None


@pytest.mark.parametrize("content", [b"", b"short", b"\0" * 5000, b"no log at all " * 1000])
def test_what_is_no_log_is_no_damage(killed, content):
    log_of(killed).write_bytes(content)
    assert find_log_damage(killed) is None


def test_without_a_log_and_beside_a_damaged_database_there_is_no_answer(killed):
    spoil(killed, 0)
    killed.write_bytes(b"\xa5" * 5000)
    assert find_log_damage(killed) is None
    log_of(killed).unlink()
    assert find_log_damage(killed) is None


def test_the_log_of_a_database_that_was_emptied_is_all_out_of_reach_and_is_kept(killed):
    killed.write_bytes(b"")
    before = log_of(killed).read_bytes()
    assert find_log_damage(killed).sound == 0
    assert log_of(killed).read_bytes() == before

    async def live():
        store = SqliteStore(killed, reserve_bytes=0)
        await store.open()
        await store.close()

    asyncio.run(live())
    (kept,) = killed.parent.glob("*.damaged.*")
    assert kept.read_bytes() == before


def test_a_start_sets_the_damaged_log_aside_says_so_and_goes_on(killed):
    spoil(killed, 6)
    before = log_of(killed).read_bytes()
    config = parse_config({}, env={}, state_dir=killed.parent, home=killed.parent)
    assert "log-damaged" in [one.code for one in examine(config)]

    async def live():
        store = SqliteStore(killed, reserve_bytes=0)
        with capture_logs() as said:
            await store.open()
        await SessionTalk(store, key="agent:main:other", session_id=OTHER).begin(build_message(1, None))
        await store.close()
        return said

    (line,) = [line for line in asyncio.run(live()) if line["event"] == "store_log_damaged"]
    assert line["log_level"] == "critical"
    assert line["lost_commits"] >= 2
    (kept,) = killed.parent.glob("*.damaged.*")
    assert kept.read_bytes() == before
    assert kept.stat().st_mode & 0o777 == 0o600
    codes = {one.code: one.severity for one in examine(config)}
    assert codes["log-kept"] == "warning"
    assert "log-damaged" not in codes
