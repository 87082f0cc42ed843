"""An export stays inside the workspace, in a form that its name says (CMD-31, LEAK-8)."""

from __future__ import annotations

import pytest

from instar.core.context.system import WORKSPACE_FILES
from instar.core.transcript.export_place import ExportPlace, choose_export_place
from tests.builders.turns import NOW, SESSION_ID


def choose(given):
    return choose_export_place(given, session_id=SESSION_ID, now=NOW, told_files=WORKSPACE_FILES)


def test_nobodys_word_is_a_page_below_exports():
    assert choose("") == ExportPlace(path="exports/11111111-2026-03-10T12-00-00.html", form="html")


@pytest.mark.parametrize(
    ("given", "path", "form"),
    [
        ("talk", "talk.html", "html"),
        ("talk.HTM", "talk.HTM", "html"),
        ("a/b c/talk.md", "a/b c/talk.md", "markdown"),
        ("talk.json", "talk.json", "json"),
        ("talk.jsonl", "talk.jsonl", "jsonl"),
    ],
)
def test_the_ending_says_the_form(given, path, form):
    assert choose(given) == ExportPlace(path=path, form=form)


@pytest.mark.parametrize(
    "given",
    [
        "../talk.md", "a/../../talk.md", "/etc/passwd", "~/talk.md", "a//b.md", "./talk.md", ".ssh/keys.md", ".md",
        "a\\b.md", "a\x00b.md", "a\nb.md", "talk.exe", "x" * 201,
    ],
)  # fmt: skip
def test_everything_else_is_refused_with_a_reason(given):
    assert isinstance(choose(given), str)


@pytest.mark.parametrize(
    "given", ["AGENTS.md", "soul.MD", "USER.md", "MEMORY.md", "memory/2026-03-10.md", "Memory/a/b.md", "memory"]
)
def test_nothing_is_written_where_every_session_is_told_of_it(given):
    assert "is told" in choose(given)


@pytest.mark.parametrize("given", ["exports/AGENTS.md", "memories.md", "notes/USER.md"])
def test_places_that_only_sound_like_that_are_free(given):
    assert choose(given).path == given
