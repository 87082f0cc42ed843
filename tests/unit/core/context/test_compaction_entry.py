"""The entries that compactions leave, and what the model sees after each."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from instar.core.context.build import build_view
from instar.core.context.compaction import CompactionSettings, plan_compaction
from instar.core.context.compaction_entry import (
    build_entry,
    count_without_model,
    describe_compaction,
    plan_kept_lines,
    plan_undo,
)
from instar.core.context.pins import PIN_TYPE, build_pin_data
from instar.core.model.session import Counters
from instar.core.transcript.codec import format_entry, parse_entry
from tests.builders.transcripts import START, Branch


def words(tokens):
    return "x" * (4 * tokens)


def talk(turns=3):
    branch = Branch()
    for _ in range(turns):
        branch.user(words(100))
        branch.assistant(words(100))
    return branch


def plan(entries, keep=100, reason="manual"):
    return plan_compaction(
        build_view(entries), CompactionSettings(), window_tokens=200_000, reason=reason, keep_tokens=keep
    )


def compact(entries, summary="record", keep=100):
    """The branch with one more compaction."""
    made = build_entry(plan(entries, keep), summary, entry_id=f"c{len(entries)}", parent_id=entries[-1].id, at=START)
    return [*entries, made]


def undo(entries):
    return [*entries, plan_undo(entries, entry_id=f"u{len(entries)}", at=START, tokens_before=5)]


def seen(entries):
    return [placed.entry_id for placed in build_view(entries).messages()]


def test_entry_says_what_is_kept_and_what_it_was_before():
    branch = talk()

    entry = compact(branch.entries)[-1]

    assert (entry.summary, entry.first_kept_id, entry.tokens_before, entry.parent_id) == ("record", "e5", 600, "e5")
    assert entry.details == {"readFiles": [], "modifiedFiles": []}


def test_compaction_that_would_not_make_it_smaller_is_not_stored():
    made = plan(talk().entries)

    for tokens, stored in ((499, True), (500, False), (900, False)):
        entry = build_entry(made, words(tokens), entry_id="c", parent_id="e5", at=START)
        assert (entry is not None) is stored


def test_pinned_entries_travel_in_the_details():
    branch = talk()
    branch.custom(PIN_TYPE, build_pin_data(branch.entries[1], pinned=True, in_view=True))

    entries = compact(branch.entries)

    assert entries[-1].details["pinned"] == [format_entry(branch.entries[1])]
    assert seen(entries) == ["c7", "e1", "e5"]
    assert parse_entry(format_entry(entries[-1])) == entries[-1]


def test_undo_of_the_only_compaction_shows_everything():
    branch = talk()

    entries = undo(compact(branch.entries))

    assert seen(entries) == [entry.id for entry in branch.entries]
    assert entries[-1].tokens_before == 5


def test_undo_shows_what_was_said_since():
    branch = talk()
    entries = compact(branch.entries)
    branch.entries.append(entries[-1])
    branch.move(entries[-1].id)
    branch.user("since")

    assert seen(undo(branch.entries)) == ["e0", "e1", "e2", "e3", "e4", "e5", "e7"]


def test_without_a_compaction_there_is_nothing_to_undo():
    assert plan_undo(talk().entries, entry_id="u", at=START, tokens_before=0) is None
    assert plan_undo([], entry_id="u", at=START, tokens_before=0) is None


def test_undone_compaction_is_not_undone_again():
    entries = undo(compact(talk().entries))

    assert plan_undo(entries, entry_id="u", at=START, tokens_before=0) is None


@given(steps=st.lists(st.sampled_from(["say", "compact", "undo"]), max_size=12))
def test_every_undo_brings_back_the_view_before_its_compaction(steps):
    """`stack` holds what was seen before each compaction in force, as ids; words said since come to each."""
    branch = talk(2)
    entries = list(branch.entries)
    stack = []
    for number, step in enumerate(steps):
        view = build_view(entries)
        if step == "say":
            branch.entries, branch.leaf = entries, entries[-1].id
            said = branch.user(words(50))
            stack = [[*ids, said] for ids in stack]
        elif step == "compact":
            made = plan_compaction(
                view, CompactionSettings(), window_tokens=200_000, reason="threshold", keep_tokens=60
            )
            entry = (
                build_entry(made, "s", entry_id=f"c{number}", parent_id=entries[-1].id, at=START)
                if hasattr(made, "history")
                else None
            )
            if entry is not None:
                stack.append(seen(entries))
                entries.append(entry)
        elif stack:
            entries.append(plan_undo(entries, entry_id=f"u{number}", at=START, tokens_before=0))
            assert seen(entries) == stack.pop()
        else:
            assert plan_undo(entries, entry_id="u", at=START, tokens_before=0) is None


def test_keeping_the_last_lines_shows_a_note_and_those_lines():
    branch = talk()

    entry = plan_kept_lines(branch.entries, lines=2, entry_id="k", at=START, tokens_before=7)

    assert (entry.first_kept_id, entry.parent_id, entry.tokens_before) == ("e4", "e5", 7)
    assert seen([*branch.entries, entry]) == ["k", "e4", "e5"]


def test_what_is_pinned_stays_when_the_last_lines_are_kept():
    branch = talk()
    branch.custom(PIN_TYPE, build_pin_data(branch.entries[1], pinned=True, in_view=True))
    branch.custom(PIN_TYPE, build_pin_data(branch.entries[4], pinned=True, in_view=True))

    entries = [*branch.entries, plan_kept_lines(branch.entries, lines=4, entry_id="k", at=START, tokens_before=7)]
    view = build_view(entries)

    assert [entry.id for entry in view.pinned] == ["e1"]
    assert {"e1", "e4"} <= view.pins
    again = [*entries, plan_kept_lines(entries, lines=1, entry_id="k2", at=START, tokens_before=7)]
    assert [entry.id for entry in build_view(again).pinned] == ["e1", "e4"]


@pytest.mark.parametrize(
    ("undone", "tokens"),
    [(True, (30, 4, 900, 2)), (False, (0, 0, 0, 2))],
    ids=["an undo fills the window again", "keeping the last lines clears the counters"],
)
def test_counters_after_an_entry_that_no_model_wrote(undone, tokens):
    before = Counters(input_tokens=30, output_tokens=4, total_tokens=200, compaction_count=2)

    after = count_without_model(before, undone=undone, tokens_after=900)

    assert (after.input_tokens, after.output_tokens, after.total_tokens, after.compaction_count) == tokens


@pytest.mark.parametrize("lines", [6, 400])
def test_keeping_as_many_lines_as_there_are_changes_nothing(lines):
    assert plan_kept_lines(talk().entries, lines=lines, entry_id="k", at=START, tokens_before=7) is None


def test_keeping_the_same_lines_again_changes_nothing():
    branch = talk().entries
    once = [*branch, plan_kept_lines(branch, lines=2, entry_id="k", at=START, tokens_before=7)]

    assert plan_kept_lines(once, lines=2, entry_id="k2", at=START, tokens_before=7) is None
    assert plan_kept_lines(once, lines=4, entry_id="k2", at=START, tokens_before=7) is None
    assert plan_kept_lines(once, lines=1, entry_id="k2", at=START, tokens_before=7).first_kept_id == "e5"


def test_at_least_one_line_is_kept():
    assert plan_kept_lines(talk().entries, lines=0, entry_id="k", at=START, tokens_before=7).first_kept_id == "e5"


@pytest.mark.parametrize(
    ("reason", "rule"),
    [
        ("threshold", "COMPACT-3"),
        ("overflow", "COMPACT-4"),
        ("bytes", "COMPACT-6"),
        ("manual", "COMPACT-20"),
        ("limits", "HIST-4"),
    ],
)
def test_decision_names_what_asked_for_it(reason, rule):
    decision = describe_compaction(plan(talk().entries, reason=reason), outcome="compacted", tokens_after=90)

    assert (decision.kind, decision.outcome, decision.rule) == ("compact", "compacted", rule)
    assert decision.inputs == {"reason": reason, "summarised": 5, "tokensBefore": 600, "tokensAfter": 90}
