"""Sessions that start over by themselves: explained, announced once, and never destroyed (RESET-*, LOSS-6, LOSS-7)."""

from __future__ import annotations

from dataclasses import replace
from zoneinfo import ZoneInfo

import pytest

from instar.core.explain.status import build_status_fields
from instar.core.model.change import SessionChange
from instar.core.model.event import SessionChanged
from instar.core.model.message import Chat, Inbound, Sender
from instar.testing.clock import ManualClock
from instar.testing.gateway import GatewayInMemory
from instar.testing.runner import ScriptedRunner
from instar.testing.script import Fault, Reply, play
from tests.builders.stories import (
    DIRECT,
    Listener,
    ask,
    at,
    build_config,
    read_decisions,
    read_lines,
    sent_texts,
    story,
)

MAIN = "agent:main:main"
DAILY = "New session (daily reset at 04:00). /resume brings the last one back."
IDLE = "New session (nothing was written for 1 hour). /resume brings the last one back."


def build_world(*replies, session=None, begin="2026-03-10 12:00", zone=None):
    clock = ManualClock(at(begin), zone=zone) if zone else ManualClock(at(begin))
    runner = ScriptedRunner(play(*replies), clock=clock) if replies else None
    return GatewayInMemory(build_config(session=session), clock=clock, runner=runner)


async def say(world, text, *, when=None, sender="ann"):
    if when is not None:
        world.clock.jump(at(when))
    await world.channel("telegram").post(text, sender=sender)
    await world.settle()


@story
async def test_the_first_message_after_the_hour_begins_a_new_session():
    async with build_world() as world:
        await say(world, "one")
        await say(world, "two", when="2026-03-11 03:59")
        await say(world, "three", when="2026-03-11 04:01")
        current, before = await world.store.load_transcripts(DIRECT)
        assert (before.close_reason, before.closed_at) == ("daily", at("2026-03-11 04:01"))
        assert await read_lines(world) == ["user: three", "assistant: You said: three"]
        assert (await read_lines(world, session_id=before.session_id))[2:] == [
            "user: two",
            "assistant: You said: two",
        ]
        assert current.closed_at is None
        assert [len(request.messages) for request in world.runner.requests] == [1, 3, 1]


@story
async def test_nothing_happens_at_the_boundary_itself():
    async with build_world() as world:
        await say(world, "one")
        before = await world.store.load_session(DIRECT)
        await world.run_for(24 * 3600)
        assert await world.store.load_session(DIRECT) == before


@story
async def test_each_reset_is_explained_by_a_freshness_decision():
    async with build_world(session={"reset": {"mode": "daily", "idleMinutes": 60}}) as world:
        await say(world, "one")
        await say(world, "two", when="2026-03-10 12:30")
        await say(world, "three", when="2026-03-10 13:31")
        await say(world, "four", when="2026-03-11 04:30")
        rows = await read_decisions(world, kind="freshness")
        assert [row.decision.outcome for row in rows] == ["new", "fresh", "idle", "idle"]
        assert rows[2].decision.inputs["idle_s"] == 3600
        assert rows[2].decision.inputs["interacted_at"] == at("2026-03-10 12:30")


@pytest.mark.parametrize(
    ("session", "when", "notice"),
    [
        ({}, "2026-03-11 04:00", DAILY),
        ({"reset": {"mode": "idle", "idleMinutes": 60}}, "2026-03-10 13:01", IDLE),
    ],
    ids=["daily", "idle"],
)
def test_the_first_reply_after_a_reset_begins_with_its_cause_and_no_later_one(session, when, notice):
    @story
    async def play_it():
        async with build_world(session=session) as world:
            listener = Listener(world)
            await say(world, "one")
            await say(world, "two", when=when)
            await say(world, "three")
            assert sent_texts(world) == ["You said: one", f"{notice}\n\nYou said: two", "You said: three"]
            assert not any("New session" in line for line in await read_lines(world))
            assert not any("New session" in str(event) for event in listener.events)
            reasons = [event.reason for event in listener.events if isinstance(event, SessionChanged)]
            assert [reason for reason in reasons if not reason.startswith("agent.")] == [
                "create",
                "daily" if notice == DAILY else "idle",
            ]

    play_it()


