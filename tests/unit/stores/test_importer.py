"""Importing one transcript: nothing readable is lost, nothing unreadable stops it (STORE-6, LOSS-10)."""

from __future__ import annotations

import asyncio
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from instar.core.model.ids import AgentId, SessionKey
from instar.core.transcript.codec import format_entry, format_header
from instar.errors import TranscriptError
from instar.stores.importer import ImportLimits, read_transcript_file
from tests.builders.imports import import_transcript_file
from tests.builders.store import NOW, memory_store

KEY = SessionKey("agent:main:explicit:old")
AT = "2025-11-20T23:33:50.805Z"
HEADER = {"type": "session", "version": 3, "id": "old-1", "timestamp": AT, "cwd": "/home"}


def entry(entry_id, parent, **fields):
    return {"type": "custom", "id": entry_id, "parentId": parent, "timestamp": AT, "customType": "t", **fields}


def write(path, *lines):
    parts = [line if isinstance(line, bytes) else json.dumps(line).encode() for line in lines]
    path.write_bytes(b"\n".join(parts) + b"\n")
    return path


def read(path, **limits):
    return read_transcript_file(path, ImportLimits(**limits))


def exported(path):
    """The lines that the store gives back after an import."""

    async def scenario():
        async with memory_store()() as store:
            report = await import_transcript_file(store, path, key=KEY, agent_id=AgentId("main"), now=NOW)
            again = await import_transcript_file(store, path, key=KEY, agent_id=AgentId("main"), now=NOW)
            assert (report.stored, again.stored) == (True, False)
            page = await store.load_all_entries(report.file.header.id)
            session = await store.load_session(KEY)
            assert session is not None
            return [format_header(page.head.header), *(format_entry(stored.entry) for stored in page.entries)]

    return asyncio.run(scenario())


def test_a_current_file_comes_back_line_by_line(tmp_path):
    lines = [HEADER, entry("a1", None, data={"x": [1, 2.5, None, "é"]}), entry("a2", "a1", odd=True)]
    assert exported(write(tmp_path / "f.jsonl", *lines)) == lines


def test_a_real_transcript_of_version_1_comes_back_with_everything_in_order(recorded_data):
    path = recorded_data("transcripts/large-session.jsonl")
    source = [json.loads(line) for line in path.read_text().splitlines()]
    header, *lines = exported(path)
    assert header["id"] == source[0]["id"]
    assert len(lines) == len(source) - 1
    parents = [None, *(line["id"] for line in lines)]
    for line, old, parent in zip(lines, source[1:], parents, strict=False):
        assert line["parentId"] == parent
        assert {name: value for name, value in line.items() if name not in {"id", "parentId"}} == old


def test_a_damaged_file_is_read_as_far_as_it_goes_and_says_what_was_wrong(tmp_path):
    path = write(
        tmp_path / "f.jsonl",
        b"",
        HEADER,
        entry("a1", None),
        b"{torn",
        entry("a2", "gone"),
        b"[1]",
        b'{"type": "custom", "id": "a3", "par',
    )
    file = read(path)
    assert [one.id for one in file.entries] == ["a1", "a2"]
    assert [(finding.kind, finding.line) for finding in file.findings] == [
        ("blank", 1),
        ("unparsable", 4),
        ("missing-parent", 5),
        ("not-an-object", 6),
        ("torn", 7),
    ]
    assert [line["id"] for line in exported(path)] == ["old-1", "a1", "a2"]


@pytest.mark.parametrize(
    ("line", "data"),
    [
        (b"{type: 'custom', id: 'a1', parentId: null, customType: 't', data: 'json5',}", "json5"),
        (b'{"type":"custom","id":"a1","parentId":null,"customType":"t","data":"cut \\ud83d"}', "cut \ufffd"),
        (b'{"type":"custom","id":"a1","parentId":null,"customType":"t","data":"caf\xe9"}', "caf\ufffd"),
        (b'{"type":"custom","id":"a1","parentId":null,"customType":"t","data":[NaN,1e999]}', [None, None]),
    ],
    ids=["json5", "half a character", "no utf-8", "no number"],
)
def test_careless_spelling_is_read_and_the_line_named(tmp_path, line, data):
    path = write(tmp_path / "f.jsonl", HEADER, line)
    assert read(path).repaired_lines == (2,)
    assert exported(path)[1]["data"] == data


