"""With encryption an erasure reaches every copy of the database: the keys are destroyed (LEAK-11)."""

from __future__ import annotations

import filecmp
import re
import shutil
from pathlib import Path

import pytest

from instar.config.config import parse_config
from instar.core.context.erasing import WORDS_ERASED
from instar.core.model.ids import Instant
from instar.core.model.query import SessionQuery
from instar.core.routing.person import resolve_person_named
from instar.errors import StoreError
from instar.stores.archive import read_archive
from instar.stores.backup import BackupSource, create_backup, restore_backup
from instar.stores.sealing.cells import cell_key, read_key_name
from instar.stores.sealing.master import create_key_file, read_key_file
from instar.stores.sealing.open import load_seals
from instar.stores.sealing.ring import RING_NAME
from instar.stores.sealing.seals import Seals
from instar.stores.sqlite import SqliteStore
from instar.stores.sqlite.snapshot import copy_database
from instar.system.workspace import WorkspaceNotes
from tests.builders.erasing import BOB, GROUP, OWN, TRACES, post, talk
from tests.builders.people import open_people
from tests.builders.stories import story
from tests.flow import test_erase_a_person as plain

NOW = Instant(1_800_000_000_000)


@pytest.fixture
def sealed(tmp_path):
    """The configuration of the plain tests, with encryption."""
    key = tmp_path / "keys" / "master.key"
    create_key_file(key)
    session = {**plain.CONFIG["session"], "encryption": {"enabled": True, "keyFile": str(key)}}
    return {**plain.CONFIG, "session": session}


async def erase(world):
    person = resolve_person_named("other:al-772", world.config.routing.keys.links)
    return await world.eraser.erase_all(person, now=NOW, who="operator", drop_backups=False)


def back_up_then_erase(state: Path, sealed, target: Path) -> Path:
    """People write, a backup is made, one of them is erased; the backup."""

    @story
    async def live():
        async with open_people(state, sealed) as world:
            await talk(world)

    @story
    async def go_on():
        async with open_people(state, sealed) as world:
            await erase(world)

    live()
    source = BackupSource(database=state / "instar.db")
    backup = create_backup(source, target, now=Instant(NOW - 1), version="1").path
    go_on()
    return backup


def put_copy(folder: Path, database: Path, ring: Path) -> Path:
    """A state directory made of a copy of the database and a ring."""
    folder.mkdir()
    shutil.copy(database, folder / "instar.db")
    shutil.copy(ring, folder / RING_NAME)
    return folder


def key_of(path: Path) -> str | None:
    """The name of the key under which a file is sealed."""
    return read_key_name(path.read_bytes())


async def read_all(folder: Path, raw) -> str:
    """Everything that a state directory tells about sessions and messages."""
    config = parse_config(raw, env={}, state_dir=folder, home=folder)
    store = SqliteStore(folder / "instar.db", reserve_bytes=0, seals=load_seals(config))
    await store.open()
    try:
        page = await store.list_sessions(SessionQuery(limit=100))
        told = [repr(page.sessions)]
        for session in page.sessions:
            heads = await store.load_transcripts(session.key)
            told += [repr(await store.load_all_entries(head.session_id)) for head in heads]
            told.append(repr(await store.load_inbox(session_key=session.key)))
            told.append(repr(await store.load_deliveries(session_key=session.key)))
        return "\n".join(told)
    finally:
        await store.close()


@story
async def test_an_old_copy_with_the_ring_of_today_tells_nothing_of_them_and_everything_of_others(tmp_path, sealed):
    state = tmp_path / "state"
    async with open_people(state, sealed) as world:
        await talk(world)
    copy_database(state / "instar.db", tmp_path / "old.db")
    shutil.copy(state / RING_NAME, tmp_path / "old.ring")
    async with open_people(state, sealed) as world:
        receipt = await erase(world)
        assert receipt.residue == 0
        assert receipt.counts["keys"] >= 2
    with_old_ring = await read_all(put_copy(tmp_path / "a", tmp_path / "old.db", tmp_path / "old.ring"), sealed)
    assert "zebra-4471" in with_old_ring
    assert "zebra-4472" in with_old_ring
    with_new_ring = await read_all(put_copy(tmp_path / "b", tmp_path / "old.db", state / RING_NAME), sealed)
    assert "zebra-4471" not in with_new_ring
    assert "moor@example.org" not in with_new_ring
    for word in ("panda-9001", "panda-9002", "panda-9003"):
        assert word in with_new_ring


