"""One folder per session key, with copies of what is current (STORE-9): level after every commit, crash and hand."""

from __future__ import annotations

import asyncio
import json
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from instar.config.config import parse_config
from instar.config.paths import resolve_store_path
from instar.core.model.ids import SessionKey
from instar.core.transcript.codec import format_entry, format_header
from instar.stores.mirror import open_mirror
from instar.stores.mirror_folders import list_folders
from instar.stores.openclaw.carry import import_state
from instar.system.clock import SystemClock
from tests.builders.store import KEY, NOW, SID, SessionTalk, build_message, file_store, memory_store

NEXT = "22222222-2222-4222-8222-222222222222"


class World:
    """A store and the folders of its keys."""

    def __init__(self, state: Path) -> None:
        self.state = state
        self.opened = memory_store()
        self.folder = resolve_store_path(state, SessionKey(KEY))
        self.copy = self.folder / "transcript.jsonl"

    @asynccontextmanager
    async def run(self):
        config = parse_config({"session": {"mirror": "per-key"}}, env={}, state_dir=self.state, home=self.state)
        async with self.opened() as self.store:
            self.talk = SessionTalk(self.store)
            async with open_mirror(self.store, config, clock=SystemClock()) as mirror:
                self.flush = mirror.flush
                yield self

    async def lines(self, session_id: str = SID) -> str:
        page = await self.store.load_all_entries(session_id)
        raw = [format_header(page.head.header), *(format_entry(stored.entry) for stored in page.entries)]
        return "".join(json.dumps(line, ensure_ascii=False, separators=(",", ":")) + "\n" for line in raw)


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path / "state")


def play(world: World, story) -> None:
    async def run():
        async with world.run():
            await story()

    asyncio.run(run())


def without_mirror(world: World, story) -> None:
    """What a store lives through whose mirror is not at work."""

    async def run():
        async with world.opened() as world.store:
            world.talk = SessionTalk(world.store)
            await story()

    asyncio.run(run())


async def flushed(world: World, story) -> None:
    await world.flush()
    await story()


def test_the_copy_is_the_active_transcript_word_for_word(world: World):
    async def story():
        await world.talk.begin(build_message(1, None, "é🙂 \u2028"))
        await world.flush()
        assert world.copy.read_text() == await world.lines()
        await world.talk.append(build_message(2, 1), build_message(3, 2))
        await world.flush()
        assert world.copy.read_text() == await world.lines()
        entry = json.loads((world.folder / "session.json").read_text())
        assert entry["sessionId"] == SID
        assert world.copy.stat().st_mode & 0o777 == 0o600
        assert world.folder.name == "agent%3Amain%3Atelegram%3Adirect%3A42"

    play(world, story)


def test_a_reset_begins_the_copy_anew_and_the_old_words_stay_in_the_mirror(world: World):
    async def story():
        await world.talk.begin(build_message(1, None, "before"))
        await world.flush()
        await world.talk.reset(NEXT)
        await world.talk.append(build_message(2, None, "after"))
        await world.flush()
        assert world.copy.read_text() == await world.lines(NEXT)
        assert [path.name for path in world.folder.iterdir() if "conflict" in path.name] == []
        closed = [path.read_text() for path in (world.state / "agents" / "main" / "sessions").glob("*.reset.*")]
        assert ["before" in text for text in closed] == [True]

    play(world, story)


@pytest.mark.parametrize("harm", ["torn", "half a line", "gone", "entry gone"])
def test_what_a_crash_leaves_is_finished_at_the_next_start(world: World, harm: str):
    async def first():
        await world.talk.begin(build_message(1, None), build_message(2, 1))

    async def second():
        await world.flush()
        assert world.copy.read_text() == await world.lines()
        assert json.loads((world.folder / "session.json").read_text())["sessionId"] == SID
        assert [path.name for path in world.folder.iterdir() if "conflict" in path.name] == []

    play(world, first)
    content = world.copy.read_bytes()
    match harm:
        case "torn":
            world.copy.write_bytes(content[:-20])
        case "half a line":
            world.copy.write_bytes(content[: content.index(b"\n") + 1])
        case "gone":
            world.copy.unlink()
        case _:
            (world.folder / "session.json").unlink()
    play(world, second)


def test_a_copy_that_another_hand_has_changed_is_kept_beside(world: World):
    async def story():
        await world.talk.begin(build_message(1, None, "ours"))
        await world.flush()
        world.copy.write_text(world.copy.read_text().replace("ours", "mine"))
        await world.talk.append(build_message(2, 1))
        await world.flush()
        assert world.copy.read_text() == await world.lines()
        (kept,) = world.folder.glob("*.conflict.*")
        assert "mine" in kept.read_text()

    play(world, story)


