"""Budgets before turns: what is used up stops the next one, and says until when (COST-1, COST-2)."""

from __future__ import annotations

from dataclasses import replace

from structlog.testing import capture_logs

from instar.core.model.change import Ledger, SessionChange
from instar.core.model.entry import Usage
from instar.core.model.event import RunEnded
from instar.core.model.ids import AgentId, SessionKey
from instar.core.model.query import SpendingQuery
from instar.testing.clock import ManualClock
from instar.testing.gateway import GatewayInMemory
from instar.testing.runner import SCRIPTED_MODEL, ScriptedRunner
from instar.testing.script import Reply, call
from tests.builders.stories import (
    DIRECT,
    Gate,
    Listener,
    ask,
    at,
    build_config,
    read_decisions,
    read_inbox,
    read_lines,
    sent_texts,
    story,
    then,
    until,
)
from tests.flow.test_store_refuses import RefusingAt

DOLLAR = replace(SCRIPTED_MODEL, price={"output": 1_000_000.0})
"""A model whose every token costs a dollar."""

USED_UP = (
    "No answer now: the budget for today is used up ($4.00 of $3.00). "
    "It frees up on 2026-03-11 00:00 UTC; write again then."
)


def world_of(*budgets, costs=2, clock=None, fuse=None, **session):
    runner = ScriptedRunner(lambda _asked: Reply(text="Here.", usage=Usage(output=costs, total_tokens=costs)))
    config = build_config(budgets=list(budgets), channels=("telegram", "discord"), session=session)
    return GatewayInMemory(
        config, runner=runner, model=DOLLAR, clock=clock or ManualClock(at("2026-03-10 12:00")), fuse=fuse
    )


async def say(world, text, *, sender="ann", channel="telegram"):
    await world.channel(channel).post(text, sender=sender)
    await world.settle()


def day(limit, **more):
    return {"per": "day", "limitUsd": limit, "action": "stop", **more}


@story
async def test_a_used_up_budget_refuses_the_next_turn_and_says_when_it_frees_up():
    async with world_of(day(3)) as world:
        await say(world, "one")
        await say(world, "two")
        await say(world, "three")
        assert sent_texts(world) == [
            "Here.",
            "Here.",
            USED_UP,
        ]
        assert await read_inbox(world) == [
            ("one", "answered", None),
            ("two", "answered", None),
            ("three", "refused", "budget"),
        ]
        # What got no turn is in no transcript, and asked no model.
        assert len(await read_lines(world)) == 4
        assert len(world.runner.requests) == 2
        (row,) = await read_decisions(world, kind="budget")
        assert (row.decision.outcome, row.decision.rule) == ("stop", "COST-2")
        await say(world, "/why")
        assert sent_texts(world)[-1] == (
            "Why no answer? The budget for the day was used up: $4.00 of $3.00; it frees up 2026-03-11 00:00. COST-2"
        )
        await world.clock.run_for(13 * 3600)
        await say(world, "four")
        assert sent_texts(world)[-1].endswith("Here.")


@story
async def test_what_was_spent_counts_after_a_restart_and_by_its_own_measure():
    async with world_of(day(3, match={"person": "telegram:ann"})) as world:
        await say(world, "one")
        await say(world, "two")
        await world.restart(kill=True)
        await say(world, "three")
        assert sent_texts(world)[-1].startswith("No answer now")
        await say(world, "hello", sender="bob")
        assert sent_texts(world, to="bob") == ["Here."]


@story
async def test_a_budget_may_be_for_a_channel_an_agent_a_model_or_a_prefix():
    for match, stopped in (
        ({"channel": "telegram"}, "telegram"),
        ({"channel": "discord"}, "discord"),
        ({"keyPrefix": "agent:main:telegram:"}, "telegram"),
    ):
        async with world_of(day(1, match=match)) as world:
            for channel in ("telegram", "discord"):
                await say(world, "one", channel=channel)
                await say(world, "two", channel=channel)
                is_stopped = sent_texts(world, channel)[-1].startswith("No answer now")
                assert is_stopped == (channel == stopped), match
    for match, stops in (({"agent": "main"}, True), ({"model": "test/scripted"}, True), ({"model": "x/y"}, False)):
        async with world_of(day(1, match=match)) as world:
            await say(world, "one")
            await say(world, "two")
            assert sent_texts(world)[-1].startswith("No answer now") == stops, match


