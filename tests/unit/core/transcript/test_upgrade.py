"""Files of versions 1, 2 and 4 become version 3 without losing a line."""

import copy
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from instar.core.transcript.codec import format_entry, format_header
from instar.core.transcript.upgrade import (
    bring_v4_to_v3,
    derive_entry_id,
    detect_version,
    upgrade_lines,
    upgrade_v1_to_v2,
    upgrade_v2_to_v3,
)
from instar.errors import TranscriptError
from tests.builders.transcript_strategies import entries, headers, objects

HEADER = {"type": "session", "id": "s1", "timestamp": "2025-11-20T23:33:50.805Z", "cwd": "/w", "provider": "p"}


def said(word):
    return {"type": "message", "timestamp": "t", "message": {"role": "user", "content": word}}


V1 = [HEADER, said("a"), said("b"), {"type": "compaction", "summary": "s", "firstKeptEntryIndex": 2}, said("c")]


def test_version_1_becomes_a_chain_under_a_header_of_version_3():
    header, *lines = upgrade_lines(V1).lines

    assert header == {**HEADER, "version": 3}
    assert [line["parentId"] for line in lines] == [None, *(line["id"] for line in lines[:-1])]
    assert all(re.fullmatch("[0-9a-f]{8}", line["id"]) for line in lines)
    assert len({line["id"] for line in lines}) == 4
    assert [line.get("message") for line in lines] == [line.get("message") for line in V1[1:]]


def test_version_1_lines_show_their_new_fields_first():
    line = upgrade_lines(V1).lines[1]

    assert list(line) == ["type", "id", "parentId", "timestamp", "message"]


def test_kept_place_of_a_version_1_compaction_becomes_a_kept_id():
    lines = upgrade_lines(V1).lines

    assert lines[3]["firstKeptEntryId"] == lines[2]["id"]
    assert "firstKeptEntryIndex" not in lines[3]


@pytest.mark.parametrize(
    ("place", "kept"), [(0, 1), (-3, 1), (4, 4), (9, 3)], ids=["header", "before", "later", "none"]
)
def test_odd_kept_place_keeps_from_the_first_entry_or_nothing(place, kept):
    lines = upgrade_lines([*V1[:3], {**V1[3], "firstKeptEntryIndex": place}, V1[4]]).lines

    assert lines[3]["firstKeptEntryId"] == lines[kept]["id"]


@pytest.mark.parametrize("place", [None, "2", True])
def test_unreadable_kept_place_is_left_as_it_is(place):
    line = {**V1[3], "firstKeptEntryIndex": place}

    assert upgrade_lines([*V1[:3], line]).lines[3]["firstKeptEntryIndex"] is place


def test_kept_id_that_is_there_already_wins_over_a_place():
    lines = upgrade_lines([*V1[:3], {**V1[3], "firstKeptEntryId": "x"}]).lines

    assert lines[3]["firstKeptEntryId"] == "x"


def test_ids_are_the_same_at_every_reading_and_others_in_another_session():
    first = [line["id"] for line in upgrade_lines(V1).lines[1:]]

    assert [line["id"] for line in upgrade_lines(V1).lines[1:]] == first
    assert [line["id"] for line in upgrade_lines([*V1, said("d")]).lines[1:5]] == first
    assert not set(first) & {line["id"] for line in upgrade_lines([{**HEADER, "id": "s2"}, *V1[1:]]).lines[1:]}


def test_ids_and_parents_that_version_1_lines_have_are_kept():
    line = {**said("x"), "id": "mine", "parentId": None}

    lines = upgrade_lines([HEADER, said("a"), line, said("b")]).lines

    assert (lines[2]["id"], lines[2]["parentId"], lines[3]["parentId"]) == ("mine", None, "mine")


def test_derived_id_steps_aside_for_a_taken_one():
    first = derive_entry_id("s/1", set())

    assert derive_entry_id("s/1", {first}) != first
    assert derive_entry_id("s/1", {first}) == derive_entry_id("s/1", {first})


