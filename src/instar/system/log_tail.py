"""Reading the end of the log, for `logs.tail` (RPC-20). Nothing is kept between two questions: the cursor tells."""

from __future__ import annotations

import asyncio
import json
import os
from functools import partial
from pathlib import Path
from typing import BinaryIO

from instar.ports.operator import LogTail

__all__ = ["FileLog", "read_tail"]


class FileLog:
    """Keeps `instar.ports.operator.LogReader` over a file of JSON lines."""

    def __init__(self, path: Path) -> None:
        self._path = path

    async def tail(self, *, cursor: int | None, limit: int, max_bytes: int, session: frozenset[str] | None) -> LogTail:
        """Lines from `cursor` on, or the last ones."""
        return await asyncio.to_thread(
            partial(read_tail, self._path, cursor=cursor, limit=limit, max_bytes=max_bytes, session=session)
        )


def read_tail(
    path: Path, *, cursor: int | None, limit: int, max_bytes: int, session: frozenset[str] | None = None
) -> LogTail:
    """Whole lines of a file from a byte on, the newest `limit` of the newest `max_bytes`; a file that is not there is
    empty. Blocking.

    A cursor behind the end of the file was for one that has been set aside: reading begins anew, and `reset` says so.
    """
    try:
        with path.open("rb") as file:
            return _read(file, path, cursor=cursor, limit=limit, max_bytes=max_bytes, session=session)
    except FileNotFoundError:
        return LogTail(file=str(path), reset=bool(cursor))


def _read(
    file: BinaryIO, path: Path, *, cursor: int | None, limit: int, max_bytes: int, session: frozenset[str] | None
) -> LogTail:
    size = os.fstat(file.fileno()).st_size
    is_reset = cursor is not None and cursor > size
    begin = 0 if cursor is None or is_reset else cursor
    start = max(begin, size - max_bytes)
    file.seek(start)
    data = file.read(size - start)
    # A line that is being written, or whose beginning was left out, is no line yet, or no more.
    end = data.rfind(b"\n") + 1
    first = data.find(b"\n") + 1 if start and not _begins_line(file, start) else 0
    lines = data[first:end].decode(errors="replace").splitlines() if first < end else []
    kept = [line for line in lines if session is None or _names(line, session)]
    return LogTail(
        file=str(path),
        cursor=start + end,
        size=size,
        lines=tuple(kept[-limit:]),
        truncated=start > begin or len(kept) > limit,
        reset=is_reset,
    )


def _begins_line(file: BinaryIO, at: int) -> bool:
    """Whether a line begins at this byte."""
    file.seek(at - 1)
    return file.read(1) == b"\n"


def _names(line: str, session: frozenset[str]) -> bool:
    """Whether a line is about one of these sessions."""
    if not any(each in line for each in session):
        return False
    try:
        event = json.loads(line)
    except ValueError:
        return False
    return isinstance(event, dict) and not session.isdisjoint(
        {str(event.get(name)) for name in ("session_key", "session_id")}
    )
