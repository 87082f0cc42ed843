"""Methods about devices on other machines (LEAK-3)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from instar.api.call import Call, Handler
from instar.api.device_rows import build_device, build_pending

__all__ = ["HANDLERS"]


async def list_devices(call: Call) -> object:
    """`device.pair.list`."""
    devices = await call.gateway.devices.load()
    return {
        "pending": [build_pending(request) for request in devices.waiting],
        "paired": [build_device(device) for device in devices.approved],
    }


async def approve_device(call: Call) -> object:
    """`device.pair.approve`."""
    request_id = call.params.text("requestId")
    scopes = call.params.texts("scopes") if call.params.has("scopes") else None
    device = await call.gateway.devices.approve(request_id, scopes=scopes, who=call.caller.who)
    return {"requestId": request_id, "device": build_device(device)}


async def reject_device(call: Call) -> object:
    """`device.pair.reject`."""
    request = await call.gateway.devices.reject(call.params.text("requestId"), who=call.caller.who)
    return {"requestId": request.request_id, "deviceId": request.wish.device_id}


async def remove_device(call: Call) -> object:
    """`device.pair.remove`."""
    device = await call.gateway.devices.remove(call.params.text("deviceId"), who=call.caller.who)
    return {"deviceId": device.device_id}


HANDLERS: Final[Mapping[str, Handler]] = {
    "device.pair.list": list_devices,
    "device.pair.approve": approve_device,
    "device.pair.reject": reject_device,
    "device.pair.remove": remove_device,
}
