"""The collector rests while a block runs, and goes on afterwards if it ran before."""

from __future__ import annotations

import gc

import pytest

from instar.system.collector import collector_at_rest


@pytest.mark.parametrize("is_on", [True, False])
def test_the_collector_rests_and_is_then_as_it_was(is_on):
    was_on = gc.isenabled()
    (gc.enable if is_on else gc.disable)()
    try:
        with collector_at_rest():
            assert not gc.isenabled()
            with collector_at_rest():
                assert not gc.isenabled()
            assert not gc.isenabled()
        assert gc.isenabled() is is_on
    finally:
        (gc.enable if was_on else gc.disable)()


def test_it_goes_on_after_a_block_that_failed():
    was_on = gc.isenabled()
    with pytest.raises(ValueError, match="x"), collector_at_rest():
        raise ValueError("x")
    assert gc.isenabled() is was_on
