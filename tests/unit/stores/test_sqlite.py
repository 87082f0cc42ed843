"""The SQLite engine where it meets the machine: locks, full and read-only disks, sudden death, many at once."""

from __future__ import annotations

import asyncio
import os
import signal
import stat
import subprocess
import sys
import threading

import apsw
import pytest

from instar.core.model.change import SessionChange
from instar.core.model.query import SessionQuery
from instar.errors import InvariantBroken, StoreError, StoreFull, StoreLocked, StoreReadOnly
from instar.stores import sqlite as sqlite_module
from instar.stores.sqlite import SqliteEngine, SqliteStore
from instar.stores.sqlite.reserve import Reserve
from tests.builders.disk import needs_small_disk, set_read_only, small_disk
from tests.builders.store import NOW, SessionTalk, accept, build_message, build_submission, file_store

MIB = 1024 * 1024


def connection_of(store) -> apsw.Connection:
    """The connection that writes."""
    return store.engine._committer._connection


def read_alone(path):
    """The database as another program sees it."""
    connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)
    assert connection.execute("PRAGMA integrity_check").get == "ok"
    return connection


# --- life -------------------------------------------------------------------------------------------------------------


def test_files_are_their_owners_alone_and_the_log_is_gone_after_closing(tmp_path):
    path = tmp_path / "state" / "instar.db"

    async def scenario():
        async with file_store(path)() as store:
            await SessionTalk(store).begin()
            assert {stat.S_IMODE(file.stat().st_mode) for file in path.parent.iterdir()} == {0o600}

    asyncio.run(scenario())
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert {file.name for file in path.parent.iterdir()} == {"instar.db", "instar.db.lock", "instar.db.reserve"}


def test_a_second_gateway_on_one_store_is_refused_and_told_who_has_it(tmp_path):
    async def scenario():
        async with file_store(tmp_path / "instar.db")() as store:
            second = SqliteStore(tmp_path / "instar.db")
            with pytest.raises(StoreLocked) as refused:
                await second.open()
            assert refused.value.pid == os.getpid()
            assert "PostgreSQL" in str(refused.value)
            await SessionTalk(store).begin()
            await second.close()
        await second.open()
        assert (await second.list_sessions(SessionQuery())).total == 1
        await second.close()

    asyncio.run(scenario())


def test_a_store_that_is_closed_refuses_and_can_be_closed_twice(tmp_path):
    async def scenario():
        store = SqliteStore(tmp_path / "instar.db", reserve_bytes=0)
        await store.close()
        for _ in range(2):
            await store.open()
            await store.recover(NOW)
            await store.close()
            await store.close()
            with pytest.raises(StoreError, match="closed"):
                await store.recover(NOW)
            with pytest.raises(StoreError, match="closed"):
                await store.describe()

    asyncio.run(scenario())


def test_closing_finishes_what_was_asked_before(tmp_path):
    async def scenario():
        store = SqliteStore(tmp_path / "instar.db", reserve_bytes=0)
        await store.open()
        asked = [asyncio.ensure_future(SessionTalk(store, f"agent:main:{n}", f"s{n}").begin()) for n in range(300)]
        await asyncio.sleep(0)
        await store.close()
        assert len(await asyncio.gather(*asked)) == 300

    asyncio.run(scenario())
    assert read_alone(tmp_path / "instar.db").execute("SELECT COUNT(*) FROM sessions").get == 300


def test_a_caller_that_went_away_harms_nobody(tmp_path):
    async def scenario():
        async with file_store(tmp_path / "instar.db")() as store:
            talks = [SessionTalk(store, f"agent:main:{n}", f"s{n}") for n in range(40)]
            tasks = [asyncio.create_task(talk.begin()) for talk in talks]
            await asyncio.sleep(0)
            for task in tasks[::2]:
                task.cancel()
            results = await asyncio.gather(*tasks, return_exceptions=True)
            assert sum(isinstance(result, asyncio.CancelledError) for result in results) == 20
            page = await store.list_sessions(SessionQuery(limit=None))
            assert {session.key for session in page.sessions} >= {talk.key for talk in talks[1::2]}

    asyncio.run(scenario())