@story
async def test_a_session_has_a_budget_of_its_own_and_a_new_one_begins_with_nothing_spent():
    async with world_of({"per": "session", "limitUsd": 2, "action": "stop"}) as world:
        await say(world, "one")
        await say(world, "two")
        assert sent_texts(world)[-1].endswith("A new session begins with its own: /new.")
        await say(world, "/new three")
        assert sent_texts(world)[-1] == "Here."
        await say(world, "four")
        assert sent_texts(world)[-1].startswith("No answer now")
        await world.clock.run_for(24 * 3600)
        await say(world, "five")
        assert sent_texts(world)[-1].endswith("Here.")


@story
async def test_a_soft_reset_of_a_session_that_is_due_spends_on_as_it_keeps_the_session():
    reset = {"mode": "idle", "idleMinutes": 60}
    async with world_of({"per": "session", "limitUsd": 2, "action": "stop"}, reset=reset) as world:
        await say(world, "one")
        await world.clock.run_for(24 * 3600)
        await say(world, "/reset soft two")
        assert sent_texts(world)[-1].startswith("No answer now")


@story
async def test_a_client_that_keeps_the_session_it_shows_keeps_what_was_spent_in_it():
    reset = {"mode": "idle", "idleMinutes": 60}
    async with world_of({"per": "session", "limitUsd": 2, "action": "stop"}, reset=reset) as world:
        await say(world, "one")
        shown = (await world.store.load_session(DIRECT)).session_id
        await world.clock.run_for(24 * 3600)
        await ask(world, "two", shown=shown)
        await world.settle()
        assert await read_inbox(world) == [("one", "answered", None), ("two", "refused", "budget")]


@story
async def test_a_turn_beside_another_spends_on_in_the_session_that_is_not_rolled_under_it():
    gate, took = Gate(), Usage(output=2, total_tokens=2)
    script = then(
        lambda _: Reply(text="I look.", calls=(call("look"),), usage=took),
        lambda _: Reply(text="Late.", usage=took, before_chunk=gate),
    )
    config = build_config(
        budgets=[{"per": "session", "limitUsd": 2, "action": "stop"}],
        messages={"queue": {"mode": "fanout", "debounceMs": 0}},
    )
    clock = ManualClock(at("2026-03-10 12:00"))
    async with GatewayInMemory(config, runner=ScriptedRunner(script), model=DOLLAR, clock=clock) as world:
        await world.channel("telegram").post("one", sender="ann")
        await gate.reached.wait()
        # A daily reset is due, and waits for a turn that has the session for itself.
        clock.jump(at("2026-03-11 12:00"))
        await world.channel("telegram").post("two", sender="ann")
        await until(lambda: any(text.startswith("No answer now") for text in sent_texts(world)))
        gate.open()
        await world.settle()
        assert await read_inbox(world) == [("one", "answered", None), ("two", "refused", "budget")]


@story
async def test_what_is_booked_on_a_day_to_which_the_clock_was_set_back_counts_on_that_day_alone():
    gate, took = Gate(), Usage(output=2, total_tokens=2)
    held = lambda _: Reply(text="Late.", usage=took, before_chunk=gate)  # noqa: E731 - a script
    script = then(lambda _: Reply(text="Here.", usage=took), held, lambda _: Reply(text="Here.", usage=took))
    config = build_config(budgets=[day(3)])
    clock = ManualClock(at("2026-03-10 12:00"))
    async with GatewayInMemory(config, runner=ScriptedRunner(script), model=DOLLAR, clock=clock) as world:
        await say(world, "one")
        await world.channel("telegram").post("two", sender="ann")
        await gate.reached.wait()
        clock.jump(at("2026-03-09 12:00"))
        gate.open()
        await world.settle()
        clock.jump(at("2026-03-10 12:01"))
        await say(world, "three")
        assert [state for _, state, _ in await read_inbox(world)] == ["answered"] * 3


@story
async def test_one_that_only_warns_stops_nothing():
    with capture_logs() as logged:
        async with world_of({"per": "month", "limitUsd": 1}, reset={"mode": "none"}) as world:
            for text in ("one", "two", "three"):
                await say(world, text)
            world.clock.jump(at("2026-04-01 00:00"))
            for text in ("four", "five", "six"):
                await say(world, text)
            assert sent_texts(world) == ["Here."] * 6
    # Once for each month, with what was spent when it was noticed.
    warned = [each for each in logged if each["event"] == "budget_used_up"]
    assert [(each["per"], each["spent_usd"], each["limit_usd"]) for each in warned] == [("month", 2.0, 1.0)] * 2


