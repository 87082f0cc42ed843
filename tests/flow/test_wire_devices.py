"""Devices with keys of their own: proved, approved, given a token, shut out again (LEAK-3, GW-8)."""

from __future__ import annotations

import asyncio
import contextlib
from contextlib import asynccontextmanager
from http.client import HTTPConnection
from typing import Any

import pytest
from websockets.asyncio.client import connect

from instar.api.server import ApiServer
from instar.api.settings import ApiSettings, AuthSettings
from instar.system.clock import SystemClock
from instar.system.ids import SystemIds
from instar.testing.gateway import GatewayInMemory
from tests.builders.devices import CLIENT, TestDevice, encode
from tests.builders.wire import TOKEN, Client, build_connect, run_story

ADMIN, READ, WRITE = "operator.admin", "operator.read", "operator.write"
ELSEWHERE = {"X-Forwarded-For": "192.0.2.7"}
"""What a proxy on this machine says of its clients: then they are not on it."""


class World:
    """A gateway, its server, and ways to come in."""

    def __init__(self, gateway: Any, server: ApiServer) -> None:
        self.gateway = gateway
        self.server = server
        self.clients: list[Any] = []

    async def knock(
        self, device=None, *, token=TOKEN, auth=None, remote=True, scopes=(ADMIN,), tamper=None, signed=None
    ):
        """Connect; the client with its `hello`, or the error."""
        socket = await connect(self.server.url, additional_headers=ELSEWHERE if remote else {})
        self.clients.append(socket)
        client = Client(socket)
        challenge = (await client.receive())["payload"]
        params = build_connect(client=CLIENT, scopes=list(scopes), auth=auth or {"token": token})
        if device is not None:
            proof = {"nonce": challenge["nonce"], "at": challenge["ts"], "token": token, "scopes": tuple(scopes)}
            params["device"] = device.sign(**{**proof, **(signed or {})})
            params["device"] |= tamper or {}
        response = await client.call("connect", params)
        client.hello = response.get("payload", {})
        return client, response.get("error")

    async def approve(self, device, **fields):
        """What an owner beside the gateway does about a device that was refused."""
        _, error = await self.knock(device)
        owner, _ = await self.knock(remote=False)
        return await owner.ask("device.pair.approve", {"requestId": error["details"]["requestId"], **fields})


@asynccontextmanager
async def open_world():
    clock = SystemClock()
    settings = ApiSettings(port=0, auth=AuthSettings(token=TOKEN))
    async with (
        GatewayInMemory(clock=clock, ids=SystemIds()) as world,
        ApiServer(settings, world.gateway, clock=clock, ids=SystemIds()) as server,
    ):
        opened = World(world.gateway, server)
        try:
            yield opened
        finally:
            for socket in opened.clients:
                await socket.close()


def play(story):
    async def run():
        async with open_world() as world:
            await story(world)

    run_story(run)


def test_a_device_on_this_machine_needs_nothing_but_the_secret():
    async def story(world):
        client, error = await world.knock(TestDevice(), remote=False)
        assert error is None
        assert client.hello["auth"] == {"role": "operator", "scopes": [ADMIN]}
        assert (await client.ask("device.pair.list")) == {"pending": [], "paired": []}

    play(story)


def test_a_client_without_a_device_is_judged_by_its_secret_wherever_it_is():
    async def story(world):
        client, error = await world.knock()
        assert error is None
        assert client.hello["auth"]["scopes"] == [ADMIN]

    play(story)


def test_a_device_on_another_machine_waits_and_is_let_in_with_a_token_of_its_own():
    async def story(world):
        device = TestDevice()
        owner, _ = await world.knock(remote=False)
        _, error = await world.knock(device)
        assert error["code"] == "NOT_PAIRED"
        assert error["message"] == "pairing required: device is not approved yet"
        details = error["details"]
        assert (details["code"], details["reason"], details["deviceId"]) == (
            "PAIRING_REQUIRED",
            "not-paired",
            device.id,
        )
        told = await owner.event("device.pair.requested")
        assert (told["requestId"], told["deviceId"], told["displayName"]) == (details["requestId"], device.id, "Laptop")
        _, again = await world.knock(device)
        assert again["details"]["requestId"] == details["requestId"]
        (pending,) = (await owner.ask("device.pair.list"))["pending"]
        assert (pending["requestId"], pending["remoteIp"], pending["scopes"]) == (
            details["requestId"],
            "127.0.0.1",
            [ADMIN],
        )
        approved = await owner.ask("device.pair.approve", {"requestId": details["requestId"]})
        assert (approved["device"]["scopes"], approved["device"]["approvedBy"]) == ([ADMIN], "operator")
        assert (await owner.event("device.pair.resolved"))["decision"] == "approved"

        first, error = await world.knock(device)
        assert error is None
        token = first.hello["auth"]["deviceToken"]
        assert first.hello["auth"]["scopes"] == [ADMIN]
        # From now on the token of the device is enough, together with its key.
        second, error = await world.knock(device, token=token, auth={"token": token, "deviceToken": token})
        assert error is None
        assert second.hello["auth"] == {"role": "operator", "scopes": [ADMIN]}
        assert (await second.ask("health"))["ok"]

    play(story)


