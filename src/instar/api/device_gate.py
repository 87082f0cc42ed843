"""The second question of a `connect`: which device is this, and may it have what its secret allows (LEAK-3)?

Stands behind the first (`instar.api.handshake`), which looks at secrets alone, and only narrows it. A client without a
device is not asked. One with a device proves its key first, whatever secret it shows. Then:

- a token that was handed out to a device opens the gateway together with the key of that device, and with no other;
- the gateway's own secret opens it on the gateway's own machine; from another one the owner approves each device, which
  then gets what was approved and a token of its own;
- a token that was made for a person or program (`instar tokens create`) is its own approval.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

import structlog
from starlette.requests import HTTPConnection

from instar.api.auth import is_loopback
from instar.api.device_proof import check_proof, read_claim
from instar.api.handshake import Accepted, Rejected, decide_connect
from instar.api.port import GatewayPort
from instar.api.settings import ApiSettings
from instar.core.model.device import Device, DeviceReason, DeviceWish
from instar.core.model.ids import Instant
from instar.core.model.token import ShownToken
from instar.core.policy.devices import DeviceClaim, DeviceProblem, decide_device
from instar.core.policy.scopes import OWNER_SCOPES
from instar.errors import StoreError, Unavailable
from instar.protocol.errors import ErrorShape, wire_error
from instar.protocol.frames import Request
from instar.protocol.params import Params

__all__ = ["DeviceGate", "Origin", "find_bearer_token", "find_origin"]

SHOWN_CHARS: Final = 80
"""Of a name that a device gives itself."""

_FORWARDED: Final = ("forwarded", "x-forwarded-for", "x-real-ip")
"""Whoever sends these speaks for somebody else: a proxy on this machine is not its clients."""

_PROBLEMS: Final[Mapping[DeviceProblem, tuple[str, str]]] = {
    "device-public-key": ("device public key invalid", "DEVICE_AUTH_PUBLIC_KEY_INVALID"),
    "device-id-mismatch": ("device identity mismatch", "DEVICE_AUTH_DEVICE_ID_MISMATCH"),
    "device-nonce-missing": ("device nonce required", "DEVICE_AUTH_NONCE_REQUIRED"),
    "device-nonce-mismatch": ("device nonce mismatch", "DEVICE_AUTH_NONCE_MISMATCH"),
    "device-signature-stale": ("device signature expired", "DEVICE_AUTH_SIGNATURE_EXPIRED"),
    "device-signature": ("device signature invalid", "DEVICE_AUTH_SIGNATURE_INVALID"),
}

_REASONS: Final[Mapping[DeviceReason, tuple[str, str]]] = {
    "not-paired": ("device is not approved yet", "Approve it: instar devices approve {id}"),
    "scope-upgrade": (
        "device is asking for more scopes than currently approved",
        "Approve the wider scopes: instar devices approve {id}",
    ),
}

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """Where a client connects from. `is_local` says that it is on the gateway's own machine, as far as one can see."""

    address: str
    is_local: bool


def find_origin(connection: HTTPConnection) -> Origin:
    """Where a socket comes from, by the address of its other end; a program that passes others on is not local."""
    address = connection.client.host if connection.client is not None else ""
    is_direct = not any(name in connection.headers for name in _FORWARDED)
    return Origin(address=address, is_local=is_direct and is_loopback(address))