@story
async def test_the_turn_in_flight_finishes_whatever_it_costs_and_one_that_was_cut_goes_on():
    gate = Gate()
    async with world_of(day(1)) as world:
        script = world.runner.script
        world.runner.script = lambda asked: replace(script(asked), before_chunk=gate)
        await world.channel("telegram").post("one", sender="ann")
        await gate.reached.wait()
        await say_in_other_session(world)
        gate.open()
        await world.restart(kill=True)
        await world.settle()
        assert sent_texts(world, to="ann") == ["Here."]


async def say_in_other_session(world):
    """Spend the day's money elsewhere while a turn runs."""
    line = Ledger(turn_id=None, agent_id=AgentId("main"), provider="p", model="m", cost_usd=5.0)
    await world.store.change(
        "spend",
        SessionKey("agent:main:other"),
        now=world.clock.now(),
        fence=None,
        decide=lambda _facts: SessionChange(ledger=(line,)),
    )


@story
async def test_a_client_is_told_by_the_end_of_its_run():
    async with world_of(day(1)) as world:
        await ask(world, "one", run_id="r1")
        await world.settle()
        listener = Listener(world)
        await ask(world, "two", run_id="r2")
        await world.settle()
        (end,) = [event for event in listener.events if isinstance(event, RunEnded)]
        assert (end.turn_id, end.state) == ("r2", "error")
        assert end.error.startswith("No answer now: the budget for today")
        assert (await world.gateway.run_state("r2")).status == "error"


@story
async def test_the_ledger_says_who_spent_it_where():
    async with world_of() as world:

        async def spent(since=0, **query):
            return (await world.store.sum_spending(SpendingQuery(since=since, **query))).usd

        await say(world, "one")
        for query in ({"person": "telegram:ann"}, {"channel": "telegram"}, {"agent": "main"}, {"session_key": DIRECT}):
            assert await spent(**query) == 2.0
        assert await spent(channel="discord") == 0.0
        assert await spent(world.clock.now() + 1) == 0.0
        assert await spent(until=world.clock.now()) == 0.0
        assert await spent(key_prefix="agent:main:tele") == 2.0
        assert await spent(key_prefix="agent:x") == 0.0


@story
async def test_how_far_budgets_are_is_shown_with_a_forecast():
    async with world_of({"per": "month", "limitUsd": 100}, {"per": "session", "limitUsd": 9}, day(50)) as world:
        for _ in range(3):
            await say(world, "one")
            await world.clock.run_for(24 * 3600)
        month, today = await world.gateway.upkeep.budgets()
        assert (month.spending.spent_usd, today.spending.spent_usd) == (6.0, 0.0)
        # Six dollars in the last seven days, and eighteen and a half days of March are left.
        assert round(month.forecast_usd, 2) == round(6 + 6 / 7 * 18.5, 2)
        await say(world, "/status")
        # Of what everybody has spent only an owner is told.
        assert "Budget per month" not in sent_texts(world)[-1]
        assert "Budget per session: $2.00 of $9.00" in sent_texts(world)[-1]
        owners = {**world.config.root, "commands": {"ownerAllowFrom": ["ann"]}}
        world.configure(owners)
        await say(world, "/status")
        assert "Budget per month: $6.00 of $100.00" in sent_texts(world)[-1]
        assert "Budget per session: $2.00 of $9.00" in sent_texts(world)[-1]


@story
async def test_a_refusal_that_the_store_did_not_take_is_decided_anew_once_the_budget_has_freed_up():
    fuse = RefusingAt("before change refuse_turn", times=1)
    async with world_of(day(3), clock=ManualClock(at("2026-03-10 23:59:59")), fuse=fuse) as world:
        await say(world, "one")
        await say(world, "two")
        await world.channel("telegram").post("three", sender="ann")
        await until(lambda: world.clock.sleepers > 0 and "before change refuse_turn" in fuse.steps)
        await world.run_for(3)
        await world.settle()
        assert sent_texts(world) == ["Here."] * 3
        assert [state for _, state, _ in await read_inbox(world)] == ["answered"] * 3
        assert list(await read_decisions(world, kind="budget")) == []
