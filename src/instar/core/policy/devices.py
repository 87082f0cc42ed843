"""What a device signs, whether its proof counts, and what it may do once it does (LEAK-3, GW-8).

What belongs here: the text that is signed, the checks around the signature, and the decision over a device that proved
its key. What does not: the signature itself (`instar.api.device_proof`) and tokens (`instar.core.policy.tokens`).

Theory of operation. A device has a key pair. At `connect` it signs who it is, what it asks for, the secret it shows and
the nonce of this connection, so that nothing of it can be used again elsewhere. That proves a key and nothing more: a
device may do what the owner approved, or what the gateway's own secret allows on the gateway's own machine.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

from instar.core.model.device import Device, DeviceReason, DeviceRequest, Devices
from instar.core.model.ids import Instant
from instar.core.model.instant import holds_at
from instar.core.policy.scopes import OWNER_SCOPES, grant_scopes

__all__ = [
    "DEVICES_WAITING_MAX",
    "DEVICE_REQUEST_TTL_MS",
    "SIGNATURE_SKEW_MS",
    "DeviceAdmission",
    "DeviceClaim",
    "DeviceProblem",
    "approve_scopes",
    "build_signed_texts",
    "check_claim",
    "decide_device",
    "find_request",
    "list_waiting",
]

DeviceProblem = Literal[
    "device-public-key",
    "device-id-mismatch",
    "device-nonce-missing",
    "device-nonce-mismatch",
    "device-signature-stale",
    "device-signature",
]
"""Why a proof does not count, as clients of the protocol know it."""

SIGNATURE_SKEW_MS: Final = 120_000
"""How far the clock of a device may be off. Clients sign the gateway's own time where they know it."""

DEVICE_REQUEST_TTL_MS: Final = 3_600_000
"""A request waits for an hour, like a pairing code."""

DEVICES_WAITING_MAX: Final = 20
"""Requests that wait at once; who asks knows the gateway's secret, so this only bounds mistakes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceClaim:
    """What a `connect` says under ``device``, and what it says elsewhere that is signed with it.

    `scopes` are in the order in which they were sent. `token` is the secret that was shown, empty if there is none.
    """

    device_id: str
    nonce: str | None
    signed_at: int
    client_id: str
    client_mode: str
    role: str
    scopes: tuple[str, ...]
    token: str
    platform: str = ""
    device_family: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceAdmission:
    """What becomes of a device that proved its key: scopes to grant, or a reason to wait for the owner's word."""

    scopes: frozenset[str] = frozenset()
    reason: DeviceReason | None = None


def check_claim(claim: DeviceClaim, *, key_id: str | None, nonce: str, now: Instant) -> DeviceProblem | None:
    """What is wrong with a claim before its signature is looked at.

    `key_id` is the id that its public key gives, None for a text that is no key; `nonce` is that of the challenge.
    """
    if key_id is None:
        return "device-public-key"
    if claim.device_id != key_id:
        return "device-id-mismatch"
    if not claim.nonce:
        return "device-nonce-missing"
    if claim.nonce != nonce:
        return "device-nonce-mismatch"
    if abs(now - claim.signed_at) > SIGNATURE_SKEW_MS:
        return "device-signature-stale"
    return None


def build_signed_texts(claim: DeviceClaim) -> tuple[str, str]:
    """What the device may have signed: the form ``v3``, and the older ``v2`` without the last two fields."""
    fields = (
        claim.device_id,
        claim.client_id,
        claim.client_mode,
        claim.role,
        ",".join(claim.scopes),
        str(claim.signed_at),
        claim.token,
        claim.nonce or "",
    )
    newest = ("v3", *fields, _plain(claim.platform), _plain(claim.device_family))
    return "|".join(newest), "|".join(("v2", *fields))


def decide_device(device: Device | None, *, asked: Sequence[str] | None) -> DeviceAdmission:
    """What a device on another machine may do, whose shown secret is the gateway's own.

    It gets what it asks for as far as that was approved. What asks for nothing that was approved waits for more.
    """
    if device is None:
        return DeviceAdmission(reason="not-paired")
    scopes = grant_scopes(device.scopes, asked=asked)
    return DeviceAdmission(scopes=scopes) if scopes or not asked else DeviceAdmission(reason="scope-upgrade")


def approve_scopes(asked: frozenset[str], wanted: Sequence[str] | None) -> frozenset[str]:
    """The scopes of an approval: those asked for, or those that the owner names; unknown ones are left out."""
    return OWNER_SCOPES.intersection(asked if wanted is None else wanted)


def list_waiting(devices: Devices, *, now: Instant) -> tuple[DeviceRequest, ...]:
    """The requests that still wait."""
    return tuple(one for one in devices.waiting if holds_at(now, since=one.created_at, until=one.expires_at))


def find_request(devices: Devices, text: str, *, now: Instant) -> DeviceRequest | None:
    """The request that waits and is meant by its id; None for a wrong or expired one."""
    wanted = text.strip()
    return next((one for one in list_waiting(devices, now=now) if one.request_id == wanted), None)


def _plain(text: str) -> str:
    """As clients write it before they sign: trimmed, and only the letters of ASCII in lower case."""
    return "".join(chr(ord(sign) + 32) if "A" <= sign <= "Z" else sign for sign in text.strip())
