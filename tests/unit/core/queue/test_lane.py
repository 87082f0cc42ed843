"""How events change a lane (QUEUE-2, QUEUE-3, QUEUE-7, QUEUE-13)."""

from __future__ import annotations

from instar.core.model.ids import InboundId, Instant, TurnId
from instar.core.queue.lane import (
    IDLE_LANE,
    Dropped,
    LaneMessage,
    LaneRun,
    LaneState,
    apply_dropped,
    apply_ended,
    apply_left_out,
    apply_started,
    apply_steerable,
    apply_stopping,
    apply_taken,
    build_dropped,
    find_steered,
)
from instar.core.queue.settings import QueueSettings

RUN = LaneRun(turn_id=TurnId("run"))
OTHER = LaneRun(turn_id=TurnId("other"), fanout=True)


def message(name, mode="steer", **fields):
    return LaneMessage(id=InboundId(name), arrived_at=Instant(0), settings=QueueSettings(mode=mode), **fields)


def test_a_run_begins_and_ends():
    running = apply_started(apply_started(IDLE_LANE, RUN), OTHER)
    assert running.running == (RUN, OTHER)
    assert apply_ended(running, RUN.turn_id).running == (OTHER,)
    assert apply_ended(running, TurnId("unknown")) == running


def test_a_steered_message_leaves_the_lane_when_the_run_takes_it():
    state = LaneState(waiting=(message("a", steering_into=RUN.turn_id), message("b")), running=(RUN,))
    after = apply_taken(state, [InboundId("a")])
    assert [item.id for item in after.waiting] == ["b"]


def test_a_steered_message_stays_when_it_also_wants_a_turn():
    state = LaneState(waiting=(message("a", "steer-backlog", steering_into=RUN.turn_id),), running=(RUN,))
    after = apply_taken(state, [InboundId("a")])
    assert after.waiting[0].taken_by == RUN.turn_id
    assert find_steered(after, RUN.turn_id) == ()


def test_an_offer_ends_with_its_run_only():
    state = LaneState(
        waiting=(message("a", steering_into=RUN.turn_id), message("b", steering_into=OTHER.turn_id)),
        running=(RUN, OTHER),
    )
    after = apply_ended(state, RUN.turn_id)
    assert [item.steering_into for item in after.waiting] == [None, OTHER.turn_id]


def test_marks_reach_the_named_run_only():
    state = LaneState(running=(RUN, OTHER))
    assert [run.steerable for run in apply_steerable(state, RUN.turn_id, steerable=False).running] == [False, True]
    assert [run.stopping for run in apply_stopping(state, (OTHER.turn_id,)).running] == [False, True]


def test_dropping_nothing_changes_nothing():
    state = LaneState(waiting=(message("a"),), separate=True)
    assert apply_dropped(state, (), settings=QueueSettings()) is state


def test_given_up_messages_keep_their_order_and_their_run():
    given_up = build_dropped([message("a"), message("b", taken_by=RUN.turn_id)], "stopped")
    assert given_up == (
        Dropped(id=InboundId("a"), reason="stopped"),
        Dropped(id=InboundId("b"), reason="stopped", merged_into=RUN.turn_id),
    )


def test_a_lane_is_given_back_what_it_has_to_tell_of():
    assert apply_left_out(IDLE_LANE, [], cap=3) is IDLE_LANE
    state = apply_left_out(IDLE_LANE, [message("a", line="one\ntwo"), message("b", line="three")], cap=1)
    assert (state.dropped_ids, state.dropped_lines) == (("a", "b"), ("three",))
    more = apply_left_out(state, [message("c", line="four")], cap=2)
    assert (more.dropped_ids, more.dropped_lines) == (("a", "b", "c"), ("three", "four"))
