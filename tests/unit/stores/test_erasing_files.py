"""Files that a gateway writes and renames while somebody is erased (LEAK-11)."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from instar.stores.erasing.files import Places, visit_files
from instar.stores.erasing.scan import search_everything


@pytest.fixture
def places(tmp_path: Path) -> Places:
    folder = tmp_path / "agents" / "main" / "sessions"
    folder.mkdir(parents=True)
    for name in (".a.tmp", "b", "c"):
        (folder / name).write_text(f"zebra-4472 in {name}")
    return Places(state_dir=tmp_path, database=tmp_path / "instar.db", sessions=(folder,))


def test_a_file_that_gets_its_name_meanwhile_is_visited_under_it(places: Places):
    (folder,) = places.sessions
    seen = []

    def visit(path: Path) -> None:
        if (folder / ".a.tmp").exists():
            (folder / ".a.tmp").rename(folder / "a")
        path.read_bytes()
        seen.append(path.name)

    visit_files(places, visit)

    assert sorted(seen) == ["a", "b", "c"]


def test_a_file_that_never_is_there_ends_in_time(places: Places):
    asked = []

    def visit(path: Path) -> None:
        asked.append(path.name)
        raise FileNotFoundError(path)

    visit_files(places, visit)

    assert asked.count("b") == 5


def test_a_search_counts_each_file_once_while_files_get_their_names(places: Places, monkeypatch: pytest.MonkeyPatch):
    (folder,) = places.sessions
    opened = Path.open

    def renaming(path: Path, *args, **more):
        if (folder / ".a.tmp").exists():
            (folder / ".a.tmp").rename(folder / "a")
        return opened(path, *args, **more)

    monkeypatch.setattr(Path, "open", renaming)
    monkeypatch.setattr("instar.stores.erasing.scan._search_store", lambda *_: {})

    found = search_everything(places, ["zebra-4472"])

    assert found.files == 3
    assert {re.sub(r".*/", "", place): count for place, count in found.hits.items()} == {"a": 1, "b": 1, "c": 1}
