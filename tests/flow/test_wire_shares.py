"""What one caller may use of the room that is kept for all (LEAK-3)."""

from __future__ import annotations

import asyncio

import pytest

from instar.api.settings import Limits
from tests.builders.stories import until
from tests.builders.town import open_town
from tests.builders.wire import open_client, open_server, run_story


def test_a_token_has_so_many_connections_and_the_owner_gets_in_all_the_same():
    async def story():
        async with open_town(limits=Limits(connections_each=2)) as town:
            token = {"token": await town.token("alice")}
            async with open_client(town.server, auth=token), open_client(town.server, auth=token) as second:
                with pytest.raises(AssertionError, match="too many connections are open with this token"):
                    async with open_client(town.server, auth=token):
                        pass
                async with town.client("telegram:bob"), town.client(), town.client(), town.client():
                    pass
                assert (await second.ask("health"))["ok"]

    run_story(story)


class Stranger:
    """A socket from an address of its own, that never says a word."""

    def __init__(self, server, host):
        self.sent = []
        self.left = asyncio.Event()
        scope = {
            "type": "websocket",
            "path": "/",
            "headers": [(b"host", b"gateway")],
            "client": (host, 1),
            "query_string": b"",
        }
        # A test on one machine has no other address, so the request begins behind the listener.
        self.task = asyncio.ensure_future(server._app(scope, self.receive, self.send))
        self.is_met = False

    async def receive(self):
        if not self.is_met:
            self.is_met = True
            return {"type": "websocket.connect"}
        await self.left.wait()
        return {"type": "websocket.disconnect", "code": 1000}

    async def send(self, message):
        self.sent.append(message["type"])


def test_an_address_has_so_many_sockets_that_have_not_connected():
    async def story():
        async with open_server(limits={"greetings_each": 2}) as (server, _):
            strangers = [Stranger(server, host) for host in ("10.0.0.7", "10.0.0.7", "10.0.0.7", "10.0.0.8")]
            await until(lambda: all(one.sent for one in strangers))
            accepted = ["websocket.accept" in one.sent for one in strangers]
            assert accepted == [True, True, False, True]
            for one in strangers:
                one.left.set()
            await asyncio.gather(*(one.task for one in strangers))
            late = Stranger(server, "10.0.0.7")
            await until(lambda: "websocket.accept" in late.sent)
            late.left.set()
            await late.task

    run_story(story)
