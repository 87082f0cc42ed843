"""What the later used of two entries for one session takes from the other (KEY-15)."""

from __future__ import annotations

import pytest

from instar.stores.openclaw.gaps import fill_gaps


def test_what_the_later_used_entry_says_stands():
    assert fill_gaps({"label": "new", "subject": ""}, {"label": "old", "subject": "x"}) == {
        "label": "new",
        "subject": "x",
    }


def test_two_entries_of_one_life_share_everything_but_what_absence_says():
    older = {"sessionId": "1", "inputTokens": 3, "elevatedLevel": "on", "archivedAt": 4, "colour": "blue"}
    filled = fill_gaps({"sessionId": "1"}, older)
    assert filled == {"sessionId": "1", "inputTokens": 3, "elevatedLevel": "on", "colour": "blue"}


def test_of_another_life_only_what_a_reset_carries_over_is_taken():
    older = {
        "sessionId": "1",
        "sessionFile": "1.jsonl",
        "updatedAt": 4,
        "inputTokens": 3,
        "elevatedLevel": "on",
        "label": "Ann",
        "cliSessionIds": {"a": "b"},
        "colour": "blue",
    }
    assert fill_gaps({"sessionId": "2"}, older) == {"sessionId": "2", "label": "Ann", "colour": "blue"}


@pytest.mark.parametrize(
    ("newer", "older", "gained"),
    [
        ({"lastChannel": "irc"}, {"lastTo": "42", "deliveryContext": {"to": "42"}}, set()),
        ({"modelOverride": "small"}, {"providerOverride": "p", "authProfileOverride": "work"}, set()),
        ({"thinkingLevel": "low"}, {"lastChannel": "irc", "lastTo": "42"}, {"lastChannel", "lastTo"}),
    ],
    ids=["route", "model", "route-of-the-other"],
)
def test_fields_that_say_one_thing_together_are_taken_together(newer, older, gained):
    assert set(fill_gaps({"sessionId": "1", **newer}, {"sessionId": "1", **older})) == {"sessionId", *newer, *gained}


@pytest.mark.parametrize(
    ("newer", "may", "taken"), [({}, True, "1"), ({}, False, None), ({"sessionFile": "x"}, True, None)]
)
def test_a_life_is_taken_only_where_none_is_named_and_nobody_else_has_it(newer, may, taken):
    filled = fill_gaps(newer, {"sessionId": "1", "inputTokens": 3}, may_take_life=may)
    assert (filled.get("sessionId"), filled.get("inputTokens")) == (taken, 3 if taken else None)