def test_the_text_of_a_device_token_is_stored_nowhere():
    async def story(world):
        device = TestDevice()
        await world.approve(device)
        client, _ = await world.knock(device)
        token = client.hello["auth"]["deviceToken"]
        assert token.startswith("ist_")
        (row,) = (await client.ask("tokens.list"))["tokens"]
        assert token not in str(row)
        assert (row["label"], row["createdBy"]) == (f"device Laptop {device.id[:12]}", "operator")

    play(story)


@pytest.mark.parametrize("thief", [None, TestDevice(2)], ids=["no key", "another key"])
def test_the_token_of_a_device_is_worth_nothing_without_its_key(thief):
    async def story(world):
        device = TestDevice()
        await world.approve(device)
        client, _ = await world.knock(device)
        token = client.hello["auth"]["deviceToken"]
        for remote in (True, False):
            _, error = await world.knock(thief, token=token, remote=remote)
            assert error["details"]["code"] == "AUTH_DEVICE_TOKEN_MISMATCH"

    play(story)


def test_the_token_of_a_device_opens_nothing_over_plain_http():
    async def story(world):
        device = TestDevice()
        await world.approve(device)
        client, _ = await world.knock(device)

        def post(token):
            connection = HTTPConnection("127.0.0.1", world.server.port, timeout=30)
            headers = {"Content-Type": "application/json", "Authorization": f"Bearer {token}"}
            connection.request("POST", "/rpc", body=b'{"method": "health"}', headers=headers)
            with contextlib.closing(connection):
                return connection.getresponse().status

        assert await asyncio.to_thread(post, TOKEN) == 200
        assert await asyncio.to_thread(post, client.hello["auth"]["deviceToken"]) == 401

    play(story)


def test_a_device_never_gets_more_than_its_approval():
    async def story(world):
        device = TestDevice()
        await world.approve(device, scopes=["read"])
        _, error = await world.knock(device)
        assert (error["code"], error["details"]["reason"]) == ("NOT_PAIRED", "scope-upgrade")
        assert error["details"]["approvedScopes"] == [READ]
        client, error = await world.knock(device, scopes=(READ, ADMIN))
        assert (error, client.hello["auth"]["scopes"]) == (None, [READ])
        token = client.hello["auth"]["deviceToken"]
        refused = await client.refusal("device.pair.list")
        assert refused["details"]["missingScope"] == ADMIN
        with_token, _ = await world.knock(device, token=token, scopes=(ADMIN, WRITE, READ))
        assert with_token.hello["auth"]["scopes"] == [READ]

    play(story)


def test_wider_scopes_are_approved_beside_the_old_ones_and_the_old_token_ends():
    async def story(world):
        device = TestDevice()
        await world.approve(device, scopes=["read"])
        old, _ = await world.knock(device, scopes=(READ,))
        old_token = old.hello["auth"]["deviceToken"]
        approved = await world.approve(device)
        assert approved["device"]["scopes"] == [ADMIN, READ]
        assert (await old.closed())[1] == "token revoked"
        _, error = await world.knock(device, token=old_token, auth={"token": old_token, "deviceToken": old_token})
        assert error["details"]["code"] == "AUTH_DEVICE_TOKEN_MISMATCH"
        new, error = await world.knock(device)
        assert error is None
        assert new.hello["auth"]["deviceToken"] != old_token

    play(story)


def test_a_device_that_is_shut_out_is_closed_and_asks_anew():
    async def story(world):
        device = TestDevice()
        await world.approve(device)
        client, _ = await world.knock(device)
        token = client.hello["auth"]["deviceToken"]
        owner, _ = await world.knock(remote=False)
        assert (await owner.ask("device.pair.remove", {"deviceId": device.id[:10]}))["deviceId"] == device.id
        assert (await client.closed())[1] == "token revoked"
        _, error = await world.knock(device, token=token, auth={"token": token, "deviceToken": token})
        assert error["details"]["code"] == "AUTH_DEVICE_TOKEN_MISMATCH"
        _, error = await world.knock(device)
        assert error["details"]["reason"] == "not-paired"
        refused = await owner.refusal("device.pair.remove", {"deviceId": device.id})
        assert "There is no device" in refused["message"]

    play(story)


def test_revoking_the_token_of_a_device_shuts_it_out_too():
    async def story(world):
        device = TestDevice()
        await world.approve(device)
        client, _ = await world.knock(device)
        owner, _ = await world.knock(remote=False)
        (token,) = (await owner.ask("tokens.list"))["tokens"]
        await owner.ask("tokens.revoke", {"id": token["id"]})
        assert (await client.closed())[1] == "token revoked"
        _, error = await world.knock(device, scopes=(READ,))
        assert error["details"]["reason"] == "not-paired"
        approved = await owner.ask("device.pair.approve", {"requestId": error["details"]["requestId"]})
        assert approved["device"]["scopes"] == [READ]
        again, error = await world.knock(device, scopes=(READ,))
        assert error is None
        assert again.hello["auth"]["deviceToken"]

    play(story)


