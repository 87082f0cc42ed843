"""The list as JSON, and what its options may be (CLI-19, CLI-21, CLI-22)."""

import pytest

from instar.cli.commands.sessions_list import ROW_FIELDS, build_document, load_rows, parse_limit, parse_minutes
from instar.errors import InvalidRequest

ROW = {"key": "agent:main:main", "agentId": "main", "kind": "direct", "updatedAt": 40, "sessionId": "s"}
LISTED = {
    "ts": 100,
    "path": "/state/instar.db",
    "totalCount": 7,
    "hasMore": True,
    "defaults": {"model": "m", "contextTokens": 1000},
    "sessions": [ROW, {"key": "global", "agentId": "work", "kind": "global", "model": "own"}],
}


def test_a_document_has_every_field_and_null_where_nothing_is_known():
    document = build_document(LISTED, limit=2, minutes=5, agents=None)
    rows = document.pop("sessions")
    assert document == {
        "path": "/state/instar.db",
        "count": 2,
        "totalCount": 7,
        "limitApplied": 2,
        "hasMore": True,
        "activeMinutes": 5,
    }
    assert set(rows[0]) == {"key", "agentId", *ROW_FIELDS}
    assert (rows[0]["ageMs"], rows[0]["model"], rows[0]["contextTokens"], rows[0]["thinkingLevel"]) == (
        60,
        "m",
        1000,
        None,
    )
    assert (rows[1]["ageMs"], rows[1]["model"]) == (None, "own")


def test_several_agents_are_told_by_their_stores():
    document = build_document(LISTED, limit=None, minutes=None, agents=("quiet", "work"))
    assert (document["path"], document["allAgents"]) == (None, True)
    assert document["stores"] == [
        {"agentId": "main", "path": "/state/instar.db"},
        {"agentId": "quiet", "path": "/state/instar.db"},
        {"agentId": "work", "path": "/state/instar.db"},
    ]


@pytest.mark.parametrize(("text", "minutes"), [(None, None), ("5", 5), (" 60 ", 60)])
def test_active_is_a_number_of_minutes(text, minutes):
    assert parse_minutes(text) == minutes


@pytest.mark.parametrize("text", ["9" * 5000, "0", "-1", "1.5", "abc", "", "\u0663\u066b", "1e3"])
def test_active_that_is_no_positive_number_is_refused(text):
    with pytest.raises(InvalidRequest, match="positive whole number of minutes"):
        parse_minutes(text)


@pytest.mark.parametrize(("text", "limit"), [("100", 100), ("all", None), ("ALL", None)])
def test_limit_is_a_number_or_all(text, limit):
    assert parse_limit(text) == limit


@pytest.mark.parametrize("text", ["9" * 5000, "0", "-3", "some", ""])
def test_limit_that_is_neither_is_refused(text):
    with pytest.raises(InvalidRequest, match="--limit"):
        parse_limit(text)


class Pages:
    """A gateway with so many sessions, which gives at most 1000 at once."""

    is_gateway = True

    def __init__(self, total):
        self.total = total
        self.asked = []

    def call(self, method, params=None):
        self.asked.append(params)
        begin = params.get("offset", 0)
        end = min(begin + min(params["limit"], 1000), self.total)
        return {"sessions": [{"key": str(at)} for at in range(begin, end)], "hasMore": end < self.total}


@pytest.mark.parametrize(
    ("total", "limit", "count"), [(50, 100, 50), (2500, None, 2500), (2500, 1500, 1500), (0, None, 0)]
)
def test_rows_are_fetched_page_by_page_up_to_the_limit(total, limit, count):
    source = Pages(total)
    rows = load_rows(source, {}, limit=limit)["sessions"]
    assert [row["key"] for row in rows] == [str(at) for at in range(count)]
    assert all(asked["limit"] <= 1000 for asked in source.asked)
