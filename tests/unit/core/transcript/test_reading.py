"""A damaged file is read as far as it goes, and everything wrong with it is named by its line."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from instar.core.model.entry import MessageEntry, OtherEntry
from instar.core.transcript.reading import read_transcript
from instar.core.transcript.tree import branch_path, find_leaf
from instar.errors import TranscriptError
from tests.builders.transcript_strategies import json_values

HEADER = {"type": "session", "version": 3, "id": "s1", "timestamp": "2026-03-10T12:00:00.000Z", "cwd": "/w"}


def said(line_id, parent_id, word="x"):
    return {"type": "message", "id": line_id, "parentId": parent_id, "message": {"role": "user", "content": word}}


A, B, C = said("a", None), said("b", "a"), said("c", "b")


def read(*lines):
    encoded = [line if isinstance(line, bytes) else json.dumps(line).encode() for line in lines]
    return read_transcript(encoded, json.loads)


def found(reading):
    return [(finding.kind, finding.line) for finding in reading.findings]


def ids(reading):
    return [entry.id for entry in reading.entries]


def test_sound_file_has_no_findings():
    reading = read(HEADER, A, B, C)

    assert (reading.header.id, ids(reading), reading.findings, reading.from_version) == ("s1", ["a", "b", "c"], (), 3)


def test_blank_lines_and_a_byte_order_mark_are_passed_over():
    reading = read(b"\xef\xbb\xbf" + json.dumps(HEADER).encode(), b"", b"  \r\n", A, b"\n")

    assert ids(reading) == ["a"]
    assert [(finding.kind, finding.line, finding.detail) for finding in reading.findings] == [
        ("blank", 2, "2 lines from here on are blank. Nothing was left out."),
        ("blank", 5, "This line is blank. Nothing was left out."),
    ]


def test_unparsable_line_is_left_out_and_the_next_one_hangs_on_the_one_before():
    reading = read(HEADER, A, b'{"type": "mess', C)

    assert found(reading) == [("unparsable", 3), ("missing-parent", 4)]
    assert [(entry.id, entry.parent_id) for entry in reading.entries] == [("a", None), ("c", "a")]


def test_unparsable_last_line_is_called_torn():
    assert found(read(HEADER, A, b'{"type": "mess', b"")) == [("torn", 3), ("blank", 4)]


def test_two_unparsable_lines_at_the_end_are_told_apart():
    assert found(read(HEADER, A, b"{", b"{")) == [("unparsable", 3), ("torn", 4)]


def test_line_nested_too_deep_to_read_is_left_out():
    assert found(read(HEADER, b"[" * 200_000, A)) == [("unparsable", 2)]


def test_line_that_is_no_object_is_left_out():
    assert found(read(HEADER, b"[1]", A)) == [("not-an-object", 2)]


@pytest.mark.parametrize(
    ("written", "parent"),
    [
        ("/srv/openclaw/agents/main/sessions/1111-2222.jsonl", "1111-2222"),
        ("C:\\Users\\ann\\sessions\\2026-01-10T12-00-00-000Z_s0.jsonl", "s0"),
        ("s0-topic-5.jsonl", "s0"),
        ("s0", "s0"),
        ("a/b", "a/b"),
        ("/x/.jsonl", None),
        (None, None),
    ],
)
def test_a_parent_that_is_named_by_its_path_is_named_by_its_id(written, parent):
    assert read({**HEADER, "parentSession": written}, A).header.parent_session == parent


def test_file_without_header_says_so():
    reading = read(A)

    assert reading.header is None
    assert found(reading) == [("no-header", 0)]


def test_second_header_is_left_out():
    reading = read(HEADER, A, {**HEADER, "id": "s2"}, B)

    assert reading.header.id == "s1"
    assert found(reading) == [("second-header", 3)]


def test_line_written_twice_is_read_once():
    reading = read(HEADER, A, B, B, C)

    assert ids(reading) == ["a", "b", "c"]
    assert found(reading) == [("repeated-line", 4)]


def test_other_line_with_a_known_id_gets_one_of_its_own_and_those_after_it_follow():
    reading = read(HEADER, A, B, said("b", "a", "other"), said("d", "b"))

    new_id = reading.entries[2].id
    assert new_id not in {"a", "b", "d"}
    assert reading.entries[3].parent_id == new_id
    assert found(reading) == [("repeated-id", 4)]


@pytest.mark.parametrize("line_id", [None, "", 7])
def test_line_without_id_gets_one(line_id):
    reading = read(HEADER, A, said(line_id, "a"))

    assert isinstance(reading.entries[1], MessageEntry)
    assert len(reading.entries[1].id) == 8
    assert found(reading) == [("no-id", 3)]


def test_given_id_that_a_later_line_has_too_stays_with_the_first():
    given_id = read(HEADER, A, said(None, "a")).entries[1].id

    reading = read(HEADER, A, said(None, "a"), said(given_id, "a"))

    assert reading.entries[1].id == given_id
    assert reading.entries[2].id != given_id
    assert found(reading) == [("no-id", 3), ("repeated-id", 4)]


def test_line_without_the_parent_field_hangs_on_the_one_before():
    inject = {name: value for name, value in said("i", None).items() if name != "parentId"}

    reading = read(HEADER, A, inject, said("d", "i"))

    assert [(entry.id, entry.parent_id) for entry in reading.entries] == [("a", None), ("i", "a"), ("d", "i")]
    assert found(reading) == [("no-parent-field", 3)]


@pytest.mark.parametrize("parent_id", ["later", "self", 7, ["a"]])
def test_parent_that_is_no_earlier_line_is_missing(parent_id):
    reading = read(HEADER, A, said("self", parent_id), said("later", "self"))

    assert reading.entries[1].parent_id == "a"
    assert found(reading) == [("missing-parent", 3)]


def test_first_entry_with_a_missing_parent_becomes_the_root():
    assert read(HEADER, B).entries[0].parent_id is None


def test_version_1_file_is_upgraded_with_its_line_numbers_kept():
    header = {name: value for name, value in HEADER.items() if name != "version"}
    flat = {"type": "message", "message": {"role": "user", "content": "x"}}

    reading = read(header, b"", flat, b"{", flat)

    assert (reading.from_version, len(reading.entries), found(reading)) == (1, 2, [("blank", 2), ("unparsable", 4)])
    assert reading.header.version == 3


def test_file_of_a_later_version_is_refused():
    with pytest.raises(TranscriptError, match="version 9"):
        read({**HEADER, "version": 9}, A)


def test_line_of_an_unknown_type_is_kept_without_a_finding():
    reading = read(HEADER, {"type": "plan", "id": "p", "parentId": None, "steps": []})

    assert isinstance(reading.entries[0], OtherEntry)
    assert reading.findings == ()


odd_lines = st.lists(
    st.builds(
        said,
        st.sampled_from(["a", "b", "c", "d", "", 5]),
        st.sampled_from([None, "a", "b", "c", "d", "zz", 5]),
        st.sampled_from("xy"),
    )
    | json_values
    | st.sampled_from([b"{", b"", b"\xff"]),
    max_size=12,
)


@given(lines=odd_lines)
def test_whatever_the_lines_ids_are_unique_and_parents_stand_before(lines):
    reading = read(HEADER, *lines)

    before = set()
    for entry in reading.entries:
        assert entry.id not in before
        assert entry.parent_id is None or entry.parent_id in before
        before.add(entry.id)
    path = branch_path(reading.entries, find_leaf(reading.entries))
    assert (path.missing_parent_id, path.cycle_id) == (None, None)
