import re
from importlib import resources
from pathlib import Path

import pytest

from instar.stores.transaction import load_queries, parse_queries


def test_queries_are_read_with_their_names_and_without_their_comments():
    text = "-- name: a\n-- One\n-- sentence.\nSELECT 1;\n\n-- name: b\n-- Another.\nSELECT 2\n"
    assert list(parse_queries(text)) == [("a", "SELECT 1"), ("b", "SELECT 2")]


def test_a_fragment_stands_where_it_is_named_also_in_later_fragments():
    text = (
        "-- fragment: one\n-- A part.\nx = :x\n\n-- fragment: two\n-- More.\n({one}) AND y\n\n"
        "-- name: a\n-- All.\nSELECT * FROM t WHERE {two};\n"
    )
    assert list(parse_queries(text)) == [("a", "SELECT * FROM t WHERE (x = :x) AND y")]


@pytest.mark.parametrize("text", ["-- name: a\nSELECT 1;", "-- name: a\n-- no full stop\nSELECT 1;"])
def test_a_query_without_its_sentence_is_refused(text):
    with pytest.raises(ValueError, match="sentence"):
        list(parse_queries(text))


def test_every_query_is_named_once_and_whole():
    queries = load_queries("sqlite")
    assert len(queries) > 50
    assert not [name for name, statement in queries.items() if "{" in statement or not statement]


def test_every_query_is_asked_for_somewhere():
    folder = Path(str(resources.files("instar.stores")))
    code = "".join(file.read_text() for place in (folder, Path(__file__).parent) for file in place.rglob("*.py"))
    asked = set(re.findall(r'"(\w+)"', code))
    asked |= {f"load_{kind}{what}" for kind in ("", "message_") for what in ("entries", "branch")}
    families = tuple({"dump_", "restore_"} & set(re.findall(r'f"([a-z]+_)\{', code)))
    assert [name for name in load_queries("sqlite") if name not in asked and not name.startswith(families)] == []
