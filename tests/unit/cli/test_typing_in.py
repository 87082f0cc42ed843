"""Lines that are piped in: each as soon as it is there, whatever the bytes."""

import asyncio
import os
import threading

import pytest

from instar.cli.typing_in import PipedLines


def write_all(descriptor, data):
    with os.fdopen(descriptor, "wb") as pipe:
        pipe.write(data)


def read_all(data):
    async def collect():
        reading, writing = os.pipe()
        threading.Thread(target=write_all, args=(writing, data)).start()
        lines, found = PipedLines(reading), []
        while (line := await lines.next_line()) is not None:
            found.append(line)
        os.close(reading)
        return found

    return asyncio.run(collect())


@pytest.mark.parametrize(
    ("data", "lines"),
    [
        (b"", []),
        (b"one\ntwo\n", ["one", "two"]),
        (b"one\r\ntwo", ["one", "two"]),
        (b"\n\n", ["", ""]),
        ("grüß\n日本".encode(), ["grüß", "日本"]),
        (b"bad \xff byte\ncut \xe6\x97", ["bad \ufffd byte", "cut \ufffd"]),
    ],
    ids=["nothing", "lines", "no last end", "empty lines", "utf-8", "bad bytes"],
)
def test_lines_come_as_they_are(data, lines):
    assert read_all(data) == lines


def test_a_long_line_comes_whole():
    assert read_all(b"x" * 200_000 + b"\ny\n") == ["x" * 200_000, "y"]


def test_a_line_is_there_before_the_pipe_ends():
    async def story():
        reading, writing = os.pipe()
        lines = PipedLines(reading)
        os.write(writing, b"first\nsec")
        assert await lines.next_line() == "first"
        os.write(writing, b"ond\n")
        assert await lines.next_line() == "second"
        os.close(writing)
        assert await lines.next_line() is None
        os.close(reading)

    asyncio.run(asyncio.wait_for(story(), 10))
