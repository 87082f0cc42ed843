"""What a model call cost (COST-1): the provider's own number if it gave one, else tokens times the price table.

A price table names US dollars per million tokens: `input`, `output`, `cacheRead`, `cacheWrite`. Models that charge more
for long prompts add `longFrom` (tokens of the whole prompt) and the four names with `long` in front.
"""

from __future__ import annotations

from collections.abc import Mapping

from instar.core.model.entry import Usage, UsageCost

__all__ = ["price_usage"]

PER = 1_000_000


def price_usage(usage: Usage, price: Mapping[str, float]) -> UsageCost | None:
    """The cost of a call by part; None when nobody knows what this model costs.

    A cache price that is not named is that of the input: a provider without cache prices charges for all of it.
    """
    if "input" not in price and "output" not in price:
        return None
    prompt_tokens = usage.input + usage.cache_read + usage.cache_write
    is_long = "longFrom" in price and prompt_tokens > price["longFrom"]

    def rate(name: str, otherwise: float) -> float:
        plain = price.get(name, otherwise)
        return price.get(f"long{name[0].upper()}{name[1:]}", plain) if is_long else plain

    input_rate = rate("input", 0.0)
    parts = (
        usage.input * input_rate / PER,
        usage.output * rate("output", 0.0) / PER,
        usage.cache_read * rate("cacheRead", input_rate) / PER,
        usage.cache_write * rate("cacheWrite", input_rate) / PER,
    )
    return UsageCost(input=parts[0], output=parts[1], cache_read=parts[2], cache_write=parts[3], total=sum(parts))
