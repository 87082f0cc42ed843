import pytest
from hypothesis import given
from hypothesis import strategies as st

from instar.protocol.version import NEWEST, OLDEST, choose_protocol


@pytest.mark.parametrize(
    ("lowest", "highest", "chosen"),
    [
        pytest.param(3, 3, 3, id="an old client gets the old protocol"),
        pytest.param(4, 4, 4, id="a new client gets the new one"),
        pytest.param(3, 4, 4, id="who speaks both gets the newer"),
        pytest.param(1, 99, 4, id="a wide range is cut to what exists"),
        pytest.param(5, 9, None, id="from the future"),
        pytest.param(1, 2, None, id="from the past"),
        pytest.param(4, 3, None, id="upside down"),
    ],
)
def test_the_highest_version_that_both_speak_is_chosen(lowest, highest, chosen):
    assert choose_protocol(lowest=lowest, highest=highest) == chosen


@given(st.integers(1, 12), st.integers(1, 12))
def test_a_chosen_version_is_in_both_ranges(lowest, highest):
    chosen = choose_protocol(lowest=lowest, highest=highest)
    common = range(max(lowest, OLDEST), min(highest, NEWEST) + 1)
    assert chosen == (max(common) if common else None)
