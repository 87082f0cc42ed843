"""What every store promises about replies and about a start after a crash (LOSS-4, LOSS-5)."""

from __future__ import annotations

import asyncio

import pytest

from instar.core.model.change import InboxChange, NewDelivery, SessionChange
from instar.core.model.ids import ChannelName, DeliveryId, InboundId, Instant, TurnId
from instar.core.model.query import DecisionQuery
from instar.errors import InvalidRequest
from tests.builders.store import (
    KEY,
    NOW,
    OpenStore,
    SessionTalk,
    accept,
    build_decision,
    build_delivery,
    build_submission,
)

DAY_MS = 86_400_000
TELEGRAM, SLACK = ChannelName("telegram"), ChannelName("slack")


async def owe(store, *deliveries: NewDelivery, now: int = NOW) -> None:
    await SessionTalk(store).change(SessionChange(deliveries=deliveries), now=now)


async def claim(store, *, channel=TELEGRAM, limit=10, now: int = NOW, again=False):
    claimed = await store.claim_deliveries(channel, limit=limit, now=Instant(now), again=again)
    return [(one.delivery_id, one.attempt) for one in claimed]


async def settle(store, number, state, *, channel=TELEGRAM, now: int = NOW, **more):
    return await store.settle_delivery(DeliveryId(f"d{number}"), channel=channel, state=state, now=Instant(now), **more)


def test_replies_are_handed_out_once_oldest_first(open_store: OpenStore):
    async def scenario():
        async with open_store() as store:
            await owe(store, build_delivery(1), build_delivery(2), build_delivery(3))
            await owe(store, build_delivery(4, channel="slack"))
            assert await claim(store, limit=2) == [("d1", 1), ("d2", 1)]
            assert await claim(store) == [("d3", 1)]
            assert await claim(store) == []
            assert await claim(store, channel=SLACK) == [("d4", 1)]
            assert {row.state for row in await store.load_deliveries()} == {"sending"}

    asyncio.run(scenario())


def test_a_channel_that_fetches_again_gets_what_is_under_way_first(open_store: OpenStore):
    async def scenario():
        async with open_store() as store:
            await owe(store, build_delivery(1), build_delivery(2))
            await claim(store, limit=1)
            assert await claim(store, again=True) == [("d1", 2), ("d2", 1)]
            assert await claim(store, again=True, limit=1) == [("d1", 3)]

    asyncio.run(scenario())


def test_what_is_handed_out_is_what_was_owed(open_store: OpenStore):
    async def scenario():
        async with open_store() as store:
            owed = build_delivery(1, "nul \0 🙂")
            await owe(store, owed)
            (given,) = await store.claim_deliveries(TELEGRAM, limit=1, now=NOW, again=False)
            assert (given.target, given.text) == (owed.target, owed.text)

    asyncio.run(scenario())


def test_owing_the_same_reply_twice_changes_nothing(open_store: OpenStore):
    async def scenario():
        async with open_store() as store:
            await owe(store, build_delivery(1))
            await claim(store)
            await settle(store, 1, "sent")
            await owe(store, build_delivery(1))
            assert [row.state for row in await store.load_deliveries()] == ["sent"]

    asyncio.run(scenario())


def test_a_reply_that_is_kept_back_is_never_handed_out(open_store: OpenStore):
    async def scenario():
        async with open_store() as store:
            target = build_delivery(1).target
            kept = NewDelivery(
                delivery_id=DeliveryId("d1"), target=target, text="x", state="suppressed", reason="send policy"
            )
            await owe(store, kept)
            assert await claim(store) == []
            (row,) = await store.load_deliveries(session_key=KEY)
            assert (row.state, row.reason, row.ended_at) == ("suppressed", "send policy", NOW)

    asyncio.run(scenario())


def test_a_failed_try_is_repeated_when_its_time_has_come(open_store: OpenStore):
    async def scenario():
        async with open_store() as store:
            await owe(store, build_delivery(1))
            await claim(store)
            assert await settle(store, 1, "pending", next_at=Instant(NOW + 100), reason="busy")
            assert await store.due_channels() == ((TELEGRAM, NOW + 100),)
            assert await claim(store, now=NOW + 99) == []
            assert await claim(store, now=NOW + 100) == [("d1", 2)]
            assert await store.due_channels() == ()

    asyncio.run(scenario())


def test_every_channel_that_owes_is_told_with_the_first_due_time(open_store: OpenStore):
    async def scenario():
        async with open_store() as store:
            await owe(store, build_delivery(1), build_delivery(3, channel="slack"))
            await SessionTalk(store, "agent:main:b").change(SessionChange(deliveries=(build_delivery(2),)), now=NOW)
            await settle(store, 3, "pending", channel=SLACK, next_at=Instant(NOW + 5))
            assert await store.due_channels() == ((SLACK, NOW + 5), (TELEGRAM, 0))

    asyncio.run(scenario())


