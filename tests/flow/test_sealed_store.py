"""A store whose words are encrypted: which keys open it, what another hand can do, turning it over and back."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import apsw
import pytest
from structlog.testing import capture_logs

from instar.config.config import parse_config
from instar.core.model.query import DecisionQuery
from instar.errors import ConfigError, StoreError, StoreLocked, StoreUnreadable
from instar.stores.doctor import examine
from instar.stores.sealing.master import create_key_file, read_key_file
from instar.stores.sealing.open import load_seals
from instar.stores.sealing.ring import RING_NAME
from instar.stores.sqlite import SqliteStore
from instar.stores.transfer import export_store
from instar.stores.transfer_import import import_store
from instar.stores.turn_over import look_at, open_store, rewrap_ring, seal_store
from tests.builders.folder import read_files
from tests.builders.store import KEY, NOW, SessionTalk, accept, build_message, build_submission
from tests.builders.stories import story

WORD = "zebra.4471"


@pytest.fixture
def place(tmp_path):
    """Where a store lies, and a master key beside it."""
    create_key_file(tmp_path / "keys" / "master.key")
    return Place(tmp_path)


class Place:
    """A state directory, and configurations for it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.state = folder / "state"
        self.database = self.state / "instar.db"
        self.key = folder / "keys" / "master.key"

    def config(self, **encryption):
        raw = {"session": {"encryption": encryption or {"enabled": True, "keyFile": str(self.key)}}}
        return parse_config(raw, env={}, state_dir=self.state, home=self.folder)

    @property
    def plain(self):
        return self.config(enabled=False)

    @asynccontextmanager
    async def opened(self, config=None):
        store = SqliteStore(self.database, reserve_bytes=0, seals=load_seals(config or self.config()))
        await store.open()
        try:
            yield store
        finally:
            await store.close()

    async def fill(self, config=None, *, messages: int = 3):
        """A session with words in it, and a message that waits."""
        async with self.opened(config) as store:
            talk = SessionTalk(store)
            entries = [build_message(n, n - 1 or None, f"{WORD} {n}") for n in range(1, messages + 1)]
            await talk.begin(*entries)
            await accept(store, build_submission("m1", f"{WORD} waits"))

    async def read(self, config=None) -> str:
        async with self.opened(config) as store:
            (head,) = await store.load_transcripts(KEY)
            return repr((await store.load_all_entries(head.session_id), await store.load_inbox(session_key=KEY)))

    def holds_words(self) -> bool:
        return any(WORD.encode() in content for content in read_files(self.state).values())

    def run(self, *statements: str) -> list[tuple[object, ...]]:
        """What another program does with the file."""
        connection = apsw.Connection(str(self.database))
        try:
            return [row for statement in statements for row in connection.execute(statement)]
        finally:
            connection.close()

    def codes(self, config=None) -> set[str]:
        return {finding.code for finding in examine(config or self.config())}


@story
async def test_without_keys_a_sealed_store_does_not_open_and_loses_nothing(place):
    await place.fill()
    assert not place.holds_words()
    before = place.database.read_bytes()
    with pytest.raises(StoreError, match="are encrypted"):
        await place.read(place.plain)
    assert "encryption-closed" in place.codes(place.plain)
    assert place.database.read_bytes() == before
    assert WORD in await place.read()


@story
async def test_a_wrong_master_key_is_told_and_loses_nothing(place):
    await place.fill()
    other = place.folder / "keys" / "other.key"
    create_key_file(other)
    wrong = place.config(enabled=True, keyFile=str(other))
    with pytest.raises(StoreError, match="does not fit the key ring"):
        await place.read(wrong)
    assert "encryption-closed" in place.codes(wrong)
    assert WORD in await place.read()


@story
async def test_a_lost_ring_is_told_and_its_copy_opens_everything_again(place):
    await place.fill()
    ring = place.state / RING_NAME
    shutil.copy(ring, place.folder / "copy")
    ring.unlink()
    with pytest.raises(StoreUnreadable, match="key ring"):
        await place.read()
    assert not ring.exists()
    shutil.copy(place.folder / "copy", ring)
    assert WORD in await place.read()


@story
async def test_the_ring_of_another_store_is_refused(place):
    await place.fill()
    other = Place(place.folder / "other")
    other.key = place.key
    await other.fill()
    shutil.copy(other.state / RING_NAME, place.state / RING_NAME)
    with pytest.raises(StoreError, match="not the key ring of this store"):
        await place.read()


