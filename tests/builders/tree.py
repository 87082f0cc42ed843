"""The project as files, for the tests that read it instead of running it."""

from __future__ import annotations

import ast
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "src" / "instar"
BUILT = {".git", ".venv", ".mypy_cache", ".ruff_cache", ".pytest_cache", ".hypothesis", "node_modules", "data", "dist"}


@cache
def tracked_files() -> tuple[Path, ...]:
    """Every file that belongs to the project, sorted: what git tracks, or what lies here where there is no git."""
    listing = subprocess.run(  # a test may ask git; nothing here comes from outside
        ["git", "ls-files", "-z", "--cached"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    if listing.returncode == 0:
        found = {ROOT / name for name in listing.stdout.split("\0") if name}
    else:
        found = {path for path in ROOT.rglob("*") if not BUILT & set(path.relative_to(ROOT).parts)}
    return tuple(sorted(path for path in found if path.is_file()))


def read_tracked_texts() -> Iterator[tuple[str, str]]:
    """Path from the root and text of each tracked file that is text."""
    for path in tracked_files():
        try:
            yield path.relative_to(ROOT).as_posix(), path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue


@cache
def read_modules() -> tuple[tuple[str, ast.Module], ...]:
    """Path from the root and syntax tree of each module of the package, committed or not."""
    return tuple(
        (path.relative_to(ROOT).as_posix(), ast.parse(path.read_text(encoding="utf-8")))
        for path in sorted(PACKAGE.rglob("*.py"))
    )


def read_pages() -> tuple[Path, ...]:
    """Every tracked Markdown page."""
    return tuple(path for path in tracked_files() if path.suffix == ".md")


def imported_modules(tree: ast.Module) -> Iterator[str]:
    """Dotted names of what a module imports, also inside functions."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
