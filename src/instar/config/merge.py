"""Changes of several settings at once, and texts that came back from where secrets are hidden (RPC-22).

What belongs here: a text and a wish in, the new text out. What does not: whether the outcome is good (`load`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from instar.config.document import parse_document, parse_path
from instar.config.edit import read_setting, remove_setting, write_setting
from instar.config.read import join_path
from instar.errors import ConfigError

__all__ = ["merge_settings", "restore_hidden"]


def merge_settings(text: str, patch: Mapping[str, object]) -> str:
    """`text` with the settings of `patch`: objects are merged, null takes a setting away, all else is put in whole.

    Comments and layout stay (RFC 7396 for what is meant). Raises ConfigError.
    """
    for path, value in _leaves(patch, ""):
        text = remove_setting(text, path) if value is None else write_setting(text, path, value)
    return text


def restore_hidden(text: str, old: str, *, mark: str) -> str:
    """`text` with the values of `old` wherever `mark` stands for one: a client may send back what it was shown.

    Raises ConfigError where there is nothing to put back.
    """
    before = parse_document(old if old.strip() else "{}").value
    for path in list(_find_marks(parse_document(text).value, "", mark)):
        value = read_setting(before, path)
        if value is None or value == mark:
            raise ConfigError(
                "A hidden value cannot be kept",
                why=f'"{mark}" stands for a secret, and there is none at this place',
                fix="Write the secret itself, or take the setting away.",
                path=path,
            )
        text = write_setting(text, path, value)
    return text


def _leaves(patch: Mapping[str, object], path: str) -> Iterator[tuple[str, object]]:
    for name, value in patch.items():
        here = join_path(path, name)
        if isinstance(value, Mapping) and value:
            yield from _leaves(value, here)
        else:
            yield here, value


def _find_marks(value: object, path: str, mark: str) -> Iterator[str]:
    if value == mark:
        parse_path(path)
        yield path
    elif isinstance(value, Mapping):
        for name, each in value.items():
            yield from _find_marks(each, join_path(path, str(name)), mark)
    elif isinstance(value, list):
        for place, each in enumerate(value):
            yield from _find_marks(each, f"{path}[{place}]", mark)
