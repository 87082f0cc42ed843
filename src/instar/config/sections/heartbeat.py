"""`agents.defaults.heartbeat.every`: how often an agent is given a turn that nobody asked for (HEART-1, PRUNE-3)."""

from __future__ import annotations

from collections.abc import Mapping

from instar.config.read import read_duration_ms
from instar.config.sections.per_agent import PerAgent, parse_per_agent

__all__ = ["parse_heartbeat"]


def parse_heartbeat(root: Mapping[str, object]) -> PerAgent[int | None]:
    """The interval in milliseconds of a whole configuration whose aliases are applied; None where nobody set one.

    A bare number counts minutes, and 0 means no heartbeats. Raises ConfigError for what is no duration.
    """
    return parse_per_agent(
        root,
        "heartbeat",
        parse=lambda fields, path: read_duration_ms(fields.get("every"), f"{path}.every", bare_unit="m"),
    )
