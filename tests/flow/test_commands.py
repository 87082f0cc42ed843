"""Chat commands as people type them, good and bad (CMD-20…35, STATUS-10…15)."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from instar.core.model.entry import Usage, UsageCost
from instar.core.model.event import RunNote
from instar.core.policy.model_choice import ModelNames
from instar.ports.tool import ToolOutput, ToolSpec
from instar.testing.gateway import GatewayInMemory
from instar.testing.runner import SCRIPTED_MODEL, ScriptedRunner
from instar.testing.script import Reply
from tests.builders.stories import (
    DIRECT,
    Gate,
    Listener,
    ask,
    build_config,
    read_decisions,
    read_inbox,
    read_lines,
    sent_texts,
    story,
)

SPARE = replace(SCRIPTED_MODEL, id="spare")


class Book:
    """Two models; `scripted` is the default and `other` is short for the spare one."""

    models = (SCRIPTED_MODEL, SPARE)

    def resolve(self, ref):
        return next((one for one in self.models if ref in {one.ref, one.id}), None)

    def default_of(self, agent_id):
        return SCRIPTED_MODEL

    def fallbacks_of(self, agent_id):
        return ()

    def names(self, agent_id):
        return ModelNames(
            allowed=tuple(one.ref for one in self.models), aliases={"other": SPARE.ref}, default=SCRIPTED_MODEL.ref
        )

    def xhigh_models(self):
        return frozenset()

    def all(self):
        return self.models


class Look:
    """A tool."""

    spec = ToolSpec(
        name="look",
        description="Looks at a thing.",
        parameters={"type": "object", "properties": {"what": {"type": "string"}, "how": {"type": "string"}}},
    )

    async def call(self, context, arguments):
        return ToolOutput(content=())


def build_world(script=None, **config):
    runner = ScriptedRunner(script or (lambda asked: Reply(text="Fine.")))
    world = GatewayInMemory(build_config(**config), runner=runner, tools={"look": Look()})
    world._models = Book()
    return world


async def say(world, *texts, sender="ann", **place):
    for text in texts:
        await world.channel("telegram").post(text, sender=sender, **place)
        await world.settle()
    return sent_texts(world)[-1]


# --- /model -----------------------------------------------------------------------------------------------------------


@story
async def test_model_says_what_answers_and_what_else_there_is():
    async with build_world() as world:
        assert await say(world, "/model") == (
            "Model: test/scripted (the default)\n/model <name> chooses another: test/spare (other)"
        )
        await say(world, "hello")
        assert await say(world, "/model other") == "Model: test/spare (chosen for this session)"
        assert (await say(world, "/model")).startswith("Model: test/spare (chosen for this session)")
        await say(world, "hello")
        assert world.runner.requests[-1].model == SPARE


@pytest.mark.parametrize(
    ("word", "says"),
    [
        ("nope", "There is no model “nope” here.\nModels: test/scripted, test/spare (other)"),
        ("spari", "There is no model “spari” here. Did you mean test/spare?"),
        ("test/spore", "Did you mean test/spare?"),
    ],
)
def test_a_word_that_names_no_model_is_answered_with_those_there_are(word, says):
    @story
    async def play():
        async with build_world() as world:
            await say(world, "hello")
            assert says in await say(world, f"/model {word}")
            assert (await world.store.load_session(DIRECT)).overrides.model_override is None

    play()


@story
async def test_queue_alone_tells_what_holds_here():
    async with build_world() as world:
        assert await say(world, "/queue") == (
            "Queue: steer (default), debounce 0 ms (configured), cap 20 (default), drop summarize (default)"
        )
        await say(world, "hello")
        assert (await say(world, "/queue collect cap:5")).startswith("Queue: collect (set here), debounce 0 ms")
        assert (await say(world, "/queue default")).startswith("Queue: steer (default)")
        assert (await say(world, "/queue banana")).startswith("Usage: /queue ")


# --- /context ---------------------------------------------------------------------------------------------------------


@story
async def test_context_lists_what_is_in_the_window_and_keeps_three_numbers_apart():
    def script(asked):
        return Reply(text="Fine.", usage=Usage(input=900, cache_read=300, output=40, total_tokens=1_240))

    async with build_world(script) as world:
        assert "/context list" in await say(world, "/context")
        told = await say(world, "/context list")
        assert "an estimate; nothing was asked yet" in told
        await say(world, "hello", "again")
        await world.run_for(180)
        lines = (await say(world, "/context show")).splitlines()
        assert lines[0] == f"Context of {DIRECT} (as the last request told it)"
        assert "System prompt: 21 characters (≈ 6 tokens), 0 of them from files" in lines
        assert "Tools: look" in lines
        assert lines[-3:] == [
            "In the window now: 1.2k tokens (by provider, 3 minutes ago)",
            "Billed so far: 2.4k in, 80 out",
            "The window holds: 200k tokens",
        ]
        detail = await say(world, "/context deep")
        assert "- look: 81 characters (≈ 21 tokens), 2 parameters" in detail
        report = json.loads(await say(world, "/context json"))
        assert report["report"]["source"] == "run"
        assert report["session"] == {
            "totalTokens": 1_240,
            "totalTokensSource": "provider",
            "totalTokensAt": report["session"]["totalTokensAt"],
            "inputTokens": 2_400,
            "outputTokens": 80,
            "contextTokens": 200_000,
        }
        assert "“moon” is nothing that /context shows" in await say(world, "/context moon")
        assert len(world.runner.requests) == 2


# --- directives inside other text -------------------------------------------------------------------------------------


@story
async def test_directives_hold_for_their_message_and_are_cut_from_it():
    async with build_world() as world:
        await say(world, "hello", "/think high what is two and two?", "and now? /model other")
        assert [(one.thinking, one.model.id) for one in world.runner.requests] == [
            (None, "scripted"),
            ("high", "scripted"),
            (None, "spare"),
        ]
        assert (await read_lines(world))[2::2] == ["user: what is two and two?", "user: and now?"]
        session = await world.store.load_session(DIRECT)
        assert session.overrides.thinking_level is None
        assert session.overrides.model_override is None
        # What was written stays in the row of the message, so a restart reads it again.
        assert [text for text, _, _ in await read_inbox(world)][1] == "/think high what is two and two?"


@story
async def test_a_turn_that_goes_on_after_a_crash_still_thinks_as_it_was_asked():
    gate = Gate()
    async with build_world(lambda asked: Reply(text="Fine.", before_chunk=gate)) as world:
        await world.channel("telegram").post("/think high why?", sender="ann")
        await gate.reached.wait()
        await world.restart(kill=True)
        gate.open()
        await world.settle()
        assert [one.thinking for one in world.runner.requests] == ["high", "high"]
        assert await read_lines(world) == ["user: why?", "assistant: Fine."]


@story
async def test_a_status_among_other_text_is_answered_at_once_and_cut():
    gate = Gate()
    async with build_world(lambda asked: Reply(text="Fine.", before_chunk=gate)) as world:
        listener = Listener(world)
        await world.channel("telegram").post("how are you? /status", sender="ann")
        await gate.reached.wait()
        await world.run_for(1)
        assert sent_texts(world)[0].startswith("Instar 0\nModel: ")
        gate.open()
        await world.settle()
        assert sent_texts(world)[1:] == ["Fine."]
        assert await read_lines(world) == ["user: how are you?", "assistant: Fine."]
        assert [event for event in listener.events if isinstance(event, RunNote)]


@story
async def test_a_message_may_say_how_it_waits():
    gate = Gate()
    async with build_world(lambda asked: Reply(text="Fine.", before_chunk=gate)) as world:
        channel = world.channel("telegram")
        await channel.post("one", sender="ann")
        await gate.reached.wait()
        await channel.post("/queue followup two", sender="ann")
        await channel.post("three", sender="ann")
        gate.open()
        await world.settle()
        assert {text: state for text, state, _ in await read_inbox(world)}["/queue followup two"] == "answered"
        assert [line for line in await read_lines(world) if line.startswith("user")].count("user: two") == 1


@story
async def test_a_directive_in_a_message_that_steers_is_cut_too():
    gate = Gate()

    def script(asked):
        return Reply(text="Fine.", before_chunk=gate)

    async with build_world(script) as world:
        channel = world.channel("telegram")
        await channel.post("one", sender="ann")
        await gate.reached.wait()
        await channel.post("/verbose on two", sender="ann")
        gate.open()
        await world.settle()
        assert "user: two" in await read_lines(world)


@story
async def test_directives_of_who_may_not_give_commands_are_words_or_nothing():
    async with build_world(commands={"allowFrom": ["telegram:bob"]}) as world:
        group = {"chat_id": "g", "chat_type": "group", "mentioned": True}
        channel = world.channel("telegram")
        await channel.post("what is /think high for?", sender="eve", **group)
        await world.settle()
        key = "agent:main:telegram:group:g"
        assert any("/think high" in line for line in await read_lines(world, key))
        asked = len(world.runner.requests)
        await channel.post("/think high what for?", sender="eve", **group)
        await world.settle()
        assert (await read_inbox(world, key))[-1][1] == "refused"
        assert len(world.runner.requests) == asked


# --- what is shown around an answer -----------------------------------------------------------------------------------


@story
async def test_thoughts_and_tokens_are_shown_where_they_are_wanted():
    def script(asked):
        usage = Usage(input=900, cache_read=300, output=40, total_tokens=1_240, cost=UsageCost(total=0.0123))
        return Reply(text="Four.", thinking="Two and two.\nFour.", usage=usage)

    async with build_world(script) as world:
        assert await say(world, "sum") == "Four."
        await say(world, "/usage tokens", "/reasoning on")
        thoughts = "Thoughts:\n> Two and two.\n> Four."
        assert await say(world, "sum") == f"{thoughts}\n\nFour.\n\n(1.2k tokens in, 40 out)"
        await say(world, "/usage full", "/reasoning off")
        assert await say(world, "sum") == (
            "Four.\n\n(1.2k tokens in, 40 out · 300 of them cached · $0.0123 · test/scripted)"
        )
        await say(world, "/usage off")
        assert await say(world, "sum") == "Four."
        assert "(1.2k tokens in, 40 out)" in await say(world, "sum /usage tokens")
        assert {line for line in await read_lines(world) if line.startswith("assistant")} == {"assistant: Four."}


# --- /export ----------------------------------------------------------------------------------------------------------


async def export(world, text):
    """What an owner's client is told."""
    listener = Listener(world)
    await ask(world, text, run_id=f"run {text}")
    await world.settle()
    return next(event.text for event in listener.events if hasattr(event, "text"))


