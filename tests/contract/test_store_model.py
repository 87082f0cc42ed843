"""The store against a model of plain dicts: whatever is done in whatever order, both tell the same (LOSS-1…LOSS-5)."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, replace

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from instar.core.model.change import InboxChange, SessionChange
from instar.core.model.ids import DeliveryId, InboundId, SessionId, SessionKey, TurnId
from instar.core.model.query import SessionQuery
from instar.errors import FenceLost, InvariantBroken
from tests.builders.store import (
    NOW,
    SessionTalk,
    accept,
    build_delivery,
    build_message,
    build_submission,
    memory_store,
)

KEYS = [SessionKey(f"agent:main:telegram:direct:{name}") for name in "abc"]
keys = st.sampled_from(KEYS)
numbers = st.integers(0, 7)


@dataclass
class Modelled:
    """What should be known of one session: its lives in order, each with its entries."""

    lives: list[str] = field(default_factory=list)
    entries: dict[str, list[int]] = field(default_factory=dict)


class StoreMachine(RuleBasedStateMachine):
    """Draws what gateways do, and keeps account."""

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.opened = memory_store()()
        self.store = self.run(self.opened.__aenter__())
        self.fence = self.run(self.store.recover(NOW)).fence
        self.sessions: dict[SessionKey, Modelled] = {}
        self.told: dict[int, object] = {}
        self.states: dict[int, str] = {}
        self.owners: dict[int, SessionKey] = {}
        self.replies: dict[int, str] = {}
        self.lives = 0

    def run(self, work):
        return self.runner.run(work)

    def teardown(self) -> None:
        self.run(self.opened.__aexit__(None, None, None))
        self.runner.close()

    def talk(self, key: SessionKey) -> SessionTalk:
        lives = self.sessions[key].lives if key in self.sessions else []
        return SessionTalk(self.store, key, lives[-1] if lives else "", fence=self.fence)

    def new_life(self) -> str:
        self.lives += 1
        return f"life-{self.lives}"

    # --- what may happen ----------------------------------------------------------------------------------------------

    @rule(key=keys, number=numbers)
    def a_message_comes_perhaps_again(self, key, number):
        told, item = self.run(accept(self.store, build_submission(f"m{number}"), inbound_id=f"in{number}", key=key))
        if number in self.told:
            assert (replace(told, repeated=False), item) == (self.told[number], None)
        else:
            assert item is not None
            self.told[number], self.states[number], self.owners[number] = told, "waiting", key

    @rule(number=numbers, state=st.sampled_from(["running", "answered", "expired"]))
    def a_message_moves(self, number, state):
        key = self.owners.get(number, KEYS[0])
        move = InboxChange(inbound_id=InboundId(f"in{number}"), state=state, turn_id=TurnId("t"))
        before = self.states.get(number)
        try:
            self.run(self.talk(key).change(SessionChange(inbox=(move,))))
        except InvariantBroken:
            assert before is None or (before not in {"waiting", "running"} and before != state)
        else:
            assert before in {"waiting", "running", state}
            self.states[number] = state

    @rule(key=keys)
    def a_session_begins_or_starts_over(self, key):
        life = self.new_life()
        if key in self.sessions:
            self.run(self.talk(key).reset(life))
        else:
            self.sessions[key] = Modelled()
            self.run(SessionTalk(self.store, key, life, fence=self.fence).begin())
        self.sessions[key].lives.append(life)
        self.sessions[key].entries[life] = []

    @precondition(lambda self: self.sessions)
    @rule(data=st.data(), count=st.integers(1, 3), fails=st.booleans())
    def words_are_added_or_none_of_them(self, data, count, fails):
        key = data.draw(st.sampled_from(sorted(self.sessions)))
        entries = self.sessions[key].entries[self.sessions[key].lives[-1]]
        new = [len(entries) + step + 1 for step in range(count)]
        change = SessionChange(
            entries=tuple(build_message(number, number - 1 or None) for number in new),
            inbox=(InboxChange(inbound_id=InboundId("nobody"), state="running"),) if fails else (),
        )
        try:
            self.run(self.talk(key).change(change))
        except InvariantBroken:
            assert fails
        else:
            assert not fails
            entries.extend(new)

    @precondition(lambda self: self.sessions)
    @rule(data=st.data())
    def an_older_life_is_taken_up_again(self, data):
        key = data.draw(st.sampled_from(sorted(self.sessions)))
        lives = self.sessions[key].lives
        life = data.draw(st.sampled_from(lives))
        if life != lives[-1]:
            self.run(self.talk(key).reset(life, reason="resume"))
            lives.remove(life)
            lives.append(life)

    @rule(key=keys, keep=st.booleans())
    def a_session_is_deleted(self, key, keep):
        deleted = self.run(self.store.delete_session(key, now=NOW, decisions=[], keep_transcripts=keep))
        assert deleted == (key in self.sessions)
        if not deleted:
            return
        del self.sessions[key]
        for number, owner in self.owners.items():
            if owner == key and self.states[number] in {"waiting", "running"}:
                self.states[number] = "expired"
        self.replies |= {
            number: "dropped"
            for number, state in self.replies.items()
            if KEYS[number % 3] == key and state in {"pending", "sending", "unknown"}
        }

    @rule(number=numbers)
    def a_reply_is_owed(self, number):
        self.run(self.talk(KEYS[number % 3]).change(SessionChange(deliveries=(build_delivery(number),))))
        self.replies.setdefault(number, "pending")

    @rule(limit=st.integers(1, 3))
    def a_channel_takes_replies(self, limit):
        claimed = self.run(self.store.claim_deliveries("telegram", limit=limit, now=NOW, again=False))
        pending = [number for number, state in self.replies.items() if state == "pending"]
        assert len(claimed) == min(limit, len(pending))
        for one in claimed:
            number = int(one.delivery_id[1:])
            assert self.replies[number] == "pending"
            self.replies[number] = "sending"

    @rule(number=numbers, state=st.sampled_from(["sent", "failed", "pending"]))
    def a_channel_tells_what_became_of_a_reply(self, number, state):
        known = self.run(self.store.settle_delivery(DeliveryId(f"d{number}"), channel="telegram", state=state, now=NOW))
        assert known == (number in self.replies)
        if known and self.replies[number] in {"pending", "sending", "unknown"}:
            self.replies[number] = state

    @rule()
    def a_gateway_dies_and_another_starts(self):
        stale = self.fence
        found = self.run(self.store.recover(NOW))
        self.fence = found.fence
        self.replies = {n: "unknown" if state == "sending" else state for n, state in self.replies.items()}
        assert {int(one[1:]) for one in found.unknown} == {n for n, state in self.replies.items() if state == "unknown"}
        for state, items in (("waiting", found.waiting), ("running", found.running)):
            assert {int(item.inbound_id[2:]) for item in items} == {
                n for n, is_in in self.states.items() if is_in == state
            }
        try:
            self.run(SessionTalk(self.store, KEYS[0], fence=stale).change(SessionChange()))
        except FenceLost:
            return
        raise AssertionError("the dead gateway could write")

    # --- what must be true --------------------------------------------------------------------------------------------

    @invariant()
    def the_sessions_and_their_words_are_as_told(self):
        page = self.run(self.store.list_sessions(SessionQuery(limit=10)))
        assert {session.key: session.session_id for session in page.sessions} == {
            key: modelled.lives[-1] for key, modelled in self.sessions.items()
        }
        assert page.total == len(self.sessions)
        for modelled in self.sessions.values():
            for life, entries in modelled.entries.items():
                assert self.run(SessionTalk(self.store, session_id=SessionId(life)).numbers()) == entries

    @invariant()
    def every_message_is_where_it_should_be(self):
        items = [item for key in KEYS for item in self.run(self.store.load_inbox(session_key=key))]
        assert {int(item.inbound_id[2:]): item.state for item in items} == self.states
        assert all((item.ended_at is None) == (item.state in {"waiting", "running"}) for item in items)

    @invariant()
    def every_reply_is_where_it_should_be(self):
        rows = self.run(self.store.load_deliveries())
        assert {int(row.outbound.delivery_id[1:]): row.state for row in rows} == self.replies


TestStoreAgainstModel = StoreMachine.TestCase
TestStoreAgainstModel.settings = settings(max_examples=60, stateful_step_count=30)
