"""Devices on other machines: asked for, approved, given a token, shut out again (LEAK-3).

A device is let in by a token of its own (`instar.gateway.tokens`): one of the scopes that the owner approved, named by
the device, and worth nothing without the device's key. So revoking, expiring and closing connections work as for every
token.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal

import structlog

from instar.core.model.caller import Caller
from instar.core.model.change import Noted
from instar.core.model.decision import Decision
from instar.core.model.device import Device, DeviceReason, DeviceRequest, Devices, DeviceWish
from instar.core.model.event import DeviceRequested, DeviceResolved, Event
from instar.core.model.ids import Instant
from instar.core.policy.devices import (
    DEVICE_REQUEST_TTL_MS,
    DEVICES_WAITING_MAX,
    approve_scopes,
    find_request,
    list_waiting,
)
from instar.core.policy.tokens import TokenWish, parse_scope
from instar.errors import InvalidRequest, NotFound, Unavailable
from instar.gateway.tokens import Tokens
from instar.ports.clock import Clock
from instar.ports.devices import DeviceStore
from instar.ports.ids import IdSource

__all__ = ["DeviceDesk"]

SHOWN_ID_CHARS = 12
"""Of a device's id in records and labels."""

log = structlog.get_logger(__name__)


class DeviceDesk:
    """The devices of one gateway."""

    def __init__(
        self,
        store: DeviceStore,
        tokens: Tokens,
        *,
        clock: Clock,
        ids: IdSource,
        publish: Callable[[Event], None],
    ) -> None:
        self._store = store
        self._tokens = tokens
        self._clock = clock
        self._ids = ids
        self._publish = publish

    # --- at the door --------------------------------------------------------------------------------------------------

    async def find(self, device_id: str) -> Device | None:
        """An approved device. One whose token was revoked is none any more: whoever did that meant it so."""
        device = await self._store.find(device_id)
        if device is None or device.token_id is None:
            return device
        ended = (token for token in await self._tokens.list() if token.revoked_at is not None)
        return None if any(token.id == device.token_id for token in ended) else device

    async def find_by_token(self, token_id: str) -> Device | None:
        """The device that a token was handed out to; None for a token of nobody's device."""
        return await self._store.find_by_token(token_id)

    async def ask(self, wish: DeviceWish, *, reason: DeviceReason) -> DeviceRequest:
        """Keep what a device asks for until the owner answers. Raises `Unavailable` when too many wait."""
        now = self._clock.now()
        wanted = DeviceRequest(
            request_id=self._ids.session_id(),
            wish=wish,
            reason=reason,
            created_at=now,
            expires_at=Instant(now + DEVICE_REQUEST_TTL_MS),
        )
        kept = await self._store.ask(wanted, now=now, most=DEVICES_WAITING_MAX)
        if kept is None:
            raise Unavailable(
                "Too many devices wait for approval", fix="Answer those that `instar devices list` shows."
            )
        if kept.request_id == wanted.request_id:
            log.info("device_requested", device=wish.device_id[:SHOWN_ID_CHARS], reason=reason)
            self._publish(DeviceRequested(request=kept))
        return kept

    async def give_token(self, device: Device) -> tuple[str | None, str | None]:
        """The id of the device's token and, where it is made just now, its text; neither for a device without scopes.

        A token is handed out once. A device that lost it proves itself by the gateway's secret again.
        """
        if device.token_id is not None or not device.scopes:
            return device.token_id, None
        label = f"device {device.name or device.client} {device.device_id[:SHOWN_ID_CHARS]}"
        token, text = await self._tokens.create(
            TokenWish(label=label, scopes=sorted(device.scopes)),
            maker=Caller(scopes=device.scopes, principal=device.approved_by),
        )
        if not await self._store.set_token(device.device_id, token.id):
            # Another connection of the device was faster. A token that no device is noted for needs no key: end it.
            await self._tokens.revoke(token.id, who="gateway")
            known = await self._store.find(device.device_id)
            return (None, None) if known is None else (known.token_id, None)
        return token.id, text

    # --- the owner's word ---------------------------------------------------------------------------------------------

    async def load(self) -> Devices:
        """Every approved device, and those that still wait."""
        devices = await self._store.load()
        return Devices(approved=devices.approved, waiting=list_waiting(devices, now=self._clock.now()))

    async def approve(self, request_id: str, *, scopes: Sequence[str] | None, who: str) -> Device:
        """Let a device in, with the scopes it asked for or those that are named. Raises `NotFound`, `InvalidRequest`.

        One that was approved before keeps its scopes, gets these too, and a new token for all of them.
        """
        now = self._clock.now()
        request = await self._find(request_id, now=now)
        wish = request.wish
        granted = approve_scopes(wish.scopes, None if scopes is None else [_read_scope(text) for text in scopes])
        before = await self.find(wish.device_id)
        device = Device(
            device_id=wish.device_id,
            public_key=wish.public_key,
            scopes=granted | (before.scopes if before is not None else frozenset()),
            approved_at=now,
            approved_by=who,
            name=wish.name,
            platform=wish.platform,
            client=wish.client,
        )
        if before is not None and before.token_id is not None:
            # First, so that no token is left for a moment that no device is noted for.
            await self._tokens.revoke(before.token_id, who=who)
        await self._answer(request, device, decision="approved", who=who)
        return device

    async def reject(self, request_id: str, *, who: str) -> DeviceRequest:
        """Take a request out of the list; the device may ask again. Raises `NotFound`."""
        request = await self._find(request_id, now=self._clock.now())
        await self._answer(request, None, decision="rejected", who=who)
        return request

    async def remove(self, device_id: str, *, who: str) -> Device:
        """Shut a device out: its token ends and its connections are closed. Raises `NotFound`.

        A part of its id is enough where it means one device.
        """
        wanted = device_id.strip().lower()
        devices = await self._store.load()
        found = [one for one in devices.approved if wanted and one.device_id.startswith(wanted)]
        if len(found) > 1:
            raise InvalidRequest(f"{device_id} means {len(found)} devices", fix="Give more of the id.")
        if not found:
            raise NotFound(f"There is no device {device_id}", fix="`instar devices list` shows those there are.")
        (device,) = found
        if device.token_id is not None:
            await self._tokens.revoke(device.token_id, who=who)
        noted = _note("revoked", device.device_id, who=who)
        await self._store.remove(device.device_id, now=self._clock.now(), noted=noted)
        log.info("device_removed", device=device.device_id[:SHOWN_ID_CHARS], who=who)
        return device

    async def _find(self, request_id: str, *, now: Instant) -> DeviceRequest:
        found = find_request(await self._store.load(), request_id, now=now)
        if found is None:
            raise _no_request()
        return found

    async def _answer(
        self, request: DeviceRequest, device: Device | None, *, decision: Literal["approved", "rejected"], who: str
    ) -> None:
        noted = _note(decision, request.wish.device_id, who=who)
        now = self._clock.now()
        if not await self._store.answer(request.request_id, device, now=now, noted=noted):
            raise _no_request()
        log.info("device_answered", device=request.wish.device_id[:SHOWN_ID_CHARS], decision=decision, who=who)
        self._publish(DeviceResolved(request=request, decision=decision, at=now))


def _note(outcome: str, device_id: str, *, who: str) -> Noted:
    inputs = {"chat": "device", "device": device_id[:SHOWN_ID_CHARS]}
    return Noted(decision=Decision(kind="access", outcome=outcome, rule="LEAK-3", inputs=inputs), who=who)


def _read_scope(text: str) -> str:
    scope = parse_scope(text)
    if scope is None:
        raise InvalidRequest(f"unknown scope '{text[:80]}'", fix="There are read, write and admin.", field="scopes")
    return scope


def _no_request() -> NotFound:
    return NotFound(
        "No such device waits",
        why="its request was answered already, or its hour is over",
        fix="`instar devices list` shows those that wait; a device that connects again asks anew.",
    )