@story
async def test_an_owner_exports_into_the_workspace_and_nowhere_else():
    async with build_world() as world:
        files = world.exports.files
        assert await export(world, "/export") == "There is no session here yet."
        await say(world, "the key is sk-live-1234567890abcdef1234567890")
        assert await export(world, "/export notes/talk.md") == "Written: /nowhere/main/notes/talk.md"
        assert "the key is" in files["notes/talk.md"]
        assert (await export(world, "/export-session")).endswith(".html")
        await export(world, "/export talk.json")
        assert json.loads(files["talk.json"])["key"] == DIRECT
        for path in ("../talk.md", "/etc/passwd", "~/x.md", "a//b.md", ".ssh/key.md", "talk.exe", "a\\b.md"):
            assert (await export(world, f"/export {path}")).startswith("The session cannot be written to ")
        assert sorted(files)[1:] == ["notes/talk.md", "talk.json"]
        # Whoever was only let in is no owner: no word.
        sent = len(sent_texts(world))
        await say(world, "/export mine.md")
        assert len(sent_texts(world)) == sent
        assert [row.decision.outcome for row in await read_decisions(world, kind="command")][-1] == "swallow"


# --- /activation ------------------------------------------------------------------------------------------------------


@story
async def test_an_agent_in_a_group_is_told_what_wakes_it_and_of_a_change_at_once():
    async with build_world(commands={"ownerAllowFrom": ["telegram:ann"]}) as world:
        place = {"chat_id": "g", "chat_type": "group", "mentioned": True}
        await say(world, "hello", **place)
        assert "You are asked when somebody addresses you" in world.runner.requests[-1].system
        await say(world, "/activation always", "and now?", **place)
        assert "You hear every message." in world.runner.requests[-1].system
        await say(world, "hello")
        assert "# Group" not in world.runner.requests[-1].system
