"""What every store promises about devices (LEAK-3)."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from instar.core.model.change import Noted
from instar.core.model.decision import Decision
from instar.core.model.device import Device, DeviceRequest, Devices, DeviceWish
from instar.core.model.ids import Instant
from instar.core.model.query import DecisionQuery
from tests.builders.store import NOW, OpenStore

NOTED = Noted(decision=Decision(kind="access", outcome="approved", rule="LEAK-3"), who="alice")


def build_wish(device_id="dev1", **changes):
    wish = DeviceWish(
        device_id=device_id,
        public_key="key",
        scopes=frozenset({"operator.read"}),
        name="Laptop",
        platform="linux",
        client="cli",
        mode="backend",
        address="192.0.2.7",
    )
    return replace(wish, **changes)


def build_request(number=1, *, wish=None, expires_at=NOW + 100):
    return DeviceRequest(
        request_id=f"r{number}",
        wish=wish or build_wish(),
        reason="not-paired",
        created_at=NOW,
        expires_at=Instant(expires_at),
    )


def build_device(device_id="dev1", *, scopes=("operator.read",), token_id=None):
    return Device(
        device_id=device_id,
        public_key="key",
        scopes=frozenset(scopes),
        approved_at=NOW,
        approved_by="alice",
        name="Laptop",
        platform="linux",
        client="cli",
        token_id=token_id,
    )


def test_a_request_is_kept_once_for_each_device_and_says_what_it_asks_for_now(open_store: OpenStore):
    async def scenario():
        async with open_store() as store:
            assert await store.devices.ask(build_request(), now=NOW, most=5) == build_request()
            wider = replace(
                build_request(2), wish=build_wish(scopes=frozenset({"operator.admin"})), reason="scope-upgrade"
            )
            kept = await store.devices.ask(wider, now=NOW, most=1)
            assert kept == replace(wider, request_id="r1")
            assert await store.devices.ask(build_request(3, wish=build_wish("dev2")), now=NOW, most=1) is None
        async with open_store() as store:
            assert await store.devices.load() == Devices(waiting=(kept,))

    asyncio.run(scenario())


def test_an_expired_request_makes_room(open_store: OpenStore):
    async def scenario():
        async with open_store() as store:
            await store.devices.ask(build_request(), now=NOW, most=1)
            other = build_request(2, wish=build_wish("dev2"), expires_at=NOW + 500)
            assert await store.devices.ask(other, now=Instant(NOW + 100), most=1) == other
            assert (await store.devices.load()).waiting == (other,)

    asyncio.run(scenario())


def test_a_request_of_a_time_that_was_taken_back_makes_room(open_store: OpenStore):
    async def scenario():
        async with open_store() as store:
            await store.devices.ask(build_request(), now=NOW, most=1)
            before = Instant(NOW - 86_400_000)
            other = replace(build_request(2, wish=build_wish("dev2")), created_at=before)
            assert await store.devices.ask(other, now=before, most=1) == other
            assert (await store.devices.load()).waiting == (other,)

    asyncio.run(scenario())


def test_an_approved_device_is_found_by_id_and_by_the_token_that_it_was_given_once(open_store: OpenStore):
    async def scenario():
        async with open_store() as store:
            await store.devices.ask(build_request(), now=NOW, most=5)
            assert await store.devices.answer("r1", build_device(), now=NOW, noted=NOTED)
            assert not await store.devices.answer("r1", build_device(), now=NOW, noted=NOTED)
            assert await store.devices.set_token("dev1", "t1")
            assert not await store.devices.set_token("dev1", "t2")
            assert not await store.devices.set_token("dev2", "t2")
            known = build_device(token_id="t1")
        async with open_store() as store:
            assert await store.devices.find("dev1") == known
            assert await store.devices.find_by_token("t1") == known
            assert await store.devices.find_by_token("t2") is None
            assert await store.devices.find("dev2") is None
            assert await store.devices.load() == Devices(approved=(known,))
            (row,) = await store.load_decisions(DecisionQuery(kind="access"))
            assert (row.decision.outcome, row.who) == ("approved", "alice")

    asyncio.run(scenario())


def test_an_approval_is_renewed_and_taken_back(open_store: OpenStore):
    async def scenario():
        async with open_store() as store:
            await store.devices.ask(build_request(), now=NOW, most=5)
            await store.devices.answer("r1", build_device(token_id="t1"), now=NOW, noted=NOTED)
            await store.devices.ask(build_request(2), now=NOW, most=5)
            wider = build_device(scopes=("operator.admin", "operator.read"))
            await store.devices.answer("r2", wider, now=NOW, noted=NOTED)
            assert await store.devices.find("dev1") == wider
            assert await store.devices.remove("dev1", now=NOW, noted=NOTED) == wider
            assert await store.devices.remove("dev1", now=NOW, noted=NOTED) is None
            assert await store.devices.load() == Devices()

    asyncio.run(scenario())


def test_a_rejected_request_leaves_nothing(open_store: OpenStore):
    async def scenario():
        async with open_store() as store:
            await store.devices.ask(build_request(), now=NOW, most=5)
            assert await store.devices.answer("r1", None, now=NOW, noted=NOTED)
            assert await store.devices.load() == Devices()

    asyncio.run(scenario())
