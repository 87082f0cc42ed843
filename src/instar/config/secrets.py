"""Which texts of a configuration are secret by the schema, whether the rest of it means anything or not (LEAK-12)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from instar.config.reference import list_settings

__all__ = ["find_marked"]


def find_marked(value: object) -> Iterator[str]:
    """Every text that stands in a setting which the schema marks as secret, in a configuration as it was written."""
    for _, rows in list_settings():
        for row in rows:
            if row.facts.get("secret"):
                yield from _texts(value, row.path.split("."))


def _texts(value: object, steps: Sequence[str]) -> Iterator[str]:
    if isinstance(value, str):
        if not steps:
            yield value
    elif isinstance(value, list):
        for each in value:
            yield from _texts(each, steps)
    elif isinstance(value, Mapping):
        for name, each in value.items():
            if not steps or steps[0].removesuffix("[]") in {"<name>", name}:
                yield from _texts(each, steps[1:])
