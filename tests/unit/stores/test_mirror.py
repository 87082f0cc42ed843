"""The live mirror: level with the rows after every commit, crash and foreign hand, and never in the way (STORE-2…5)."""

from __future__ import annotations

import asyncio
import json
import os
import stat
from dataclasses import replace
from itertools import count, pairwise

import pytest

from instar.config.config import parse_config
from instar.core.model.change import SessionChange
from instar.core.model.ids import AgentId, EntryId, SessionId, SessionKey
from instar.core.model.session import Naming
from instar.stores import mirror as mirror_module
from instar.stores import mirror_level
from instar.stores.mirror import Mirror, open_mirror
from instar.stores.mirror_places import MirrorPlaces
from instar.system.clock import SystemClock
from instar.testing.clock import ManualClock
from tests.builders.mirror import OTHER, TIME, World, until
from tests.builders.store import KEY, NOW, SID, SessionTalk, build_message, file_store, memory_store


@pytest.fixture
def world(tmp_path):
    return World(tmp_path / "state")


# --- following --------------------------------------------------------------------------------------------------------


def test_every_line_is_in_the_file_word_for_word(world):
    async def scenario():
        async with world.run():
            await world.talk.begin(build_message(1, None, "é🙂 \u2028 <&>"))
            await world.mirror.flush()
            await world.talk.append(build_message(2, 1), build_message(3, 2))
            await world.mirror.flush()
            assert world.file().read_text() == await world.lines()
            head = (await world.store.load_entries(SID)).head
            assert world.file().stat().st_size == head.bytes

    asyncio.run(scenario())


def test_files_follow_by_themselves_a_moment_after_the_commit(world):
    async def scenario():
        async with world.run():
            await world.talk.begin(build_message(1, None))
            await until(lambda: (world.folder / "sessions.json").exists() and world.file().exists())
            await world.talk.append(build_message(2, 1))
            expected = await world.lines()
            await until(lambda: world.file().read_text() == expected)

    asyncio.run(scenario())


def test_files_and_folders_are_their_owners_alone(world):
    async def scenario():
        async with world.run():
            await world.talk.begin()

    asyncio.run(scenario())
    for path in [*world.folder.parents][:3]:
        assert stat.S_IMODE(path.stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in world.folder.iterdir()} == {0o600}


def test_the_index_lists_every_session_as_its_entry(world):
    async def scenario():
        async with world.run():
            await world.talk.begin()
            await SessionTalk(world.store, "agent:work:main", "s2").begin()
            await world.mirror.flush()
            assert world.index()[KEY]["sessionId"] == SID
            await world.talk.edit(lambda session: replace(session, naming=Naming(label='é "x"'), extra={"shoe": 1}))
            await world.mirror.flush()
            text = (world.folder / "sessions.json").read_text()
            assert text == json.dumps(json.loads(text), indent=2, ensure_ascii=False) + "\n"
            assert world.index().keys() == {KEY}
            assert (world.index()[KEY]["label"], world.index()[KEY]["shoe"]) == ('é "x"', 1)
            work = json.loads(world.places.index(AgentId("work")).read_text())
            assert work.keys() == {"agent:work:main"}
            await world.store.delete_session(KEY, now=NOW, decisions=[])
            await world.mirror.flush()
            assert (world.folder / "sessions.json").read_text() == "{}\n"

    asyncio.run(scenario())


def test_a_long_index_is_written_in_slices_and_whole(world):
    async def scenario():
        async with world.run():
            keys = {f"agent:main:telegram:direct:{number}" for number in range(200)}
            for key in keys:
                await SessionTalk(world.store, key, f"s-{key[27:]}").begin()
            await world.mirror.flush()
            assert world.index().keys() == keys

    asyncio.run(scenario())


def test_the_index_is_rewritten_at_most_once_a_second(tmp_path, monkeypatch):
    written, clock = [], ManualClock(NOW)

    async def note(*_, **__):
        written.append(clock.monotonic())

    monkeypatch.setattr(mirror_module, "write_index", note)

    async def scenario():
        async with memory_store()() as store:
            places = MirrorPlaces(state_dir=tmp_path, home=tmp_path, default_agent_id=AgentId("main"))
            mirror = Mirror(store, places, clock=clock)
            mirror.start()
            for number in count():
                if len(written) == 5:
                    break
                await SessionTalk(store, f"agent:main:{number}", f"s{number}").begin()
                await asyncio.sleep(0.003)  # threads need real moments
                clock.advance(0.1)
            await mirror.close()

    asyncio.run(scenario())
    gaps = [later - earlier for earlier, later in pairwise(written[:-1])]
    assert len(gaps) >= 2
    assert min(gaps) >= 0.99


