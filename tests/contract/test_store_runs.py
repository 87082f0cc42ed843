"""What every store promises about runs beside others: their lines are kept, and take their place together (QUEUE-9)."""

from __future__ import annotations

import asyncio

import pytest

from instar.core.model.change import SessionChange
from instar.core.model.ids import SessionId, TurnId
from instar.errors import InvariantBroken
from tests.builders.store import NOW, OpenStore, SessionTalk, build_message

ONE, TWO = TurnId("one"), TurnId("two")


def held(turn_id, number, parent=None):
    return SessionChange(entries=(build_message(number, parent, f"line {number}"),), held_by=turn_id)


async def chain(talk):
    page = await talk.store.load_entries(talk.session_id)
    return [(int(one.entry.id, 16), one.entry.parent_id and int(one.entry.parent_id, 16)) for one in page.entries]


def test_lines_wait_under_their_run_and_take_their_place_together(open_store: OpenStore):
    async def scenario():
        async with open_store() as store:
            talk = SessionTalk(store)
            await talk.begin(build_message(1, None))
            for turn_id, number, parent in ((ONE, 2, 1), (TWO, 3, 1), (ONE, 4, 2), (TWO, 5, 3)):
                changed = await talk.change(held(turn_id, number, parent))
                assert changed.transcript is not None
                assert changed.transcript.message_count == 1
            assert await chain(talk) == [(1, None)]
        async with open_store() as store:
            talk = SessionTalk(store)
            assert [entry.id for entry in await store.load_held(TWO)] == ["00000003", "00000005"]
            changed = await talk.change(SessionChange(entries=(build_message(6, 5),), place=TWO))
            assert [entry.id for entry in changed.change.entries] == ["00000003", "00000005", "00000006"]
            assert await store.load_held(TWO) == ()
            await talk.change(SessionChange(place=ONE))
            assert await chain(talk) == [(1, None), (3, 1), (5, 3), (6, 5), (2, 6), (4, 2)]

    asyncio.run(scenario())


def test_a_run_that_holds_nothing_places_nothing(open_store: OpenStore):
    async def scenario():
        async with open_store() as store:
            talk = SessionTalk(store)
            await talk.begin(build_message(1, None))
            changed = await talk.change(SessionChange(place=ONE))
            assert changed.change.entries == ()
            assert await store.load_held(ONE) == ()
            with pytest.raises(InvariantBroken):
                # Words belong to a session: a key without one cannot take them.
                await SessionTalk(store, "agent:main:other").change(
                    SessionChange(entries=(build_message(9, None),), place=ONE)
                )

    asyncio.run(scenario())


def test_deleting_a_session_forgets_what_its_runs_have_said(open_store: OpenStore):
    async def scenario():
        async with open_store() as store:
            talk = SessionTalk(store)
            await talk.begin()
            await talk.change(held(ONE, 1))
            other = SessionTalk(store, "agent:main:other", SessionId("33333333-3333-4333-8333-333333333333"))
            await other.begin()
            await other.change(held(TWO, 1))
            await store.delete_session(talk.key, now=NOW, decisions=())
            assert await store.load_held(ONE) == ()
            assert len(await store.load_held(TWO)) == 1

    asyncio.run(scenario())