@story
async def test_an_older_copy_of_the_ring_closes_what_is_newer_and_removes_nothing(place):
    await place.fill()
    ring = place.state / RING_NAME
    shutil.copy(ring, place.folder / "old")
    async with place.opened() as store:
        await accept(store, build_submission("m2", "from somebody new", channel="slack"), inbound_id="in2")
    newest = ring.read_bytes()
    shutil.copy(place.folder / "old", ring)
    assert "key-lost" in place.codes()
    async with place.opened():
        pass
    ring.write_bytes(newest)
    assert "key-lost" not in place.codes()
    async with place.opened() as store:
        assert "from somebody new" in repr(await store.load_inbox(session_key=KEY))


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE entries SET line = (SELECT line FROM entries WHERE seq = 1) WHERE seq = 2",
        "UPDATE entries SET line = (SELECT submission FROM inbox) WHERE seq = 2",
        """UPDATE entries SET line = '{"type":"message","id":"x","message":{"role":"user"}}' WHERE seq = 2""",
    ],
)
def test_a_value_that_another_hand_put_there_is_not_believed(place, change):
    @story
    async def play():
        await place.fill()
        place.run(change)
        with pytest.raises(StoreUnreadable, match="it is encrypted, and its key is gone or it was changed"):
            await place.read()
        assert "cell-changed" in place.codes()

    play()


@story
async def test_the_master_key_may_come_from_the_environment(place):
    raw = {"session": {"encryption": {"enabled": True, "keyEnv": "INSTAR_MASTER_KEY"}}}
    env = {"INSTAR_MASTER_KEY": place.key.read_text()}
    config = parse_config(raw, env=env, state_dir=place.state, home=place.folder)
    await place.fill(config)
    assert WORD in await place.read(config)
    assert WORD in await place.read()
    unset = parse_config(raw, env={}, state_dir=place.state, home=place.folder)
    with pytest.raises(ConfigError, match="INSTAR_MASTER_KEY"):
        await place.read(unset)
    assert env["INSTAR_MASTER_KEY"].strip() in config.secrets


@pytest.mark.parametrize(
    ("encryption", "words"),
    [
        ({"enabled": True}, "without a master key"),
        ({"enabled": True, "keyFile": "a", "keyEnv": "B"}, "two master keys"),
    ],
)
def test_encryption_without_one_key_is_refused(place, encryption, words):
    with pytest.raises(ConfigError, match=words):
        place.config(**encryption)


def test_a_mirror_beside_encryption_is_refused_and_off_by_itself(place):
    assert place.config().store.mirror == "off"
    raw = {"session": {"mirror": True, "encryption": {"enabled": True, "keyEnv": "KEY"}}}
    with pytest.raises(ConfigError, match="plain text"):
        parse_config(raw, env={}, state_dir=place.state, home=place.folder)


# --- turning over -----------------------------------------------------------------------------------------------------


@story
async def test_a_store_with_rows_is_sealed_and_opened_again(place):
    await place.fill(place.plain)
    assert place.holds_words()
    with pytest.raises(StoreError, match="not encrypted"):
        await place.read()
    assert "encryption-not-yet" in place.codes()
    told = []
    done = seal_store(place.config(), told=told.append)
    assert done.rows >= 6
    assert "entries" in told
    assert not place.holds_words()
    assert look_at(place.config())["state"] == "on"
    assert f"{WORD} waits" in await place.read()
    assert not place.codes() & {"encryption-half", "key-lost", "cell-changed", "line-unreadable", "session-unreadable"}
    assert seal_store(place.config(), told=told.append).rows == done.rows
    open_store(place.config(), told=told.append)
    assert place.holds_words()
    assert f"{WORD} waits" in await place.read(place.plain)


@story
async def test_turning_encryption_off_opens_notes_behind_those_of_a_person(place):
    await place.fill()
    folder = Path(place.config().workspace("main")) / "memory"
    folder.mkdir(parents=True)
    (folder / "2027-01-15.md").write_text("by hand\n")
    async with place.opened() as store:
        lines = [store.engine.seals.seal_note(text, name="2027-01-15.md", key=KEY) for text in ("a boat", "at six")]
    (folder / "2027-01-15.md.sealed").write_text("\n\n".join(lines) + "\n")
    open_store(place.config(), told=lambda _: None)

    assert (folder / "2027-01-15.md").read_text() == "by hand\n\na boat\n\nat six\n"
    assert [path.name for path in folder.iterdir()] == ["2027-01-15.md"]


@story
async def test_labels_are_found_before_and_after_turning_over(place):
    await place.fill(place.plain)
    async with place.opened(place.plain) as store:
        await SessionTalk(store).edit(
            lambda session: replace(session, naming=replace(session.naming, label="the zebra"))
        )
    seal_store(place.config(), told=lambda _: None)
    assert b"the zebra" not in place.database.read_bytes()
    async with place.opened() as store:
        (found,) = await store.find_sessions(label="the zebra")
        assert found.naming.label == "the zebra"
    open_store(place.config(), told=lambda _: None)
    async with place.opened(place.plain) as store:
        assert len(await store.find_sessions(label="the zebra")) == 1


