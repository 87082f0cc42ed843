"""Archives: what is deleted was read back first (LOSS-8, MAINT-20)."""

from __future__ import annotations

import asyncio
import stat
from pathlib import Path

import pytest

from instar.config.config import parse_config
from instar.core.model.change import SessionChange
from instar.core.model.ids import EntryId
from instar.errors import NotFound, StoreError
from instar.stores import archive as archive_module
from instar.stores.archive import TranscriptArchiver, read_archive
from instar.stores.rows import format_line, write_header
from instar.testing.clock import ManualClock
from tests.builders.store import NOW, SID, SessionTalk, build_message, memory_store


def archiver_of(store, tmp_path):
    config = parse_config({}, env={}, state_dir=tmp_path / "state", home=tmp_path)
    return TranscriptArchiver(store, config, clock=ManualClock(NOW))


def facts_of(path):
    facts = path.stat()
    return stat.S_IMODE(facts.st_mode), facts.st_size


def test_an_archive_holds_every_line_of_every_branch_and_is_named_after_its_end(tmp_path):
    async def scenario():
        async with memory_store()() as store:
            talk = SessionTalk(store)
            entries = [build_message(n, n - 1 or None, "é🙂" * 5000) for n in range(1, 600)]
            await talk.begin(*entries)
            await talk.change(SessionChange(leaf_id=EntryId("00000001")))
            branch = build_message(999, 1, "another")
            changed = await talk.append(branch)
            assert changed.transcript is not None
            path = Path(await archiver_of(store, tmp_path).archive(changed.transcript))
            assert path.name == f"{SID}.jsonl.deleted.2026-03-10T12-00-00.000Z.zst"
            assert path.parent == tmp_path / "state" / "agents" / "main" / "sessions"
            mode, size = facts_of(path)
            assert mode == 0o600
            lines = [write_header(talk.header()), *(format_line(entry).text for entry in [*entries, branch])]
            assert list(read_archive(path)) == lines
            assert size < sum(map(len, lines)) / 10

    asyncio.run(scenario())


def test_a_second_archive_of_the_same_moment_does_not_take_the_first_ones_place(tmp_path):
    async def scenario():
        async with memory_store()() as store:
            changed = await SessionTalk(store).begin()
            assert changed.transcript is not None
            archiver = archiver_of(store, tmp_path)
            first, second = [Path(await archiver.archive(changed.transcript)) for _ in range(2)]
            assert second.name == f"{SID}.jsonl-1.deleted.2026-03-10T12-00-00.000Z.zst"
            assert list(read_archive(first)) == list(read_archive(second))

    asyncio.run(scenario())


def test_an_archive_that_cannot_be_read_back_is_an_error_and_leaves_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr(archive_module, "read_archive", lambda _, **__: iter(["something else"]))

    async def scenario():
        async with memory_store()() as store:
            changed = await SessionTalk(store).begin()
            assert changed.transcript is not None
            with pytest.raises(StoreError, match="read back"):
                await archiver_of(store, tmp_path).archive(changed.transcript)

    asyncio.run(scenario())
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


def test_a_transcript_that_is_gone_cannot_be_archived(tmp_path):
    async def scenario():
        async with memory_store()() as store:
            changed = await SessionTalk(store).begin()
            assert changed.transcript is not None
            await store.delete_session(changed.transcript.key, now=NOW, decisions=[])
            with pytest.raises(NotFound):
                await archiver_of(store, tmp_path).archive(changed.transcript)

    asyncio.run(scenario())
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]