@story
async def test_in_an_old_copy_their_own_lines_in_a_group_are_replaced_and_the_tree_holds(tmp_path, sealed):
    state = tmp_path / "state"
    async with open_people(state, sealed) as world:
        await talk(world)
    copy_database(state / "instar.db", tmp_path / "old.db")
    async with open_people(state, sealed) as world:
        await erase(world)
    folder = put_copy(tmp_path / "b", tmp_path / "old.db", state / RING_NAME)
    config = parse_config(sealed, env={}, state_dir=folder, home=folder)
    store = SqliteStore(folder / "instar.db", reserve_bytes=0, seals=load_seals(config))
    await store.open()
    try:
        assert await store.load_session(OWN) is None
        (head,) = await store.load_transcripts(GROUP)
        page = await store.load_context(head.session_id)
        texts = [str(stored.entry) for stored in page.entries]
        assert WORDS_ERASED in texts[0]
        assert [stored.entry.parent_id for stored in page.entries][1:] == [stored.entry.id for stored in page.entries][
            :-1
        ]
        count = (await store.list_sessions(SessionQuery(limit=100))).total
        assert count == len((await store.list_sessions(SessionQuery(limit=100))).sessions)
    finally:
        await store.close()


@story
async def test_what_others_have_is_readable_after_an_erasure_and_a_restart(tmp_path, sealed):
    state = tmp_path / "state"
    async with open_people(state, sealed) as world:
        await talk(world)
        await erase(world)
        await post(world, "bob", "panda-9004 still here")
    told = await read_all(state, sealed)
    for word in ("panda-9001", "panda-9002", "panda-9003", "panda-9004"):
        assert word in told
    for word in TRACES:
        assert word not in told


@story
async def test_whoever_was_erased_may_write_again_under_a_new_key(tmp_path, sealed):
    state = tmp_path / "state"
    async with open_people(state, sealed) as world:
        await talk(world)
        await erase(world)
        await post(world, "alice", "I am back")
    assert "I am back" in await read_all(state, sealed)


@story
async def test_a_line_in_a_group_is_under_the_key_of_whoever_wrote_it(tmp_path, sealed):
    state = tmp_path / "state"
    async with open_people(state, sealed) as world:
        await talk(world)

        def keys(tx):
            rows = tx._connection.execute(
                "SELECT e.seq, substr(e.line, 4, 12) FROM main.entries AS e JOIN main.transcripts AS t"
                " ON t.id = e.transcript WHERE t.key = ? ORDER BY e.seq",
                (GROUP,),
            )
            return [row[1] for row in rows]

        alice, agent, bob, again = await world.store.engine.read(keys)
        assert agent == again
        assert len({alice, agent, bob}) == 3


@story
async def test_an_erasure_that_is_cut_before_the_keys_are_gone_is_finished_by_the_next_start(
    tmp_path, sealed, monkeypatch
):
    state = tmp_path / "state"

    def die(self, names):
        raise StoreError("the process died here")

    async with open_people(state, sealed) as world:
        await talk(world)
        with monkeypatch.context() as patch:
            patch.setattr(Seals, "shred", die)
            with pytest.raises(StoreError):
                await erase(world)
    copy_database(state / "instar.db", tmp_path / "old.db")
    async with open_people(state, sealed) as world:
        (receipt,) = await world.eraser.resume()
        assert receipt.residue == 0
        assert receipt.counts["keys"] >= 2
    assert "panda-9002" in await read_all(state, sealed)


def test_a_backup_from_before_comes_back_without_them_by_the_ring_of_today(tmp_path, sealed):
    state = tmp_path / "state"

    backup = back_up_then_erase(state, sealed, state / "backups" / "old.tar.zst")
    key = read_key_file(Path(sealed["session"]["encryption"]["keyFile"]))
    report = restore_backup(backup, tmp_path / "new", now=NOW, find_master=lambda _: key)
    assert (tmp_path / "new" / RING_NAME).is_file()
    assert report.erased is None or report.erased.residue == 0

    @story
    async def look():
        told = await read_all(tmp_path / "new", sealed)
        assert "panda-9001" in told
        assert "panda-9002" in told
        for word in ("zebra-4471", "zebra-4473", "moor@example.org", "alice-771", "Ali Moor"):
            assert word not in told
        # What another one quotes stays theirs: nobody can tell any more that it was somebody's.
        assert set(re.findall(r".{19}zebra-\d+", told)) == {"did Alice Moor say zebra-4472"}

    look()


