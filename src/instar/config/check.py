"""A configuration against the schema: wrong types, unknown names, settings without effect (CFG-6, COMPAT-3).

What belongs here: what can be said of one setting alone. What does not: settings compared with each other (`lint`).
Importing this module imports pydantic, which takes longer than everything else in this room; the command line does
not need it to find a gateway.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from types import UnionType
from typing import Any, Final, Union, get_args, get_origin

from pydantic import ValidationError
from pydantic.fields import FieldInfo

from instar.config.finding import Finding
from instar.config.read import join_path, type_name
from instar.config.schema import Root, Section
from instar.errors import ConfigError

__all__ = ["Shape", "check_names", "check_types", "fields_of", "shape_of"]

_NEAR: Final = 0.7
"""How alike two names must be for one to be a slip of the other: ``dmScop`` and ``dmScope`` are at 0.92."""

_NEAR_OPEN: Final = 0.85
"""Where other names are allowed too: ``botToken`` and ``token`` are at 0.77 and both right."""

_WANTED: Final = {
    "string_type": ("text", "Put it in quotes."),
    "bool_type": ("true or false", "Write true or false, without quotes."),
    "int_type": ("a whole number", "Write a number, without quotes."),
    "int_from_float": ("a whole number", "Write a number without a fraction."),
    "list_type": ("a list", "Write [ … ]."),
    "dict_type": ("an object", "Write { … }."),
    "model_type": ("an object", "Write { … }."),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """What a setting holds: `section` is the class of the object, objects or items in it; None for a plain value."""

    section: type[Section] | None
    container: type | None
    """``dict`` or ``list`` where the objects stand in one; None where the setting is the object itself."""


def check_types(root: Mapping[str, object]) -> list[ConfigError]:
    """Every value of `root`, a configuration whose aliases are applied, that has the wrong type, in order."""
    try:
        Root.model_validate(dict(root))
    except ValidationError as error:
        return [_explain(each) for each in error.errors(include_url=False)]
    return []


def check_names(root: Mapping[str, object]) -> Iterator[Finding]:
    """What is called as no setting is called, and settings that have no effect in this build."""
    return _check_names(Root, root, "")


@cache
def fields_of(section: type[Section]) -> Mapping[str, FieldInfo]:
    """The settings of a section by the names they have in the file."""
    return {field.alias or name: field for name, field in section.model_fields.items()}


def shape_of(field: FieldInfo) -> Shape:
    """What the setting `field` holds."""
    return _shape(field.annotation)


def _shape(annotation: Any) -> Shape:  # noqa: ANN401  any type annotation
    inner = next((each for each in _members(annotation) if each is not type(None)), None)
    if isinstance(inner, type) and issubclass(inner, Section):
        return Shape(section=inner, container=None)
    origin = get_origin(inner)
    if origin in {dict, list}:
        return Shape(section=_shape(get_args(inner)[-1]).section, container=origin)
    return Shape(section=None, container=None)


def _members(annotation: Any) -> tuple[Any, ...]:  # noqa: ANN401  any type annotation
    return get_args(annotation) if get_origin(annotation) in {Union, UnionType} else (annotation,)


def _check_names(section: type[Section], fields: Mapping[str, object], path: str) -> Iterator[Finding]:
    known = fields_of(section)
    for name, value in fields.items():
        place = join_path(path, name)
        field = known.get(name)
        if field is None:
            unknown = _unknown(section, fields, name, place)
            if unknown is not None:
                yield unknown
        elif value is not None:
            if _facts(field)["later"]:
                yield Finding(code="later", severity="note", path=place, what="The setting has no effect in this build")
            yield from _check_inside(shape_of(field), value, place)


def _check_inside(shape: Shape, value: object, path: str) -> Iterator[Finding]:
    if shape.section is None:
        return
    if shape.container is None:
        inside: Iterator[tuple[str, object]] = iter([(path, value)])
    elif shape.container is list:
        inside = ((f"{path}[{at}]", each) for at, each in enumerate(value if isinstance(value, list) else ()))
    else:
        inside = ((join_path(path, name), each) for name, each in (value if isinstance(value, Mapping) else {}).items())
    for place, each in inside:
        if isinstance(each, Mapping):
            yield from _check_names(shape.section, each, place)


def _unknown(section: type[Section], fields: Mapping[str, object], name: str, path: str) -> Finding | None:
    """The warning for an unknown name; None where an adapter of another platform may know it."""
    is_open = section.is_open(fields)
    nearest = _nearest(name, fields_of(section), cutoff=_NEAR_OPEN if is_open else _NEAR)
    if is_open and nearest is None:
        return None
    fix = f'Did you mean "{nearest}"?' if nearest else "Take it away, or look for its name in the reference."
    return Finding(
        code="unknown-name", severity="warning", path=path, what="There is no such setting; it is ignored", fix=fix
    )


def _nearest(name: str, known: Mapping[str, object], *, cutoff: float) -> str | None:
    by_lower = {each.lower(): each for each in known}
    found = difflib.get_close_matches(name.lower(), by_lower, n=1, cutoff=cutoff)
    return by_lower[found[0]] if found else None


def _facts(field: FieldInfo) -> Mapping[str, Any]:
    """What `schema.base.setting` noted beside the type."""
    return field.json_schema_extra if isinstance(field.json_schema_extra, dict) else {}


def _explain(error: Any) -> ConfigError:  # noqa: ANN401  pydantic's ErrorDetails is a TypedDict of an optional package
    path = ""
    for step in error["loc"]:
        path = f"{path}[{step}]" if isinstance(step, int) else join_path(path, str(step))
    wanted, fix = _WANTED.get(error["type"], ("what is expected here", "Look it up in the reference."))
    why = f"it is {type_name(error['input'])}, not {wanted}"
    return ConfigError("The value has the wrong type", why=why, fix=fix, path=path)
