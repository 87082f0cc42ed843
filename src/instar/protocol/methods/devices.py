"""Methods about devices on other machines (LEAK-3), by the names that clients of the protocol know."""

from __future__ import annotations

from typing import Final

from instar.protocol.methods.row import ADMIN, Method, text
from instar.protocol.params import Field

__all__ = ["DEVICES"]

_DEVICE: Final = "{deviceId, publicKey, displayName?, platform?, clientId?, roles, scopes, approvedAtMs, approvedBy}"
_REQUEST: Final = text("requestId", required=True, most=128)

DEVICES: Final = (
    Method(
        name="device.pair.list",
        scope=ADMIN,
        summary="devices that wait for the owner's word, and those that were approved; the oldest first",
        result="`{pending: [{requestId, deviceId, publicKey, displayName?, platform?, clientId?, clientMode?, role, "
        f"roles, scopes, remoteIp, reason, ts, expiresAtMs}}], paired: [{_DEVICE}]}}`",
        rule="LEAK-3",
    ),
    Method(
        name="device.pair.approve",
        scope=ADMIN,
        summary="let a device in; it gets a token of its own when it connects again",
        result=f"`{{requestId, device: {_DEVICE}}}`",
        rule="LEAK-3",
        side_effect=True,
        fields=(
            _REQUEST,
            Field(
                name="scopes",
                kinds=("array",),
                least=1,
                most=16,
                items=text("scope", most=64),
                note="`read`, `write`, `admin`, instead of what the device asked for",
            ),
        ),
    ),
    Method(
        name="device.pair.reject",
        scope=ADMIN,
        summary="take a request out of the list; the device may ask again",
        result="`{requestId, deviceId}`",
        rule="LEAK-3",
        side_effect=True,
        fields=(_REQUEST,),
    ),
    Method(
        name="device.pair.remove",
        scope=ADMIN,
        summary="shut a device out: its token ends and its connections are closed",
        result="`{deviceId}`",
        rule="LEAK-3",
        side_effect=True,
        fields=(text("deviceId", required=True, most=256, note="its beginning is enough where it means one"),),
    ),
)