# --- lives ------------------------------------------------------------------------------------------------------------


def test_a_closed_transcript_is_renamed_and_renamed_back_when_it_is_taken_up_again(world):
    async def scenario():
        async with world.run():
            await world.talk.begin(build_message(1, None))
            await world.mirror.flush()
            await world.talk.reset(OTHER, now=NOW)
            await world.mirror.flush()
            assert world.names() == [f"{SID}.jsonl.reset.{TIME}", f"{OTHER}.jsonl"]
            assert world.file(suffix=f".reset.{TIME}").read_text() == await world.lines()
            await world.talk.reset(SID, reason="resume", now=NOW + 1)
            await world.talk.append(build_message(2, 1))
            await world.mirror.flush()
            assert world.names() == [f"{SID}.jsonl", f"{OTHER}.jsonl.reset.2026-03-10T12-00-00.001Z"]
            assert world.file().read_text() == await world.lines()

    asyncio.run(scenario())


def test_files_of_a_deleted_session_are_kept_as_deleted(world):
    async def scenario():
        async with world.run():
            await world.talk.begin(build_message(1, None))
            await world.talk.reset(OTHER)
            await world.mirror.flush()
            await world.store.delete_session(KEY, now=NOW, decisions=[])
            await world.mirror.flush()
            deleted = [name.partition(".deleted.")[0] for name in world.names()]
            assert deleted == [f"{SID}.jsonl", f"{OTHER}.jsonl"]

    asyncio.run(scenario())


def test_a_deleted_file_of_which_an_archive_was_verified_is_let_go(world):
    async def scenario():
        async with world.run():
            await world.talk.begin(build_message(1, None))
            await world.mirror.flush()
            archive = world.file(suffix=f".deleted.{TIME}.zst")
            archive.write_bytes(b"archive")
            await world.store.delete_session(KEY, now=NOW, decisions=[])
            await world.mirror.flush()
            assert world.names() == [archive.name]

    asyncio.run(scenario())


def test_deleted_files_of_one_moment_are_told_apart(world):
    async def scenario():
        async with world.run():
            for _ in range(2):
                await world.talk.begin(build_message(1, None))
                await world.mirror.flush()
                world.mirror._leveller._clock = ManualClock(NOW)
                await world.store.delete_session(KEY, now=NOW, decisions=[])
                await world.mirror.flush()
            assert world.names() == [f"{SID}.jsonl-1.deleted.{TIME}", f"{SID}.jsonl.deleted.{TIME}"]

    asyncio.run(scenario())


# --- names ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("key", "session_id", "name"),
    [
        ("agent:main:telegram:group:-100:topic:7", "s1", "s1-topic-7.jsonl"),
        ("agent:main:slack:channel:c1:thread:7", "s1", "s1.jsonl"),
        ("agent:main:main", "../../etc/passwd", "..%2F..%2Fetc%2Fpasswd.jsonl"),
        ("agent:main:main", ".hidden", "%2Ehidden.jsonl"),
    ],
)
def test_ids_become_names_and_never_paths(world, key, session_id, name):
    path = world.places.transcript(SessionKey(key), SessionId(session_id))
    assert path.parent == world.folder
    assert path.name.removeprefix("%2E") == name.removeprefix("%2E").removeprefix(".") or path.name == name


def test_hostile_session_ids_stay_inside_the_folder(world):
    async def scenario():
        async with world.run():
            for number, session_id in enumerate(["../../escape", "/etc/x", "nul\0x", "a" * 5000, "..", "line\nbreak"]):
                await SessionTalk(world.store, f"agent:main:{number}", session_id).begin(build_message(1, None))
            await world.mirror.flush()
            assert len(world.names()) == 6
            state = world.folder.parents[2]
            assert {path.parent for path in state.rglob("*.jsonl")} == {world.folder}

    asyncio.run(scenario())


def test_the_configuration_may_name_the_place_of_the_index(tmp_path):
    def places(template):
        return MirrorPlaces(
            state_dir=tmp_path, home=tmp_path / "home", default_agent_id=AgentId("main"), template=template
        )

    named = places("~/old/{agentId}/sessions.json")
    assert named.index(AgentId("work")) == tmp_path / "home" / "old" / "work" / "sessions.json"
    assert named.folder(SessionKey("global")) == tmp_path / "home" / "old" / "main"
    assert places("mine/{agentId}").index(AgentId("a")) == tmp_path / "mine" / "a" / "sessions.json"
    assert places(None).index(AgentId("a")) == tmp_path / "agents" / "a" / "sessions" / "sessions.json"


