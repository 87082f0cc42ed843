"""An export of a person holds what is theirs and no words of others (LEAK-11)."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

from instar.config.paths import encode_name
from instar.core.model.ids import SessionKey
from instar.core.routing.person import resolve_person_named
from tests.builders.erasing import BOB, CONFIG, GROUP, NOW, OWN, QUIET, post
from tests.builders.people import PeopleWorld, open_people


async def export(world: PeopleWorld, who: str = "alice") -> Path:
    """The folder of a new export."""
    person = resolve_person_named(who, world.config.routing.keys.links)
    assert person is not None
    return Path((await world.eraser.export(person, name="copy", now=NOW)).path)


def read_all(folder: Path) -> str:
    """Everything that an export says."""
    return "\n".join(path.read_text("utf-8") for path in sorted(folder.rglob("*")) if path.is_file())


def read_shared(folder: Path, key: SessionKey) -> list[dict[str, object]]:
    """The lines that an export has of a session that is shared."""
    (path,) = (folder / "shared" / encode_name(key)).iterdir()
    return [json.loads(line)["message"] for line in path.read_text("utf-8").splitlines()]


def _transcript(session_id: str, words: str) -> bytes:
    at = "2026-03-01T08:00:00.000Z"
    message = {"role": "user", "content": words, "timestamp": 1_772_352_000_000}
    lines = (
        {"type": "session", "version": 3, "id": session_id, "timestamp": at, "cwd": "/"},
        {"type": "message", "id": "00000001", "parentId": None, "timestamp": at, "message": message},
    )
    return "".join(f"{json.dumps(line)}\n" for line in lines).encode()


def test_what_others_had_said_in_a_group_before_is_not_theirs_and_what_they_had_said_is(tmp_path):
    async def story() -> None:
        async with open_people(tmp_path, CONFIG) as world:
            await post(world, "bob", "only said, panda-9003", group="quiet")
            await post(world, "alice", "I only listen, zebra-4473", group="quiet")
            await post(world, "alice", "what was said? zebra-4474", group="quiet", mentioned=True)
            folder = await export(world)
            asked, _ = read_shared(folder, QUIET)
            assert (asked["role"], asked["content"]) == ("user", "what was said? zebra-4474")
            assert asked["envelope"]["context"] == "Alice Moor: I only listen, zebra-4473"
            assert "panda-9003" not in json.dumps(asked)

    asyncio.run(story())


def test_a_session_whose_id_begins_like_theirs_is_not_theirs(tmp_path):
    async def story() -> None:
        async with open_people(tmp_path, CONFIG) as world:
            keeping = world.gateway.gateway.keeping
            for key, session_id, words in ((OWN, "life-1", "zebra-4471"), (BOB, "life-12", "panda-9001")):
                await keeping.import_transcript(_transcript(session_id, words), name=f"{session_id}.jsonl", key=key)
            await world.mirror.flush()
            folder = await export(world)
            told = read_all(folder)
            assert "zebra-4471" in told
            assert "panda-9001" not in told
            assert len(list((folder / "files").iterdir())) == 1

    asyncio.run(story())


def test_what_they_said_in_a_shared_session_is_there_when_only_its_archive_is(tmp_path):
    async def story() -> None:
        async with open_people(tmp_path, CONFIG) as world:
            await post(world, "alice", "good day from zebra-4472", group="room-1")
            await post(world, "bob", "I am panda-9002", group="room-1")
            await world.gateway.gateway.sessions.delete(GROUP, delete_transcript=True, who="operator")
            told = read_all(await export(world))
            assert "zebra-4472" in told
            assert "panda-9002" not in told

    asyncio.run(story())
