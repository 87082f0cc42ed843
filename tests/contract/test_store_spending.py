"""What every store promises about what was spent: by time, by the life of a session, and since a line (COST-2)."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from instar.core.model.change import Ledger, SessionChange
from instar.core.model.ids import AgentId, Instant, SessionId
from instar.core.model.query import SpendingQuery, SpendingSum
from tests.builders.store import NOW, OpenStore, SessionTalk


def line(usd, channel="telegram"):
    return Ledger(turn_id=None, agent_id=AgentId("main"), provider="p", model="m", cost_usd=usd, channel=channel)


async def book(talk, usd, *, at=NOW, **more):
    await talk.change(SessionChange(ledger=(line(usd, **more),)), now=at)


def life(talk, session_id=None, *, since=NOW, after=0, **more):
    return SpendingQuery(
        since=Instant(since),
        session_key=talk.key,
        session_id=SessionId(session_id or talk.session_id),
        after_line=after,
        **more,
    )


def test_a_life_of_a_session_has_cost_what_was_booked_in_it_whatever_the_clock_said(open_store: OpenStore):
    async def scenario():
        async with open_store() as store:
            talk = SessionTalk(store)
            await talk.begin()
            await book(talk, 1.0)
            await book(talk, 2.0, at=NOW - 86_400_000)
            await talk.reset("next")
            await book(talk, 4.0, at=NOW - 1)
            assert (await store.sum_spending(life(talk))).usd == 3.0
            assert (await store.sum_spending(life(talk, "next"))).usd == 4.0
            assert (await store.sum_spending(life(talk, "other"))).usd == 0.0
            assert (await store.sum_spending(life(talk, channel="irc"))).usd == 0.0

    asyncio.run(scenario())


def test_lines_that_name_no_life_count_by_their_time(open_store: OpenStore):
    async def scenario():
        async with open_store() as store:
            talk = SessionTalk(store)
            await book(talk, 1.0, at=NOW - 1)
            await book(talk, 2.0)
            await talk.begin()
            await book(talk, 4.0)
            assert (await store.sum_spending(life(talk))).usd == 6.0
            assert (await store.sum_spending(life(talk, after=1))).usd == 6.0

    asyncio.run(scenario())


def test_only_what_was_booked_since_a_line_is_added_to_a_sum(open_store: OpenStore):
    async def scenario():
        async with open_store() as store:
            talk, other = SessionTalk(store), SessionTalk(store, "agent:main:telegram:direct:8", "s8")
            await talk.begin()
            await other.begin()
            everything = SpendingQuery(since=Instant(NOW), until=Instant(NOW + 10), channel="telegram")
            assert await store.sum_spending(everything) == SpendingSum(usd=0.0, last_line=0)
            await book(talk, 1.0)
            first = await store.sum_spending(everything)
            assert first.usd == 1.0
            for usd, more in ((2.0, {}), (4.0, {"at": NOW + 10}), (8.0, {"at": NOW - 1}), (16.0, {"channel": "irc"})):
                await book(other, usd, **more)
            later = await store.sum_spending(replace(everything, after_line=first.last_line))
            assert later.usd == 2.0
            assert later.last_line > first.last_line
            assert (await store.sum_spending(life(talk, after=first.last_line))).usd == 0.0
            assert (await store.sum_spending(life(other, after=first.last_line))).usd == 30.0
            of_key = SpendingQuery(since=Instant(NOW), session_key=other.key)
            assert (await store.sum_spending(of_key)).usd == 22.0
            assert (await store.sum_spending(replace(of_key, after_line=later.last_line))).usd == 0.0

    asyncio.run(scenario())


def test_a_change_knows_what_was_spent_when_it_is_decided(open_store: OpenStore):
    async def scenario():
        async with open_store() as store:
            talk = SessionTalk(store)
            await talk.begin()
            await book(talk, 1.0)
            known = []

            def decide(facts):
                known.append(facts.spent_usd)
                return SessionChange()

            questions = (life(talk), SpendingQuery(since=Instant(NOW + 1)))
            await store.change("ask", talk.key, now=Instant(NOW), fence=None, decide=decide, spending=questions)
            await talk.change(decide)
            assert known == [(1.0, 0.0), ()]

    asyncio.run(scenario())
