"""`/new` and `/reset` from a chat (CMD-1…9, RESET-23, RESET-26)."""

from __future__ import annotations

import pytest

from instar.core.model.event import SessionChanged
from instar.testing.gateway import GatewayInMemory
from instar.testing.runner import ScriptedRunner
from instar.testing.script import Reply, play
from tests.builders.stories import (
    DIRECT,
    Gate,
    Listener,
    build_config,
    read_decisions,
    read_inbox,
    read_lines,
    sent_texts,
    story,
)


async def say(world, text, *, sender="ann"):
    await world.channel("telegram").post(text, sender=sender)
    await world.settle()


@story
async def test_what_follows_new_is_the_first_prompt_of_the_new_session():
    async with GatewayInMemory(build_config()) as world:
        await say(world, "one")
        await say(world, "/new Tell me a Story")
        assert await read_lines(world) == ["user: Tell me a Story", "assistant: You said: Tell me a Story"]
        assert [head.close_reason for head in await world.store.load_transcripts(DIRECT)] == [None, "new"]
        assert len(world.runner.requests[-1].messages) == 1
        (row,) = await read_decisions(world, kind="reset")
        assert (row.decision.outcome, row.decision.rule) == ("new", "CMD-8")


@story
async def test_a_bare_reset_greets_and_asks_for_it_in_a_line_that_people_do_not_see():
    async with GatewayInMemory(build_config(), runner=ScriptedRunner(play("one", "Welcome back."))) as world:
        await say(world, "1")
        await say(world, "/reset")
        assert await read_lines(world) == ["(instar.greeting)", "assistant: Welcome back."]
        assert sent_texts(world) == ["one", "Welcome back."]
        (prompt,) = world.runner.requests[-1].messages
        assert "fresh start" in str(prompt.content)
        assert await read_inbox(world) == [("1", "answered", None), ("/reset", "answered", None)]


@story
async def test_new_with_a_model_makes_it_the_model_of_the_session():
    async with GatewayInMemory(build_config()) as world:
        await say(world, "one")
        await say(world, "/new test/scripted hello")
        session = await world.store.load_session(DIRECT)
        # The only model of this world is the default one, and choosing that clears the override (CMD-6).
        assert session.overrides.model_override is None
        assert await read_lines(world) == ["user: hello", "assistant: You said: hello"]
        (row,) = await read_decisions(world, kind="reset")
        assert row.decision.inputs["model"] == "test/scripted"


@story
async def test_a_soft_reset_keeps_the_transcript():
    async with GatewayInMemory(build_config()) as world:
        await say(world, "one")
        before = await world.store.load_session(DIRECT)
        await say(world, "/reset soft and go on")
        after = await world.store.load_session(DIRECT)
        assert after.session_id == before.session_id
        assert (await read_lines(world))[2:] == ["user: and go on", "assistant: You said: and go on"]
        (row,) = await read_decisions(world, kind="reset")
        assert row.decision.outcome == "soft"


@story
async def test_new_as_the_very_first_message_begins_a_session():
    async with GatewayInMemory(build_config()) as world:
        await say(world, "/new hello")
        assert await read_lines(world) == ["user: hello", "assistant: You said: hello"]


@story
async def test_new_ends_what_runs_and_what_waits():
    gate = Gate()
    runner = ScriptedRunner(play(Reply(text="a long answer", before_chunk=gate), "fresh"))
    async with GatewayInMemory(build_config(messages={"queue": {"mode": "followup"}}), runner=runner) as world:
        await world.channel("telegram").post("one", sender="ann")
        await gate.reached.wait()
        await world.channel("telegram").post("two", sender="ann")
        await world.channel("telegram").post("/new three", sender="ann")
        await world.settle()
        old = (await world.store.load_transcripts(DIRECT))[1]
        assert await read_lines(world, session_id=old.session_id) == ["user: one", "assistant (aborted):"]
        assert await read_lines(world) == ["user: three", "assistant: fresh"]
        assert await read_inbox(world) == [
            ("one", "answered", "interrupt"),
            ("two", "expired", "reset"),
            ("/new three", "answered", None),
        ]
        assert sent_texts(world) == ["Your message “two” was not answered: the session was reset.", "fresh"]


@story
async def test_people_who_may_give_no_commands_reset_nothing():
    config = build_config()
    config["channels"]["telegram"] |= {"groupAllowFrom": ["ann"]}
    config["messages"]["groupChat"] = {"mentionPatterns": ["@bot"]}
    async with GatewayInMemory(config) as world:
        post = world.channel("telegram").post
        for text, sender in (("@bot hello", "ann"), ("@bot /new story", "eve")):
            await post(text, sender=sender, chat_type="group", chat_id="club", mentioned=True)
            await world.settle()
        key = "agent:main:telegram:group:club"
        assert len(await world.store.load_transcripts(key)) == 1
        assert "user: @bot /new story" in await read_lines(world, key)


@story
async def test_other_words_can_mean_a_reset():
    async with GatewayInMemory(build_config(session={"resetTriggers": ["/fresh"]})) as world:
        await say(world, "one")
        await say(world, "/new two")
        await say(world, "/fresh three")
        assert [head.close_reason for head in await world.store.load_transcripts(DIRECT)] == [None, "reset"]


@story
async def test_clients_hear_of_the_new_session():
    async with GatewayInMemory(build_config()) as world:
        await say(world, "one")
        listener = Listener(world)
        await say(world, "/new two")
        (event,) = [each for each in listener.events if isinstance(each, SessionChanged) and each.reason == "new"]
        assert event.session.session_id == (await world.store.load_session(DIRECT)).session_id


@story
async def test_what_was_closed_can_be_taken_up_again():
    async with GatewayInMemory(build_config()) as world:
        await say(world, "one")
        first = (await world.store.load_session(DIRECT)).session_id
        await say(world, "/new two")
        await say(world, "/resume")
        await say(world, "three")
        assert (await world.store.load_session(DIRECT)).session_id == first
        assert await read_lines(world) == [
            "user: one",
            "assistant: You said: one",
            "user: three",
            "assistant: You said: three",
        ]


@pytest.mark.parametrize(
    ("session", "text", "is_told"),
    [
        ({"dmScope": "main"}, "/new", True),
        ({"dmScope": "main"}, "/new what now?", False),
        ({"dmScope": "per-peer"}, "/new", False),
    ],
    ids=["the main session", "with a first prompt", "a session of one person"],
)
def test_a_bare_reset_of_the_main_session_brings_its_notes_along(session, text, is_told):
    @story
    async def play_it():
        async with GatewayInMemory(build_config(session=session)) as world:
            world.texts.notes = "# Notes of today and yesterday\n\nBread is out."
            await say(world, "one")
            await say(world, text)
            seen = " ".join(str(message.content) for message in world.runner.requests[-1].messages)
            assert ("Bread is out." in seen) is is_told

    play_it()


@story
async def test_without_memory_a_bare_reset_brings_no_notes():
    config = build_config(session={"dmScope": "main"}, memory={"enabled": False})
    async with GatewayInMemory(config) as world:
        world.texts.notes = "Bread is out."
        await say(world, "/new")
        assert "Bread is out." not in str(world.runner.requests[-1].messages)
