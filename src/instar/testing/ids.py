"""Ids in sequence: the same test draws the same ids each time, and a person can tell them apart."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count

from instar.core.model.ids import DeliveryId, EntryId, InboundId, SessionId, TurnId
from instar.core.policy.pairing import CODE_BYTES, build_code

__all__ = ["DrawnIds", "SequenceIds"]


class SequenceIds:
    """Keeps `instar.ports.ids.IdSource` for tests.

    Each kind counts from 1 and has a letter of its own in the id: ``a0000000-0000-4000-8000-000000000001`` is the first
    session id. `seed` sets one source apart from another, for gateways that share a store.
    """

    def __init__(self, seed: int = 0) -> None:
        self._seed = seed & 0xFFF
        self._sessions, self._turns, self._inbounds = count(1), count(1), count(1)
        self._deliveries, self._entries, self._tokens = count(1), count(1), count(1)
        self._codes = count(1)

    def session_id(self) -> SessionId:
        """``a…``: the next session id."""
        return SessionId(self._uuid("a", next(self._sessions)))

    def entry_id(self) -> EntryId:
        """The next entry id: three digits of the seed, five of the count."""
        return EntryId(f"{self._seed:03x}{next(self._entries):05x}")

    def turn_id(self) -> TurnId:
        """``b…``: the next turn id."""
        return TurnId(self._uuid("b", next(self._turns)))

    def inbound_id(self) -> InboundId:
        """``c…``: the next inbound id."""
        return InboundId(self._uuid("c", next(self._inbounds)))

    def delivery_id(self) -> DeliveryId:
        """``d…``: the next delivery id."""
        return DeliveryId(self._uuid("d", next(self._deliveries)))

    def pairing_code(self) -> str:
        """The next code; they differ in their first letters."""
        return build_code((next(self._codes) | self._seed << 28).to_bytes(CODE_BYTES, "big"))

    def token(self) -> str:
        """As long as a real one, and no secret at all."""
        return f"test-token-{self._seed:03x}-{next(self._tokens):028d}"

    def _uuid(self, kind: str, number: int) -> str:
        return f"{kind}0000000-0000-4000-8{self._seed:03x}-{number:012x}"


class DrawnIds(SequenceIds):
    """Ids without an order: with them an erasure hides whom it is about, and counted ones hide nothing.

    `below` draws a whole number from 0 to below the one that it is given.
    """

    def __init__(self, below: Callable[[int], int]) -> None:
        super().__init__()
        self._below = below

    def session_id(self) -> SessionId:
        """A drawn one."""
        digits = "".join(f"{self._below(1 << 32):08x}" for _ in range(4))
        return SessionId("-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:])))
