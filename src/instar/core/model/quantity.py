"""Durations and sizes as people write them in configuration and commands (CFG-7, CFG-8).

A duration becomes whole milliseconds, a size whole bytes. What is not a quantity becomes None: whether that is an
error or a default is the business of the field that was read.
"""

from __future__ import annotations

import math
import re
from decimal import ROUND_HALF_UP, Decimal
from typing import Final, Literal

__all__ = ["DurationUnit", "parse_duration_ms", "parse_size_bytes"]

DurationUnit = Literal["ms", "s", "m", "h", "d", "w"]
"""The unit that a field gives to a bare number."""

_MS_PER_UNIT: Final[dict[str, int]] = {
    "ms": 1,
    "s": 1_000,
    "m": 60_000,
    "h": 3_600_000,
    "d": 86_400_000,
    "w": 604_800_000,
}

_BYTES_PER_UNIT: Final[dict[str, int]] = {"b": 1, "kb": 1 << 10, "mb": 1 << 20, "gb": 1 << 30, "tb": 1 << 40}

_QUANTITY: Final = re.compile(r"([0-9]{1,15}(?:\.[0-9]{1,15})?)([a-z]*)")
"""A number and the letters of its unit. Fifteen digits are more than any quantity means and keep the cost bounded."""


def parse_duration_ms(value: object, *, bare_unit: DurationUnit) -> int | None:
    """The milliseconds of `90`, `"90"`, `"1.5h"`, `"30d"`; None if `value` is no duration (CFG-7).

    Case and surrounding blanks do not matter. A number, or text without a unit, counts in `bare_unit`. Negative
    numbers, booleans and what is not finite are no durations. Fractions of a millisecond are rounded half up.
    """
    return _parse(value, units=_MS_PER_UNIT, bare_unit=bare_unit)


def parse_size_bytes(value: object) -> int | None:
    """The bytes of `1024`, `"10gb"`, `"1.5MB"`; None if `value` is no size (CFG-8).

    Units are powers of 1024; a bare number counts bytes. Case and surrounding blanks do not matter.
    """
    return _parse(value, units=_BYTES_PER_UNIT, bare_unit="b")


def _parse(value: object, *, units: dict[str, int], bare_unit: str) -> int | None:
    if isinstance(value, bool):
        return None
    if isinstance(value, int | float):
        if not math.isfinite(value) or value < 0:
            return None
        number, unit = Decimal(str(value)), bare_unit
    elif isinstance(value, str):
        match = _QUANTITY.fullmatch(value.strip().lower())
        if match is None:
            return None
        number, unit = Decimal(match[1]), match[2] or bare_unit
    else:
        return None
    factor = units.get(unit)
    return None if factor is None else int((number * factor).to_integral_value(rounding=ROUND_HALF_UP))
