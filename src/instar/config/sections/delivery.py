"""`delivery`: how long and how often replies are tried (LOSS-5)."""

from __future__ import annotations

from collections.abc import Mapping

from instar.config.read import read_duration_ms, read_object, read_whole
from instar.core.delivery.owed import DeliverySettings

__all__ = ["parse_delivery"]


def parse_delivery(root: Mapping[str, object]) -> DeliverySettings:
    """The limits of the outbox of a whole configuration whose aliases are applied. Bare times are minutes."""
    fields = read_object(root.get("delivery"), "delivery")
    default = DeliverySettings()
    resend_ms = read_duration_ms(fields.get("resendWithin"), "delivery.resendWithin", bare_unit="m")
    attempts = read_whole(fields.get("maxAttempts"), "delivery.maxAttempts", least=1)
    return DeliverySettings(
        max_attempts=default.max_attempts if attempts is None else attempts,
        resend_within_ms=default.resend_within_ms if resend_ms is None else resend_ms,
    )
