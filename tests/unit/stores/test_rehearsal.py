"""Steps of the schema are tried on a copy first; one that loses something never touches the store."""

from __future__ import annotations

import asyncio
from hashlib import sha256
from pathlib import Path

import apsw
import pytest

from instar.errors import StoreError
from instar.stores.migrate import Step, load_steps
from instar.stores.sqlite.connection import open_writer
from instar.stores.sqlite.rehearsal import rehearse
from tests.builders.store import SessionTalk, build_message, file_store


@pytest.fixture
def database(tmp_path: Path) -> Path:
    """A database with a session, closed and at rest."""

    async def fill():
        async with file_store(tmp_path / "instar.db")() as store:
            await SessionTalk(store).begin(build_message(1, None, "kept words"), build_message(2, 1))

    asyncio.run(fill())
    return tmp_path / "instar.db"


def steps_with(sql: str) -> tuple[Step, ...]:
    known = load_steps("sqlite")
    return (*known, Step(number=len(known) + 1, name="next", phase="pre", oldest_build=1, sql=sql))


def digest(path: Path) -> str:
    return sha256(path.read_bytes()).hexdigest()


@pytest.mark.parametrize(
    "sql",
    [
        "DELETE FROM entries WHERE seq = 1",
        "UPDATE entries SET line = '{}' WHERE seq = 1",
        "UPDATE sessions SET key = 'other'",
        "CREATE TABLE broken (",
        "INSERT INTO entries SELECT 99, seq, id, NULL, type, at, tokens, messages, bytes, line FROM entries",
    ],
    ids=["a line lost", "words changed", "a key changed", "no SQL", "rows without a transcript"],
)
def test_a_step_that_harms_is_refused_and_the_file_is_as_it_was(database: Path, sql: str):
    before = digest(database)
    with pytest.raises(StoreError, match="cannot be brought up to date"):
        rehearse(database, steps_with(sql))
    assert digest(database) == before
    assert not [path for path in database.parent.iterdir() if "rehearsal" in path.name]


def test_a_step_that_adds_passes_and_then_runs(database: Path):
    steps = steps_with("ALTER TABLE sessions ADD COLUMN colour TEXT; CREATE TABLE extra (id INTEGER PRIMARY KEY)")
    rehearse(database, steps)
    open_writer(str(database), steps).close()
    connection = apsw.Connection(str(database), flags=apsw.SQLITE_OPEN_READONLY)
    assert connection.execute("SELECT colour FROM sessions").get is None
    assert connection.execute("SELECT COUNT(*) FROM entries").get == 2
    connection.close()


def test_a_store_of_the_first_schema_opens_with_every_word(tmp_path: Path):
    path = tmp_path / "instar.db"
    connection = open_writer(str(path), load_steps("sqlite")[:1])
    connection.execute(
        "INSERT INTO usage (at, session_key, agent_id, provider, model, purpose, input_tokens, output_tokens,"
        " cache_read_tokens, cache_write_tokens) VALUES (1, 'k', 'main', 'p', 'm', 'turn', 1, 2, 3, 4)"
    )
    connection.close()

    async def story():
        async with file_store(path)() as store:
            (row,) = await store.sum_usage()
            assert (row.input_tokens, (await store.describe())["schema"]) == (1, len(load_steps("sqlite")))

    asyncio.run(story())


def test_nothing_is_copied_when_no_step_is_due(database: Path):
    (database.parent / f".{database.name}.rehearsal").mkdir()  # so that a copy could not be made
    rehearse(database, load_steps("sqlite"))
    rehearse(database.parent / "absent.db", load_steps("sqlite"))