# --- group commit -----------------------------------------------------------------------------------------------------


def test_units_that_wait_share_one_commit_and_one_failure_is_its_own(tmp_path):
    async def scenario():
        async with file_store(tmp_path / "instar.db")() as store:
            await store.recover(NOW)
            commits = []
            connection_of(store).set_commit_hook(lambda: bool(commits.append(1)))
            talks = [SessionTalk(store, f"agent:main:{n}", f"s{n}") for n in range(100)]
            broken = SessionChange(close="reset")
            work = [talk.begin(build_message(1, None)) for talk in talks]
            gate = threading.Event()
            busy = asyncio.ensure_future(store.engine.write(lambda _: gate.wait(60)))  # so that they do wait
            asyncio.get_running_loop().call_later(0.05, gate.set)
            results = await asyncio.gather(*work, SessionTalk(store).change(broken), return_exceptions=True)
            await busy
            assert isinstance(results.pop(), InvariantBroken)
            assert not [result for result in results if isinstance(result, BaseException)]
            assert len(commits) < 10
            assert (await store.list_sessions(SessionQuery())).total == 100

    asyncio.run(scenario())


def test_readers_see_what_was_told_and_do_not_wait_for_writers(tmp_path):
    async def scenario():
        async with file_store(tmp_path / "instar.db")() as store:
            talk = SessionTalk(store)
            await talk.begin()
            for number in range(1, 50):
                await talk.append(build_message(number, number - 1 or None))
                page = await store.load_entries(talk.session_id, limit=1)
                assert page.entries[0].seq == number

    asyncio.run(scenario())


def test_the_log_is_brought_home_as_it_grows(tmp_path):
    async def scenario():
        async with file_store(tmp_path / "instar.db")() as store:
            talk = SessionTalk(store)
            await talk.begin()
            for number in range(1, 30):
                await talk.append(build_message(number, number - 1 or None, "x" * MIB))
            assert (tmp_path / "instar.db-wal").stat().st_size < 16 * MIB
            assert (tmp_path / "instar.db").stat().st_size > 16 * MIB

    asyncio.run(scenario())


# --- disks ------------------------------------------------------------------------------------------------------------


async def fill(store, talk):
    """Append until the disk is full; how many entries were acknowledged."""
    for number in range(1, 1000):
        try:
            await talk.append(build_message(number, number - 1 or None, "x" * 200_000))
        except StoreFull:
            return number - 1
    raise AssertionError("the disk did not fill up")


async def live_through_a_full_disk(store):
    """A disk fills up: what was told is there, what was accepted can be finished, room can be made."""
    talk = SessionTalk(store)
    await talk.begin()
    told = await fill(store, talk)
    assert told > 3
    assert await talk.numbers() == list(range(1, told + 1))
    with pytest.raises(StoreFull):
        await accept(store, build_submission(text="x" * 200_000), inbound_id="refused")
    await store.delete_session(talk.key, now=NOW, decisions=[])
    await SessionTalk(store, "agent:main:after", "after").begin(build_message(1, None))
    return told


@needs_small_disk
def test_on_a_full_disk_what_was_told_stays_and_deleting_makes_room(tmp_path):
    with small_disk(tmp_path / "disk", 40):
        path = tmp_path / "disk" / "instar.db"

        async def scenario():
            store = SqliteStore(path, reserve_bytes=12 * MIB)
            await store.open()
            await live_through_a_full_disk(store)
            told, item = await accept(store, inbound_id="small")
            assert (told.status, item is not None) == ("accepted", True)
            await store.close()

        asyncio.run(scenario())
        read_alone(path).close()


