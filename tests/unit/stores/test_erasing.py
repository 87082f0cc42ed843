"""No table, column or file keeps what an erasure took out (LEAK-11)."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

import apsw
import pytest

from instar.core.model.ids import Instant
from instar.core.model.people import Person
from instar.core.routing.person import resolve_person_named
from instar.stores.erasing.export import EXPORTED
from instar.stores.erasing.registry import TABLES
from instar.stores.migrate import load_steps
from instar.stores.sqlite.connection import open_writer
from instar.stores.transaction import load_queries
from tests.builders.people import open_people

NOW = Instant(1_800_000_000_000)
KEY = "agent:main:chat:direct:alice-771"
SHARED = "agent:main:chat:group:room-1"
BEHIND_THE_INDEX = re.compile(r"search_(data|idx|docsize|config|content)$")


@pytest.fixture(scope="module")
def columns() -> dict[str, dict[str, str]]:
    """Every table of a fresh database, with its columns and their types."""
    database = open_writer(":memory:", load_steps("sqlite"))
    rows = database.execute("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'")
    names = [name for (name,) in rows if not BEHIND_THE_INDEX.match(name)]
    return {
        name: {
            row[1]: row[2]
            for row in database.execute(f"PRAGMA table_info({name})")
            if name != "search" or row[1] == "words"
        }
        for name in names
    }


def test_every_table_and_column_is_known_to_the_erasure(columns):
    named = {name: sorted([*table.words, *table.identity, *table.neither]) for name, table in TABLES.items()}
    assert named == {name: sorted(each) for name, each in columns.items()}


def test_whatever_holds_words_or_identity_is_emptied_by_something():
    bare = [
        name
        for name, table in TABLES.items()
        if (table.words or table.identity) and not (table.erased_by or table.rewritten_by)
    ]
    assert bare == []
    queries = load_queries("sqlite")
    assert [query for table in TABLES.values() for query in table.erased_by if query not in queries] == []


WITHOUT_WHAT_PROVES = {"tokens": {"hash"}, "devices": {"public_key", "token_id"}, "pairing_codes": {"target"}}
"""Columns that an export leaves out: whoever reads it must not be able to come in by it."""

TOLD_OTHERWISE = {
    "sessions": "session.json",
    "transcripts": "the first line of each file",
    "entries": "the other lines",
    "search": "the index of those lines",
    "lanes": "which gateway runs a session",
    "mirror": "how the folder of a session was left",
    "state_versions": "the number of the last line of a log",
    "state_watches": "which session is told of which",
    "device_requests": "nobody's yet",
    "erasures": "an erasure under way",
}
"""Tables with words or identity that an export shows in another form, or that say nothing about a person."""


def test_whatever_holds_words_or_identity_is_exported_or_says_why_not(columns):
    holding = {name for name, table in TABLES.items() if table.words or table.identity} - TOLD_OTHERWISE.keys()
    queries = {
        query.removeprefix("list_").removesuffix("_of_person"): names.split() for query, names in EXPORTED.items()
    }
    assert queries.keys() == holding
    for name, told in queries.items():
        held = {*TABLES[name].words, *TABLES[name].identity} - WITHOUT_WHAT_PROVES.get(name, set())
        assert held <= set(told) <= columns[name].keys(), name


CONFIG = {
    "session": {"dmScope": "per-channel-peer"},
    "channels": {"chat": {"type": "bridge", "token": "t", "dmPolicy": "open", "groupPolicy": "open"}},
}

FILLED = {
    "session_key": KEY,
    "about": KEY,
    "watcher": KEY,
    "target": KEY,
    "actor": KEY,
    "key": KEY,
    "owner": "chat:alice-771",
    "principal": "chat:alice-771",
    "person": "chat:alice-771",
    "who": "chat:alice-771",
    "approved_by": "chat:alice-771",
    "created_by": "chat:alice-771",
    "channel": "chat",
    "chat_type": "direct",
    "peer_id": "alice-771",
    "inputs": '{"peer": "alice-771"}',
}
"""What stands in a column that names the person; every other text holds one of their words."""

WRITTEN_THROUGH_THE_DOOR = {
    "meta",
    "sessions",
    "session_counts",
    "transcripts",
    "entries",
    "inbox",
    "erasures",
    "erased",
}


def value(name: str, column: str, kind: str, number: int, theirs: set[str]) -> object:
    """What stands in a column: something of the person where it is one of `theirs`."""
    if kind != "TEXT":
        return 900 + number
    if column == "target" and name in {"outbox", "pairing_codes"}:
        to = "alice-771" if column in theirs else "bob-88"
        return f'{{"channel": "chat", "account_id": "default", "to": "{to}", "chat_type": "direct"}}'
    if column in {"channel", "chat_type"}:
        return FILLED[column]
    if column == "inputs" and column not in theirs:
        return "{}"
    if column in theirs:
        return FILLED.get(column, "zebra-4471")
    return f"{name}-{column}-{number}"


def fill(path: Path, columns: dict[str, dict[str, str]], tables: list[str]) -> None:
    """Put rows about the person into tables: one with all that it may hold, and one for each way to name them alone."""
    database = apsw.Connection(str(path))
    for name in tables:
        table = TABLES[name]
        alone = [{column} for column in table.identity if column in FILLED and column != "inputs"]
        for number, theirs in enumerate([{*table.words, *table.identity}, *alone]):
            row = {column: value(name, column, kind, number, theirs) for column, kind in columns[name].items()}
            marks = ", ".join(f":{column}" for column in row)
            database.execute(f"INSERT OR IGNORE INTO {name} ({', '.join(row)}) VALUES ({marks})", row)  # noqa: S608 - our own names
    database.close()


def test_a_row_of_any_table_is_gone_or_blank_afterwards(tmp_path, columns):
    tables = [name for name in TABLES if name not in WRITTEN_THROUGH_THE_DOOR and not name.startswith("search")]

    async def write() -> None:
        async with open_people(tmp_path, CONFIG) as world:
            await world.gateway.channel("chat").post("my word is zebra-4471", sender="alice-771", name="Alice Moor")
            await world.gateway.settle()

    async def erase() -> None:
        async with open_people(tmp_path, CONFIG) as world:
            person = resolve_person_named("chat:alice-771", world.config.routing.keys.links)
            assert isinstance(person, Person)
            receipt = await world.eraser.erase_all(person, now=NOW, who="operator", drop_backups=False)
            assert [(one.place, one.count) for one in receipt.left] == []
            assert world.count("alice-771", "zebra-4471", "Alice Moor") == {}

    asyncio.run(write())
    fill(tmp_path / "instar.db", columns, tables)
    asyncio.run(erase())
