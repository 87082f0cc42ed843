"""Strangers at the door: refused with a reason, kept out of every transcript (LEAK-2)."""

from __future__ import annotations

import pytest

from instar.core.model.query import SessionQuery
from instar.testing.gateway import GatewayInMemory
from tests.builders.stories import DIRECT, build_config, read_decisions, read_inbox, read_lines, sent_texts, story


def build_world(**settings):
    config = build_config()
    bridge = config["channels"]["telegram"]
    for name in ("dmPolicy", "groupPolicy"):
        bridge.pop(name)
    bridge |= settings
    return GatewayInMemory(config)


CASES = {
    "pairing is the default": ({}, "not_paired"),
    "a list": ({"dmPolicy": "allowlist", "allowFrom": ["bob"]}, "not_allowed"),
    "closed": ({"dmPolicy": "off"}, "closed"),
}


@pytest.mark.parametrize(("settings", "reason"), CASES.values(), ids=CASES)
def test_a_stranger_is_refused_with_a_reason_and_leaves_no_words(settings, reason):
    @story
    async def play():
        async with build_world(**settings) as world:
            told = await world.channel("telegram").post("let me in", sender="ann")
            await world.settle()
            assert told.status == "refused"
            assert told.reason
            if reason == "not_paired":
                assert told.reason == "not_paired"
                assert "channels.telegram.allowFrom" in told.hint
            assert world.runner.requests == []
            assert (await world.store.list_sessions(SessionQuery())).total == 0
            assert [(text, state) for text, state, _ in await read_inbox(world)] == [("let me in", "refused")]
            (row,) = await read_decisions(world, kind="access")
            assert row.decision.outcome == "refused"

    play()


@story
async def test_somebody_on_the_list_is_let_in():
    async with build_world(dmPolicy="allowlist", allowFrom=["ann"]) as world:
        await world.channel("telegram").post("hello", sender="ann")
        await world.settle()
        assert sent_texts(world) == ["You said: hello"]


@story
async def test_a_group_nobody_has_admitted_is_refused():
    async with build_world(dmPolicy="open") as world:
        told = await world.channel("telegram").post(
            "@bot hi", sender="ann", chat_type="group", chat_id="club", mentioned=True
        )
        assert (told.status, told.reason) == ("refused", "not_paired")
        assert await read_lines(world, "agent:main:telegram:group:club") == []


@story
async def test_being_admitted_to_talk_is_not_being_admitted_to_command():
    async with build_world(groupPolicy="open", groupAllowFrom=["ann"]) as world:
        post = world.channel("telegram").post
        await post("/status", sender="eve", chat_type="group", chat_id="club", mentioned=True)
        await post("/whoami", sender="ann", chat_type="group", chat_id="club", mentioned=True)
        await world.settle()
        rows = await read_inbox(world, "agent:main:telegram:group:club")
        assert [(text, state) for text, state, _ in rows] == [("/status", "refused"), ("/whoami", "command")]
        assert len(sent_texts(world)) == 1


@story
async def test_the_main_session_follows_the_one_person_on_the_list():
    config = build_config(session={"dmScope": "main"})
    config["channels"]["telegram"] |= {"dmPolicy": "open", "allowFrom": ["ann"]}
    async with GatewayInMemory(config) as world:
        for sender in ("ann", "bob"):
            await world.channel("telegram").post(f"{sender} here", sender=sender)
            await world.settle()
        session = await world.store.load_session("agent:main:main")
        assert session.delivery.to == "ann"
        assert sent_texts(world, to="bob") == ["You said: bob here"]
        assert DIRECT not in {row.session_key for row in await read_decisions(world, None)}
