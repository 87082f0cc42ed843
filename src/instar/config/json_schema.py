"""Every setting as JSON Schema, with help for each, for forms that edit the configuration (RPC-22)."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any, Final

from instar.config.reference import list_settings
from instar.config.schema import Root

__all__ = ["build_hints", "build_schema"]

_NOT_SCHEMA: Final = frozenset({"default", "limit", "later", "rules", "title", "unit"})
"""What the reference page says of a setting in words, where a schema would expect values; the hints tell it."""


@cache
def build_schema() -> Mapping[str, Any]:
    """The schema. `Any`: JSON Schema nests without end. Unknown names are allowed; the gateway warns about them."""
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **_plain(Root.model_json_schema())}


@cache
def build_hints() -> Mapping[str, Mapping[str, object]]:
    """By the path of a setting: its meaning, its default, unit and limit in words, and whether it has no effect yet."""
    return {
        row.path: {
            "help": row.meaning,
            "advanced": row.is_later,
            **{name: text for name in ("default", "unit", "limit") if (text := row.facts.get(name))},
        }
        for _, rows in list_settings()
        for row in rows
    }


def _plain(schema: Any) -> Any:  # noqa: ANN401 - any part of a schema
    """The schema without words in the place of values; names of settings are left alone."""
    if isinstance(schema, list):
        return [_plain(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    return {
        name: {inner: _plain(each) for inner, each in value.items()}
        if name in {"properties", "$defs"}
        else _plain(value)
        for name, value in schema.items()
        if name not in _NOT_SCHEMA
    }
