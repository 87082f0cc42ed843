"""Threads go on from what was said above them, once, and from nobody else's words (KEY-17, KEY-18)."""

from __future__ import annotations

import asyncio

import pytest

from instar.core.context.erasing import WORDS_ERASED
from instar.core.model.change import Submission
from instar.core.model.event import MessageStored
from instar.core.model.ids import SessionKey
from instar.core.model.message import Chat, Inbound, Sender
from instar.core.transcript.text import message_text
from instar.core.turn.recover import find_open_calls
from instar.gateway.forking import FIRST_LINES
from instar.stores.sealing.master import create_key_file
from instar.testing.gateway import GatewayInMemory
from instar.testing.runner import ScriptedRunner
from instar.testing.script import Reply, call, echo_script
from tests.builders.erasing import CONFIG, GROUP, erase, lines, post
from tests.builders.people import open_people
from tests.builders.stories import (
    DIRECT,
    Gate,
    Listener,
    ask,
    build_config,
    read_decisions,
    read_lines,
    story,
    until,
)
from tests.builders.town import PEOPLE, open_town
from tests.builders.wire import run_story
from tests.flow.test_steering import Look

CLUB = SessionKey("agent:main:telegram:group:club")
TOPIC = SessionKey(f"{CLUB}:topic:7")
THREAD = SessionKey(f"{DIRECT}:thread:7")
ABOVE = ["user: one", "assistant: You said: one"]


async def say(world, text, *, thread=None, sender="ann", **where):
    await world.channel("telegram").post(text, sender=sender, thread_id=thread, **where)
    await world.settle()


async def in_club(world, text, *, thread=None, sender="cid"):
    await say(world, text, thread=thread, sender=sender, chat_type="group", chat_id="club", mentioned=True)


async def ask_as(world, principal, text, *, key):
    """What a client with somebody's token does."""
    sender = Sender(id=principal)
    chat = Chat(type="direct", id=principal)
    inbound = Inbound(
        channel="webchat", account_id="default", message_id="b1", chat=chat, sender=sender, text=text, mentioned=True
    )
    submission = Submission(inbound=inbound, session_key=key, principal=principal, run_id="b1")
    await world.gateway.submit(submission)


async def fork_decisions(world, key=THREAD):
    rows = await read_decisions(world, key=key, kind="fork")
    return [row.decision.outcome for row in rows]


async def header_of(world, key):
    return (await world.store.load_transcripts(SessionKey(key)))[0].header


@story
async def test_a_thread_of_a_group_goes_on_from_the_group():
    async with GatewayInMemory(build_config(), runner=ScriptedRunner(lambda _asked: Reply(text="fine"))) as world:
        await in_club(world, "one")
        heard = Listener(world)
        await in_club(world, "two", thread="7", sender="dan")
        await in_club(world, "three", thread="7")
        await in_club(world, "four")
        above = ["user: one", "assistant: fine"]
        own = ["user: two", "assistant: fine", "user: three", "assistant: fine"]
        assert await read_lines(world, TOPIC) == [*above, *own]
        assert await read_lines(world, CLUB) == [*above, "user: four", "assistant: fine"]
        group, thread = await world.store.load_session(CLUB), await world.store.load_session(TOPIC)
        assert (await header_of(world, TOPIC)).parent_session == group.session_id
        assert (thread.origin.forked_from, thread.naming.first_words) == (group.session_id, "two")
        assert thread.session_id != group.session_id
        page, source = [await world.store.load_entries(one.session_id) for one in (thread, group)]
        assert [one.entry for one in page.entries[:2]] == [one.entry for one in source.entries[:2]]
        assert [one.entry.parent_id for one in page.entries[1:]] == [one.entry.id for one in page.entries[:-1]]
        assert page.head.is_linear
        # The model sees it from the first request on; clients hear of what is new.
        requests = [request for request in world.runner.requests if request.session_key == TOPIC]
        assert [len(request.messages) for request in requests] == [3, 5]
        stored = [event for event in heard.events if isinstance(event, MessageStored) and event.session_key == TOPIC]
        assert [event.seq for event in stored] == [3, 4, 5, 6]
        assert await fork_decisions(world, TOPIC) == ["copied"]


SCOPES = {
    "main": "agent:main:main",
    "per-peer": "agent:main:direct:ann",
    "per-channel-peer": "agent:main:telegram:direct:ann",
    "per-account-channel-peer": "agent:main:telegram:default:direct:ann",
}


