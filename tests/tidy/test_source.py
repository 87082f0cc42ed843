"""What a reader may rely on in every module: it says what it is for, and time comes in by argument."""

from __future__ import annotations

import ast
import importlib.metadata
import sys
import tomllib

import instar
from tests.builders.tree import ROOT, imported_modules, read_modules

CLOCKS_AND_DICE = {"time", "random", "secrets"}


def public_definitions(tree: ast.AST):
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) and not node.name.startswith("_"):
            yield node
            if isinstance(node, ast.ClassDef):
                yield from public_definitions(node)


def is_stated_elsewhere(node: ast.AST) -> bool:
    """An overload or an override says what it is where the thing itself is."""
    names = {ast.unparse(decorator).rpartition(".")[2] for decorator in getattr(node, "decorator_list", ())}
    return bool(names & {"overload", "override", "setter"})


def test_every_module_says_what_it_is_for():
    assert not [name for name, tree in read_modules() if not ast.get_docstring(tree)]


def test_every_public_class_and_function_says_what_it_returns_or_decides():
    assert not [
        f"{name}:{node.lineno} {node.name}"
        for name, tree in read_modules()
        for node in public_definitions(tree)
        if not ast.get_docstring(node) and not is_stated_elsewhere(node)
    ]


def test_only_system_reads_the_clock_or_throws_dice():
    """Ruff bans the calls by name; this finds the import that a comment silenced, and the clock of an event loop."""
    found = []
    for name, tree in read_modules():
        if name.startswith("src/instar/system/"):
            continue
        found += [f"{name} imports {module}" for module in imported_modules(tree) if module in CLOCKS_AND_DICE]
        found += [
            f"{name}:{node.lineno} calls .time()"
            for node in ast.walk(tree)
            if isinstance(node, ast.Call)
            and isinstance(node.func, ast.Attribute)
            and node.func.attr == "time"
            and not node.args
        ]
    assert not found


def test_core_awaits_nothing_and_imports_nothing_but_the_standard_library():
    found = []
    for name, tree in read_modules():
        if not name.startswith("src/instar/core/"):
            continue
        found += [
            f"{name} imports {module}"
            for module in imported_modules(tree)
            if module.partition(".")[0] not in sys.stdlib_module_names and not module.startswith("instar.")
        ]
        found += [
            f"{name}:{node.lineno} is async"
            for node in ast.walk(tree)
            if isinstance(node, ast.AsyncFunctionDef | ast.Await | ast.AsyncFor | ast.AsyncWith)
        ]
    assert not found


def test_the_public_names_are_those_of_all():
    public = {
        name
        for name, value in vars(instar).items()
        if not name.startswith("_") and getattr(value, "__name__", "") != f"instar.{name}"
    }
    assert public - {"annotations"} == set(instar.__all__) - {"__version__"}
    assert all(hasattr(instar, name) for name in instar.__all__)


def test_the_version_is_the_one_of_the_package():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert instar.__version__ == project["version"] == importlib.metadata.version("instar")
