"""What a store tells of the messages of the past, over all sessions (WHY-4)."""

from __future__ import annotations

from instar.core.model.change import Ledger, SessionChange
from instar.core.model.ids import AgentId, Instant, SessionKey, TurnId
from tests.builders.store import NOW, SessionTalk, accept, build_message, build_submission
from tests.builders.stories import story


def line(turn, tokens, purpose="turn"):
    return Ledger(
        turn_id=TurnId(turn) if turn else None,
        agent_id=AgentId("main"),
        provider="p",
        model="m",
        output_tokens=tokens,
        purpose=purpose,
    )


@story
async def test_arrivals_come_in_order_whatever_their_session_and_fate(open_store):
    async with open_store() as store:
        for number in range(8):
            await accept(
                store,
                build_submission(f"m{number}", f"text {number}"),
                inbound_id=f"in{number}",
                key=SessionKey(f"agent:main:k{number % 3}"),
                status=("accepted", "observed", "refused")[number % 3],
                now=NOW + number,
            )

        async def texts(since, limit=100):
            found = await store.load_arrivals(since=Instant(since), limit=limit)
            return [item.submission.inbound.text for item in found]

        assert await texts(0) == [f"text {number}" for number in range(8)]
        assert await texts(NOW + 5) == ["text 5", "text 6", "text 7"]
        assert await texts(0, limit=2) == ["text 6", "text 7"]
        assert await texts(NOW + 100) == []


@story
async def test_many_arrivals_are_read_slice_by_slice(open_store):
    async with open_store() as store:
        for number in range(1103):
            await accept(store, build_submission(f"m{number}"), inbound_id=f"in{number}", now=NOW + number)
        found = await store.load_arrivals(since=Instant(NOW + 3), limit=5000)
        assert [item.received_at for item in found] == [NOW + number for number in range(3, 1103)]


@story
async def test_what_models_wrote_is_summed_by_turn(open_store):
    async with open_store() as store:
        talk = SessionTalk(store)
        await talk.begin(build_message(1, None))
        await talk.change(SessionChange(ledger=(line("old", 1),)), now=NOW)
        lines = (line("t1", 10), line("t1", 5), line("t2", 7), line("t2", 99, "compaction"), line(None, 50))
        await talk.change(SessionChange(ledger=lines), now=NOW + 10)
        assert await store.load_turn_outputs(Instant(NOW + 1)) == {"t1": 15, "t2": 7}
