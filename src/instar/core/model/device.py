"""Programs on other machines that prove who they are by a key of their own (LEAK-3)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from instar.core.model.ids import Instant

__all__ = ["Device", "DeviceReason", "DeviceRequest", "DeviceWish", "Devices"]

DeviceReason = Literal["not-paired", "scope-upgrade"]
"""Why a device has to wait: nobody approved it, or it asks for nothing that was approved."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceWish:
    """What a device that proved its key says of itself, and what it asks for. Names come from it and decide nothing.

    `device_id` is the SHA-256 of the key in hexadecimal digits, `public_key` the key in base64url. `address` is where
    it came from.
    """

    device_id: str
    public_key: str
    scopes: frozenset[str]
    name: str = ""
    platform: str = ""
    client: str = ""
    mode: str = ""
    address: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceRequest:
    """A device that waits for the owner's word."""

    request_id: str
    wish: DeviceWish
    reason: DeviceReason
    created_at: Instant
    expires_at: Instant


@dataclass(frozen=True, slots=True, kw_only=True)
class Device:
    """A device that the owner approved, and what for. `token_id` names the token it was given, None until it comes."""

    device_id: str
    public_key: str
    scopes: frozenset[str]
    approved_at: Instant
    approved_by: str
    name: str = ""
    platform: str = ""
    client: str = ""
    token_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Devices:
    """Every approved device, and every request that is kept, expired or not; the oldest first."""

    approved: tuple[Device, ...] = ()
    waiting: tuple[DeviceRequest, ...] = ()
