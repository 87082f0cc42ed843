"""Devices as clients of the protocol know them (LEAK-3)."""

from __future__ import annotations

from instar.core.model.device import Device, DeviceRequest
from instar.core.model.event import DeviceResolved

__all__ = ["build_device", "build_pending", "build_requested", "build_resolved_device"]

_ROLE = "operator"


def build_device(device: Device) -> dict[str, object]:
    """A device that was approved."""
    return {
        "deviceId": device.device_id,
        "publicKey": device.public_key,
        **_named(displayName=device.name, platform=device.platform, clientId=device.client),
        "roles": [_ROLE],
        "scopes": sorted(device.scopes),
        "approvedAtMs": device.approved_at,
        "approvedBy": device.approved_by,
    }


def build_requested(request: DeviceRequest) -> dict[str, object]:
    """A device that waits, as `device.pair.requested` tells it."""
    wish = request.wish
    return {
        "requestId": request.request_id,
        "deviceId": wish.device_id,
        "publicKey": wish.public_key,
        **_named(
            displayName=wish.name,
            platform=wish.platform,
            clientId=wish.client,
            clientMode=wish.mode,
            remoteIp=wish.address,
        ),
        "role": _ROLE,
        "roles": [_ROLE],
        "scopes": sorted(wish.scopes),
        "ts": request.created_at,
    }


def build_pending(request: DeviceRequest) -> dict[str, object]:
    """A device that waits, with what the list tells beside it."""
    return {**build_requested(request), "reason": request.reason, "expiresAtMs": request.expires_at}


def build_resolved_device(event: DeviceResolved) -> dict[str, object]:
    """The owner's word, as it is announced."""
    return {
        "requestId": event.request.request_id,
        "deviceId": event.request.wish.device_id,
        "decision": event.decision,
        "ts": event.at,
    }


def _named(**names: str) -> dict[str, object]:
    """Those that are known; the protocol has no empty ones."""
    return {name: value for name, value in names.items() if value}
