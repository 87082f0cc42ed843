"""The files of a story that is over: every transcript line for line, the index, and nothing that should be gone."""

from __future__ import annotations

import json
from pathlib import Path

from instar.core.model.change import TranscriptHead
from instar.core.model.ids import AgentId, SessionId, SessionKey
from instar.errors import TranscriptError
from instar.stores.importer import ImportLimits, read_transcript_file
from instar.testing.simulate.disk import DiskOfLife
from instar.testing.simulate.story import Crash
from instar.testing.simulate.watched import read_now
from instar.testing.simulate.world import World

__all__ = ["check_files"]


def check_files(world: World) -> None:
    """Hold the mirror against what was committed (LOSS-4); a story without a disk has none."""
    disk = world.life.disk
    if disk is None:
        return
    heads = {
        head.session_id: head
        for key in {transcript.key for transcript in world.shadow.transcripts.values()}
        for head in read_now(world.inner.load_transcripts(key))
    }
    for transcript in world.shadow.transcripts.values():
        head = heads.get(transcript.session_id)
        if head is not None and not transcript.is_removed:
            _check_transcript(world, disk.file_of(transcript.key, head), head)
    _check_strays(world, disk, heads)
    _check_index(world, disk)


def _check_transcript(world: World, path: Path, head: TranscriptHead) -> None:
    """A file holds the header and every entry of its transcript, each as it was committed."""
    entries = tuple(world.shadow.transcripts[head.session_id].entries)
    where = f"the mirror of {head.session_id}"
    try:
        file = read_transcript_file(path, ImportLimits())
    except TranscriptError as error:
        world.findings.report("LOSS-4", f"{where} cannot be read: {error}")
        return
    findings = world.findings
    findings.require(not file.findings, "LOSS-4", f"{where} has lines that cannot be read: {file.findings}")
    findings.require(file.header.id == head.session_id, "LOSS-4", f"{where} has the header of {file.header.id}")
    findings.require(
        file.entries == entries,
        "LOSS-4",
        f"{where} has {len(file.entries)} lines that differ from {len(entries)} entries",
    )


def _check_strays(world: World, disk: DiskOfLife, heads: dict[SessionId, TranscriptHead]) -> None:
    """No file has the name of a current or a closed transcript that is none; what nobody damaged is in nobody's way."""
    known = {disk.file_of(head.key, head) for head in heads.values()}
    folder = disk.places.folder(SessionKey("agent:main:main"))
    kept = set(folder.glob("*.conflict.*"))
    there = {*folder.glob("*.jsonl"), *folder.glob("*.reset.*")}
    for path in sorted(there - known - kept):
        world.findings.report("LOSS-4", f"the mirror has {path.name}, which is the file of no such transcript")
    is_flipped = any(isinstance(step, Crash) and step.harm == "flip" for step in world.story.steps)
    if not is_flipped and world.forgetting is None:  # an erasure that a death has cut leaves files changed
        for path in sorted(kept):
            world.findings.report("LOSS-4", f"the mirror has kept {path.name}, which nobody has changed")


def _check_index(world: World, disk: DiskOfLife) -> None:
    """``sessions.json`` lists every session under its key, with its current session id."""
    path = disk.places.index(AgentId("main"))
    listed = json.loads(path.read_bytes()) if path.exists() else {}
    told = {key: row.get("sessionId") for key, row in listed.items()}
    stored = {key: session.session_id for key, session in world.shadow.sessions.items()}
    world.findings.require(told == stored, "LOSS-4", f"sessions.json lists {told}, not {stored}")
