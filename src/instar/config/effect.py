"""What of a changed configuration holds at once, and what waits for the next start (CFG-12).

Most settings are asked for with every message, so they hold from the next one on; all of `session` but the place of
the store does. What a gateway was built from (its address, its store, its channels, its providers) stays as it was.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from instar.config.config import Config

__all__ = ["apply_reload"]

_BUILT_FROM: Final = {
    "gateway": "gateway",
    "store": "session.store, session.mirror, session.encryption",
    "models": "models",
    "channels": "channels",
    "delivery": "delivery",
}
"""Fields of `Config` that were used once, when the gateway was built, and the settings they come from."""

_POOLS: Final = {
    "max_concurrent": "agents.defaults.maxConcurrent",
    "max_subagents": "agents.defaults.subagents.maxConcurrent",
    "max_cron_runs": "cron.maxConcurrentRuns",
}
"""Limits of lanes, which are as long as they were made."""


def apply_reload(old: Config, new: Config) -> tuple[Config, tuple[str, ...]]:
    """The configuration that holds once the file says `new`, and the settings that wait for the next start."""
    waiting = [paths for name, paths in _BUILT_FROM.items() if getattr(old, name) != getattr(new, name)]
    waiting += [path for name, path in _POOLS.items() if getattr(old.queue, name) != getattr(new.queue, name)]
    kept = replace(
        new,
        state_dir=old.state_dir,
        home=old.home,
        gateway=old.gateway,
        store=old.store,
        models=old.models,
        channels=old.channels,
        delivery=old.delivery,
    )
    return kept, tuple(waiting)
