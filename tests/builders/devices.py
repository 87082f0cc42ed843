"""A device with a key of its own, as clients of the protocol have one."""

from __future__ import annotations

import base64
import hashlib
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

__all__ = ["TestDevice", "encode"]

CLIENT = {"id": "gateway-client", "version": "1.0", "platform": "Linux", "mode": "backend", "displayName": "Laptop"}


class TestDevice:
    """One key. `sign` gives what a `connect` says under ``device``."""

    __test__ = False

    def __init__(self, seed: int = 1) -> None:
        self._key = Ed25519PrivateKey.from_private_bytes(bytes([seed]) * 32)
        raw = self._key.public_key().public_bytes_raw()
        self.id = hashlib.sha256(raw).hexdigest()
        self.public_key = encode(raw)

    def sign(
        self,
        *,
        nonce: str,
        at: int,
        token: str = "",
        scopes: tuple[str, ...] = (),
        client: dict[str, Any] | None = None,
        version: str = "v3",
        device_id: str | None = None,
    ) -> dict[str, Any]:
        """The proof, over what the rest of the request says."""
        named = client or CLIENT
        fields = [version, device_id or self.id, named["id"], named["mode"], "operator", ",".join(scopes), str(at)]
        fields += [token, nonce]
        if version == "v3":
            fields += [named["platform"].lower(), named.get("deviceFamily", "").lower()]
        signature = self._key.sign("|".join(fields).encode())
        return {
            "id": device_id or self.id,
            "publicKey": self.public_key,
            "signature": encode(signature),
            "signedAt": at,
            "nonce": nonce,
        }


def encode(data: bytes) -> str:
    """Base64url without padding."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
