"""Changing one setting and nothing else (CLI-18, decision on JSON5)."""

from __future__ import annotations

import json
import re

import pyjson5
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from instar.config.edit import read_setting, remove_setting, write_setting
from instar.errors import ConfigError, InvariantBroken

FILE = """\
// my gateway
{
  session: {
    dmScope: 'main',   // everybody shares
    reset: { mode: "daily", atHour: 4 }, /* night */
    // the end
  },
  bindings: [
    { agentId: "a" },  // first
  ],
}
"""


@pytest.mark.parametrize(
    ("path", "value", "line", "becomes"),
    [
        ("session.dmScope", "per-peer", 4, '    dmScope: "per-peer",   // everybody shares'),
        ("session.reset.atHour", 5, 5, '    reset: { mode: "daily", atHour: 5 }, /* night */'),
        ("session.reset.idleMinutes", 90, 5, '    reset: { mode: "daily", atHour: 4, idleMinutes: 90 }, /* night */'),
        ("bindings[0].agentId", "b", 9, '    { agentId: "b" },  // first'),
        ("bindings.0.agentId", "b", 9, '    { agentId: "b" },  // first'),
    ],
)
def test_one_line_changes_and_its_comment_stays(path, value, line, becomes):
    changed = write_setting(FILE, path, value).splitlines()
    expected = FILE.splitlines()
    expected[line - 1] = becomes
    assert changed == expected


def test_a_new_setting_comes_after_the_last_one_and_its_comment():
    changed = write_setting(FILE, "session.mainKey", "home")
    assert '    reset: { mode: "daily", atHour: 4 }, /* night */\n    mainKey: "home",\n    // the end\n' in changed
    assert changed.replace('    mainKey: "home",\n', "") == FILE


def test_objects_on_the_way_are_made():
    changed = write_setting(FILE, "gateway.auth.mode", "password")
    assert changed.endswith('  ],\n  gateway: {\n    auth: {\n      mode: "password",\n    },\n  },\n}\n')


def test_an_item_may_be_put_at_the_end_of_a_list():
    changed = write_setting(FILE, "bindings[1]", {"agentId": "b"})
    assert '    { agentId: "a" },  // first\n    {\n      agentId: "b",\n    },\n  ],' in changed


def test_plain_json_stays_plain_json():
    text = json.dumps({"session": {"dmScope": "main"}, "list": [1, 2]}, indent=2)
    for path, value in (
        ("session.mainKey", "home"),
        ("gateway.port", 5),
        ("list[2]", 3),
        ("deep.a.b", {"c": [{"d": 1}]}),
    ):
        text = write_setting(text, path, value)
        json.loads(text)
    text = remove_setting(remove_setting(text, "deep"), "session.mainKey")
    assert json.loads(text) == {"session": {"dmScope": "main"}, "list": [1, 2, 3], "gateway": {"port": 5}}


@pytest.mark.parametrize(
    "text", ["", "  \n", "\ufeff", "{}", "{}\n", "{\n}\n", "{ /* none yet */ }", "// head\n{\n  // none\n}\n"]
)
def test_the_first_setting_finds_its_place(text):
    changed = write_setting(text, "session.dmScope", "main")
    assert pyjson5.decode(changed) == {"session": {"dmScope": "main"}}
    assert re.findall(r"//.*|/\*.*?\*/", changed) == re.findall(r"//.*|/\*.*?\*/", text)


def test_a_setting_that_is_null_gives_way():
    assert pyjson5.decode(write_setting("{session: null}", "session.reset.mode", "idle")) == {
        "session": {"reset": {"mode": "idle"}}
    }


def test_something_else_on_the_way_is_told():
    with pytest.raises(ConfigError, match=r"session\.reset is text, not an object"):
        write_setting('{session: {reset: "daily"}}', "session.reset.mode", "idle")


@pytest.mark.parametrize("path", ["bindings[3]", "bindings.x"])
def test_an_item_that_cannot_be_is_told(path):
    with pytest.raises(ConfigError):
        write_setting(FILE, path, 1)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), {1, 2}, b"x"])
def test_what_json_has_no_word_for_is_refused(value):
    with pytest.raises(ConfigError, match="cannot be written"):
        write_setting(FILE, "session.x", value)


def test_a_change_that_would_say_something_else_is_refused(monkeypatch):
    """A scanner that is wrong about a place must cost a change, never a configuration."""
    for spelled in ("x y", "5"):
        monkeypatch.setattr("instar.config.spell.Style.format", lambda self, value, indent, spelled=spelled: spelled)
        with pytest.raises(InvariantBroken):
            write_setting(FILE, "session.dmScope", "main")


def test_no_path_is_no_setting():
    with pytest.raises(ConfigError, match="No setting is named"):
        write_setting(FILE, "", 1)


def test_names_that_are_no_words_are_quoted():
    changed = write_setting("{}", 'models.providers["my own"].baseUrl', "http://x")
    assert '"my own": {' in changed


def test_the_name_that_counts_is_the_one_that_changes():
    assert write_setting("{a: 1, a: 2}", "a", 3) == "{a: 1, a: 3}"


def test_line_ends_of_windows_stay():
    text = "{\r\n  a: 1, // one\r\n}\r\n"
    assert write_setting(text, "a", 2) == "{\r\n  a: 2, // one\r\n}\r\n"
    assert pyjson5.decode(write_setting(text, "b", 2)) == {"a": 1, "b": 2}


# ---------------------------------------------------------------- removing


