"""What every store promises about messages that fell to a full queue: the agent is told once (QUEUE-13)."""

from __future__ import annotations

import asyncio

import pytest

from instar.core.model.change import InboxChange, SessionChange
from instar.core.model.ids import InboundId
from tests.builders.store import NOW, OpenStore, SessionTalk, accept, build_submission

FELL = SessionChange(
    inbox=(InboxChange(inbound_id=InboundId("in1"), state="expired", reason="queue_cap", left_out=True),)
)
SHOWN = SessionChange(shown=(InboundId("in1"),))


async def begin(store, *, waits=True):
    """A session with a message that will fall, and one that waits behind it."""
    talk = SessionTalk(store)
    await talk.begin()
    await accept(store, build_submission("m1", "the first"))
    if waits:
        await accept(store, build_submission("m2", "the second"), inbound_id="in2")
    return talk


async def left_out(store):
    return [item.submission.inbound.text for item in (await store.recover(NOW)).left_out]


def test_what_fell_is_found_at_the_next_start(open_store: OpenStore):
    async def scenario():
        async with open_store() as store:
            talk = await begin(store)
            await talk.change(FELL)
        async with open_store() as store:
            assert await left_out(store) == ["the first"]
            assert await left_out(store) == ["the first"]

    asyncio.run(scenario())


@pytest.mark.parametrize("order", [(FELL, SHOWN), (SHOWN, FELL)])
def test_what_was_told_is_not_told_again_whichever_was_written_first(open_store: OpenStore, order):
    async def scenario():
        async with open_store() as store:
            talk = await begin(store)
            for change in order:
                await talk.change(change)
            assert await left_out(store) == []

    asyncio.run(scenario())


def test_where_nothing_waits_nobody_is_left_to_be_told(open_store: OpenStore):
    async def scenario():
        async with open_store() as store:
            talk = await begin(store, waits=False)
            await talk.change(FELL)
            assert await left_out(store) == []
            await accept(store, build_submission("m2", "the second"), inbound_id="in2")
            assert await left_out(store) == []

    asyncio.run(scenario())


def test_other_sessions_cannot_be_told_of_it(open_store: OpenStore):
    async def scenario():
        async with open_store() as store:
            talk = await begin(store)
            await talk.change(FELL)
            await SessionTalk(store, "agent:main:main", "33333333-3333-4333-8333-333333333333").begin()
            other = SessionTalk(store, "agent:main:main")
            await other.change(SHOWN)
            assert await left_out(store) == ["the first"]

    asyncio.run(scenario())


def test_a_message_that_ended_otherwise_leaves_no_line(open_store: OpenStore):
    async def scenario():
        async with open_store() as store:
            talk = await begin(store)
            ended = InboxChange(inbound_id=InboundId("in1"), state="expired", reason="queue_cap")
            await talk.change(SessionChange(inbox=(ended,)))
            assert await left_out(store) == []

    asyncio.run(scenario())
