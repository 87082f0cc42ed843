"""The runner without a model: honest, helpful, and the same each time."""

from __future__ import annotations

import asyncio

from instar.core.model.entry import ZERO_USAGE, AnyMessage, AssistantMessage, ImageBlock, TextBlock, UserMessage
from instar.core.model.ids import SessionKey, TurnId
from instar.ports.runner import Finished, ModelRequest, RunnerEvent, TextDelta
from instar.runners.echo import ECHO_MODEL, EchoRunner


def run(*messages: AnyMessage) -> list[RunnerEvent]:
    async def scenario() -> list[RunnerEvent]:
        request = ModelRequest(
            session_key=SessionKey("k"), turn_id=TurnId("t"), model=ECHO_MODEL, system="", messages=messages
        )
        return [event async for event in EchoRunner().run(request)]

    return asyncio.run(scenario())


def text(events: list[RunnerEvent]) -> str:
    return "".join(event.text for event in events if isinstance(event, TextDelta))


def user(words: str) -> UserMessage:
    return UserMessage(content=words, timestamp=None)


def test_it_says_that_there_is_no_model_and_how_to_set_one() -> None:
    told = text(run(user("hello")))
    assert told.startswith("No model is set")
    assert "OPENAI_API_KEY" in told
    assert "models.providers" in told


def test_it_gives_back_the_last_words_of_the_person() -> None:
    assert text(run(user("first"), user("second"))).endswith("You wrote: second")


def test_words_in_blocks_count_and_a_picture_alone_has_none() -> None:
    picture = ImageBlock(data="", mime_type="image/png")
    assert text(run(UserMessage(content=(TextBlock(text="look"), picture), timestamp=None))).endswith("You wrote: look")
    assert "You wrote" not in text(run(UserMessage(content=(picture,), timestamp=None)))


def test_without_a_word_there_is_only_the_notice() -> None:
    assert "You wrote" not in text(run())


def test_it_streams_and_costs_nothing_and_signs_with_its_own_name() -> None:
    *deltas, last = run(user("hello"))
    assert len(deltas) > 1
    assert isinstance(last, Finished)
    assert isinstance(last.message, AssistantMessage)
    assert (last.message.provider, last.message.model, last.message.usage) == ("instar", "echo", ZERO_USAGE)
    assert last.cost_usd == 0.0


def test_the_same_request_gets_the_same_answer() -> None:
    assert run(user("hello")) == run(user("hello"))


def test_what_no_person_wrote_is_not_given_back() -> None:
    greeting = UserMessage(content="Greet them.", timestamp=None, extra={"fromPerson": False})
    assert "Greet them" not in text(run(user("earlier"), greeting))


def test_a_model_that_is_named_and_not_there_is_told_by_its_name() -> None:
    async def scenario(wanted: str | None) -> list[RunnerEvent]:
        request = ModelRequest(
            session_key=SessionKey("k"), turn_id=TurnId("t"), model=ECHO_MODEL, system="", messages=()
        )
        return [event async for event in EchoRunner(wanted).run(request)]

    told = text(asyncio.run(scenario("nope/none")))
    assert told.startswith("The model nope/none cannot be asked")
    assert "instar doctor" in told
    assert text(asyncio.run(scenario("instar/echo"))).startswith("No model is set")
