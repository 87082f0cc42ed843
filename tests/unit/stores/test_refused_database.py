"""A database that cannot be used is left byte for byte as it was, and its log with it (LOSS-10)."""

import asyncio
import shutil

import apsw
import pytest

from instar.errors import StoreUnreadable
from instar.stores.sqlite import SqliteStore
from tests.builders.store import SID, SessionTalk, build_message


def make_killed(tmp_path, *, first, second):
    """A database as a kill leaves it: `first` messages are home in the file, `second` in its log alone."""
    path, killed = tmp_path / "instar.db", tmp_path / "killed"
    killed.mkdir()

    async def live(messages, *, is_killed):
        store = SqliteStore(path, reserve_bytes=0)
        await store.open()
        talk = SessionTalk(store)
        if not is_killed:
            await talk.begin()
        for number in messages:
            await talk.append(build_message(number, None if number == 1 else number - 1, "words " * 200))
        if is_killed:
            for name in ("instar.db", "instar.db-wal"):
                shutil.copyfile(tmp_path / name, killed / name)
        await store.close()

    asyncio.run(live(range(1, first + 1), is_killed=False))
    asyncio.run(live(range(first + 1, first + second + 1), is_killed=True))
    return killed / "instar.db"


def read_both(path):
    return path.read_bytes(), path.with_name("instar.db-wal").read_bytes()


async def open_and_close(path):
    store = SqliteStore(path, reserve_bytes=0)
    await store.open()
    await store.close()


@pytest.mark.parametrize("keep", [0.15, 0.4], ids=["a head", "less than half"])
def test_a_torn_database_with_a_log_is_refused_and_neither_is_changed(tmp_path, keep):
    path = make_killed(tmp_path, first=60, second=4)
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * keep)])
    before = read_both(path)
    with pytest.raises(StoreUnreadable, match="cannot be read"):
        asyncio.run(open_and_close(path))
    assert read_both(path) == before


def test_a_sound_one_goes_on_and_its_log_comes_home(tmp_path):
    path = make_killed(tmp_path, first=3, second=2)
    asyncio.run(open_and_close(path))
    assert not path.with_name("instar.db-wal").exists()


def test_damage_that_is_found_later_keeps_the_log_out_of_the_file(tmp_path):
    path = make_killed(tmp_path, first=60, second=4)
    content = bytearray(path.read_bytes())
    for at in range(4096 * 2, len(content), 4096):
        if content[at : at + 4096].count(b"words words") > 10:
            content[at : at + 8] = b"\xa5" * 8
    path.write_bytes(content)
    before = read_both(path)

    async def look():
        store = SqliteStore(path, reserve_bytes=0)
        await store.open()
        with pytest.raises(StoreUnreadable):
            await store.load_all_entries(SID)
        await store.close()

    asyncio.run(look())
    assert read_both(path) == before


def test_opening_writes_nothing_and_deleted_pages_can_be_given_back(tmp_path):
    path = make_killed(tmp_path, first=3, second=2)
    before = read_both(path)

    async def open_and_look():
        store = SqliteStore(path, reserve_bytes=0)
        await store.open()
        after = read_both(path)
        await store.close()
        return after

    assert asyncio.run(open_and_look()) == before
    connection = apsw.Connection(str(path))
    assert connection.pragma("auto_vacuum") == 2
    connection.close()