@story
async def test_the_notice_can_be_turned_off():
    async with build_world(session={"reset": {"notify": False}}) as world:
        await say(world, "one")
        await say(world, "two", when="2026-03-12 12:00")
        assert sent_texts(world) == ["You said: one", "You said: two"]
        assert len(await world.store.load_transcripts(DIRECT)) == 2


@story
async def test_a_first_turn_that_says_nothing_leaves_the_notice_to_the_next():
    async with build_world("one", "NO_REPLY", Reply(fault=Fault(kind="auth")), "four") as world:
        await say(world, "1")
        await say(world, "2", when="2026-03-11 12:00")
        await say(world, "3")
        await say(world, "4")
        one, failed, four = sent_texts(world)
        assert (one, four) == ("one", "four")
        assert failed.startswith(DAILY)


@story
async def test_the_notice_survives_a_crash_between_the_reset_and_the_reply():
    async with build_world() as world:
        await say(world, "one")
        world.fuse.on = "model TextDelta"
        world.clock.jump(at("2026-03-11 12:00"))
        await world.channel("telegram").post("two", sender="ann")
        await world.fuse.blown.wait()
        await world.restart(kill=True)
        await world.settle()
        assert sent_texts(world) == ["You said: one", f"{DAILY}\n\nYou said: two"]
        assert len(await world.store.load_transcripts(DIRECT)) == 2


@story
async def test_words_before_a_tool_call_carry_the_notice_and_the_answer_does_not():
    from instar.testing.script import call

    script = (
        Reply(text="one"),
        Reply(calls=(call("nothing"),)),
        Reply(text="Still looking.", calls=(call("nothing"),)),
        Reply(text="done"),
    )
    async with build_world(*script) as world:
        await say(world, "1")
        await say(world, "2", when="2026-03-11 12:00")
        assert sent_texts(world) == ["one", f"{DAILY}\n\nStill looking.", "done"]


@story
async def test_a_soft_reset_before_the_first_reply_leaves_the_notice_to_its_answer():
    replies = [Reply(text="one"), Reply(text="cut short", delay_s=60), Reply(text="two")]
    async with build_world(*replies) as world:
        await say(world, "hello")
        world.clock.jump(at("2026-03-11 09:00"))
        await world.channel("telegram").post("good morning", sender="ann")
        await world.run_for(1)
        await say(world, "/reset soft and again")
        assert sent_texts(world) == ["one", f"{DAILY}\n\ntwo"]


@story
async def test_a_session_that_was_brought_back_before_the_first_reply_is_not_called_new():
    async with build_world(Reply(text="one"), Reply(text="two", delay_s=60), Reply(text="three")) as world:
        await say(world, "hello")
        world.clock.jump(at("2026-03-11 09:00"))
        await world.channel("telegram").post("good morning", sender="ann")
        await world.run_for(1)
        await world.gateway.upkeep.resume(DIRECT, "", who="ann")
        await say(world, "where were we?")
        assert sent_texts(world)[0] == "one"
        assert sent_texts(world)[-1] == "three"


@story
async def test_a_reset_that_a_person_asks_for_is_not_announced():
    async with build_world() as world:
        await say(world, "one")
        await say(world, "/new two", when="2026-03-12 12:00")
        assert sent_texts(world) == ["You said: one", "You said: two"]
        assert [head.close_reason for head in await world.store.load_transcripts(DIRECT)] == [None, "new"]


@story
async def test_the_hour_is_that_of_the_host():
    zone = ZoneInfo("Europe/Berlin")
    async with build_world(zone=zone) as world:
        await say(world, "one")
        await say(world, "two", when="2026-03-11 02:59")
        await say(world, "three", when="2026-03-11 03:01")
        assert [len(request.messages) for request in world.runner.requests] == [1, 3, 1]


