"""The reference page of the configuration, built from the schema: ``python -m instar.config.reference`` prints it.

`tests/docs` compares `docs/reference/configuration.md` with it, so the page cannot say anything else than the code.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic.fields import FieldInfo

from instar.config.check import fields_of, shape_of
from instar.config.schema import Root, Section

__all__ = ["Row", "build_reference", "list_settings"]

_INTRO = """# Configuration

This page is built from `src/instar/config/schema` (`python -m instar.config.reference`).

The file is `instar.json5` in the state directory (`~/.instar`, or `INSTAR_STATE_DIR`); `--config` or `INSTAR_CONFIG`
names another one. Without a file every setting has its default. The format is JSON5: comments, trailing commas,
unquoted names and single quotes are fine. An `openclaw.json` may be used as it is.

Every setting may be left out; `null` is the same as leaving it out. An error names file, line, column and setting, and
nothing is changed or lost by it. A name that no setting has is a warning. `instar config validate` tells all of it.

Durations are numbers with `ms`, `s`, `m`, `h`, `d` or `w`, sizes with `b`, `kb`, `mb`, `gb` or `tb` (powers of 1024);
each setting says what a bare number counts. `~` at the beginning of a path is the home directory. `"${NAME}"` in the
place of a secret takes it from the environment.

These fields of `session` may also stand bare at the top, where the one under `session` wins: `dmScope`,
`identityLinks`, `sendPolicy`, `reset`, `resetTime`, `idleTimeout`, `idleMinutes`, `resetByType`, `resetByChannel`,
`maxMessages`, `maxTokens`, `maintenance`. `agent` is an older word for `agents.defaults`. Rule ids in the last column
are those of [rules](rules.md).
"""

_HEAD = "\n| setting | default | meaning | rules |\n| --- | --- | --- | --- |\n"

_LATER = """
## Read and kept, without effect in this build

"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One setting as the page shows it. `path` has ``<name>`` where people choose a name, ``[]`` in a list.

    `facts` is what `schema.base.setting` noted. `is_later` says that it has no effect in this build.
    """

    path: str
    meaning: str
    facts: Mapping[str, Any]
    is_later: bool

    def write(self) -> str:
        """The row in Markdown."""
        unit, limit = self.facts["unit"], self.facts["limit"]
        parts = (self.meaning, f"Unit: {unit}." if unit else "", f"Limit: {limit}." if limit else "")
        cells = (f"`{self.path}`", self.facts["default"], " ".join(part for part in parts if part), self.facts["rules"])
        return f"| {' | '.join(cell.replace('|', '&#124;') for cell in cells)} |\n".replace("|  |", "| |")


def list_settings() -> Iterator[tuple[str, list[Row]]]:
    """Each top-level setting with the rows of everything inside it, in the order of the schema."""
    listed: dict[type[Section], str] = {}
    for name, field in fields_of(Root).items():
        yield name, list(_rows(name, field, listed))


def build_reference() -> str:
    """The whole page in Markdown."""
    parts, later = [_INTRO], []
    for name, rows in list_settings():
        now = [row for row in rows if not row.is_later]
        later += [row for row in rows if row.is_later]
        if now:
            title = fields_of(Root)[name].description or ""
            parts += [f"\n## `{name}`\n\n{title}\n", _HEAD, *(row.write() for row in now)]
    return "".join([*parts, _LATER, _HEAD.lstrip(), *(row.write() for row in later)])


def _rows(path: str, field: FieldInfo, listed: dict[type[Section], str]) -> Iterator[Row]:
    """The rows of a setting: those of what is inside it, or its own where there is nothing inside to tell.

    `listed` tells where each kind of object was listed first; further on one row stands for all of it.
    """
    shape = shape_of(field)
    section = shape.section
    if section is None or listed.setdefault(section, path) != path:
        facts = field.json_schema_extra if isinstance(field.json_schema_extra, dict) else {}
        is_later = bool(facts["later"]) or (section is not None and _is_later(section))
        yield Row(path=path, meaning=field.description or "", facts=facts, is_later=is_later)
        return
    inside = path if shape.container is None else f"{path}[]" if shape.container is list else f"{path}.<name>"
    for name, inner in fields_of(section).items():
        yield from _rows(f"{inside}.{name}", inner, listed)


def _is_later(section: type[Section]) -> bool:
    """Whether nothing in `section` has an effect in this build."""
    return all(row.is_later for name, field in fields_of(section).items() for row in _rows(name, field, {}))


if __name__ == "__main__":
    sys.stdout.write(build_reference())
