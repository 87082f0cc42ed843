"""What maintenance does to a store that is used: planned, archived, removed, recorded (MAINT-*, LOSS-8)."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, replace

import pytest
from structlog.testing import capture_logs

from instar.core.lifecycle.maintenance import CleanupOptions
from instar.core.model.change import SessionChange, TranscriptHead
from instar.core.model.ids import AgentId, SessionKey
from instar.core.model.query import SessionQuery
from instar.core.model.view import NewSession
from instar.testing.gateway import GatewayInMemory
from instar.testing.runner import ScriptedRunner
from instar.testing.script import Reply
from tests.builders.stories import Gate, build_config, read_decisions, story

AGENT = AgentId("main")
DAY_S = 86_400


def build_world(*, runner=None, **maintenance):
    return GatewayInMemory(build_config(session={"maintenance": maintenance}), runner=runner)


def key_of(sender):
    return SessionKey(f"agent:main:telegram:direct:{sender}")


async def speak(world, *senders):
    for sender in senders:
        await world.channel("telegram").post("hello", sender=sender, name=sender.title())
        await world.settle()
        world.clock.advance(1)


async def keys(world):
    page = await world.store.list_sessions(SessionQuery(archived=None, limit=None))
    return {session.key for session in page.sessions}


def actions(report):
    return {step.key: step.action for step in report.plan.steps if step.action != "keep"}


@story
async def test_warn_mode_changes_nothing_and_enforce_removes_what_is_stale():
    async with build_world(pruneAfter="1d") as world:
        await speak(world, "ann", "bob")
        world.clock.jump(world.clock.now() + 2 * DAY_S * 1000)
        await speak(world, "cid")
        report = await world.gateway.maintenance.clean(AGENT, trigger="write")
        assert actions(report) == {key_of("ann"): "prune-stale", key_of("bob"): "prune-stale"}
        assert report.applied_count == 0
        assert await keys(world) == {key_of("ann"), key_of("bob"), key_of("cid")}
        report = await world.gateway.maintenance.clean(AGENT, trigger="cleanup-enforce")
        assert report.applied_count == 2
        assert await keys(world) == {key_of("cid")}


@story
async def test_a_removed_session_leaves_its_archive_and_the_reason():
    async with build_world(mode="enforce", pruneAfter="1d") as world:
        await speak(world, "ann")
        session_id = (await world.store.load_session(key_of("ann"))).session_id
        world.clock.jump(world.clock.now() + 2 * DAY_S * 1000)
        await world.gateway.maintenance.clean(AGENT, trigger="write")
        assert [head.session_id for head in world.archives.heads] == [session_id]
        (row,) = await read_decisions(world, key_of("ann"), kind="maintenance")
        assert (row.decision.outcome, row.decision.rule) == ("prune-stale", "MAINT-3")
        # Somebody who writes again gets a session again (STORE-11).
        await speak(world, "ann")
        assert await keys(world) == {key_of("ann")}


@story
async def test_a_store_that_is_enforced_is_cut_back_as_it_grows():
    async with build_world(mode="enforce", maxEntries=2) as world:
        await speak(world, "ann", "bob")
        assert await keys(world) == {key_of("ann"), key_of("bob")}
        await speak(world, "cid")
        assert await keys(world) == {key_of("bob"), key_of("cid")}
        (row,) = await read_decisions(world, key_of("ann"), kind="maintenance")
        assert (row.decision.outcome, row.decision.rule) == ("cap-overflow", "MAINT-4")
        # A plan reads every row, so a store is not planned for again at once.
        await speak(world, "dan", "eve")
        assert len(await keys(world)) == 4
        await world.run_for(60)
        assert await keys(world) == {key_of("dan"), key_of("eve")}


@story
async def test_a_large_store_is_cut_back_from_its_high_water_mark_on():
    async with build_world(mode="enforce", maxEntries=50) as world:
        for number in range(74):
            await world.gateway.sessions.create(NewSession(key=key_of(number)), who="ann")
            await world.settle()
        assert len(await keys(world)) == 74
        await world.gateway.sessions.create(NewSession(key=key_of("last")), who="ann")
        await world.run_for(1)
        assert len(await keys(world)) == 50


@story
async def test_a_budget_of_space_counts_the_transcripts_in_the_database_too():
    session = {"maintenance": {"mode": "enforce", "maxDiskBytes": 13_000}, "mirror": False}
    async with GatewayInMemory(build_config(session=session)) as world:
        for sender in ("ann", "bob", "cid"):
            await world.channel("telegram").post("long " * 400, sender=sender)
            await world.settle()
            world.clock.advance(1)
        report = await world.gateway.maintenance.clean(AGENT, trigger="write")
        assert report.disk.over
        assert actions(report) == {key_of("ann"): "evict-budget"}
        assert await keys(world) == {key_of("bob"), key_of("cid")}
        assert report.disk.after_bytes <= 10_400


@story
async def test_a_store_in_warn_mode_only_grows():
    async with build_world(maxEntries=2) as world:
        await speak(world, "ann", "bob", "cid")
        await world.run_for(120)
        assert len(await keys(world)) == 3


@story
async def test_the_cap_takes_the_oldest_and_spares_what_is_protected():
    async with build_world(maxEntries=2) as world:
        await speak(world, "ann", "bob", "cid", "dan")
        await world.gateway.sessions.patch(key_of("ann"), {"pinned": True}, who="ann")
        await world.gateway.sessions.patch(key_of("bob"), {"archived": True}, who="bob")
        report = await world.gateway.maintenance.clean(AGENT, trigger="cleanup-enforce", active_key=key_of("cid"))
        assert actions(report) == {key_of("dan"): "cap-overflow"}
        assert await keys(world) == {key_of("ann"), key_of("bob"), key_of("cid")}
        # What keeps the bound from being reached is named (LOSS-8).
        assert {blocker.key for blocker in report.plan.blockers} == await keys(world)


@dataclass(slots=True)
class SlowArchives:
    """Archives that keep whoever archives waiting, until a gate is opened."""

    gate: Gate = field(default_factory=Gate)

    async def archive(self, head: TranscriptHead) -> str:
        await self.gate()
        return f"{head.session_id}.jsonl.deleted.zst"


def build_slow_world(**maintenance):
    slow = SlowArchives()
    config = build_config(session={"maintenance": maintenance})
    return GatewayInMemory(config, arm=lambda parts: replace(parts, archiver=slow)), slow.gate


@story
async def test_two_cleanups_at_once_remove_what_one_would():
    world, gate = build_slow_world(maxEntries=2)
    async with world:
        await speak(world, "ann", "bob", "cid", "dan")
        both = [
            asyncio.ensure_future(world.gateway.maintenance.clean(AGENT, trigger="cleanup-enforce")) for _ in range(2)
        ]
        await gate.reached.wait()
        await world.run_for(1)
        gate.open()
        reports = await asyncio.gather(*both)
        assert await keys(world) == {key_of("cid"), key_of("dan")}
        assert [report.applied_count for report in reports] == [2, 0]


@pytest.mark.parametrize("change", [{"pinned": True}, {"archived": True}, None])
@story
async def test_a_session_that_somebody_came_back_to_while_others_are_removed_stays(change):
    world, gate = build_slow_world(pruneAfter="1d")
    async with world:
        await speak(world, "ann", "bob")
        world.clock.jump(world.clock.now() + 2 * DAY_S * 1000)
        cleaning = asyncio.ensure_future(world.gateway.maintenance.clean(AGENT, trigger="cleanup-enforce"))
        await gate.reached.wait()
        # The one who was here last goes first, so ann still waits.
        if change is None:
            await world.channel("telegram").post("I am back", sender="ann", name="Ann")
            await asyncio.wait_for(world.channel("telegram").wait_sent(3), 60)
        else:
            await world.gateway.sessions.patch(key_of("ann"), change, who="ann")
        gate.open()
        report = await cleaning
        assert actions(report) == {key_of("ann"): "prune-stale", key_of("bob"): "prune-stale"}
        assert report.applied_count == 1
        assert await keys(world) == {key_of("ann")}


@story
async def test_a_gateway_that_stops_while_its_own_cleanup_is_busy_stops_in_good_order_and_cleans_after_its_start():
    world, gate = build_slow_world(mode="enforce", pruneAfter="30m")
    async with world:
        await speak(world, "ann")
        await world.run_for(3601)
        assert gate.reached.is_set()
        await asyncio.wait_for(world.restart(), 60)
        assert await keys(world) == {key_of("ann")}
        gate.open()
        await world.run_for(3601)
        assert await keys(world) == set()


@story
async def test_a_session_at_work_is_left_alone():
    gate = Gate()
    runner = ScriptedRunner(lambda _asked: Reply(text="late", before_chunk=gate))
    async with build_world(runner=runner, mode="enforce", pruneAfter="1d") as world:
        await world.channel("telegram").post("hello", sender="ann", name="Ann")
        await gate.reached.wait()
        world.clock.jump(world.clock.now() + 2 * DAY_S * 1000)
        report = await world.gateway.maintenance.clean(AGENT, trigger="cleanup-enforce")
        assert actions(report) == {}
        gate.open()
        await world.settle()
        assert await keys(world) == {key_of("ann")}


@story
async def test_a_dry_run_never_changes_anything_and_names_each_key():
    async with build_world(mode="enforce", pruneAfter="1d") as world:
        await speak(world, "ann")
        world.clock.jump(world.clock.now() + 2 * DAY_S * 1000)
        await speak(world, "bob")
        report = await world.gateway.maintenance.clean(AGENT, trigger="dry-run")
        assert {step.key: step.action for step in report.plan.steps} == {
            key_of("ann"): "prune-stale",
            key_of("bob"): "keep",
        }
        assert report.would_mutate
        assert len(await keys(world)) == 2


@story
async def test_neither_reading_nor_starting_removes_anything():
    async with build_world(mode="enforce", pruneAfter="1d", maxEntries=2) as world:
        await speak(world, "ann", "bob")
        world.clock.jump(world.clock.now() + 9 * DAY_S * 1000)
        await world.restart()
        await world.gateway.sessions.history(key_of("ann"), limit=10)
        assert len(await keys(world)) == 2


@story
async def test_the_gateway_looks_after_its_store_once_an_hour():
    async with build_world(mode="enforce", pruneAfter="30m") as world:
        await speak(world, "ann")
        await world.run_for(3601)
        assert await keys(world) == set()


@story
async def test_a_dashboard_session_nobody_uses_is_put_away_and_not_deleted():
    async with build_world(mode="enforce", archiveDashboardAfter="1d") as world:
        key = SessionKey("agent:main:dashboard:one")
        await world.gateway.sessions.patch(key, {"label": "one"}, who="ann")
        world.clock.jump(world.clock.now() + 2 * DAY_S * 1000)
        report = await world.gateway.maintenance.clean(AGENT, trigger="write")
        assert actions(report) == {key: "archive-dashboard"}
        assert (await world.store.load_session(key)).lifecycle.archived_at is not None


@story
async def test_rows_without_a_transcript_go_when_that_is_asked_for():
    async with build_world() as world:
        await speak(world, "ann")
        await world.gateway.sessions.patch(SessionKey("agent:main:explicit:empty"), {"label": "empty"}, who="ann")
        report = await world.gateway.maintenance.clean(
            AGENT, trigger="cleanup-enforce", options=CleanupOptions(fix_missing=True)
        )
        assert actions(report) == {"agent:main:explicit:empty": "prune-missing"}
        assert await keys(world) == {key_of("ann")}


@story
async def test_a_warning_names_what_would_go_and_changes_nothing():
    async with build_world(pruneAfter="1d") as world:
        await speak(world, "ann", "bob")
        world.clock.jump(world.clock.now() + 2 * DAY_S * 1000)
        with capture_logs() as logs:
            await world.gateway.maintenance.clean(AGENT, trigger="cleanup", active_key=key_of("bob"))
        (told,) = [entry for entry in logs if entry["event"] == "maintenance_would_remove"]
        assert told["going"] == (f"{key_of('ann')} prune-stale",)
        assert told["in_use"] == (key_of("bob"),)
        assert await keys(world) == {key_of("ann"), key_of("bob")}


@story
async def test_a_session_whose_model_is_fixed_stays():
    async with build_world(mode="enforce", pruneAfter="1d") as world:
        await speak(world, "ann", "bob")
        session = await world.store.load_session(key_of("ann"))
        locked = replace(session, extra={**session.extra, "modelSelectionLocked": True})
        await world.store.change(
            "lock",
            key_of("ann"),
            now=world.clock.now(),
            fence=None,
            decide=lambda _facts: SessionChange(session=locked),
        )
        world.clock.jump(world.clock.now() + 2 * DAY_S * 1000)
        await world.gateway.maintenance.clean(AGENT, trigger="write")
        assert await keys(world) == {key_of("ann")}
