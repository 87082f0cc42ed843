"""What keeps maintenance from one session, one store or one job keeps it from no other, and is told (MAINT-*, LOSS-8).

The archives and the files are real, and what is in their way stands on a real disk. A folder where a file belongs, and
a file where a folder belongs, stop everybody, also who may read and write everything.
"""

from __future__ import annotations

import os
import shutil
from contextlib import contextmanager
from dataclasses import replace

import pytest
from structlog.testing import capture_logs

from instar.config.paths import mirror_sessions_dir
from instar.core.model.ids import AgentId, SessionKey
from instar.core.model.query import SessionQuery
from instar.errors import StoreError
from instar.gateway.maintenance import FAILED_STEPS_MAX
from instar.stores.archive import TranscriptArchiver
from instar.stores.disk import SessionFiles
from instar.testing.gateway import GatewayInMemory
from tests.builders.mirror import until
from tests.builders.stories import build_config, story

MAIN, TEAM = AgentId("main"), AgentId("team")

STALE = {"maintenance": {"mode": "enforce", "pruneAfter": "30m"}, "mirror": False}

TWO_AGENTS = {
    "agents": {"list": [{"id": "main", "default": True}, {"id": "team"}]},
    "bindings": [{"agentId": "team", "match": {"channel": "slack"}}],
}


class Defective:
    """Files of which those of one agent cannot be measured, for a reason that nobody thought of."""

    def __init__(self, files):
        self.files = files

    async def measure(self, agent_id):
        if agent_id == MAIN:
            raise ZeroDivisionError
        return await self.files.measure(agent_id)

    async def remove(self, agent_id, files):
        return await self.files.remove(agent_id, files)


def build_world(state_dir, *, disk=SessionFiles, **config):
    """A gateway whose archives and files are those of a real state directory."""
    raw = build_config(session=STALE, channels=("telegram", "slack"), **config)

    def arm(parts):
        return replace(
            parts,
            archiver=TranscriptArchiver(world.store, world.config, clock=world.clock),
            disk=disk(world.store, world.config),
        )

    world = GatewayInMemory(raw, state_dir=state_dir, arm=arm)
    return world


async def speak(world, channel, sender):
    await world.channel(channel).post("hello", sender=sender, name=sender.title())
    await world.settle()
    world.clock.advance(1)


async def peers(world):
    page = await world.store.list_sessions(SessionQuery(archived=None, limit=None))
    return {session.key.rsplit(":", 1)[1] for session in page.sessions}


def said(logs, event):
    return [line for line in logs if line["event"] == event]


async def run_for_an_hour(world, logs, *, told):
    """Let the hourly maintenance come to its end; threads that write files take their own time."""
    await world.run_for(3601)
    await until(lambda: len(said(logs, "maintenance_done")) == told)
    await world.run_for(1)


@contextmanager
def file_for_folder(folder):
    """A file stands where the folder belongs."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.parent.mkdir(parents=True, exist_ok=True)
    folder.write_text("in the way", encoding="utf-8")
    try:
        yield
    finally:
        folder.unlink()


async def block_archive_of(world, key):
    """A folder stands where the archive of a session is to be written; that folder."""
    session_id = (await world.store.load_session(SessionKey(key))).session_id
    folder = mirror_sessions_dir(world.config.state_dir, MAIN)
    blocked = folder / f".{session_id}.jsonl.{os.getpid()}.zst.tmp"
    blocked.mkdir(parents=True)
    return blocked


@story
async def test_a_store_whose_folder_fails_is_told_and_the_other_stores_and_jobs_have_their_turn(tmp_path):
    async with build_world(tmp_path, **TWO_AGENTS) as world:
        await speak(world, "telegram", "ann")
        await speak(world, "slack", "bob")
        with file_for_folder(mirror_sessions_dir(tmp_path, MAIN)), capture_logs() as logs:
            await run_for_an_hour(world, logs, told=2)
        assert await peers(world) == {"ann"}
        (failed,) = said(logs, "maintenance_failed")
        assert (failed["agent_id"], failed["log_level"]) == ("main", "error")
        assert "File exists" in failed["error"]
        assert [line["agent_id"] for line in said(logs, "maintenance_done")] == ["main", "team"]
        # The gateway still works, and what was left is taken an hour later.
        await speak(world, "slack", "bob")
        with capture_logs() as logs:
            await run_for_an_hour(world, logs, told=2)
        assert await peers(world) == set()


@story
async def test_a_session_that_cannot_be_archived_stays_and_the_others_go(tmp_path):
    async with build_world(tmp_path) as world:
        for sender in ("ann", "bob", "cid"):
            await speak(world, "telegram", sender)
        blocked = await block_archive_of(world, "agent:main:telegram:direct:bob")
        with capture_logs() as logs:
            await run_for_an_hour(world, logs, told=1)
        assert await peers(world) == {"bob"}
        (failed,) = said(logs, "session_not_removed")
        assert failed["session_key"] == "agent:main:telegram:direct:bob"
        assert str(blocked) in failed["error"]
        (told,) = said(logs, "maintenance_failed")
        assert "1 of 3 failed" in told["error"]
        assert str(blocked) in told["error"]


@story
async def test_whoever_asks_for_a_cleanup_is_told_what_could_not_go(tmp_path):
    async with build_world(tmp_path) as world:
        await speak(world, "telegram", "ann")
        await block_archive_of(world, "agent:main:telegram:direct:ann")
        world.clock.jump(world.clock.now() + 3_600_000)
        with pytest.raises(StoreError, match="1 of 1 failed"):
            await world.gateway.maintenance.clean(MAIN, trigger="cleanup-enforce")
        assert await peers(world) == {"ann"}


@story
async def test_a_plan_of_which_nothing_works_is_given_up_after_a_while(tmp_path):
    async with build_world(tmp_path) as world:
        for number in range(FAILED_STEPS_MAX + 2):
            await speak(world, "telegram", f"p{number}")
        with file_for_folder(mirror_sessions_dir(tmp_path, MAIN)), capture_logs() as logs:
            await run_for_an_hour(world, logs, told=1)
        assert len(said(logs, "session_not_removed")) == FAILED_STEPS_MAX
        assert len(await peers(world)) == FAILED_STEPS_MAX + 2


@story
async def test_a_defect_in_one_store_is_logged_whole_and_keeps_no_other(tmp_path):
    def disk(store, config):
        return Defective(SessionFiles(store, config))

    async with build_world(tmp_path, disk=disk, **TWO_AGENTS) as world:
        await speak(world, "telegram", "ann")
        await speak(world, "slack", "bob")
        with capture_logs() as logs:
            await run_for_an_hour(world, logs, told=1)
        assert await peers(world) == {"ann"}
        (failed,) = said(logs, "maintenance_failed")
        assert (failed["agent_id"], failed["exc_info"]) == ("main", True)
