"""The spellings of the seeds and of OpenClaw, turned into one (CFG-3, X-9, X-12, X-21).

What belongs here: fields that may stand in another place. What does not: fields that may be written in another
way in the same place; the section that reads them knows those.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

__all__ = ["BARE_FIELDS", "apply_aliases"]

BARE_FIELDS: Final = (
    "dmScope",
    "identityLinks",
    "sendPolicy",
    "reset",
    "resetTime",
    "idleTimeout",
    "idleMinutes",
    "resetByType",
    "resetByChannel",
    "maxMessages",
    "maxTokens",
    "maintenance",
)
"""Fields of ``session`` that may stand at top level (CFG-3)."""


def apply_aliases(raw: Mapping[str, object]) -> dict[str, object]:
    """`raw` with every setting in its one place; `raw` itself is not changed. Applying it twice changes nothing.

    A field that is set in both places keeps the value of its one place, whole: nothing is merged inside it. A
    place that holds something other than an object is left for the checks to complain about.
    """
    root = dict(raw)
    _move_bare_fields(root)
    _move_agent(root)
    return root


def _move_bare_fields(root: dict[str, object]) -> None:
    bare = {name: root[name] for name in BARE_FIELDS if name in root}
    session = root.get("session")
    if not bare or not (session is None or isinstance(session, Mapping)):
        return
    for name in bare:
        del root[name]
    root["session"] = bare | _given(session)


def _move_agent(root: dict[str, object]) -> None:
    """``agent`` is an older word for ``agents.defaults``."""
    agent, agents = root.get("agent"), root.get("agents")
    if not isinstance(agent, Mapping) or not (agents is None or isinstance(agents, Mapping)):
        return
    defaults = (agents or {}).get("defaults")
    if not (defaults is None or isinstance(defaults, Mapping)):
        return
    del root["agent"]
    root["agents"] = {**(agents or {}), "defaults": {**agent, **_given(defaults)}}


def _given(fields: Mapping[str, object] | None) -> dict[str, object]:
    """The fields that say something: null means that a field is not set."""
    return {name: value for name, value in (fields or {}).items() if value is not None}
