"""A stock client with a device of its own connects from another address, waits, and is let in (LEAK-3)."""

from __future__ import annotations

import asyncio
import json
import socket
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from instar.api.server import ApiServer
from instar.api.settings import ApiSettings, AuthSettings
from instar.system.clock import SystemClock
from instar.system.ids import SystemIds
from instar.testing.gateway import GatewayInMemory
from tests.builders.wire import open_client
from tests.interop.conftest import HERE, NODE

TOKEN = "a-token-for-tests-that-opens-nothing-else"


def find_own_address() -> str:
    """An address of this machine that is not loopback: what comes by it comes from elsewhere, as far as one can see."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # documentation range: nothing is sent, only a route is chosen
            address = str(probe.getsockname()[0])
        except OSError:
            address = "127.0.0.1"
    if address.startswith("127."):
        pytest.skip("not run: this machine has no address but loopback")
    return address


@asynccontextmanager
async def open_world():
    clock = SystemClock()
    settings = ApiSettings(host="0.0.0.0", port=0, auth=AuthSettings(token=TOKEN))  # noqa: S104 - both addresses are meant
    async with (
        GatewayInMemory(clock=clock, ids=SystemIds()) as world,
        ApiServer(settings, world.gateway, clock=clock, ids=SystemIds()) as server,
    ):
        yield world, server


async def run_client(server: ApiServer, *, host: str, store: Path, token: str = ""):
    """One run of the stock client, from start to its first answer."""
    process = await asyncio.create_subprocess_exec(
        str(NODE),
        str(HERE / "device.mjs"),
        host,
        str(server.port),
        token,
        str(store),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, errors = await process.communicate()
    assert out, errors.decode()
    report = json.loads(out)
    assert report["findings"] == []
    return report


def test_a_stock_client_on_another_machine_is_paired_and_comes_back_by_its_device_token(packages, tmp_path):
    del packages
    host = find_own_address()

    async def story():
        async with open_world() as (_, server), open_client(server) as owner:
            store = tmp_path / "device.json"

            refused = await run_client(server, host=host, store=store, token=TOKEN)
            assert refused["error"]["code"] == "NOT_PAIRED"
            assert refused["paused"]["detailCode"] == "PAIRING_REQUIRED"
            (pending,) = (await owner.ask("device.pair.list"))["pending"]
            assert pending["requestId"] == refused["error"]["details"]["requestId"]
            assert (pending["deviceId"], pending["remoteIp"]) == (refused["deviceId"], host)
            await owner.ask("device.pair.approve", {"requestId": pending["requestId"], "scopes": ["read", "write"]})

            upgrade = await run_client(server, host=host, store=store, token=TOKEN)
            assert upgrade["error"]["details"]["reason"] == "scope-upgrade"
            await owner.ask("device.pair.approve", {"requestId": upgrade["error"]["details"]["requestId"]})

            paired = await run_client(server, host=host, store=store, token=TOKEN)
            assert (paired["error"], paired["health"]) == (None, True)
            assert paired["hello"]["deviceToken"] == paired["stored"]["token"]

            alone = await run_client(server, host=host, store=store)
            assert (alone["error"], alone["health"]) == (None, True)
            assert alone["hello"]["scopes"] == paired["hello"]["scopes"]
            assert "deviceToken" not in alone["hello"]

            await owner.ask("device.pair.remove", {"deviceId": alone["deviceId"]})
            shut = await run_client(server, host=host, store=store)
            assert shut["error"]["details"]["code"] == "AUTH_DEVICE_TOKEN_MISMATCH"
            assert (shut["cleared"], shut["stored"]) == (True, None)

    asyncio.run(story())


def test_a_stock_client_on_the_gateways_own_machine_needs_the_token_alone(packages, tmp_path):
    del packages

    async def story():
        async with open_world() as (_, server):
            here = await run_client(server, host="127.0.0.1", store=tmp_path / "device.json", token=TOKEN)
            assert (here["error"], here["health"]) == (None, True)
            wrong = await run_client(server, host="127.0.0.1", store=tmp_path / "device.json", token="wrong")
            assert wrong["error"]["details"]["code"] == "AUTH_TOKEN_MISMATCH"

    asyncio.run(story())
