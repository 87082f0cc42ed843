"""Branches are found by walking from the leaf, and no damage stops or traps the walk."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from instar.core.transcript.codec import format_entry, parse_entry
from instar.core.transcript.injected import build_mirror_message
from instar.core.transcript.tree import (
    BranchSettings,
    branch_path,
    find_leaf,
    find_settings,
    move_leaf,
    plan_fork,
    reparent,
)
from instar.errors import NotFound
from tests.builders.transcripts import Branch, assistant


def two_branches():
    """e0 e1 e2 e3, and e4 e5 hanging on e1."""
    tree = Branch()
    for word in ("a", "b", "c", "d"):
        tree.user(word)
    tree.move("e1")
    tree.user("e")
    tree.user("f")
    return tree


def ids(path):
    return [entry.id for entry in path.entries]


def test_branch_is_the_path_from_the_root_to_the_leaf():
    tree = two_branches()

    assert ids(branch_path(tree.entries, "e5")) == ["e0", "e1", "e4", "e5"]
    assert ids(branch_path(tree.entries, "e3")) == ["e0", "e1", "e2", "e3"]
    assert ids(branch_path(tree.entries, "e0")) == ["e0"]


def test_branch_before_the_first_entry_is_empty():
    path = branch_path(two_branches().entries, None)

    assert (path.entries, path.missing_parent_id, path.cycle_id) == ((), None, None)


def test_missing_parent_ends_the_walk_and_is_told():
    entries = two_branches().entries[1:]

    path = branch_path(entries, "e5")

    assert ids(path) == ["e1", "e4", "e5"]
    assert path.missing_parent_id == "e0"


def test_leaf_that_does_not_exist_gives_an_empty_path_and_is_told():
    path = branch_path(two_branches().entries, "nope")

    assert (path.entries, path.missing_parent_id) == ((), "nope")


def test_cycle_ends_the_walk_and_is_told():
    entries = two_branches().entries
    entries[0] = replace(entries[0], parent_id="e4")

    path = branch_path(entries, "e5")

    assert ids(path) == ["e0", "e1", "e4", "e5"][-len(ids(path)) :]
    assert len(path.entries) == 4
    assert path.cycle_id == "e4"


def test_of_two_entries_with_one_id_the_later_counts():
    entries = two_branches().entries
    entries.append(replace(entries[5], message=assistant("newer")))

    assert branch_path(entries, "e5").entries[-1].message == assistant("newer")


def test_branch_of_a_hundred_thousand_entries_is_walked_without_recursion():
    tree = Branch()
    for _ in range(100_000):
        tree.user("x")

    assert len(branch_path(tree.entries, tree.leaf).entries) == 100_000


@given(parents=st.lists(st.none() | st.integers(0, 12), max_size=12), leaf=st.integers(0, 12))
def test_walk_ends_for_any_parents_and_each_step_is_a_parent(parents, leaf):
    entries = []
    for index, parent in enumerate(parents):
        tree = Branch()
        tree.user("x")
        entries.append(replace(tree.entries[0], id=f"e{index}", parent_id=None if parent is None else f"e{parent}"))

    path = branch_path(entries, f"e{leaf}")

    for above, below in zip(path.entries, path.entries[1:], strict=False):
        assert below.parent_id == above.id
    first_parent = path.entries[0].parent_id if path.entries else f"e{leaf}"
    assert first_parent == (path.missing_parent_id or path.cycle_id)


def test_leaf_of_a_file_is_its_last_line():
    assert find_leaf(two_branches().entries) == "e5"
    assert find_leaf([]) is None


def test_leaf_moves_to_an_entry_that_exists_or_before_all_of_them():
    entries = two_branches().entries

    assert move_leaf(entries, "e1") == "e1"
    assert move_leaf(entries, None) is None


def test_leaf_does_not_move_to_an_entry_that_does_not_exist():
    with pytest.raises(NotFound, match="no entry e9"):
        move_leaf(two_branches().entries, "e9")


def test_settings_of_a_branch_are_those_said_last():
    tree = Branch()
    tree.thinking_level("low")
    tree.model_change("openai", "gpt-6")
    tree.user("hi")

    assert find_settings(tree.entries) == BranchSettings(provider="openai", model_id="gpt-6", thinking_level="low")

    tree.assistant("hello")
    tree.message(build_mirror_message("note", at=1))

    assert find_settings(tree.entries) == BranchSettings(
        provider="anthropic", model_id="claude-sonnet-4-5", thinking_level="low"
    )


def test_settings_that_no_entry_names_are_unknown():
    assert find_settings([]) == BranchSettings()


@pytest.mark.parametrize(
    "line",
    [
        {"type": "message", "id": "a", "parentId": "p", "message": {"role": "user", "content": ""}},
        {"type": "message", "id": "a", "message": {"role": "user", "content": ""}},
        {"type": "unheard-of", "id": "a", "parentId": "p"},
    ],
    ids=["typed", "without the field", "unknown type"],
)
def test_entry_hung_on_another_parent_says_so_in_its_line(line):
    entry = reparent(parse_entry(line), "q")

    assert entry.parent_id == "q"
    assert format_entry(entry) == {**line, "parentId": "q"}


def test_fork_of_a_cut_branch_begins_with_a_root():
    entries = two_branches().entries

    fork = plan_fork(branch_path(entries[1:], "e5").entries)

    assert [entry.id for entry in fork] == ["e1", "e4", "e5"]
    assert fork[0].parent_id is None


def test_fork_of_a_whole_branch_is_the_branch():
    branch = branch_path(two_branches().entries, "e5").entries

    assert plan_fork(branch) == branch
    assert plan_fork(()) == ()