def test_numbers_keep_every_digit(tmp_path):
    data = [12345678901234567890123, -0.0, 1.0, 0.1, 1e300]
    assert json.dumps(
        exported(write(tmp_path / "f.jsonl", HEADER, entry("a1", None, data=data)))[1]["data"]
    ) == json.dumps(data)


def test_a_line_that_is_too_long_or_too_deep_is_left_out_and_the_next_one_read(tmp_path):
    deep = b'{"type":"custom","id":"d","data":' + b"[" * 300 + b"]" * 300 + b"}"
    bottomless = b"[" * 200_000
    long_line = entry("l", None, data="x" * 5000)
    path = write(tmp_path / "f.jsonl", HEADER, deep, long_line, bottomless, entry("a1", None))
    file = read(path, line_bytes=4000)
    assert [(finding.kind, finding.line) for finding in file.findings] == [("unparsable", n) for n in (2, 3, 4)]
    assert [one.id for one in file.entries] == ["a1"]


def test_a_file_without_a_header_is_known_again_by_its_words(tmp_path):
    one = read(write(tmp_path / "a.jsonl", entry("a1", None)))
    same = read(write(tmp_path / "b.jsonl", entry("a1", None)))
    other = read(write(tmp_path / "c.jsonl", entry("a2", None)))
    assert one.header == same.header != other.header
    assert one.header.id.startswith("imported-")
    assert exported(tmp_path / "a.jsonl")[1]["id"] == "a1"


def test_a_second_transcript_of_a_key_goes_into_its_history(tmp_path):
    async def scenario():
        async with memory_store()() as store:
            for name in ("one", "two"):
                path = write(tmp_path / f"{name}.jsonl", {**HEADER, "id": name}, entry("a1", None))
                await import_transcript_file(store, path, key=KEY, agent_id=AgentId("main"), now=NOW)
            heads = await store.load_transcripts(KEY)
            assert [(head.session_id, head.close_reason) for head in heads] == [("one", None), ("two", "import")]

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "holds no transcript"),
        (b"\n\n", "holds no transcript"),
        (b"\x89PNG\r\n\x1a\n", "holds no transcript"),
        (b'{"type":"session","version":99,"id":"x"}', "version 99"),
        (b'{"type":"session","version":3,"id":""}', "no usable session id"),
        (b'{"type":"session","version":3,"id":"' + b"x" * 300 + b'"}', "no usable session id"),
    ],
)
def test_a_file_that_is_no_transcript_is_refused(tmp_path, content, words):
    path = tmp_path / "f.jsonl"
    path.write_bytes(content)
    with pytest.raises(TranscriptError, match=words):
        read(path)


def test_a_file_that_is_too_large_or_not_there_is_refused(tmp_path):
    path = write(tmp_path / "f.jsonl", HEADER)
    with pytest.raises(TranscriptError, match="too large"):
        read(path, file_bytes=10)
    with pytest.raises(TranscriptError, match="cannot be read"):
        read(tmp_path / "none.jsonl")
    with pytest.raises(TranscriptError, match="cannot be read"):
        read(tmp_path)


def test_the_source_is_never_changed(tmp_path):
    path = write(tmp_path / "f.jsonl", HEADER, b"{torn")
    before = (path.read_bytes(), path.stat().st_mtime_ns)
    read(path)
    assert (path.read_bytes(), path.stat().st_mtime_ns) == before
    assert list(tmp_path.iterdir()) == [path]


@settings(max_examples=100)
@given(st.lists(st.binary(max_size=60) | st.sampled_from([json.dumps(entry(f"a{n}", None)).encode() for n in "12"])))
def test_no_bytes_at_all_break_an_import(tmp_path_factory, lines):
    path = tmp_path_factory.mktemp("import") / "f.jsonl"
    path.write_bytes(b"\n".join([json.dumps(HEADER).encode(), *lines]))
    exported(path)
