"""Durations and sizes as people write them (CFG-7, CFG-8)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from instar.core.model.quantity import parse_duration_ms, parse_size_bytes

DAY_MS = 86_400_000


@pytest.mark.parametrize(
    ("value", "bare_unit", "expected"),
    [
        ("250ms", "s", 250),
        ("90s", "ms", 90_000),
        ("5m", "ms", 300_000),
        ("1.5h", "ms", 5_400_000),
        ("30d", "ms", 30 * DAY_MS),
        ("2w", "ms", 14 * DAY_MS),
        (" 1H ", "ms", 3_600_000),
        ("7", "d", 7 * DAY_MS),
        (7, "d", 7 * DAY_MS),
        (0.5, "s", 500),
        (0, "d", 0),
        ("0.0005s", "ms", 1),
    ],
)
def test_a_number_with_a_unit_is_a_duration(value, bare_unit, expected):
    assert parse_duration_ms(value, bare_unit=bare_unit) == expected


@pytest.mark.parametrize(
    "value",
    ["later", "", "-1d", "1 d", "1y", "1e3", ".5h", "1d2h", "٣d", -1, float("nan"), float("inf"), True, None, [], {}],
)
def test_anything_else_is_no_duration(value):
    assert parse_duration_ms(value, bare_unit="d") is None


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (1024, 1024),
        ("512", 512),
        ("512b", 512),
        ("1kb", 1024),
        ("1.5MB", 1_572_864),
        ("10gb", 10 * 1024**3),
        ("2TB", 2 * 1024**4),
    ],
)
def test_a_number_with_a_size_unit_is_a_size_in_powers_of_1024(value, expected):
    assert parse_size_bytes(value) == expected


@pytest.mark.parametrize("value", ["big", "1m", "1kib", -5, False, None])
def test_anything_else_is_no_size(value):
    assert parse_size_bytes(value) is None


@given(st.integers(min_value=0, max_value=10**9), st.sampled_from(["ms", "s", "m", "h", "d", "w"]))
def test_text_and_bare_number_mean_the_same(number, unit):
    assert parse_duration_ms(f"{number}{unit}", bare_unit="ms") == parse_duration_ms(number, bare_unit=unit)


@given(st.text())
def test_no_text_raises(text):
    parse_duration_ms(text, bare_unit="ms")
    parse_size_bytes(text)
