"""Nothing in the tree tells on which machine it was made, or from which registry it was filled."""

from __future__ import annotations

import os
import pwd
import re
import tempfile
from pathlib import Path

from tests.builders.tree import ROOT, read_tracked_texts

REGISTRY = re.compile(
    r"registry\.npmjs\.org|registry\.yarnpkg\.com|files\.pythonhosted\.org|pypi\.org/simple"
    r"|(^|\s)--(extra-)?index-url|(^|\s)--find-links|file:///",
    re.MULTILINE,
)


def machine_paths() -> re.Pattern[str]:
    """Homes of people, and the folders that this checkout and its user live in, where they are telling at all."""
    telling = {str(ROOT.parent), pwd.getpwuid(os.getuid()).pw_dir} - {"/", tempfile.gettempdir(), ""}
    named = [re.escape(str(Path(folder)) + "/") for folder in telling]
    return re.compile("|".join([r"(?<![\w.])/(?:home|Users)/\w+/", r"(?<![\w.])/root/", *named]))


def lines_with(pattern: re.Pattern[str], *, but: frozenset[str] = frozenset()) -> list[str]:
    return [
        f"{name}:{text.count(chr(10), 0, match.start()) + 1} {match.group().strip()}"
        for name, text in read_tracked_texts()
        if name not in but
        for match in pattern.finditer(text)
    ]


def test_no_path_of_a_machine_is_written_down():
    assert not lines_with(machine_paths(), but=frozenset({"tests/tidy/test_traces.py"}))


def test_no_registry_is_written_down():
    assert not lines_with(REGISTRY, but=frozenset({"tests/tidy/test_traces.py"}))


def test_npm_locks_hold_no_addresses():
    assert not [
        name for name, text in read_tracked_texts() if name.endswith("package-lock.json") and '"resolved"' in text
    ]


def test_the_patterns_find_what_they_are_for():
    assert machine_paths().search("see /home/alice/instar/src")
    assert machine_paths().search(f"see {pwd.getpwuid(os.getuid()).pw_dir}/x")
    assert REGISTRY.search("--index-url https://example.org")
    assert REGISTRY.search('"https://registry.npmjs.org/ws"')
    assert not REGISTRY.search("uv pip compile --no-emit-index-url")
