"""A file is found under whatever name a crash has left it, and none keeps a name that it should not have (STORE-4)."""

from __future__ import annotations

import asyncio
import os
import threading
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from instar.config.config import parse_config
from instar.core.model.ids import SessionId, SessionKey
from instar.stores import mirror_level
from instar.stores.archive import TranscriptArchiver
from instar.stores.mirror import Mirror, open_mirror
from instar.stores.mirror_files import Mark
from instar.stores.mirror_level import Leveller
from instar.stores.mirror_names import NamePlan, plan_names
from instar.stores.mirror_rows import load_mark
from instar.stores.sealing.cells import FILE_MARK
from instar.testing.clock import ManualClock
from tests.builders.mirror import OTHER, TIME, World, until
from tests.builders.store import KEY, NOW, SID, SessionTalk, build_message

LATER = "2026-03-10T12-00-00.005Z"


@pytest.fixture
def world(tmp_path):
    return World(tmp_path / "state")


async def begin(world, *, dies=False):
    """A first life with three messages, whose file is written."""
    async with world.run(dies=dies):
        await world.talk.begin(*(build_message(n, n - 1 or None) for n in range(1, 4)))
        await world.mirror.flush()


async def go_on(world, *, dies=False):
    """One more life, which does nothing by itself."""
    async with world.run(dies=dies):
        await world.mirror.flush()


async def meanwhile(world, session_id, *, at=NOW):
    """While no mirror follows, the current life ends, and another begins or is taken up again."""
    async with world.opened() as store:
        await SessionTalk(store).reset(session_id, now=at)


async def archive(world):
    """Delete the session as the gateway does: each transcript is archived first."""
    async with world.opened() as store:
        config = parse_config({}, env={}, state_dir=world.places.state_dir, home=world.places.home)
        archiver = TranscriptArchiver(store, config, clock=ManualClock(NOW))
        for head in await store.load_transcripts(SessionKey(KEY)):
            await archiver.archive(head)
        await store.delete_session(KEY, now=NOW, decisions=[])


def check(world, **files):
    """These files are there and no others; each holds the lines of its transcript."""

    async def scenario():
        async with world.opened() as world.store:
            for name, session_id in files.items():
                expected = await world.lines(session_id)
                assert (world.folder / name).read_text() == expected, name

    assert world.names() == sorted(files)
    asyncio.run(scenario())


def tear(path: Path) -> None:
    os.truncate(path, path.stat().st_size - 9)


# --- what a name should be --------------------------------------------------------------------------------------------

CURRENT = Path("/m/a.jsonl")
FIRST, SECOND = (Path(f"/m/a.jsonl.reset.{time}") for time in (TIME, LATER))
CLASH = Path(f"/m/a.jsonl-1.reset.{LATER}")


@pytest.mark.parametrize(
    ("path", "there", "expected"),
    [
        (CURRENT, {CURRENT}, NamePlan()),
        (CURRENT, set(), NamePlan()),
        (FIRST, {CURRENT}, NamePlan(taken=CURRENT)),
        (CURRENT, {FIRST}, NamePlan(taken=FIRST)),
        (CURRENT, {FIRST, SECOND}, NamePlan(taken=SECOND)),
        (CURRENT, {CLASH, SECOND}, NamePlan(taken=CLASH)),
        (FIRST, {SECOND}, NamePlan(taken=SECOND)),
        (FIRST, {CURRENT, SECOND}, NamePlan(taken=CURRENT)),
        (FIRST, {FIRST, CURRENT}, NamePlan(aside=CURRENT)),
        (CURRENT, {FIRST, CURRENT}, NamePlan()),
        (SECOND, {FIRST, SECOND}, NamePlan()),
    ],
)
def test_the_newest_file_takes_the_name_and_none_keeps_that_of_another_life(path, there, expected):
    assert plan_names(path, there, current=CURRENT) == expected


# --- a life that ended, or was taken up again, while nobody knew of its file ------------------------------------------


