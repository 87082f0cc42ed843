"""What callers may ask of sessions, also while a turn runs: create, reset, delete, inject (RPC-5, 7, 8, 18, 34, 35)."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from instar.core.model.change import SessionChange, TurnOptions
from instar.core.model.event import MessageStored, RunEnded, SessionChanged
from instar.core.model.ids import AgentId, EntryId, SessionKey
from instar.core.model.query import SessionQuery
from instar.core.model.view import NewSession
from instar.errors import InvalidRequest, NotFound, Unavailable
from instar.gateway import lane as lane_module
from instar.testing.gateway import GatewayInMemory
from instar.testing.runner import ScriptedRunner
from instar.testing.script import Reply, echo_script
from tests.builders.stories import (
    DIRECT,
    Gate,
    Listener,
    ask,
    build_config,
    read_decisions,
    read_inbox,
    read_lines,
    sent_texts,
    story,
    then,
    until,
)


def build_world(gate=None, *, mode="followup"):
    """With a gate, the first answer waits for it."""
    config = build_config(messages={"queue": {"mode": mode, "debounceMs": 0}})
    if gate is None:
        return GatewayInMemory(config)
    held = lambda _: Reply(text="half and half", chunks=2, before_chunk=gate)  # noqa: E731 - a script
    return GatewayInMemory(config, runner=ScriptedRunner(then(held, echo_script)))


async def hold_a_turn(world, gate, *behind):
    await world.channel("telegram").post("first", sender="ann")
    await gate.reached.wait()
    for text in behind:
        await world.channel("telegram").post(text, sender="ann")
    await until(lambda: world.gateway.lanes.get(DIRECT).waiting_count == len(behind))


# --- reset ------------------------------------------------------------------------------------------------------------


@story
async def test_a_reset_closes_the_transcript_and_the_next_message_begins_anew():
    async with build_world() as world:
        await world.channel("telegram").post("one", sender="ann")
        await world.settle()
        listener = Listener(world)
        view = await world.gateway.sessions.reset(DIRECT, reason="reset", who="operator")
        assert await read_lines(world) == []
        assert view.session.counters.output_tokens == 0
        await world.channel("telegram").post("two", sender="ann")
        await world.settle()
        assert await read_lines(world) == ["user: two", "assistant: You said: two"]
        assert [head.close_reason for head in await world.store.load_transcripts(DIRECT)] == [None, "reset"]
        assert next(event.reason for event in listener.events if isinstance(event, SessionChanged)) == "reset"
        (row,) = await read_decisions(world, kind="reset")
        assert (row.decision.rule, row.who) == ("RPC-34", "operator")


@story
async def test_a_reset_stops_the_turn_that_runs_and_drops_what_waits():
    gate = Gate()
    async with build_world(gate) as world:
        listener = Listener(world)
        await hold_a_turn(world, gate, "second")
        await world.gateway.sessions.reset(DIRECT, reason="new", who="operator")
        await world.settle()
        old = (await world.store.load_transcripts(DIRECT))[1]
        assert await read_lines(world, session_id=old.session_id) == ["user: first", "assistant (aborted):"]
        assert await read_lines(world) == []
        assert await read_inbox(world) == [("first", "answered", "reset"), ("second", "expired", "reset")]
        assert sent_texts(world) == ["Your message “second” was not answered: the session was reset."]
        assert [event.state for event in listener.events if isinstance(event, RunEnded)] == ["aborted", "aborted"]


@story
async def test_a_message_that_comes_during_a_reset_begins_the_new_session():
    gate = Gate()
    async with build_world(gate) as world:
        await hold_a_turn(world, gate)
        resetting = asyncio.ensure_future(world.gateway.sessions.reset(DIRECT, reason="reset", who="operator"))
        await asyncio.sleep(0)
        await world.channel("telegram").post("second", sender="ann")
        await resetting
        await world.settle()
        assert await read_lines(world) == ["user: second", "assistant: You said: second"]


@story
async def test_resetting_what_is_not_there_begins_it():
    async with build_world() as world:
        view = await world.gateway.sessions.reset(DIRECT, reason="reset", who="operator")
        assert view.session.key == DIRECT
        assert len(await world.store.load_transcripts(DIRECT)) == 1


# --- delete -----------------------------------------------------------------------------------------------------------


@story
async def test_a_deletion_archives_every_transcript_and_forgets_the_session():
    async with build_world() as world:
        for text in ("one", "/new two"):
            await world.channel("telegram").post(text, sender="ann")
            await world.settle()
        listener = Listener(world)
        deleted = await world.gateway.sessions.delete(DIRECT, delete_transcript=True, who="operator")
        assert (deleted.deleted, len(deleted.archived)) == (True, 2)
        assert await world.store.load_session(DIRECT) is None
        assert await world.store.load_transcripts(DIRECT) == ()
        assert [event.reason for event in listener.events if isinstance(event, SessionChanged)] == ["delete"]
        again = await world.gateway.sessions.delete(DIRECT, delete_transcript=True, who="operator")
        assert (again.deleted, again.archived) == (False, ())


@story
async def test_a_message_after_a_deletion_begins_a_session_that_knows_nothing():
    async with build_world() as world:
        await world.channel("telegram").post("one", sender="ann")
        await world.settle()
        await world.gateway.sessions.delete(DIRECT, delete_transcript=True, who="operator")
        await world.channel("telegram").post("two", sender="ann")
        await world.settle()
        assert await read_lines(world) == ["user: two", "assistant: You said: two"]
        assert len(world.runner.requests[-1].messages) == 1


@story
async def test_a_deletion_stops_the_turn_that_runs_and_tells_those_who_wait():
    gate = Gate()
    async with build_world(gate) as world:
        await hold_a_turn(world, gate, "second")
        deleted = await world.gateway.sessions.delete(DIRECT, delete_transcript=True, who="operator")
        await world.settle()
        assert deleted.deleted
        assert world.runner.cancelled == 1
        assert [(state, reason) for _, state, reason in await read_inbox(world)] == [
            ("answered", "delete"),
            ("expired", "deleted"),
        ]
        assert await world.store.load_session(DIRECT) is None


@story
async def test_a_message_that_comes_during_a_deletion_is_answered_in_a_new_session():
    """It was acknowledged, so it is not lost, and it was not there when the deletion began (LOSS-2, STORE-11)."""
    world = build_world()
    posts = []

    class Archives:
        async def archive(self, head):
            posts.append(asyncio.ensure_future(world.channel("telegram").post("two", sender="ann")))
            for _ in range(50):
                await asyncio.sleep(0)
            return "archived"

    world.archives = Archives()
    async with world:
        await world.channel("telegram").post("one", sender="ann")
        await world.settle()
        await world.gateway.sessions.delete(DIRECT, delete_transcript=True, who="operator")
        told = await posts[0]
        await world.settle()
        assert told.status == "accepted"
        assert await read_lines(world) == ["user: two", "assistant: You said: two"]
        assert (await read_inbox(world))[-1] == ("two", "answered", None)
        assert sent_texts(world) == ["You said: one", "You said: two"]


@story
async def test_a_message_that_is_being_accepted_when_a_deletion_begins_is_ended_and_told():
    async with build_world() as world:
        await world.channel("telegram").post("one", sender="ann")
        await world.settle()
        posting = asyncio.ensure_future(world.channel("telegram").post("two", sender="ann"))
        await until(lambda: world.fuse.steps[-1] == "before accept" or posting.done())
        deleting = asyncio.ensure_future(world.gateway.sessions.delete(DIRECT, delete_transcript=True, who="operator"))
        await posting
        await deleting
        await world.settle()
        (_, (_, state, reason)) = await read_inbox(world)
        assert (state, reason) in {("answered", "delete"), ("expired", "deleted")}
        assert await world.store.load_session(DIRECT) is None
        assert world.runner.running == 0


@pytest.mark.parametrize("key", ["agent:main:main", "global"])
def test_the_main_session_cannot_be_deleted(key):
    @story
    async def play():
        async with build_world() as world:
            with pytest.raises(InvalidRequest, match="main session"):
                await world.gateway.sessions.delete(SessionKey(key), delete_transcript=True, who="operator")

    play()


@story
async def test_a_turn_that_will_not_stop_makes_a_deletion_give_up_and_changes_nothing():
    gate = Gate()
    async with build_world(gate) as world:
        await hold_a_turn(world, gate)
        from instar.errors import StoreFull

        world.fuse.refusals += [StoreFull("full")] * 50
        deleting = asyncio.ensure_future(world.gateway.sessions.delete(DIRECT, delete_transcript=True, who="operator"))
        await until(lambda: world.clock.sleepers > 1)
        await world.run_for(lane_module.STOP_WAIT_S)
        with pytest.raises(Unavailable, match="did not stop"):
            await deleting
        assert await world.store.load_session(DIRECT) is not None
        world.fuse.refusals.clear()
        await world.run_for(3)
        await world.settle()
        assert await read_inbox(world) == [("first", "answered", "delete")]


@story
async def test_the_transcript_may_be_kept():
    async with build_world() as world:
        await world.channel("telegram").post("one", sender="ann")
        await world.settle()
        kept = await world.gateway.sessions.delete(DIRECT, delete_transcript=False, who="operator")
        assert (kept.deleted, kept.archived) == (True, ())
        assert await world.store.load_session(DIRECT) is None
        assert len(await world.store.load_transcripts(DIRECT)) == 1


# --- create, inject ---------------------------------------------------------------------------------------------------


@story
async def test_a_created_session_has_a_key_of_its_own_and_what_was_asked_for():
    async with build_world() as world:
        view = await world.gateway.sessions.create(NewSession(label="Plans", thinking_level="high"), who="operator")
        assert view.session.key.startswith("agent:main:dashboard:")
        assert (view.session.naming.label, view.session.overrides.thinking_level) == ("Plans", "high")
        await ask(world, "hello", key=view.session.key)
        await world.settle()
        assert await read_lines(world, view.session.key) == ["user: hello", "assistant: You said: hello"]
        with pytest.raises(InvalidRequest, match="label already in use"):
            await world.gateway.sessions.create(NewSession(label="Plans"), who="operator")


@story
async def test_creating_the_session_of_a_running_turn_loses_nothing_of_it():
    gate = Gate()
    async with build_world(gate) as world:
        await hold_a_turn(world, gate)
        view = await world.gateway.sessions.create(NewSession(key=DIRECT, label="Ann"), who="operator")
        gate.open()
        await world.settle()
        session = await world.store.load_session(DIRECT)
        assert session.naming.label == "Ann"
        assert session.session_id == view.session.session_id
        assert session.counters.output_tokens > 0
        assert await read_lines(world) == ["user: first", "assistant: half and half"]


@story
async def test_a_fork_begins_with_the_words_of_its_parent():
    async with build_world() as world:
        await world.channel("telegram").post("one", sender="ann")
        await world.settle()
        view = await world.gateway.sessions.create(NewSession(parent_key=DIRECT, fork=True), who="operator")
        assert await read_lines(world, view.session.key) == ["user: one", "assistant: You said: one"]
        await ask(world, "two", key=view.session.key)
        await world.settle()
        assert len(world.runner.requests[-1].messages) == 3
        assert len(await read_lines(world)) == 2
        with pytest.raises(NotFound):
            await world.gateway.sessions.create(
                NewSession(parent_key=SessionKey("agent:main:none"), fork=True), who="operator"
            )


@story
async def test_a_fork_takes_the_active_branch_alone_with_its_ids():
    async with build_world() as world:
        for text in ("one", "two"):
            await world.channel("telegram").post(text, sender="ann")
            await world.settle()
        session = await world.store.load_session(DIRECT)
        first, answer, *_ = (await world.store.load_all_entries(session.session_id)).entries
        elsewhere = replace(first.entry, id=EntryId("abcdef01"), parent_id=answer.entry.id)

        def move(facts):
            return SessionChange(session=facts.session, entries=(elsewhere,))

        await world.store.change("move_branch", DIRECT, now=world.clock.now(), fence=None, decide=move)
        view = await world.gateway.sessions.create(NewSession(parent_key=DIRECT, fork=True), who="operator")
        page = await world.store.load_all_entries(view.session.session_id)
        ids = [first.entry.id, answer.entry.id, elsewhere.id]
        assert [one.entry.id for one in page.entries] == ids
        assert [one.entry.parent_id for one in page.entries] == [None, *ids[:2]]
        assert view.session.session_id != session.session_id
        assert len((await world.store.load_all_entries(session.session_id)).entries) == 5


@story
async def test_a_line_injected_while_the_model_speaks_stands_where_it_came():
    gate = Gate()
    async with build_world(gate) as world:
        listener = Listener(world)
        await hold_a_turn(world, gate)
        await world.gateway.sessions.inject(DIRECT, "a note", label="system", who="operator")
        gate.open()
        await world.settle()
        assert await read_lines(world) == [
            "user: first",
            "assistant (injected): [system]\n\na note",
            "assistant: half and half",
        ]
        seqs = [event.seq for event in listener.events if isinstance(event, MessageStored)]
        assert seqs == [1, 2, 3]
        await world.channel("telegram").post("second", sender="ann")
        await world.settle()
        assert len(world.runner.requests[-1].messages) == 4


@story
async def test_nothing_is_injected_where_there_is_no_session():
    async with build_world() as world:
        with pytest.raises(NotFound):
            await world.gateway.sessions.inject(DIRECT, "a note", label=None, who="operator")


@story
async def test_lists_show_what_runs():
    gate = Gate()
    async with build_world(gate) as world:
        await hold_a_turn(world, gate)
        listing = await world.gateway.sessions.list(SessionQuery(), titles=True, last_messages=True)
        (view,) = listing.sessions
        assert len(view.active_run_ids) == 1
        assert (view.derived_title, view.last_message) == ("first", "first")
        status = await world.gateway.status()
        assert (status.runs_active, status.sessions) == (1, 1)
        gate.open()
        await world.settle()
        history = await world.gateway.sessions.history(DIRECT, limit=1)
        assert (len(history.entries), history.has_more, history.total) == (1, True, 2)


@story
async def test_a_run_may_ask_for_its_own_queue_mode():
    gate = Gate()
    async with build_world(gate, mode="steer") as world:
        await hold_a_turn(world, gate)
        await ask(world, "later", run_id="r1", options=TurnOptions(queue_mode="followup"))
        gate.open()
        await world.settle()
        assert [line for line in await read_lines(world) if line.startswith("user")] == ["user: first", "user: later"]
        assert [state for _, state, _ in await read_inbox(world)] == ["answered", "answered"]


# --- the title (ENTRY-12) ---------------------------------------------------------------------------------------------


async def read_title(world, key=DIRECT):
    found = await world.gateway.sessions.describe(key, titles=True)
    return found.derived_title


@story
async def test_a_life_is_called_by_its_first_message_however_it_began():
    async with build_world() as world:
        sessions, ann = world.gateway.sessions, world.channel("telegram")

        async def say(text):
            await ann.post(text, sender="ann")
            await world.settle()
            return await read_title(world)

        await sessions.create(NewSession(key=DIRECT), who="operator")
        assert await say("made by create") == "made by create"
        fork = await sessions.create(NewSession(parent_key=DIRECT, fork=True), who="operator")
        assert await read_title(world, fork.session.key) == "made by create"
        await sessions.reset(DIRECT, reason="reset", who="operator")
        assert await say("made by reset") == "made by reset"
        await say("/new")
        assert await say("made by a command") == "made by a command"
        assert await say("and its second") == "made by a command"
        assert await say("/resume") == "made by reset"
        await sessions.delete(DIRECT, delete_transcript=True, who="operator")
        await sessions.patch(DIRECT, {"thinkingLevel": "low"}, who="operator")
        assert await say("made by patch") == "made by patch"


@pytest.mark.parametrize(
    ("new", "why"),
    [
        (NewSession(agent_id=AgentId("ghost")), "unknown agent id 'ghost'"),
        (NewSession(fork=True), "fork needs a parent"),
        (NewSession(model="nosuch"), "model not allowed: nosuch"),
    ],
    ids=["agent", "fork", "model"],
)
def test_a_session_that_could_not_be_what_is_asked_is_not_created(new, why):
    @story
    async def told():
        async with build_world() as world:
            with pytest.raises(InvalidRequest, match=why):
                await world.gateway.sessions.create(new, who="test")
            assert (await world.store.list_sessions(SessionQuery())).total == 0

    told()
