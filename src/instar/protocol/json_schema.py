"""Fields of the wire as JSON Schema, for descriptions that other programs read."""

from __future__ import annotations

from collections.abc import Sequence

from instar.protocol.params import Field

__all__ = ["build_field_schema", "build_object_schema"]


def build_object_schema(fields: Sequence[Field]) -> dict[str, object]:
    """An object that takes these fields and no others."""
    schema: dict[str, object] = {
        "type": "object",
        "properties": {one.name: build_field_schema(one) for one in fields if one.used},
        "additionalProperties": False,
    }
    required = [one.name for one in fields if one.required]
    return {**schema, "required": required} if required else schema


def build_field_schema(one: Field) -> dict[str, object]:
    """One field's values, with its bounds."""
    if "any" in one.kinds:
        return {}
    choices = [_kind_schema(one, kind) for kind in one.kinds] + ([{"type": "null"}] if one.nullable else [])
    return choices[0] if len(choices) == 1 else {"anyOf": choices}


def _kind_schema(one: Field, kind: str) -> dict[str, object]:
    least, most = one.least, one.most
    bounds: dict[str, object]
    match kind:
        case "string":
            bounds = {"minLength": least, "maxLength": most, "enum": list(one.choices) or None}
        case "array":
            items = build_field_schema(one.items) if one.items is not None else None
            bounds = {"minItems": least, "maxItems": most, "items": items}
        case "integer" | "number":
            bounds = {"minimum": least, "maximum": None if one.lowered else most}
        case "object" if one.fields:
            schema = build_object_schema(one.fields)
            return schema if one.closed else {**schema, "additionalProperties": True}
        case _:
            bounds = {}
    return {"type": kind, **{name: bound for name, bound in bounds.items() if bound is not None}}
