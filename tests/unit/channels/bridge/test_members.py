"""From the JSON of a bridge to who is in a group (LEAK-4)."""

from __future__ import annotations

import pytest

from instar.channels.bridge.parse import parse_members
from instar.core.model.message import Chat, Roster
from instar.errors import InvalidRequest

GROUP = {"type": "group", "id": "kitchen"}


def test_a_list_names_everybody_in_the_platforms_spelling():
    roster = parse_members({"chat": GROUP, "members": ["Ann", 42], "accountId": " bot2 "}, channel="pigeon")
    assert roster == Roster(
        channel="pigeon", account_id="bot2", chat=Chat(type="group", id="kitchen"), member_ids=("Ann", "42")
    )


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"members": []}, "chat"),
        ({"chat": GROUP}, "members"),
        ({"chat": GROUP, "members": [{}]}, "members"),
        ({"chat": {"type": "direct", "id": "ann"}, "members": []}, "chat"),
        ({"chat": {"type": "group"}, "members": []}, "chat"),
    ],
)
def test_what_is_no_list_of_a_group_names_the_field(body, field):
    with pytest.raises(InvalidRequest) as refused:
        parse_members(body, channel="pigeon")
    assert field in f"{refused.value.field} {refused.value}"
