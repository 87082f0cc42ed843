"""Fresh identifiers. `core` never draws one: it gets them as arguments."""

from __future__ import annotations

from typing import Protocol

from instar.core.model.ids import DeliveryId, EntryId, InboundId, SessionId, TurnId

__all__ = ["IdSource"]


class IdSource(Protocol):
    """Draws ids that nobody has drawn before."""

    def session_id(self) -> SessionId:
        """A UUID v4 (RESET-22)."""
        ...

    def entry_id(self) -> EntryId:
        """Eight hexadecimal characters; unique in a transcript with overwhelming likelihood, checked by the store."""
        ...

    def turn_id(self) -> TurnId:
        """A UUID v4."""
        ...

    def inbound_id(self) -> InboundId:
        """A UUID v4."""
        ...

    def delivery_id(self) -> DeliveryId:
        """A UUID v4."""
        ...

    def pairing_code(self) -> str:
        """Eight letters and digits that are not mistaken for one another, one of 2^40 (LEAK-2)."""
        ...

    def token(self) -> str:
        """A secret of 256 random bits, URL-safe (GW-9)."""
        ...