def test_on_a_full_database_small_units_of_a_batch_get_through_and_large_ones_are_told(tmp_path):
    async def scenario():
        async with file_store(tmp_path / "instar.db")() as store:
            small, large = SessionTalk(store, "agent:main:small", "s"), SessionTalk(store, "agent:main:large", "l")
            await small.begin()
            await large.begin()
            connection = connection_of(store)
            connection.execute(f"PRAGMA max_page_count = {connection.execute('PRAGMA page_count').get + 20}").fetchall()
            results = await asyncio.gather(
                small.append(build_message(1, None)),
                large.append(build_message(1, None, "x" * MIB)),
                accept(store, inbound_id="in1"),
                return_exceptions=True,
            )
            assert isinstance(results[1], StoreFull)
            assert not [result for result in (results[0], results[2]) if isinstance(result, BaseException)]
            assert await small.numbers() == [1]
            assert await large.numbers() == []
            connection.execute("PRAGMA max_page_count = 100000").fetchall()
            await large.append(build_message(1, None, "x" * MIB))
        read_alone(tmp_path / "instar.db").close()

    asyncio.run(scenario())


def test_without_room_for_the_reserve_no_new_message_is_taken_but_work_is_finished(tmp_path, monkeypatch):
    async def scenario():
        async with file_store(tmp_path / "instar.db")() as store:
            talk = SessionTalk(store)
            await talk.begin()
            reserve = store.engine._reserve
            reserve.give_all()
            monkeypatch.setattr(reserve, "_make", lambda: False)
            with pytest.raises(StoreFull, match="No new message"):
                await accept(store)
            results = await asyncio.gather(talk.append(build_message(1, None)), accept(store), return_exceptions=True)
            assert isinstance(results[1], StoreFull)
            assert await talk.numbers() == [1]
            monkeypatch.undo()
            assert (await accept(store))[0].status == "accepted"

    asyncio.run(scenario())


def test_the_reserve_takes_real_room_and_gives_it_back(tmp_path):
    reserve = Reserve(tmp_path / "r", 1 * MIB)
    assert reserve.hold()
    assert reserve.hold()
    assert (tmp_path / "r").stat().st_blocks * 512 >= MIB
    assert Reserve(tmp_path / "r", 1 * MIB).hold()
    assert reserve.give_half()
    assert not reserve.give_half()
    assert (tmp_path / "r").stat().st_size == MIB // 2
    assert reserve.hold()
    assert reserve.give_all()
    assert not reserve.give_all()
    assert not reserve.give_half()
    assert not (tmp_path / "r").exists()
    assert not Reserve(tmp_path / "none" / "r", MIB).hold()
    assert Reserve(tmp_path / "r", 1 << 62).hold() is False
    assert not (tmp_path / "r").exists()


def test_a_place_that_cannot_be_written_is_told(tmp_path):
    for path in (tmp_path / "file" / "instar.db", tmp_path / "folder"):
        (tmp_path / "file").write_text("")
        (tmp_path / "folder").mkdir(exist_ok=True)
        store = SqliteStore(path, reserve_bytes=0)
        with pytest.raises(StoreReadOnly, match="cannot be opened for writing") as refused:
            asyncio.run(store.open())
        assert refused.value.fix


@needs_small_disk
def test_a_disk_that_is_read_only_is_told_and_nothing_is_lost(tmp_path):
    with small_disk(tmp_path / "disk", 8):
        path = tmp_path / "disk" / "instar.db"

        async def begin():
            async with file_store(path)() as store:
                await SessionTalk(store).begin(build_message(1, None))

        async def look():
            async with file_store(path)() as store:
                return await SessionTalk(store).numbers()

        asyncio.run(begin())
        set_read_only(path.parent, is_read_only=True)
        with pytest.raises(StoreReadOnly) as refused:
            asyncio.run(look())
        assert "read-only" in str(refused.value)
        set_read_only(path.parent, is_read_only=False)
        assert asyncio.run(look()) == [1]


