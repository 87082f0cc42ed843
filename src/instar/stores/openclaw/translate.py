"""An OpenClaw configuration → one that Instar starts with: a proposal, with a sentence for each change. Pure.

Spelling and comments stay as they were wherever they can: Instar reads OpenClaw's names (COMPAT-3). What changes are
settings that Instar cannot use, and paths that lead back into the old directory, which Instar never writes to
(COMPAT-2).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from instar.config.document import parse_document
from instar.config.edit import read_setting, remove_setting, write_setting
from instar.config.load import list_problems
from instar.errors import ConfigError

__all__ = ["Translation", "translate_config"]

_CHANGES_MAX: Final = 200
"""After so many settings that cannot be used, the file is not one of a gateway."""

_OPENCLAW_DIRS: Final = (".openclaw", ".clawdbot", ".moltbot")


@dataclass(slots=True, kw_only=True)
class Translation:
    """A proposed text, and what was changed: pairs of line in the old file (0 for none) and sentence.

    `problem` says why there is no proposal; `text` is then empty.
    """

    text: str = ""
    changes: list[tuple[int, str]] = field(default_factory=list)
    problem: str = ""


def translate_config(
    text: str, *, root: Path, home: Path, default_agent: str, workspaces: frozenset[str]
) -> Translation:
    """The proposal for a configuration of the directory `root`; `workspaces` names agents with one of their own."""
    made = Translation()
    try:
        value = parse_document(text).value
        changed = _lead_away(text, value, root, home, made)
        changed = _give_workspaces(changed, default_agent, workspaces, made)
        changed = _leave_out(changed, home, made)
    except ConfigError as error:
        return Translation(changes=made.changes, problem=str(error))
    head = f"// Proposed by `instar import openclaw {root}`. Compare it with your own and name it instar.json5.\n"
    made.text = head + changed.removeprefix("\ufeff")
    return made


def _lead_away(text: str, value: Mapping[str, object], root: Path, home: Path, made: Translation) -> str:
    """Take out paths into the old directory."""
    for path in ("session.store", "agents.defaults.workspace", "agent.workspace", *_list_paths(value, "workspace")):
        named = read_setting(value, path)
        if isinstance(named, str) and _is_inside(named, root, home):
            text = remove_setting(text, path)
            made.changes.append((0, f"{path} was left out: {named} lies in the old directory"))
    return text


def _list_paths(value: Mapping[str, object], name: str) -> Iterator[str]:
    listed = read_setting(value, "agents.list")
    yield from (f"agents.list[{at}].{name}" for at in range(len(listed) if isinstance(listed, list) else 0))


def _is_inside(named: str, root: Path, home: Path) -> bool:
    path = Path(named.replace("~", str(home), 1) if named.startswith("~") else named)
    places = (root.absolute(), *(home / name for name in _OPENCLAW_DIRS))
    return path.is_absolute() and any(path.is_relative_to(place) for place in places)


def _give_workspaces(text: str, default_agent: str, workspaces: frozenset[str], made: Translation) -> str:
    """Every agent but the default one had a folder of its own; here that has to be said."""
    value = parse_document(text).value
    listed = read_setting(value, "agents.list")
    for at, agent in enumerate(listed if isinstance(listed, list) else ()):
        name = agent.get("id") if isinstance(agent, Mapping) else None
        if isinstance(name, str) and name != default_agent and name in workspaces and not agent.get("workspace"):
            text = write_setting(text, f"agents.list[{at}].workspace", f"workspace-{name}")
            made.changes.append((0, f"agents.list[{at}].workspace is set: the notes of {name} stay its own"))
    return text


def _leave_out(text: str, home: Path, made: Translation) -> str:
    """Take out what cannot be used, one setting after the other. Raises ConfigError for what cannot be taken out."""
    for _ in range(_CHANGES_MAX):
        wrong, _notes = list_problems(text, env={}, home=home)
        if not wrong:
            return text
        error = wrong[0]
        shorter = remove_setting(text, error.path) if error.path else text
        if shorter == text:
            raise error
        made.changes.append((error.line or 0, f"{error.path} was left out: {error.what.lower()} ({error.why})"))
        text = shorter
    raise ConfigError("The configuration cannot be used", why=f"more than {_CHANGES_MAX} settings are wrong")
