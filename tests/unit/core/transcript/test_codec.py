"""A line of a transcript survives reading and writing, whatever is in it."""

import json

import pytest
from hypothesis import given

from instar.core.model.entry import (
    CompactionEntry,
    CustomEntry,
    LabelEntry,
    MessageEntry,
    OtherEntry,
    OtherMessage,
    SessionInfoEntry,
    UserMessage,
)
from instar.core.transcript.codec import format_entry, format_header, parse_entry, parse_header
from tests.builders.transcript_strategies import entries, headers, json_values, odd_objects

AT = "2026-03-10T12:00:00.000Z"
BASE = {"id": "a1b2c3d4", "parentId": None, "timestamp": AT}
USER = {"type": "message", **BASE, "message": {"role": "user", "content": "hi", "timestamp": 1773144000000}}
LINES = {
    "message": USER,
    "compaction": {
        "type": "compaction",
        **BASE,
        "summary": "s",
        "firstKeptEntryId": "e",
        "tokensBefore": 12,
        "details": {"readFiles": []},
        "fromHook": True,
    },
    "branch_summary": {"type": "branch_summary", **BASE, "fromId": "e", "summary": "s", "details": 1},
    "custom": {"type": "custom", **BASE, "customType": "t", "data": {"a": [1]}},
    "custom_message": {
        "type": "custom_message",
        **BASE,
        "customType": "t",
        "content": [{"type": "text", "text": "x"}],
        "display": False,
    },
    "model_change": {"type": "model_change", **BASE, "provider": "p", "modelId": "m"},
    "thinking_level_change": {"type": "thinking_level_change", **BASE, "thinkingLevel": "high"},
    "label": {"type": "label", **BASE, "targetId": "e", "label": "start"},
    "session_info": {"type": "session_info", **BASE, "name": "n"},
    "unknown": {"type": "plan", **BASE, "steps": ["one"]},
}


def exact(value):
    """Text that tells 1 from 1.0 and from true, which Python's equality does not."""
    return json.dumps(value, sort_keys=True)


@pytest.mark.parametrize("line", LINES.values(), ids=LINES.keys())
def test_line_is_written_as_it_was_read_with_the_base_keys_first(line):
    written = format_entry(parse_entry(line))

    assert exact(written) == exact(line)
    assert list(written)[:4] == ["type", "id", "parentId", "timestamp"]


@pytest.mark.parametrize("line", [line for kind, line in LINES.items() if kind != "unknown"])
def test_known_type_becomes_a_typed_entry(line):
    entry = parse_entry(line)

    assert not isinstance(entry, OtherEntry)
    assert (entry.id, entry.parent_id, entry.timestamp) == ("a1b2c3d4", None, 1773144000000)


@given(entry=entries)
def test_entry_is_read_back_as_it_was_written(entry):
    assert parse_entry(format_entry(entry)) == entry


@given(line=entries.flatmap(lambda entry: odd_objects(format_entry(entry))))
def test_odd_line_is_written_as_it_was_read(line):
    assert exact(format_entry(parse_entry(line))) == exact(line)


@given(header=headers)
def test_header_is_read_back_as_it_was_written(header):
    assert parse_header(format_header(header)) == header


@given(line=headers.flatmap(lambda header: odd_objects(format_header(header))))
def test_odd_header_is_written_as_it_was_read(line):
    header = parse_header(line)

    assert header is None or exact(format_header(header)) == exact(line)


def test_header_keeps_its_fields_and_what_it_does_not_know():
    line = {"type": "session", "version": 3, "id": "s", "timestamp": AT, "cwd": "/w", "provider": "openai"}

    header = parse_header(line)

    assert (header.id, header.version, header.cwd, header.timestamp) == ("s", 3, "/w", 1773144000000)
    assert header.extra == {"provider": "openai"}


def test_header_without_version_reads_as_version_0():
    assert parse_header({"type": "session", "id": "s"}).version == 0


@pytest.mark.parametrize(
    "line", [{"type": "message", "id": "s"}, {"type": "session"}, {"type": "session", "id": 7}, {}]
)
def test_line_without_type_session_and_an_id_is_no_header(line):
    assert parse_header(line) is None


@given(line=json_values.filter(lambda value: isinstance(value, dict)))
def test_any_object_at_all_survives(line):
    assert exact(format_entry(parse_entry(line))) == exact(line)