def test_a_reply_that_was_owed_by_a_clock_that_ran_ahead_is_due_at_once(open_store: OpenStore):
    async def scenario():
        async with open_store() as store:
            await owe(store, build_delivery(1), now=NOW + 5 * DAY_MS)
            assert await store.due_channels() == ((TELEGRAM, 0),)
            assert await claim(store) == [("d1", 1)]
            assert await claim(store, again=True) == [("d1", 2)]

    asyncio.run(scenario())


@pytest.mark.parametrize("back_ms", [-60_000, 1, 600_000, 3_599_000, 5 * DAY_MS])
def test_no_reply_waits_longer_than_it_was_put_off_for_where_the_clock_was_set_back(open_store: OpenStore, back_ms):
    wait_ms = 1_800_000

    async def scenario():
        async with open_store() as store:
            await owe(store, build_delivery(1))
            await claim(store)
            await settle(store, 1, "pending", next_at=Instant(NOW + wait_ms))
            start = Instant(NOW - back_ms)
            await store.recover(start)
            ((_, due_at),) = await store.due_channels()
            assert due_at == (NOW if back_ms < 0 else start) + wait_ms
            await store.recover(start)
            assert await store.due_channels() == ((TELEGRAM, due_at),), "once is enough"

    asyncio.run(scenario())


def test_a_reply_that_an_older_build_put_off_does_not_wait_for_days(open_store: OpenStore):
    async def scenario():
        async with open_store() as store:
            await owe(store, build_delivery(1))
            await claim(store)
            await settle(store, 1, "pending", next_at=Instant(NOW + 100))
            await store.engine.write(lambda tx: tx.run("delete_meta", {"name": "put_off_at"}))
            await store.recover(Instant(NOW - 5 * DAY_MS))
            assert await store.due_channels() == ((TELEGRAM, 0),)

    asyncio.run(scenario())


def test_a_reply_that_is_to_be_sent_again_is_due_at_once_whatever_the_clock_said(open_store: OpenStore):
    async def scenario():
        async with open_store() as store:
            await owe(store, build_delivery(1), build_delivery(2))
            await claim(store)
            await settle(store, 1, "pending", next_at=Instant(NOW + 100))
            await claim(store, now=NOW + 100)
            assert await settle(store, 1, "pending", now=NOW + 5 * DAY_MS)
            await store.redo_delivery(
                DeliveryId("d2"),
                now=Instant(NOW + 5 * DAY_MS),
                decide=lambda _: ("pending", build_decision("send_again")),
            )
            assert await claim(store) == [("d1", 3), ("d2", 1)]

    asyncio.run(scenario())


def test_no_reply_overtakes_another_one_of_its_session_that_is_to_be_tried_again(open_store: OpenStore):
    async def scenario():
        async with open_store() as store:
            await owe(store, build_delivery(1), build_delivery(2))
            await SessionTalk(store, "agent:main:b").change(SessionChange(deliveries=(build_delivery(3),)))
            await store.claim_deliveries(TELEGRAM, limit=1, now=NOW, again=False)
            assert await settle(store, 1, "pending", next_at=Instant(NOW + 100), reason="busy")
            assert await claim(store) == [("d3", 1)]
            assert await claim(store) == []
            assert await store.due_channels() == ((TELEGRAM, NOW + 100),)
            assert await claim(store, now=NOW + 100) == [("d1", 2), ("d2", 1)]

    asyncio.run(scenario())


@pytest.mark.parametrize("state", ["sent", "failed", "dropped"])
def test_a_reply_ends_once(open_store: OpenStore, state):
    async def scenario():
        async with open_store() as store:
            await owe(store, build_delivery(1))
            await claim(store)
            told = build_decision(state)
            assert await settle(store, 1, state, now=NOW + 3, platform_id="p1", reason="r", decision=told)
            assert await settle(store, 1, "pending", now=NOW + 9, platform_id="p2", decision=told)
            (row,) = await store.load_deliveries()
            assert (row.state, row.platform_id, row.reason, row.ended_at) == (state, "p1", "r", NOW + 3)
            assert row.hand_outs == 1
            assert len(await store.load_decisions(DecisionQuery(session_key=KEY))) == 1
            assert await claim(store, again=True) == []

    asyncio.run(scenario())


