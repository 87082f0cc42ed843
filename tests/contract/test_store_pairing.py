"""What every store promises about codes that wait and approvals (LEAK-2)."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from instar.core.model.change import Acceptance, AcceptFacts
from instar.core.model.ids import AccountId, AgentId, ChannelName, DeliveryId, InboundId, Instant, SessionKey
from instar.core.model.pairing import PairingCode, PairingFacts, Pairings, Peer
from instar.core.model.query import DecisionQuery
from instar.core.policy.pairing import plan_approval, plan_rejection, plan_revocation
from tests.builders.store import KEY, NOW, OpenStore, build_delivery, build_submission

TELEGRAM, MAIN = ChannelName("telegram"), AccountId("default")
OWN = SessionKey("agent:main:telegram:default:direct:42")
ANN = Peer(channel=TELEGRAM, account_id=MAIN, kind="direct", peer_id="42")


def build_code(text="ABCD2345", *, peer=ANN, told_at=NOW, expires_at=NOW + 100):
    return PairingCode(
        code=text,
        peer=peer,
        session_key=OWN,
        target=build_delivery(1).target,
        created_at=NOW,
        told_at=Instant(told_at),
        expires_at=Instant(expires_at),
        name="Ann",
    )


async def knock(store, number, *, code=None, peer=ANN, now=NOW):
    """A refused message that tells a code; the facts that the decision was given."""
    seen: list[AcceptFacts] = []

    def decide(facts):
        seen.append(facts)
        owed = () if code is None else (build_delivery(number),)
        return Acceptance(
            status="refused", session_key=KEY, agent_id=AgentId("main"), reason="not_paired", deliveries=owed, code=code
        )

    await store.accept(
        build_submission(f"m{number}"),
        inbound_id=InboundId(f"in{number}"),
        now=Instant(now),
        key=KEY,
        decide=decide,
        pairing=peer,
    )
    (facts,) = seen
    return facts.pairing


def test_a_code_is_kept_with_the_message_that_it_answers(open_store: OpenStore):
    async def scenario():
        async with open_store() as store:
            assert await knock(store, 1, code=build_code()) == PairingFacts(enabled=True)
        async with open_store() as store:
            assert await store.load_pairings() == Pairings(waiting=(build_code(),))
            assert await knock(store, 2) == PairingFacts(enabled=True, waiting=(build_code(),))
            (owed,) = await store.load_deliveries(session_key=OWN)
            assert owed.outbound.delivery_id == "d1"
            assert await store.load_deliveries(session_key=KEY) == ()
            (item, _) = await store.load_inbox(session_key=KEY)
            assert (item.state, item.acceptance.code, item.acceptance.deliveries) == ("refused", None, ())

    asyncio.run(scenario())


def test_a_code_that_is_told_again_stays_the_same(open_store: OpenStore):
    async def scenario():
        async with open_store() as store:
            await knock(store, 1, code=build_code())
            await knock(store, 2, code=build_code(told_at=NOW + 50), now=NOW + 50)
            assert (await store.load_pairings()).waiting == (build_code(told_at=NOW + 50),)

    asyncio.run(scenario())


def test_codes_whose_hour_is_over_go_when_the_next_is_told(open_store: OpenStore):
    async def scenario():
        async with open_store() as store:
            await knock(store, 1, code=build_code())
            bob = replace(ANN, peer_id="43")
            await knock(store, 2, code=build_code("EFGH2345", peer=bob, expires_at=NOW + 200), now=NOW + 100, peer=bob)
            assert [code.code for code in (await store.load_pairings()).waiting] == ["EFGH2345"]

    asyncio.run(scenario())


def test_codes_of_a_time_that_was_taken_back_go_when_the_next_is_told(open_store: OpenStore):
    async def scenario():
        async with open_store() as store:
            await knock(store, 1, code=build_code())
            bob, before = replace(ANN, peer_id="43"), Instant(NOW - 86_400_000)
            told = replace(build_code("EFGH2345", peer=bob, told_at=before), created_at=before)
            await knock(store, 2, code=told, now=before, peer=bob)
            assert [code.code for code in (await store.load_pairings()).waiting] == ["EFGH2345"]

    asyncio.run(scenario())


def test_codes_of_other_accounts_are_told_apart_and_those_of_other_channels_not_looked_at(open_store: OpenStore):
    async def scenario():
        async with open_store() as store:
            await knock(store, 1, code=build_code())
            other = await knock(store, 2, peer=replace(ANN, account_id=AccountId("b")))
            assert (other.waiting, other.elsewhere) == ((), (build_code(),))
            slack = await knock(store, 3, peer=replace(ANN, channel=ChannelName("slack")))
            assert (slack.waiting, slack.elsewhere) == ((), ())
            assert await knock(store, 4, peer=None) == PairingFacts()

    asyncio.run(scenario())


@pytest.mark.parametrize("kind", ["direct", "group"])
def test_an_approval_is_kept_and_told_and_taken_back(open_store: OpenStore, kind):
    peer = replace(ANN, kind=kind)

    async def scenario():
        async with open_store() as store:
            await knock(store, 1, code=build_code(peer=peer), peer=peer)
            change = await store.change_pairings(
                now=NOW,
                decide=lambda known: plan_approval(
                    known.waiting[0], who="alice", now=NOW, delivery_id=DeliveryId("news")
                ),
            )
            assert change is not None
        async with open_store() as store:
            assert await store.load_pairings() == Pairings(approved=(change.approve,))
            found = frozenset({"42"})
            expected = (
                PairingFacts(enabled=True, people=found)
                if kind == "direct"
                else PairingFacts(enabled=True, groups=found)
            )
            assert await knock(store, 2, peer=peer) == expected
            assert [row.outbound.delivery_id for row in await store.load_deliveries(session_key=OWN)] == ["news", "d1"]
            (row,) = await store.load_decisions(DecisionQuery(session_key=OWN))
            assert (row.decision.outcome, row.who) == ("approved", "alice")
            await store.change_pairings(now=NOW, decide=lambda known: plan_revocation(known.approved[0], who="alice"))
            assert await store.load_pairings() == Pairings()
            assert await knock(store, 3, peer=peer) == PairingFacts(enabled=True)

    asyncio.run(scenario())


def test_a_rejected_code_is_gone_and_what_is_refused_changes_nothing(open_store: OpenStore):
    async def scenario():
        async with open_store() as store:
            await knock(store, 1, code=build_code())
            assert await store.change_pairings(now=NOW, decide=lambda _: None) is None
            with pytest.raises(ZeroDivisionError):
                await store.change_pairings(now=NOW, decide=lambda _: 1 // 0)
            assert len((await store.load_pairings()).waiting) == 1
            await store.change_pairings(now=NOW, decide=lambda known: plan_rejection(known.waiting[0], who="alice"))
            assert await store.load_pairings() == Pairings()

    asyncio.run(scenario())
