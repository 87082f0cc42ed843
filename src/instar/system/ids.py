"""Fresh identifiers from the operating system's random source; the only place that draws them."""

from __future__ import annotations

import secrets
import uuid

from instar.core.model.ids import DeliveryId, EntryId, InboundId, SessionId, TurnId
from instar.core.policy.pairing import CODE_BYTES, build_code

__all__ = ["SystemIds", "draw_bytes"]

TOKEN_BYTES = 32
"""256 bits: nobody guesses one, however many are handed out (GW-9)."""


class SystemIds:
    """Keeps `instar.ports.ids.IdSource`. Safe to use from several threads."""

    def session_id(self) -> SessionId:
        """A UUID v4 (RESET-22)."""
        return SessionId(str(uuid.uuid4()))

    def entry_id(self) -> EntryId:
        """Eight hexadecimal characters (TRANS-3)."""
        return EntryId(secrets.token_hex(4))

    def turn_id(self) -> TurnId:
        """A UUID v4."""
        return TurnId(str(uuid.uuid4()))

    def inbound_id(self) -> InboundId:
        """A UUID v4."""
        return InboundId(str(uuid.uuid4()))

    def delivery_id(self) -> DeliveryId:
        """A UUID v4."""
        return DeliveryId(str(uuid.uuid4()))

    def pairing_code(self) -> str:
        """One of 2^40 codes (LEAK-2)."""
        return build_code(secrets.token_bytes(CODE_BYTES))

    def token(self) -> str:
        """A secret of 256 random bits, URL-safe (GW-9)."""
        return secrets.token_urlsafe(TOKEN_BYTES)


def draw_bytes(count: int) -> bytes:
    """Random bytes for keys and nonces, which no test may foresee: the only draw that comes by no `IdSource`."""
    return secrets.token_bytes(count)
