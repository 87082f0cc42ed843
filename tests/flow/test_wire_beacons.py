"""What clients are told of the gateway as a whole: who is connected, and how it is (RPC-38, LEAK-4)."""

from __future__ import annotations

import asyncio

from instar.core.model.view import ChannelFacts, GatewayStatus
from instar.errors import StoreError
from instar.testing.clock import ManualClock
from tests.builders.fake_gateway import FakeGateway
from tests.builders.town import PEOPLE, open_town
from tests.builders.wire import open_client, open_server, run_story

DESK = {"id": "openclaw-control-ui", "version": "1", "platform": "web", "mode": "ui", "instanceId": "desk"}
PASSING = {"id": "cli", "version": "1", "platform": "linux", "mode": "cli"}


def names(presence):
    return [entry["host"] for entry in presence]


class Ailing(FakeGateway):
    """A gateway whose channel, or store, can fail."""

    problem: str | None = None
    is_store_broken = False

    async def status(self, *, recent=10, owner_in=None):
        if self.is_store_broken:
            raise StoreError("the disk is gone", why="pulled", fix="Put it back.")
        channel = ChannelFacts(name="telegram", type="bridge", running=self.problem is None, error=self.problem)
        return GatewayStatus(sessions=0, recent=(), channels=(channel,), store={})


async def pass_time(clock, seconds):
    """Let the tasks that wait for the clock see that time has passed."""
    for _ in range(int(seconds)):
        clock.advance(1.0)
        for _ in range(5):
            await asyncio.sleep(0)


def test_the_owner_hears_who_comes_and_goes():
    async def story():
        async with open_server(limits={"presence_interval_s": 0.01}) as (server, _), open_client(server) as owner:
            known = owner.hello["snapshot"]
            assert {"presence", "health"} <= set(owner.hello["features"]["events"])
            assert names(known["presence"]) == ["gateway", "gateway-client"]
            async with open_client(server, client=DESK) as desk:
                assert names(desk.hello["snapshot"]["presence"]) == ["gateway", "openclaw-control-ui", "gateway-client"]
                heard = await owner.event("presence")
                assert names(heard["presence"]) == ["gateway", "openclaw-control-ui", "gateway-client"]
            assert names((await owner.event("presence"))["presence"]) == ["gateway", "gateway-client"]
            assert desk.events == []  # its own coming was in its snapshot

    run_story(story)


def test_the_frame_carries_a_version_above_that_of_the_snapshot():
    async def story():
        async with open_server() as (server, _), open_client(server) as owner:
            known = owner.hello["snapshot"]["stateVersion"]["presence"]
            async with open_client(server, client=DESK):
                while not (frames := [frame for frame in owner.events if frame["event"] == "presence"]):
                    owner.events.append(await owner.receive())
                assert frames[0]["stateVersion"]["presence"] > known

    run_story(story)


def test_whoever_asks_one_thing_and_goes_is_no_news():
    async def story():
        async with open_server(limits={"presence_interval_s": 0.01}) as (server, _), open_client(server) as owner:
            async with open_client(server, client=PASSING) as command:
                assert names(command.hello["snapshot"]["presence"]) == ["gateway", "gateway-client"]
            async with open_client(server, client=DESK):
                assert "openclaw-control-ui" in names((await owner.event("presence"))["presence"])
            assert [frame for frame in owner.events if frame["event"] == "presence"] == []

    run_story(story)


def test_a_person_hears_of_nobody_and_a_client_that_may_not_read_of_nothing():
    async def story():
        async with open_town(PEOPLE) as town, town.client() as owner, town.client("alice") as alice:
            assert alice.hello["snapshot"]["presence"] == []
            assert alice.hello["snapshot"]["stateVersion"] == {"presence": 0, "health": 0}
            heard = await owner.event("presence")
            assert {"id": "alice"} in [entry.get("user") for entry in heard["presence"]]
            async with town.client("bob") as bob:
                await owner.event("presence")
                await bob.ask("agents.list")
                await alice.ask("agents.list")
            assert [frame["event"] for frame in (*alice.events, *bob.events)] == []

    run_story(story)


def test_health_is_told_each_minute_and_at_once_when_it_changes():
    async def story():
        clock, gateway = ManualClock(), Ailing()
        async with open_server(gateway, clock=clock) as (server, _), open_client(server) as owner:
            await pass_time(clock, 31)
            first = await owner.event("health")
            assert (first["ok"], first["channels"]["telegram"]["running"]) == (True, True)
            gateway.problem = "wrong token"
            await pass_time(clock, 31)
            second = await owner.event("health")
            assert second["channels"]["telegram"] == {
                "type": "bridge",
                "configured": True,
                "running": False,
                "error": "wrong token",
            }
            await pass_time(clock, 31)
            await owner.ask("agents.list")
            assert [frame for frame in owner.events if frame["event"] == "health"] == []
            await pass_time(clock, 31)
            assert (await owner.event("health"))["ts"] > second["ts"]
            gateway.is_store_broken = True
            await pass_time(clock, 31)
            ailing = await owner.event("health", ok=False)
            assert set(ailing) == {"ok", "ts", "error"}

    run_story(story)


def test_health_is_looked_up_for_nobody():
    async def story():
        clock, gateway = ManualClock(), Ailing()
        asked = []
        load = gateway.status

        async def counted(**wanted):
            asked.append(wanted)
            return await load(**wanted)

        gateway.status = counted
        async with open_server(gateway, clock=clock) as (server, _):
            await pass_time(clock, 95)
            async with open_client(server, scopes=[]) as nobody:
                await pass_time(clock, 95)
                await nobody.event("tick")
            assert asked == []

    run_story(story)