@pytest.mark.parametrize(("scope", "above"), SCOPES.items(), ids=SCOPES)
def test_a_thread_of_a_direct_chat_holds_what_its_own_chat_holds_and_nothing_else(scope, above):
    @story
    async def play():
        async with GatewayInMemory(build_config(session={"dmScope": scope})) as world:
            await say(world, "one")
            await say(world, "bob says this", sender="bob")
            await in_club(world, "the club says that")
            await say(world, "two", thread="7")
            told = " ".join(await read_lines(world, f"{above}:thread:7"))
            assert "user: one" in told
            assert ("bob says this" in told) is (scope == "main")
            assert "the club says that" not in told
            request = " ".join(map(message_text, world.runner.requests[-1].messages))
            assert "one" in request
            assert ("bob says this" in request) is (scope == "main")
            # A thread of the same name in another chat is another one.
            await say(world, "three", thread="7", sender="dora")
            if scope != "main":
                other = await read_lines(world, f"{above.replace('ann', 'dora')}:thread:7")
                assert other == ["user: three", "assistant: You said: three"]

    play()


@story
async def test_a_client_that_sends_to_a_thread_goes_on_from_its_session_too():
    async with GatewayInMemory(build_config()) as world:
        await say(world, "one")
        await ask(world, "two", key=THREAD)
        await world.settle()
        assert await read_lines(world, THREAD) == [*ABOVE, "user: two", "assistant: You said: two"]


@story
async def test_a_reset_of_a_thread_begins_empty_and_a_first_message_may_ask_for_that():
    async with GatewayInMemory(build_config()) as world:
        await say(world, "one")
        await say(world, "two", thread="7")
        await ask(world, "/new three", key=THREAD, run_id="r3")
        await world.settle()
        assert await read_lines(world, THREAD) == ["user: three", "assistant: You said: three"]
        assert (await header_of(world, THREAD)).parent_session is None
        await ask(world, "/new four", key=SessionKey(f"{DIRECT}:thread:8"), run_id="r4")
        await world.settle()
        assert (await read_lines(world, f"{DIRECT}:thread:8"))[0] == "user: four"


@story
async def test_a_thread_that_was_deleted_and_comes_anew_is_a_new_thread():
    async with GatewayInMemory(build_config()) as world:
        await say(world, "one")
        await say(world, "two", thread="7")
        await world.gateway.sessions.delete(THREAD, delete_transcript=True, who="operator")
        await say(world, "three", thread="7")
        assert await read_lines(world, THREAD) == [*ABOVE, "user: three", "assistant: You said: three"]


@pytest.mark.parametrize("mode", ["fanout", "steer", "followup"])
def test_two_first_messages_of_a_thread_at_once_make_one_fork(mode):
    @story
    async def play():
        gate = Gate()

        def script(asked):
            return Reply(
                text=f"re {asked.last_user_text}", before_chunk=gate if "slow" in asked.last_user_text else None
            )

        config = build_config(messages={"queue": {"mode": mode, "debounceMs": 0}})
        async with GatewayInMemory(config, runner=ScriptedRunner(script)) as world:
            await say(world, "one")
            for text in ("slow", "quick"):
                await world.channel("telegram").post(text, sender="ann", thread_id="7")
            if mode == "fanout":
                await gate.reached.wait()
            gate.open()
            await world.settle()
            told = await read_lines(world, THREAD)
            assert told[:2] == ["user: one", "assistant: re one"]
            assert sorted(line for line in told if line.startswith("user: ")) == [
                "user: one",
                "user: quick",
                "user: slow",
            ]
            assert await fork_decisions(world) == ["copied"]
            session = await world.store.load_session(THREAD)
            assert (await world.store.load_entries(session.session_id)).head.is_linear

    play()


@story
async def test_what_a_turn_above_still_waits_for_is_not_copied():
    gate = Gate()
    look = Look(gate)

    def script(asked):
        return (
            Reply(calls=(call("look"),))
            if asked.last_user_text == "look there" and asked.spoken[-1].role == "user"
            else echo_script(asked)
        )

    async with GatewayInMemory(build_config(), runner=ScriptedRunner(script), tools={"look": look}) as world:
        await say(world, "one")
        await world.channel("telegram").post("look there", sender="ann")
        await gate.reached.wait()
        await world.channel("telegram").post("two", sender="ann", thread_id="7")
        await until(lambda: any(request.session_key == THREAD for request in world.runner.requests))
        gate.open()
        await world.settle()
        told = await read_lines(world, THREAD)
        assert told == [*ABOVE, "user: look there", "user: two", "assistant: You said: two"]
        session = await world.store.load_session(THREAD)
        page = await world.store.load_entries(session.session_id)
        assert find_open_calls([one.entry for one in page.entries]) == ()


@pytest.mark.parametrize(("size", "outcome"), [(399_000, "copied"), (401_000, "too_large")])
def test_a_branch_that_is_too_large_is_not_copied_and_says_so(size, outcome):
    @story
    async def play():
        quiet = ScriptedRunner(lambda _asked: Reply(text="fine"))
        async with GatewayInMemory(build_config(), runner=quiet) as world:
            await say(world, "x" * size)
            await say(world, "two", thread="7")
            assert await fork_decisions(world) == [outcome]
            assert len(await read_lines(world, THREAD)) == (4 if outcome == "copied" else 2)

    play()


