"""Devices in the database (LEAK-3)."""

from __future__ import annotations

from typing import cast

import msgspec

from instar.core.model.change import Noted
from instar.core.model.device import Device, DeviceReason, DeviceRequest, Devices, DeviceWish
from instar.core.model.ids import Instant
from instar.core.model.instant import CLOCK_SLACK_MS
from instar.stores.decisions import record_decisions
from instar.stores.rows import format_json
from instar.stores.transaction import Engine, Row, Transaction

__all__ = ["DeviceRows"]


class DeviceRows:
    """Keeps `instar.ports.devices.DeviceStore`, which tells what each method means."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def find(self, device_id: str) -> Device | None:
        """An approved device."""
        return await self._engine.read(lambda tx: _find(tx, "find_device", device_id=device_id), is_short=True)

    async def find_by_token(self, token_id: str) -> Device | None:
        """The device that a token was handed out to."""
        return await self._engine.read(lambda tx: _find(tx, "find_device_by_token", token_id=token_id), is_short=True)

    async def load(self) -> Devices:
        """All of them."""
        return await self._engine.read(_load)

    async def ask(self, request: DeviceRequest, *, now: Instant, most: int) -> DeviceRequest | None:
        """Keep a request."""
        return await self._engine.write(lambda tx: _ask(tx, request, now=now, most=most), purpose="new")

    async def answer(self, request_id: str, device: Device | None, *, now: Instant, noted: Noted) -> bool:
        """End a request."""
        return await self._engine.write(lambda tx: _answer(tx, request_id, device, now=now, noted=noted))

    async def set_token(self, device_id: str, token_id: str) -> bool:
        """Note the token that a device was given."""
        names = {"device_id": device_id, "token_id": token_id}
        return bool(await self._engine.write(lambda tx: tx.run("set_device_token", names)))

    async def remove(self, device_id: str, *, now: Instant, noted: Noted) -> Device | None:
        """Forget an approved device."""
        return await self._engine.write(lambda tx: _remove(tx, device_id, now=now, noted=noted), purpose="freeing")


def _find(tx: Transaction, query: str, **names: str) -> Device | None:
    row = tx.one(query, names)
    return None if row is None else _read_device(row)


def _load(tx: Transaction) -> Devices:
    return Devices(
        approved=tuple(map(_read_device, tx.all("load_devices", {}))),
        waiting=tuple(map(_read_request, tx.all("load_device_requests", {}))),
    )


def _ask(tx: Transaction, request: DeviceRequest, *, now: Instant, most: int) -> DeviceRequest | None:
    tx.run("remove_expired_device_requests", {"now": now, "latest": now + CLOCK_SLACK_MS})
    wish = request.wish
    mine = {"device_id": wish.device_id}
    count = tx.one("count_device_requests", {})
    if tx.one("find_device_request", mine) is None and count is not None and count[0] >= most:
        return None
    tx.run(
        "save_device_request",
        {
            **mine,
            "request_id": request.request_id,
            "public_key": wish.public_key,
            "name": wish.name,
            "platform": wish.platform,
            "client": wish.client,
            "mode": wish.mode,
            "scopes": format_json(sorted(wish.scopes)),
            "reason": request.reason,
            "address": wish.address,
            "created_at": request.created_at,
            "expires_at": request.expires_at,
        },
    )
    row = tx.one("find_device_request", mine)
    return None if row is None else _read_request(row)


def _answer(tx: Transaction, request_id: str, device: Device | None, *, now: Instant, noted: Noted) -> bool:
    if not tx.run("remove_device_request", {"request_id": request_id}):
        return False
    if device is not None:
        tx.run(
            "save_device",
            {
                "device_id": device.device_id,
                "public_key": device.public_key,
                "name": device.name,
                "platform": device.platform,
                "client": device.client,
                "scopes": format_json(sorted(device.scopes)),
                "token_id": device.token_id,
                "approved_at": device.approved_at,
                "approved_by": device.approved_by,
            },
        )
    record_decisions(tx, (noted,), key=None, now=now)
    return True


def _remove(tx: Transaction, device_id: str, *, now: Instant, noted: Noted) -> Device | None:
    device = _find(tx, "find_device", device_id=device_id)
    if device is not None:
        tx.run("remove_device", {"device_id": device_id})
        record_decisions(tx, (noted,), key=None, now=now)
    return device


def _read_device(row: Row) -> Device:
    device_id, public_key, name, platform, client, scopes, token_id, approved_at, approved_by = row
    return Device(
        device_id=device_id,
        public_key=public_key,
        name=name,
        platform=platform,
        client=client,
        scopes=_read_scopes(scopes),
        token_id=token_id,
        approved_at=Instant(approved_at),
        approved_by=approved_by,
    )


def _read_request(row: Row) -> DeviceRequest:
    request_id, device_id, public_key, name, platform, client, mode, scopes, reason, address, created, expires = row
    return DeviceRequest(
        request_id=request_id,
        wish=DeviceWish(
            device_id=device_id,
            public_key=public_key,
            name=name,
            platform=platform,
            client=client,
            mode=mode,
            scopes=_read_scopes(scopes),
            address=address,
        ),
        reason=cast("DeviceReason", reason),  # only the two words are ever written
        created_at=Instant(created),
        expires_at=Instant(expires),
    )


def _read_scopes(text: str) -> frozenset[str]:
    return frozenset(msgspec.json.decode(text, type=list[str]))
