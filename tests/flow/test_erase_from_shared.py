"""A person leaves what they shared with others: one main session, groups, copies, the same words (LEAK-11)."""

from __future__ import annotations

import asyncio

import pytest

from instar.config.paths import resolve_store_path
from instar.core.context.erasing import ANSWER_ERASED, WORDS_ERASED
from instar.core.model.ids import SessionKey
from instar.core.model.view import NewSession
from instar.core.routing.person import resolve_person_named
from instar.testing.script import echo_script
from tests.builders.people import open_people
from tests.flow.test_erase_a_person import CONFIG, GROUP, NOW, OWN, erase, lines, post, talk


def test_in_a_main_session_that_people_share_the_others_words_stay(tmp_path):
    config = {**CONFIG, "session": {"dmScope": "main"}}
    main = SessionKey("agent:main:main")

    async def story() -> None:
        async with open_people(tmp_path, config) as world:
            await post(world, "alice", "my code is zebra-4471")
            await post(world, "bob", "my code is panda-9001")
            await post(world, "alice", "zebra-4475 is the last")
            receipt = await erase(world, "chat:alice-771")
            assert [(one.place, one.count) for one in receipt.left] == []
            said = await lines(world, main)
            assert [WORDS_ERASED in line for line in said] == [True, False, False, False, True, False]
            assert [ANSWER_ERASED in line for line in said] == [False, True, False, False, False, True]
            assert "panda-9001" in said[2]
            session = await world.store.load_session(main)
            assert session is not None
            assert session.delivery.to is None
            assert session.origin.from_id is None

    asyncio.run(story())


@pytest.mark.parametrize("is_archived", [True, False])
def test_who_wrote_in_the_same_moment_as_what_they_wrote_in_a_deleted_session_keeps_their_words(tmp_path, is_archived):
    config = {**CONFIG, "session": {**CONFIG["session"], "dmScope": "main"}}
    main, thread = SessionKey("agent:main:main"), SessionKey("agent:main:main:thread:7")

    async def story() -> None:
        async with open_people(tmp_path, config) as world:
            await post(world, "alice", "my code is zebra-4471")
            await post(world, "bob", "my code is panda-9001")
            chat = world.gateway.channel("chat")
            await chat.post("and zebra-4475", sender="alice-771", name="Alice Moor", thread_id="7")
            await world.gateway.settle()
            await world.gateway.gateway.sessions.delete(thread, delete_transcript=is_archived, who="operator")
            alice = resolve_person_named("alice", world.config.routing.keys.links)
            await world.eraser.export(alice, name="copy", now=NOW)
            told = [path.read_text("utf-8") for path in (tmp_path / "exports").rglob("*") if path.is_file()]
            assert any("zebra-4471" in text for text in told)
            assert not any("panda-9001" in text for text in told)
            receipt = await erase(world)
            assert receipt.left == ()
            assert [WORDS_ERASED in line for line in await lines(world, main)] == [True, False, False, False]

    asyncio.run(story())


def test_a_copy_leaves_out_what_may_be_anothers_and_an_erasure_takes_it(tmp_path):
    """Both wrote into one session at one moment, and it was deleted: nothing tells any more which words are whose."""
    config = {**CONFIG, "session": {**CONFIG["session"], "dmScope": "main"}}
    thread = SessionKey("agent:main:main:thread:7")

    async def story() -> None:
        async with open_people(tmp_path, config) as world:
            chat, gateway = world.gateway.channel("chat"), world.gateway.gateway
            for sender, name, text in (("bob-88", "Bob", "panda-9001"), ("alice-771", "Alice Moor", "zebra-4471")):
                await chat.post(f"my code is {text}", sender=sender, name=name, thread_id="7")
                await world.gateway.settle()
            await chat.post("and zebra-4475", sender="bob-88", name="Bob", thread_id="7")
            await world.gateway.settle()
            await gateway.sessions.delete(thread, delete_transcript=True, who="operator")
            await gateway.keeping.restore(thread, None, who="operator")
            alice = resolve_person_named("alice", world.config.routing.keys.links)
            exported = await world.eraser.export(alice, name="copy", now=NOW)
            told = [path.read_text("utf-8") for path in (tmp_path / "exports").rglob("*") if path.is_file()]
            assert exported.counts["inbox"] == 1
            assert not any("panda-9001" in text for text in told)
            receipt = await erase(world)
            assert receipt.left == ()
            assert "zebra-4471" not in " ".join(await lines(world, thread))

    asyncio.run(story())


@pytest.mark.parametrize("is_archived", [True, False])
def test_a_thread_loses_them_whose_parent_was_deleted_also_where_others_wrote_at_that_moment(tmp_path, is_archived):
    thread = SessionKey("agent:main:chat:group:room-1:thread:7")

    async def story() -> None:
        async with open_people(tmp_path, CONFIG) as world:
            await post(world, "bob", "elsewhere, panda-9001")
            await post(world, "alice", "good day from zebra-4472", group="room-1")
            await world.gateway.run_for(1)
            place = {"chat_type": "group", "chat_id": "room-1", "thread_id": "7"}
            await world.gateway.channel("chat").post("on with panda-9002", sender="bob-88", name="Bob", **place)
            await world.gateway.settle()
            assert "zebra-4472" in (await lines(world, thread))[0]
            await world.gateway.gateway.sessions.delete(GROUP, delete_transcript=is_archived, who="operator")
            receipt = await world.gateway.gateway.people.erase("alice", drop_backups=False, who="operator")
            assert (receipt.residue, receipt.left) == (0, ())
            said = await lines(world, thread)
            assert [WORDS_ERASED in line for line in said] == [True, False, False, False]
            assert "panda-9002" in said[2]
            await world.mirror.flush()
            assert world.count("zebra", "Alice Moor") == {}

    asyncio.run(story())