def test_agents_that_share_an_index_stand_in_it_together(tmp_path):
    async def scenario():
        async with memory_store()() as store:
            places = MirrorPlaces(
                state_dir=tmp_path, home=tmp_path, default_agent_id=AgentId("main"), template="all.json"
            )
            mirror = Mirror(store, places, clock=ManualClock(NOW, auto_advance_s=0))
            mirror.start()
            for agent in ("main", "work"):
                await SessionTalk(store, f"agent:{agent}:main", agent).begin()
            await mirror.close()
            assert json.loads((tmp_path / "all.json").read_text()).keys() == {"agent:main:main", "agent:work:main"}

    asyncio.run(scenario())


# --- after a crash, and other hands -----------------------------------------------------------------------------------


def restarted(world, between):
    """Run once, let something happen to the files, run again; the names and the main file afterwards."""

    async def scenario():
        async with world.run():
            await world.talk.begin(*(build_message(n, n - 1 or None) for n in range(1, 4)))
        between()
        async with world.run():
            await world.mirror.flush()
            return world.names(), world.file().read_text(), await world.lines()

    return asyncio.run(scenario())


def test_a_torn_line_is_finished_and_a_missing_file_written_anew(world):
    for cut in (1, 50, 400):
        names, text, expected = restarted(
            World(world.places.state_dir / str(cut)),
            lambda cut=cut: os.truncate(
                World(world.places.state_dir / str(cut)).file(),
                World(world.places.state_dir / str(cut)).file().stat().st_size - cut,
            ),
        )
        assert (names, text) == ([f"{SID}.jsonl"], expected)
    names, text, expected = restarted(world, lambda: world.file().unlink())
    assert (names, text) == ([f"{SID}.jsonl"], expected)


def test_an_empty_file_and_a_touched_one_are_no_conflict(world, tmp_path):
    names, text, expected = restarted(world, lambda: os.truncate(world.file(), 0))
    assert (names, text) == ([f"{SID}.jsonl"], expected)
    other = World(tmp_path / "other")
    names, text, expected = restarted(other, lambda: os.utime(other.file(), (1, 1)))
    assert (names, text) == ([f"{SID}.jsonl"], expected)


@pytest.mark.parametrize("edit", ["changed", "longer", "nonsense"])
def test_a_file_that_another_hand_changed_is_kept_beside(world, edit):
    def change():
        text = world.file().read_text()
        edited = {"changed": text.replace("hello", "HELLO"), "longer": text + "{}\n", "nonsense": "x"}
        world.file().write_text(edited[edit])
        world.kept = world.file().read_text()

    names, text, expected = restarted(world, change)
    assert text == expected
    (kept,) = [name for name in names if ".conflict." in name]
    assert (world.folder / kept).read_text() == world.kept


def test_a_file_that_is_changed_while_the_gateway_runs_is_kept_beside_too(world):
    async def scenario():
        async with world.run():
            await world.talk.begin(build_message(1, None))
            await world.mirror.flush()
            world.file().write_text("mine\n")
            (world.folder / "sessions.json").write_text("{}")
            await world.talk.append(build_message(2, 1))
            await world.talk.edit(lambda session: replace(session, naming=Naming(label="x")))
            await world.mirror.flush()
            assert world.file().read_text() == await world.lines()
            assert world.index()[KEY]["label"] == "x"
            kept = sorted(path for path in world.folder.iterdir() if ".conflict." in path.name)
            assert [path.read_text() for path in kept] == ["mine\n", "{}"]

    asyncio.run(scenario())


def test_an_index_left_by_the_last_run_is_ours(world):
    restarted(world, lambda: None)
    names, _, _ = restarted(World(world.places.state_dir / "again"), lambda: None)
    assert not [name for name in names if "conflict" in name]
    assert not [path for path in world.folder.iterdir() if "conflict" in path.name or path.name.endswith(".tmp")]


def test_an_index_names_no_session_that_was_the_last_and_is_gone(world):
    async def scenario():
        async with world.run():
            await world.talk.begin(build_message(1, None))
        async with world.opened() as store:
            await store.delete_session(KEY, now=NOW, decisions=[])
        async with world.run():
            await world.mirror.flush()
            assert world.index() == {}

    asyncio.run(scenario())


def test_what_was_written_while_the_mirror_was_away_is_made_up_for(world):
    async def scenario():
        async with world.run():
            await world.talk.begin(build_message(1, None))
        async with world.opened() as store:
            talk = SessionTalk(store)
            await talk.append(build_message(2, 1))
            await talk.reset(OTHER, now=NOW)
            await SessionTalk(store, "agent:main:gone", "gone").begin()
        async with world.run():
            await world.mirror.flush()
            assert world.names() == [f"{SID}.jsonl.reset.{TIME}", f"{OTHER}.jsonl", "gone.jsonl"]
        async with world.opened() as store:
            await store.delete_session(SessionKey("agent:main:gone"), now=NOW, decisions=[])
        async with world.run():
            await world.mirror.flush()
            assert [name.partition(".deleted.")[0] for name in world.names()][2] == "gone.jsonl"
            assert world.index().keys() == {KEY}

    asyncio.run(scenario())


