"""The first message: from a channel through the whole gateway and back (design, section 2)."""

from __future__ import annotations

from instar.core.model.message import Target
from instar.testing.gateway import GatewayInMemory
from tests.builders.stories import (
    DIRECT,
    at,
    build_config,
    read_decisions,
    read_inbox,
    read_lines,
    sent_texts,
    story,
)


@story
async def test_a_message_is_acknowledged_answered_and_delivered_once():
    async with GatewayInMemory(build_config()) as world:
        told = await world.channel("telegram").post("hello", sender="ann", name="Ann")
        assert (told.status, told.session_key, told.repeated) == ("accepted", DIRECT, False)
        await world.settle()
        assert await read_lines(world) == ["user: hello", "assistant: You said: hello"]
        assert await read_inbox(world) == [("hello", "answered", None)]
        (sent,) = world.channel("telegram").sent
        assert (sent.text, sent.attempt) == ("You said: hello", 1)
        assert sent.target == Target(
            channel="telegram", account_id="default", to="ann", chat_type="direct", thread_id=None
        )
        (row,) = await world.store.load_deliveries(session_key=DIRECT)
        assert (row.state, row.platform_id) == ("sent", "p1")


@story
async def test_a_message_is_committed_before_it_is_acknowledged():
    async with GatewayInMemory(build_config()) as world:
        told = await world.channel("telegram").post("hello", sender="ann")
        (row,) = await world.store.load_inbox(inbound_ids=[told.inbound_id])
        assert row.submission.inbound.text == "hello"
        await world.settle()


@story
async def test_a_session_knows_where_it_came_from_and_what_it_took():
    async with GatewayInMemory(build_config()) as world:
        await world.channel("telegram").post("hello", sender="Ann-7", name="Ann")
        await world.settle()
        session = await world.store.load_session("agent:main:telegram:direct:ann-7")
        assert session is not None
        assert (session.origin.label, session.origin.from_id, session.delivery.to) == ("Ann", "Ann-7", "Ann-7")
        assert (session.counters.model_provider, session.counters.model) == ("test", "scripted")
        assert session.counters.output_tokens > 0
        assert session.naming.first_words == "hello"
        (usage,) = await world.store.sum_usage(session_key=session.key)
        assert usage.calls == 1


@story
async def test_each_step_of_the_first_message_is_explained():
    async with GatewayInMemory(build_config()) as world:
        await world.channel("telegram").post("hello", sender="ann")
        await world.settle()
        told = [(row.decision.kind, row.decision.outcome) for row in await read_decisions(world)]
        assert told == [
            ("route", DIRECT),
            ("access", "admitted"),
            ("activation", "wakes"),
            ("freshness", "new"),
            ("send", "allow"),
            ("deliver", "sent"),
        ]


@story
async def test_a_conversation_goes_on_in_one_session_and_the_model_sees_all_of_it():
    async with GatewayInMemory(build_config()) as world:
        for text in ("one", "two", "three"):
            await world.channel("telegram").post(text, sender="ann")
            await world.settle()
        assert await read_lines(world) == [
            line for text in ("one", "two", "three") for line in (f"user: {text}", f"assistant: You said: {text}")
        ]
        assert [len(request.messages) for request in world.runner.requests] == [1, 3, 5]
        assert len(await world.store.load_transcripts(DIRECT)) == 1


@story
async def test_a_conversation_goes_on_after_a_restart():
    async with GatewayInMemory(build_config()) as world:
        await world.channel("telegram").post("one", sender="ann")
        await world.settle()
        await world.restart()
        await world.channel("telegram").post("two", sender="ann")
        await world.settle()
        assert (await read_lines(world))[2:] == ["user: two", "assistant: You said: two"]
        assert len(world.runner.requests[-1].messages) == 3


@story
async def test_words_are_stored_with_the_time_at_which_they_were_said():
    async with GatewayInMemory(build_config()) as world:
        world.clock.jump(at("2026-03-10 12:00"))
        await world.channel("telegram").post("hello", sender="ann")
        await world.settle()
        page = await world.store.load_all_entries((await world.store.load_session(DIRECT)).session_id)
        assert {stored.entry.timestamp for stored in page.entries} == {at("2026-03-10 12:00")}
        assert page.head.header.timestamp == at("2026-03-10 12:00")


@story
async def test_a_long_answer_leaves_in_pieces_in_order():
    config = build_config()
    async with GatewayInMemory(config) as world:
        channel = world.channel("telegram")
        channel._capabilities = type(channel.capabilities)(text_max_chars=40)
        await channel.post("x" * 100, sender="ann")
        await world.settle()
        assert "".join(sent_texts(world)).replace("\n", "").replace(" ", "") == f"Yousaid:{'x' * 100}"
        assert all(len(text) <= 40 for text in sent_texts(world))
