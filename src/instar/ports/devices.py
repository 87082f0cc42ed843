"""Devices as a store keeps them (LEAK-3). Every method may raise a `StoreError`; then nothing of it was stored."""

from __future__ import annotations

from typing import Protocol

from instar.core.model.change import Noted
from instar.core.model.device import Device, DeviceRequest, Devices
from instar.core.model.ids import Instant

__all__ = ["DeviceStore"]


class DeviceStore(Protocol):
    """Approved devices, and those that wait."""

    async def find(self, device_id: str) -> Device | None:
        """An approved device."""
        ...

    async def find_by_token(self, token_id: str) -> Device | None:
        """The device that a token was handed out to; None for a token of nobody's device."""
        ...

    async def load(self) -> Devices:
        """All of them."""
        ...

    async def ask(self, request: DeviceRequest, *, now: Instant, most: int) -> DeviceRequest | None:
        """Keep a request, under the id of the one that waits for the same device already; as it is kept.

        None when so many others wait. Expired ones are removed first.
        """
        ...

    async def answer(self, request_id: str, device: Device | None, *, now: Instant, noted: Noted) -> bool:
        """End a request, with the device that is approved by it; False when it is gone already."""
        ...

    async def set_token(self, device_id: str, token_id: str) -> bool:
        """Note the token that a device was given; False when it has one already, or is gone."""
        ...

    async def remove(self, device_id: str, *, now: Instant, noted: Noted) -> Device | None:
        """Forget an approved device; as it was, None if there is none."""
        ...
