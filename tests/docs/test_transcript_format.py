"""The page about transcript files is true: its example is read as it stands, and its parser finds what ours finds."""

from __future__ import annotations

import json
import re

import pytest

from instar.core.context.build import build_view
from instar.core.context.envelope import ENVELOPE_KEY
from instar.core.context.pins import PIN_TYPE
from instar.core.model.entry import OtherEntry
from instar.core.transcript.codec import format_entry, parse_entry
from instar.core.transcript.reading import read_transcript
from instar.core.transcript.tree import branch_path, find_leaf
from tests.builders.transcripts import Branch
from tests.builders.tree import ROOT

PAGE = (ROOT / "docs" / "formats" / "transcript.md").read_text(encoding="utf-8")
BLOCKS = dict(re.findall(r"^```(json|python)\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL))
EXAMPLE = BLOCKS["json"].encode()


@pytest.fixture
def read_branch():
    """The parser of the page."""
    found: dict[str, object] = {}
    exec(BLOCKS["python"], found)  # noqa: S102 - the code that the page tells people to run
    return found["read_branch"]


def test_example_is_a_sound_file_whose_lines_are_written_as_they_stand():
    reading = read_transcript(EXAMPLE.splitlines(), json.loads)

    assert reading.findings == ()
    assert [format_entry(entry) for entry in reading.entries] == [json.loads(line) for line in EXAMPLE.splitlines()[1:]]


def test_example_shows_the_written_order_of_keys():
    for line in EXAMPLE.splitlines()[1:]:
        raw = json.loads(line)
        assert json.dumps(format_entry(parse_entry(raw))) == json.dumps(raw)


def test_parser_of_the_page_reads_the_example(tmp_path, read_branch):
    path = tmp_path / "example.jsonl"
    path.write_bytes(EXAMPLE)

    assert [entry["id"] for entry in read_branch(path)] == ["a1b2c3d4", "b2c3d4e5", "c3d4e5f6", "d4e5f607"]


def test_parser_of_the_page_finds_the_branch_that_ours_finds(tmp_path, read_branch):
    tree = Branch()
    for word in "abcd":
        tree.user(word)
    tree.move("e1")
    tree.assistant("other way")
    lines = [json.dumps(format_entry(entry)) for entry in tree.entries]
    path = tmp_path / "branches.jsonl"
    path.write_text(
        "\n".join(['{"type": "session", "id": "s"}', *lines[:3], "", '{"torn', *lines[3:]]), encoding="utf-8"
    )

    ours = branch_path(tree.entries, find_leaf(tree.entries)).entries

    assert read_branch(path) == [format_entry(entry) for entry in ours]


def test_parser_of_the_page_comes_out_of_a_circle(tmp_path, read_branch):
    path = tmp_path / "circle.jsonl"
    path.write_text('{"type": "x", "id": "a", "parentId": "b"}\n{"type": "x", "id": "b", "parentId": "a"}\n')

    assert [entry["id"] for entry in read_branch(path)] == ["a", "b"]


def test_every_type_of_entry_has_its_row():
    named = set(re.findall(r"^\| `([a-z_]+)` \|", PAGE, re.MULTILINE))

    types = {"message", "compaction", "branch_summary", "custom_message", "custom"}
    types |= {"model_change", "thinking_level_change", "label", "session_info"}
    assert types <= named
    for kind in types:
        core = {"message": {"role": "user", "content": ""}, "summary": "", "firstKeptEntryId": "", "content": ""}
        assert not isinstance(parse_entry({"type": kind, "id": "a", "parentId": None, **core}), OtherEntry)


def test_page_names_what_instar_adds():
    for word in (PIN_TYPE, f"`{ENVELOPE_KEY}`", '"undoes"', "`pinned`"):
        assert word in PAGE


def test_page_tells_right_what_the_model_sees():
    branch = Branch()
    for word in "abc":
        branch.user(word)
    branch.compaction("e1", "older")
    branch.user("d")
    branch.compaction("e2", "newer")
    branch.user("e")

    shown = [placed.entry_id for placed in build_view(branch.entries).messages()]

    assert shown == ["e5", "e2", "e4", "e6"]
