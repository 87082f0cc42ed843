"""What a session hears of others: that they changed, and never what was said there (STATE-1…9, LEAK-6)."""

from __future__ import annotations

import json

from instar.core.lifecycle.awareness import LOG_TTL_MS
from instar.core.model.ids import SessionKey
from instar.core.model.query import SessionQuery
from instar.testing.gateway import GatewayInMemory
from instar.testing.runner import ScriptedRunner
from instar.testing.script import Reply, call, echo_script
from instar.tools.session_status import SessionStatusTool
from tests.builders.stories import Gate, build_config, read_lines, story, then

MAIN = SessionKey("agent:main:main")
CLUB = SessionKey("agent:main:telegram:group:club")
DIARY = SessionKey("agent:main:subagent:diary")
SECRET = "the heron nests at noon"


def build_world(*, runner=None, tool=None, **session):
    config = build_config(session={"dmScope": "main", **session})
    config["gateway"] = {"allowUnsafe": True}
    config["agents"] = {"defaults": {"compaction": {"keepRecentTokens": 1000}}}
    config["channels"]["telegram"]["activation"] = "always"
    return GatewayInMemory(config, runner=runner, tools={"session_status": tool} if tool else None)


async def tell_club(world, text=SECRET):
    await world.channel("telegram").post(text, sender="bob", name="Bob", chat_type="group", chat_id="club")
    await world.settle()


async def tell_main(world, text="hello"):
    await world.channel("telegram").post(text, sender="ann", name="Ann")
    await world.settle()


def asked(world, message=-1):
    """What the model was asked last, as text."""
    return str(world.runner.requests[-1].messages[message].content)


async def kinds(world, key, *, since=0):
    found = await world.gateway.sessions.changes(key, key, since=since)
    assert found is not None
    return [event.kind for event in found.events]


@story
async def test_the_main_session_hears_once_that_a_group_changed_and_no_word_of_it():
    async with build_world() as world:
        await tell_main(world)
        await tell_club(world)
        await tell_main(world, "anything new?")
        # The first turn with a person lets the main session watch; it is no news itself.
        assert "has changed" not in asked(world)
        await tell_club(world)
        await tell_club(world, "and so does the stork")
        await tell_main(world, "and now?")
        text = asked(world)
        assert text.count(f"Session {CLUB} has changed.") == 1
        assert "changesSince 1" in text
        assert text.endswith("and now?")
        await tell_main(world, "still?")
        # The second message came while the first notice waited: exactly one more.
        assert asked(world).count("has changed") == 1
        await tell_main(world, "done?")
        assert "has changed" not in asked(world)
        for request in world.runner.requests:
            if request.session_key == MAIN:
                assert "heron" not in str(request.messages)
                assert "stork" not in str(request.messages)
        # The notice stands beside the words of the person, not in them.
        said = [line for line in await read_lines(world, MAIN) if line.startswith("user: ")]
        assert said == [f"user: {word}" for word in ("hello", "anything new?", "and now?", "still?", "done?")]


@story
async def test_the_agent_asks_what_happened_and_is_told_without_words():
    tool = SessionStatusTool()
    async with build_world(runner=ScriptedRunner(look_script), tool=tool) as world:
        tool.connect(world.gateway.status_facts, world.gateway.sessions.changes)
        await tell_club(world)
        await tell_club(world)
        await tell_main(world, "look")
        lines = await read_lines(world, MAIN)
        result = next(line for line in lines if line.startswith("session_status → "))
        assert "human_direct_message (human): A person wrote here." in result
        assert "run_completed" in result
        assert "heron" not in result
        # Asking moves no cursor, and other sessions stay unseen.
        assert await world.gateway.sessions.changes(CLUB, MAIN, since=0) is None
        assert (await world.gateway.sessions.changes(MAIN, CLUB, since=0)).state_version == 4


def look_script(asked):
    """Asks for the changes of the club when it is told to look."""
    if asked.last is not None and asked.last.role == "user" and asked.last_user_text.endswith("look"):
        return Reply(calls=(call("session_status", sessionKey=CLUB, changesSince=1),))
    return Reply(text="ok")


@story
async def test_a_reset_of_the_watcher_forgets_what_waited():
    async with build_world() as world:
        await tell_main(world)
        await tell_club(world)
        await tell_club(world)
        await world.gateway.sessions.reset(MAIN, reason="new", who="ann")
        await tell_main(world, "good morning")
        assert "has changed" not in asked(world)
        await tell_club(world)
        await tell_club(world)
        await tell_main(world, "and now?")
        assert "has changed" in asked(world)


@story
async def test_a_parent_watches_a_session_it_adopts_and_hears_of_people_there():
    async with build_world() as world:
        await tell_main(world)
        await world.gateway.sessions.patch(DIARY, {"spawnedBy": MAIN}, who="ann")
        assert await kinds(world, DIARY) == ["adopted"]
        assert (await kinds(world, MAIN))[-1] == "child_spawned"
        assert await world.gateway.sessions.changes(MAIN, DIARY, since=0) is not None
        # The same word again is no second adoption.
        await world.gateway.sessions.patch(DIARY, {"spawnedBy": MAIN, "label": "diary"}, who="ann")
        assert await kinds(world, DIARY) == ["adopted"]


@story
async def test_what_happens_to_a_session_is_logged_and_its_row_tells_the_version():
    gate = Gate()
    runner = ScriptedRunner(then(echo_script, lambda _asked: Reply(text="no end", before_chunk=gate)))
    async with build_world(runner=runner) as world:
        await tell_main(world)
        await world.channel("telegram").post("again", sender="ann", name="Ann")
        await gate.reached.wait()
        await world.gateway.sessions.abort(MAIN, None, who="ann")
        await world.settle()
        assert await kinds(world, MAIN) == [
            "human_direct_message",
            "run_completed",
            "human_direct_message",
            "run_failed",
        ]
        (row,) = (await world.gateway.sessions.list(SessionQuery(), titles=False, last_messages=False)).sessions
        assert row.state_version == 4
        assert (await world.gateway.sessions.describe(MAIN)).state_version == 4
        found = await world.gateway.sessions.changes(MAIN, MAIN, since=0)
        assert "again" not in json.dumps([event.summary for event in found.events])


@story
async def test_a_compaction_is_logged_and_no_news():
    async with build_world(runner=ScriptedRunner(lambda _asked: Reply(text="A record. " + "word " * 40))) as world:
        for word in ("one", "two", "three"):
            await tell_main(world, f"{word} " * 800)
        assert (await world.gateway.upkeep.compact(MAIN, keep_lines=4, who="ann")).status == "compacted"
        assert (await kinds(world, MAIN))[6:] == ["compacted"]
        assert (await world.gateway.upkeep.compact(MAIN, undo=True, who="ann")).status == "compacted"
        assert (await world.gateway.upkeep.compact(MAIN, who="ann")).why == ""
        assert (await kinds(world, MAIN))[6:] == ["compacted", "compacted"]


@story
async def test_maintenance_forgets_old_events_and_no_version_falls():
    async with build_world() as world:
        await tell_main(world)
        world.clock.jump(world.clock.now() + LOG_TTL_MS + 1)
        await tell_main(world)
        assert await world.gateway.maintenance.prune_states() == 2
        found = await world.gateway.sessions.changes(MAIN, MAIN, since=0)
        assert (found.state_version, found.history_gap, len(found.events)) == (4, True, 2)
