"""Reading one raw value with its type checked: what the sections share (CFG-6).

Every function takes a value and its path; null counts as not set. A wrong type raises `ConfigError` that names the
path and the types, never the value: it may be a secret.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Final, TypeVar

from instar.core.model.quantity import DurationUnit, parse_duration_ms
from instar.errors import ConfigError

__all__ = [
    "join_path",
    "read_bool",
    "read_choice",
    "read_duration_ms",
    "read_id",
    "read_list",
    "read_number",
    "read_object",
    "read_secret",
    "read_text",
    "read_text_list",
    "read_whole",
    "type_name",
    "wrong_type",
]

Word = TypeVar("Word", bound=str)

_VARIABLE: Final = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")


def read_object(value: object, path: str) -> Mapping[str, object]:
    """The object at `path`, empty if it is not set."""
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise wrong_type(path, value, wanted="an object", fix="Write { … }.")
    return value


def read_list(value: object, path: str) -> Sequence[object]:
    """The list at `path`, empty if it is not set."""
    if value is None:
        return ()
    if not isinstance(value, list | tuple):
        raise wrong_type(path, value, wanted="a list", fix="Write [ … ].")
    return value


def read_text(value: object, path: str) -> str | None:
    """The text at `path`, trimmed; None if it is not set or blank."""
    if value is None:
        return None
    if not isinstance(value, str):
        raise wrong_type(path, value, wanted="text", fix="Put it in quotes.")
    return value.strip() or None


def read_id(value: object, path: str) -> str | None:
    """The id at `path`, trimmed; None if it is not set or blank. A whole number counts: ids are often written bare."""
    is_number = isinstance(value, int) and not isinstance(value, bool)
    return str(value) if is_number else read_text(value, path)


def read_text_list(value: object, path: str) -> tuple[str, ...]:
    """The list of texts at `path`, trimmed, without blank ones. Whole numbers count as text, as in `read_id`."""
    texts = (read_id(item, f"{path}[{at}]") for at, item in enumerate(read_list(value, path)))
    return tuple(text for text in texts if text)


def read_bool(value: object, path: str) -> bool | None:
    """The truth value at `path`; None if it is not set."""
    if value is None or isinstance(value, bool):
        return value
    raise wrong_type(path, value, wanted="true or false", fix="Write true or false, without quotes.")


def read_number(value: object, path: str) -> int | float | None:
    """The finite number at `path`; None if it is not set."""
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise wrong_type(path, value, wanted="a number", fix="Write a number, without quotes.")
    return value


def read_whole(value: object, path: str, *, least: int = 0) -> int | None:
    """The number at `path`, floored; None if it is not set. Below `least` it is an error."""
    number = read_number(value, path)
    if number is None:
        return None
    if math.floor(number) < least:
        raise ConfigError(
            "The number is too small",
            why=f"it is below {least}",
            fix=f"Write a whole number from {least} on.",
            path=path,
        )
    return math.floor(number)


def read_choice(value: object, path: str, *, words: Iterable[Word]) -> Word | None:
    """The one of `words` that stands at `path`, exactly as it is written there; None if it is not set."""
    if value is None:
        return None
    known = tuple(words)
    for word in known:
        if value == word:
            return word
    wanted = ", ".join(f'"{word}"' for word in known)
    if isinstance(value, str):
        raise ConfigError(
            "The value is none of those allowed", why=f'it is "{value}"', fix=f"Write one of {wanted}.", path=path
        )
    raise wrong_type(path, value, wanted="text", fix=f"Write one of {wanted}.")


def read_duration_ms(value: object, path: str, *, bare_unit: DurationUnit) -> int | None:
    """The duration at `path` in milliseconds; None if it is not set. A bare number counts in `bare_unit` (CFG-7)."""
    if value is None:
        return None
    parsed = parse_duration_ms(value, bare_unit=bare_unit)
    if parsed is None:
        raise ConfigError(
            "The value is no duration",
            why=f"it is {type_name(value)}",
            fix='Write it like "90s", "15m" or "2h".',
            path=path,
        )
    return parsed


def read_secret(value: object, path: str, *, env: Mapping[str, str]) -> str | None:
    """The secret at `path`: written there, or ``"${NAME}"`` or ``{source: "env", id: "NAME"}``.

    None if it is not set, or if the variable is not: then the caller says what is missing.
    """
    if isinstance(value, Mapping):
        if value.get("source", "env") != "env":
            raise ConfigError(
                "The secret is kept where this build cannot read it",
                why='only the source "env" is known',
                fix='Write {source: "env", id: "NAME"} or "${NAME}".',
                path=path,
            )
        return env.get(read_text(value.get("id"), f"{path}.id") or "", "").strip() or None
    text = read_text(value, path)
    found = _VARIABLE.fullmatch(text or "")
    return text if found is None else env.get(found[1], "").strip() or None


def join_path(path: str, name: str) -> str:
    """`path` with the field `name`; names that are no plain words stand in brackets and quotes."""
    is_plain = name.replace("-", "_").isidentifier()
    step = name if is_plain else f"[{json.dumps(name, ensure_ascii=False)}]"
    return f"{path}.{step}" if path and is_plain else f"{path}{step}"


def wrong_type(path: str, value: object, *, wanted: str, fix: str) -> ConfigError:
    """The error for a value of the wrong type; raise it."""
    return ConfigError(
        "The value has the wrong type", why=f"it is {type_name(value)}, not {wanted}", fix=fix, path=path
    )


def type_name(value: object) -> str:
    """What kind of JSON value `value` is, in words."""
    match value:
        case None:
            return "null"
        case bool():
            return "true or false"
        case float() if not math.isfinite(value):
            return "NaN or Infinity"
        case int() | float():
            return "a number"
        case str():
            return "text"
        case Mapping():
            return "an object"
        case _:
            return "a list"
