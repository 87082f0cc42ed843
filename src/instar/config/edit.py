"""Changing one setting in a JSON5 text and nothing else: comments, order and layout stay as they are.

What belongs here: a text and a change in, the new text out. What does not: whether the new configuration is good
(`load`). The text is cut at the places that `scan` tells and the result is read back with pyjson5: unless it says
exactly what was meant, the change is refused. A plain JSON text stays plain JSON: names are quoted and commas set as
their neighbours have it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Final

from instar.config.document import Path, parse_document, parse_path
from instar.config.read import type_name
from instar.config.scan import Member, Node, scan, skip_blank
from instar.config.spell import INDENT, style_of
from instar.errors import ConfigError, InvariantBroken

__all__ = ["read_setting", "remove_setting", "write_setting"]

_REST_OF_LINE: Final = re.compile(r"[ \t]*(?:/\*(?:(?!\*/)[^\n\r])*\*/[ \t]*)*(?://[^\n\r]*)?(?=[\n\r]|\Z)")
_LINE_INDENT: Final = re.compile(r"[ \t]*")


def read_setting(value: object, path: str) -> object:
    """What stands at `path` in a raw configuration; None if nothing does. ``list.0`` is read like ``list[0]``."""
    for step in parse_path(path):
        value = _step(value, step)
    return value


def write_setting(text: str, path: str, value: object) -> str:
    """`text` with `value` at `path`; objects on the way are made where they are missing.

    An item may be put at the end of a list by its next number. Raises ConfigError if something on the way is neither
    object nor list, or if `value` cannot be written as JSON5.
    """
    source = text if text.strip("\ufeff \t\r\n") else "{}\n"
    before = parse_document(source).value
    steps = _plain_steps(before, parse_path(path))
    if not steps:
        raise ConfigError("No setting is named", fix="Name one, for example session.dmScope.")
    changed = _write(source, scan(source), steps, value)
    _check(changed, _with(before, steps, value))
    return changed


def remove_setting(text: str, path: str) -> str:
    """`text` without what stands at `path`; unchanged if nothing does. Comments around it stay."""
    before = parse_document(text).value
    steps = _plain_steps(before, parse_path(path))
    changed, wanted = text, _without(before, steps)
    # A name that stands twice is taken away twice, or the earlier one would come back to life.
    while (found := _find(scan(changed), steps)) is not None:
        changed = _cut(changed, *found)
    _check(changed, wanted)
    return changed


# ---------------------------------------------------------------- writing


def _write(text: str, root: Node, steps: Path, value: object) -> str:
    node = root
    for depth, step in enumerate(steps):
        inner = _child(node, step)
        if inner is None:
            return _insert(text, node, steps[depth:], value)
        node = inner
        if depth + 1 < len(steps) and node.members is None and node.items is None:
            # null means "not set", so it gives way; anything else on the way is a mistake.
            if text[node.start : node.end] != "null":
                raise _blocked(steps[: depth + 1], text[node.start : node.end])
            value = _nest(steps[depth + 1 :], value)
            break
    style = style_of(text, root)
    return text[: node.start] + style.format(value, _indent_at(text, node.start)) + text[node.end :]


def _insert(text: str, node: Node, steps: Path, value: object) -> str:
    """`text` with a new member or item at the end of `node`."""
    name, inner = steps[0], _nest(steps[1:], value)
    if node.items is not None and name != len(node.items):
        why = f"the list has {len(node.items)} items"
        raise ConfigError("There is no such item", why=why, fix=f"Take a number from 0 to {len(node.items)}.")
    style = style_of(text, node)
    closing = node.end - 1
    last = _last(node)
    indent = _indent_at(text, node.start) + INDENT if last is None else _indent_at(text, last.start)
    label = "" if node.items is not None else f"{style.name(str(name))}: "
    if last is None:
        entry = f"{label}{style.format(inner, indent)}"
        gap = text[node.start + 1 : closing]
        # Only comments may be in there; they stay above the new entry.
        head = f"{text[: node.start + 1]}{gap.rstrip()}"
        return f"{head}\n{indent}{entry}{style.last_comma}\n{_indent_at(text, node.start)}{text[closing:]}"
    end = _value_end(last)
    comma = skip_blank(text, end)
    has_comma = text[comma : comma + 1] == ","
    at = comma + 1 if has_comma else end
    if "\n" not in text[node.start : closing]:
        entry = f" {label}{style.format(inner, None)}"
        return f"{text[:at]}{'' if has_comma else ','}{entry}{text[at:]}"
    rest = _REST_OF_LINE.match(text, at)
    line_end = rest.end() if rest else at
    entry = f"\n{indent}{label}{style.format(inner, indent)}{',' if has_comma else ''}"
    return f"{text[:end]}{'' if has_comma else ','}{text[end:line_end]}{entry}{text[line_end:]}"


# ---------------------------------------------------------------- removing


def _find(root: Node, steps: Path) -> tuple[Node, Node, int, int] | None:
    """The container of what stands at `steps`, its value, and from where to where it goes; None if nothing does."""
    node = root
    for step in steps[:-1]:
        inner = _child(node, step)
        if inner is None:
            return None
        node = inner
    step = steps[-1] if steps else ""
    if isinstance(step, str):
        member = node.member(step)
        return None if member is None else (node, member.value, member.start, member.value.end)
    value = _child(node, step)
    return None if value is None else (node, value, value.start, value.end)


def _cut(text: str, node: Node, value: Node, start: int, end: int) -> str:
    """`text` without the entry from `start` to `end` of `node`, its comma, and its line if nothing else is in it."""
    comma = skip_blank(text, end)
    if text[comma : comma + 1] == ",":
        text = text[:comma] + text[comma + 1 :]
    else:
        text, start, end = _cut_comma_before(text, node, value, start, end)
    line_start = max(text.rfind("\n", 0, start), text.rfind("\r", 0, start)) + 1
    blank = re.compile(r"[ \t]*(?:\r\n|[\n\r])").match(text, end)
    if not text[line_start:start].strip() and blank is not None:
        return text[:line_start] + text[blank.end() :]
    return (
        text[:start].rstrip(" \t") + text[end:]
        if text[end : end + 1] in "}]"
        else text[:start] + text[end:].lstrip(" \t")
    )


def _cut_comma_before(text: str, node: Node, value: Node, start: int, end: int) -> tuple[str, int, int]:
    """Without a comma after the last entry, the one before it has to go, or plain JSON would be plain no more."""
    ends = [_value_end(each) for each in _entries(node)]
    before = [each for each in ends if each < value.start]
    if not before:
        return text, start, end
    comma = skip_blank(text, before[-1])
    return text[:comma] + text[comma + 1 :], start - 1, end - 1


# ---------------------------------------------------------------- both


def _plain_steps(value: object, steps: Path) -> Path:
    """`steps` with numbers where lists are, so that ``list.0`` works too."""
    plain: list[str | int] = []
    for step in steps:
        plain.append(int(step) if isinstance(value, list) and isinstance(step, str) and step.isdecimal() else step)
        value = _step(value, plain[-1])
    return tuple(plain)


def _step(value: object, step: str | int) -> object:
    if isinstance(value, Mapping):
        return value.get(str(step))
    if isinstance(value, list) and str(step).isdecimal() and int(step) < len(value):
        return value[int(step)]
    return None


def _child(node: Node, step: str | int) -> Node | None:
    if node.items is not None:
        return node.items[step] if isinstance(step, int) and step < len(node.items) else None
    member = node.member(str(step))
    return None if member is None else member.value


def _nest(steps: Path, value: object) -> object:
    for step in reversed(steps):
        value = [value] if step == 0 else {str(step): value}
    return value


def _with(value: object, steps: Path, new: object) -> object:
    """What `value` is with `new` at `steps`."""
    if not steps:
        return new
    step, rest = steps[0], steps[1:]
    if isinstance(value, list) and isinstance(step, int):
        return [*value[:step], _with(value[step] if step < len(value) else None, rest, new), *value[step + 1 :]]
    if isinstance(value, Mapping):
        return {**value, str(step): _with(value.get(str(step)), rest, new)}
    return _nest(steps, new)


def _without(value: object, steps: Path) -> object:
    if len(steps) > 1:
        inner = _step(value, steps[0])
        return value if inner is None else _with(value, steps[:1], _without(inner, steps[1:]))
    step = steps[0] if steps else ""
    if isinstance(value, list) and isinstance(step, int):
        return [each for at, each in enumerate(value) if at != step]
    return {name: each for name, each in value.items() if name != step} if isinstance(value, Mapping) else value


def _check(text: str, wanted: object) -> None:
    """Raise InvariantBroken unless `text` says `wanted`: better no change than another one than was asked for."""
    try:
        value = parse_document(text).value
    except ConfigError as error:
        raise InvariantBroken("a changed configuration can be read", why=str(error)) from error
    if json.dumps(value) != json.dumps(wanted):
        raise InvariantBroken("a change of the configuration changes one setting")


def _last(node: Node) -> Member | Node | None:
    entries = _entries(node)
    return entries[-1] if entries else None


def _entries(node: Node) -> list[Member | Node]:
    return [*(node.members or ()), *(node.items or ())]


def _value_end(entry: Member | Node) -> int:
    return entry.value.end if isinstance(entry, Member) else entry.end


def _indent_at(text: str, at: int) -> str:
    """The blanks at the beginning of the line in which `at` lies."""
    start = max(text.rfind("\n", 0, at), text.rfind("\r", 0, at)) + 1
    found = _LINE_INDENT.match(text, start)
    return found[0] if found else ""


def _blocked(steps: Path, literal: str) -> ConfigError:
    kind = type_name(parse_document(f"{{a: {literal}}}").value["a"])
    path = ".".join(map(str, steps))
    return ConfigError(
        "There is something else on the way",
        why=f"{path} is {kind}, not an object",
        fix="Take that away first.",
        path=path,
    )
