"""A connection that breaks while a request is sent: whoever asked hears of it, and nobody else."""

from __future__ import annotations

import asyncio
import gc

import pytest
from websockets.exceptions import ConnectionClosedError

from instar.client.link import Link
from instar.errors import GatewayUnreachable
from instar.testing.clock import ManualClock


class Breaking:
    """A socket that is found broken by the reader while a frame is written."""

    def __init__(self, link: Link) -> None:
        self._link = link

    async def send(self, text: str) -> None:
        self._link._drop("no close frame")
        raise ConnectionClosedError(None, None)


def test_a_request_that_broke_on_its_way_leaves_no_error_behind():
    left: list[dict[str, object]] = []

    async def story() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _, context: left.append(context))
        link = Link(tuple, clock=ManualClock(), client_id="test", mode="test")
        link._socket = Breaking(link)
        with pytest.raises(GatewayUnreachable):
            await link._ask("1", "{}")
        gc.collect()
        await asyncio.sleep(0)

    asyncio.run(story())
    gc.collect()
    assert left == []
