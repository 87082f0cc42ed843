"""The reference pages say what the code does: error codes and rules are compared with it, row by row."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

import pytest

from instar import errors
from tests.builders.tree import ROOT, read_modules

RULE_SECTIONS = (
    "ACT|AUDIT|CFG|CLI|CMD|COMPACT|COMPAT|COST|CRON|DASH|DOCK|ENTRY|FLUSH|GW|HEART|HIST|HOOK|KEY|LEAK|LINK|LOSS|MAINT"
    "|MEM|NORM|PATCH|PRUNE|PY|QUEUE|RESET|RESOLVE|RPC|SCALE|SEARCH|SEND|SESSTOOL|STATE|STATUS|STORE|TRANS|TYPE|WHY"
)
RULE_ID = re.compile(rf"(?:{RULE_SECTIONS})-\d+")


def rows_of(page: str) -> list[list[str]]:
    """The cells of each row of the page's tables, heads left out."""
    text = (ROOT / "docs" / "reference" / page).read_text(encoding="utf-8")
    rows = [[cell.strip() for cell in line.strip("|\n ").split(" | ")] for line in text.splitlines() if line[:1] == "|"]
    heads = {place - 1 for place, row in enumerate(rows) if set("".join(row)) <= set("-| ")}
    return [row for place, row in enumerate(rows) if place not in heads and place - 1 not in heads]


def error_classes(root: type[errors.InstarError] = errors.InstarError) -> Iterator[type[errors.InstarError]]:
    yield root
    for child in root.__subclasses__():
        if child.__module__ == errors.__name__:
            yield from error_classes(child)


def error_row(error: type[errors.InstarError]) -> list[str]:
    return [f"`{error.code}`", f"`{error.__name__}`", " ".join((error.__doc__ or "").split()).replace("``", "`")]


def test_every_error_code_is_documented_as_its_class_says():
    written = rows_of("errors.md")
    missing = [" | ".join(row) for row in map(error_row, error_classes()) if row not in written]
    assert not missing, "write these rows in docs/reference/errors.md:\n" + "\n".join(f"| {row} |" for row in missing)


def test_no_error_is_documented_that_is_gone():
    assert [row[1] for row in rows_of("errors.md")] == [f"`{error.__name__}`" for error in error_classes()]


def test_error_codes_are_not_shared():
    codes = [error.code for error in error_classes()]
    assert len(codes) == len(set(codes))


def test_the_drawing_of_the_error_tree_is_complete():
    drawing = errors.__doc__ or ""
    assert not [error.__name__ for error in error_classes() if error.__name__ not in drawing]


def test_codes_are_given_in_one_place():
    """A room may have a class of its own with further facts, but not a code that the page would not know."""
    names = {error.__name__ for error in error_classes()}
    found = [
        f"{name}:{node.lineno} {node.name}"
        for name, tree in read_modules()
        if name != "src/instar/errors.py"
        for node in ast.walk(tree)
        if isinstance(node, ast.ClassDef) and names & {ast.unparse(base).rpartition(".")[2] for base in node.bases}
        if any(ast.unparse(part).startswith("code") for part in node.body)
    ]
    assert not found


def rules_in_code() -> dict[str, str]:
    """Each text of the code that is a rule id and nothing else, with one place where it stands."""
    return {
        node.value: f"{name}:{node.lineno}"
        for name, tree in read_modules()
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and RULE_ID.fullmatch(node.value)
    }


def test_every_rule_that_the_code_names_has_its_sentence():
    written = {row[0] for row in rows_of("rules.md")}
    missing = {rule: place for rule, place in rules_in_code().items() if rule not in written}
    assert not missing, "docs/reference/rules.md has no row for these"


def test_rules_are_listed_once_in_order_and_in_one_sentence():
    rows = rows_of("rules.md")
    ids = [row[0] for row in rows]
    assert ids == sorted(set(ids), key=lambda rule: (rule.partition("-")[0], int(rule.partition("-")[2])))
    assert not [row for row in rows if len(row) != 2 or not RULE_ID.fullmatch(row[0])]
    assert not [row[0] for row in rows if not re.fullmatch(r"[A-Z`/].{20,}[.]", row[1]) or ". " in row[1].rstrip(".")]


@pytest.mark.parametrize("text", ["UTF-8", "SHA-256", "RESET-", "reset-13", "see RESET-13"])
def test_only_rule_ids_count_as_rules(text):
    assert not RULE_ID.fullmatch(text)
