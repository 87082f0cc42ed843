"""The doctor finds what is wrong, names a safe step, and changes nothing."""

from __future__ import annotations

import asyncio
import os
import shutil
from pathlib import Path

import apsw
import pytest

from instar.config.config import parse_config
from instar.config.paths import resolve_store_path
from instar.core.model.change import SessionChange
from instar.core.model.entry import Header
from instar.core.model.ids import AgentId, ChannelName, SessionId, SessionKey
from instar.core.turn.imported import build_imported_session
from instar.stores.doctor import examine
from instar.stores.mirror import open_mirror
from instar.stores.staging import import_in_pieces
from instar.testing.clock import ManualClock
from tests.builders.openclaw import digest_tree
from tests.builders.store import (
    KEY,
    NOW,
    SessionTalk,
    accept,
    build_decision,
    build_delivery,
    build_message,
    file_store,
)


def config_of(state: Path):
    return parse_config({}, env={}, state_dir=state, home=state.parent)


async def fill(state: Path) -> None:
    async with (
        file_store(state / "instar.db")() as store,
        open_mirror(store, config_of(state), clock=ManualClock()) as mirror,
    ):
        talk = SessionTalk(store)
        await talk.begin(build_message(1, None, "first words"), build_message(2, 1))
        await talk.reset("22222222-2222-4222-8222-222222222222")
        await talk.append(build_message(3, None, "second"))
        await mirror.flush()


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """A sound state directory at rest."""
    state = tmp_path / "state"
    state.mkdir(mode=0o700)
    asyncio.run(fill(state))
    return state


def codes(state: Path) -> dict[str, int]:
    """What the doctor finds, after it was seen that it changed nothing."""
    before = digest_tree(state)
    found = examine(config_of(state))
    assert digest_tree(state) == before
    assert all(one.what and (one.fix or one.severity == "note") for one in found)
    return {one.code: one.count for one in found}


def write(state: Path, *statements: str) -> None:
    connection = apsw.Connection(str(state / "instar.db"))
    for statement in statements:
        connection.execute(statement)
    connection.close()


def test_a_sound_state_has_no_findings(state: Path):
    assert codes(state) == {}


@pytest.mark.parametrize(
    ("statement", "code"),
    [
        ("UPDATE sessions SET fields = '{'", "session-unreadable"),
        ("UPDATE entries SET line = 'torn' WHERE seq = 1 AND transcript = 1", "line-unreadable"),
        ("UPDATE transcripts SET closed_at = 1 WHERE closed_at IS NULL", "session-without-transcript"),
        ("UPDATE sessions SET session_id = 'other'", "session-and-transcript-differ"),
        ("DELETE FROM sessions", "transcript-without-session"),
        ("PRAGMA foreign_keys = off; DELETE FROM transcripts WHERE id = 1", "lines-without-transcript"),
        ("UPDATE transcripts SET close_reason = 'staged' WHERE closed_at IS NOT NULL", "import-cut-off"),
        ("UPDATE transcripts SET close_reason = 'staged', session_id = 'removed:1' WHERE id = 1", "deletion-cut-off"),
    ],
    ids=lambda value: value if "-" in value and " " not in value else "",
)
def test_rows_that_contradict_each_other_are_found(state: Path, statement: str, code: str):
    write(state, statement)
    assert code in codes(state)


def test_a_part_of_an_import_is_told_as_such_and_as_nothing_else(state: Path):
    asyncio.run(cut_off(state))
    assert codes(state) == {"import-cut-off": 1}


async def cut_off(state: Path) -> None:
    """An import of a long transcript that dies after its first piece."""

    class Dying:
        def __init__(self, engine):
            self._engine, self._left = engine, 3

        async def write(self, unit, *, purpose="owed"):
            self._left -= 1
            if self._left < 0:
                raise KeyboardInterrupt
            return await self._engine.write(unit, purpose=purpose)

    entries = [build_message(at, at - 1 if at else None) for at in range(1000)]
    header = Header(id=SessionId("33333333-3333-4333-8333-333333333333"), timestamp=NOW)
    session = build_imported_session(header, entries, key=SessionKey("agent:main:explicit:x"), agent_id=AgentId("main"))
    async with file_store(state / "instar.db")() as store:
        with pytest.raises(KeyboardInterrupt):
            await import_in_pieces(Dying(store.engine), session, header, entries, now=NOW, decision=build_decision())