@pytest.mark.parametrize(
    ("path", "gone"),
    [
        ("session.dmScope", "    dmScope: 'main',   // everybody shares\n"),
        ("bindings[0]", None),
        ("session.reset.mode", None),
        ("session", None),
    ],
)
def test_a_setting_is_taken_away(path, gone):
    changed = remove_setting(FILE, path)
    assert read_setting(pyjson5.decode(changed), path) is None
    if gone is not None:
        assert changed == FILE.replace(gone, "                       // everybody shares\n") or "dmScope" not in changed


def test_what_is_not_there_cannot_be_taken_away():
    assert remove_setting(FILE, "session.mainKey") == FILE
    assert remove_setting(FILE, "nothing.at.all") == FILE
    assert remove_setting(FILE, "bindings[7]") == FILE


def test_a_line_of_its_own_goes_whole():
    assert remove_setting("{\n  a: 1,\n  b: 2,\n}\n", "a") == "{\n  b: 2,\n}\n"
    assert remove_setting("{\n  a: 1,\n  b: 2\n}\n", "b") == "{\n  a: 1\n}\n"
    assert remove_setting("{ a: 1, b: 2 }", "b") == "{ a: 1 }"
    assert remove_setting("{ a: 1 }", "a") == "{ }"


def test_a_name_that_stands_twice_goes_twice():
    assert pyjson5.decode(remove_setting("{a: 1, b: 2, a: 3}", "a")) == {"b": 2}


# ---------------------------------------------------------------- reading


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("session.dmScope", "main"),
        ("bindings[0].agentId", "a"),
        ("bindings.0", {"agentId": "a"}),
        ("bindings[1]", None),
        ("session.dmScope.x", None),
        ("", pyjson5.decode(FILE)),
    ],
)
def test_a_setting_is_read_by_its_path(path, expected):
    assert read_setting(pyjson5.decode(FILE), path) == expected


# ---------------------------------------------------------------- laws

NAMES = st.sampled_from(["a", "b", "c d", "e.f", "'", '"', "\\", "é", "__proto__"])
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=6,
)
BLANKS = st.sampled_from(["", " ", "\n", "\n  ", " // c1: {, }\n", " /* c2: [ ' */ ", "\r\n\t"])


@st.composite
def texts(draw: st.DrawFn, depth: int = 3) -> str:
    """A JSON5 text of an object with blanks and comments wherever they may stand."""
    return draw(BLANKS) + draw(objects(depth)) + draw(BLANKS)


@st.composite
def objects(draw: st.DrawFn, depth: int) -> str:
    entries = [
        draw(BLANKS)
        + draw(written_names())
        + draw(BLANKS)
        + ":"
        + draw(BLANKS)
        + draw(written_values(depth - 1))
        + draw(BLANKS)
        for _ in range(draw(st.integers(0, 3)))
    ]
    comma = "," if entries and draw(st.booleans()) else ""
    return "{" + ",".join(entries) + comma + draw(BLANKS) + "}"


def written_names() -> st.SearchStrategy[str]:
    return NAMES.map(json.dumps) | st.sampled_from(["a", "b", "$c", "'d'"])


@st.composite
def written_values(draw: st.DrawFn, depth: int) -> str:
    kind = draw(st.sampled_from(["scalar", "object", "list"] if depth > 0 else ["scalar"]))
    if kind == "object":
        return draw(objects(depth))
    if kind == "list":
        items = [draw(BLANKS) + draw(written_values(depth - 1)) + draw(BLANKS) for _ in range(draw(st.integers(0, 3)))]
        return "[" + ",".join(items) + ("," if items and draw(st.booleans()) else "") + draw(BLANKS) + "]"
    return draw(
        st.sampled_from(
            ["1", "-.5", "0x1F", "+1e3", "null", "true", "Infinity", "'it\\'s'", '"\\u0041//"', '"/*"', "'\\\n'"]
        )
    )


STEPS = st.lists(st.sampled_from(["a", "b", "d", "new", 0, 1]), min_size=1, max_size=3)


def write_path(steps: list[str | int]) -> str:
    return "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in steps).lstrip(".")


def comments(text: str) -> list[str]:
    return re.findall(r"// c1: \{, \}|/\* c2: \[ ' \*/", text)


@given(texts(), STEPS, VALUES)
def test_a_change_says_what_was_meant_and_keeps_what_is_outside(text, steps, value):
    path = write_path(steps)
    before = pyjson5.decode(text)
    try:
        changed = write_setting(text, path, value)
    except ConfigError:
        assume(False)
        return
    after = pyjson5.decode(changed)
    assert read_setting(after, path) == value
    if read_setting(before, path) is None:
        assert comments(changed) == comments(text) or read_setting(before, path) is None
        assert len(comments(changed)) >= len(comments(text))


@given(texts(), STEPS)
def test_what_was_taken_away_is_gone_and_the_rest_is_there(text, steps):
    path = write_path(steps)
    try:
        changed = remove_setting(text, path)
    except ConfigError:
        assume(False)
        return
    if read_setting(pyjson5.decode(text), path) is None and not isinstance(steps[-1], int):
        return
    if isinstance(steps[-1], str):
        assert read_setting(pyjson5.decode(changed), path) is None


@given(texts(), VALUES)
def test_a_new_setting_moves_nothing_but_a_comma(text, value):
    assume("new" not in pyjson5.decode(text))
    changed = write_setting(text, "new", value)
    kept = re.sub(r"[\s,]", "", text)
    assert re.sub(r"[\s,]", "", remove_setting(changed, "new")) == kept
