"""Raw values with their types checked (CFG-6, CFG-7)."""

from __future__ import annotations

import pytest

from instar.config.document import parse_path
from instar.config.read import (
    join_path,
    read_bool,
    read_choice,
    read_duration_ms,
    read_id,
    read_list,
    read_number,
    read_object,
    read_secret,
    read_text,
    read_text_list,
    type_name,
)
from instar.errors import ConfigError

READERS = [read_object, read_list, read_text, read_text_list, read_bool, read_number, read_id]


@pytest.mark.parametrize("read", READERS)
def test_null_is_not_set(read):
    assert not read(None, "a")


@pytest.mark.parametrize(
    ("read", "value", "words"),
    [
        (read_object, [], "a list, not an object"),
        (read_list, {}, "an object, not a list"),
        (read_text, 5, "a number, not text"),
        (read_text, True, "true or false, not text"),
        (read_id, 5.5, "a number, not text"),
        (read_id, True, "true or false, not text"),
        (read_bool, "true", "text, not true or false"),
        (read_bool, 0, "a number, not true or false"),
        (read_number, "5", "text, not a number"),
        (read_number, True, "true or false, not a number"),
        (read_number, float("nan"), "NaN or Infinity, not a number"),
        (read_text_list, "x", "text, not a list"),
    ],
)
def test_a_wrong_type_names_the_path_and_the_types_and_not_the_value(read, value, words):
    with pytest.raises(ConfigError) as caught:
        read(value, "a.b")
    assert caught.value.path == "a.b"
    assert words in str(caught.value)


def test_a_secret_of_the_wrong_type_is_not_repeated():
    with pytest.raises(ConfigError) as caught:
        read_text({"hunter2": 1}, "gateway.auth.token")
    assert "hunter2" not in str(caught.value)


def test_an_item_of_a_list_is_named_by_its_number():
    with pytest.raises(ConfigError, match=r"a\[1\]"):
        read_text_list(["x", {}], "a")


def test_texts_are_trimmed_and_blank_ones_left_out():
    assert read_text("  x ", "a") == "x"
    assert read_text("  ", "a") is None
    assert read_text_list([" a ", "", 5], "a") == ("a", "5")
    assert read_id(-100, "a") == "-100"


def test_a_choice_is_exact_and_names_the_words():
    words = ("main", "per-peer")
    assert read_choice("main", "a", words=words) == "main"
    assert read_choice(None, "a", words=words) is None
    for value in ("Main", "x", 5):
        with pytest.raises(ConfigError, match='Write one of "main", "per-peer"'):
            read_choice(value, "a", words=words)


def test_a_duration_has_a_unit_or_takes_that_of_its_setting():
    assert read_duration_ms("2h", "a", bare_unit="m") == 7_200_000
    assert read_duration_ms(2, "a", bare_unit="m") == 120_000
    assert read_duration_ms(None, "a", bare_unit="m") is None
    with pytest.raises(ConfigError, match="no duration"):
        read_duration_ms("soon", "a", bare_unit="m")


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("abc", "abc"),
        ("${NAME}", "from the environment"),
        ("${MISSING}", None),
        ("${BLANK}", None),
        ("a${NAME}", "a${NAME}"),
        ({"source": "env", "id": "NAME"}, "from the environment"),
        ({"id": "NAME"}, "from the environment"),
        ({"id": None}, None),
        (None, None),
        (" ", None),
    ],
)
def test_a_secret_is_written_or_named(value, expected):
    assert read_secret(value, "a", env={"NAME": " from the environment ", "BLANK": " "}) == expected


def test_a_secret_kept_elsewhere_is_told():
    with pytest.raises(ConfigError, match="cannot read it"):
        read_secret({"source": "vault", "id": "x"}, "a", env={})


@pytest.mark.parametrize("name", ["a", "a_b", "a-b", "my own", 'q"uote', "x.y", "5", "[", "é", ""])
def test_a_joined_path_is_read_back(name):
    assert parse_path(join_path("session", name)) == ("session", name)


@pytest.mark.parametrize(
    ("value", "expected"),
    [(None, "null"), (True, "true or false"), (1, "a number"), ("", "text"), ({}, "an object"), ([], "a list")],
)
def test_types_have_plain_names(value, expected):
    assert type_name(value) == expected
