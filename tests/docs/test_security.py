"""The page about security names tests that exist, and what it says of stored objects holds."""

from __future__ import annotations

import ast
import re

import pytest

from tests.builders.tree import ROOT, read_modules

PAGE = (ROOT / "docs" / "security.md").read_text(encoding="utf-8")
NAMED = re.findall(r"`(tests/[\w/]+\.py)::(test_\w+)`", PAGE)

REVIVERS = {"pickle", "marshal", "shelve", "dill", "cloudpickle", "jsonpickle", "yaml"}
RUNNERS = {"eval", "exec", "compile", "__import__"}


@pytest.mark.parametrize(("file", "name"), NAMED)
def test_a_test_that_the_page_names_exists(file: str, name: str) -> None:
    tree = ast.parse((ROOT / file).read_text(encoding="utf-8"))
    functions = {one.name for one in ast.walk(tree) if isinstance(one, ast.FunctionDef | ast.AsyncFunctionDef)}
    assert name in functions


def test_every_class_of_holes_has_a_test_or_says_why_not() -> None:
    table = PAGE.split("## Known holes")[1].split("## Reporting")[0]
    rows = [line for line in table.splitlines() if line.startswith("| ") and "---" not in line][1:]
    assert len(rows) >= 12
    assert [row for row in rows if "`tests/" not in row and not row.endswith("| none yet |")] == []


def test_nothing_that_was_stored_is_run() -> None:
    found = []
    for path, tree in read_modules():
        for node in ast.walk(tree):
            match node:
                case ast.Import(names=names):
                    found += [f"{path}: {one.name}" for one in names if one.name.split(".")[0] in REVIVERS]
                case ast.ImportFrom(module=str() as name) if name.split(".")[0] in REVIVERS:
                    found.append(f"{path}: {name}")
                case ast.Call(func=ast.Name(id=name)) if name in RUNNERS:
                    found.append(f"{path}: {name}()")
                case _:
                    pass
    assert found == []