@story
async def test_copies_that_tell_of_them_by_an_id_alone_are_named(tmp_path, sealed):
    state = tmp_path / "state"
    async with open_people(state, sealed) as world:
        # In the file an id stands right before the next column, and before the length of the row behind it.
        for sender in ("another-person-88", "cat-93"):
            where = {"chat_type": "group", "chat_id": "room-1"}
            await world.gateway.channel("chat").post("I was here", sender=sender, name="Cat", **where)
            await world.gateway.settle()
        source = BackupSource(database=state / "instar.db")
        create_backup(source, state / "backups" / "old.tar.zst", now=Instant(NOW - 1), version="1")
        copy_database(state / "instar.db", state / "kept.db")
        cat = resolve_person_named("chat:cat-93", world.config.routing.keys.links)
        receipt = await world.eraser.erase_all(cat, now=NOW, who="operator", drop_backups=False)
        assert receipt.backups == ("old.tar.zst",)
        assert [one.place for one in receipt.left] == ["kept.db"]
        receipt = await world.eraser.erase_all(cat, now=NOW, who="operator", drop_backups=True)
        assert receipt.dropped_backups == ("old.tar.zst",)


def test_a_backup_is_not_put_back_when_its_ring_is_nowhere_and_somebody_was_erased_since(tmp_path, sealed):
    state = tmp_path / "state"

    backup = back_up_then_erase(state, sealed, tmp_path / "old.tar.zst")
    shutil.copy(state / "erased.json", tmp_path / "erased.json")
    with pytest.raises(StoreError, match="key ring was not found"):
        restore_backup(backup, tmp_path / "new", now=NOW)
    assert not (tmp_path / "new").exists()


@story
async def test_an_archive_of_somebody_who_was_erased_that_comes_back_is_in_nobodys_way(tmp_path, sealed):
    state = tmp_path / "state"
    async with open_people(state, sealed) as world:
        await talk(world)
        (head,) = await world.store.load_transcripts(OWN)
        archive = await world.archiver.archive(head)
        shutil.copy(archive, tmp_path / "aside")
        await erase(world)
        with pytest.raises(FileNotFoundError):
            shutil.copy(archive, tmp_path / "nowhere")
        shutil.copy(tmp_path / "aside", archive)
        bob = resolve_person_named("chat:bob-88", world.config.routing.keys.links)
        receipt = await world.eraser.erase_all(bob, now=NOW, who="operator", drop_backups=False)
        assert receipt.residue == 0
        assert filecmp.cmp(archive, tmp_path / "aside", shallow=False)


@story
async def test_a_person_is_exported_in_plain_text(tmp_path, sealed):
    state = tmp_path / "state"
    async with open_people(state, sealed) as world:
        await talk(world)
        person = resolve_person_named("other:al-772", world.config.routing.keys.links)
        await world.eraser.export_to(person, tmp_path / "out", now=NOW)
    told = "\n".join(path.read_text() for path in (tmp_path / "out").rglob("*") if path.is_file())
    assert "zebra-4471" in told
    assert "moor@example.org" in told
    assert str(BOB) not in told


@story
async def test_an_archive_of_a_shared_session_is_still_read_when_its_key_is_gone(tmp_path, sealed):
    state = tmp_path / "state"
    async with open_people(state, sealed) as world:
        await talk(world)
        (head,) = await world.store.load_transcripts(GROUP)
        archive = Path(await world.archiver.archive(head))
        seals = world.store.engine.seals
        before = key_of(archive)
        await erase(world)
        assert key_of(archive) != before
        told = "\n".join(read_archive(archive, seals=seals))
        assert "panda-9002" in told


@story
async def test_a_sealed_note_loses_the_lines_of_a_person_and_keeps_the_others_under_a_new_key(tmp_path, sealed):
    state = tmp_path / "state"
    async with open_people(state, sealed) as world:
        await talk(world)
        seals = world.store.engine.seals
        folder = state / "workspace"
        notes = WorkspaceNotes(
            workspace_of=lambda _agent: folder,
            seal=lambda _agent, name, text: seals.seal_note(text, name=name, key=GROUP),
        )
        await notes.append("main", "2027-01-15.md", "Alice Moor likes zebra-4472.\nBob brings panda-9002.")
        await notes.append("main", "2027-01-15.md", "Only about al-772.")
        path = folder / "memory" / "2027-01-15.md.sealed"
        before = {cell_key(line) for line in path.read_text().splitlines() if line}
        await erase(world)
        lines = path.read_text().splitlines()
        assert [seals.open_note(line, name="2027-01-15.md") for line in lines] == ["Bob brings panda-9002."]
        assert not before & {cell_key(line) for line in lines}
