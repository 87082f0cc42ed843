"""The mirror's index names the file of each session, so that who reads the folder finds it where it was moved."""

from __future__ import annotations

import asyncio

from instar.config.config import parse_config
from instar.core.model.ids import SessionKey
from instar.core.transcript.text import message_text
from instar.stores.openclaw.carry import import_state
from tests.builders.mirror import OTHER, World
from tests.builders.store import KEY, NOW, SID, SessionTalk, build_message, file_store

TOPIC = SessionKey("agent:main:telegram:group:-100:topic:5")


def test_the_index_names_each_file_beside_it_and_its_next_life_after_a_reset(tmp_path):
    async def scenario():
        world = World(tmp_path / "state")
        async with world.run():
            await world.talk.begin(build_message(1, None))
            await SessionTalk(world.store, TOPIC, "s2").begin()
            await world.mirror.flush()
            named = {key: entry["sessionFile"] for key, entry in world.index().items()}
            assert named == {KEY: f"{SID}.jsonl", TOPIC: "s2-topic-5.jsonl"}
            assert all((world.folder / name).is_file() for name in named.values())
            await world.talk.reset(OTHER)
            await world.mirror.flush()
            assert world.index()[KEY]["sessionFile"] == f"{OTHER}.jsonl"

    asyncio.run(scenario())


def test_a_moved_mirror_is_read_by_an_import_without_a_refused_path(tmp_path):
    async def scenario():
        world = World(tmp_path / "state")
        async with world.run():
            await world.talk.begin(build_message(1, None, "hello"))
            await SessionTalk(world.store, TOPIC, "s2").begin(build_message(2, None, "in topic"))
        moved = (tmp_path / "state").rename(tmp_path / "elsewhere")
        async with file_store(tmp_path / "new" / "instar.db")() as store:
            config = parse_config({}, env={}, state_dir=tmp_path / "new", home=tmp_path)
            report = await import_state(moved, store, config, now=NOW, is_dry_run=False)
            assert [item for item in report.items if item.status == "refused"] == []
            for key, session_id, word in ((KEY, SID, "hello"), (TOPIC, "s2", "in topic")):
                session = await store.load_session(key)
                assert (session.session_id, session.extra.get("sessionFile")) == (session_id, None)
                (entry,) = (await store.load_entries(session.session_id, messages_only=True)).entries
                assert message_text(entry.entry.message) == word

    asyncio.run(scenario())