def test_a_summary_of_a_group_is_made_anew_of_what_is_left(tmp_path):
    async def story() -> None:
        async with open_people(tmp_path, CONFIG) as world:
            await talk(world)
            await world.gateway.gateway.upkeep.compact(GROUP, who="operator", keep_lines=1)
            session = await world.store.load_session(GROUP)
            assert session is not None
            assert len((await world.store.load_context(session.session_id)).entries) == 2
            await world.gateway.gateway.people.erase("alice", drop_backups=False, who="operator")
            context = await world.store.load_context(session.session_id)
            assert len(context.entries) == 5
            assert context.entries[-1].entry.summary == ""
            seen = []
            world.gateway.runner.script = lambda asked: (seen.append(str(asked)), echo_script(asked))[1]
            await post(world, "bob", "go on, panda-9007", group="room-1")
            assert "panda-9002" in seen[0]
            assert WORDS_ERASED in seen[0]

    asyncio.run(story())


def test_a_fork_of_their_session_loses_what_was_copied_and_keeps_what_came_after(tmp_path):
    fork = SessionKey("agent:main:dashboard:fork")

    async def story() -> None:
        async with open_people(tmp_path, CONFIG) as world:
            await talk(world)
            await world.gateway.gateway.sessions.create(NewSession(key=fork, parent_key=OWN, fork=True), who="operator")
            await world.gateway.gateway.sessions.inject(fork, "a note of mine, koala-1", label=None, who="operator")
            assert "zebra-4471" in (await lines(world, fork))[0]
            receipt = await erase(world)
            assert [(one.place, one.count) for one in receipt.left] == []
            said = await lines(world, fork)
            assert WORDS_ERASED in said[0]
            assert "koala-1" in said[-1]

    asyncio.run(story())


def test_whoever_says_the_same_says_it_themselves(tmp_path):
    async def story() -> None:
        async with open_people(tmp_path, CONFIG) as world:
            await post(world, "alice", "good morning to all of you", group="room-1")
            await post(world, "bob", "good morning to all of you", group="room-1")
            receipt = await erase(world)
            assert receipt.common_words == 1
            said = await lines(world, GROUP)
            assert WORDS_ERASED in said[0]
            assert "good morning to all of you" in said[2]

    asyncio.run(story())


def test_a_name_that_is_a_word_takes_no_words_from_others(tmp_path):
    async def story() -> None:
        async with open_people(tmp_path, CONFIG) as world:
            chat = world.gateway.channel("chat")
            for name, text in (("the", "hello zebra-4471"), ("Bob", "the end of the day")):
                sender = "alice-771" if name == "the" else "bob-88"
                await chat.post(text, sender=sender, name=name, chat_type="group", chat_id="room-1")
                await world.gateway.settle()
            await erase(world)
            assert "the end of the day" in (await lines(world, GROUP))[2]

    asyncio.run(story())


def test_folders_of_session_keys_follow(tmp_path):
    config = {**CONFIG, "session": {**CONFIG["session"], "mirror": "per-key"}}

    async def story() -> None:
        async with open_people(tmp_path, config) as world:
            await talk(world)
            own, group = (resolve_store_path(tmp_path, key) for key in (OWN, GROUP))
            assert "zebra-4471" in (own / "transcript.jsonl").read_text()
            assert "zebra-4472" in (group / "transcript.jsonl").read_text()
            (group / "transcript.jsonl.conflict.2026-01-01T00-00-00.000Z").write_text("zebra-4472\n")
            receipt = await erase(world)
            assert [(one.place, one.count) for one in receipt.left] == []
            assert not own.exists()
            await world.mirror.flush()
            told = (group / "transcript.jsonl").read_text()
            assert WORDS_ERASED in told
            assert "panda-9002" in told
            assert len(list(group.iterdir())) == 3

    asyncio.run(story())


@pytest.mark.parametrize("text", ["/think high a plan of mine", "a plan of mine"])
def test_the_words_that_a_shared_session_is_called_by_go_also_behind_a_command(tmp_path, text):
    config = {**CONFIG, "session": {**CONFIG["session"], "dmScope": "main"}}

    async def story() -> None:
        async with open_people(tmp_path, config) as world:
            await post(world, "alice", text)
            await post(world, "bob", "hello")
            session = await world.store.load_session(SessionKey("agent:main:main"))
            assert session is not None
            assert session.naming.first_words == "a plan of mine"
            await erase(world)
            session = await world.store.load_session(SessionKey("agent:main:main"))
            assert session is not None
            assert session.naming.first_words is None
            await world.mirror.flush()
            assert world.count("a plan of mine") == {}

    asyncio.run(story())
