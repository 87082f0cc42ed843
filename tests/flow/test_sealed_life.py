"""A busy life with encryption leaves no word in any byte of the state directory; without it, it does."""

from __future__ import annotations

import pytest

from instar.core.model.ids import SessionKey
from instar.core.model.message import Attachment
from instar.core.model.query import SearchQuery, SessionQuery
from instar.errors import StoreUnreadable
from instar.stores.keeper import StoreKeeper
from instar.stores.sealing.master import create_key_file
from instar.testing.runner import ScriptedRunner
from instar.testing.script import Reply
from tests.builders.people import open_people
from tests.builders.requests import is_summary
from tests.builders.store import accept, build_submission
from tests.builders.stories import story

SECRETS = ("zebra.1", "panda.2", "heron.3", "walrus.4", "ocelot.5", "lemur.6", "quokka.7", "Moor.8")
"""Said by a person in a direct chat, by others in a group, by the agent, in a summary, as a label, a file, a name. Each
has a sign that no cell has, so that none is found by chance.
"""

DIRECT = SessionKey("agent:main:chat:direct:ann-1")
GROUP = SessionKey("agent:main:chat:group:room-1")


def build_config(tmp_path, *, is_sealed):
    key = tmp_path / "keys" / "master.key"
    if is_sealed and not key.exists():
        create_key_file(key)
    encryption = {"encryption": {"enabled": True, "keyFile": str(key)}} if is_sealed else {}
    return {
        "session": {"dmScope": "per-channel-peer", **encryption},
        "messages": {"queue": {"debounceMs": 0}},
        "agents": {"defaults": {"compaction": {"keepRecentTokens": 500}}},
        "channels": {
            "chat": {
                "type": "bridge",
                "token": "t",
                "dmPolicy": "open",
                "groupPolicy": "open",
                "groups": {"*": {"requireMention": False}, "quiet": {"requireMention": True}},
            }
        },
    }


def answer(asked):
    if is_summary(asked.system):
        return Reply(text="## Goal\nlemur.6\n## Progress\nThey spoke of lemur.6 and zebra.1.")
    return Reply(text=f"walrus.4: {asked.last.text if asked.last else ''}")


async def live(world):
    """Direct chats, groups, a label, a summary, a reset, an archive, replies that wait, a search."""
    chat = world.gateway.channel("chat")

    async def post(text, *, sender="ann-1", name="Ann Moor.8", **where):
        await chat.post(text, sender=sender, name=name, **where)
        await world.gateway.settle()

    for number in range(6):
        await post(f"my secret is zebra.1 {number} " + "and on it goes " * 40)
    await post("panda.2 here", sender="bob-2", name="Bob", chat_type="group", chat_id="room-1", mentioned=True)
    await post("and heron.3", sender="ann-1", chat_type="group", chat_id="room-1", mentioned=True)
    await post("I only listen, heron.3", sender="ann-1", chat_type="group", chat_id="quiet")
    await world.gateway.gateway.sessions.patch(DIRECT, {"label": "ocelot.5"}, who="owner")
    await post("/compact")
    await post("zebra.1 once more")
    await post("/new zebra.1 starts again")
    await post("zebra.1 to be deleted", sender="cat-3", name="Cat")
    (head,) = await world.store.load_transcripts(SessionKey("agent:main:chat:direct:cat-3"))
    await world.archiver.archive(head)
    await world.store.search(SearchQuery(text="zebra.1"))
    picture = Attachment(name="quokka.7", mime_type="image/png", data_base64="cXVva2th")
    await accept(world.store, build_submission("waits", "still to be answered", attachments=[picture]))
    await world.mirror.flush()


@pytest.mark.parametrize("is_sealed", [True, False])
def test_no_word_is_in_any_byte_with_encryption_and_every_word_is_without(tmp_path, is_sealed):
    @story
    async def play():
        raw = build_config(tmp_path, is_sealed=is_sealed)
        state = tmp_path / "state"
        async with open_people(state, raw, runner=ScriptedRunner(answer)) as world:
            await live(world)
            found_alive = world.count(*SECRETS)
        found = world.count(*SECRETS)
        if is_sealed:
            assert (found_alive, found) == ({}, {})
        else:
            assert all(world.count(word) for word in SECRETS)

    play()


@story
async def test_what_was_said_is_read_again_after_a_restart(tmp_path):
    raw = build_config(tmp_path, is_sealed=True)
    async with open_people(tmp_path / "state", raw, runner=ScriptedRunner(answer)) as world:
        await live(world)
    async with open_people(tmp_path / "state", raw) as world:
        (direct,) = await world.store.find_sessions(label="ocelot.5")
        assert direct.key == DIRECT
        assert direct.naming.label == "ocelot.5"
        heads = await world.store.load_transcripts(DIRECT)
        lines = [await world.store.load_all_entries(head.session_id) for head in heads]
        text = repr(lines)
        assert "zebra.1 3" in text
        assert "They spoke of lemur.6" in text
        page = await world.store.list_sessions(SessionQuery(search="CELOT.5"))
        assert [session.key for session in page.sessions] == [DIRECT]
        (group,) = await world.store.load_transcripts(GROUP)
        assert "panda.2" in repr(await world.store.load_all_entries(group.session_id))


@story
async def test_an_archive_is_read_by_whoever_has_the_keys_and_by_nobody_else(tmp_path):
    raw, key = build_config(tmp_path, is_sealed=True), SessionKey("agent:main:chat:direct:cat-3")
    async with open_people(tmp_path / "state", raw, runner=ScriptedRunner(answer)) as world:
        await live(world)
        keeper = StoreKeeper(world.config, None, version="1", seals=world.store.engine.seals)
        (path,) = await keeper.find_archives(key)
        archived = await keeper.read_archive(path)
        assert archived.session.key == key
        assert "zebra.1 to be deleted" in repr(archived.entries)
        stranger = StoreKeeper(world.config, None, version="1")
        assert await stranger.find_archives(key) == ()
        with pytest.raises(StoreUnreadable, match="encrypted"):
            await stranger.read_archive(path)


@story
async def test_a_search_says_that_it_looked_at_nothing(tmp_path):
    async with open_people(tmp_path / "state", build_config(tmp_path, is_sealed=True)) as world:
        await world.gateway.channel("chat").post("zebra.1", sender="ann-1")
        await world.gateway.settle()
        page = await world.store.search(SearchQuery(text="zebra.1"))
        assert (page.hits, page.encrypted) == ((), True)
