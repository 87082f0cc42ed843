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
from instar.core.model.ids import AgentId, EntryId, SessionKey, TurnId
from instar.core.model.query import SearchQuery
from instar.core.policy.redaction import build_redactor
from instar.errors import InvalidRequest, StoreUnreadable
from instar.stores import transfer
from instar.stores.sqlite import open_memory_store
from instar.stores.transfer import export_store
from instar.stores.transfer_import import import_store
from instar.testing.gateway import GatewayInMemory
from instar.testing.simulate import play as play_module
from instar.testing.simulate.draw import draw_story
from tests.builders.imports import import_transcript_file
from tests.builders.store import (
    KEY,
    NOW,
    SessionTalk,
    accept,
    build_compaction,
    build_delivery,
    build_message,
    file_store,
)
from tests.builders.tables import NOT_CARRIED, dump_tables

STATES = ("state_versions", "state_log", "state_watches", "notices")


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
        "channels": {
            "chat": {"type": "bridge", "token": "t" * 8, "dmPolicy": "open", "groupPolicy": "open", "allowFrom": ["*"]}
        },
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
    before, after = dump_tables(tmp_path / "instar.db"), dump_tables(new)
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
            for number in (6, 7):
                await talk.change(SessionChange(entries=(build_message(number, None),), held_by=TurnId("run")))

    asyncio.run(story())
    new = round_trip(tmp_path / "instar.db", tmp_path)
    assert dump_tables(new) == dump_tables(tmp_path / "instar.db")


@pytest.mark.parametrize("name", ["large-session.jsonl"])
def test_a_recorded_transcript_comes_back_line_by_line(tmp_path: Path, recorded_data, name: str):
    path = recorded_data(f"transcripts/{name}")

    async def story():
        async with file_store(tmp_path / "instar.db")() as store:
            key, agent = SessionKey("agent:main:main"), AgentId("main")
            await import_transcript_file(store, path, key=key, agent_id=agent, now=NOW)

    asyncio.run(story())
    new = round_trip(tmp_path / "instar.db", tmp_path)
    assert dump_tables(new) == dump_tables(tmp_path / "instar.db")
    assert dump_tables(new)["entries"]


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
    assert dump_tables(tmp_path / "new" / "instar.db")["inbox"]


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


# --- nothing is forgotten ---------------------------------------------------------------------------------------------


def test_every_table_and_column_is_carried_or_explained(tmp_path: Path):
    async def story():
        async with file_store(tmp_path / "instar.db")():
            pass

    asyncio.run(story())
    made_of_transcripts = {"sessions", "session_counts", "transcripts", "entries"}
    tables = dump_tables(tmp_path / "instar.db")
    assert set(tables) - made_of_transcripts == set(transfer.TABLES)
    assert not set(tables) & NOT_CARRIED.keys()
    connection = apsw.Connection(str(tmp_path / "instar.db"), flags=apsw.SQLITE_OPEN_READONLY)
    for table, carried in transfer.TABLES.items():
        columns = {row[1] for row in connection.execute(f"PRAGMA table_info({table})")} - {"id", "seq"}
        renamed = {"watched" if (table, name) == ("state_watches", "target") else name for name in columns}
        assert renamed == set(carried), table
    connection.close()


@pytest.mark.parametrize("seed", range(6))
def test_a_simulated_store_comes_back_field_by_field(tmp_path: Path, seed: int, monkeypatch: pytest.MonkeyPatch):
    look = play_module.check_story

    async def look_and_copy(world):
        await look(world)
        world.inner.engine._connection.execute("VACUUM INTO ?", (str(tmp_path / "instar.db"),))

    monkeypatch.setattr(play_module, "check_story", look_and_copy)
    played = play_module.play_story(draw_story(1_000 + seed))
    assert played.broken == ()
    new = round_trip(tmp_path / "instar.db", tmp_path)
    before = dump_tables(tmp_path / "instar.db")
    assert len(before["inbox"]) == played.messages
    assert dump_tables(new) == before


def test_what_came_back_is_found_by_a_search(tmp_path: Path):
    asyncio.run(play(tmp_path / "instar.db", 1))
    new = round_trip(tmp_path / "instar.db", tmp_path)

    async def ask(path: Path):
        async with file_store(path)() as store:
            page = await store.search(SearchQuery(text="hello", limit=50))
            assert not page.indexing
            return sorted(hit.text for hit in page.hits)

    found = asyncio.run(ask(tmp_path / "instar.db"))
    assert found
    assert asyncio.run(ask(new)) == found


def rewrite(folder: Path, name: str, change: Callable[[dict[str, object]], None]) -> None:
    """Change every line of a file of an export, and its digest with it."""
    lines = [json.loads(line) for line in (folder / name).read_text().splitlines()]
    for line in lines:
        change(line)
    content = "".join(json.dumps(line) + "\n" for line in lines).encode()
    (folder / name).write_bytes(content)
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["files"][name] = sha256(content).hexdigest()
    (folder / "manifest.json").write_text(json.dumps(manifest))


@pytest.fixture
def lived_in(tmp_path: Path) -> Path:
    asyncio.run(play(tmp_path / "instar.db", 0))
    asyncio.run(export_store(tmp_path / "instar.db", tmp_path / "export", now=NOW, clean=None))
    return tmp_path / "export"


def test_an_export_of_a_build_with_fewer_columns_is_taken(lived_in: Path, tmp_path: Path):
    rewrite(lived_in, "inbox.jsonl", lambda row: row.pop("left_out"))
    rewrite(lived_in, "usage.jsonl", lambda row: [row.pop("channel"), row.pop("session_id")])
    bring(lived_in, tmp_path / "new.db")
    before, after = dump_tables(tmp_path / "instar.db"), dump_tables(tmp_path / "new.db")
    assert [(row["channel"], row["session_id"]) for row in after["usage"]] == [(None, None)] * len(before["usage"])
    assert [row["left_out"] for row in after["inbox"]] == [None] * len(before["inbox"])
    assert after["entries"] == before["entries"]


def test_a_line_that_lacks_what_was_always_there_is_named(lived_in: Path, tmp_path: Path):
    rewrite(lived_in, "inbox.jsonl", lambda row: row.pop("state"))
    with pytest.raises(StoreUnreadable, match=r"inbox.jsonl is not whole: a line has no state"):
        bring(lived_in, tmp_path / "new.db")


def test_a_transcript_that_an_export_calls_a_part_is_all_there(exported: Path, tmp_path: Path):
    """A part of an import would be cleared away at the next start."""
    (document,) = exported.glob("sessions/*/session.json")
    told = json.loads(document.read_text())
    told["transcripts"][0] |= {"closedAt": NOW, "closeReason": "staged"}
    document.write_text(json.dumps(told))
    manifest = json.loads((exported / "manifest.json").read_text())
    manifest["files"][document.relative_to(exported).as_posix()] = sha256(document.read_bytes()).hexdigest()
    (exported / "manifest.json").write_text(json.dumps(manifest))
    bring(exported, tmp_path / "new" / "instar.db")

    async def start_again() -> list[str | None]:
        async with file_store(tmp_path / "new" / "instar.db")() as store:
            await store.recover(NOW)
            return [head.close_reason for head in await store.load_transcripts(KEY)]

    assert asyncio.run(start_again()) == ["import"]
