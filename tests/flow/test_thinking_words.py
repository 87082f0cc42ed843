"""Thinking levels that a request names: every word for one is read at the door, no other gets in (PATCH-6, X-16)."""

from dataclasses import replace

import pytest

from instar.core.model.change import SessionChange, TurnOptions
from instar.core.model.ids import SessionKey
from instar.errors import InvalidRequest
from instar.testing.gateway import GatewayInMemory, OneModel
from instar.testing.runner import SCRIPTED_MODEL, ScriptedRunner
from instar.testing.script import play
from tests.builders.store import build_submission
from tests.builders.wire import run_story
from tests.flow.test_wire_with_gateway import listen, say

KEY = SessionKey("agent:main:main")
SENDING = {"chat.send": "sessionKey", "sessions.send": "key", "sessions.steer": "key", "agent": "sessionKey"}
UNKNOWN = "must be one of off, minimal, low, medium, high, xhigh"


def open_world(*replies):
    return GatewayInMemory(runner=ScriptedRunner(play(*replies)))


@pytest.mark.parametrize("method", SENDING)
@pytest.mark.parametrize(("word", "why"), [("banana", UNKNOWN), ("xhigh", "the model does not support xhigh")])
def test_a_message_with_a_level_that_is_none_is_refused_and_not_stored(method, word, why):
    async def story():
        async with open_world() as world, listen(world) as client:
            wish = {SENDING[method]: "main", "message": "hi", "idempotencyKey": "run-1", "thinking": word}
            error = await client.refusal(method, wish)
            assert error["code"] == "INVALID_REQUEST"
            assert why in error["message"]
            assert await world.store.load_session(KEY) is None

    run_story(story)


@pytest.mark.parametrize(("word", "level"), [("on", "low"), ("stream", "low"), (" ULTRA ", "high"), ("off", "off")])
def test_a_message_is_thought_about_as_its_word_says(word, level):
    async def story():
        async with open_world("Yes.") as world, listen(world) as client:
            _, end = await say(client, "hi", "run-1", thinking=word)
            assert end["state"] == "final"
            assert [request.thinking for request in world.runner.requests] == [level]

    run_story(story)


def test_a_session_is_created_with_the_level_that_a_word_means():
    async def story():
        async with open_world("Yes.") as world, listen(world) as client:
            wish = {"key": "main", "thinkingLevel": "stream"}
            entry = (await client.ask("sessions.create", wish))["entry"]
            assert (entry["thinkingLevel"], entry["reasoningLevel"]) == ("low", "stream")
            assert (await say(client, "hi", "run-1"))[1]["state"] == "final"
            for word, why in (("banana", UNKNOWN), ("xhigh", "the model does not support xhigh")):
                error = await client.refusal("sessions.create", {"key": "other", "thinkingLevel": word})
                assert error["code"] == "INVALID_REQUEST"
                assert why in error["message"]

    run_story(story)


@pytest.mark.parametrize(("stored", "level"), [("stream", "low"), ("banana", None), ("xhigh", "high")])
def test_a_level_that_stands_stored_as_no_model_knows_it_ends_no_turn(stored, level):
    async def story():
        async with open_world("One.", "Two.") as world, listen(world) as client:
            await say(client, "hi", "run-1")

            def spoil(facts):
                overrides = replace(facts.session.overrides, thinking_level=stored)
                return SessionChange(session=replace(facts.session, overrides=overrides))

            await world.gateway._services.change("spoil", KEY, spoil)  # as an older version did
            assert (await say(client, "again", "run-2"))[1]["state"] == "final"
            assert world.runner.requests[-1].thinking == level

    run_story(story)


def test_a_message_that_names_a_model_nobody_may_choose_is_refused_and_not_stored():
    async def story():
        async with open_world() as world, listen(world) as client:
            wish = {"sessionKey": "main", "message": "hi", "idempotencyKey": "run-1", "model": "nosuch"}
            error = await client.refusal("agent", wish)
            assert error["code"] == "INVALID_REQUEST"
            assert "model not allowed: nosuch" in error["message"]
            assert await world.store.load_session(KEY) is None

    run_story(story)


def test_a_repeated_message_keeps_its_answer_when_its_model_may_no_longer_be_chosen():
    async def story():
        book = OneModel(SCRIPTED_MODEL)
        world = GatewayInMemory(runner=ScriptedRunner(play("Yes.")), arm=lambda parts: replace(parts, models=book))
        async with world:
            options = TurnOptions(model=SCRIPTED_MODEL.ref)
            submission = replace(build_submission(channel="webchat"), session_key=KEY, options=options)
            first = await world.gateway.submit(submission)
            await world.settle()
            book.spec = replace(SCRIPTED_MODEL, id="newer")
            assert await world.gateway.submit(submission) == replace(first, repeated=True)
            await world.settle()
            assert len(world.runner.requests) == 1
            with pytest.raises(InvalidRequest, match="model not allowed"):
                await world.gateway.submit(replace(submission, inbound=replace(submission.inbound, message_id="m2")))

    run_story(story)