def test_changed_missing_and_longer_mirror_files_are_found_by_their_content(state: Path):
    first, second = sorted((state / "agents" / "main" / "sessions").glob("*.jsonl*"))
    stat = first.stat()
    content = first.read_bytes()
    first.write_bytes(content.replace(b"first words", b"other words"))
    os.utime(first, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    assert codes(state) == {"mirror-differs": 1}
    first.write_bytes(content + b"{}\n")
    assert codes(state) == {"mirror-differs": 1}
    first.write_bytes(content[:-20])
    assert codes(state) == {"mirror-behind": 1}
    first.write_bytes(content)
    assert codes(state) == {}
    second.unlink()
    assert codes(state) == {"mirror-missing": 1}


def test_a_file_of_a_closed_transcript_is_not_missed_where_maintenance_removes_such_files(state: Path):
    (closed,) = (state / "agents" / "main" / "sessions").glob("*.reset.*")
    closed.unlink()
    raw = {"session": {"maintenance": {"resetArchiveRetention": "30d"}}}
    assert codes(state) == {"mirror-missing": 1}
    found = examine(parse_config(raw, env={}, state_dir=state, home=state.parent))
    assert "mirror-missing" not in [one.code for one in found]


@pytest.mark.parametrize("page", [1, 2, 4])
def test_a_damaged_database_is_critical_and_names_the_newest_backup(state: Path, page: int):
    (state / "backups").mkdir()
    (state / "backups" / "old.tar.zst").touch()
    os.utime(state / "backups" / "old.tar.zst", (1, 1))
    (state / "backups" / "newest.tar.zst").touch()
    with (state / "instar.db").open("r+b") as file:
        file.seek(4096 * (page - 1) + (100 if page == 1 else 0))
        file.write(b"\x5a" * 3000)
    found = [one for one in examine(config_of(state)) if one.severity == "critical"]
    assert found[0].code == "database-damaged"
    assert "newest.tar.zst" in found[0].fix


def test_a_file_that_is_no_database_is_critical(state: Path):
    (state / "instar.db").write_bytes(b"not a database at all" * 500)
    assert "database-damaged" in codes(state)


@pytest.mark.parametrize("is_there", [False, True], ids=["gone", "emptied"])
def test_what_the_mirror_holds_of_a_lost_database_is_told(state: Path, is_there: bool):
    for file in state.glob("instar.db*"):
        file.unlink()
    if is_there:
        (state / "instar.db").touch()
    assert codes(state) == {"mirror-strays": 1, "schema-behind" if is_there else "no-database": 1}


def test_replies_in_doubt_and_waiting_messages_are_told(state: Path):
    async def owe():
        async with file_store(state / "instar.db")() as store:
            await accept(store)
            await SessionTalk(store).change(SessionChange(deliveries=(build_delivery(1), build_delivery(2))))
            await store.claim_deliveries(ChannelName("telegram"), limit=2, now=NOW, again=False)
            await store.recover(NOW)
            await store.settle_delivery("d2", channel=ChannelName("telegram"), state="failed", now=NOW)

    asyncio.run(owe())
    found = codes(state)
    assert {name: found[name] for name in ("delivery-unknown", "delivery-failed", "messages-waiting")} == {
        "delivery-unknown": 1,
        "delivery-failed": 1,
        "messages-waiting": 1,
    }
    said = {one.code: one.what for one in examine(config_of(state))}
    assert said["delivery-unknown"] == "1 reply may or may not have been sent"
    assert said["delivery-failed"] == "1 reply could not be sent"
    assert said["messages-waiting"] == "1 message waits"


def test_a_lock_that_a_dead_gateway_left_is_told_and_one_that_is_held_is_not(state: Path):
    (state / "instar.db.lock").write_text("999999\n")
    assert codes(state) == {"lock-stale": 1}

    async def beside():
        async with file_store(state / "instar.db")() as store:
            await SessionTalk(store, session_id="22222222-2222-4222-8222-222222222222").append(build_message(4, 3))
            return {one.code for one in examine(config_of(state))}

    assert asyncio.run(beside()) == set()


def test_a_state_that_others_can_read_and_files_set_aside_are_told(state: Path):
    state.chmod(0o755)
    folder = state / "agents" / "main" / "sessions"
    (folder / "x.jsonl.conflict.2026-03-10T12-00-00.000Z").write_text("mine")
    (folder / "y.jsonl.deleted.2026-03-10T12-00-00.000Z.zst").touch()
    assert codes(state) == {"state-readable": 1, "conflict-kept": 1, "archive-empty": 1}


def test_an_empty_state_says_that_there_is_no_database(tmp_path: Path):
    assert [one.code for one in examine(config_of(tmp_path / "absent"))] == ["no-database"]


def index_of(state: Path) -> Path:
    return state / "agents" / "main" / "sessions" / "sessions.json"


@pytest.fixture
def folder(state: Path) -> Path:
    """The folder of the session, where each key has one."""
    asyncio.run(keep_folders(state))
    return resolve_store_path(state, SessionKey(KEY))


def per_key(state: Path):
    return parse_config({"session": {"mirror": "per-key"}}, env={}, state_dir=state, home=state.parent)


async def keep_folders(state: Path) -> None:
    async with (
        file_store(state / "instar.db")() as store,
        open_mirror(store, per_key(state), clock=ManualClock()) as mirror,
    ):
        await mirror.flush()


def folder_codes(state: Path) -> dict[str, int]:
    before = digest_tree(state)
    found = examine(per_key(state))
    assert digest_tree(state) == before
    return {one.code: one.count for one in found}


@pytest.mark.parametrize("name", ["session.json", "transcript.jsonl"])
def test_the_folder_of_a_key_is_compared_by_content(state: Path, folder: Path, name: str):
    path = folder / name
    words = path.read_bytes()
    assert folder_codes(state) == {}
    path.write_bytes(words.replace(b"22222222", b"99999999"))
    assert folder_codes(state) == {"mirror-differs": 1}
    assert codes(state) == {}, "where no folders are wanted, nobody looks at them"
    path.write_bytes(words)
    assert folder_codes(state) == {}
    path.unlink()
    assert folder_codes(state) == {"mirror-missing": 1}


def test_a_folder_that_is_only_late_is_a_note(state: Path, folder: Path):
    async def change() -> None:
        async with file_store(state / "instar.db")() as store:
            await SessionTalk(store).reset("33333333-3333-4333-8333-333333333333")

    before = folder_codes(state)
    asyncio.run(change())
    late = folder_codes(state)
    assert before == {}
    assert late["mirror-behind"] == 2
    assert "mirror-differs" not in late


def test_a_folder_of_a_session_that_is_gone_is_named_until_the_next_start(state: Path, folder: Path):
    async def remove() -> None:
        async with file_store(state / "instar.db")() as store:
            await store.delete_session(SessionKey(KEY), now=NOW, decisions=())

    asyncio.run(remove())
    assert folder_codes(state)["folder-left"] == 1
    asyncio.run(keep_folders(state))
    assert "folder-left" not in folder_codes(state)
    assert not folder.exists()


def test_a_list_of_sessions_that_another_hand_changed_emptied_or_took_away_is_found(state: Path):
    index = index_of(state)
    words = index.read_text()
    index.write_text(words.replace('"sessionId": "2', '"sessionId": "9'))
    assert codes(state) == {"index-differs": 1}
    index.write_text("{}\n")
    assert codes(state) == {"index-differs": 1}
    index.write_text(words + " ")
    assert codes(state) == {"index-differs": 1}
    index.write_text(words)
    assert codes(state) == {}, "what it holds counts, not when it was written"
    index.unlink()
    assert codes(state) == {"index-missing": 1}


def test_a_list_of_sessions_that_is_only_late_is_a_note(state: Path):
    async def change() -> None:
        async with file_store(state / "instar.db")() as store:
            await SessionTalk(store).reset("33333333-3333-4333-8333-333333333333")

    asyncio.run(change())
    found = codes(state)
    assert found.pop("index-behind") == 1
    assert set(found) <= {"mirror-missing"}


@pytest.mark.parametrize("way", ["copied", "moved"])
def test_a_state_directory_that_lies_elsewhere_now_is_looked_at_where_it_lies(state: Path, tmp_path: Path, way: str):
    new = tmp_path / "new"
    if way == "copied":
        shutil.copytree(state, new)
        (new / "agents" / "main" / "sessions" / "22222222-2222-4222-8222-222222222222.jsonl").write_text("{}\n")
        assert codes(new) == {"mirror-differs": 1}
        assert codes(state) == {}
        shutil.rmtree(new)
        shutil.copytree(state, new)
    else:
        state.rename(new)
    assert codes(new) == {}