@story
async def test_quiet_minutes_put_a_daily_reset_off_while_people_talk():
    async with build_world(session={"reset": {"mode": "daily", "quietMinutes": 10}}) as world:
        await say(world, "one", when="2026-03-11 03:55")
        await say(world, "two", when="2026-03-11 04:02")
        await say(world, "three", when="2026-03-11 04:11")
        await say(world, "four", when="2026-03-11 04:22")
        assert [len(request.messages) for request in world.runner.requests] == [1, 3, 5, 1]


@story
async def test_a_client_that_sends_with_the_session_it_was_showing_keeps_it_once():
    async with build_world() as world:
        await say(world, "one")
        shown = (await world.store.load_session(DIRECT)).session_id
        world.clock.jump(at("2026-03-11 12:00"))
        await ask(world, "two", run_id="r2", shown=shown)
        await world.settle()
        assert len(await world.store.load_transcripts(DIRECT)) == 1
        rows = await read_decisions(world, kind="freshness")
        assert (rows[-1].decision.outcome, rows[-1].decision.rule) == ("fresh", "RESET-28")


@story
async def test_what_was_set_for_a_session_survives_its_reset():
    async with build_world() as world:
        await say(world, "one")
        await world.channel("telegram").post("/think high", sender="ann")
        await world.settle()
        await say(world, "two", when="2026-03-11 12:00")
        session = await world.store.load_session(DIRECT)
        assert session.overrides.thinking_level == "high"
        assert session.lifecycle.started_at == at("2026-03-11 12:00")


@story
async def test_a_group_in_the_main_session_starts_over_as_groups_do_and_everybody_is_told_the_same():
    policies = {"direct": {"mode": "none"}, "group": {"mode": "idle", "idleMinutes": 60}}
    session = {"dmScope": "main", "groupScope": "main", "resetByType": policies}
    async with build_world(session=session) as world:
        channel = world.channel("telegram")
        for text, when in (("one", "2026-03-10 12:00"), ("two", "2026-03-10 14:00")):
            world.clock.jump(at(when))
            await channel.post(text, sender="ann", chat_type="group", chat_id="club", mentioned=True)
            await world.settle()
        assert sent_texts(world)[-1].startswith(f"{IDLE}\n\nYou said: ")

        told = build_status_fields(await world.gateway.status_facts(MAIN))
        assert told["settings"]["reset"] == {"value": "after 1 hour without a message", "source": "type"}

        world.clock.jump(at("2026-03-10 16:00"))
        assert await foresee_freshness(world, Chat(type="group", id="club")) == "idle"
        assert await foresee_freshness(world, Chat(type="direct", id="ann")) == "fresh"
        await say(world, "three")
        assert sent_texts(world)[-1] == "You said: three"


@story
async def test_a_reset_that_will_not_come_is_announced_nowhere():
    async with build_world() as world:
        await say(world, "one")
        session = await world.store.load_session(DIRECT)
        owned = replace(session, extra={**session.extra, "cliSessionIds": {"claude": "x"}})
        change = SessionChange(session=owned)
        await world.store.change("own", DIRECT, now=world.clock.now(), fence=None, decide=lambda _facts: change)
        world.clock.jump(at("2026-03-11 12:00"))
        assert (await world.gateway.status_facts(DIRECT)).freshness.fresh
        assert await foresee_freshness(world, Chat(type="direct", id="ann")) == "fresh"
        await say(world, "two")
        assert sent_texts(world)[-1] == "You said: two"


async def foresee_freshness(world, chat):
    """What the gateway says would become of the session, were this written there now."""
    inbound = Inbound(
        channel="telegram", account_id="default", message_id="f", chat=chat, sender=Sender(id="ann"), text="hi"
    )
    found = await world.gateway.upkeep.foresee(replace(inbound, mentioned=True))
    return next(row.recorded.decision.outcome for row in found.decisions if row.recorded.decision.kind == "freshness")