def test_a_disk_too_full_to_make_the_file_is_told_as_full(tmp_path, monkeypatch):
    def refuse(_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(sqlite_module, "create_private_file", refuse)
    with pytest.raises(StoreFull, match="no space left"):
        asyncio.run(SqliteStore(tmp_path / "instar.db").open())


def test_a_loop_that_is_gone_harms_nobody(tmp_path):
    store, left = SqliteStore(tmp_path / "instar.db", reserve_bytes=0), []

    async def leave():
        await store.open()
        work = [SessionTalk(store, f"agent:main:{number}", f"s{number}").begin() for number in range(50)]
        left.extend(map(asyncio.ensure_future, work))
        await asyncio.sleep(0)

    async def come_back():
        await SessionTalk(store, "agent:main:back", "back").begin()
        await store.close()

    asyncio.run(leave())
    asyncio.run(come_back())


def test_another_program_that_holds_the_file_is_waited_for_and_then_told(tmp_path):
    async def scenario():
        async with file_store(tmp_path / "instar.db")() as store:
            await SessionTalk(store).begin()
            connection_of(store).set_busy_timeout(50)
            other = apsw.Connection(str(tmp_path / "instar.db"))
            other.execute("BEGIN IMMEDIATE")
            with pytest.raises(StoreLocked, match="in use"):
                await SessionTalk(store).append(build_message(1, None))
            other.execute("ROLLBACK")
            other.close()
            await SessionTalk(store).append(build_message(1, None))
            assert await SessionTalk(store).numbers() == [1]

    asyncio.run(scenario())


# --- sudden death -----------------------------------------------------------------------------------------------------

CHILD = """
import asyncio, sys
from pathlib import Path
from tests.builders.store import SessionTalk, accept, build_message, build_submission, file_store, NOW

async def talk_on(store, name):
    talk = SessionTalk(store, f"agent:main:{name}", f"s-{name}")
    await talk.begin()
    number = 0
    while True:
        number += 1
        await accept(store, build_submission(f"m{name}-{number}"), inbound_id=f"in{name}-{number}", key=talk.key)
        sys.stdout.write(f"in{name}-{number}\\n")
        await talk.append(build_message(number, number - 1 or None, "x" * (number % 50) * 40))
        sys.stdout.write(f"s-{name} {number}\\n")
        sys.stdout.flush()

async def main():
    async with file_store(Path(sys.argv[1]))() as store:
        await store.recover(NOW)
        await asyncio.gather(*(talk_on(store, name) for name in "abcdefgh"))

asyncio.run(main())
"""


@pytest.mark.parametrize("lines", [3, 40, 400, 1500])
def test_whatever_was_told_is_there_after_sudden_death(tmp_path, lines):
    path = tmp_path / "instar.db"
    child = subprocess.Popen([sys.executable, "-c", CHILD, str(path)], stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    told = [child.stdout.readline() for _ in range(lines)]
    child.send_signal(signal.SIGKILL)
    told += [line for line in child.stdout.read().splitlines(keepends=True) if line.endswith("\n")]
    child.stdout.close()
    child.wait(timeout=30)
    assert len(told) >= lines

    async def check():
        async with file_store(path)() as store:
            assert (await store.recover(NOW)).fence == 2
            kept = {}
            for name in "abcdefgh":
                try:
                    page = await store.load_entries(f"s-{name}")
                except StoreError:
                    continue
                except LookupError:
                    continue
                kept[f"s-{name}"] = [stored.seq for stored in page.entries]
            for seqs in kept.values():
                assert seqs == list(range(1, len(seqs) + 1))
            for line in told:
                session_id, _, number = line.strip().partition(" ")
                if number:
                    assert int(number) in kept[session_id]
            waiting = {item.inbound_id for item in (await store.recover(NOW)).waiting}
            assert {line.strip() for line in told if line.startswith("in")} <= waiting

    asyncio.run(check())
    read_alone(path).close()


def test_the_engine_tells_what_it_is(tmp_path):
    facts = SqliteEngine(tmp_path / "instar.db").describe()
    assert (facts["engine"], facts["path"]) == ("sqlite", str(tmp_path / "instar.db"))