def test_version_2_calls_plugin_messages_custom():
    hook = {"type": "message", "id": "a", "parentId": None, "message": {"role": "hookMessage", "content": "x"}}
    custom = {"type": "custom", "id": "b", "parentId": "a", "customType": "t", "message": {"role": "hookMessage"}}

    lines = upgrade_lines([{**HEADER, "version": 2}, hook, custom]).lines

    assert lines[0]["version"] == 3
    assert lines[1] == {**hook, "message": {"role": "custom", "content": "x"}}
    assert lines[2] == custom


@given(header=headers, lines=st.lists(entries.map(format_entry) | objects, max_size=5))
def test_current_file_is_left_as_it_is(header, lines):
    file = [{**format_header(header), "version": 3}, *lines]

    assert list(upgrade_lines(file).lines) == file


@given(version=st.integers(1, 3), lines=st.lists(st.sampled_from(V1[1:]) | objects, max_size=6))
def test_upgrading_twice_changes_nothing_and_the_source_stays(version, lines):
    file = [{**HEADER, "version": version}, *lines]
    before = copy.deepcopy(file)

    once = upgrade_lines(file).lines

    assert upgrade_lines(once).lines == once
    assert file == before


@given(lines=st.lists(entries.map(format_entry), max_size=5))
def test_each_step_leaves_lines_that_have_what_it_brings(lines):
    assert list(upgrade_v1_to_v2(lines)) == lines
    assert list(upgrade_v2_to_v3(lines)) == lines


@pytest.mark.parametrize(
    ("lines", "version"),
    [
        ([HEADER], 1),
        ([{**HEADER, "version": 2}], 2),
        ([said("a"), {**HEADER, "version": 3}], 3),
        ([{**HEADER, "version": 0}], 1),
        ([{**HEADER, "version": "3"}], 1),
        ([said("a"), {**said("b"), "id": "x"}], 3),
        ([said("a")], 1),
        ([], 1),
    ],
)
def test_version_is_what_the_header_says_or_what_the_lines_look_like(lines, version):
    assert detect_version(lines) == version
    assert upgrade_lines(lines).from_version == version


def test_later_version_is_refused_with_both_numbers():
    with pytest.raises(TranscriptError, match=r"version 5: this build reads versions 1 to 4"):
        upgrade_lines([{**HEADER, "version": 5}])


def test_file_without_header_is_upgraded_by_its_lines():
    lines = upgrade_lines([said("a"), said("b")]).lines

    assert lines[1]["parentId"] == lines[0]["id"]


def reset(**fields):
    return {"type": "reset", "id": "r", "parentId": "b", "timestamp": "T", "reason": "daily", **fields}


def test_a_reset_within_a_file_of_version_4_hides_what_was_before_from_the_model():
    file = [{**HEADER, "version": 4}, {**said("x"), "id": "a", "parentId": None}, reset(), {**said("y"), "id": "c"}]
    upgraded = upgrade_lines(file)
    assert upgraded.from_version == 4
    assert upgraded.lines[0]["version"] == 3
    assert upgraded.lines[1:2] + upgraded.lines[3:] == (file[1], file[3])
    assert upgraded.lines[2] == {
        "type": "compaction",
        "id": "r",
        "parentId": "b",
        "timestamp": "T",
        "summary": "The conversation was started over here (daily).",
        "firstKeptEntryId": "r",
        "tokensBefore": 0,
        "details": {"openclawReset": "daily"},
    }


def test_what_a_reset_of_version_4_kept_is_kept():
    lines = upgrade_lines([{**HEADER, "version": 4}, reset(firstKeptEntryId="b")]).lines
    assert lines[1]["firstKeptEntryId"] == "b"


def test_a_moved_leaf_of_version_4_is_the_place_it_was_moved_to():
    leaf = {"type": "leaf", "id": "l", "parentId": "z", "targetId": "a", "timestamp": "T"}
    lines = upgrade_lines([{**HEADER, "version": 4}, leaf]).lines
    expected = {"type": "custom", "id": "l", "parentId": "a", "customType": "openclaw:leaf", "data": {"from": "z"}}
    assert lines[1] == {**expected, "timestamp": "T"}
    assert bring_v4_to_v3(lines) == lines
