"""Who shares a memory and who must never meet: two people and a group under each scope (KEY-10, LINK-*)."""

from __future__ import annotations

import pytest

from instar.core.model.query import SessionQuery
from instar.testing.gateway import GatewayInMemory
from tests.builders.stories import build_config, read_lines, sent_texts, story

SCOPES = {
    "main": ("agent:main:main", "agent:main:main"),
    "per-peer": ("agent:main:direct:ann", "agent:main:direct:bob"),
    "per-channel-peer": ("agent:main:telegram:direct:ann", "agent:main:telegram:direct:bob"),
    "per-account-channel-peer": ("agent:main:telegram:default:direct:ann", "agent:main:telegram:default:direct:bob"),
}
GROUP = "agent:main:telegram:group:club"


async def say_everything(world):
    """Ann, Bob and the club each say two things of their own, each posted three times."""
    channel = world.channel("telegram")
    for number in (1, 2):
        for _ in range(3):
            await channel.post(f"ann says {number}", sender="ann", message_id=f"a{number}")
            await channel.post(f"bob says {number}", sender="bob", message_id=f"b{number}")
            await channel.post(
                f"cid says {number}",
                sender="cid",
                chat_type="group",
                chat_id="club",
                mentioned=True,
                message_id=f"c{number}",
            )
        await world.settle()


async def words_of(world, key):
    """Who has spoken in a session, and what the model was told in its last turn."""
    lines = [line.removeprefix("user: ") for line in await read_lines(world, key) if line.startswith("user: ")]
    requests = [request for request in world.runner.requests if request.session_key == key]
    seen = " ".join(str(message.content) for message in requests[-1].messages)
    return lines, {name for name in ("ann", "bob", "cid") if f"{name} says" in seen}


@pytest.mark.parametrize(("scope", "keys"), SCOPES.items(), ids=SCOPES)
def test_two_people_and_a_group_land_where_the_scope_says(scope, keys):
    @story
    async def play():
        async with GatewayInMemory(build_config(session={"dmScope": scope})) as world:
            await say_everything(world)
            ann, bob = keys
            page = await world.store.list_sessions(SessionQuery())
            assert {session.key for session in page.sessions} == {ann, bob, GROUP}
            said, seen = await words_of(world, GROUP)
            assert said == ["cid says 1", "cid says 2"]
            assert seen == {"cid"}
            if ann == bob:
                said, seen = await words_of(world, ann)
                assert sorted(said) == ["ann says 1", "ann says 2", "bob says 1", "bob says 2"]
                assert seen == {"ann", "bob"}
            else:
                for key, name in ((ann, "ann"), (bob, "bob")):
                    said, seen = await words_of(world, key)
                    assert said == [f"{name} says 1", f"{name} says 2"]
                    assert seen == {name}
            for name in ("ann", "bob"):
                # The main session is told that the group has changed, before the words it answers (STATE-3).
                last_lines = [
                    text.removeprefix("You said: ").rpartition("\n")[2] for text in sent_texts(world, to=name)
                ]
                assert last_lines == [f"{name} says 1", f"{name} says 2"]
            assert sent_texts(world, to="club")[0].endswith("cid says 1")
            assert len(sent_texts(world)) == 6

    play()


@story
async def test_linked_ids_of_one_person_share_a_session_and_each_chat_gets_its_own_answers():
    links = {"alice": ["telegram:ann", "slack:U1"]}
    config = build_config(session={"dmScope": "per-peer", "identityLinks": links}, channels=("telegram", "slack"))
    async with GatewayInMemory(config) as world:
        await world.channel("telegram").post("from telegram", sender="ann")
        await world.settle()
        await world.channel("slack").post("from slack", sender="U1")
        await world.settle()
        await world.channel("slack").post("from a stranger", sender="U2")
        await world.settle()
        assert await read_lines(world, "agent:main:direct:alice") == [
            "user: from telegram",
            "assistant: You said: from telegram",
            "user: from slack",
            "assistant: You said: from slack",
        ]
        assert sent_texts(world, "telegram") == ["You said: from telegram"]
        assert sent_texts(world, "slack", to="U1") == ["You said: from slack"]
        session = await world.store.load_session("agent:main:direct:alice")
        assert session.owner == "alice"
        assert session.delivery.channel == "slack"


@story
async def test_two_people_in_one_shared_session_are_each_answered_in_their_own_chat():
    """Also when the second writes while the first is being answered: one answer has one place (ENTRY-3)."""
    config = build_config(session={"dmScope": "main"})
    async with GatewayInMemory(config) as world:
        await world.channel("telegram").post("ann asks", sender="ann")
        await world.channel("telegram").post("bob asks", sender="bob")
        await world.settle()
        assert sent_texts(world, to="ann") == ["You said: ann asks"]
        assert sent_texts(world, to="bob") == ["You said: bob asks"]


@story
async def test_threads_of_a_group_are_sessions_of_their_own():
    async with GatewayInMemory(build_config()) as world:
        for thread in (None, "7"):
            await world.channel("telegram").post(
                "hi", sender="cid", chat_type="group", chat_id="club", thread_id=thread, mentioned=True
            )
            await world.settle()
        page = await world.store.list_sessions(SessionQuery())
        assert {session.key for session in page.sessions} == {GROUP, f"{GROUP}:topic:7"}
        assert [sent.target.thread_id for sent in world.channel("telegram").sent] == [None, "7"]


@story
async def test_a_binding_gives_a_person_another_agent_with_a_session_of_its_own():
    config = build_config(
        agents={"list": [{"id": "main", "default": True}, {"id": "work"}]},
        bindings=[{"agentId": "work", "match": {"channel": "telegram", "peer": {"kind": "direct", "id": "bob"}}}],
    )
    async with GatewayInMemory(config) as world:
        await world.channel("telegram").post("hi", sender="ann")
        await world.channel("telegram").post("hi", sender="bob")
        await world.settle()
        page = await world.store.list_sessions(SessionQuery())
        assert {(session.key, session.agent_id) for session in page.sessions} == {
            ("agent:main:telegram:direct:ann", "main"),
            ("agent:work:telegram:direct:bob", "work"),
        }