@pytest.mark.parametrize(
    ("spelling", "instant"),
    [
        ("2026-03-10T12:00:00Z", 1773144000000),
        ("2026-03-10T12:00:00.123456Z", 1773144000123),
        ("2026-03-10T13:00:00.000+01:00", 1773144000000),
        ("2026-03-10T12:00:00.000", 1773144000000),
        ("2026-03-10T24:00:00.000Z", None),
        (1773144000000, 1773144000000),
        (1773144000000.7, 1773144000000),
        (10**30, None),
        ("yesterday", None),
        (None, None),
        ([], None),
    ],
)
def test_odd_line_time_is_read_as_well_as_it_can_be_and_kept(spelling, instant):
    line = {**USER, "timestamp": spelling}

    entry = parse_entry(line)

    if spelling != "2026-03-10T24:00:00.000Z":  # Python 3.14 and later read hour 24 as the next day
        assert entry.timestamp == instant
    assert isinstance(entry, MessageEntry)
    assert exact(format_entry(entry)) == exact(line)


def test_line_without_time_stays_without():
    line = {"type": "session_info", "id": "a", "parentId": None, "name": "n"}

    entry = parse_entry(line)

    assert entry.timestamp is None
    assert format_entry(entry) == line


def test_line_without_parent_is_a_root_and_stays_without_the_field():
    line = {name: value for name, value in USER.items() if name != "parentId"}

    entry = parse_entry(line)

    assert isinstance(entry, MessageEntry)
    assert entry.parent_id is None
    assert format_entry(entry) == line


@pytest.mark.parametrize(
    "line",
    [
        {**USER, "id": 7},
        {**USER, "parentId": 7},
        {**USER, "type": None},
        {**USER, "message": "hi"},
        {**LINES["compaction"], "summary": None},
        {**LINES["compaction"], "firstKeptEntryId": None},
        {**LINES["branch_summary"], "summary": 1},
        {**LINES["custom_message"], "content": None},
    ],
)
def test_line_without_its_core_is_kept_whole(line):
    entry = parse_entry(line)

    assert isinstance(entry, OtherEntry)
    assert entry.raw == line


def test_broken_line_tells_what_can_be_told():
    entry = parse_entry({"type": 5, "parentId": "p", "timestamp": AT})

    assert (entry.id, entry.parent_id, entry.timestamp, entry.type) == ("", "p", 1773144000000, "")


def test_message_of_a_further_role_is_kept_inside_a_message_entry():
    entry = parse_entry({**USER, "message": {"role": "bashExecution", "command": "ls", "output": ""}})

    assert entry.message == OtherMessage(
        role="bashExecution", raw={"role": "bashExecution", "command": "ls", "output": ""}
    )


def test_fields_land_where_they_belong():
    compaction = parse_entry(LINES["compaction"])
    custom = parse_entry(LINES["custom"])
    label = parse_entry(LINES["label"])
    info = parse_entry(LINES["session_info"])

    assert isinstance(compaction, CompactionEntry)
    assert (compaction.summary, compaction.first_kept_id, compaction.tokens_before) == ("s", "e", 12)
    assert (compaction.details, compaction.extra) == ({"readFiles": []}, {"fromHook": True})
    assert isinstance(custom, CustomEntry)
    assert (custom.custom_type, custom.data) == ("t", {"a": [1]})
    assert isinstance(label, LabelEntry)
    assert (label.target_id, label.label) == ("e", "start")
    assert isinstance(info, SessionInfoEntry)
    assert info.name == "n"


def test_null_and_missing_optional_fields_are_told_apart():
    for line in ({**LINES["custom"], "data": None}, {**BASE, "type": "custom", "customType": "t"}):
        entry = parse_entry(line)

        assert entry.data is None
        assert exact(format_entry(entry)) == exact(line)


@pytest.mark.parametrize("label", [5, None, ["x"]])
def test_odd_value_of_an_optional_text_counts_as_none_and_is_kept(label):
    line = {**LINES["label"], "label": label}

    entry = parse_entry(line)

    assert entry.label is None
    assert exact(format_entry(entry)) == exact(line)


def test_fraction_where_a_count_belongs_is_floored_and_kept():
    line = {**LINES["compaction"], "tokensBefore": 12.5}

    entry = parse_entry(line)

    assert entry.tokens_before == 12
    assert exact(format_entry(entry)) == exact(line)


def test_entry_built_by_hand_is_written_with_every_field_of_its_type():
    entry = MessageEntry(id="a", parent_id="b", timestamp=1773144000000, message=UserMessage(content="hi", timestamp=1))

    assert format_entry(entry) == {
        "type": "message",
        "id": "a",
        "parentId": "b",
        "timestamp": AT,
        "message": {"role": "user", "content": "hi", "timestamp": 1},
    }
