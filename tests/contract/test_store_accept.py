"""What every store promises about messages at the door (LOSS-1, LOSS-2)."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from instar.core.model.change import Acceptance, AcceptFacts, InboxChange, InboxState, SessionChange
from instar.core.model.ids import AccountId, AgentId, ChannelName, DeliveryId, InboundId, Instant, SessionKey, TurnId
from instar.core.model.message import Attachment, Chat, Target
from instar.core.model.query import DecisionQuery
from instar.errors import InvariantBroken
from tests.builders.store import (
    KEY,
    NOW,
    OpenStore,
    SessionTalk,
    accept,
    build_delivery,
    build_message,
    build_submission,
)


def move(state: InboxState, *, inbound_id: str = "in1", turn: str | None = None, reason: str | None = None):
    turn_id = TurnId(turn) if turn else None
    change = InboxChange(inbound_id=InboundId(inbound_id), state=state, turn_id=turn_id, reason=reason)
    return SessionChange(inbox=(change,))


def test_an_accepted_message_waits_for_its_lane(open_store: OpenStore):
    async def scenario():
        async with open_store() as store:
            submission = replace(build_submission(), run_id=TurnId("run1"))
            told, item = await accept(store, submission)
            assert (told.status, told.session_key, told.turn_id, told.repeated) == ("accepted", KEY, "run1", False)
            assert item is not None
            assert (item.state, item.submission, item.turn_id, item.received_at) == ("waiting", submission, "run1", NOW)
            assert await store.load_inbox(inbound_ids=[InboundId("in1")]) == (item,)

    asyncio.run(scenario())


def test_the_same_message_is_told_the_same_for_ever_and_decided_once(open_store: OpenStore):
    async def scenario():
        async with open_store() as store:
            first, item = await accept(store, replace(build_submission(), run_id=TurnId("run1")))
        async with open_store() as store:
            again, nothing = await accept(store, build_submission(text="other"), inbound_id="in2", status="refused")
            assert replace(again, repeated=False) == first
            assert again.repeated
            assert nothing is None
            assert item is not None
            assert await store.load_inbox(session_key=KEY) == (item,)
            assert len(await store.load_decisions(DecisionQuery())) == 1

    asyncio.run(scenario())


def test_a_message_is_known_by_channel_account_and_id(open_store: OpenStore):
    async def scenario():
        async with open_store() as store:
            others = [
                build_submission(),
                build_submission("m2"),
                build_submission(channel="slack"),
                build_submission(account="b"),
            ]
            told = [
                (await accept(store, one, inbound_id=f"in{number}", now=NOW + number))[0]
                for number, one in enumerate(others)
            ]
            assert not any(each.repeated for each in told)
            items = await store.load_inbox(session_key=KEY)
            assert [item.inbound_id for item in items] == ["in0", "in1", "in2", "in3"]
            # Who knows the name that platforms gave it, and no more, finds each that is called so.
            found = await store.load_inbox(message_id="m1")
            assert [item.inbound_id for item in found] == ["in0", "in2", "in3"]
            assert [item.inbound_id for item in await store.load_inbox(message_id="m1", limit=1)] == ["in3"]
            assert await store.load_inbox(message_id="m3") == ()

    asyncio.run(scenario())


@pytest.mark.parametrize("status", ["observed", "refused"])
def test_a_message_without_a_turn_ends_at_once(open_store: OpenStore, status):
    async def scenario():
        async with open_store() as store:
            told, item = await accept(store, status=status)
            assert item is None
            assert (told.status, told.reason) == (status, "why")
            (row,) = await store.load_inbox(inbound_ids=[InboundId("in1")])
            assert (row.state, row.reason, row.ended_at) == (status, "why", NOW)

    asyncio.run(scenario())


def test_what_is_owed_to_a_refused_sender_and_why_are_stored_with_the_refusal(open_store: OpenStore):
    async def scenario():
        async with open_store() as store:
            await accept(store, status="refused", deliveries=[build_delivery(1, "your code is 123")])
            (row,) = await store.load_deliveries(session_key=KEY)
            assert (row.outbound.text, row.state) == ("your code is 123", "pending")
            (decision,) = await store.load_decisions(DecisionQuery(inbound_id=InboundId("in1")))
            assert (decision.decision.outcome, decision.session_key, decision.at) == ("refused", KEY, NOW)

    asyncio.run(scenario())


def test_the_decision_sees_the_session_that_is_there(open_store: OpenStore):
    async def scenario():
        async with open_store() as store:
            talk = SessionTalk(store)
            changed = await talk.begin()
            seen = []

            def decide(facts):
                seen.append(facts)
                raise KeyError("no")

            with pytest.raises(KeyError):
                await store.accept(
                    build_submission(), inbound_id=InboundId("in1"), now=Instant(NOW), key=KEY, decide=decide
                )
            assert seen[0].session == changed.session
            assert await store.load_inbox(session_key=KEY) == ()

    asyncio.run(scenario())


@pytest.mark.parametrize(
    "text",
    ["", "nul \0 inside", "\u202e right to left", "🙂" * 5000, "' OR 1=1 --", '{"a": :b}'],
    ids=["empty", "nul", "bidi", "long", "sql", "json"],
)
def test_hostile_text_and_ids_come_back_as_they_were(open_store: OpenStore, text):
    async def scenario():
        async with open_store() as store:
            key = SessionKey(f"agent:main:{text}")
            submission = build_submission(message_id=text, text=text, channel=text, account=text)
            told, item = await accept(store, submission, key=key, inbound_id=f"in{text}")
            assert told.session_key == key
            assert item is not None
            assert item.submission == submission
            again, _ = await accept(store, submission, key=key, inbound_id="other")
            assert again.inbound_id == f"in{text}"
            assert (await store.load_inbox(session_key=key)) == (item,)

    asyncio.run(scenario())


def test_a_message_moves_through_its_turn_and_ends_once(open_store: OpenStore):
    async def scenario():
        async with open_store() as store:
            await accept(store)
            talk = SessionTalk(store)
            await talk.change(move("running", turn="t1"))
            (item,) = await store.load_inbox(turn_id=TurnId("t1"))
            assert (item.state, item.ended_at) == ("running", None)
            # Until then it is work, whoever has it (MAINT-5).
            assert await store.load_open_keys() == {KEY}
            await talk.change(move("answered"), now=NOW + 5)
            assert await store.load_open_keys() == frozenset()
            await talk.change(move("answered", reason="again"), now=NOW + 9)
            (item,) = await store.load_inbox(inbound_ids=[InboundId("in1")])
            assert (item.state, item.turn_id, item.ended_at, item.reason) == ("answered", "t1", NOW + 5, None)
            with pytest.raises(InvariantBroken, match="ends once"):
                await talk.change(move("expired"))

    asyncio.run(scenario())


def test_a_message_can_go_back_to_waiting(open_store: OpenStore):
    async def scenario():
        async with open_store() as store:
            await accept(store)
            talk = SessionTalk(store)
            await talk.change(move("running", turn="t1"))
            await talk.change(move("waiting"))
            (item,) = await store.load_inbox(inbound_ids=[InboundId("in1")])
            assert item.state == "waiting"

    asyncio.run(scenario())


def test_a_message_that_was_not_accepted_or_is_of_another_session_cannot_move(open_store: OpenStore):
    async def scenario():
        async with open_store() as store:
            await accept(store)
            with pytest.raises(InvariantBroken, match="was accepted"):
                await SessionTalk(store).change(move("running", inbound_id="nobody"))
            with pytest.raises(InvariantBroken, match="own session"):
                await SessionTalk(store, "agent:main:other").change(move("running"))

    asyncio.run(scenario())


def test_attachments_are_kept_until_the_transcript_has_them(open_store: OpenStore):
    async def scenario():
        async with open_store() as store:
            file = Attachment(name="a.png", mime_type="image/png", data_base64="AAAA")
            _, item = await accept(store, build_submission(attachments=[file]))
            assert item is not None
            (waiting,) = await store.load_inbox(session_key=KEY)
            assert waiting == item
            talk = SessionTalk(store)
            await talk.change(move("running", turn="t1"))
            assert (await store.load_inbox(session_key=KEY))[0].submission.inbound.attachments == (file,)
            await talk.change(move("answered"))
            (ended,) = await store.load_inbox(session_key=KEY)
            assert ended.submission.inbound.attachments == ()
            assert ended.submission.inbound.text == "hello"

    asyncio.run(scenario())


def test_the_newest_messages_of_a_session_come_in_arrival_order(open_store: OpenStore):
    async def scenario():
        async with open_store() as store:
            for number in range(5):
                await accept(store, build_submission(f"m{number}"), inbound_id=f"in{number}")
            items = await store.load_inbox(session_key=KEY, limit=2)
            assert [item.inbound_id for item in items] == ["in3", "in4"]
            items = await store.load_inbox(inbound_ids=[InboundId("in3"), InboundId("in1"), InboundId("none")])
            assert [item.inbound_id for item in items] == ["in1", "in3"]
            assert await store.load_inbox() == ()

    asyncio.run(scenario())


def test_messages_at_once_are_each_stored_once_in_one_order(open_store: OpenStore):
    async def scenario():
        async with open_store() as store:
            submissions = [(build_submission(f"m{number % 50}"), f"in{number}") for number in range(150)]
            told = await asyncio.gather(*(accept(store, one, inbound_id=name) for one, name in submissions))
            assert sum(not each.repeated for each, _ in told) == 50
            items = await store.load_inbox(session_key=KEY, limit=1000)
            assert len({item.seq for item in items}) == len(items) == 50

    asyncio.run(scenario())


def test_a_failing_decision_takes_nothing_of_its_neighbours_along(open_store: OpenStore):
    async def scenario():
        async with open_store() as store:
            talk = SessionTalk(store)
            await talk.begin()

            def fail(_):
                raise ZeroDivisionError

            jobs = [accept(store, build_submission(f"m{number}"), inbound_id=f"in{number}") for number in range(5)]
            results = await asyncio.gather(
                talk.append(build_message(1, None)), talk.change(fail), *jobs, return_exceptions=True
            )
            assert [type(result) for result in results[:2]][1] is ZeroDivisionError
            assert await talk.numbers() == [1]
            assert len(await store.load_inbox(session_key=KEY)) == 5

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("changes", "answers"),
    [
        ({}, True),
        ({"reply_to_id": "p2"}, False),
        ({"reply_to_id": None}, False),
        ({"chat": Chat(type="group", id="g2")}, False),
        ({"account_id": AccountId("work")}, False),
        ({"channel": ChannelName("signal")}, False),
    ],
    ids=["ours", "another", "none", "another_chat", "another_account", "another_channel"],
)
def test_a_message_that_answers_what_was_sent_in_its_chat_is_known(open_store: OpenStore, changes, answers):
    """ACT-4: by channel, account, chat and the id that the receipt gave."""
    target = Target(
        channel=ChannelName("telegram"), account_id=AccountId("default"), to="g1", chat_type="group", thread_id="t"
    )

    async def scenario():
        async with open_store() as store:
            await accept(store, deliveries=[replace(build_delivery(1), target=target)])
            assert await ask(store, changes, inbound_id="in2") is False  # on its way: it has no id yet
            await store.settle_delivery(
                DeliveryId("d1"), channel=ChannelName("telegram"), state="sent", now=NOW, platform_id="p1"
            )
            assert await ask(store, changes, inbound_id="in3") is answers
            assert await ask(store, changes, inbound_id="in4", session_key=KEY) is False

    async def ask(store, changes, *, inbound_id, session_key=None):
        seen: list[AcceptFacts] = []

        def decide(facts: AcceptFacts) -> Acceptance:
            seen.append(facts)
            return Acceptance(status="observed", session_key=KEY, agent_id=AgentId("main"))

        submission = build_submission(inbound_id)
        group = replace(submission.inbound, chat=Chat(type="group", id="g1"), reply_to_id="p1")
        submission = replace(submission, inbound=replace(group, **changes), session_key=session_key)
        await store.accept(submission, inbound_id=InboundId(inbound_id), now=NOW, key=KEY, decide=decide)
        return seen[0].answers_agent

    asyncio.run(scenario())
