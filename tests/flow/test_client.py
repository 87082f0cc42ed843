"""Both Python clients against a real socket: calls, errors, streams, gaps, and a gateway that goes and comes back."""

import asyncio
import socket
from contextlib import asynccontextmanager

import pytest
from websockets.asyncio.server import serve

from instar.client.blocking import BlockingClient
from instar.client.client import GatewayClient
from instar.client.discovery import GatewayAddress
from instar.client.events import Gap, Lost, Restored, ServerEvent
from instar.errors import Forbidden, GatewayUnreachable, InvalidRequest, Unavailable
from tests.builders.fake_gateway import FakeGateway
from tests.builders.wire import TOKEN, open_server, run_story


def address(server, token=TOKEN):
    return GatewayAddress(url=server.url, token=token)


def free_url():
    """An address at which nobody listens."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return f"ws://127.0.0.1:{taken.getsockname()[1]}"


@asynccontextmanager
async def open_gateway_client(server, **options):
    async with GatewayClient(lambda: (address(server),), timeout_s=30, **options) as client:
        yield client


async def collect(updates):
    return [update async for update in updates]


# --- the blocking client ----------------------------------------------------------------------------------------------


def ask(addresses, *calls, timeout_s=30.0):
    with BlockingClient(addresses, timeout_s=timeout_s) as client:
        return [client.call(method, params) for method, params in calls]


def test_a_program_that_asks_and_ends_gets_its_answers():
    async def story():
        async with open_server() as (server, _):
            calls = (("health", None), ("sessions.list", {"limit": 5}))
            health, listed = await asyncio.to_thread(ask, (address(server),), *calls)
            assert health["ok"]
            assert listed["count"] == 0

    run_story(story)


def test_large_messages_pass_both_ways():
    async def story():
        gateway = FakeGateway()
        async with open_server(gateway) as (server, _):
            text = "ä" * 100_000
            params = {"sessionKey": "main", "message": text, "idempotencyKey": "large"}
            await asyncio.to_thread(ask, (address(server),), ("chat.send", params))
            assert gateway.submissions[0].inbound.text == text
            await gateway.wait_run("large", timeout_ms=30_000)
            (history,) = await asyncio.to_thread(ask, (address(server),), ("chat.history", {"sessionKey": "main"}))
            assert history["messages"][0]["content"] == text

    run_story(story)


def test_the_first_place_that_answers_is_taken():
    async def story():
        async with open_server() as (server, _):
            places = (GatewayAddress(url=free_url(), token="other"), address(server))
            (health,) = await asyncio.to_thread(ask, places, ("health", None))
            assert health["ok"]

    run_story(story)


def test_nobody_there_says_how_to_start_a_gateway():
    with pytest.raises(GatewayUnreachable, match="instar gateway"):
        ask((GatewayAddress(url=free_url()),))


def test_a_wrong_secret_is_told_as_such():
    async def story():
        async with open_server() as (server, _):
            with pytest.raises(Forbidden, match="--token"):
                await asyncio.to_thread(ask, (address(server, token="wrong"),))
            with pytest.raises(Forbidden, match="missing"):
                await asyncio.to_thread(ask, (address(server, token=None),))

    run_story(story)


def test_a_refusal_comes_as_an_error_and_the_connection_goes_on():
    async def story():
        async with open_server() as (server, _):

            def two():
                with BlockingClient((address(server),)) as client:
                    with pytest.raises(InvalidRequest, match="unknown method"):
                        client.call("no.such.method")
                    return client.call("health")

            assert (await asyncio.to_thread(two))["ok"]

    run_story(story)


def test_what_is_no_gateway_is_told_as_such():
    async def story():
        async def answer(reader, writer):
            await reader.readuntil(b"\r\n\r\n")
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi")
            writer.close()

        async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
            url = f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}"
            with pytest.raises(Unavailable, match="no gateway"):
                await asyncio.to_thread(ask, (GatewayAddress(url=url),))
            with pytest.raises(Unavailable, match="no gateway"):
                async with GatewayClient(lambda: (GatewayAddress(url=url),), timeout_s=30):
                    pass

    run_story(story)


def test_a_gateway_that_says_nothing_is_given_up():
    async def story():
        async def be_silent(connection):
            await connection.wait_closed()

        async with serve(be_silent, "127.0.0.1", 0) as server:
            place = GatewayAddress(url=f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}")
            with pytest.raises(GatewayUnreachable, match="does not answer"):
                await asyncio.to_thread(lambda: ask((place,), timeout_s=0.2))
            with pytest.raises(GatewayUnreachable, match="did not greet"):
                async with GatewayClient(lambda: (place,), timeout_s=1):  # the door opens within it
                    pass

    run_story(story)


def test_a_connection_that_breaks_while_waiting_is_told():
    async def story():
        async def greet_and_leave(connection):
            await connection.send('{"type": "event", "event": "connect.challenge", "payload": {}}')
            await connection.recv()
            await connection.close(1012, "gateway restarts")

        async with serve(greet_and_leave, "127.0.0.1", 0) as server:
            place = GatewayAddress(url=f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}")
            with pytest.raises(Unavailable, match="gateway restarts"):
                await asyncio.to_thread(ask, (place,))
            with pytest.raises(GatewayUnreachable, match="broke"):
                async with GatewayClient(lambda: (place,), timeout_s=30):
                    pass

    run_story(story)


# --- the lasting client -----------------------------------------------------------------------------------------------


def test_every_typed_method_reaches_its_namesake():
    async def story():
        async with open_server() as (server, gateway), open_gateway_client(server) as client:
            assert client.main_session_key == "agent:main:main"
            assert (await client.health())["ok"]
            assert (await client.status())["runtimeVersion"] == "0.1.0"
            created = await client.sessions_create(label="work")
            key = created["key"]
            assert (await client.sessions_list(limit=5, titles=True))["sessions"][0]["derivedTitle"] == "A title"
            assert (await client.sessions_describe(key))["label"] == "work"
            assert await client.sessions_describe("agent:main:none") is None
            assert (await client.sessions_patch(key, {"label": "home"}))["entry"]["label"] == "home"
            assert (await client.sessions_reset(key))["entry"]["sessionId"] != created["sessionId"]
            assert (await client.chat_inject(key, "a note"))["ok"]
            assert len((await client.chat_history(key))["messages"]) == 1
            assert (await client.chat_abort(key))["runIds"] == []
            assert await client.explain(key=key) == []
            assert (await client.agent_wait("never-heard-of", timeout_s=0))["status"] == "timeout"
            with pytest.raises(Unavailable, match="no upkeep here"):
                await client.sessions_export(key)
            assert (await client.sessions_delete(key))["deleted"]
            assert gateway.rows == {}

    run_story(story)


def test_an_answer_streams_up_to_its_end():
    async def story():
        async with open_server() as (server, gateway), open_gateway_client(server) as client:
            gateway.chunk_pause_s = 0.2
            updates = await collect(client.chat_send("main", "ping"))
            assert [update.kind for update in updates][-1] == "final"
            assert "".join(update.delta for update in updates) == gateway.answer
            assert updates[-1].text == gateway.answer
            assert updates[-1].usage["output"] == 5

    run_story(story)


def test_a_run_that_is_stopped_ends_as_aborted():
    async def story():
        async with open_server() as (server, gateway), open_gateway_client(server) as client:
            gateway.hold()
            kinds = []
            async for update in client.chat_send("main", "ping", run_id="r1"):
                kinds.append(update.kind)
                if update.kind == "delta":
                    await client.chat_abort("main", run_id="r1")
            assert kinds[-1] == "aborted"

    run_story(story)


def test_a_message_sent_twice_runs_once_and_its_answer_is_read_from_the_history():
    async def story():
        async with open_server() as (server, gateway), open_gateway_client(server) as client:
            await collect(client.chat_send("main", "ping", run_id="r1"))
            (late,) = await collect(client.chat_send("main", "ping", run_id="r1"))
            assert (late.kind, late.text, late.is_late) == ("final", gateway.answer, True)
            assert len(gateway.submissions) == 1

    run_story(story)


def test_an_answer_is_told_also_when_the_gateway_went_away_in_between():
    """The connection is lost during the answer; the gateway is back at another port; the run ended unheard."""

    async def story():
        gateway = FakeGateway()
        places = []
        async with (
            GatewayClients(gateway, places) as first,
            GatewayClient(lambda: tuple(places), timeout_s=30) as client,
        ):
            gateway.hold()
            kinds, text = [], ""
            async for update in client.chat_send("main", "ping", run_id="r1"):
                kinds.append(update.kind)
                text = update.text
                if update.kind == "delta" and "waiting" not in kinds:
                    await first.stop()
                    gateway.release()
                if update.kind == "waiting":
                    await gateway.wait_run("r1", timeout_ms=30_000)
                    await first.start()
            assert kinds[-2:] == ["waiting", "final"]
            assert text == gateway.answer
            assert len(gateway.submissions) == 1

    run_story(story)


class GatewayClients:
    """A server over one gateway that can be stopped and started at another port; `places` follows it."""

    def __init__(self, gateway, places):
        self._gateway = gateway
        self._places = places
        self._server = None

    async def __aenter__(self):
        await self.start()
        return self

    async def start(self):
        self._server = open_server(self._gateway)
        server, _ = await self._server.__aenter__()
        self._places[:] = [address(server)]

    async def stop(self):
        await self._server.__aexit__(None, None, None)
        self._server = None

    async def __aexit__(self, *_):
        if self._server is not None:
            await self.stop()


def test_subscriptions_are_made_anew_and_listeners_hear_of_the_break():
    async def story():
        gateway, places = FakeGateway(), []
        async with (
            GatewayClients(gateway, places) as host,
            GatewayClient(lambda: tuple(places), timeout_s=30) as client,
        ):
            await client.subscribe("main")
            with client.events() as events:
                await host.stop()
                heard = [await anext(events)]
                while not isinstance(heard[-1], Lost):
                    heard.append(await anext(events))
                await host.start()
                assert isinstance(await anext(events), Restored)
                gateway.row("agent:main:main")
                await client.chat_inject("main", "a note")
                event = await anext(events)
                while not (isinstance(event, ServerEvent) and event.name == "session.message"):
                    event = await anext(events)
                assert event.payload["message"]["content"] == "a note"

    run_story(story)


def test_without_reconnects_the_end_is_the_end():
    async def story():
        gateway, places = FakeGateway(), []
        async with (
            GatewayClients(gateway, places) as host,
            GatewayClient(lambda: tuple(places), timeout_s=30, reconnects=False) as client,
        ):
            with client.events() as events:
                await host.stop()
                heard = [event async for event in events]
            assert heard[-1].is_last
            with pytest.raises(GatewayUnreachable):
                await client.health()

    run_story(story)


def test_missing_events_are_told_as_a_gap():
    async def story():
        async def count_badly(connection):
            await connection.send('{"type": "event", "event": "connect.challenge", "payload": {}}')
            await connection.recv()
            await connection.send('{"type": "res", "id": "connect", "ok": true, "payload": {}}')
            await connection.recv()
            for seq in (1, 2, 4):
                await connection.send(f'{{"type": "event", "event": "tick", "payload": {{}}, "seq": {seq}}}')
            await connection.wait_closed()

        async with serve(count_badly, "127.0.0.1", 0) as server:
            place = GatewayAddress(url=f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}")
            async with GatewayClient(lambda: (place,), timeout_s=30) as client:
                with client.events() as events:
                    with pytest.raises(GatewayUnreachable, match=r"within 0\.3 s"):
                        await client.call("health", timeout_s=0.3)
                    kinds = [type(await anext(events)) for _ in range(4)]
                assert kinds == [ServerEvent, ServerEvent, Gap, ServerEvent]

    run_story(story)


def test_a_listener_that_does_not_read_is_told_of_a_gap(monkeypatch):
    monkeypatch.setattr("instar.client.events.QUEUE_MAX", 3)

    async def story():
        async with open_server() as (server, _), open_gateway_client(server) as client:
            await client.subscribe()
            with client.events() as events:
                for _ in range(2):
                    await collect(client.chat_send("main", "ping"))
                heard = [await anext(events) for _ in range(2)]
                assert any(isinstance(event, Gap) for event in heard)

    run_story(story)


def test_a_client_that_is_closed_says_so():
    async def story():
        async with open_server() as (server, _):
            async with open_gateway_client(server) as client:
                pass
            with pytest.raises(GatewayUnreachable, match="closed"):
                await client.health()

    run_story(story)
