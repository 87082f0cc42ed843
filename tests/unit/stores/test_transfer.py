"""Export, import into an empty store, compare: nothing is lost on the way and nothing is added."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import apsw
import pytest

from instar.core.model.change import SessionChange
from instar.core.model.ids import AgentId, EntryId, SessionKey
from instar.core.policy.redaction import build_redactor
from instar.errors import InvalidRequest, StoreUnreadable
from instar.stores.importer import import_transcript_file
from instar.stores.sqlite import open_memory_store
from instar.stores.transfer import export_store, import_store
from instar.testing.gateway import GatewayInMemory
from tests.builders.store import (
    NOW,
    SessionTalk,
    accept,
    build_compaction,
    build_delivery,
    build_message,
    file_store,
)

STATES = ("state_versions", "state_log", "state_watches", "notices")
DATA = ("sessions", "transcripts", "entries", "inbox", "outbox", "decisions", "usage", "session_counts", *STATES)


def dump(path: Path) -> dict[str, list[dict[str, object]]]:
    """Every row of every table that holds data, by name of column; internal numbers are left out."""
    connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)
    names = dict(connection.execute("SELECT id, session_id FROM transcripts"))
    tables: dict[str, list[dict[str, object]]] = {}
    for table in DATA:
        columns = [row[1] for row in connection.execute(f"PRAGMA table_info({table})")]
        rows = [dict(zip(columns, row, strict=True)) for row in connection.execute(f"SELECT * FROM {table}")]  # noqa: S608
        for row in rows:
            if table in {"sessions", "transcripts", "decisions", "usage", "state_log", "notices"}:
                row.pop("id")
            if table in {"inbox", "outbox"}:
                row.pop("seq")
            if table == "entries":
                row["transcript"] = names[row["transcript"]]
        ordered = table in {"inbox", "outbox", "decisions", "usage"}
        tables[table] = rows if ordered else sorted(rows, key=lambda row: json.dumps(row, default=str))
    connection.close()
    return tables


def round_trip(database: Path, tmp_path: Path, *, clean: Callable[[object], object] | None = None) -> Path:
    """The database that an export of this one makes."""

    async def story():
        await export_store(database, tmp_path / "export", now=NOW, clean=clean)
        async with file_store(tmp_path / "new" / "instar.db")() as store:
            await import_store(tmp_path / "export", store)

    asyncio.run(story())
    return tmp_path / "new" / "instar.db"


async def play(database: Path, seed: int) -> None:
    """A gateway with people, a group, resets, steering, deletes and failing replies, its store put into a file."""
    draw = random.Random(seed)
    config = {
        "channels": {"chat": {"type": "bridge", "token": "t" * 8, "dmPolicy": "open", "groupPolicy": "open", "allowFrom": ["*"]}},
        "session": {"dmScope": "per-channel-peer"},
        "gateway": {"allowUnsafe": True},
    }
    store = open_memory_store()
    async with GatewayInMemory(config, store=store) as world:
        channel = world.channel("chat")
        for _ in range(25):
            text = draw.choice(["hello", "/new", "/reset", "how are you? 北京 🙂", "/status", "x" * 300, "/compact"])
            await channel.post(text, sender=draw.choice(["ann", "bo", "cy"]), name="Ann")
            await channel.post(text, sender="dee", name="Dee", chat_type="group", chat_id="club", mentioned=True)
            if draw.random() < 0.7:
                await world.run_for(5)
        await world.run_for(60)
        store.engine._connection.execute("VACUUM INTO ?", (str(database),))


@pytest.mark.parametrize("seed", range(4))
def test_a_store_that_was_lived_in_comes_back_field_by_field(tmp_path: Path, seed: int):
    asyncio.run(play(tmp_path / "instar.db", seed))
    new = round_trip(tmp_path / "instar.db", tmp_path)
    before, after = dump(tmp_path / "instar.db"), dump(new)
    assert all(before[table] for table in ("sessions", "entries", "inbox", "outbox", "decisions", *STATES))
    assert after == before


def test_branches_compactions_and_closed_lives_come_back(tmp_path: Path):
    async def story():
        async with file_store(tmp_path / "instar.db")() as store:
            talk = SessionTalk(store)
            await talk.begin(build_message(1, None), build_message(2, 1), build_message(3, 2))
            await talk.append(build_message(4, 1, "another branch"), build_compaction(5, 4, kept=4))
            await talk.change(SessionChange(leaf_id=EntryId("00000002")))
            await talk.reset("22222222-2222-4222-8222-222222222222", reason="idle", now=NOW + 5)
            await talk.change(SessionChange(deliveries=(build_delivery(1),)))

    asyncio.run(story())
    new = round_trip(tmp_path / "instar.db", tmp_path)
    assert dump(new) == dump(tmp_path / "instar.db")


@pytest.mark.parametrize("name", ["large-session.jsonl"])
def test_a_recorded_transcript_comes_back_line_by_line(tmp_path: Path, recorded_data, name: str):
    path = recorded_data(f"transcripts/{name}")

    async def story():
        async with file_store(tmp_path / "instar.db")() as store:
            key, agent = SessionKey("agent:main:main"), AgentId("main")
            await import_transcript_file(store, path, key=key, agent_id=agent, now=NOW)

    asyncio.run(story())
    new = round_trip(tmp_path / "instar.db", tmp_path)
    assert dump(new) == dump(tmp_path / "instar.db")
    assert dump(new)["entries"]


def test_an_export_of_a_build_without_state_logs_is_taken(tmp_path: Path, exported: Path):
    manifest = json.loads((exported / "manifest.json").read_text())
    for table in STATES:
        del manifest["files"][f"{table}.jsonl"]
        (exported / f"{table}.jsonl").unlink()
    (exported / "manifest.json").write_text(json.dumps(manifest))
    inbox = exported / "inbox.jsonl"
    assert '"left_out":null' in inbox.read_text()
    inbox.write_text(inbox.read_text().replace(',"left_out":null', ""))
    manifest["files"]["inbox.jsonl"] = sha256(inbox.read_bytes()).hexdigest()
    (exported / "manifest.json").write_text(json.dumps(manifest))
    bring(exported, tmp_path / "new" / "instar.db")
    assert dump(tmp_path / "new" / "instar.db")["inbox"]


@pytest.fixture
def exported(tmp_path: Path) -> Path:
    async def story():
        async with file_store(tmp_path / "instar.db")() as store:
            await SessionTalk(store).begin(build_message(1, None, "my key is sk-abcdefghijklmnopqrstuvwxyz123456"))
            await accept(store)

    asyncio.run(story())
    clean = build_redactor(()).value
    asyncio.run(export_store(tmp_path / "instar.db", tmp_path / "export", now=NOW, clean=clean))
    return tmp_path / "export"


def bring(folder: Path, database: Path) -> None:
    async def story():
        async with file_store(database)() as store:
            await import_store(folder, store)

    asyncio.run(story())


def test_secrets_are_taken_out_unless_they_are_asked_for(exported: Path):
    words = "".join(path.read_text() for path in exported.rglob("*") if path.is_file())
    assert "my key is" in words
    assert "abcdefghijklmnop" not in words


def test_a_changed_a_missing_and_a_foreign_export_are_refused(exported: Path, tmp_path: Path):
    (transcript,) = exported.glob("sessions/*/*.jsonl")
    words = transcript.read_bytes()
    transcript.write_bytes(words.replace(b"my key", b"thy key"))
    with pytest.raises(StoreUnreadable, match="was changed"):
        bring(exported, tmp_path / "a.db")
    transcript.unlink()
    with pytest.raises(StoreUnreadable, match="missing"):
        bring(exported, tmp_path / "b.db")
    (exported / "manifest.json").write_text("{}")
    with pytest.raises(StoreUnreadable, match="no export"):
        bring(exported, tmp_path / "c.db")


def test_nothing_is_mixed_and_nothing_overwritten(exported: Path, tmp_path: Path):
    with pytest.raises(InvalidRequest, match="not empty"):
        bring(exported, tmp_path / "instar.db")
    with pytest.raises(InvalidRequest, match="not empty"):
        asyncio.run(export_store(tmp_path / "instar.db", exported, now=NOW, clean=None))
