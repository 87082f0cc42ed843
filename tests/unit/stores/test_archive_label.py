"""An archive knows whose it was, and any zstd reader still finds nothing but the transcript in it."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest
import zstandard

from instar.config.config import parse_config
from instar.core.model.session import Naming
from instar.errors import TranscriptError
from instar.stores.archive import TranscriptArchiver, read_archive, read_archive_label
from instar.stores.importer import ImportLimits, read_transcript_file
from instar.testing.clock import ManualClock
from tests.builders.store import KEY, SessionTalk, build_message, file_store


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    """The archive of a session that had a label and an owner."""

    async def story():
        config = parse_config({}, env={}, state_dir=tmp_path, home=tmp_path)
        async with file_store(tmp_path / "instar.db")() as store:
            talk = SessionTalk(store)
            await talk.begin(build_message(1, None, "words"))
            await talk.edit(lambda session: replace(session, naming=Naming(label="tea"), owner="telegram:42"))
            (head,) = await store.load_transcripts(KEY)
            return await TranscriptArchiver(store, config, clock=ManualClock()).archive(head)

    return Path(asyncio.run(story()))


def test_the_label_tells_key_owner_and_settings(archive: Path):
    session = read_archive_label(archive)
    assert (session.key, session.owner, session.naming.label) == (KEY, "telegram:42", "tea")


def test_other_readers_find_the_transcript_and_nothing_else(archive: Path):
    lines = list(read_archive(archive))
    assert len(lines) == 2
    text = zstandard.ZstdDecompressor().decompressobj(read_across_frames=True).decompress(archive.read_bytes())
    assert text.decode().splitlines() == lines
    file = read_transcript_file(archive, ImportLimits())
    assert [entry.message.content for entry in file.entries] == ["words"]


@pytest.mark.parametrize("cut", [1, 5, 40, 10_000])
def test_an_archive_without_a_whole_label_has_none(archive: Path, cut: int):
    archive.write_bytes(archive.read_bytes()[:-cut])
    assert read_archive_label(archive) is None


def test_an_archive_of_another_program_has_no_label(tmp_path: Path):
    path = tmp_path / "a.jsonl.deleted.2026-03-10T12-00-00.000Z.zst"
    path.write_bytes(zstandard.compress(b"{}\n" * 1000))
    assert read_archive_label(path) is None


def test_a_damaged_archive_is_told_and_one_that_unpacks_to_too_much_is_refused(archive: Path):
    bomb = archive.with_name("bomb.zst")
    bomb.write_bytes(zstandard.compress(bytes(5_000_000)))
    with pytest.raises(TranscriptError, match="unpacks to more than 1000000 bytes"):
        read_transcript_file(bomb, ImportLimits(file_bytes=1_000_000))
    content = bytearray(archive.read_bytes())
    content[12] ^= 0xFF
    archive.write_bytes(content)
    with pytest.raises(TranscriptError):
        read_transcript_file(archive, ImportLimits())