@pytest.mark.parametrize("harm", [lambda _: None, tear])
def test_the_file_of_a_life_that_ended_unseen_is_renamed(world, harm):
    asyncio.run(begin(world, dies=True))
    harm(world.file())
    asyncio.run(meanwhile(world, OTHER))
    asyncio.run(go_on(world))
    check(world, **{f"{SID}.jsonl.reset.{TIME}": SID, f"{OTHER}.jsonl": OTHER})


@pytest.mark.parametrize("harm", [lambda _: None, tear])
def test_the_file_of_a_life_that_was_taken_up_again_unseen_is_renamed_back(world, harm):
    asyncio.run(begin(world, dies=True))
    asyncio.run(meanwhile(world, OTHER))
    asyncio.run(go_on(world, dies=True))
    harm(world.file(suffix=f".reset.{TIME}"))
    asyncio.run(meanwhile(world, SID))
    asyncio.run(go_on(world))
    check(world, **{f"{SID}.jsonl": SID, f"{OTHER}.jsonl.reset.{TIME}": OTHER})


@pytest.mark.parametrize("steps", [[OTHER], [OTHER, SID], [OTHER, SID, OTHER], [OTHER, SID, OTHER, SID]])
@pytest.mark.parametrize("lives", range(1, 16))
def test_every_order_of_lives_and_deaths_leaves_the_same_files(world, steps, lives):
    # Bit n of `lives` says whether the life after step n comes to storing how it left the files.
    async def scenario():
        await begin(world, dies=not lives & 1)
        for number, session_id in enumerate(steps):
            await meanwhile(world, session_id, at=NOW + 5 * number)
            await go_on(world, dies=not lives >> number + 1 & 1)
        await go_on(world)

    asyncio.run(scenario())
    current = steps[-1]
    (closed,) = {SID, OTHER} - {current}
    at = [TIME, LATER, "2026-03-10T12-00-00.010Z", "2026-03-10T12-00-00.015Z"][len(steps) - 1]
    check(world, **{f"{closed}.jsonl.reset.{at}": closed, f"{current}.jsonl": current})


def test_a_life_that_was_taken_up_and_ended_again_between_two_starts_takes_its_file_along(world):
    asyncio.run(begin(world))
    asyncio.run(meanwhile(world, OTHER))
    asyncio.run(go_on(world))  # marked under the first time
    asyncio.run(meanwhile(world, SID))
    asyncio.run(go_on(world, dies=True))  # renamed back, and nobody knows
    asyncio.run(meanwhile(world, OTHER))
    asyncio.run(go_on(world))
    check(world, **{f"{SID}.jsonl.reset.{TIME}": SID, f"{OTHER}.jsonl": OTHER})


def test_a_rename_that_was_stored_nowhere_is_no_conflict(world):
    asyncio.run(begin(world))
    asyncio.run(meanwhile(world, OTHER))
    asyncio.run(go_on(world, dies=True))
    asyncio.run(go_on(world))
    check(world, **{f"{SID}.jsonl.reset.{TIME}": SID, f"{OTHER}.jsonl": OTHER})


def test_a_file_that_another_hand_changed_is_kept_under_neither_name(world):
    asyncio.run(begin(world, dies=True))
    world.file().write_text("mine\n")
    asyncio.run(meanwhile(world, OTHER))
    asyncio.run(go_on(world))
    (kept,) = [name for name in world.names() if ".conflict." in name]
    assert (world.folder / kept).read_text() == "mine\n"
    (world.folder / kept).unlink()
    check(world, **{f"{SID}.jsonl.reset.{TIME}": SID, f"{OTHER}.jsonl": OTHER})


def test_a_copy_that_has_kept_the_name_of_a_life_that_ended_is_put_aside_at_the_next_start(world):
    asyncio.run(begin(world))
    asyncio.run(meanwhile(world, OTHER))
    asyncio.run(go_on(world))
    text = world.file(suffix=f".reset.{TIME}").read_text()
    world.file().write_text(text)
    asyncio.run(go_on(world))
    assert not world.file().exists()
    (kept,) = [name for name in world.names() if ".conflict." in name]
    assert (world.folder / kept).read_text() == text


