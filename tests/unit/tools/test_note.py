"""FLUSH-4, MEM-3: a tool that adds to today's note and to nothing else."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import date
from pathlib import Path

import pytest

from instar.core.context.notes import NOTES_LIMIT_CHARS
from instar.core.model.ids import AgentId, SessionKey, TurnId
from instar.core.transcript.text import content_text
from instar.ports.tool import Tool, ToolContext, ToolOutput
from instar.system.workspace import NOTE_MAX_BYTES, WorkspaceNotes
from instar.tools.note import NoteTool

CONTEXT = ToolContext(
    session_key=SessionKey("agent:main:main"), agent_id=AgentId("main"), turn_id=TurnId("t"), call_id="c"
)
NOTE = "memory/2026-03-01.md"


def build_tool(folder: Path) -> Tool:
    notes = WorkspaceNotes(workspace_of=lambda _agent: folder)
    return NoteTool(notes.append, today=lambda: date(2026, 3, 1))


def write(folder: Path, **arguments: object) -> ToolOutput:
    return asyncio.run(build_tool(folder).call(CONTEXT, arguments))


def said(output: ToolOutput) -> str:
    return content_text(output.content)


def test_what_is_written_stands_behind_what_is_there(tmp_path: Path) -> None:
    first = write(tmp_path / "workspace", content=" Herons. ")
    assert (said(first), first.is_error) == ("Added 7 characters to memory/2026-03-01.md.", False)
    write(tmp_path / "workspace", content="Ducks: \u00e4.", path=NOTE)
    note = tmp_path / "workspace" / NOTE
    assert note.read_text(encoding="utf-8") == "Herons.\n\nDucks: \u00e4.\n"
    assert note.stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "workspace" / "memory").stat().st_mode & 0o777 == 0o700


def test_notes_at_once_are_all_there(tmp_path: Path) -> None:
    async def play() -> None:
        tool = build_tool(tmp_path)
        await asyncio.gather(*(tool.call(CONTEXT, {"content": f"note {number}"}) for number in range(30)))

    asyncio.run(play())
    lines = (tmp_path / NOTE).read_text(encoding="utf-8").split()
    assert sorted(line for line in lines if line != "note") == sorted(str(number) for number in range(30))


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        ({}, "content must be text"),
        ({"content": 5}, "content must be text"),
        ({"content": " \n"}, "content must be text"),
        ({"content": "x" * (NOTES_LIMIT_CHARS + 1)}, "20001 characters are more than"),
        ({"content": "x", "path": "MEMORY.md"}, "memory/2026-03-01[-subject].md"),
        ({"content": "x", "path": 7}, "memory/2026-03-01[-subject].md"),
        ({"content": "x", "path": "../../etc/passwd"}, "memory/2026-03-01[-subject].md"),
    ],
)
def test_anything_else_is_refused_and_leaves_nothing(tmp_path: Path, arguments: Mapping[str, object], why: str) -> None:
    output = write(tmp_path, **arguments)
    assert output.is_error
    assert why in said(output)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_of_notes_that_leads_elsewhere_is_not_written_to(tmp_path: Path) -> None:
    outside, workspace = tmp_path / "outside", tmp_path / "workspace"
    outside.mkdir()
    workspace.mkdir()
    (workspace / "memory").symlink_to(outside)
    assert said(write(workspace, content="x")) == f"The note {NOTE} cannot be written: it leads out of the workspace."
    assert list(outside.iterdir()) == []


def test_a_note_that_is_a_link_a_folder_or_full_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "memory").mkdir()
    target = tmp_path / "target.md"
    target.write_text("mine", encoding="utf-8")
    (tmp_path / NOTE).symlink_to(target)
    assert write(tmp_path, content="x").is_error
    assert target.read_text(encoding="utf-8") == "mine"
    (tmp_path / NOTE).unlink()
    (tmp_path / NOTE).mkdir()
    assert write(tmp_path, content="x").is_error
    (tmp_path / NOTE).rmdir()
    (tmp_path / NOTE).write_bytes(b"x" * (NOTE_MAX_BYTES - 3))
    assert "larger than" in said(write(tmp_path, content="xy"))
    assert not write(tmp_path, content="x").is_error


def test_a_write_that_fails_half_way_is_taken_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, content="Herons.")

    def refuse(_descriptor: int) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr("instar.system.workspace.os.fsync", refuse)
    output = write(tmp_path, content="Ducks.")
    assert said(output) == f"The note {NOTE} cannot be written: Input/output error."
    assert (tmp_path / NOTE).read_text(encoding="utf-8") == "Herons.\n"


def test_the_model_is_told_of_a_tool_that_writes() -> None:
    assert build_tool(Path("/nowhere")).spec.name == "write"
