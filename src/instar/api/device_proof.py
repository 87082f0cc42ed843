"""Whether a device holds the key that it names: Ed25519 over what it says at `connect` (LEAK-3)."""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Mapping

from instar.core.model.ids import Instant
from instar.core.policy.devices import DeviceClaim, DeviceProblem, build_signed_texts, check_claim
from instar.protocol.params import Params

__all__ = ["check_proof", "read_claim"]

KEY_BYTES = 32
SIGNATURE_BYTES = 64
"""RFC 8032, section 5.1."""


def read_claim(params: Mapping[str, object]) -> DeviceClaim | None:
    """What a checked `connect` says of its device; None without one."""
    given = Params(params)
    if not given.has("device"):
        return None
    device, client, auth = (Params(given.record(name)) for name in ("device", "client", "auth"))
    secrets = (auth.maybe_text(name) for name in ("token", "deviceToken", "bootstrapToken"))
    return DeviceClaim(
        device_id=device.text("id"),
        nonce=device.maybe_text("nonce"),
        signed_at=device.whole("signedAt", 0),
        client_id=client.text("id"),
        client_mode=client.text("mode"),
        role=given.text("role", "operator"),
        scopes=tuple(given.texts("scopes")),
        token=next((secret for secret in secrets if secret), ""),
        platform=client.text("platform"),
        device_family=client.text("deviceFamily"),
    )


def check_proof(
    claim: DeviceClaim, *, public_key: str, signature: str, nonce: str, now: Instant
) -> DeviceProblem | None:
    """What is wrong with a claim, None when the device has proved its key. `nonce` is that of the challenge."""
    key = _decode(public_key, KEY_BYTES)
    key_id = None if key is None else hashlib.sha256(key).hexdigest()
    problem = check_claim(claim, key_id=key_id, nonce=nonce, now=now)
    if problem is not None or key is None:
        return problem
    signed = _decode(signature, SIGNATURE_BYTES)
    if signed is None or not any(_verifies(key, signed, text) for text in build_signed_texts(claim)):
        return "device-signature"
    return None


def _verifies(key: bytes, signature: bytes, text: str) -> bool:
    # Imported when the first device comes: it takes 40 ms, and most clients have no device.
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    try:
        Ed25519PublicKey.from_public_bytes(key).verify(signature, text.encode("utf-8", "surrogatepass"))
    except (InvalidSignature, ValueError):
        return False
    return True


def _decode(text: str, length: int) -> bytes | None:
    """The bytes of a base64url text without padding; None for one that is none or of another length."""
    try:
        found = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        return None
    return found if len(found) == length else None
