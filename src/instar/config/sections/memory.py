"""`memory`: whether and where an agent remembers across sessions (MEM-1…4)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from instar.config.read import read_bool, read_number, read_object, read_text
from instar.errors import ConfigError

__all__ = ["LOCAL_MEMORY", "MemorySettings", "parse_memory"]

LOCAL_MEMORY = "local"
"""Markdown files in the agent's workspace with a local index (MEM-3)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MemorySettings:
    """`store` names a memory store; `retrieve_count` is the most snippets of one retrieval, 0 for none."""

    enabled: bool = True
    store: str = LOCAL_MEMORY
    retrieve_count: int = 5


def parse_memory(root: Mapping[str, object], *, stores: frozenset[str] = frozenset({LOCAL_MEMORY})) -> MemorySettings:
    """The memory settings of a whole configuration whose aliases are applied.

    `stores` are the names of the stores there are. Raises ConfigError for another name, for a count that is no whole
    number from 0 on, and for wrong types.
    """
    fields = read_object(root.get("memory"), "memory")
    default = MemorySettings()
    enabled = read_bool(fields.get("enabled"), "memory.enabled")
    store = (read_text(fields.get("store"), "memory.store") or default.store).lower()
    if store not in stores:
        names = ", ".join(f'"{name}"' for name in sorted(stores))
        raise ConfigError(
            "No such memory store", why=f'it is "{store}"', fix=f"Write one of {names}.", path="memory.store"
        )
    return MemorySettings(
        enabled=default.enabled if enabled is None else enabled,
        store=store,
        retrieve_count=_read_count(fields.get("retrieveCount"), default=default.retrieve_count),
    )


def _read_count(value: object, *, default: int) -> int:
    path = "memory.retrieveCount"
    number = read_number(value, path)
    if number is None:
        return default
    if number < 0 or number != int(number):
        raise ConfigError(
            "The number cannot be used", why=f"it is {number}", fix="Write a whole number from 0 on.", path=path
        )
    return int(number)
