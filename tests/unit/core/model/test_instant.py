"""Instants as ISO text."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from instar.core.model.instant import CLOCK_SLACK_MS, format_iso, holds_at, is_canonical_iso, parse_iso, read_instant


@given(at=st.integers(-62_135_596_800_000, 253_402_300_799_999))
def test_written_time_is_canonical_and_reads_back(at):
    assert parse_iso(format_iso(at)) == at
    assert is_canonical_iso(format_iso(at))


@given(text=st.from_regex(r"[0-9]{4}-[01][0-9]-[0-3][0-9]T[0-2][0-9]:[0-5][0-9]:[0-5][0-9]\.[0-9]{3}Z", fullmatch=True))
def test_canonical_time_is_written_as_it_was_read(text):
    at = parse_iso(text)

    assert at is None or not is_canonical_iso(text) or format_iso(at) == text


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("1970-01-01T00:00:00.000Z", 0),
        ("1970-01-01T00:00:00.0019Z", 1),
        ("1969-12-31T23:59:59.999Z", -1),
        ("1970-01-01T01:00:00+01:00", 0),
        ("1970-01-01T00:00:00", 0),
        ("1970-01-01", 0),
        ("soon", None),
        ("", None),
        ("2026-02-30T00:00:00.000Z", None),
    ],
)
def test_time_in_any_iso_spelling_is_read(text, at):
    assert parse_iso(text) == at


def test_time_before_the_first_year_cannot_be_written():
    with pytest.raises(OverflowError):
        format_iso(-62_135_596_800_001)


@pytest.mark.parametrize("at", [0, -62_135_596_800_000, 253_402_300_799_999])
def test_number_that_names_an_instant_is_one(at):
    assert read_instant(at) == at
    assert parse_iso(format_iso(at)) == at


@pytest.mark.parametrize("value", [True, 1.0, "1", None, -62_135_596_800_001, 253_402_300_800_000])
def test_other_values_are_no_instants(value):
    assert read_instant(value) is None


@pytest.mark.parametrize(
    ("since", "until", "holds"),
    [(0, 1, True), (0, 0, False), (-5, -1, False), (CLOCK_SLACK_MS, 10**9, True), (CLOCK_SLACK_MS + 1, 10**9, False)],
)
def test_what_began_before_the_clock_was_set_back_is_over(since, until, holds):
    assert holds_at(0, since=since, until=until) is holds
