"""What every store promises about whose sessions are, and who is in which group (LEAK-4, LEAK-6)."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from instar.core.model.change import SessionChange
from instar.core.model.entry import Header
from instar.core.model.ids import Instant, SessionKey
from instar.core.model.query import SessionQuery
from instar.core.policy.ownership import SessionOwnership
from tests.builders.store import NOW, OpenStore, SessionTalk, build_session

HERS, HIS = SessionKey("agent:main:telegram:direct:ann"), SessionKey("agent:main:telegram:direct:bob")
CLUB = SessionKey("agent:main:telegram:group:club")


async def settle(store) -> None:
    """Ann's chat, Bob's, and a club of Bob's; each with a label."""
    for number, (key, owner) in enumerate(((HERS, "telegram:ann"), (HIS, "telegram:bob"), (CLUB, None))):
        session = replace(build_session(key, f"{number}1111111-1111-4111-8111-111111111111"), owner=owner)
        named = replace(session, naming=replace(session.naming, label=f"label {number}"))
        await SessionTalk(store, key).change(
            SessionChange(session=named, open=Header(id=named.session_id, timestamp=NOW))
        )
    await store.owners.report_members(CLUB, ["telegram:bob"], now=NOW)


def test_whose_a_session_is_and_who_is_in_a_group_is_known_also_where_there_is_none(open_store: OpenStore):
    async def scenario():
        async with open_store() as store:
            await settle(store)
            found = await store.owners.load([HERS, CLUB, SessionKey("agent:main:nothing")])
            assert found == {
                HERS: SessionOwnership(owner="telegram:ann"),
                CLUB: SessionOwnership(members=frozenset({"telegram:bob"})),
                "agent:main:nothing": SessionOwnership(),
            }

    asyncio.run(scenario())


def test_a_reported_list_takes_everybody_else_out(open_store: OpenStore):
    async def scenario():
        async with open_store() as store:
            await store.owners.report_members(CLUB, ["telegram:ann", "telegram:bob"], now=Instant(1))
            await store.owners.report_members(CLUB, ["telegram:bob", "telegram:eve"], now=Instant(2))
            assert (await store.owners.load([CLUB]))[CLUB].members == {"telegram:bob", "telegram:eve"}
            await store.owners.report_members(CLUB, [], now=Instant(3))
            assert (await store.owners.load([CLUB]))[CLUB].members == frozenset()

    asyncio.run(scenario())


def test_members_can_be_listed_and_forgotten_one_by_one(open_store: OpenStore):
    async def scenario():
        async with open_store() as store:
            await settle(store)
            await store.owners.report_members(CLUB, ["telegram:ann", "telegram:bob"], now=NOW)
            assert list(await store.owners.list_members()) == [(CLUB, "telegram:ann"), (CLUB, "telegram:bob")]
            await store.owners.forget_members([(CLUB, "telegram:bob"), (HERS, "telegram:bob")])
            assert list(await store.owners.list_members()) == [(CLUB, "telegram:ann")]
            await store.owners.forget_members([])

    asyncio.run(scenario())


def test_lists_and_searches_for_a_principal_stop_at_theirs_before_any_limit(open_store: OpenStore):
    async def scenario():
        async with open_store() as store:
            await settle(store)
            ann, bob = ("telegram:ann", "nobody"), ("telegram:bob",)
            page = await store.list_sessions(SessionQuery(owner_in=bob, limit=1))
            assert (len(page.sessions), page.total) == (1, 2)
            page = await store.list_sessions(SessionQuery(owner_in=ann))
            assert ([one.key for one in page.sessions], page.total) == ([HERS], 1)
            assert (await store.list_sessions(SessionQuery(owner_in=()))).total == 0
            page = await store.list_sessions(SessionQuery(owner_in=ann, label="label 1"))
            assert page.sessions == ()
            for owners, labels in ((ann, 1), (bob, 0), (None, 1)):
                assert len(await store.find_sessions(label="label 0", owner_in=owners)) == labels
                assert len(await store.find_sessions(session_id_prefix="0111", owner_in=owners)) == labels
            assert [one.key for one in await store.find_sessions(session_id_prefix="2111", owner_in=bob)] == [CLUB]

    asyncio.run(scenario())