@story
async def test_a_long_branch_of_few_words_is_copied_whole():
    async with GatewayInMemory(build_config()) as world:
        await say(world, "one")
        for number in range(FIRST_LINES + 3):
            await world.gateway.sessions.inject(DIRECT, f"{number}", label=None, who="operator")
        await say(world, "two", thread="7")
        assert len(await read_lines(world, THREAD)) == 2 + FIRST_LINES + 3 + 2


def test_nobody_reads_anothers_session_by_opening_a_thread_under_it():
    async def play():
        async with open_town() as town, town.client("carol") as carol, town.client("bob") as bob:
            made = (await carol.ask("sessions.create"))["key"]
            await carol.ask("chat.send", {"sessionKey": made, "message": "carol-word", "idempotencyKey": "c1"})
            await town.world.settle()
            for above in (made, "agent:main:direct:alice", "agent:main:telegram:group:club", "agent:main:main"):
                wish = {"sessionKey": f"{above}:thread:x", "message": "hello", "idempotencyKey": f"b-{above}"}
                await bob.call("chat.send", wish)
                await town.world.settle()
                assert "carol-word" not in " ".join(await read_lines(town.world, f"{above}:thread:x"))
            requests = [one for one in town.world.runner.requests if ":thread:" in one.session_key]
            assert not any("carol-word" in message_text(line) for one in requests for line in one.messages)

    run_story(play)


@story
async def test_a_thread_that_somebody_else_owns_begins_empty():
    async with GatewayInMemory(PEOPLE) as world:
        above = SessionKey("agent:main:dashboard:d1")
        await ask(world, "carol-word", key=above, run_id="c1")
        await world.settle()
        session = await world.store.load_session(above)
        assert session.owner is None
        await ask_as(world, "bob", "mine", key=SessionKey(f"{above}:thread:x"))
        await world.settle()
        assert await fork_decisions(world, f"{above}:thread:x") == ["not_shared"]
        assert "carol-word" not in " ".join(await read_lines(world, f"{above}:thread:x"))


@story
async def test_a_thread_that_begins_while_its_parent_is_being_deleted_begins_empty():
    async with GatewayInMemory(build_config()) as world:
        await say(world, "one")
        async with world.gateway._services.doors.shut(DIRECT):
            await say(world, "two", thread="7")
        assert await read_lines(world, THREAD) == ["user: two", "assistant: You said: two"]
        assert await fork_decisions(world) == ["shut"]


@pytest.mark.parametrize("is_sealed", [False, True])
def test_a_person_who_is_erased_leaves_the_threads_that_others_began(tmp_path, is_sealed):
    thread = SessionKey(f"{GROUP}:thread:7")
    config = dict(CONFIG)
    if is_sealed:
        create_key_file(tmp_path / "keys" / "master.key")
        encryption = {"enabled": True, "keyFile": str(tmp_path / "keys" / "master.key")}
        config["session"] = {**CONFIG["session"], "encryption": encryption}

    async def play():
        async with open_people(tmp_path / "state", config) as world:
            await post(world, "alice", "good day from zebra-4472", group="room-1")
            await post(world, "bob", "and panda-9002", group="room-1")
            chat = world.gateway.channel("chat")
            await chat.post(
                "a thread, panda-9005", sender="bob-88", name="Bob", chat_type="group", chat_id="room-1", thread_id="7"
            )
            await world.gateway.settle()
            await world.mirror.flush()
            said = await lines(world, thread)
            assert ["zebra-4472" in said[0], "panda-9002" in said[2], "panda-9005" in said[4]] == [True] * 3
            files = [one for one in world.count("zebra-4472") if one.endswith(".jsonl")]
            assert len(files) == (0 if is_sealed else 2)
            receipt = await erase(world)
            assert [(one.place, one.count) for one in receipt.left] == []
            said = await lines(world, thread)
            assert WORDS_ERASED in said[0]
            assert ["panda-9002" in said[2], "panda-9005" in said[4]] == [True] * 2
            assert world.count("zebra-4472") == {}

    asyncio.run(play())


def test_a_person_who_is_erased_leaves_the_archive_of_a_thread_that_another_began(tmp_path):
    thread = SessionKey(f"{GROUP}:thread:7")

    async def play():
        async with open_people(tmp_path, CONFIG) as world:
            await post(world, "alice", "good day from zebra-4472", group="room-1")
            await post(world, "bob", "and panda-9002", group="room-1")
            chat = world.gateway.channel("chat")
            await chat.post(
                "a thread, panda-9005", sender="bob-88", name="Bob", chat_type="group", chat_id="room-1", thread_id="7"
            )
            await world.gateway.settle()
            await world.gateway.gateway.sessions.delete(thread, delete_transcript=True, who="operator")
            assert any(".zst" in place for place in world.count("zebra-4472"))
            receipt = await erase(world)
            assert [(one.place, one.count) for one in receipt.left] == []
            assert world.count("zebra-4472", "Alice Moor") == {}
            assert any(".zst" in place for place in world.count("panda-9005"))

    asyncio.run(play())