@pytest.mark.parametrize("is_running", [True, False])
@pytest.mark.parametrize("line", [b'{"mine": 1}\n', b"no line of ours\n", b""])
def test_a_copy_whose_first_line_another_hand_has_changed_is_kept_beside(world: World, is_running: bool, line: bytes):
    def harm() -> None:
        head, _, rest = world.copy.read_bytes().partition(b"\n")
        world.copy.write_bytes((line or head.replace(b'"type"', b'"mine"') + b"\n") + rest)

    async def first():
        await world.talk.begin(build_message(1, None, "ours"))
        await world.flush()
        if is_running:
            harm()
            await second()

    async def second():
        await world.talk.append(build_message(2, 1))
        await world.flush()
        assert world.copy.read_text() == await world.lines()
        (kept,) = world.folder.glob("transcript.jsonl.conflict.*")
        assert "ours" in kept.read_text()

    play(world, first)
    if not is_running:
        harm()
        play(world, second)


@pytest.mark.parametrize("is_running", [True, False])
def test_an_entry_that_another_hand_has_changed_is_kept_beside(world: World, is_running: bool):
    entry = world.folder / "session.json"

    async def first():
        await world.talk.begin(build_message(1, None))
        await world.flush()
        if is_running:
            entry.write_text('{"mine": 1}')
            await second()

    async def second():
        await world.talk.append(build_message(2, 1))
        await world.flush()
        assert json.loads(entry.read_text())["sessionId"] == SID
        (kept,) = world.folder.glob("session.json.conflict.*")
        assert kept.read_text() == '{"mine": 1}'

    play(world, first)
    if not is_running:
        entry.write_text('{"mine": 1}')
        play(world, second)


def test_what_changed_while_the_mirror_was_not_at_work_is_nobody_elses_hand(world: World):
    async def first():
        await world.talk.begin(build_message(1, None, "before"))

    async def meanwhile():
        await world.talk.reset(NEXT)
        await world.talk.append(build_message(2, None, "after"))

    async def second():
        assert world.copy.read_text() == await world.lines(NEXT)
        assert json.loads((world.folder / "session.json").read_text())["sessionId"] == NEXT
        assert sorted(path.name for path in world.folder.iterdir()) == ["session.json", "transcript.jsonl"]

    play(world, first)
    without_mirror(world, meanwhile)
    play(world, lambda: flushed(world, second))


def test_a_session_that_was_removed_while_the_mirror_was_not_at_work_takes_its_folder_along(world: World):
    async def first():
        await world.talk.begin(build_message(1, None))

    async def meanwhile():
        await world.store.delete_session(SessionKey(KEY), now=NOW, decisions=())

    async def second():
        assert not world.folder.exists()
        assert await world.store.engine.read(list_folders) == []

    play(world, first)
    without_mirror(world, meanwhile)
    play(world, lambda: flushed(world, second))


def test_a_folder_that_the_mirror_never_wrote_is_left_alone(world: World):
    other = resolve_store_path(world.state, SessionKey("agent:main:main"))
    other.mkdir(parents=True)
    (other / "session.json").write_text("{}")

    async def story():
        await world.talk.begin(build_message(1, None))
        await world.flush()
        assert (other / "session.json").read_text() == "{}"

    play(world, story)


def test_a_removed_session_takes_its_folder_along_but_not_what_others_put_there(world: World):
    async def story():
        await world.talk.begin(build_message(1, None))
        await world.flush()
        await world.store.delete_session(SessionKey(KEY), now=NOW, decisions=())
        await world.flush()
        assert not world.folder.exists()
        await world.talk.begin(build_message(1, None))
        await world.flush()
        (world.folder / "notes.txt").write_text("mine")
        await world.store.delete_session(SessionKey(KEY), now=NOW, decisions=())
        await world.flush()
        assert [path.name for path in world.folder.iterdir()] == ["notes.txt"]

    play(world, story)


def test_the_folders_can_be_imported_elsewhere(world: World, tmp_path: Path):
    async def story():
        await world.talk.begin(build_message(1, None, "take me along"))

    play(world, story)
    for path in (world.state / "agents").rglob("*.json*"):
        path.unlink()

    async def bring():
        config = parse_config({}, env={}, state_dir=tmp_path / "new", home=tmp_path)
        async with file_store(tmp_path / "new" / "instar.db")() as store:
            await import_state(world.state, store, config, now=NOW, is_dry_run=False)
            return len((await store.load_all_entries(SID)).entries)

    assert asyncio.run(bring()) == 1


def test_without_the_setting_no_folder_is_made(tmp_path: Path):
    async def story():
        config = parse_config({}, env={}, state_dir=tmp_path, home=tmp_path)
        async with memory_store()() as store, open_mirror(store, config, clock=SystemClock()) as mirror:
            await SessionTalk(store).begin(build_message(1, None))
            await mirror.flush()

    asyncio.run(story())
    assert not (tmp_path / "sessions").exists()
