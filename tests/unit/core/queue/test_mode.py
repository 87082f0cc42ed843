"""What a lane does with a message, case by case and in random stories (QUEUE-2…17, LOSS-2)."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from instar.core.model.ids import AccountId, ChannelName, InboundId, Instant, TurnId
from instar.core.model.message import Target
from instar.core.queue.lane import (
    IDLE_LANE,
    Dropped,
    LaneMessage,
    LaneRun,
    LaneState,
    apply_ended,
    apply_left_out,
    apply_started,
    apply_steerable,
    apply_taken,
    find_steered,
)
from instar.core.queue.mode import (
    Arrival,
    Next,
    apply_abort,
    apply_arrival,
    apply_next,
    decide_abort,
    decide_arrival,
    decide_next,
)
from instar.core.queue.settings import QueueSettings

NOW = Instant(1_000_000)
RUN = LaneRun(turn_id=TurnId("run"))
COMPACTION = LaneRun(turn_id=TurnId("compaction"), kind="compaction")
MODES = ["steer", "followup", "collect", "interrupt", "fanout", "steer-backlog"]


def message(name="m", mode="steer", *, at=NOW, route=None, **fields):
    settings = {key: fields.pop(key) for key in ("debounce_ms", "cap", "drop", "max_concurrent") if key in fields}
    return LaneMessage(
        id=InboundId(name),
        arrived_at=Instant(at),
        settings=QueueSettings(mode=mode, **settings),
        route=route,
        line=f"text of {name}",
        **fields,
    )


def lane(*waiting, running=(), **fields):
    return LaneState(waiting=tuple(waiting), running=tuple(running), **fields)


def place(to):
    return Target(channel=ChannelName("irc"), account_id=AccountId("default"), to=to, chat_type="direct")


def dropped(*names, reason, merged_into=None):
    return tuple(Dropped(id=InboundId(name), reason=reason, merged_into=merged_into) for name in names)


# --- arrival ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["steer", "followup", "collect", "interrupt", "steer-backlog"])
def test_an_idle_lane_starts_at_once_in_every_mode(mode):
    assert decide_arrival(IDLE_LANE, message(mode=mode), now=NOW).action == "start"


def test_a_command_is_no_matter_of_the_queue():
    arrival = decide_arrival(lane(message("a"), running=[RUN]), message("b", is_command=True), now=NOW)
    assert arrival == Arrival(action="command", rule="CMD-33")
    assert apply_arrival(lane(running=[RUN]), message("b", is_command=True), arrival) == lane(running=[RUN])


def test_a_message_that_waits_already_is_queued_once():
    state = lane(message("a", "followup"), running=[RUN])
    assert decide_arrival(state, message("a", "followup"), now=NOW).action == "duplicate"


def test_steer_offers_the_message_to_the_running_turn():
    state = lane(running=[RUN])
    arrival = decide_arrival(state, message("a"), now=NOW)
    assert (arrival.action, arrival.steer_into, arrival.rule) == ("steer", "run", "QUEUE-3")
    after = apply_arrival(state, message("a"), arrival)
    assert [item.id for item in find_steered(after, RUN.turn_id)] == ["a"]


@pytest.mark.parametrize(
    "running",
    [
        [replace(RUN, steerable=False)],
        [replace(RUN, stopping=True)],
        [RUN, LaneRun(turn_id=TurnId("other"), fanout=True)],
    ],
    ids=["cannot take it", "is stopping", "several runs"],
)
def test_steer_waits_when_the_run_cannot_take_it(running):
    arrival = decide_arrival(lane(running=running), message("a"), now=NOW)
    assert (arrival.action, arrival.steer_into, arrival.wake_at) == ("wait", None, NOW + 500)


def test_steer_does_not_overtake_a_message_that_waits():
    state = lane(message("a", "followup"), running=[RUN])
    assert decide_arrival(state, message("b"), now=NOW).action == "wait"


def test_steer_follows_messages_that_steer_too():
    state = lane(message("a", steering_into=RUN.turn_id), running=[RUN])
    assert decide_arrival(state, message("b"), now=NOW).action == "steer"


def test_every_mode_waits_while_a_compaction_runs():
    for mode in ("steer", "followup", "fanout"):
        arrival = decide_arrival(lane(running=[COMPACTION]), message(mode=mode), now=NOW)
        assert (arrival.action, arrival.rule) == ("wait", "COMPACT-24")
    assert decide_arrival(lane(running=[COMPACTION]), message(mode="collect"), now=NOW).action == "collect"
    interrupt = decide_arrival(lane(running=[COMPACTION]), message(mode="interrupt"), now=NOW)
    assert (interrupt.action, interrupt.abort, interrupt.rule) == ("interrupt", (), "COMPACT-24")


def test_followup_and_collect_wait_for_the_running_turn():
    assert decide_arrival(lane(running=[RUN]), message(mode="followup"), now=NOW) == Arrival(
        action="wait", rule="QUEUE-4", wake_at=Instant(NOW + 500)
    )
    assert decide_arrival(lane(running=[RUN]), message(mode="collect"), now=NOW) == Arrival(
        action="collect", rule="QUEUE-5", wake_at=Instant(NOW + 500)
    )


def test_interrupt_aborts_the_run_and_drops_who_waits():
    state = lane(message("a", "followup"), message("b"), running=[RUN])
    arrival = decide_arrival(state, message("c", "interrupt"), now=NOW)
    assert arrival == Arrival(
        action="interrupt", rule="QUEUE-6", abort=(RUN.turn_id,), dropped=dropped("a", "b", reason="interrupted")
    )
    after = apply_arrival(state, message("c", "interrupt"), arrival)
    assert [item.id for item in after.waiting] == ["c"]
    assert after.running[0].stopping


def test_interrupt_in_the_quiet_time_starts_at_once():
    arrival = decide_arrival(lane(message("a", "collect")), message("b", "interrupt"), now=NOW)
    assert (arrival.action, arrival.dropped) == ("start", dropped("a", reason="interrupted"))


def test_fanout_starts_beside_the_running_turn():
    arrival = decide_arrival(lane(running=[RUN]), message(mode="fanout"), now=NOW)
    assert (arrival.action, arrival.rule) == ("fanout", "QUEUE-9")


def test_fanout_waits_when_too_many_run():
    arrival = decide_arrival(lane(running=[RUN]), message(mode="fanout", max_concurrent=1), now=NOW)
    assert (arrival.action, arrival.rule, arrival.wake_at) == ("wait", "QUEUE-9", None)


def test_steer_backlog_steers_and_keeps_the_message_for_a_later_turn():
    state = lane(running=[RUN])
    first = message("a", "steer-backlog")
    arrival = decide_arrival(state, first, now=NOW)
    assert (arrival.action, arrival.rule) == ("steer", "QUEUE-7")
    taken = apply_taken(apply_arrival(state, first, arrival), [first.id])
    assert find_steered(taken, RUN.turn_id) == ()
    assert decide_arrival(taken, message("b", "steer-backlog"), now=NOW).action == "steer"
    ended = apply_ended(taken, RUN.turn_id)
    assert decide_next(ended, now=Instant(NOW + 500)).ids == ("a",)


def test_a_full_queue_refuses_the_arriving_message_under_new():
    state = lane(message("a", "followup"), running=[RUN])
    arrival = decide_arrival(state, message("b", "followup", cap=1, drop="new"), now=NOW)
    assert (arrival.action, arrival.reason, arrival.rule) == ("refuse", "queue_full", "QUEUE-13")
    assert apply_arrival(state, message("b"), arrival) == state


def test_a_full_queue_drops_the_oldest_under_old():
    state = lane(message("a", "followup"), message("b", "followup"), running=[RUN])
    arriving = message("c", "followup", cap=2, drop="old")
    arrival = decide_arrival(state, arriving, now=NOW)
    assert arrival.dropped == dropped("a", reason="queue_cap")
    after = apply_arrival(state, arriving, arrival)
    assert ([item.id for item in after.waiting], after.dropped_lines, after.dropped_ids) == (["b", "c"], (), ())


def test_a_full_queue_keeps_a_line_of_the_oldest_under_summarize():
    state = lane(message("a", "followup"), message("b", "followup"), running=[RUN])
    arriving = message("c", "followup", cap=1, drop="summarize")
    arrival = decide_arrival(state, arriving, now=NOW)
    assert [one.leaves_line for one in arrival.dropped] == [True, True]
    after = apply_arrival(state, arriving, arrival)
    assert ([item.id for item in after.waiting], after.dropped_ids) == (["c"], ("a", "b"))
    assert after.dropped_lines == ("text of b",)


def test_a_message_that_a_turn_has_taken_ends_as_merged_when_the_cap_drops_it():
    state = lane(message("a", "steer-backlog", steering_into=RUN.turn_id, taken_by=RUN.turn_id), running=[RUN])
    arrival = decide_arrival(state, message("b", "steer-backlog", cap=1), now=NOW)
    assert arrival.dropped == dropped("a", reason="queue_cap", merged_into="run")
    assert arrival.action == "steer"
    # The agent has read it, so it is told of nothing.
    assert apply_arrival(state, message("b"), arrival).dropped_ids == ()


# --- next -------------------------------------------------------------------------------------------------------------


def test_an_empty_lane_is_idle():
    assert decide_next(lane(running=[RUN]), now=NOW).action == "idle"


@pytest.mark.parametrize("mode", ["steer", "followup", "collect", "interrupt"])
def test_nothing_starts_while_a_turn_runs(mode):
    assert decide_next(lane(message(mode=mode), running=[RUN]), now=NOW).action == "blocked"


def test_a_compaction_blocks_fanout_too():
    decided = decide_next(lane(message(mode="fanout"), running=[COMPACTION]), now=NOW)
    assert (decided.action, decided.rule) == ("blocked", "COMPACT-24")


def test_a_waiting_fanout_runs_beside_a_turn():
    decided = decide_next(lane(message(mode="fanout"), running=[RUN]), now=NOW)
    assert (decided.action, decided.ids, decided.fanout) == ("run", ("m",), True)


def test_waiting_messages_run_after_the_quiet_time_and_not_before():
    state = lane(message("a", "collect", at=NOW - 900), message("b", "collect", at=NOW - 100))
    assert decide_next(state, now=NOW) == Next(action="wait", rule="QUEUE-14", wake_at=Instant(NOW + 400))
    assert decide_next(state, now=Instant(NOW + 400)).ids == ("a", "b")


def test_a_full_queue_does_not_wait_for_quiet():
    state = lane(message("a", "collect", cap=2), message("b", "collect", cap=2))
    assert decide_next(state, now=NOW).ids == ("a", "b")


def test_an_interrupting_message_waits_for_no_quiet():
    assert decide_next(lane(message(mode="interrupt")), now=NOW).action == "run"


def test_followups_run_one_by_one():
    state = lane(message("a", "followup", at=0), message("b", "followup", at=0))
    decided = decide_next(state, now=NOW)
    assert (decided.ids, decided.rule) == (("a",), "QUEUE-4")
    after = apply_next(state, decided, RUN)
    assert ([item.id for item in after.waiting], after.running) == (["b"], (RUN,))


def test_steered_messages_that_nobody_took_run_one_by_one():
    state = lane(message("a", at=0, steering_into=RUN.turn_id), message("b", at=0), running=[RUN])
    assert decide_next(apply_ended(state, RUN.turn_id), now=NOW).ids == ("a",)


def test_collect_stops_before_a_message_of_another_mode():
    state = lane(message("a", "collect", at=0), message("b", "collect", at=0), message("c", "followup", at=0))
    assert decide_next(state, now=NOW).ids == ("a", "b")


def test_messages_from_different_places_get_a_turn_each_and_that_drain_collects_no_more():
    state = lane(
        message("a", "collect", at=0, route=place("1")),
        message("b", "collect", at=0, route=place("2")),
        message("c", "collect", at=0, route=place("2")),
    )
    ran = []
    while state.waiting:
        decided = decide_next(state, now=NOW)
        ran.append(decided.ids)
        state = apply_ended(apply_next(state, decided, RUN), RUN.turn_id)
    assert ran == [("a",), ("b",), ("c",)]
    assert not state.separate


def test_a_drain_that_separates_also_separates_what_follows_a_followup():
    state = lane(
        message("f", "followup", at=0),
        message("a", "collect", at=0, route=place("1")),
        message("b", "collect", at=0, route=place("1")),
        separate=True,
    )
    state = apply_ended(apply_next(state, decide_next(state, now=NOW), RUN), RUN.turn_id)
    assert decide_next(state, now=NOW).ids == ("a",)


def test_the_next_turn_carries_the_lines_of_what_was_dropped():
    state = lane(message("c", at=0), dropped_lines=("text of b",), dropped_ids=("a", "b"))
    decided = decide_next(state, now=NOW)
    assert (decided.dropped_ids, decided.dropped_lines) == (("a", "b"), ("text of b",))
    after = apply_next(state, decided, RUN)
    assert (after.dropped_ids, after.dropped_lines) == ((), ())


# --- abort ------------------------------------------------------------------------------------------------------------


def test_abort_without_a_turn_id_ends_the_waiting_ones_and_then_the_runs():
    state = lane(message("a"), message("b"), running=[RUN, COMPACTION], dropped_lines=("x",), dropped_ids=("z",))
    decided = decide_abort(state, cause="abort")
    assert (decided.rule, decided.dropped, decided.abort) == (
        "QUEUE-16",
        dropped("a", "b", reason="aborted"),
        ("run", "compaction"),
    )
    after = apply_abort(state, decided)
    assert (after.waiting, after.dropped_lines, after.dropped_ids) == ((), (), ())
    assert [run.stopping for run in after.running] == [True, True]


def test_abort_of_one_waiting_turn_leaves_the_others():
    state = lane(message("a", turn_id=TurnId("t1")), message("b", turn_id=TurnId("t2")), running=[RUN])
    decided = decide_abort(state, cause="abort", turn_id=TurnId("t2"))
    assert (decided.dropped, decided.abort) == (dropped("b", reason="aborted"), ())
    assert [item.id for item in apply_abort(state, decided).waiting] == ["a"]


def test_abort_of_the_running_turn_leaves_the_waiting_ones():
    state = lane(message("a"), running=[RUN])
    decided = decide_abort(state, cause="abort", turn_id=RUN.turn_id)
    assert (decided.dropped, decided.abort) == ((), ("run",))
    assert apply_abort(state, decided).waiting == state.waiting


def test_abort_of_an_unknown_turn_finds_nothing():
    decided = decide_abort(lane(message("a"), running=[RUN]), cause="abort", turn_id=TurnId("?"))
    assert (decided.dropped, decided.abort) == ((), ())


@pytest.mark.parametrize(("cause", "reason"), [("stop", "stopped"), ("reset", "reset"), ("delete", "deleted")])
def test_stop_reset_and_delete_empty_the_queue(cause, reason):
    decided = decide_abort(lane(message("a")), cause=cause)
    assert (decided.rule, decided.dropped) == ("QUEUE-17", dropped("a", reason=reason))


def test_aborting_one_message_keeps_the_lines_of_dropped_ones_for_the_rest():
    lines = tuple(f"line {number}" for number in range(30))
    state = lane(message("a", turn_id=TurnId("t1")), message("b", cap=40), dropped_lines=lines, dropped_ids=lines)
    after = apply_abort(state, decide_abort(state, cause="abort", turn_id=TurnId("t1")))
    assert (after.dropped_lines, after.dropped_ids) == (lines, lines)


# --- the record -------------------------------------------------------------------------------------------------------


def test_a_decision_is_recorded_without_text():
    arriving = message("c", "followup", cap=1)
    arrival = decide_arrival(lane(message("a", "followup"), running=[RUN]), arriving, now=NOW)
    record = arrival.as_decision(arriving.settings)
    assert (record.kind, record.outcome, record.rule) == ("queue", "wait", "QUEUE-4")
    assert record.inputs == {"mode": "followup", "source": "default", "dropped": 1, "reason": None}


def test_what_runs_next_is_recorded_as_numbers():
    record = decide_next(lane(message("a", at=0)), now=NOW).as_decision()
    assert (record.outcome, record.inputs) == ("run", {"messages": 1, "dropped": 0})


# --- random stories ---------------------------------------------------------------------------------------------------


QUIET_MAX_MS = 5000


class LaneStory(RuleBasedStateMachine):
    """A lane under random messages, runs, aborts and time; every message must end exactly once, in order."""

    def __init__(self):
        super().__init__()
        self.state = IDLE_LANE
        self.now = Instant(1_000_000)
        self.count = 0
        self.ends: dict[str, str] = {}
        self.accepted: list[str] = []
        self.entered: list[str] = []
        self.fanned: set[str] = set()
        self.owed_lines: list[str] = []

    @initialize()
    def begin(self):
        self.state = IDLE_LANE

    @rule(
        mode=st.sampled_from(MODES),
        cap=st.integers(1, 4),
        drop=st.sampled_from(["old", "new", "summarize"]),
        to=st.sampled_from(["1", "1", "2", None]),
        debounce_ms=st.sampled_from([0, 500, 500, QUIET_MAX_MS]),
        is_reset=st.booleans(),
    )
    def a_message_arrives(self, mode, cap, drop, to, debounce_ms, is_reset):
        self.count += 1
        arriving = message(
            f"m{self.count}",
            mode,
            at=self.now,
            cap=cap,
            drop=drop,
            max_concurrent=3,
            debounce_ms=debounce_ms,
            is_reset=is_reset,
            route=None if to is None else place(to),
            turn_id=TurnId(f"t{self.count}"),
        )
        arrival = decide_arrival(self.state, arriving, now=self.now)
        self.accepted.append(arriving.id)
        if mode == "fanout":
            self.fanned.add(arriving.id)
        self.end_dropped(arrival.dropped)
        self.owed_lines += [one.id for one in arrival.dropped if one.leaves_line]
        self.state = apply_arrival(self.state, arriving, arrival)
        self.forget_lines()
        if arrival.action in {"start", "fanout"}:
            self.enter([arriving.id], fanout=arrival.action == "fanout")
        elif arrival.action == "refuse":
            self.end(arriving.id, "refused")
        else:
            assert arriving.id in [item.id for item in self.state.waiting]
            assert len(self.state.waiting) <= cap
            assert len(self.state.dropped_lines) <= max(4, cap)

    @precondition(lambda self: self.state.waiting)
    @rule(data=st.data())
    def a_waiting_message_comes_again(self, data):
        again = data.draw(st.sampled_from(self.state.waiting))
        arrival = decide_arrival(self.state, replace(again, arrived_at=self.now), now=self.now)
        assert (arrival.action, arrival.dropped, arrival.abort) == ("duplicate", (), ())
        assert apply_arrival(self.state, again, arrival) == self.state

    @rule(mode=st.sampled_from(MODES))
    def a_command_arrives(self, mode):
        """It is no matter of the queue, whatever the queue is doing (CMD-33)."""
        command = message("command", mode, at=self.now, is_command=True)
        arrival = decide_arrival(self.state, command, now=self.now)
        assert arrival.action == "command"
        assert apply_arrival(self.state, command, arrival) == self.state

    @rule(milliseconds=st.sampled_from([0, 100, 499, 500, 5000, -3000]))
    def time_passes(self, milliseconds):
        self.now = Instant(self.now + milliseconds)

    @rule()
    def the_lane_is_asked(self):
        decided = decide_next(self.state, now=self.now)
        if decided.action == "run":
            assert decided.ids == tuple(item.id for item in self.state.waiting[: len(decided.ids)])
            run = LaneRun(turn_id=TurnId(f"run-{decided.ids[0]}"), fanout=decided.fanout)
            self.check_turn(self.state.waiting[: len(decided.ids)], fanout=decided.fanout)
            assert list(decided.dropped_ids) == self.owed_lines
            assert len(decided.dropped_lines) <= len(decided.dropped_ids)
            self.state = apply_next(self.state, decided, run)
            self.owed_lines = []
            self.note_entry(decided.ids)
        elif decided.action == "wait":
            assert decided.wake_at is not None
            assert self.now < decided.wake_at <= self.now + QUIET_MAX_MS
        elif decided.action == "blocked":
            assert self.state.running
        else:
            assert not self.state.waiting

    def check_turn(self, messages, *, fanout):
        """Who may enter a turn together, and when (QUEUE-2, QUEUE-4…6, QUEUE-9, QUEUE-14)."""
        head, last = messages[0], self.state.waiting[-1]
        assert fanout is (head.settings.mode == "fanout")
        if not fanout:
            assert not self.state.running
        if len(messages) > 1:
            assert {each.settings.mode for each in messages} == {"collect"}
            assert len({each.route for each in messages}) == 1
            assert not self.state.separate
        if head.settings.mode not in {"fanout", "interrupt"} and len(self.state.waiting) < last.settings.cap:
            # A clock that was set back must not keep anybody waiting for longer than the quiet time.
            assert not last.arrived_at <= self.now < last.arrived_at + last.settings.debounce_ms

    @precondition(lambda self: self.state.running)
    @rule(data=st.data())
    def a_run_reaches_a_boundary(self, data):
        run = data.draw(st.sampled_from(self.state.running))
        offered = find_steered(self.state, run.turn_id)
        taken = [item.id for item in offered[: data.draw(st.integers(0, len(offered)))]]
        for item in offered[: len(taken)]:
            self.entered.append(item.id)
            if item.settings.mode != "steer-backlog":
                self.end(item.id, "merged")
        self.state = apply_taken(self.state, taken)

    @precondition(lambda self: self.state.running)
    @rule(data=st.data())
    def a_run_ends(self, data):
        run = data.draw(st.sampled_from(self.state.running))
        self.state = apply_ended(self.state, run.turn_id)

    @precondition(lambda self: self.state.running)
    @rule(data=st.data(), steerable=st.booleans())
    def a_run_changes_what_it_takes(self, data, steerable):
        run = data.draw(st.sampled_from(self.state.running))
        self.state = apply_steerable(self.state, run.turn_id, steerable=steerable)

    @precondition(lambda self: not self.state.running)
    @rule()
    def a_compaction_begins(self):
        self.state = apply_started(self.state, COMPACTION)

    @rule(cause=st.sampled_from(["abort", "stop", "reset", "delete"]), data=st.data())
    def somebody_aborts(self, cause, data):
        choices = [None, *(item.turn_id for item in self.state.waiting), *(run.turn_id for run in self.state.running)]
        decided = decide_abort(self.state, cause=cause, turn_id=data.draw(st.sampled_from(choices)))
        self.end_dropped(decided.dropped)
        self.state = apply_abort(self.state, decided)
        self.forget_lines()

    @invariant()
    def one_turn_at_a_time_unless_fanned_out(self):
        alone = [run for run in self.state.running if not run.fanout]
        assert len(alone) <= 1
        if any(run.kind == "compaction" for run in self.state.running):
            assert len(self.state.running) == 1

    @invariant()
    def every_accepted_message_waits_or_has_ended_once(self):
        waiting = [item.id for item in self.state.waiting]
        assert len(set(waiting)) == len(waiting)
        assert set(waiting).isdisjoint(self.ends)
        assert set(waiting) | set(self.ends) == set(self.accepted)
        assert waiting == [name for name in self.accepted if name in set(waiting)]

    @invariant()
    def messages_enter_turns_in_arrival_order(self):
        order = [name for name in dict.fromkeys(self.entered) if name not in self.fanned]
        assert order == [name for name in self.accepted if name in set(order)]

    def teardown(self):
        for _ in range(2 * len(self.accepted) + 2):
            for run in self.state.running:
                self.state = apply_ended(self.state, run.turn_id)
            self.now = Instant(self.now + 10_000)
            self.the_lane_is_asked()
        assert self.state.waiting == ()
        assert set(self.ends) == set(self.accepted)

    def enter(self, ids, *, fanout):
        run = LaneRun(turn_id=TurnId(f"run-{ids[0]}"), fanout=fanout)
        self.state = apply_started(self.state, run)
        self.note_entry(ids)

    def note_entry(self, ids):
        self.entered.extend(ids)
        self.end(ids[0], "answered")
        for name in ids[1:]:
            self.end(name, "merged")

    @rule(cap=st.integers(1, 4))
    def the_process_dies_and_starts_again(self, cap):
        """What waits is offered again, in order, after what the agent is still to be told of (LOSS-4, QUEUE-13)."""
        again, left_out = self.state.waiting, [message(name, at=self.now) for name in self.owed_lines]
        self.state = apply_left_out(IDLE_LANE, left_out, cap=cap) if again else IDLE_LANE
        self.owed_lines = self.owed_lines if again else []
        for item in again:
            offered = replace(item, steering_into=None)
            arrival = decide_arrival(self.state, offered, now=self.now)
            self.end_dropped(arrival.dropped)
            self.owed_lines += [one.id for one in arrival.dropped if one.leaves_line]
            self.state = apply_arrival(self.state, offered, arrival)
            self.forget_lines()
            if arrival.action in {"start", "fanout"}:
                self.enter([offered.id], fanout=arrival.action == "fanout")
            elif arrival.action == "refuse":
                self.end(offered.id, "refused")

    def forget_lines(self):
        """A lane in which nothing waits has nobody to tell; the lines it keeps are those that are owed."""
        assert not self.state.dropped_ids or list(self.state.dropped_ids) == self.owed_lines
        if not self.state.dropped_ids:
            self.owed_lines = []

    def end_dropped(self, items):
        for item in items:
            self.end(item.id, "merged" if item.merged_into else "expired")

    def end(self, name, how):
        assert name not in self.ends, f"{name} ended as {self.ends[name]} and then as {how}"
        self.ends[name] = how


LaneStory.TestCase.settings = hypothesis_settings(max_examples=150, stateful_step_count=40, deadline=None)
TestLaneStory = LaneStory.TestCase
