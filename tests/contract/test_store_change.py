"""What every store promises about changing a session: all of it or nothing, by whoever owns it (LOSS-3, LOSS-6)."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from instar.core.model.change import InboxChange, Ledger, Noted, SessionChange
from instar.core.model.ids import AgentId, InboundId, Instant, SessionId, SessionKey, TurnId
from instar.core.model.query import DecisionQuery, SessionQuery
from instar.core.model.session import Counters, Delivery, Lifecycle, Naming, Origin, Overrides, Session
from instar.errors import FenceLost, InvalidRequest, InvariantBroken, NotFound
from tests.builders.store import (
    KEY,
    NOW,
    SID,
    OpenStore,
    SessionTalk,
    accept,
    build_decision,
    build_delivery,
    build_message,
    build_session,
    build_submission,
)

OTHER = SessionId("22222222-2222-4222-8222-222222222222")
FULL = Session(
    key=KEY,
    agent_id=AgentId("main"),
    session_id=SID,
    owner="ann",
    lifecycle=Lifecycle(started_at=NOW, updated_at=NOW, last_read_at=Instant(0), revision=3),
    naming=Naming(label="holiday", display_name="Ann 🙂", subject='"quoted"', space="s"),
    origin=Origin(chat_type="direct", from_id="Ann#1", spawn_depth=0, spawned_by=SessionKey("agent:main:main")),
    delivery=Delivery(to="C42", docked=True),
    overrides=Overrides(thinking_level="off", queue_cap=0, sandbox_mode=False),
    counters=Counters(input_tokens=12, aborted_last_run=True, model="m"),
    extra={"skills": {"a": [1, 2.5, None, "x"]}, "": True},
)


def test_every_field_of_a_session_comes_back(open_store: OpenStore):
    async def scenario():
        async with open_store() as store:
            talk = SessionTalk(store)
            await talk.change(SessionChange(session=FULL, open=talk.header()))
            assert await store.load_session(KEY) == FULL
        async with open_store() as store:
            facts = await store.load_facts(KEY, NOW)
            assert facts.session == FULL
            assert facts.transcript is not None
            assert facts.transcript.header == talk.header()

    asyncio.run(scenario())


def test_a_key_without_a_session_has_no_facts(open_store: OpenStore):
    async def scenario():
        async with open_store() as store:
            facts = await store.load_facts(KEY, NOW)
            assert (facts.session, facts.transcript, facts.key, facts.now) == (None, None, KEY, NOW)
            assert await store.load_session(KEY) is None
            assert await store.load_transcripts(KEY) == ()
            with pytest.raises(NotFound):
                await store.load_entries(SID)

    asyncio.run(scenario())


def test_a_change_is_written_as_a_whole(open_store: OpenStore):
    async def scenario():
        async with open_store() as store:
            await accept(store)
            talk = SessionTalk(store)
            change = SessionChange(
                session=build_session(),
                open=talk.header(),
                entries=(build_message(1, None),),
                inbox=(InboxChange(inbound_id=InboundId("in1"), state="running", turn_id=TurnId("t1")),),
                deliveries=(build_delivery(1),),
                ledger=(Ledger(turn_id=TurnId("t1"), agent_id=AgentId("main"), provider="p", model="m", cost_usd=0.5),),
                decisions=(Noted(decision=build_decision("done"), turn_id=TurnId("t1"), who="ann"),),
            )
            changed = await talk.change(change)
            assert changed.change == change
            assert changed.transcript is not None
            assert (changed.transcript.leaf_id, changed.transcript.message_count) == ("00000001", 1)
            assert await talk.numbers() == [1]
            assert (await store.load_inbox(turn_id=TurnId("t1")))[0].state == "running"
            assert (await store.load_deliveries())[0].session_key == KEY
            assert (await store.sum_usage())[0].cost_usd == 0.5
            (decision,) = await store.load_decisions(DecisionQuery(turn_id=TurnId("t1")))
            assert (decision.who, decision.decision) == ("ann", build_decision("done"))

    asyncio.run(scenario())


def test_a_change_that_cannot_be_carried_out_leaves_nothing_at_all(open_store: OpenStore):
    async def scenario():
        async with open_store() as store:
            talk = SessionTalk(store)
            await talk.begin(build_message(1, None))
            before = await store.load_facts(KEY, NOW)
            broken = SessionChange(
                session=replace(build_session(), naming=Naming(label="new")),
                entries=(build_message(2, 1),),
                deliveries=(build_delivery(1),),
                decisions=(Noted(decision=build_decision()),),
                inbox=(InboxChange(inbound_id=InboundId("nobody"), state="running"),),
            )
            with pytest.raises(InvariantBroken):
                await talk.change(broken)
            assert await store.load_facts(KEY, NOW) == before
            assert await talk.numbers() == [1]
            assert await store.load_deliveries() == ()
            assert await store.load_decisions(DecisionQuery()) == ()
            # What the writer remembers was taken back as well.
            assert (await talk.append(build_message(2, 1))).session == before.session

    asyncio.run(scenario())


def test_the_decision_is_asked_about_what_is_there_now(open_store: OpenStore):
    async def scenario():
        async with open_store() as store:
            talk = SessionTalk(store)
            began = await talk.begin()

            def decide(facts):
                assert (facts.key, facts.now) == (KEY, NOW + 7)
                assert (facts.session, facts.transcript) == (began.session, began.transcript)
                return SessionChange()

            changed = await talk.change(decide, now=NOW + 7)
            assert (changed.session, changed.transcript) == (began.session, began.transcript)

    asyncio.run(scenario())


# --- who may write ----------------------------------------------------------------------------------------------------


def test_each_start_takes_the_sessions_from_the_one_before(open_store: OpenStore):
    async def scenario():
        async with open_store() as store:
            first = (await store.recover(NOW)).fence
            talk = SessionTalk(store, fence=first)
            await talk.begin(build_message(1, None))
            second = (await store.recover(NOW)).fence
            assert second == first + 1
            with pytest.raises(FenceLost):
                await talk.append(build_message(2, 1))
            assert await talk.numbers() == [1]
            await SessionTalk(store, fence=second).append(build_message(2, 1))
        async with open_store() as store:
            assert (await store.recover(NOW)).fence == second + 1

    asyncio.run(scenario())


def test_a_change_without_a_lane_needs_no_fence(open_store: OpenStore):
    async def scenario():
        async with open_store() as store:
            await store.recover(NOW)
            await SessionTalk(store).begin()

    asyncio.run(scenario())


# --- transcripts over the life of a session ---------------------------------------------------------------------------


def test_a_reset_closes_the_transcript_and_resuming_makes_it_current_again(open_store: OpenStore):
    async def scenario():
        async with open_store() as store:
            talk = SessionTalk(store)
            await talk.begin(build_message(1, None))
            await talk.reset(OTHER, now=NOW + 10)
            newest, oldest = await store.load_transcripts(KEY)
            assert (newest.session_id, newest.closed_at) == (OTHER, None)
            assert (oldest.session_id, oldest.closed_at, oldest.close_reason) == (SID, NOW + 10, "reset")
            assert await talk.numbers() == [1]
            changed = await talk.reset(SID, reason="resume", now=NOW + 20)
            assert changed.transcript is not None
            assert (changed.transcript.leaf_id, changed.transcript.closed_at) == ("00000001", None)
            assert [head.session_id for head in await store.load_transcripts(KEY)] == [SID, OTHER]
            await talk.append(build_message(2, 1))
            assert await talk.numbers() == [1, 2]

    asyncio.run(scenario())


def test_a_key_has_one_current_transcript(open_store: OpenStore):
    async def scenario():
        async with open_store() as store:
            talk = SessionTalk(store)
            await talk.begin()
            with pytest.raises(InvariantBroken, match="one current transcript"):
                await talk.change(SessionChange(session=build_session(session_id=OTHER), open=talk.header(OTHER)))

    asyncio.run(scenario())


def test_only_what_is_there_can_be_closed(open_store: OpenStore):
    async def scenario():
        async with open_store() as store:
            with pytest.raises(InvariantBroken, match="can be closed"):
                await SessionTalk(store).change(SessionChange(close="reset"))

    asyncio.run(scenario())


def test_a_session_and_its_transcript_are_of_one_id(open_store: OpenStore):
    async def scenario():
        async with open_store() as store:
            talk = SessionTalk(store)
            with pytest.raises(InvariantBroken, match="one id"):
                await talk.change(SessionChange(session=build_session(), open=talk.header(OTHER)))
            with pytest.raises(InvariantBroken, match="about one session"):
                await talk.change(SessionChange(session=build_session("agent:main:other"), open=talk.header()))

    asyncio.run(scenario())


def test_a_transcript_cannot_be_taken_over_by_another_session(open_store: OpenStore):
    async def scenario():
        async with open_store() as store:
            talk = SessionTalk(store)
            await talk.begin()
            await talk.reset(OTHER)
            with pytest.raises(InvariantBroken, match="belongs to one session key"):
                await SessionTalk(store, "agent:main:thief").begin()

    asyncio.run(scenario())


def test_words_need_a_session_with_a_transcript(open_store: OpenStore):
    async def scenario():
        async with open_store() as store:
            with pytest.raises(InvariantBroken, match="words belong"):
                await SessionTalk(store).append(build_message(1, None))

    asyncio.run(scenario())


# --- the row ----------------------------------------------------------------------------------------------------------


def test_the_time_of_the_last_change_never_goes_backwards(open_store: OpenStore):
    async def scenario():
        async with open_store() as store:
            talk = SessionTalk(store)
            await talk.begin(updated_at=NOW)
            for older in (Instant(NOW - 1), None):
                changed = await talk.edit(
                    lambda session, at=older: replace(session, lifecycle=replace(session.lifecycle, updated_at=at))
                )
                assert changed.session is not None
                assert changed.session.lifecycle.updated_at == NOW

    asyncio.run(scenario())


def test_a_label_names_one_session(open_store: OpenStore):
    async def scenario():
        async with open_store() as store:
            ann, bob = SessionTalk(store), SessionTalk(store, "agent:main:bob", OTHER)
            await ann.begin()
            await bob.begin()

            def labelled(label):
                return lambda session: replace(session, naming=replace(session.naming, label=label))

            await ann.edit(labelled("home"))
            with pytest.raises(InvalidRequest, match="taken") as refused:
                await bob.edit(labelled("home"))
            assert refused.value.field == "label"
            await ann.edit(labelled("home"))
            await ann.edit(labelled(None))
            await bob.edit(labelled("home"))
            (found,) = await store.find_sessions(label="home")
            assert found.key == bob.key

    asyncio.run(scenario())


# --- deleting ---------------------------------------------------------------------------------------------------------


def test_deleting_removes_words_and_ends_what_waits_but_not_what_was_told_or_spent(open_store: OpenStore):
    async def scenario():
        async with open_store() as store:
            told, _ = await accept(store, build_submission(text="secret"))
            talk = SessionTalk(store)
            ledger = Ledger(turn_id=None, agent_id=AgentId("main"), provider="p", model="m", input_tokens=5)
            await talk.begin(build_message(1, None, "secret"))
            await talk.reset(OTHER)
            await talk.change(SessionChange(deliveries=(build_delivery(1, "secret"),), ledger=(ledger,)))
            assert await store.delete_session(KEY, now=Instant(NOW + 1), decisions=[build_decision("deleted")])
            assert await store.load_session(KEY) is None
            assert await store.load_transcripts(KEY) == ()
            for session_id in (SID, OTHER):
                with pytest.raises(NotFound):
                    await store.load_all_entries(session_id)
            (message,) = await store.load_inbox(session_key=KEY)
            assert (message.state, message.reason, message.submission.inbound.text) == (
                "expired",
                "session_deleted",
                "",
            )
            (reply,) = await store.load_deliveries()
            assert (reply.state, reply.outbound.text) == ("dropped", "")
            assert (await store.sum_usage())[0].input_tokens == 5
            assert (await store.load_decisions(DecisionQuery(session_key=KEY)))[0].decision.outcome == "deleted"
            again, _ = await accept(store, build_submission(text="secret"), inbound_id="in2")
            assert replace(again, repeated=False) == told
            assert not await store.delete_session(KEY, now=NOW, decisions=[])
            assert (await store.list_sessions(SessionQuery())).total == 0

    asyncio.run(scenario())


def test_transcripts_can_outlive_their_session(open_store: OpenStore):
    async def scenario():
        async with open_store() as store:
            talk = SessionTalk(store)
            await talk.begin(build_message(1, None))
            await store.delete_session(KEY, now=Instant(NOW + 1), decisions=[], keep_transcripts=True)
            (head,) = await store.load_transcripts(KEY)
            assert (head.closed_at, head.close_reason) == (NOW + 1, "delete")
            assert await talk.numbers() == [1]
            await SessionTalk(store, KEY, OTHER).begin()
            assert len(await store.load_transcripts(KEY)) == 2

    asyncio.run(scenario())


# --- importing --------------------------------------------------------------------------------------------------------


def test_importing_makes_a_session_or_adds_to_its_history_and_twice_adds_nothing(open_store: OpenStore):
    async def scenario():
        async with open_store() as store:
            talk = SessionTalk(store)
            entries = (build_message(1, None), build_message(2, 1))

            async def import_as(session_id):
                header, session = talk.header(session_id), build_session(session_id=session_id)
                return await store.import_transcript(session, header, entries, now=NOW, decision=build_decision())

            assert await import_as(SID)
            assert await talk.numbers() == [1, 2]
            assert not await import_as(SID)
            assert await import_as(OTHER)
            current, closed = await store.load_transcripts(KEY)
            assert (current.session_id, closed.session_id, closed.close_reason) == (SID, OTHER, "import")
            assert len((await store.load_entries(OTHER)).entries) == 2
            assert len(await store.load_decisions(DecisionQuery(session_key=KEY))) == 2
            await talk.append(build_message(3, 2))

    asyncio.run(scenario())