async def find_bearer_token(gateway: GatewayPort, text: str) -> ShownToken | None:
    """The stored token that stands alone, without a proof of any key; that of a device is none. Raises `StoreError`."""
    shown = await gateway.tokens.find(text)
    owner = None if shown is None else await gateway.devices.find_by_token(shown.token.id)
    return shown if owner is None else None


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceGate:
    """Looks at the device of each client that connects."""

    settings: ApiSettings
    gateway: GatewayPort

    async def check(
        self, request: Request, decided: Accepted | Rejected, *, nonce: str, origin: Origin, now: Instant
    ) -> Accepted | Rejected:
        """What becomes of a client after its device was looked at. `decided` is what its secret led to."""
        params = request.params or {}
        if isinstance(decided, Rejected) and decided.auth_reason is None:
            return decided
        try:
            return await self._check(params, request, decided, nonce=nonce, origin=origin, now=now)
        except StoreError as error:
            # Nobody gets in by a store that cannot say.
            log.warning("device_lookup_failed", error=str(error))
            return Rejected(error=wire_error(error, is_owner=False), close_reason="store unavailable")

    async def _check(
        self,
        params: Mapping[str, object],
        request: Request,
        decided: Accepted | Rejected,
        *,
        nonce: str,
        origin: Origin,
        now: Instant,
    ) -> Accepted | Rejected:
        claim = read_claim(params)
        if claim is not None:
            device = Params(Params(params).record("device"))
            problem = check_proof(
                claim, public_key=device.text("publicKey"), signature=device.text("signature"), nonce=nonce, now=now
            )
            if problem is not None:
                return _refuse_proof(problem)
        if isinstance(decided, Rejected):
            return await self._by_device_token(params, request, decided, claim)
        if decided.caller.token_id is not None:
            owner = await self.gateway.devices.find_by_token(decided.caller.token_id)
            is_its_own = owner is None or (claim is not None and claim.device_id == owner.device_id)
            return decided if is_its_own else _refuse_token()
        if claim is None or origin.is_local or not _shows_secret(params):
            return decided
        return await self._admit(params, decided, claim, origin)

    async def _by_device_token(
        self, params: Mapping[str, object], request: Request, refused: Rejected, claim: DeviceClaim | None
    ) -> Accepted | Rejected:
        """A client whose first secret opens nothing may show the token of its device beside it."""
        auth = Params(Params(params).record("auth"))
        shown_text, token = auth.maybe_text("deviceToken"), auth.maybe_text("token")
        if claim is None:
            return refused
        if not shown_text:
            device = await self.gateway.devices.find(claim.device_id)
            return refused if device is None or device.token_id is None else _offer_token(refused)
        shown = await self.gateway.tokens.find(shown_text)
        owner = None if shown is None else await self.gateway.devices.find_by_token(shown.token.id)
        if owner is not None and owner.device_id == claim.device_id:
            again = decide_connect(request, self.settings, shown)
            return again if isinstance(again, Accepted) else _refuse_token()
        return _refuse_token() if token in {None, "", shown_text} else refused

    async def _admit(
        self, params: Mapping[str, object], decided: Accepted, claim: DeviceClaim, origin: Origin
    ) -> Accepted | Rejected:
        """A device on another machine that shows the gateway's own secret gets what was approved."""
        devices = self.gateway.devices
        device = await devices.find(claim.device_id)
        asked = claim.scopes if Params(params).has("scopes") else None
        admission = decide_device(device, asked=asked)
        if device is None or admission.reason is not None:
            reason = admission.reason or "not-paired"
            try:
                request = await devices.ask(_build_wish(params, claim, origin), reason=reason)
            except Unavailable as error:
                return Rejected(error=wire_error(error, is_owner=False), close_reason="too many devices wait")
            return _refuse_unpaired(request.request_id, claim, reason=reason, device=device)
        token_id, text = await devices.give_token(device)
        caller = replace(decided.caller, scopes=admission.scopes, token_id=token_id)
        return replace(decided, caller=caller, device_token=text)


def _shows_secret(params: Mapping[str, object]) -> bool:
    auth = Params(Params(params).record("auth"))
    return bool(auth.maybe_text("token") or auth.maybe_text("password"))


def _build_wish(params: Mapping[str, object], claim: DeviceClaim, origin: Origin) -> DeviceWish:
    given = Params(params)
    client = Params(given.record("client"))
    asked = OWNER_SCOPES.intersection(claim.scopes) if given.has("scopes") else OWNER_SCOPES
    return DeviceWish(
        device_id=claim.device_id,
        public_key=Params(given.record("device")).text("publicKey"),
        scopes=asked,
        name=_shorten(client.text("displayName")),
        platform=_shorten(claim.platform),
        client=_shorten(claim.client_id),
        mode=_shorten(claim.client_mode),
        address=origin.address,
    )


def _shorten(text: str) -> str:
    return " ".join(text.split())[:SHOWN_CHARS]


# --- refusals, as clients of the protocol know them -------------------------------------------------------------------


def _refuse_proof(problem: DeviceProblem) -> Rejected:
    message, code = _PROBLEMS[problem]
    shape = ErrorShape(code="INVALID_REQUEST", message=message, details={"code": code, "reason": problem})
    return Rejected(error=shape, close_reason=message)


def _refuse_token() -> Rejected:
    """The token is of no device, or of another one, or has ended: the client forgets it."""
    message = "unauthorized: device token mismatch (it is not the token of this device, or was revoked)"
    details = {
        "code": "AUTH_DEVICE_TOKEN_MISMATCH",
        "authReason": "device_token_mismatch",
        "canRetryWithDeviceToken": False,
        "recommendedNextStep": "update_auth_credentials",
    }
    shape = ErrorShape(code="INVALID_REQUEST", message=message, details=details)
    return Rejected(error=shape, close_reason=message[:120], is_guess=True)


def _offer_token(refused: Rejected) -> Rejected:
    """The refusal of a device that has a token: it may try that one."""
    details = refused.error.details if isinstance(refused.error.details, dict) else {}
    more = {**details, "canRetryWithDeviceToken": True, "recommendedNextStep": "retry_with_device_token"}
    shape = ErrorShape(code=refused.error.code, message=refused.error.message, details=more)
    return replace(refused, error=shape)


def _refuse_unpaired(request_id: str, claim: DeviceClaim, *, reason: DeviceReason, device: Device | None) -> Rejected:
    requirement, hint = _REASONS[reason]
    message = f"pairing required: {requirement}"
    details: dict[str, object] = {
        "code": "PAIRING_REQUIRED",
        "reason": reason,
        "requestId": request_id,
        "remediationHint": hint.format(id=request_id),
        "deviceId": claim.device_id,
        "requestedRole": claim.role,
        "requestedScopes": list(claim.scopes),
    }
    if device is not None:
        details |= {"approvedRoles": ["operator"], "approvedScopes": sorted(device.scopes)}
    shape = ErrorShape(code="NOT_PAIRED", message=message, details=details)
    return Rejected(error=shape, close_reason=f"{message} (requestId: {request_id})"[:120])
