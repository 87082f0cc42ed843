"""Queries that are asked slice by slice read in their own order: sorting would cost the whole table for each slice."""

import re

import apsw
import pytest

from instar.stores.migrate import load_steps
from instar.stores.transaction import load_queries

SLICED = [
    "dump_sessions",
    "list_mirrored",
    "list_sessions",
    "list_sessions_of_agent",
    "load_entries",
    "load_message_entries",
    "load_decisions",
    "load_decisions_of_session",
]
SQL = load_queries("sqlite")


@pytest.fixture(scope="module")
def database():
    connection = apsw.Connection(":memory:")
    for step in load_steps("sqlite"):
        connection.execute(step.sql)
    yield connection
    connection.close()


@pytest.mark.parametrize("name", SLICED)
def test_a_slice_is_read_in_order(database, name):
    params = dict.fromkeys(re.findall(r":(\w+)", SQL[name]))
    plan = [row[3] for row in database.execute(f"EXPLAIN QUERY PLAN {SQL[name]}", params)]
    assert not [step for step in plan if "FOR ORDER BY" in step]


def test_the_message_that_somebody_answers_is_found_without_reading_others(database):
    params = dict.fromkeys(re.findall(r":(\w+)", SQL["find_own_message"]))
    plan = [row[3] for row in database.execute(f"EXPLAIN QUERY PLAN {SQL['find_own_message']}", params)]
    assert plan == ["SEARCH outbox USING INDEX outbox_of_platform (channel=? AND platform_id=?)"]


def test_a_message_is_found_by_what_its_platform_calls_it_without_reading_others(database):
    params = dict.fromkeys(re.findall(r":(\w+)", SQL["find_messages"]))
    plan = [row[3] for row in database.execute(f"EXPLAIN QUERY PLAN {SQL['find_messages']}", params)]
    places = "(channel=? AND account_id=? AND message_id=?)"
    assert plan[0] == f"SEARCH inbox USING INDEX sqlite_autoindex_inbox_2 {places}"
    assert not [step for step in plan if step.startswith(("SCAN inbox", "SCAN later", "SCAN first"))]


@pytest.mark.parametrize("name", ["list_written_indices", "list_folder_marks"])
def test_the_few_marks_of_one_kind_are_found_without_reading_those_of_all_transcripts(database, name):
    plan = [row[3] for row in database.execute(f"EXPLAIN QUERY PLAN {SQL[name]}")]
    assert plan == ["SEARCH mirror USING PRIMARY KEY (owner>? AND owner<?)"]


def search_usage(database, name):
    params = dict.fromkeys(re.findall(r":(\w+)", SQL[name]))
    plan = [row[3] for row in database.execute(f"EXPLAIN QUERY PLAN {SQL[name]}", params)]
    return [step for step in plan if "usage USING" in step]


@pytest.mark.parametrize("name", ["sum_spending_later", "sum_spending_of_life_later"])
def test_what_was_spent_since_a_line_is_found_by_the_number_of_the_line(database, name):
    assert search_usage(database, name) == ["SEARCH usage USING INTEGER PRIMARY KEY (rowid>?)"]


def test_what_a_life_of_a_session_has_cost_is_found_without_reading_the_others(database):
    assert search_usage(database, "sum_spending_of_life") == [
        "SEARCH usage USING INDEX usage_of_life (session_key=? AND session_id=?)",
        "SEARCH usage USING INDEX usage_of_life (session_key=? AND session_id=? AND at>?)",
    ]
