"""Two stores behind one port: what goes to memory, what to the disk, and what asks both (KEY-22)."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest

from instar.core.model.change import InboxChange, Ledger, SessionChange
from instar.core.model.ids import AccountId, AgentId, ChannelName, InboundId, SessionId, SessionKey, TurnId
from instar.core.model.query import DecisionQuery, SessionQuery, SpendingQuery
from instar.errors import InvalidRequest, NotFound, StoreFull
from instar.stores.incognito import StoreWithIncognito
from instar.stores.sqlite import open_memory_store
from tests.builders.store import (
    KEY,
    NOW,
    SessionTalk,
    accept,
    build_decision,
    build_delivery,
    build_message,
    build_session,
    build_submission,
)

SECRET = SessionKey("agent:main:dashboard:incognito-1b9d")
OTHER = SessionKey("agent:main:dashboard:incognito-2c0e")
BOOKED = SessionKey("agent:main:dashboard:incognito-")
SID, OWN = SessionId("11111111-1111-4111-8111-111111111111"), SessionId("own")
TELEGRAM = ChannelName("telegram")
WHOLE = SpendingQuery(since=NOW)


class Stores:
    """The pair, and each of it alone."""

    def __init__(self):
        self.disk, self.memory = open_memory_store(), open_memory_store()
        self.both = StoreWithIncognito(self.disk, lambda: self.memory)


@asynccontextmanager
async def opened(*, begin=(KEY, SECRET)):
    stores = Stores()
    await stores.both.open()
    for key in begin:
        await SessionTalk(stores.both, key, SID if key == KEY else f"id of {key}"[-12:]).begin(build_message(1, None))
    try:
        yield stores
    finally:
        await stores.both.close()


def run(story):
    asyncio.run(story())


async def book(store, key, cost, *, turn="run-zebra"):
    line = Ledger(turn_id=TurnId(turn), agent_id=AgentId("main"), provider="p", model="m", cost_usd=cost)
    await store.change("book", key, now=NOW, fence=None, decide=lambda _: SessionChange(ledger=(line,)))


async def spent(store, **wish):
    return (await store.sum_spending(replace(WHOLE, **wish))).usd


def test_a_session_lies_where_its_key_says_and_nowhere_else():
    async def story():
        async with opened() as stores:
            for key, home, away in ((KEY, stores.disk, stores.memory), (SECRET, stores.memory, stores.disk)):
                session = await stores.both.load_session(key)
                assert session == await home.load_session(key)
                assert await away.load_session(key) is None
                assert (await stores.both.load_facts(key, NOW)).session == session
                (head,) = await stores.both.load_transcripts(key)
                for load in (stores.both.load_entries, stores.both.load_context, stores.both.load_all_entries):
                    (entry,) = (await load(head.session_id)).entries
                    assert entry.entry.id == build_message(1, None).id
                with pytest.raises(NotFound):
                    await away.load_entries(head.session_id)
            with pytest.raises(NotFound):
                await stores.both.load_entries(SessionId("nobody's"))

    run(story)


def test_memory_is_not_even_opened_before_somebody_wants_it():
    async def story():
        async with opened(begin=(KEY,)) as stores:
            assert await stores.both.find_sessions(session_id_prefix=SID)
            assert await stores.both.due_channels() == ()
            assert stores.memory.engine.connection is None

    run(story)


def test_questions_about_all_sessions_find_those_on_the_disk():
    async def story():
        async with opened() as stores:
            both = stores.both
            assert [one.key for one in (await both.list_sessions(SessionQuery())).sessions] == [KEY]
            known = SessionQuery(incognito=True, owner_in=("alice",))
            assert (await both.list_sessions(known)).sessions == ()
            assert (await both.load_decisions(DecisionQuery())) == (await stores.disk.load_decisions(DecisionQuery()))
            assert await both.load_arrivals(since=NOW, limit=9) == ()
            assert (await both.describe())["sessions"] == 1
            own = (await stores.memory.load_session(SECRET)).session_id
            assert [one.key for one in await both.find_sessions(session_id_prefix=own)] == [SECRET]
            assert await both.find_sessions(session_id_prefix=own, owner_in=("alice",)) == ()

    run(story)


@pytest.mark.parametrize(
    ("offset", "limit", "shown"),
    [
        (0, None, [0, 1, 2, 3]),
        (0, 1, [0]),
        (0, 2, [0, 1]),
        (1, 2, [1, 2]),
        (2, 1, [2]),
        (3, 9, [3]),
        (4, 9, []),
        (1, None, [1, 2, 3]),
    ],
)
def test_a_page_begins_with_those_in_memory_and_none_is_shown_twice(offset, limit, shown):
    async def story():
        async with opened(begin=()) as stores:
            keys = [
                OTHER,
                SECRET,
                SessionKey("agent:main:telegram:direct:1"),
                SessionKey("agent:main:telegram:direct:2"),
            ]
            for number, key in enumerate(keys):
                await SessionTalk(stores.both, key, f"s{number}").begin(updated_at=NOW - number)
            page = await stores.both.list_sessions(SessionQuery(incognito=True, offset=offset, limit=limit))
            assert [keys.index(one.key) for one in page.sessions] == shown
            assert page.total == 4

    run(story)


def test_messages_decisions_and_held_lines_are_found_by_their_ids_in_either():
    async def story():
        async with opened() as stores:
            both = stores.both
            for number, key in enumerate((KEY, SECRET)):
                told, item = await accept(both, build_submission(f"m{number}"), inbound_id=f"i{number}", key=key)
                assert item is not None
                assert told.session_key == key
                name = {"channel": TELEGRAM, "account_id": AccountId("default"), "message_id": f"m{number}"}
                assert (await both.find_message(**name)).inbound_id == f"i{number}"
                assert [one.inbound_id for one in await both.load_inbox(session_key=key)] == [f"i{number}"]
                assert [one.inbound_id for one in await both.load_inbox(inbound_ids=[InboundId(f"i{number}")])] == [
                    f"i{number}"
                ]
                assert (await both.load_decisions(DecisionQuery(inbound_id=InboundId(f"i{number}")))) != ()
                assert {row.session_key for row in await both.load_decisions(DecisionQuery(session_key=key))} == {key}
                moved = InboxChange(inbound_id=InboundId(f"i{number}"), state="running", turn_id=TurnId(f"t{number}"))
                await both.change("t", key, now=NOW, fence=None, decide=lambda _, it=moved: SessionChange(inbox=(it,)))
                assert [one.inbound_id for one in await both.load_inbox(turn_id=TurnId(f"t{number}"))] == [f"i{number}"]
                assert await both.load_held(TurnId(f"t{number}")) == ()

    run(story)


def test_a_message_that_one_store_knows_is_not_taken_by_the_other():
    async def story():
        async with opened() as stores:
            for first, then in ((SECRET, KEY), (KEY, SECRET)):
                message = build_submission(f"first to {first}")
                told, _ = await accept(stores.both, message, inbound_id=f"1{first}", key=first)
                again, item = await accept(stores.both, message, inbound_id=f"2{first}", key=then)
                assert (again.session_key, again.repeated, item) == (told.session_key, True, None)

    run(story)


def test_what_was_spent_is_on_the_disk_without_the_session_and_whole_in_memory():
    async def story():
        async with opened() as stores:
            await book(stores.both, SECRET, 2.0)
            await book(stores.both, KEY, 1.0)
            assert await spent(stores.both) == 3.0
            assert await spent(stores.both, session_key=SECRET) == 2.0
            assert await spent(stores.both, key_prefix=BOOKED) == 2.0
            assert (await stores.both.sum_usage(session_key=SECRET))[0].calls == 1
            assert (await stores.both.sum_usage())[0].calls == 2
            assert await stores.disk.load_turn_outputs(NOW) == {TurnId("run-zebra"): 0}
            image = stores.disk.engine.connection.serialize("main")
            assert (BOOKED.encode() in image, SECRET.encode() in image) == (True, False)

    run(story)


def test_a_change_in_memory_is_told_what_the_disk_says_was_spent():
    async def story():
        async with opened() as stores:
            await book(stores.both, KEY, 1.0)
            await book(stores.both, SECRET, 2.0)
            seen = []

            def decide(facts):
                seen.append(facts.spent_usd)
                return SessionChange()

            questions = [WHOLE, replace(WHOLE, session_key=SECRET)]
            await stores.both.change("ask", SECRET, now=NOW, fence=7, decide=decide, spending=questions)
            assert seen == [(3.0, 2.0)]

    run(story)


def test_a_disk_that_takes_no_line_gets_it_with_the_next():
    async def story():
        async with opened() as stores:
            change, refusals = stores.disk.change, [StoreFull("The disk is full"), StoreFull("The disk is full")]

            async def refuse(*args, **wish):
                if refusals:
                    raise refusals.pop()
                return await change(*args, **wish)

            stores.disk.change = refuse
            await book(stores.both, SECRET, 2.0)
            await book(stores.both, SECRET, 3.0)
            assert await spent(stores.disk) == 0.0
            await asyncio.gather(book(stores.both, SECRET, 5.0), book(stores.both, OTHER, 7.0))
            assert await spent(stores.disk) == 17.0
            assert (await stores.disk.sum_usage())[0].calls == 4

    run(story)


def test_replies_are_handed_out_and_settled_wherever_they_are_owed():
    async def story():
        async with opened() as stores:
            both = stores.both
            for number, key in enumerate((KEY, SECRET), start=1):
                owed = SessionChange(deliveries=(build_delivery(number),))
                await both.change("owe", key, now=NOW, fence=None, decide=lambda _, it=owed: it)
            assert [channel for channel, _ in await both.due_channels()] == [TELEGRAM]
            (first,) = await both.claim_deliveries(TELEGRAM, limit=1, now=NOW, again=False)
            (second,) = await both.claim_deliveries(TELEGRAM, limit=5, now=NOW, again=False)
            assert [row.outbound for row in await both.load_deliveries(session_key=SECRET)] == [first]
            assert [row.outbound for row in await both.load_deliveries()] == [second]
            for one in (first, second):
                wish = {"channel": TELEGRAM, "state": "sent", "now": NOW}
                assert await both.settle_delivery(one.delivery_id, **wish)
                row = await both.redo_delivery(one.delivery_id, now=NOW, decide=lambda _: ("pending", build_decision()))
                assert row.state == "sent"
            assert len(await both.claim_deliveries(TELEGRAM, limit=5, now=NOW, again=False)) == 2

    run(story)


def test_owners_and_versions_of_sessions_are_asked_where_they_are():
    async def story():
        async with opened(begin=()) as stores:
            for key, owner in ((KEY, "ann"), (SECRET, "bob")):
                await SessionTalk(stores.both, key, f"of {owner}").begin()
                await SessionTalk(stores.both, key).edit(lambda session, it=owner: replace(session, owner=it))
            found = await stores.both.owners.load([KEY, SECRET, OTHER])
            assert [found[key].owner for key in (KEY, SECRET, OTHER)] == ["ann", "bob", None]
            assert set(await stores.both.states.versions([KEY, SECRET])) <= {KEY, SECRET}
            await stores.both.states.watch(KEY, SECRET)
            assert await stores.both.states.is_watching(KEY, SECRET)
            assert not await stores.disk.states.is_watching(KEY, SECRET)
            assert (await stores.both.states.changes(SECRET, since=0)).events == ()

    run(story)


def test_no_file_is_brought_into_memory():
    async def story():
        async with opened() as stores:
            session = build_session(OTHER, "x")
            with pytest.raises(InvalidRequest, match="Nothing is brought into an incognito session"):
                await stores.both.import_transcript(session, None, (), now=NOW, decision=build_decision())

    run(story)


def test_a_deleted_session_leaves_no_word_and_a_closed_pair_nothing_at_all():
    async def story():
        async with opened(begin=(KEY,)) as stores:
            await SessionTalk(stores.both, SECRET, OWN).begin(build_message(1, None, "my code is zebra"))
            assert b"zebra" in stores.memory.engine.connection.serialize("main")
            assert await stores.both.delete_session(SECRET, now=NOW, decisions=())
            assert not await stores.both.delete_session(SECRET, now=NOW, decisions=())
            assert b"zebra" not in stores.memory.engine.connection.serialize("main")
            await SessionTalk(stores.both, SECRET, OWN).begin()
            recovered = await StoreWithIncognito(stores.disk, open_memory_store).recover(NOW)
            assert recovered.waiting == ()
            assert await StoreWithIncognito(stores.disk, open_memory_store).load_session(SECRET) is None

    run(story)
