"""The import contracts name what is there: a room that came is no longer marked as one that may be absent."""

from __future__ import annotations

import configparser
import re

from tests.builders.tree import PACKAGE, ROOT


def contracts() -> configparser.ConfigParser:
    parsed = configparser.ConfigParser()
    parsed.read(ROOT / ".importlinter", encoding="utf-8")
    return parsed


def is_there(module: str) -> bool:
    path = PACKAGE.parent.joinpath(*module.split("."))
    return path.is_dir() or path.with_suffix(".py").exists()


def test_no_room_that_is_there_is_marked_as_absent():
    found = []
    for section in contracts().values():
        container = section.get("containers", "").strip()
        marked = re.findall(r"\((\w+)\)", section.get("layers", ""))
        found += [f"{container}.{room}" for room in marked if is_there(f"{container}.{room}")]
    assert not found, "take the parentheses off in .importlinter"


def test_no_module_that_is_there_is_named_by_a_pattern():
    options = ("modules", "source_modules", "forbidden_modules")
    named = {name for section in contracts().values() for option in options for name in section.get(option, "").split()}
    assert not [name for name in named if "*" in name and matches_something(name)], (
        "write the name out in .importlinter"
    )


def matches_something(pattern: str) -> bool:
    path = pattern.replace(".", "/")
    return any(PACKAGE.parent.glob(path)) or any(PACKAGE.parent.glob(f"{path}.py"))


def test_every_channel_is_kept_apart_from_the_others():
    listed = set(contracts()["importlinter:contract:channels-apart"]["modules"].split())
    there = {f"instar.channels.{path.parent.name}" for path in PACKAGE.glob("channels/*/__init__.py")}
    assert there <= listed | {name.replace("instar.*.", "instar.channels.") for name in listed}
