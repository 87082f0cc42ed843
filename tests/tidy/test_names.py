"""Names that say nothing are not used: a helper belongs to the room whose words it uses."""

from __future__ import annotations

import ast
import re

from tests.builders.tree import ROOT, read_modules, tracked_files

EMPTY = re.compile(r"(^|_)(utils?|helpers?|common|managers?|misc|base2)(_|$)", re.IGNORECASE)
EMPTY_CLASS = re.compile(r"(Utils?|Helpers?|Manager|Misc)$")


def test_no_file_or_folder_has_an_empty_name():
    parts = {part for path in tracked_files() for part in path.relative_to(ROOT).with_suffix("").parts}
    assert not sorted(part for part in parts if EMPTY.search(part))


def test_no_class_has_an_empty_name():
    found = [
        f"{name}:{node.lineno} {node.name}"
        for name, tree in read_modules()
        for node in ast.walk(tree)
        if isinstance(node, ast.ClassDef) and EMPTY_CLASS.search(node.name)
    ]
    assert not found


def test_the_pattern_knows_an_empty_name_from_a_word_that_contains_one():
    assert EMPTY.search("string_utils")
    assert EMPTY.search("helpers")
    assert not EMPTY.search("commonplace")
    assert not EMPTY.search("context_manager_free".replace("manager", "managed"))
