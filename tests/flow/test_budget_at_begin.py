"""What a budget has been used for is decided where a turn begins, though it is asked before (COST-2).

In between the clock is set, the session goes on although it was due to start over, others spend. And a session's own
budget counts the life that the session is in, not the time at which lines were booked.
"""

from __future__ import annotations

from instar.core.model.change import Ledger, SessionChange
from instar.core.model.ids import AgentId, SessionKey
from instar.gateway.turn_budget import TurnBudget
from instar.testing.gateway import GatewayInMemory
from instar.testing.runner import ScriptedRunner
from tests.builders.stories import DIRECT, at, build_config, read_inbox, read_lines, sent_texts, story, until
from tests.flow.test_budgets import day, say, world_of
from tests.flow.test_context_flush import SMALL, Writer, build_script

SESSION = {"per": "session", "limitUsd": 2, "action": "stop"}
IDLE = {"mode": "idle", "idleMinutes": 60}
NEVER = {"mode": "none"}


def after_asking(world, act):
    """Let something happen once, right after the ledger was asked for the next turn."""
    asked, todo = world.store.sum_spending, [act]

    async def sum_spending(query):
        answer = await asked(query)
        if todo:
            await todo.pop()()
        return answer

    world.store.sum_spending = sum_spending


async def states(world):
    return [(text, state) for text, state, _ in await read_inbox(world)]


async def spend_elsewhere(world, usd):
    line = Ledger(turn_id=None, agent_id=AgentId("main"), provider="p", model="m", cost_usd=usd)
    change = SessionChange(ledger=(line,))
    key, now = SessionKey("agent:main:other"), world.clock.now()
    await world.store.change("spend", key, now=now, fence=None, decide=lambda _facts: change)


@story
async def test_a_session_that_goes_on_after_all_since_a_command_was_written_has_spent_what_it_has():
    async with world_of(SESSION, reset=IDLE) as world:
        await say(world, "one")
        await world.clock.run_for(2 * 3600)

        async def write_command():
            await world.channel("telegram").post("/queue collect", sender="ann")
            await until(lambda: len(sent_texts(world)) == 2)

        after_asking(world, write_command)
        await say(world, "two")
        assert await states(world) == [("one", "answered"), ("two", "refused"), ("/queue collect", "command")]


@story
async def test_a_session_that_goes_on_after_all_since_the_clock_was_set_back_has_spent_what_it_has():
    async with world_of(SESSION) as world:
        await say(world, "one")
        await world.clock.run_for(24 * 3600)

        async def set_back():
            world.clock.jump(at("2026-03-10 13:00"))

        after_asking(world, set_back)
        await say(world, "two")
        assert await states(world) == [("one", "answered"), ("two", "refused")]


@story
async def test_a_session_that_starts_over_after_all_has_spent_nothing():
    async with world_of(SESSION) as world:
        await say(world, "one")

        async def set_on():
            world.clock.jump(at("2026-03-11 12:00"))

        after_asking(world, set_on)
        await say(world, "two")
        assert await states(world) == [("one", "answered"), ("two", "answered")]


@story
async def test_what_others_have_spent_since_the_question_counts():
    async with world_of(day(3)) as world:

        async def spend():
            await spend_elsewhere(world, 5.0)

        after_asking(world, spend)
        await say(world, "one")
        assert await states(world) == [("one", "refused")]
        assert sent_texts(world)[-1].startswith("No answer now: the budget for today is used up ($5.00 of $3.00).")


@story
async def test_a_day_to_which_the_clock_was_set_since_the_question_is_the_one_that_counts():
    async with world_of(day(2), reset=NEVER) as world:
        await say(world, "one")
        await world.clock.run_for(24 * 3600)

        async def set_back():
            world.clock.jump(at("2026-03-10 13:00"))

        after_asking(world, set_back)
        await say(world, "two")
        assert await states(world) == [("one", "answered"), ("two", "refused")]


@story
async def test_what_a_session_spends_counts_although_the_clock_was_set_back_before_it_began():
    async with world_of({**SESSION, "limitUsd": 4}, reset=NEVER) as world:
        await say(world, "one")
        world.clock.jump(at("2026-03-09 12:00"))
        await say(world, "two")
        await say(world, "three")
        assert await states(world) == [("one", "answered"), ("two", "answered"), ("three", "refused")]
        await say(world, "/status")
        assert "Budget per session: $4.00 of $4.00" in sent_texts(world)[-1]


@story
async def test_a_life_of_a_session_that_is_resumed_has_spent_what_it_has():
    async with world_of(SESSION, reset=NEVER) as world:
        await say(world, "one")
        first = (await world.store.load_session(DIRECT)).session_id
        await say(world, "/new two")
        await world.clock.run_for(60)
        await world.gateway.upkeep.resume(DIRECT, first, who="test")
        await say(world, "three")
        assert (await states(world))[-1] == ("three", "refused")
        await say(world, "/new four")
        assert (await states(world))[-1] == ("/new four", "answered")


@story
async def test_notes_that_use_up_a_budget_are_written_once_and_the_turn_behind_them_is_refused():
    writer = Writer()
    config = build_config(
        budgets=[day(2)],
        agents={"defaults": {"compaction": {"memoryFlush": {"softThresholdTokens": 1_000}}}},
        memory={},
    )
    runner = ScriptedRunner(build_script(total=3_500))
    async with GatewayInMemory(config, runner=runner, model=SMALL, tools={"write": writer}) as world:
        await say(world, "one")
        await say(world, "two")
        assert await states(world) == [("one", "answered"), ("two", "refused")]
        assert writer.notes == ["They like herons."]
        assert [asks for asks in await read_lines(world) if "instar.flush" in asks] == ["(instar.flush)"]


@story
async def test_a_turn_that_is_never_let_in_nor_refused_ends_and_its_sender_is_told(monkeypatch):
    async def undecided(_budget):
        return None

    monkeypatch.setattr(TurnBudget, "ask", undecided)
    async with world_of(day(3)) as world:
        await say(world, "one")
        assert [state for _, state in await states(world)] == ["expired"]
        assert len(sent_texts(world)) == 1
