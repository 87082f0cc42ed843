"""What a text says, where, and what is wrong with it (CFG-1, CFG-2)."""

from __future__ import annotations

import pytest

from instar.config.document import (
    NESTING_MAX,
    TEXT_MAX_BYTES,
    find_duplicates,
    find_place,
    parse_document,
    parse_path,
    place_error,
)
from instar.errors import ConfigError, InvariantBroken


def fault(text: str) -> ConfigError:
    with pytest.raises(ConfigError) as caught:
        parse_document(text, file="my.json5")
    assert caught.value.file == "my.json5"
    return caught.value


def test_every_freedom_of_json5_is_taken():
    text = "// c\n{unquoted: 'single', /* x */ trailing: [1, .5, +3, 0xF,], line: 'a\\\nb',}"
    assert parse_document(text).value == {"unquoted": "single", "trailing": [1, 0.5, 3, 15], "line": "ab"}


@pytest.mark.parametrize(
    ("text", "line", "column", "words"),
    [
        ("", 1, 1, "is empty"),
        ("\ufeff \n\n", 1, 1, "is empty"),
        ("// nothing yet\n", 1, 1, "comments only"),
        ("[1]", 1, 1, "not an object"),
        ("\n\n  'text'", 3, 3, "not an object"),
        ("{a: 1} x", 1, 8, "goes on after its end"),
        ("{a: 1}\n// c\n  x", 3, 3, "goes on after its end"),
        ("{\n  a: {b: 1", 2, 6, "an object begins here"),
        ("{\n  a: [1, 2", 2, 6, "a list begins here"),
        ("{\n  a: 'x\n}", 2, 6, "a text in quotes begins here"),
        ("{\n  /* x", 2, 3, "a comment begins here"),
        ("{a 1}", 1, 4, "a colon is expected"),
        ("{\n  a: 1\n  b: 2\n}", 3, 3, "a comma or a closing bracket"),
        ("{\n  1: 2}", 2, 3, "a name is expected"),
        ("{a: @}", 1, 5, "a value is expected"),
        ("{a:\r\n  [1,,2]}", 2, 6, "one comma too many"),
        ("{a: 1.2.3}", 1, 5, "no number"),
        ("{a: tru}", 1, 5, "no value"),
        ('{a: "\\x4"}', 1, 7, "hexadecimal digit"),
        ("\x00", 1, 1, "a value is expected"),
        ("\ufeff{\n  a: @}", 2, 6, "a value is expected"),
        ('{"😀": 1, b: }', 1, 13, "a value is expected"),
    ],
)
def test_what_is_wrong_is_told_with_its_line_and_column(text, line, column, words):
    error = fault(text)
    assert (error.line, error.column) == (line, column)
    assert words in str(error)
    assert error.fix


def test_too_deep_a_nesting_is_told():
    error = fault("{a:" * (NESTING_MAX + 1) + "1" + "}" * (NESTING_MAX + 1))
    assert "nested too deeply" in error.what
    assert error.column == 3 * NESTING_MAX + 1


def test_a_text_of_ten_megabytes_is_refused_at_once():
    error = fault("{a: '" + "x" * (10 * 1024 * 1024) + "'}")
    assert "too large" in error.what
    assert str(TEXT_MAX_BYTES) in error.why


def test_numbers_that_are_none_are_read_and_left_to_their_settings():
    assert parse_document("{a: Infinity}").value == {"a": float("inf")}


TEXT = """{
  dmScope: "main",
  session: {
    reset: { atHour: 4 },
    "my name": 1,
  },
  agent: { workspace: "~" },
  bindings: [
    { agentId: "a" },
  ],
}
"""


@pytest.mark.parametrize(
    ("path", "value_at", "name_at"),
    [
        ("session.reset.atHour", (4, 22), (4, 14)),
        ('session["my name"]', (5, 16), (5, 5)),
        ("bindings[0].agentId", (9, 16), (9, 7)),
        ("bindings[0]", (9, 5), (9, 5)),
        ("session.dmScope", (2, 12), (2, 3)),
        ("agents.defaults.workspace", (7, 23), (7, 12)),
        ("session.reset.mode", (4, 12), (4, 5)),
        ("bindings[3].agentId", (8, 13), (8, 3)),
        ("nothing", (1, 1), (1, 1)),
    ],
)
def test_a_path_has_a_place_or_the_nearest_one(path, value_at, name_at):
    document = parse_document(TEXT)
    assert find_place(document, parse_path(path)) == value_at
    assert find_place(document, parse_path(path), of_name=True) == name_at


@pytest.mark.parametrize(
    ("text", "steps"),
    [
        ("session.reset.mode", ("session", "reset", "mode")),
        ("bindings[3].match", ("bindings", 3, "match")),
        ('models.providers["my own"].api', ("models", "providers", "my own", "api")),
        ("a['b.c']", ("a", "b.c")),
        ('a."b.c".d', ("a", "b.c", "d")),
        ("agents.list.0", ("agents", "list", "0")),
        ("channels.my-bridge", ("channels", "my-bridge")),
        ("", ()),
    ],
)
def test_a_path_is_a_way_of_steps(text, steps):
    assert parse_path(text) == steps


@pytest.mark.parametrize("text", ["a..b", "a.", "[", "a[", "a[x]", "a[1", 'a["b', "."])
def test_a_path_that_cannot_be_read_is_told(text):
    with pytest.raises(ConfigError, match="cannot be read"):
        parse_path(text)


def test_an_error_learns_where_its_setting_stands():
    document = parse_document(TEXT, file="f")
    error = place_error(document, ConfigError("Wrong", why="w", fix="f", path="session.reset.atHour"))
    assert str(error) == "f:4:22: session.reset.atHour: Wrong: w. f"


def test_an_error_that_names_no_setting_learns_the_file_only():
    document = parse_document(TEXT, file="f")
    for path in ("", "a..b"):
        error = place_error(document, ConfigError("Wrong", path=path))
        assert (error.file, error.line) == ("f", None)


def test_names_that_stand_twice_are_found_wherever_they_are():
    document = parse_document("{a: 1, b: {c: 1,\n c: 2}, d: [{e: 1, e: 2}], a: 2}")
    assert list(find_duplicates(document)) == [(("b", "c"), (2, 2)), (("d", 0, "e"), (2, 20)), (("a",), (2, 28))]


def test_without_places_everything_else_still_works(monkeypatch):
    def fail(text):
        raise InvariantBroken("the scanner reads what pyjson5 reads")

    monkeypatch.setattr("instar.config.document.scan", fail)
    document = parse_document("{a: 1, a: 2}", file="f")
    assert document.value == {"a": 2}
    assert find_place(document, ("a",)) is None
    assert list(find_duplicates(document)) == []
    assert str(place_error(document, ConfigError("Wrong", path="a"))) == "f: a: Wrong."