def test_only_the_channel_that_owes_a_reply_can_settle_it(open_store: OpenStore):
    async def scenario():
        async with open_store() as store:
            await owe(store, build_delivery(1))
            assert not await settle(store, 1, "sent", channel=SLACK)
            assert not await settle(store, 2, "sent")
            assert [row.state for row in await store.load_deliveries()] == ["pending"]

    asyncio.run(scenario())


def test_replies_are_listed_newest_first_by_session_and_state(open_store: OpenStore):
    async def scenario():
        async with open_store() as store:
            await owe(store, build_delivery(1), build_delivery(2))
            await SessionTalk(store, "agent:main:b").change(SessionChange(deliveries=(build_delivery(3),)))
            await settle(store, 1, "sent")

            async def listed(**question):
                return [row.outbound.delivery_id for row in await store.load_deliveries(**question)]

            assert await listed() == ["d3", "d2", "d1"]
            assert await listed(limit=1) == ["d3"]
            assert await listed(session_key=KEY) == ["d2", "d1"]
            assert await listed(session_key=KEY, state="sent") == ["d1"]
            assert await listed(state="pending") == ["d3", "d2"]

    asyncio.run(scenario())


# --- after a crash ----------------------------------------------------------------------------------------------------


def test_a_start_finds_what_was_cut_off_and_what_waits_in_arrival_order(open_store: OpenStore):
    async def scenario():
        async with open_store() as store:
            for number in range(5):
                await accept(store, build_submission(f"m{number}"), inbound_id=f"in{number}")
            moves = [("in3", "running", "t1"), ("in1", "running", "t1"), ("in0", "answered", None)]
            for inbound_id, state, turn in moves:
                move = InboxChange(
                    inbound_id=InboundId(inbound_id), state=state, turn_id=TurnId(turn) if turn else None
                )
                await SessionTalk(store).change(SessionChange(inbox=(move,)))
        async with open_store() as store:
            found = await store.recover(NOW)
            assert [(item.inbound_id, item.turn_id) for item in found.running] == [("in1", "t1"), ("in3", "t1")]
            assert [item.inbound_id for item in found.waiting] == ["in2", "in4"]
            assert await store.recover(NOW) != found

    asyncio.run(scenario())


def test_replies_that_were_on_their_way_are_unknown_until_somebody_decides(open_store: OpenStore):
    async def scenario():
        async with open_store() as store:
            await owe(store, build_delivery(1), build_delivery(2), build_delivery(3))
            await claim(store, limit=2)
            assert (await store.recover(NOW)).unknown == ("d1", "d2")
            assert await claim(store) == [("d3", 1)]
            assert await settle(store, 1, "pending", next_at=NOW)
            assert await claim(store) == [("d1", 2)]
            assert (await store.recover(NOW)).unknown == ("d1", "d2", "d3")
            assert await settle(store, 2, "sent")
            assert (await store.recover(NOW)).unknown == ("d1", "d3")

    asyncio.run(scenario())


def test_a_person_may_change_what_became_of_a_reply_and_it_is_recorded(open_store: OpenStore):
    async def scenario():
        async with open_store() as store:
            await owe(store, build_delivery(1))
            await claim(store)
            await settle(store, 1, "failed", reason="blocked")
            row = await store.redo_delivery(
                DeliveryId("d1"), now=Instant(NOW + 5), decide=lambda _: ("pending", build_decision("send_again"))
            )
            assert (row.state, row.reason, row.hand_outs) == ("failed", "blocked", 1)
            assert await claim(store, now=NOW + 5) == [("d1", 1)]
            row = await store.redo_delivery(
                DeliveryId("d1"), now=Instant(NOW + 6), decide=lambda _: ("dropped", build_decision("dropped"))
            )
            (ended,) = await store.load_deliveries()
            assert (ended.state, ended.reason, ended.ended_at) == ("dropped", "dropped", NOW + 6)
            outcomes = [one.decision.outcome for one in await store.load_decisions(DecisionQuery(session_key=KEY))]
            assert outcomes[:2] == ["dropped", "send_again"]
            absent = await store.redo_delivery(DeliveryId("d9"), now=Instant(NOW), decide=lambda _: _refuse())
            assert absent is None

    asyncio.run(scenario())


def test_a_refusal_changes_nothing(open_store: OpenStore):
    async def scenario():
        async with open_store() as store:
            await owe(store, build_delivery(1))
            with pytest.raises(InvalidRequest):
                await store.redo_delivery(DeliveryId("d1"), now=Instant(NOW), decide=lambda _: _refuse())
            (row,) = await store.load_deliveries()
            assert row.state == "pending"

    asyncio.run(scenario())


def _refuse():
    raise InvalidRequest("no")
