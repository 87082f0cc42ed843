"""A person is taken out of everything that a gateway keeps, and others keep theirs (LEAK-11)."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import apsw
import msgspec
import pytest

from instar.core.context.erasing import ANSWER_ERASED, WORDS_ERASED
from instar.core.model.caller import Caller
from instar.core.model.ids import Instant, SessionKey
from instar.core.model.query import DecisionQuery, SearchQuery
from instar.core.policy.scopes import OWNER_SCOPES
from instar.core.policy.tokens import TokenWish
from instar.core.routing.person import resolve_person_named
from instar.errors import InvalidRequest, NotFound
from instar.stores.archive import read_archive
from instar.stores.backup import BackupSource, create_backup, restore_backup
from instar.stores.erasing.find import find_holdings
from instar.stores.importer import ImportLimits, read_transcript_file, store_transcript_file
from instar.testing.runner import ScriptedRunner
from instar.testing.script import Reply
from tests.builders.erasing import BOB, CONFIG, GROUP, NOW, OWN, QUIET, TRACES, erase, lines, post, talk
from tests.builders.people import open_people


@pytest.mark.parametrize("reason", ["deleted", "reset", "bak"])
def test_every_linked_id_leaves_every_row_and_file(tmp_path, reason):
    async def story() -> None:
        async with open_people(tmp_path, CONFIG) as world:
            await talk(world)
            log = tmp_path / "logs" / "gateway.log"
            log.parent.mkdir()
            log.write_text(
                f'{{"event":"turn_failed","session_key":"{OWN}"}}\n{{"event":"x","who":"bob-88 panda-9001"}}\n'
            )
            notes = tmp_path / "workspace" / "MEMORY.md"
            notes.parent.mkdir()
            notes.write_text("- Alice Moor likes tea\n- panda-9001 likes coffee\n")
            for key in (OWN, GROUP):
                await world.archiver.archive((await world.store.load_transcripts(key))[0], reason=reason)
            assert all(world.count(word) for word in TRACES)
            receipt = await erase(world)
            assert [(one.place, one.count) for one in receipt.left] == []
            assert world.count(*TRACES, str(OWN)) == {}
            assert receipt.residue == 0
            assert receipt.counts["sessions"] == 1
            assert receipt.counts["inbox"] == 4
            assert receipt.counts["archives"] == 1
            assert receipt.counts["archives_changed"] == 1
            assert notes.read_text() == "- panda-9001 likes coffee\n"
            assert "panda-9001" in log.read_text()
            assert all(world.count(f"panda-900{number}") for number in (1, 2, 3))
            assert world.mirror is not None
            await world.mirror.flush()
            assert world.count(*TRACES) == {}

    asyncio.run(story())


def test_a_group_keeps_others_words_and_says_that_somebody_spoke(tmp_path):
    async def story() -> None:
        async with open_people(tmp_path, CONFIG) as world:
            await talk(world)
            before = await lines(world, GROUP)
            await erase(world)
            after = await lines(world, GROUP)
            assert len(after) == len(before)
            assert [WORDS_ERASED in after[0], ANSWER_ERASED in after[1]] == [True, True]
            assert "did [erased] say [erased]? I am panda-9002" in after[2]
            assert "panda-9002" in after[3]
            quiet = await lines(world, QUIET)
            assert WORDS_ERASED in quiet[0]
            assert "what was said? panda-9003" in quiet[0]
            await post(world, "bob", "still there? panda-9004", group="room-1")
            assert len(await lines(world, GROUP)) == len(before) + 2

    asyncio.run(story())


def test_nothing_of_them_is_found_any_more_and_others_are(tmp_path):
    async def story() -> None:
        async with open_people(tmp_path, CONFIG) as world:
            await talk(world)
            assert (await world.store.search(SearchQuery(text="zebra", limit=10))).hits
            await erase(world)
            assert not (await world.store.search(SearchQuery(text="zebra", limit=10))).hits
            assert (await world.store.search(SearchQuery(text="panda-9002", limit=10))).hits

    asyncio.run(story())
    database = apsw.Connection(str(tmp_path / "instar.db"))
    database.execute("CREATE VIRTUAL TABLE temp.terms USING fts5vocab(main, 'search', 'row')")
    terms = {term for (term,) in database.execute("SELECT term FROM temp.terms")}
    database.close()
    assert "panda" in terms
    assert not terms & {"zebra", "4471", "4472", "4473", "moor", "alic"}


def test_the_ledger_keeps_its_sums_and_forgets_whose_they_were(tmp_path):
    async def story() -> None:
        async with open_people(tmp_path, CONFIG) as world:
            await talk(world)
            before = await world.store.sum_usage()
            await erase(world)
            assert await world.store.sum_usage() == before
            assert (await world.store.sum_usage(session_key=SessionKey("erased")))[0].calls == 2
            assert await world.store.sum_usage(session_key=OWN) == ()

    asyncio.run(story())


def test_the_receipt_is_a_decision_without_identity(tmp_path):
    async def story() -> None:
        async with open_people(tmp_path, CONFIG) as world:
            await talk(world)
            receipt = await erase(world)
            (decision, *_) = await world.store.load_decisions(DecisionQuery(kind="erase", limit=5))
            assert decision.session_key is None
            assert decision.decision.rule == "LEAK-11"
            assert decision.decision.inputs["erasure"] == receipt.id
            assert decision.decision.inputs["residue"] == 0

    asyncio.run(story())


def test_a_dry_run_counts_and_changes_nothing(tmp_path):
    async def story() -> None:
        async with open_people(tmp_path, CONFIG) as world:
            await talk(world)
            person = resolve_person_named("alice", world.config.routing.keys.links)
            before = world.count(*TRACES)
            receipt = await world.eraser.plan(person, now=NOW)
            assert receipt.planned
            assert receipt.residue > 0
            assert receipt.counts["sessions"] == 1
            assert receipt.counts["shared_sessions"] == 2
            assert world.count(*TRACES) == before

    asyncio.run(story())


def test_erasing_twice_says_that_nothing_is_held(tmp_path):
    async def story() -> None:
        async with open_people(tmp_path, CONFIG) as world:
            await talk(world)
            await erase(world)
            with pytest.raises(NotFound, match="Nothing is held about alice"):
                await erase(world)
            await post(world, "alice", "a stranger again, zebra-4499")
            assert (await erase(world)).residue == 0

    asyncio.run(story())


class Cut(Exception):
    """The process died here."""


@pytest.mark.parametrize("step", range(14))
def test_an_erasure_that_is_cut_anywhere_goes_on_at_the_next_start(tmp_path, step):
    async def begin() -> None:
        async with open_people(tmp_path, CONFIG) as world:
            await talk(world)
            engine, writes = world.store.engine, 0
            write = engine.write

            async def cut_write(unit, *, purpose="owed"):
                nonlocal writes
                writes += 1
                if writes > step:
                    raise Cut
                return await write(unit, purpose=purpose)

            engine.write = cut_write
            try:
                await erase(world)
            except Cut:
                assert writes > step
            finally:
                engine.write = write

    async def go_on() -> None:
        async with open_people(tmp_path, CONFIG) as world:
            receipts = await world.eraser.resume()
            links = world.config.routing.keys.links
            person = resolve_person_named("alice", links)
            if not receipts and await find_holdings(world.store.engine, person, links):
                receipts = (await erase(world),)
            assert [receipt.residue for receipt in receipts] in ([0], [])
            assert world.count(*TRACES) == {}
            assert world.count("panda-9001")
            assert await world.eraser.resume() == ()

    asyncio.run(begin())
    asyncio.run(go_on())


# --- what must not come back ------------------------------------------------------------------------------------------


def test_an_archive_of_somebody_who_was_erased_is_not_imported_again(tmp_path):
    async def story() -> None:
        async with open_people(tmp_path / "state", CONFIG) as world:
            await talk(world)
            kept = tmp_path / "kept.jsonl.zst"
            archive = await world.archiver.archive((await world.store.load_transcripts(OWN))[0])
            kept.write_bytes((tmp_path / "state" / archive).read_bytes())
            await erase(world)
            file = read_transcript_file(kept, ImportLimits())
            for key in (OWN, BOB):
                with pytest.raises(InvalidRequest, match="is not brought back"):
                    await store_transcript_file(world.store, file, key=key, agent_id="main", now=NOW)

    asyncio.run(story())


def test_a_backup_from_before_comes_back_without_them(tmp_path):
    state = tmp_path / "state"

    async def story() -> None:
        async with open_people(state, CONFIG) as world:
            await talk(world)
            source = BackupSource(database=state / "instar.db")
            create_backup(source, state / "backups" / "old.tar.zst", now=Instant(NOW - 1000), version="0")
            receipt = await erase(world)
            assert receipt.backups == ("old.tar.zst",)
            assert receipt.residue == 0

    asyncio.run(story())
    report = restore_backup(state / "backups" / "old.tar.zst", tmp_path / "new", now=NOW)
    assert report.erased is not None
    assert report.erased.residue == 0

    async def look() -> None:
        async with open_people(tmp_path / "new", CONFIG) as world:
            assert world.count("zebra", "moor@example.org", "alice-771", "Alice Moor") == {}
            assert world.count("panda-9001")
            assert await world.store.load_session(OWN) is None

    asyncio.run(look())


def test_old_backups_go_where_that_is_asked_for(tmp_path):
    async def story() -> None:
        async with open_people(tmp_path, CONFIG) as world:
            create_backup(
                BackupSource(database=tmp_path / "instar.db"), tmp_path / "backups" / "a", now=NOW, version="0"
            )
            await talk(world)
            create_backup(
                BackupSource(database=tmp_path / "instar.db"), tmp_path / "backups" / "b", now=NOW, version="0"
            )
            receipt = await erase(world, drop_backups=True)
            assert receipt.dropped_backups == ("b",)
            assert [path.name for path in (tmp_path / "backups").iterdir()] == ["a"]

    asyncio.run(story())


def test_backups_can_go_later_than_the_rest(tmp_path):
    async def story() -> None:
        async with open_people(tmp_path, CONFIG) as world:
            await talk(world)
            source = BackupSource(database=tmp_path / "instar.db")
            create_backup(source, tmp_path / "backups" / "b", now=NOW, version="0")
            assert (await erase(world)).backups == ("b",)
            with pytest.raises(NotFound):
                await erase(world)
            assert (await erase(world, drop_backups=True)).dropped_backups == ("b",)
            with pytest.raises(NotFound):
                await erase(world, drop_backups=True)

    asyncio.run(story())


# --- what cannot be read, and whose files are not ours ----------------------------------------------------------------


def test_a_damaged_row_does_not_keep_a_person_in(tmp_path):
    async def story() -> None:
        async with open_people(tmp_path, CONFIG) as world:
            await talk(world)
        database = apsw.Connection(str(tmp_path / "instar.db"))
        database.execute("UPDATE entries SET line = line || '}' WHERE line LIKE '%did Alice%'")
        database.execute("UPDATE inbox SET submission = '{' WHERE submission LIKE '%did Alice%'")
        database.close()
        async with open_people(tmp_path, CONFIG) as world:
            receipt = await erase(world)
            assert [(one.place, one.count) for one in receipt.left] == []
            assert world.count(*TRACES) == {}
            assert world.count("I am panda-9002}") or world.count("panda-9002")

    asyncio.run(story())


def test_a_file_that_is_no_text_is_named_and_not_broken(tmp_path):
    async def story() -> None:
        async with open_people(tmp_path, CONFIG) as world:
            await talk(world)
            other = tmp_path / "other.bin"
            other.write_bytes(b"\0 zebra-4471 \0")
            receipt = await erase(world)
            assert [(one.place, one.count) for one in receipt.left] == [("other.bin", 1)]
            assert receipt.residue == 1
            assert other.read_bytes() == b"\0 zebra-4471 \0"

    asyncio.run(story())


def test_the_name_of_a_file_does_not_come_into_the_receipt(tmp_path):
    async def story() -> None:
        async with open_people(tmp_path, CONFIG) as world:
            await talk(world)
            (tmp_path / "about-alice-771.txt").write_text("nothing")
            receipt = await erase(world)
            assert [one.place for one in receipt.left] == ["about-[erased].txt"]

    asyncio.run(story())


def test_in_a_folder_of_somebody_only_notes_and_exports_are_touched(tmp_path):
    elsewhere = tmp_path / "project"
    (elsewhere / "memory").mkdir(parents=True)
    (elsewhere / "exports").mkdir()
    config = {**CONFIG, "agents": {"defaults": {"workspace": str(elsewhere)}}}

    async def story() -> None:
        async with open_people(tmp_path / "state", config) as world:
            await talk(world)
            session = await world.store.load_session(OWN)
            assert session is not None
            (elsewhere / "program.py").write_text("# zebra-4471")
            (elsewhere / "MEMORY.md").write_text("zebra-4471\nkept\n")
            (elsewhere / "memory" / "day.md").write_text("kept\nzebra-4471\n")
            (elsewhere / "exports" / "a.html").write_text(f"<p>{session.session_id}</p>")
            receipt = await erase(world)
            assert receipt.residue == 0
            assert (elsewhere / "program.py").read_text() == "# zebra-4471"
            assert (elsewhere / "MEMORY.md").read_text() == "kept\n"
            assert (elsewhere / "memory" / "day.md").read_text() == "kept\n"
            assert list((elsewhere / "exports").iterdir()) == []

    asyncio.run(story())


def test_what_the_owner_wrote_into_the_configuration_is_named_with_what_to_do(tmp_path):
    async def story() -> None:
        async with open_people(tmp_path, CONFIG) as world:
            await talk(world)
            file = tmp_path / "instar.json5"
            file.write_text(msgspec.json.encode(CONFIG).decode())
            world.eraser._places = replace(world.eraser._places, config=file)
            receipt = await erase(world)
            (left,) = receipt.left
            assert left.place == "instar.json5"
            assert "session.identityLinks" in left.fix
            assert "alice-771" in file.read_text()

    asyncio.run(story())


def test_whoever_only_has_a_token_is_held_too(tmp_path):
    async def story() -> None:
        async with open_people(tmp_path, CONFIG) as world:
            owner = Caller(scopes=OWNER_SCOPES)
            wish = TokenWish(principal="carol", scopes=("operator.read",))
            await world.gateway.gateway.tokens.create(wish, maker=owner)
            receipt = await erase(world, "carol")
            assert receipt.counts["tokens"] == 1
            assert world.count("carol") == {}

    asyncio.run(story())


@pytest.mark.parametrize("kept", ["current", "archived"])
def test_somebody_who_wrote_at_the_same_moment_keeps_their_words(tmp_path, kept):
    async def story() -> None:
        async with open_people(tmp_path, CONFIG) as world:
            await post(world, "bob", "bob here, my code is panda-9001")
            await post(world, "alice", "my code is zebra-4471")
            # The words of a message go with its session: what is left to recognise it by is the moment.
            await world.gateway.gateway.sessions.delete(OWN, delete_transcript=True, who="operator")
            if kept == "archived":
                (head,) = await world.store.load_transcripts(BOB)
                await world.archiver.archive(head)
            await world.mirror.flush()
            before = world.count("panda-9001")
            await world.gateway.gateway.people.erase("alice", drop_backups=False, who="operator")
            await world.mirror.flush()
            after = world.count("panda-9001")
            files = {place for place in before if "sessions/" in place}
            assert files
            assert {place: after.get(place) for place in files} == {place: before[place] for place in files}

    asyncio.run(story())


@pytest.mark.parametrize("is_archived", [False, True])
def test_what_was_only_listened_to_goes_from_answers_to_others_in_a_deleted_session(tmp_path, is_archived):
    runner = ScriptedRunner(lambda asked: Reply(text=f"I heard: {asked.spoken[-1].text}"))

    async def story() -> None:
        async with open_people(tmp_path, CONFIG, runner=runner) as world:
            await post(world, "alice", "I only listen, zebra-4473", group="quiet")
            await post(world, "bob", "what was said? panda-9003", group="quiet", mentioned=True)
            assert "zebra-4473" in (await lines(world, QUIET))[1]
            if is_archived:
                (head,) = await world.store.load_transcripts(QUIET)
                await world.archiver.archive(head)
            await world.gateway.gateway.sessions.delete(QUIET, delete_transcript=is_archived, who="operator")
            receipt = await erase(world)
            await world.mirror.flush()
            assert (receipt.residue, receipt.left) == (0, ())
            assert world.count(*TRACES) == {}

    asyncio.run(story())


@pytest.mark.parametrize("is_archived", [False, True])
def test_words_go_whose_message_was_forgotten_with_a_deleted_session(tmp_path, is_archived):
    async def story() -> None:
        async with open_people(tmp_path, CONFIG) as world:
            await post(world, "alice", "good day from zebra-4472", group="room-1")
            await post(world, "bob", "did somebody say zebra-4472? I am panda-9002", group="room-1")
            if is_archived:
                (head,) = await world.store.load_transcripts(GROUP)
                await world.archiver.archive(head)
            await world.gateway.gateway.sessions.delete(GROUP, delete_transcript=is_archived, who="operator")
            receipt = await world.gateway.gateway.people.erase("alice", drop_backups=False, who="operator")
            await world.mirror.flush()
            assert (receipt.residue, receipt.left) == (0, ())
            assert world.count(*TRACES) == {}
            kept = [line for path in tmp_path.rglob("*.zst") for line in read_archive(path)] if is_archived else ()
            assert world.count("panda-9002") or any("panda-9002" in line for line in kept)

    asyncio.run(story())