def test_a_rejected_device_may_ask_again():
    async def story(world):
        device = TestDevice()
        _, error = await world.knock(device)
        owner, _ = await world.knock(remote=False)
        request = {"requestId": error["details"]["requestId"]}
        assert (await owner.ask("device.pair.reject", request))["deviceId"] == device.id
        assert "No such device waits" in (await owner.refusal("device.pair.approve", request))["message"]
        _, error = await world.knock(device)
        assert error["details"]["requestId"] != request["requestId"]

    play(story)


def test_a_wrong_secret_beside_a_good_device_token_is_forgiven():
    async def story(world):
        device = TestDevice()
        await world.approve(device)
        client, _ = await world.knock(device)
        token = client.hello["auth"]["deviceToken"]
        _, error = await world.knock(device, token="stale")
        assert error["details"]["canRetryWithDeviceToken"] is True
        retried, error = await world.knock(device, token="stale", auth={"token": "stale", "deviceToken": token})
        assert (error, retried.hello["auth"]["scopes"]) == (None, [ADMIN])
        _, error = await world.knock(TestDevice(2), token="stale", auth={"token": "stale", "deviceToken": token})
        assert error["details"]["code"] == "AUTH_TOKEN_MISMATCH"

    play(story)


def test_a_token_that_was_made_for_a_person_is_its_own_approval():
    async def story(world):
        owner, _ = await world.knock(remote=False)
        made = await owner.ask("tokens.create", {"scopes": ["read"]})
        client, error = await world.knock(TestDevice(), token=made["token"], scopes=(READ,))
        assert (error, client.hello["auth"]) == (None, {"role": "operator", "scopes": [READ]})

    play(story)


OTHER = TestDevice(2)
BAD = {
    "another key": ({"publicKey": OTHER.public_key}, {}, "DEVICE_AUTH_DEVICE_ID_MISMATCH"),
    "another id": ({"id": OTHER.id}, {}, "DEVICE_AUTH_DEVICE_ID_MISMATCH"),
    "no key": ({"publicKey": "AAAA"}, {}, "DEVICE_AUTH_PUBLIC_KEY_INVALID"),
    "no base64": ({"publicKey": "?" * 43}, {}, "DEVICE_AUTH_PUBLIC_KEY_INVALID"),
    "a point of no curve": ({"publicKey": encode(b"\xff" * 32)}, {}, "DEVICE_AUTH_DEVICE_ID_MISMATCH"),
    "a nonce of another connection": ({}, {"nonce": "replayed"}, "DEVICE_AUTH_NONCE_MISMATCH"),
    "an empty nonce": ({"nonce": ""}, {}, "DEVICE_AUTH_NONCE_REQUIRED"),
    "an old signature": ({}, {"at": 1}, "DEVICE_AUTH_SIGNATURE_EXPIRED"),
    "a signature from the future": ({}, {"at": 9_000_000_000_000}, "DEVICE_AUTH_SIGNATURE_EXPIRED"),
    "another token signed": ({}, {"token": "other"}, "DEVICE_AUTH_SIGNATURE_INVALID"),
    "fewer scopes signed": ({}, {"scopes": (READ,)}, "DEVICE_AUTH_SIGNATURE_INVALID"),
    "another client signed": ({}, {"client": {**CLIENT, "mode": "cli"}}, "DEVICE_AUTH_SIGNATURE_INVALID"),
    "no signature": ({"signature": "x"}, {}, "DEVICE_AUTH_SIGNATURE_INVALID"),
    "the time changed afterwards": ({"signedAt": None}, {}, "DEVICE_AUTH_SIGNATURE_INVALID"),
}


@pytest.mark.parametrize("remote", [True, False], ids=["elsewhere", "here"])
@pytest.mark.parametrize(("tamper", "signed", "code"), BAD.values(), ids=BAD)
def test_a_proof_that_was_tampered_with_or_replayed_is_refused(tamper, signed, code, remote):
    async def story(world):
        now = SystemClock().now()
        changed = {name: now + 1000 if name == "signedAt" else value for name, value in tamper.items()}
        _, error = await world.knock(TestDevice(), remote=remote, tamper=changed, signed=signed)
        assert (error["code"], error["details"]["code"]) == ("INVALID_REQUEST", code)
        owner, _ = await world.knock(remote=False)
        assert (await owner.ask("device.pair.list"))["pending"] == []

    play(story)


def test_the_older_form_of_the_signature_counts_too():
    async def story(world):
        _, error = await world.knock(TestDevice(), remote=False, signed={"version": "v2"})
        assert error is None

    play(story)


def test_only_so_many_devices_wait_at_once():
    async def story(world):
        for seed in range(1, 21):
            _, error = await world.knock(TestDevice(seed))
            assert error["code"] == "NOT_PAIRED"
        _, error = await world.knock(TestDevice(21))
        assert (error["code"], error["retryable"]) == ("UNAVAILABLE", True)

    play(story)