def test_rebuilding_writes_anew_what_differs_and_keeps_the_rest(world):
    async def scenario():
        async with world.run():
            await world.talk.begin(build_message(1, None))
            await SessionTalk(world.store, "agent:main:b", "b").begin(build_message(1, None))
            await world.mirror.flush()
            facts = world.file().stat()
            (world.folder / "b.jsonl").write_bytes(b"?" * (world.folder / "b.jsonl").stat().st_size)
            await world.mirror.rebuild()
            assert (world.folder / "b.jsonl").read_text() == await world.lines("b")
            assert (world.file().stat().st_ino, world.file().stat().st_mtime_ns) == (facts.st_ino, facts.st_mtime_ns)

    asyncio.run(scenario())


def test_branches_stand_in_the_file_in_the_order_in_which_they_were_written(world):
    async def scenario():
        async with world.run():
            await world.talk.begin(build_message(1, None), build_message(2, 1))
            await world.talk.change(SessionChange(leaf_id=EntryId(f"{1:08x}")))
            await world.talk.append(build_message(3, 1))
            await world.mirror.flush()
            assert world.file().read_text() == await world.lines()

    asyncio.run(scenario())


def test_a_long_transcript_is_written_in_slices(world):
    async def scenario():
        async with world.run():
            await world.talk.begin(*(build_message(n, n - 1 or None, "é" * 20_000) for n in range(1, 300)))
            await world.mirror.flush()
            assert world.file().read_text() == await world.lines()
            with world.file().open("r+b") as file:
                file.truncate(world.file().stat().st_size // 2)
            await world.talk.append(build_message(300, 299))
            await world.mirror.flush()
            assert world.file().read_text() == await world.lines()
            assert world.names() == [f"{SID}.jsonl"]

    asyncio.run(scenario())


# --- never in the way -------------------------------------------------------------------------------------------------


def test_a_disk_that_refuses_is_tried_again_and_fails_no_turn(world, monkeypatch):
    tries = []
    append = mirror_level.append_lines

    def refuse(*arguments, **options):
        tries.append(1)
        if len(tries) < 4:
            raise OSError(28, "No space left on device")
        return append(*arguments, **options)

    monkeypatch.setattr(mirror_level, "append_lines", refuse)

    async def scenario():
        async with world.run():
            await world.talk.begin(build_message(1, None))
            await world.talk.append(build_message(2, 1))
            await until(world.file().exists)
            await world.mirror.flush()
            assert world.file().read_text() == await world.lines()
            assert len(tries) >= 4

    asyncio.run(scenario())


def test_a_file_that_cannot_be_written_keeps_no_other_from_being_level(world):
    async def scenario():
        async with world.run():
            await world.talk.begin(build_message(1, None))
            await world.mirror.flush()
            (world.folder / "bad.jsonl").mkdir()
            await SessionTalk(world.store, "agent:main:bad", "bad").begin(build_message(1, None))
            for number in range(5):
                await SessionTalk(world.store, f"agent:main:{number}", f"s{number}").begin(build_message(1, None))
            with pytest.raises(IsADirectoryError):
                await world.mirror.flush()
            for number in range(5):
                assert world.file(f"s{number}").read_text() == await world.lines(f"s{number}")
            (world.folder / "bad.jsonl").rmdir()
            await world.mirror.flush()
            assert world.file("bad").read_text() == await world.lines("bad")

    asyncio.run(scenario())


def test_a_mirror_that_cannot_be_written_at_all_does_not_keep_the_gateway_from_stopping(world):
    async def scenario():
        world.folder.parent.parent.parent.mkdir(parents=True)
        (world.folder.parent.parent).write_text("a file where a folder should be")
        async with world.run():
            await world.talk.begin(build_message(1, None))
            with pytest.raises(FileExistsError):
                await world.mirror.flush()

    asyncio.run(scenario())


def test_a_mirror_that_is_switched_off_writes_nothing(tmp_path):
    async def scenario():
        for setting in ("false", "true"):
            state = tmp_path / setting
            raw = {"session": {"mirror": setting == "true"}}
            config = parse_config(raw, env={}, state_dir=state, home=tmp_path)
            async with file_store(state / "instar.db")() as store:
                async with open_mirror(store, config, clock=SystemClock()) as mirror:
                    await SessionTalk(store).begin(build_message(1, None))
                    await mirror.flush()
                assert (state / "agents").exists() == (setting == "true")

    asyncio.run(scenario())
