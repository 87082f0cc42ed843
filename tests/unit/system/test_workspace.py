"""The system text of an agent, read from the files of its workspace (TRANS-21)."""

from __future__ import annotations

import asyncio
import os
from datetime import date
from pathlib import Path

import pytest

from instar.core.model.ids import AgentId
from instar.errors import InvalidRequest
from instar.system.workspace import WorkspaceExports, WorkspaceNotes, WorkspaceTexts
from tests.builders.turns import build_session

MAIN = AgentId("main")


def load(texts: WorkspaceTexts) -> str:
    return asyncio.run(texts.load(MAIN, build_session()))


def texts_in(folder: Path, prompt: str | None = "Be kind.") -> WorkspaceTexts:
    return WorkspaceTexts(workspace_of=lambda _: folder, prompt_of=lambda _: prompt)


def test_files_of_the_workspace_follow_the_prompt(tmp_path: Path) -> None:
    (tmp_path / "AGENTS.md").write_text("Speak plainly.")
    text = load(texts_in(tmp_path))
    assert text.index("Be kind.") < text.index("Speak plainly.")


def test_an_edit_is_seen_by_the_next_request(tmp_path: Path) -> None:
    file = tmp_path / "USER.md"
    texts = texts_in(tmp_path)
    assert "Ann" not in load(texts)
    file.write_text("This is Ann.")
    assert "Ann" in load(texts)
    file.write_text("This is Bob.")
    os.utime(file, ns=(1, 1))
    assert "Bob" in load(texts)


def test_what_cannot_be_read_is_left_out(tmp_path: Path) -> None:
    (tmp_path / "SOUL.md").mkdir()
    (tmp_path / "USER.md").write_bytes(b"\xff\xfe broken \xe4")
    assert "broken" in load(texts_in(tmp_path))
    assert load(texts_in(tmp_path / "nowhere")) == "Be kind."


def test_a_workspace_is_writable_where_files_may_be_made(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("no folder", encoding="utf-8")
    agent = AgentId("main")
    assert texts_in(tmp_path).is_writable(agent)
    assert texts_in(tmp_path / "not" / "there" / "yet").is_writable(agent)
    assert not texts_in(file).is_writable(agent)
    assert not texts_in(file / "below").is_writable(agent)


def export(folder: Path, path: str, text: str = "words") -> str:
    exports = WorkspaceExports(workspace_of=lambda _: folder)
    return asyncio.run(exports.write(AgentId("main"), path, text))


def test_an_export_is_a_new_file_that_only_its_owner_reads(tmp_path: Path) -> None:
    folder = tmp_path / "work"
    written = Path(export(folder, "a/talk.md"))
    assert written == folder / "a/talk.md"
    assert written.read_text(encoding="utf-8") == "words"
    assert written.stat().st_mode & 0o777 == 0o600
    with pytest.raises(InvalidRequest, match="already"):
        export(folder, "a/talk.md", "others")
    assert written.read_text(encoding="utf-8") == "words"


def test_a_link_does_not_lead_an_export_outside(tmp_path: Path) -> None:
    folder = tmp_path / "work"
    folder.mkdir()
    (folder / "out").symlink_to(tmp_path)
    with pytest.raises(InvalidRequest, match="leads out of the workspace"):
        export(folder, "out/talk.md")
    (folder / "file").write_text("", encoding="utf-8")
    with pytest.raises(InvalidRequest, match="in its way"):
        export(folder, "file/talk.md")
    assert not (tmp_path / "talk.md").exists()


def test_notes_of_today_and_yesterday_are_read_and_nothing_else(tmp_path: Path) -> None:
    folder = tmp_path / "memory"
    folder.mkdir()
    for name in ("2026-02-27.md", "2026-02-28.md", "2026-03-01-bread.md", "other.md"):
        (folder / name).write_text(f"words of {name}")
    (folder / "2026-03-01.md").mkdir()
    text = asyncio.run(texts_in(tmp_path).load_notes(MAIN, date(2026, 3, 1)))
    assert ("words of 2026-02-28.md" in text, "words of 2026-03-01-bread.md" in text) == (True, True)
    assert ("words of 2026-02-27.md" in text, "words of other.md" in text) == (False, False)
    assert asyncio.run(texts_in(tmp_path / "nowhere").load_notes(MAIN, date(2026, 3, 1))) == ""


def test_notes_that_are_sealed_lie_beside_those_of_a_person_and_are_read_with_them(tmp_path):
    def seal(_agent, name, text):
        return f"{name}:{text[::-1]}"

    def open_line(line, name):
        return line.removeprefix(f"{name}:")[::-1] if line.startswith(f"{name}:") else None

    notes = WorkspaceNotes(workspace_of=lambda _agent: tmp_path, seal=seal)
    for text in ("the boat is blue", "it sails at six"):
        asyncio.run(notes.append(MAIN, "2026-03-01.md", text))
    (tmp_path / "memory" / "2026-03-01.md").write_text("by hand")
    texts = WorkspaceTexts(workspace_of=lambda _agent: tmp_path, prompt_of=lambda _agent: None, open_note=open_line)
    told = asyncio.run(texts.load_notes(MAIN, date(2026, 3, 1)))

    assert "by hand" in told
    assert "the boat is blue\n\nit sails at six" in told
    assert ".sealed" not in told
    assert "boat" not in (tmp_path / "memory" / "2026-03-01.md.sealed").read_text()
    assert "boat" not in asyncio.run(texts_in(tmp_path).load_notes(MAIN, date(2026, 3, 1)))
