"""Daily notes for a conversation that starts over (CMD-10, MEM-8)."""

from __future__ import annotations

from datetime import date

import pytest

from instar.core.context.notes import NOTES_LIMIT_CHARS, build_notes_text, choose_note, choose_notes

TODAY = date(2026, 3, 1)


def test_notes_of_yesterday_and_today_are_chosen_the_older_first():
    names = ["2026-03-01.md", "2026-02-28-plans.md", "2026-02-27.md", "2026-03-02.md", "MEMORY.md", "2026-03-01-b.md"]
    assert choose_notes(names, today=TODAY) == ("2026-02-28-plans.md", "2026-03-01-b.md", "2026-03-01.md")


@pytest.mark.parametrize(
    "name", ["2026-03-01.txt", "2026-03-01", "x2026-03-01.md", "2026-03-01plans.md", "\uff12026-03-01.md"]
)
def test_what_is_named_otherwise_is_no_note(name):
    assert choose_notes([name], today=TODAY) == ()


def test_each_note_stands_under_its_name_and_an_empty_one_is_left_out():
    text = build_notes_text([("2026-02-28.md", " Bread is out.\n"), ("2026-03-01.md", " \n")])
    assert text == "# Notes of today and yesterday\n\n## memory/2026-02-28.md\n\nBread is out."
    assert build_notes_text([("2026-03-01.md", "")]) == ""


def test_too_much_loses_its_start():
    text = build_notes_text([("2026-02-28.md", "a" * NOTES_LIMIT_CHARS), ("2026-03-01.md", "the end")])
    assert text.startswith("# Notes of today and yesterday\n\n[earlier notes are left out]\naaa")
    assert text.endswith("the end")
    assert len(text) < NOTES_LIMIT_CHARS + 100


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("", "2026-03-01.md"),
        ("  ", "2026-03-01.md"),
        ("memory/2026-03-01.md", "2026-03-01.md"),
        (" ./memory/2026-03-01-travel_plans.md ", "2026-03-01-travel_plans.md"),
        ("2026-03-01-a.md", "2026-03-01-a.md"),
        ("memory/2026-02-28.md", None),
        ("memory/2026-03-01.txt", None),
        ("MEMORY.md", None),
        ("AGENTS.md", None),
        ("/memory/2026-03-01.md", None),
        ("memory/../2026-03-01.md", None),
        ("memory/2026-03-01-../x.md", None),
        ("memory/2026-03-01-a/b.md", None),
        ("memory/2026-03-01-a\\b.md", None),
        ("memory/2026-03-01-a\0.md", None),
        ("memory/2026-03-01-a\n.md", None),
        ("memory/2026-03-01-\u00e9.md", None),
        (f"memory/2026-03-01-{'x' * 60}.md", f"2026-03-01-{'x' * 60}.md"),
        (f"memory/2026-03-01-{'x' * 61}.md", None),
    ],
)
def test_only_a_note_of_today_may_be_written_to(path, name):
    assert choose_note(path, today=TODAY) == name
