"""A device from another machine, and the owner at a command line beside the gateway (LEAK-3)."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest
from websockets.asyncio.client import connect

from tests.builders.devices import CLIENT, TestDevice
from tests.builders.process import GatewayProcess, build_process_config, run_instar
from tests.builders.wire import Client, build_connect

SCOPES = ("operator.read", "operator.admin")


@pytest.fixture
def gateway(tmp_path: Path):
    with GatewayProcess(tmp_path, build_process_config()) as running:
        yield running


def run(gateway: GatewayProcess, *args: str, code: int = 0) -> str:
    done = run_instar("devices", *args, "--config", str(gateway.config_path), state_dir=gateway.state_dir)
    assert done.returncode == code, (args, done.stdout, done.stderr)
    return done.stderr if code else done.stdout


def knock(gateway: GatewayProcess, device: TestDevice):
    """Connect by way of a proxy that says for whom; the response."""

    async def story():
        url = gateway.url.replace("http://", "ws://")
        async with connect(url, additional_headers={"X-Forwarded-For": "192.0.2.7"}) as socket:
            client = Client(socket)
            challenge = (await client.receive())["payload"]
            params = build_connect(client=CLIENT, scopes=list(SCOPES), auth={"token": gateway.token})
            params["device"] = device.sign(
                nonce=challenge["nonce"], at=challenge["ts"], token=gateway.token, scopes=SCOPES
            )
            return await client.call("connect", params)

    return asyncio.run(story())


def test_a_device_is_listed_approved_and_revoked_by_commands(gateway: GatewayProcess):
    device = TestDevice()
    assert "No device waits." in run(gateway, "list")
    request = knock(gateway, device)["error"]["details"]["requestId"]
    assert request in run(gateway, "list")
    status = run_instar("status", "--config", str(gateway.config_path), state_dir=gateway.state_dir)
    assert "1 waiting; see them with `instar devices list`" in status.stdout
    assert "unknown scope" in run(gateway, "approve", request, "--scopes", "everything", code=1)
    approved = run(gateway, "approve", request, "--scopes", "read")
    assert approved == f"Device {device.id[:12]} may connect now, with read.\n"
    assert knock(gateway, device)["payload"]["auth"]["scopes"] == ["operator.read"]
    (paired,) = json.loads(run(gateway, "list", "--json"))["paired"]
    assert (paired["deviceId"], paired["displayName"]) == (device.id, "Laptop")
    assert "Laptop" in run(gateway, "list")
    assert run(gateway, "revoke", device.id[:12]) == f"Device {device.id[:12]} is shut out.\n"
    assert knock(gateway, device)["error"]["code"] == "NOT_PAIRED"


def test_an_approval_survives_and_is_read_without_a_gateway(gateway: GatewayProcess):
    device = TestDevice()
    run(gateway, "approve", knock(gateway, device)["error"]["details"]["requestId"])
    gateway.kill()
    (paired,) = json.loads(run(gateway, "list", "--json"))["paired"]
    assert paired["deviceId"] == device.id
    assert "instar gateway" in run(gateway, "revoke", device.id, code=1)
    gateway.start()
    assert knock(gateway, device)["ok"]
    waiting = knock(gateway, TestDevice(2))["error"]["details"]["requestId"]
    assert "is gone" in run(gateway, "reject", waiting)
    assert "No such device waits" in run(gateway, "reject", waiting, code=1)
