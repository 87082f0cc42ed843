"""Messages that get no turn because their budget is used up (COST-2, LOSS-2)."""

from __future__ import annotations

from dataclasses import replace

from instar.core.model.decision import Decision
from instar.core.model.ids import DeliveryId, TurnId
from instar.core.turn.recover import build_steered_reason
from instar.core.turn.refuse import plan_refusal
from tests.builders.turns import build_item


def test_all_end_refused_and_the_newest_ones_sender_is_told_once():
    items = [build_item("one", number=1), build_item("two", number=2, chat_id="43")]
    decision = Decision(kind="budget", outcome="stop", rule="COST-2")
    change = plan_refusal(
        items,
        TurnId("t1"),
        "No answer now.",
        decision=decision,
        draw=lambda: DeliveryId("d1"),
        text_max_chars=lambda _channel: None,
    )
    assert [(one.state, one.reason, one.turn_id) for one in change.inbox] == [("refused", "budget", "t1")] * 2
    (delivery,) = change.deliveries
    assert (delivery.text, delivery.target.to) == ("No answer now.", "43")
    (noted,) = change.decisions
    assert (noted.decision, noted.inbound_id) == (decision, "in2")
    assert change.session is None
    assert change.entries == ()


def test_one_that_an_earlier_turn_has_taken_was_answered_there():
    taken = replace(build_item("one", number=1), reason=build_steered_reason(TurnId("t0")))
    other = build_item("two", number=2)
    decision = Decision(kind="budget", outcome="stop", rule="COST-2")
    for items, told in (([other, taken], 1), ([taken], 0)):
        change = plan_refusal(
            items,
            TurnId("t1"),
            "No answer now.",
            decision=decision,
            draw=lambda: DeliveryId("d1"),
            text_max_chars=lambda _channel: None,
        )
        last = change.inbox[-1]
        assert (last.inbound_id, last.state, last.turn_id, last.reason) == ("in1", "merged", "t0", None)
        assert [one.state for one in change.inbox[:-1]] == ["refused"] * (len(items) - 1)
        assert len(change.deliveries) == told
        assert change.decisions[0].inbound_id == "in1"
