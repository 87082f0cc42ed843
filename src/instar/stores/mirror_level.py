"""Bringing the files of transcripts level with their rows (STORE-4).

Most of the time a file lacks a few lines at its end: they are read for many transcripts at once and appended at once.
Only a file that is not as it was left is compared with the rows, and only a long one takes more than one slice.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import structlog

from instar.core.model.ids import Instant, SessionId
from instar.ports.clock import Clock
from instar.stores.known import TranscriptRow
from instar.stores.mirror_files import (
    Comparison,
    Mark,
    append_lines,
    delete_transcript_file,
    is_as_left,
    rename_transcript_file,
    set_aside,
)
from instar.stores.mirror_names import list_namesakes_of, plan_names
from instar.stores.mirror_places import MirrorPlaces
from instar.stores.mirror_rows import Mirrored, load_mirrored, load_slice
from instar.stores.store import SessionStore
from instar.stores.transcripts import find_transcript
from instar.system.log_events import MIRROR_CONFLICT

__all__ = ["Leveller"]

log = structlog.get_logger(__name__)


class Leveller:
    """Writes what files lack. Never used for one transcript twice at a time."""

    def __init__(self, store: SessionStore, places: MirrorPlaces, *, clock: Clock) -> None:
        self._store = store
        self._places = places
        self._clock = clock

    async def level(
        self, wanted: Mapping[SessionId, Mark | None], *, files: Mapping[SessionId, Collection[Path]]
    ) -> dict[SessionId, Mark | OSError | None]:
        """Bring transcripts level; a mark says how the file was left, None looks for what was stored.

        `files` are those of each transcript that a walk has found; without it they are looked for where a mark leads
        to no file. The mark of each file afterwards, None for a transcript that is gone, or why its file could not be
        written. Raises `StoreError`.
        """
        found = await self._store.engine.read(partial(load_mirrored, wanted=[*wanted.items()]))
        written = await asyncio.to_thread(self._write_all, found, files, self._clock.now())
        return {
            one.session_id: await self._finish(one, mark) if not isinstance(mark, OSError) else mark
            for one, mark in zip(found, written, strict=True)
        }

    def _write_all(
        self, found: Sequence[Mirrored], files: Mapping[SessionId, Collection[Path]], now: Instant
    ) -> list[Mark | OSError | None]:
        outcomes: list[Mark | OSError | None] = []
        for one in found:
            try:
                outcomes.append(self._write(one, files.get(one.session_id), now))
            except OSError as error:
                outcomes.append(error)
        return outcomes

    def _write(self, one: Mirrored, files: Collection[Path] | None, now: Instant) -> Mark | None:
        """Do what can be done without reading more: append, rename, delete. None leaves the rest to `_finish`."""
        if one.transcript is None:
            for path in _find_files(one.mark, files):
                delete_transcript_file(path, now)
            return None
        path, mark = self._path(one.transcript), one.mark
        if files or mark is None or mark.path != path or not is_as_left(mark):
            if mark is not None and mark.path != path and rename_transcript_file(mark.path, path, now):
                mark = replace(mark, path=path)
            self._settle_names(one.transcript, path, _find_files(mark, files), now)
            if path.exists() if mark is None else not is_as_left(mark):
                return None
        if not one.lines:
            return mark
        return append_lines(path, [line for _, line in one.lines], seq=one.lines[-1][0])

    def _settle_names(self, transcript: TranscriptRow, path: Path, files: Collection[Path], now: Instant) -> None:
        """See that the file lies under its name, if there is one, and that none has the name of another life."""
        current = self._places.transcript(transcript.head.key, transcript.head.session_id)
        there = {other for other in {*files, path, current} if other.exists()}
        plan = plan_names(path, there, current=current)
        if plan.taken is not None:
            rename_transcript_file(plan.taken, path, now)
        if plan.aside is not None:
            log.warning(MIRROR_CONFLICT, path=str(plan.aside), kept=str(set_aside(plan.aside, now)))

    async def _finish(self, one: Mirrored, mark: Mark | None) -> Mark | OSError | None:
        """Write what is left of a transcript; how its file is then."""
        transcript = one.transcript
        if transcript is None:
            return None
        try:
            if mark is None:
                mark = await self._compare(transcript)
            while mark is not None and mark.seq < transcript.head.next_seq - 1:
                lines = await self._slice(transcript, seq=mark.seq, size=mark.size)
                if not lines:
                    return mark  # it was deleted meanwhile, and is touched again
                mark = await asyncio.to_thread(append_lines, mark.path, [line for _, line in lines], seq=lines[-1][0])
        except OSError as error:
            return error
        return mark

    async def _compare(self, transcript: TranscriptRow) -> Mark | None:
        """Find out what a file holds that is not as it was left; its mark once it is a part of what it should be.

        None when the transcript was deleted meanwhile, and its file with it.
        """
        path = self._path(transcript)
        try:
            comparison = await asyncio.to_thread(Comparison, path)
        except FileNotFoundError:
            return await self._begin(transcript, path)
        try:
            seq = await self._match(transcript, comparison)
            if seq is not None:
                mark = await asyncio.to_thread(comparison.cut, seq=seq)
                return mark if seq >= 0 else await self._begin(transcript, path)
        finally:
            comparison.close()
        if await self._store.engine.read(partial(find_transcript, session_id=transcript.head.session_id)) is None:
            await asyncio.to_thread(delete_transcript_file, path, self._clock.now())
            return None
        kept = await asyncio.to_thread(set_aside, path, self._clock.now())
        log.warning(MIRROR_CONFLICT, path=str(path), kept=str(kept))
        return await self._begin(transcript, path)

    async def _match(self, transcript: TranscriptRow, comparison: Comparison) -> int | None:
        """The place of the last line that a file holds whole, -1 for none; None when it holds something else."""
        seq, size = -1, 0
        while lines := await self._slice(transcript, seq=seq, size=size):
            count = await asyncio.to_thread(comparison.take, [line for _, line in lines])
            if count is None:
                return None
            if count < len(lines):
                return lines[count - 1][0] if count else seq
            seq = lines[-1][0]
            size += sum(len(line) for _, line in lines)
        return None if await asyncio.to_thread(comparison.has_more) else seq

    async def _begin(self, transcript: TranscriptRow, path: Path) -> Mark:
        lines = await self._slice(transcript, seq=-1, size=0)
        return await asyncio.to_thread(append_lines, path, [line for _, line in lines], seq=lines[-1][0])

    async def _slice(self, transcript: TranscriptRow, *, seq: int, size: int) -> Sequence[tuple[int, str]]:
        return await self._store.engine.read(partial(load_slice, transcript=transcript, seq=seq, size=size))

    def _path(self, transcript: TranscriptRow) -> Path:
        head = transcript.head
        return self._places.transcript(head.key, head.session_id, closed_at=head.closed_at)


def _find_files(mark: Mark | None, files: Collection[Path] | None) -> Collection[Path]:
    """The files of a transcript: where its mark leads, else what a walk has found, else whatever has its name."""
    if mark is not None and mark.path.exists():
        return (mark.path,)
    if files is not None or mark is None:
        return files or ()
    return list_namesakes_of(mark.path)
