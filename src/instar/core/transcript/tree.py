"""A transcript as a tree: the path from a leaf to the root, branches, forks (TRANS-3, TRANS-11, TRANS-17).

Every entry names its parent; the leaf is where the next entry hangs. The active branch is found by walking parents
from the leaf:

    e0 ── e1 ── e2 ── e3          leaf e5: the branch is e0 e1 e4 e5
            └── e4 ── e5          leaf e3: the branch is e0 e1 e2 e3

Files may be damaged, so a walk never trusts them: a parent that is nowhere ends the walk, a parent that was passed
before ends it too, and both are told. Everything here is linear in the number of entries and without recursion.
Where two entries have one id, the later one counts, as in the file: `repair` gives the earlier findings about it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from instar.core.model.entry import (
    AnyEntry,
    AssistantMessage,
    MessageEntry,
    ModelChangeEntry,
    OtherEntry,
    ThinkingLevelEntry,
)
from instar.core.model.ids import EntryId
from instar.core.transcript.injected import is_model_answer
from instar.errors import NotFound

__all__ = [
    "BranchPath",
    "BranchSettings",
    "branch_path",
    "find_leaf",
    "find_settings",
    "move_leaf",
    "plan_fork",
    "reparent",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class BranchPath:
    """The entries from the root to a leaf.

    `missing_parent_id` names a parent that is in no line, `cycle_id` the entry at which the walk came round to
    itself; either one cut the path there, and the first entry is not a true root. None means that all was well.
    """

    entries: tuple[AnyEntry, ...]
    missing_parent_id: EntryId | None = None
    cycle_id: EntryId | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class BranchSettings:
    """The model and the thinking level a branch ends with; None where it never says."""

    provider: str | None = None
    model_id: str | None = None
    thinking_level: str | None = None


def branch_path(entries: Iterable[AnyEntry], leaf_id: EntryId | None) -> BranchPath:
    """The branch that ends at `leaf_id`, root first; empty for None (before the first entry).

    A leaf that does not exist is reported as a missing parent of an empty path.
    """
    by_id = {entry.id: entry for entry in entries}
    path: list[AnyEntry] = []
    passed: set[EntryId] = set()
    current = leaf_id
    missing: EntryId | None = None
    cycle: EntryId | None = None
    while current is not None:
        entry = by_id.get(current)
        if entry is None:
            missing = current
            break
        if current in passed:
            cycle = current
            break
        passed.add(current)
        path.append(entry)
        current = entry.parent_id
    path.reverse()
    return BranchPath(entries=tuple(path), missing_parent_id=missing, cycle_id=cycle)


def find_leaf(entries: Sequence[AnyEntry]) -> EntryId | None:
    """The leaf of a file in which no branch move was made after the last line: that line (TRANS-11)."""
    return entries[-1].id if entries else None


def move_leaf(entries: Iterable[AnyEntry], to: EntryId | None) -> EntryId | None:
    """The leaf after a branch move: `to` itself, None for a start before the first entry.

    Raises `NotFound` when there is no such entry.
    """
    if to is not None and all(entry.id != to for entry in entries):
        raise NotFound(
            f"There is no entry {to} to go back to",
            why="the transcript holds no line with this id",
            fix="List the entries with `instar sessions show --verbose` and take an id from there.",
        )
    return to


def find_settings(branch: Iterable[AnyEntry]) -> BranchSettings:
    """The model and thinking level in force at the end of a branch (root first): what was said last."""
    settings = BranchSettings()
    for entry in branch:
        match entry:
            case ModelChangeEntry():
                settings = replace(settings, provider=entry.provider, model_id=entry.model_id)
            case ThinkingLevelEntry():
                settings = replace(settings, thinking_level=entry.thinking_level)
            case MessageEntry(message=AssistantMessage() as answer) if is_model_answer(answer):
                settings = replace(settings, provider=answer.provider, model_id=answer.model)
            case _:
                pass
    return settings


def reparent(entry: AnyEntry, parent_id: EntryId | None) -> AnyEntry:
    """The entry hung on another parent, in its line too."""
    if isinstance(entry, OtherEntry):
        return replace(entry, parent_id=parent_id, raw={**entry.raw, "parentId": parent_id})
    if "parentId" in entry.extra:
        extra = {name: value for name, value in entry.extra.items() if name != "parentId"}
        return replace(entry, parent_id=parent_id, extra=extra)
    return replace(entry, parent_id=parent_id)


def plan_fork(branch: Sequence[AnyEntry]) -> tuple[AnyEntry, ...]:
    """The entries of a fork: the branch with its ids, its first entry a root (TRANS-17)."""
    if not branch or branch[0].parent_id is None:
        return tuple(branch)
    return (reparent(branch[0], None), *branch[1:])