@story
async def test_a_store_that_a_gateway_has_is_not_turned_over(place):
    await place.fill()
    async with place.opened():
        with pytest.raises(StoreLocked):
            open_store(place.config(), told=lambda _: None)


KILLED = """
import os, signal, sys
from pathlib import Path
from instar.config.config import parse_config
from instar.stores import turn_over
state, key, word, where, after = sys.argv[1:]
raw = {"session": {"encryption": {"enabled": True, "keyFile": key}}}
config = parse_config(raw, env={}, state_dir=Path(state), home=Path(state))
turn_over._SLICE = 2
left = [int(after)]
change = turn_over._change_slice
def dying(connection, table, *rest):
    done = change(connection, table, *rest)
    if table == where:
        left[0] -= 1
        if not left[0]:
            os.kill(os.getpid(), signal.SIGKILL)
    return done
turn_over._change_slice = dying
if where == "vacuum":
    turn_over._write_anew = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
getattr(turn_over, word)(config, told=lambda _: None)
"""


@pytest.mark.parametrize("word", ["seal_store", "open_store"])
@pytest.mark.parametrize(
    ("where", "after"), [("sessions", 1), ("entries", 1), ("entries", 3), ("outbox", 1), ("vacuum", 1)]
)
def test_killed_in_between_everything_is_readable_and_the_same_command_finishes(place, word, where, after):
    is_sealing = word == "seal_store"

    @story
    async def fill():
        await place.fill(place.plain if is_sealing else place.config(), messages=9)

    def kill():
        done = subprocess.run(
            [sys.executable, "-c", KILLED, str(place.state), str(place.key), word, where, str(after)],
            check=False,
            capture_output=True,
            env={**os.environ},
        )
        assert done.returncode == -signal.SIGKILL, done.stderr.decode()

    @story
    async def go_on():
        half = look_at(place.config())["state"]
        assert half in ({"sealing", "off"} if is_sealing else {"opening", "on"})
        if half == "sealing":
            assert "encryption-half" in place.codes()
            told = await place.read()
            assert all(f"{WORD} {n}'" in told for n in range(1, 10))
            with capture_logs() as said:
                async with place.opened() as store:
                    await SessionTalk(store).append(build_message(10, 9, "said in between"))
            assert "store_half_sealed" in [line["event"] for line in said]
        turn = seal_store if is_sealing else open_store
        turn(place.config(), told=lambda _: None)
        told = await place.read(place.config() if is_sealing else place.plain)
        assert all(f"{WORD} {n}'" in told for n in range(1, 10))
        assert place.holds_words() is not is_sealing

    fill()
    kill()
    go_on()


@story
async def test_another_master_key_opens_the_same_rows_and_the_old_one_nothing(place):
    await place.fill()
    before = place.run("SELECT line FROM entries ORDER BY seq")
    new = place.folder / "keys" / "new.key"
    create_key_file(new)
    assert rewrap_ring(place.config(), read_key_file(new)) >= 2
    assert place.run("SELECT line FROM entries ORDER BY seq") == before
    with pytest.raises(StoreError, match="does not fit"):
        await place.read()
    assert WORD in await place.read(place.config(enabled=True, keyFile=str(new)))


# --- carrying over ----------------------------------------------------------------------------------------------------


@story
async def test_an_export_is_in_plain_text_and_an_import_into_a_sealed_store_seals(place):
    await place.fill()
    out = place.folder / "out"
    await export_store(place.database, out, now=NOW, clean=None, seals=load_seals(place.config()))
    assert any(WORD in path.read_text() for path in out.rglob("*.jsonl"))
    other = Place(place.folder / "other")
    other.key = place.key
    async with other.opened() as store:
        await import_store(out, store)
    assert not other.holds_words()
    assert f"{WORD} waits" in await other.read()
    third = Place(place.folder / "third")
    async with third.opened(third.plain) as store:
        await import_store(out, store)
    assert f"{WORD} waits" in await third.read(third.plain)


@story
async def test_what_was_decided_is_told(place):
    await place.fill()
    async with place.opened() as store:
        (recorded, *_) = await store.load_decisions(DecisionQuery(session_key=KEY, limit=10))
        assert recorded.decision.inputs == {"channel": "telegram"}
    assert json.loads(place.run("SELECT json_quote(outcome) FROM decisions")[0][0]) == "accepted"
    assert "telegram" not in place.run("SELECT inputs FROM decisions")[0][0]