def test_the_file_of_a_topic_is_found_under_its_own_name(world):
    key = "agent:main:telegram:group:-100:topic:7"

    async def scenario():
        async with world.run(dies=True):
            await SessionTalk(world.store, key).begin(build_message(1, None))
        async with world.opened() as store:
            await SessionTalk(store, key).reset(OTHER, now=NOW)
        await go_on(world)

    asyncio.run(scenario())
    check(world, **{f"{SID}-topic-7.jsonl.reset.{TIME}": SID, f"{OTHER}-topic-7.jsonl": OTHER})


def test_a_rename_whose_writing_fails_is_found_when_the_life_is_taken_up_again(world, monkeypatch):
    append = mirror_level.append_lines

    def refuse(path, *arguments, **options):
        if SID in path.name:
            raise OSError(28, "No space left on device")
        return append(path, *arguments, **options)

    async def scenario():
        async with world.run():
            await world.talk.begin(build_message(1, None))
            await world.mirror.flush()
            await world.talk.append(build_message(2, 1))
            await world.talk.reset(OTHER, now=NOW)
            with monkeypatch.context() as patch:
                patch.setattr(mirror_level, "append_lines", refuse)
                with pytest.raises(OSError, match="No space"):
                    await world.mirror.flush()
                assert world.file(suffix=f".reset.{TIME}").exists()
                await world.talk.reset(SID, now=NOW + 5)
            await world.mirror.flush()

    asyncio.run(scenario())
    check(world, **{f"{SID}.jsonl": SID, f"{OTHER}.jsonl.reset.{LATER}": OTHER})


# --- a session that is deleted, or brought back -----------------------------------------------------------------------


def test_a_file_nobody_knows_of_goes_with_its_deleted_session_if_the_archive_holds_it(world):
    asyncio.run(begin(world, dies=True))
    asyncio.run(archive(world))
    with capture_logs() as said:
        asyncio.run(go_on(world))
    assert [name.partition(".deleted.")[0] for name in world.names()] == [f"{SID}.jsonl"]
    assert world.names()[0].endswith(".zst")
    assert "mirror_strays" not in [line["event"] for line in said]


@pytest.mark.parametrize("edit", ["longer", "other"])
def test_a_file_that_holds_more_than_the_archive_stays_and_is_named(world, edit):
    asyncio.run(begin(world, dies=True))
    asyncio.run(archive(world))
    text = world.file().read_text()
    world.file().write_text(text + "{}\n" if edit == "longer" else text.replace("hello", "HELLO"))
    with capture_logs() as said:
        asyncio.run(go_on(world))
    assert world.file().exists()
    assert "mirror_strays" in [line["event"] for line in said]


@pytest.mark.parametrize("content", [b"no archive", FILE_MARK + b"sealed by a key that is not here"])
def test_an_archive_that_cannot_be_read_takes_no_file_along(world, content):
    asyncio.run(begin(world, dies=True))
    asyncio.run(archive(world))
    (kept,) = world.folder.glob("*.zst")
    kept.write_bytes(content)
    with capture_logs() as said:
        asyncio.run(go_on(world))
    assert world.file().exists()
    assert "mirror_strays" in [line["event"] for line in said]


def test_a_file_that_was_renamed_unseen_goes_with_its_deleted_session(world):
    asyncio.run(begin(world))
    asyncio.run(meanwhile(world, OTHER))
    asyncio.run(go_on(world, dies=True))
    asyncio.run(archive(world))
    asyncio.run(go_on(world))
    assert not [name for name in world.names() if ".reset." in name or name.endswith(".jsonl")]


def test_a_session_that_is_deleted_right_after_a_start_takes_its_file_along(world):
    async def scenario():
        await begin(world, dies=True)
        async with world.run():
            await world.mirror._look_once()  # the walk of the start; the files of what it found come next
            await world.store.delete_session(KEY, now=NOW, decisions=[])
            await world.mirror.flush()

    asyncio.run(scenario())
    assert [name.partition(".deleted.")[0] for name in world.names()] == [f"{SID}.jsonl"]


def test_a_session_that_was_deleted_and_brought_back_unseen_has_its_file(world):
    async def scenario():
        await begin(world, dies=True)
        async with world.opened() as store:
            page = await store.load_all_entries(SessionId(SID))
            entries = [stored.entry for stored in page.entries]
            await store.delete_session(KEY, now=NOW, decisions=[])
            await SessionTalk(store).begin(*entries)
        await go_on(world)

    asyncio.run(scenario())
    check(world, **{f"{SID}.jsonl": SID})


