"""Files read and changed are carried from summary to summary."""

import pytest

from instar.core.context.files import FileLists, collect_files, format_files, parse_files, strip_files
from tests.builders.transcripts import assistant, call, result, user


def test_files_come_from_read_write_and_edit_calls_sorted():
    messages = [
        user("read b"),
        assistant(call("1", "read", {"path": "b"}), call("2", "Read", {"file_path": "a"})),
        result("1", "x"),
        assistant(call("3", "write", {"filePath": "d"}), call("4", "edit", {"path": "c"})),
    ]

    assert collect_files(messages, FileLists()) == FileLists(read=("a", "b"), changed=("c", "d"))


def test_changed_file_is_only_in_the_second_list():
    messages = [assistant(call("1", "edit", {"path": "a"}))]

    assert collect_files(messages, FileLists(read=("a", "b"), changed=("c",))) == FileLists(
        read=("b",), changed=("a", "c")
    )


@pytest.mark.parametrize(
    "made",
    [
        call("1", "exec", {"path": "a"}),
        call("1", "read", {"path": 5}),
        call("1", "read"),
        call("1", "edit", {"path": ""}),
    ],
)
def test_other_calls_name_no_file(made):
    assert collect_files([assistant("x", made)], FileLists()) == FileLists()


def test_line_end_in_a_path_makes_no_new_item():
    files = collect_files([assistant(call("1", "read", {"path": "a\n- b"}))], FileLists())

    assert format_files(files) == "\n\n## Files read\n- a - b"


def test_lists_survive_the_details_of_a_compaction():
    assert parse_files({"readFiles": ["a", 5], "modifiedFiles": ["b"]}) == FileLists(read=("a",), changed=("b",))


@pytest.mark.parametrize("details", [None, "x", {}, {"readFiles": "a", "modifiedFiles": None}])
def test_odd_details_hold_no_files(details):
    assert parse_files(details) == FileLists()


def test_lists_stand_at_the_end_of_a_summary_and_are_taken_off_again():
    summary = "## Goal\nship" + format_files(FileLists(read=("a", "b"), changed=("c",)))

    assert summary == "## Goal\nship\n\n## Files read\n- a\n- b\n\n## Files changed\n- c"
    assert strip_files(summary) == "## Goal\nship"
    assert format_files(FileLists()) == ""


def test_lists_in_the_middle_are_taken_off_too():
    assert strip_files("a\n\n## Files read\n- x\n\n## Next\n- y") == "a\n## Next\n- y"
