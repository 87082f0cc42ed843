"""`budgets`: what may be spent on what, and what happens when it is (COST-2)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from instar.config.read import read_choice, read_list, read_number, read_object, read_text
from instar.core.policy.budget import Budget, BudgetMatch, BudgetPeriod
from instar.core.routing.normalize import normalize_agent_id, normalize_channel
from instar.errors import ConfigError

__all__ = ["parse_budgets"]

_PERIODS: Final[tuple[BudgetPeriod, ...]] = ("day", "month", "session")


def parse_budgets(root: Mapping[str, object]) -> tuple[Budget, ...]:
    """The budgets of a whole configuration, in order.

    Raises ConfigError for a budget without a period or a limit: money is no place for guesses.
    """
    return tuple(
        _parse_budget(read_object(item, f"budgets[{at}]"), path=f"budgets[{at}]")
        for at, item in enumerate(read_list(root.get("budgets"), "budgets"))
    )


def _parse_budget(fields: Mapping[str, object], *, path: str) -> Budget:
    per = read_choice(fields.get("per"), f"{path}.per", words=_PERIODS)
    if per is None:
        raise ConfigError("A budget has no period", fix='Write per: "day", "month" or "session".', path=f"{path}.per")
    limit = read_number(fields.get("limitUsd"), f"{path}.limitUsd")
    if limit is None or limit < 0:
        raise ConfigError(
            "A budget has no limit",
            why="limitUsd is missing or below 0",
            fix="Write the limit in US dollars.",
            path=f"{path}.limitUsd",
        )
    action = read_choice(fields.get("action"), f"{path}.action", words=("warn", "stop"))
    return Budget(
        name=path,
        per=per,
        limit_usd=float(limit),
        action="stop" if action == "stop" else "warn",
        match=_parse_match(read_object(fields.get("match"), f"{path}.match"), path=f"{path}.match"),
    )


def _parse_match(fields: Mapping[str, object], *, path: str) -> BudgetMatch:
    """The match of a budget. `model` may be ``provider/model``."""
    known = ("agent", "person", "channel", "provider", "model", "keyPrefix")
    for name in fields:
        if name not in known:
            fix = f"Use {', '.join(known)}."
            raise ConfigError("A budget matches something unknown", fix=fix, path=f"{path}.{name}")
    texts = {name: read_text(fields.get(name), f"{path}.{name}") for name in known}
    model, provider = (texts["model"] or "").lower(), (texts["provider"] or "").lower()
    if "/" in model:
        provider, _, model = model.partition("/")
    return BudgetMatch(
        agent=normalize_agent_id(texts["agent"]) if texts["agent"] else None,
        person=texts["person"].lower() if texts["person"] else None,
        channel=normalize_channel(texts["channel"]) if texts["channel"] else None,
        provider=provider or None,
        model=model or None,
        key_prefix=texts["keyPrefix"].lower() if texts["keyPrefix"] else None,
    )