# --- files that maintenance removes -----------------------------------------------------------------------------------


@pytest.mark.parametrize("maintenance", [{"resetArchiveRetention": "1d"}, {"maxDiskBytes": "1gb"}, {}])
def test_a_file_of_a_closed_transcript_that_maintenance_removed_does_not_come_back_at_the_next_start(
    world, maintenance
):
    raw = {"session": {"maintenance": maintenance}}
    config = parse_config(raw, env={}, state_dir=world.places.state_dir, home=world.places.home)
    closed = world.file(suffix=f".reset.{TIME}")

    async def scenario():
        await begin(world)
        await meanwhile(world, OTHER)
        async with world.opened() as store, open_mirror(store, config, clock=ManualClock(NOW, auto_advance_s=0)):
            pass
        closed.unlink()
        async with world.opened() as store:
            async with open_mirror(store, config, clock=ManualClock(NOW, auto_advance_s=0)) as mirror:
                await mirror.flush()
                assert closed.exists() == (not maintenance)
            await SessionTalk(store).reset(SID, now=NOW + 5)
            async with open_mirror(store, config, clock=ManualClock(NOW, auto_advance_s=0)):
                pass

    asyncio.run(scenario())
    check(world, **{f"{SID}.jsonl": SID, f"{OTHER}.jsonl.reset.{LATER}": OTHER})


# --- a stop in good order ---------------------------------------------------------------------------------------------


def test_a_stop_lets_a_round_end_that_has_begun(world, monkeypatch):
    began, goes_on = threading.Event(), threading.Event()
    append = mirror_level.append_lines

    def linger(*arguments, **options):
        began.set()
        goes_on.wait(60)
        return append(*arguments, **options)

    monkeypatch.setattr(mirror_level, "append_lines", linger)

    async def scenario():
        async with world.run():
            await world.talk.begin(build_message(1, None))
            await until(began.is_set)
            asyncio.get_running_loop().call_later(0.05, goes_on.set)
        async with world.opened() as store:
            mark = await store.engine.read(lambda tx: load_mark(tx, SID))
            assert mark is not None
            assert mark.size == world.file().stat().st_size

    asyncio.run(scenario())
    check(world, **{f"{SID}.jsonl": SID})


def test_marks_whose_storing_is_cut_off_are_not_forgotten(world, monkeypatch):
    async def scenario():
        async with world.opened() as store:
            mirror, begun = Mirror(store, world.places, clock=ManualClock(NOW)), asyncio.Event()

            async def linger(*_, **__):
                begun.set()
                await asyncio.sleep(10)

            with monkeypatch.context() as patch:
                patch.setattr(store.engine, "write", linger)
                mirror._unsaved = {SID: Mark(path=world.file(), seq=1, size=2, changed_ns=3)}
                saving = asyncio.ensure_future(mirror._save_marks())
                await begun.wait()
                saving.cancel()
                await asyncio.gather(saving, return_exceptions=True)
            await mirror._save_marks()
            assert await store.engine.read(lambda tx: load_mark(tx, SID)) is not None

    asyncio.run(scenario())


def test_a_session_that_is_deleted_while_its_file_is_compared_leaves_none(world, monkeypatch):
    async def scenario():
        async with world.run():
            await world.talk.begin(build_message(1, None))
            await world.mirror.flush()
            os.utime(world.file(), (1, 1))  # so that the file is compared
            await world.talk.append(build_message(2, 1))
            take = Leveller._match

            async def delete_first(leveller, transcript, comparison):
                await world.store.delete_session(KEY, now=NOW, decisions=[])
                return await take(leveller, transcript, comparison)

            with monkeypatch.context() as patch, capture_logs() as said:
                patch.setattr(Leveller, "_match", delete_first)
                await world.mirror.flush()
            assert [line["event"] for line in said] == []
        assert [name.partition(".deleted.")[0] for name in world.names()] == [f"{SID}.jsonl"]

    asyncio.run(scenario())
