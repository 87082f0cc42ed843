"""Pages keep their word: links lead somewhere, commands exist, records and fragments have their form."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from tests.builders.tree import ROOT, read_pages

LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
CODE = re.compile(r"^```.*?^```|`[^`\n]+`", re.MULTILINE | re.DOTALL)
FENCE = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)
MAKE = re.compile(r"\bmake ([a-z][a-z-]*)\b")
PARTS_OF_A_RECORD = ["Question", "Choice", "Refused", "Cost", "Wrong if"]
RECORDS = sorted((ROOT / "docs" / "decisions").glob("*.md"))


def page_id(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def slug(heading: str) -> str:
    """The anchor that a heading gets: lower case, blanks to hyphens, the rest of the signs gone."""
    return re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-")


def anchors_of(page: Path) -> set[str]:
    text = FENCE.sub("", page.read_text(encoding="utf-8"))
    return {slug(line.lstrip("#")) for line in text.splitlines() if line.startswith("#")}


def is_broken(page: Path, target: str) -> bool:
    """A link out of the project is left alone; one into it must find the file and the place in the file."""
    if re.match(r"[a-z]+:", target):
        return False
    name, _, place = target.partition("#")
    path = (page.parent / name).resolve() if name else page
    if not path.exists() or ROOT not in [path, *path.parents]:
        return True
    if not place:
        return False
    if path.suffix == ".md":
        return place not in anchors_of(path)
    text = path.read_text(encoding="utf-8")
    line = re.fullmatch(r"L(\d+)(-L\d+)?", place)
    return int(line[1]) > text.count("\n") if line else not re.search(rf"\b{re.escape(place)}\b", text)


@pytest.mark.parametrize("page", read_pages(), ids=page_id)
def test_links_lead_somewhere(page):
    text = FENCE.sub("", page.read_text(encoding="utf-8"))
    assert not [target for target in LINK.findall(text) if is_broken(page, target)]


@pytest.mark.parametrize(
    ("target", "broken"),
    [
        ("https://example.org/x", False),
        ("README.md", False),
        ("nowhere.md", True),
        ("../outside.md", True),
        ("README.md#two-commands", False),
        ("README.md#nothing", True),
        ("Makefile#L1", False),
        ("Makefile#L99999", True),
        ("src/instar/errors.py#StoreFull", False),
        ("src/instar/errors.py#StoreEmpty", True),
    ],
)
def test_broken_links_are_told_from_good_ones(target, broken):
    assert is_broken(ROOT / "README.md", target) is broken


@pytest.mark.parametrize("page", read_pages(), ids=page_id)
def test_make_targets_that_are_named_exist(page):
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    named = {target for part in CODE.findall(page.read_text(encoding="utf-8")) for target in MAKE.findall(part)}
    assert named <= targets


def test_commands_that_the_readme_names_exist():
    code = " ".join(CODE.findall((ROOT / "README.md").read_text(encoding="utf-8")))
    named = set(re.findall(r"\binstar ([a-z][a-z-]+)\b", code))
    asked = [sys.executable, "-m", "instar", "--help"]
    shown = subprocess.run(asked, capture_output=True, text=True, check=True).stdout
    assert named
    assert not [name for name in named if not re.search(rf"^\s+{name}\b", shown, re.MULTILINE)]


def test_decisions_are_numbered_without_gaps():
    assert [int(record.name[:4]) for record in RECORDS] == list(range(1, len(RECORDS) + 1))
    assert not [record.name for record in RECORDS if not re.fullmatch(r"\d{4}-[a-z0-9-]+\.md", record.name)]


@pytest.mark.parametrize("record", RECORDS, ids=lambda record: record.stem)
def test_a_decision_has_its_parts_and_fits_a_page(record):
    text = record.read_text(encoding="utf-8")
    number, state = int(record.name[:4]), text.splitlines()[2]
    assert re.findall(r"^## (.*)$", text, re.MULTILINE) == PARTS_OF_A_RECORD
    assert text.startswith(f"# {number}. ")
    assert re.fullmatch(r"\d{4}-\d\d-\d\d · (in force|superseded by \[\d+\]\(\d{4}-[a-z0-9-]+\.md\))", state)
    assert len(text.splitlines()) <= 70


def test_glossary_words_have_one_meaning():
    text = (ROOT / "docs" / "glossary.md").read_text(encoding="utf-8")
    heads = [line.split(" | ")[0] for line in text.splitlines() if line.startswith("| **")]
    words = [word for head in heads for word in re.findall(r"\*\*([^*]+)\*\*", head)]
    assert len(words) == len(set(words))
    assert len(words) > 80


def test_fragments_have_their_form():
    fragments = [path for path in (ROOT / "changes.d").iterdir() if path.name != "README.md"]
    for fragment in fragments:
        assert re.fullmatch(r"[a-z0-9-]+\.(added|changed|fixed|removed)\.md", fragment.name)
        text = fragment.read_text(encoding="utf-8").strip()
        assert re.match(r"[A-Z`*]", text), fragment.name
        assert text.endswith((".", ")")), fragment.name


def test_the_changelog_knows_the_version():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert project["version"] in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
