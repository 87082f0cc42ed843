"""Pinned entries travel through compactions, with the partners they need."""

import pytest

from instar.core.context.pins import PIN_TYPE, Pin, build_pin_data, carried_pins, expand_pins, format_pinned, parse_pin
from tests.builders.transcripts import Branch, assistant, call


def pin_entry(data, custom_type=PIN_TYPE):
    branch = Branch()
    branch.custom(custom_type, data)
    return branch.entries[0]


def test_pin_of_an_entry_in_view_names_it():
    branch = Branch()
    branch.user("keep")

    data = build_pin_data(branch.entries[0], pinned=True, in_view=True)

    assert data == {"targetId": "e0", "pinned": True}
    assert parse_pin(pin_entry(data)) == Pin(target_id="e0", pinned=True)


def test_pin_of_an_entry_out_of_view_carries_it():
    branch = Branch()
    branch.user("keep")

    data = build_pin_data(branch.entries[0], pinned=True, in_view=False)

    assert parse_pin(pin_entry(data)) == Pin(target_id="e0", pinned=True, entry=branch.entries[0])


def test_unpin_carries_nothing():
    branch = Branch()
    branch.user("keep")

    data = build_pin_data(branch.entries[0], pinned=False, in_view=False)

    assert parse_pin(pin_entry(data)) == Pin(target_id="e0", pinned=False)


@pytest.mark.parametrize(
    "entry",
    [
        pin_entry({"targetId": "e0"}, custom_type="other"),
        pin_entry(None),
        pin_entry({"targetId": 5}),
        pin_entry({}),
    ],
)
def test_other_custom_entries_are_no_pins(entry):
    assert parse_pin(entry) is None


def test_message_is_no_pin():
    branch = Branch()
    branch.user("hi")

    assert parse_pin(branch.entries[0]) is None


def test_compaction_carries_the_lines_of_pinned_entries():
    branch = Branch()
    branch.user("keep")
    branch.compaction("e1", details={"pinned": format_pinned(branch.entries[:1])})

    assert carried_pins(branch.entries[1]) == (branch.entries[0],)


@pytest.mark.parametrize("details", [None, [], {}, {"pinned": "e0"}, {"pinned": ["e0"]}])
def test_compaction_without_readable_lines_carries_nothing(details):
    branch = Branch()
    branch.compaction("e0", details=details)

    assert carried_pins(branch.entries[0]) == ()


def conversation():
    branch = Branch()
    branch.user("a")
    branch.message(assistant(call("c1"), call("c2")))
    branch.result("c1", "one")
    branch.user("b")
    branch.result("c2", "two")
    branch.result("c9", "orphan")
    branch.model_change()
    return branch.entries


@pytest.mark.parametrize("pinned", ["e1", "e2", "e4"])
def test_pinning_a_call_or_a_result_keeps_them_all(pinned):
    assert [entry.id for entry in expand_pins(conversation(), frozenset({pinned}))] == ["e1", "e2", "e4"]


def test_pinning_another_entry_keeps_it_alone():
    assert [entry.id for entry in expand_pins(conversation(), frozenset({"e3", "e5", "gone"}))] == ["e3", "e5"]
