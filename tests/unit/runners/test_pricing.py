"""COST-1: tokens times prices."""

from __future__ import annotations

import pytest

from instar.core.model.entry import Usage
from instar.runners.pricing import price_usage

M = 1_000_000


def test_each_part_has_its_own_price() -> None:
    usage = Usage(input=M, output=2 * M, cache_read=3 * M, cache_write=4 * M)
    cost = price_usage(usage, {"input": 1, "output": 10, "cacheRead": 0.1, "cacheWrite": 2})
    assert cost is not None
    assert (cost.input, cost.output, cost.cache_read, cost.cache_write) == pytest.approx((1, 20, 0.3, 8))
    assert cost.total == pytest.approx(29.3)


def test_a_cache_without_a_price_costs_what_the_input_costs() -> None:
    cost = price_usage(Usage(cache_read=M, cache_write=M), {"input": 1, "output": 10})
    assert cost is not None
    assert cost.total == pytest.approx(2)


def test_nobody_knows_what_an_unpriced_model_costs() -> None:
    assert price_usage(Usage(input=M), {}) is None
    assert price_usage(Usage(input=M), {"cacheRead": 1}) is None


def test_a_model_may_cost_nothing() -> None:
    cost = price_usage(Usage(input=M, output=M), {"input": 0, "output": 0})
    assert cost is not None
    assert cost.total == 0


def test_a_long_prompt_may_cost_more_in_every_part() -> None:
    price = {"input": 1.0, "output": 2.0, "cacheRead": 0.1, "longFrom": 1000, "longInput": 3.0, "longOutput": 4.0}
    short = price_usage(Usage(input=900, cache_read=100, output=M), price)
    long = price_usage(Usage(input=900, cache_read=101, output=M), price)
    assert short is not None
    assert long is not None
    assert short.output == pytest.approx(2)
    assert long.output == pytest.approx(4)
    assert long.input == pytest.approx(900 * 3 / M)
    assert long.cache_read == pytest.approx(101 * 0.1 / M)
