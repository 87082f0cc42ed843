"""Databases of other builds, other programs and bad days: each is opened, or refused and left as it was."""

from __future__ import annotations

import asyncio
import hashlib

import apsw
import pytest

from instar.errors import StoreTooNew, StoreUnreadable
from instar.stores.migrate import SchemaState, Step, load_steps, plan_steps
from instar.stores.sqlite import SqliteStore
from instar.stores.sqlite.connection import migrate, read_schema
from tests.builders.store import NOW, SessionTalk, build_message


def step(number, sql, *, oldest=1):
    return Step(number=number, name="x", phase="pre", oldest_build=oldest, sql=sql)


FIRST = step(1, "CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL); CREATE TABLE one (a)")
SECOND = step(2, "CREATE TABLE two (b); INSERT INTO two VALUES (1)")
BROKEN = step(3, "CREATE TABLE three (c); INSERT INTO nowhere VALUES (1)")
TAKING = step(3, "DROP TABLE one", oldest=3)


def digest(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


async def open_and_close(path):
    store = SqliteStore(path, reserve_bytes=0)
    await store.open()
    await store.close()


def test_the_steps_of_the_project_are_numbered_and_say_who_can_use_them():
    steps = load_steps("sqlite")
    assert [one.number for one in steps] == list(range(1, len(steps) + 1))
    assert all(1 <= one.oldest_build <= one.number for one in steps)


def test_an_empty_database_gets_every_step_and_its_numbers(tmp_path):
    connection = apsw.Connection(str(tmp_path / "a.db"))
    migrate(connection, [FIRST, SECOND])
    assert read_schema(connection) == SchemaState(schema_version=2, oldest_build=1)


def test_an_older_database_gets_the_steps_it_lacks_and_only_those(tmp_path):
    connection = apsw.Connection(str(tmp_path / "a.db"))
    migrate(connection, [FIRST])
    connection.execute("INSERT INTO one VALUES (7)")
    migrate(connection, [FIRST, SECOND])
    migrate(connection, [FIRST, SECOND])
    assert connection.execute("SELECT a FROM one").get == 7
    assert connection.execute("SELECT COUNT(*) FROM two").get == 1


def test_a_step_that_fails_leaves_the_database_as_it_was(tmp_path):
    connection = apsw.Connection(str(tmp_path / "a.db"))
    with pytest.raises(apsw.SQLError):
        migrate(connection, [FIRST, SECOND, BROKEN])
    assert read_schema(connection).schema_version == 2
    assert connection.execute("SELECT COUNT(*) FROM sqlite_master WHERE name = 'three'").get == 0


def test_a_newer_database_that_only_grew_can_be_used(tmp_path):
    connection = apsw.Connection(str(tmp_path / "a.db"))
    migrate(connection, [FIRST, SECOND])
    migrate(connection, [FIRST])
    assert read_schema(connection).schema_version == 2


def test_a_newer_database_that_took_something_away_is_refused():
    with pytest.raises(StoreTooNew, match="schema is 3, which needs build 3"):
        plan_steps(SchemaState(schema_version=3, oldest_build=3), [FIRST, SECOND])
    assert plan_steps(SchemaState(schema_version=2, oldest_build=1), [FIRST, SECOND, TAKING]) == (TAKING,)


# --- the store itself -------------------------------------------------------------------------------------------------


def test_a_store_of_a_newer_build_is_refused_and_not_touched(tmp_path):
    path = tmp_path / "instar.db"
    asyncio.run(open_and_close(path))
    connection = apsw.Connection(str(path))
    connection.execute("UPDATE meta SET value = '99'")
    connection.close()
    before = digest(path)
    with pytest.raises(StoreTooNew, match="needs build 99"):
        asyncio.run(open_and_close(path))
    assert digest(path) == before


def test_a_database_of_another_program_is_refused_and_not_touched(tmp_path):
    path = tmp_path / "instar.db"
    connection = apsw.Connection(str(path))
    connection.execute("CREATE TABLE theirs (a); INSERT INTO theirs VALUES (1)")
    connection.close()
    before = digest(path)
    with pytest.raises(StoreUnreadable, match="another program"):
        asyncio.run(open_and_close(path))
    assert digest(path) == before


@pytest.mark.parametrize("content", [b"hello, I am a text\n" * 100, b"\x00" * 5000], ids=["text", "zeros"])
def test_a_file_that_is_no_database_is_refused_and_not_touched(tmp_path, content):
    path = tmp_path / "instar.db"
    path.write_bytes(content)
    with pytest.raises(StoreUnreadable, match="cannot be read"):
        asyncio.run(open_and_close(path))
    assert path.read_bytes() == content


def test_a_torn_database_is_told_and_what_can_be_read_is_read(tmp_path):
    path = tmp_path / "instar.db"

    async def fill():
        store = SqliteStore(path, reserve_bytes=0)
        await store.open()
        for number in range(300):
            talk = SessionTalk(store, f"agent:main:telegram:direct:{number}", f"s{number}")
            await talk.begin(build_message(1, None, "x" * 500))
        await store.close()

    async def use():
        store = SqliteStore(path, reserve_bytes=0)
        await store.open()
        failed = 0
        for number in range(300):
            try:
                await store.load_entries(f"s{number}")
            except StoreUnreadable:
                failed += 1
        await store.close()
        return failed

    asyncio.run(fill())
    whole = path.read_bytes()
    start, end = len(whole) // 4, 3 * len(whole) // 4
    path.write_bytes(whole[:start] + b"\xff" * (end - start) + whole[end:])
    try:
        failed = asyncio.run(use())
    except StoreUnreadable:
        failed = 300  # a page that every start needs was hit
    assert failed > 0
    assert path.read_bytes()[start:end] == b"\xff" * (end - start)


def test_a_file_cut_in_half_is_told(tmp_path):
    path = tmp_path / "instar.db"
    asyncio.run(open_and_close(path))
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(StoreUnreadable):
        asyncio.run(use_it(path))


async def use_it(path):
    store = SqliteStore(path, reserve_bytes=0)
    await store.open()
    try:
        await SessionTalk(store).begin(build_message(1, None))
        await store.recover(NOW)
    finally:
        await store.close()
