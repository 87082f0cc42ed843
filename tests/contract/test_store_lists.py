"""What every store promises about questions: lists, searches, decisions, sums (RPC-32, RESOLVE-6, WHY-1, LOSS-11)."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from instar.core.model.change import Ledger, Noted, SessionChange
from instar.core.model.ids import AgentId, InboundId, Instant, SessionId, SessionKey, TurnId
from instar.core.model.query import DecisionQuery, SessionQuery
from instar.core.model.session import Naming, Origin
from tests.builders.store import NOW, OpenStore, SessionTalk, build_decision, build_session


async def put(store, name, *, at=NOW, agent="main", key=None, edit=lambda session: session):
    """A session; `name` is the end of its key and of its session id."""
    key = key or f"agent:{agent}:telegram:direct:{name}"
    talk = SessionTalk(store, key, f"sid-{name}")
    session = edit(build_session(key, f"sid-{name}", updated_at=at))
    await talk.change(SessionChange(session=session, open=talk.header()))
    return talk


async def names(store, **query):
    page = await store.list_sessions(SessionQuery(**query))
    return [session.session_id.removeprefix("sid-") for session in page.sessions], page.total


def lifecycle(**changes):
    return lambda session: replace(session, lifecycle=replace(session.lifecycle, **changes))


def test_pinned_sessions_come_first_then_the_newest(open_store: OpenStore):
    async def scenario():
        async with open_store() as store:
            await put(store, "old", at=NOW)
            await put(store, "new", at=NOW + 9)
            await put(store, "pin-old", at=NOW + 1, edit=lifecycle(pinned_at=Instant(0)))
            await put(store, "pin-new", at=NOW + 2, edit=lifecycle(pinned_at=Instant(5)))
            await put(store, "never", at=NOW, edit=lifecycle(updated_at=None))
            everything = ["pin-new", "pin-old", "new", "old", "never"]
            assert await names(store) == (everything, 5)
            for archived in (False, None):
                paged = [(await names(store, offset=at, limit=2, archived=archived))[0] for at in range(0, 6, 2)]
                assert [name for page in paged for name in page] == everything
            assert await names(store, offset=1, limit=1) == (["pin-old"], 5)
            assert await names(store, offset=9) == ([], 5)
            assert await names(store, limit=None) == (everything, 5)
            assert await names(store, limit=0) == ([], 5)

    asyncio.run(scenario())


def test_a_session_moves_in_the_list_as_it_changes(open_store: OpenStore):
    async def scenario():
        async with open_store() as store:
            one = await put(store, "one", at=NOW)
            await put(store, "two", at=NOW + 1)
            await one.edit(lifecycle(updated_at=Instant(NOW + 2)))
            assert (await names(store))[0] == ["one", "two"]
            await one.edit(lifecycle(archived_at=NOW))
            assert await names(store) == (["two"], 1)
            assert await names(store, archived=True) == (["one"], 1)
            assert await names(store, archived=None) == (["one", "two"], 2)
            await one.edit(lifecycle(archived_at=None))
            assert await names(store) == (["one", "two"], 2)
            await store.delete_session(one.key, now=NOW, decisions=[])
            assert await names(store) == (["two"], 1)

    asyncio.run(scenario())


def test_lists_can_be_narrowed(open_store: OpenStore):
    async def scenario():
        async with open_store() as store:
            parent = SessionKey("agent:main:main")
            spawned = lambda session: replace(session, origin=Origin(spawned_by=parent))  # noqa: E731 - one word
            await put(store, "a", at=NOW, edit=lambda session: replace(session, owner="ann"))
            await put(store, "b", at=NOW + 1, agent="work", edit=lambda session: replace(session, owner="bob"))
            await put(store, "c", at=NOW + 2, edit=spawned)
            await put(store, "d", at=NOW + 3, edit=lambda session: replace(session, naming=Naming(label="home")))
            assert await names(store, agent_id=AgentId("work")) == (["b"], 1)
            assert await names(store, agent_id=AgentId("nobody")) == ([], 0)
            assert await names(store, agent_id=AgentId("main"), limit=1) == (["d"], 3)
            assert await names(store, updated_since=Instant(NOW + 2)) == (["d", "c"], 2)
            assert await names(store, updated_since=Instant(NOW + 1), limit=1) == (["d"], 3)
            assert await names(store, spawned_by=parent) == (["c"], 1)
            assert await names(store, label="home") == (["d"], 1)
            assert await names(store, label="home", spawned_by=parent) == ([], 0)
            assert await names(store, owner_in=("ann", "bob")) == (["b", "a"], 2)
            assert await names(store, owner_in=("ann", "bob"), limit=1) == (["b"], 2)
            assert await names(store, owner_in=("ann",), agent_id=AgentId("work")) == ([], 0)
            assert await names(store, owner_in=()) == ([], 0)

    asyncio.run(scenario())


def test_a_search_finds_a_group_by_the_name_that_lists_give_it(open_store: OpenStore):
    async def scenario():
        async with open_store() as store:
            room = Naming(space="Acme", group_channel="#General")
            key = "agent:main:slack:channel:c1"
            await put(store, "room", key=key, edit=lambda session: replace(session, naming=room))
            await put(store, "direct", at=NOW + 1)
            assert await names(store, search="SLACK:acme#gen") == (["room"], 1)

    asyncio.run(scenario())


def test_global_and_unknown_are_hidden_unless_asked_for(open_store: OpenStore):
    async def scenario():
        async with open_store() as store:
            await put(store, "g", at=NOW + 2, key="global")
            await put(store, "u", at=NOW + 1, key="unknown")
            await put(store, "a", at=NOW)
            assert await names(store) == (["a"], 1)
            assert await names(store, limit=1) == (["a"], 1)
            assert await names(store, include_global=True) == (["g", "a"], 2)
            assert await names(store, include_unknown=True) == (["u", "a"], 2)
            assert await names(store, include_global=True, include_unknown=True, limit=1) == (["g"], 3)

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("search", "found"),
    [
        ("HOLI", ["a"]),
        ("éTÉ", ["a"]),
        ("grüße", ["b"]),
        ("sid-b", ["b"]),
        ("telegram:DIRECT", ["b", "a"]),
        ("x" * 5000, []),
        ("%", []),
        ("_", []),
        ("' OR '1", []),
        ("", ["b", "a"]),
    ],
)
def test_a_search_finds_a_part_of_a_name_whatever_its_case(open_store: OpenStore, search, found):
    async def scenario():
        async with open_store() as store:
            naming = Naming(display_name="Holiday", subject="Été")
            await put(store, "a", at=NOW, edit=lambda session: replace(session, naming=naming))
            await put(store, "b", at=NOW + 1, edit=lambda session: replace(session, naming=Naming(label="GRÜSSE")))
            assert await names(store, search=search) == (found, len(found))
            assert await names(store, search=search, limit=1) == (found[:1], len(found))

    asyncio.run(scenario())


def test_sessions_are_found_by_the_beginning_of_any_of_their_ids(open_store: OpenStore):
    async def scenario():
        async with open_store() as store:
            talk = await put(store, "aaaa1")
            await talk.reset("sid-bbbb2")
            await put(store, "bbbb3")

            async def find(**question):
                return {session.key for session in await store.find_sessions(**question)}

            other = "agent:main:telegram:direct:bbbb3"
            assert await find(session_id_prefix="sid-aaaa1") == {talk.key}
            assert await find(session_id_prefix="sid-bbbb") == {talk.key, other}
            assert await find(session_id_prefix="sid-bbbb3") == {other}
            assert await find(session_id_prefix="bbbb") == set()
            assert await find(session_id_prefix="sid%") == set()
            assert await find() == set()
            assert await find(label="none") == set()

    asyncio.run(scenario())


def test_at_most_twenty_sessions_are_found(open_store: OpenStore):
    async def scenario():
        async with open_store() as store:
            for number in range(25):
                await put(store, f"same{number}")
            assert len(await store.find_sessions(session_id_prefix="sid-same")) == 20

    asyncio.run(scenario())


def test_decisions_are_told_newest_first_and_by_what_they_are_about(open_store: OpenStore):
    async def scenario():
        async with open_store() as store:
            talk = await put(store, "a")
            other = await put(store, "b")

            async def note(outcome, *, about=talk, at=NOW, **ids):
                noted = Noted(decision=build_decision(outcome), **ids)
                await about.change(SessionChange(decisions=(noted,)), now=at)

            await note("one", inbound_id=InboundId("in1"), turn_id=TurnId("t1"))
            await note("two", turn_id=TurnId("t1"), at=NOW + 5)
            await note("three", about=other, at=NOW + 9)

            async def told(**query):
                return [row.decision.outcome for row in await store.load_decisions(DecisionQuery(**query))]

            assert await told() == ["three", "two", "one"]
            assert await told(limit=1) == ["three"]
            assert await told(session_key=talk.key) == ["two", "one"]
            assert await told(turn_id=TurnId("t1")) == ["two", "one"]
            assert await told(inbound_id=InboundId("in1")) == ["one"]
            assert await told(inbound_id=InboundId("in1"), session_key=other.key) == []
            assert await told(since=Instant(NOW + 5)) == ["three", "two"]
            assert await told(kind="route", turn_id=TurnId("t1"), since=Instant(NOW + 5)) == ["two"]
            assert await told(kind="send") == []
            (row,) = await store.load_decisions(DecisionQuery(inbound_id=InboundId("in1")))
            assert (row.at, row.session_key, row.turn_id, row.who) == (NOW, talk.key, "t1", "gateway")
            assert row.decision == build_decision("one")

    asyncio.run(scenario())


def test_usage_is_summed_by_agent_provider_and_model(open_store: OpenStore):
    async def scenario():
        async with open_store() as store:
            talk, other = await put(store, "a"), await put(store, "b")

            async def book(model, cost, *, about=talk, at=NOW):
                line = Ledger(
                    turn_id=None,
                    agent_id=AgentId("main"),
                    provider="p",
                    model=model,
                    input_tokens=10,
                    output_tokens=1,
                    cache_read_tokens=2,
                    cache_write_tokens=3,
                    cost_usd=cost,
                )
                await about.change(SessionChange(ledger=(line,)), now=at)

            await book("m", 0.5)
            await book("m", None, at=NOW + 5)
            await book("free", None, about=other)
            free, paid = await store.sum_usage()
            assert (free.model, free.calls, free.cost_usd) == ("free", 1, None)
            assert (paid.calls, paid.input_tokens, paid.output_tokens, paid.cost_usd) == (2, 20, 2, 0.5)
            assert (paid.cache_read_tokens, paid.cache_write_tokens) == (4, 6)
            assert [row.calls for row in await store.sum_usage(session_key=talk.key)] == [2]
            assert [row.calls for row in await store.sum_usage(since=Instant(NOW + 1))] == [1]
            assert await store.sum_usage(session_key=SessionKey("none")) == ()

    asyncio.run(scenario())


def test_the_store_tells_what_it_is(open_store: OpenStore):
    async def scenario():
        async with open_store() as store:
            await put(store, "a", edit=lifecycle(archived_at=NOW))
            facts = await store.describe()
            assert facts["sessions"] == 1
            assert isinstance(facts["schema"], int)
            assert facts["engine"] in {"sqlite", "memory"}

    asyncio.run(scenario())


def test_whoever_listens_hears_what_each_commit_touched(open_store: OpenStore):
    async def scenario():
        async with open_store() as store:
            heard = []
            store.on_commit(heard.append)
            talk = await put(store, "a")
            assert (heard[-1].keys, heard[-1].transcripts) == ({talk.key}, {SessionId("sid-a")})
            count = len(heard)
            await store.load_session(talk.key)
            await talk.change(SessionChange())
            assert len(heard) == count

    asyncio.run(scenario())
