import asyncio
import json

from instar.api.connection import Connection
from instar.api.hub import Hub
from instar.api.settings import Limits
from instar.api.streams import Outgoing
from instar.core.model.caller import Caller
from instar.core.model.event import AssistantDelta, SessionChanged
from instar.core.model.ids import AgentId, Instant, SessionKey, TurnId
from instar.core.policy.scopes import READ
from instar.testing.clock import ManualClock
from tests.builders.fake_gateway import FakeOwners


class Listener:
    """A connection whose frames are kept."""

    def __init__(self, hub, *, scopes=(READ,), protocol=4, caps=(), buffer_max_bytes=10_000):
        self.frames = []
        self.aborted = False
        self.may_write = asyncio.Event()
        self.may_write.set()
        self.connection = Connection(
            "c",
            caller=Caller(scopes=frozenset(scopes)),
            protocol=protocol,
            caps=frozenset(caps),
            buffer_max_bytes=buffer_max_bytes,
            write=self._write,
            abort=self._abort,
        )
        hub.add(self.connection)
        self.writing = asyncio.ensure_future(self.connection.write_all())

    async def _write(self, frame):
        await self.may_write.wait()
        self.frames.append(json.loads(frame))

    def _abort(self):
        self.aborted = True


def changed():
    return SessionChanged(session_key=SessionKey("k"), agent_id=AgentId("main"), reason="patch", at=Instant(1))


def run(story):
    async def limited():
        await asyncio.wait_for(story(), timeout=10)

    asyncio.run(limited())


def test_text_that_cannot_be_written_costs_one_event_and_no_more():
    async def story():
        hub = Hub(ManualClock(), Limits(), FakeOwners({}))
        listener = Listener(hub)
        hub.tell([Outgoing(event="a", payload={"text": "\ud800"}), Outgoing(event="b", payload={"x": object()})])
        hub.tell([Outgoing(event="c", payload={"text": "fine"})])
        await listener.connection.flushed()
        assert [(frame["event"], frame["seq"]) for frame in listener.frames] == [("c", 1)]
        listener.writing.cancel()

    run(story)


def test_events_go_to_those_who_asked():
    async def story():
        hub = Hub(ManualClock(), Limits(), FakeOwners({}))
        lists, quiet = Listener(hub), Listener(hub)
        lists.connection.follows_lists = True
        hub.listen(changed())
        await lists.connection.flushed()
        assert [frame["event"] for frame in lists.frames] == ["sessions.changed"]
        assert quiet.frames == []
        hub.remove(lists.connection)
        hub.remove(lists.connection)
        assert len(hub) == 1
        lists.writing.cancel()
        quiet.writing.cancel()

    run(story)


def test_text_that_was_kept_is_told_when_its_time_has_come():
    async def story():
        clock = ManualClock()
        hub = Hub(clock, Limits(), FakeOwners({}))
        listener = Listener(hub)
        telling = asyncio.ensure_future(hub.run())
        await asyncio.sleep(0)
        for text in ("One", "One two", "One two three"):
            delta = AssistantDelta(
                session_key=SessionKey("k"),
                agent_id=AgentId("main"),
                turn_id=TurnId("r"),
                text=text,
                delta="",
                at=Instant(1),
            )
            hub.listen(delta)
        await clock.run_for(0.2)
        await listener.connection.flushed()
        deltas = [frame["payload"]["deltaText"] for frame in listener.frames if frame["event"] == "chat"]
        assert deltas == ["One", " two three"]
        telling.cancel()
        listener.writing.cancel()

    run(story)


def test_a_tick_is_told_every_half_minute():
    async def story():
        clock = ManualClock()
        hub = Hub(clock, Limits(), FakeOwners({}))
        listener = Listener(hub)
        telling = asyncio.ensure_future(hub.run())
        await asyncio.sleep(0)
        await clock.run_for(61)
        await listener.connection.flushed()
        assert [frame["event"] for frame in listener.frames] == ["tick", "tick"]
        telling.cancel()
        listener.writing.cancel()

    run(story)


def test_a_full_queue_drops_the_client_and_nobody_else():
    async def story():
        hub = Hub(ManualClock(), Limits(), FakeOwners({}))
        slow, quick = Listener(hub, buffer_max_bytes=1000), Listener(hub)
        slow.may_write.clear()
        for _ in range(20):
            hub.tell([Outgoing(event="a", payload={"text": "x" * 100})])
            await asyncio.sleep(0)
        await quick.connection.flushed()
        assert (slow.aborted, quick.aborted) == (True, False)
        assert len(quick.frames) == 20
        await slow.connection.flushed()
        for listener in (slow, quick):
            listener.writing.cancel()

    run(story)


def test_who_may_not_read_hears_no_session_but_knows_that_the_gateway_lives():
    async def story():
        hub = Hub(ManualClock(), Limits(), FakeOwners({}))
        deaf = Listener(hub, scopes=())
        hub.tell([Outgoing(event="chat", payload={}, session_key=SessionKey("k")), Outgoing(event="tick", payload={})])
        await deaf.connection.flushed()
        assert [frame["event"] for frame in deaf.frames] == ["tick"]
        deaf.writing.cancel()

    run(story)


def test_a_stop_is_announced_once():
    async def story():
        hub = Hub(ManualClock(), Limits(), FakeOwners({}))
        listener = Listener(hub)
        hub.announce_shutdown("restart", restart_expected_ms=5)
        hub.announce_shutdown("again")
        await hub.flush()
        assert [frame["payload"] for frame in listener.frames] == [{"reason": "restart", "restartExpectedMs": 5}]
        listener.writing.cancel()

    run(story)
