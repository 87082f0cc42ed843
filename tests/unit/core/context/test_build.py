"""A view holds what the model sees of a branch, and following it entry by entry gives the same view."""

from dataclasses import replace

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from instar.core.context.build import apply_entry, build_view
from instar.core.context.pins import PIN_TYPE, build_pin_data, format_pinned
from instar.core.context.tokens import estimate_entry
from instar.core.context.view import entry_message
from instar.core.model.entry import OtherMessage
from instar.core.transcript.codec import format_entry
from instar.core.transcript.injected import build_mirror_message
from tests.builders.transcripts import START, Branch, assistant, call, image, text, user


def seen(view):
    return [placed.entry_id for placed in view.messages()]


def talk(count=6):
    branch = Branch()
    for index in range(count):
        if index % 2:
            branch.assistant(f"answer {index}")
        else:
            branch.user(f"question {index}")
    return branch


def test_without_compaction_all_messages_are_seen_in_order():
    branch = talk(2)
    branch.model_change()
    branch.custom("plugin", {})
    branch.custom_message("note")
    branch.branch_summary("tried that")
    branch.label("e0", "x")

    assert seen(build_view(branch.entries)) == ["e0", "e1", "e4", "e5"]


def test_newest_summary_comes_first_then_what_it_kept_then_the_rest():
    branch = talk(4)
    branch.compaction("e1", "old")
    branch.user("between")
    branch.compaction("e3", "new")
    branch.user("after")

    view = build_view(branch.entries)

    assert seen(view) == ["e6", "e3", "e5", "e7"]
    assert view.messages()[0].message == OtherMessage(
        role="compactionSummary",
        raw={"role": "compactionSummary", "summary": "new", "timestamp": START + 6000},
    )


def test_entries_are_read_from_the_newest_one_back_into_what_a_compaction_kept():
    branch = talk(4)
    branch.compaction("e2", "old")
    branch.user("after")

    view = build_view(branch.entries)

    assert [entry.id for entry in view.newest_first()] == ["e5", "e3", "e2"]
    assert list(view.newest_first()) == [*view.entries()][::-1]


def test_compaction_whose_kept_entry_is_nowhere_keeps_nothing():
    branch = talk(4)
    branch.compaction("gone")
    branch.user("after")

    assert seen(build_view(branch.entries)) == ["e4", "e5"]


def test_compaction_with_an_empty_summary_shows_none():
    branch = talk(4)
    branch.compaction("e2", "")

    assert seen(build_view(branch.entries)) == ["e2", "e3"]


def test_view_of_nothing_is_empty():
    view = build_view([])

    assert (view.messages(), view.leaf_id, view.estimated, view.message_count) == ((), None, 0, 0)


def test_part_from_the_kept_entry_on_is_enough():
    branch = talk(6)
    branch.compaction("e4")
    branch.user("after")

    assert build_view(branch.entries[4:]) == build_view(branch.entries)


def test_pins_of_a_kept_part_are_known_from_that_part():
    branch = talk(4)
    branch.custom(PIN_TYPE, {"targetId": "e3", "pinned": True})
    branch.custom(PIN_TYPE, {"targetId": "e2", "pinned": True})
    branch.custom(PIN_TYPE, {"targetId": "e2", "pinned": False})
    branch.compaction("e2")

    assert build_view(branch.entries).pins == {"e3"}
    assert build_view(branch.entries[2:]) == build_view(branch.entries)


def test_sums_count_what_is_seen():
    branch = Branch()
    branch.user("x" * 40)
    branch.assistant("y" * 40)
    branch.result("c", "z" * 40)
    branch.custom_message("n" * 40)

    view = build_view(branch.entries)

    assert (view.estimated, view.message_count, view.context.source) == (40, 3, "estimate")


def test_provider_count_stands_for_what_came_before_it():
    branch = Branch()
    branch.user("x" * 400)
    branch.assistant("y", tokens=400)
    branch.message(assistant("y", tokens=5000, at=9))
    branch.user("z" * 40)

    view = build_view(branch.entries)

    assert (view.context.tokens, view.context.measured) == (5010, 5000)
    assert (view.context.source, view.context.measured_at) == ("provider", 9)


@pytest.mark.parametrize("stop", ["aborted", "error"])
def test_an_answer_that_failed_is_estimated_like_a_message(stop):
    branch = Branch()
    branch.assistant("y", tokens=500)
    branch.message(assistant("abcd", tokens=900, stop=stop))

    assert build_view(branch.entries).context.tokens == 501


def test_a_context_without_any_count_of_a_provider_is_estimated_whole():
    branch = Branch()
    branch.user("abcd")
    branch.assistant("abcd")
    context = build_view(branch.entries).context

    assert (context.tokens, context.source, context.measured_at) == (2, "estimate", None)
    assert build_view(()).context.tokens == 0


def test_provider_counts_from_before_a_compaction_hold_no_more():
    branch = talk(2)
    branch.assistant("y" * 40, tokens=100_000)
    branch.compaction("e2", "s" * 40)
    branch.user("z" * 40)

    view = build_view(branch.entries)

    assert (view.context.tokens, view.context.measured) == (30, 0)
    assert (view.estimated, view.message_count) == (30, 2)


def test_last_call_is_when_a_provider_last_answered():
    branch = Branch()
    assert build_view(branch.entries).last_call_at is None

    branch.user("a")
    branch.assistant("b")
    branch.message(build_mirror_message("m", at=START))
    assert build_view(branch.entries).last_call_at == START + 1000

    branch.compaction("e1")
    assert build_view(branch.entries).last_call_at == START + 1000


def test_answer_without_line_time_tells_its_own():
    branch = Branch()
    branch.message(assistant("x", at=7))
    untimed = replace(branch.entries[0], timestamp=None)

    assert build_view([untimed]).last_call_at == 7
    assert build_view([replace(untimed, message=assistant("x"))]).last_call_at is None


def test_entry_that_hangs_elsewhere_cannot_be_followed():
    branch = talk(3)
    view = build_view(branch.entries)
    branch.move("e0")
    branch.user("other")

    assert apply_entry(view, branch.entries[-1]) is None


def test_compaction_that_keeps_from_before_the_view_cannot_be_followed():
    branch = talk(4)
    branch.compaction("e3")
    view = build_view(branch.entries)
    branch.compaction("e1")

    assert apply_entry(view, branch.entries[-1]) is None
    assert seen(build_view(branch.entries)) == ["e5", "e1", "e2", "e3"]


# --- undo ------------------------------------------------------------------------------------------------------------


def test_undo_of_the_only_compaction_shows_everything_again():
    branch = talk(4)
    compaction = branch.compaction("e3")
    branch.user("after")
    view = build_view(branch.entries)
    branch.compaction("e0", "", details={"undoes": compaction, "restores": None})

    assert apply_entry(view, branch.entries[-1]) is None
    assert seen(build_view(branch.entries)) == ["e0", "e1", "e2", "e3", "e5"]


def test_undo_restores_the_compaction_before():
    branch = talk(4)
    first = branch.compaction("e2", "first")
    branch.user("between")
    second = branch.compaction("e5", "second")
    branch.user("after")
    branch.compaction("e2", "first", details={"undoes": second, "restores": first})
    branch.user("newest")

    view = build_view(branch.entries)

    assert seen(view) == ["e4", "e2", "e3", "e5", "e7", "e9"]
    assert build_view(branch.entries[2:]) == view


def test_undo_whose_restored_compaction_is_gone_speaks_for_itself():
    branch = talk(4)
    branch.compaction("e2", "first", details={"undoes": "x", "restores": "gone"})

    assert seen(build_view(branch.entries)) == ["e4", "e2", "e3"]


def test_counts_made_under_an_undone_compaction_hold_no_more():
    branch = Branch()
    branch.user("x" * 4000)
    compaction = branch.compaction("e2", "s")
    branch.assistant("y" * 4, tokens=50)
    branch.compaction("e0", "", details={"undoes": compaction, "restores": None})
    branch.user("z" * 4)

    view = build_view(branch.entries)

    assert (view.context.tokens, view.context.measured, view.estimated) == (1002, 0, 1002)


# --- pins ------------------------------------------------------------------------------------------------------------


def pinned_then_compacted():
    branch = talk(4)
    branch.custom(PIN_TYPE, build_pin_data(branch.entries[0], pinned=True, in_view=True))
    branch.compaction("e3", "s", details={"pinned": format_pinned(branch.entries[:1])})
    return branch


def test_pinned_entry_is_seen_after_the_summary_that_left_it_behind():
    view = build_view(pinned_then_compacted().entries)

    assert seen(view) == ["e5", "e0", "e3"]
    assert view.pins == {"e0"}
    assert view.estimated == sum(map(estimate_entry, [*view.pinned, *view.entries()])) + 1


def test_pinned_entry_that_is_kept_is_seen_once():
    branch = talk(4)
    branch.compaction("e2", details={"pinned": format_pinned(branch.entries[2:3])})

    assert seen(build_view(branch.entries)) == ["e4", "e2", "e3"]


def test_unpinned_entry_is_seen_no_more():
    branch = pinned_then_compacted()
    before = build_view(branch.entries)
    branch.custom(PIN_TYPE, {"targetId": "e0", "pinned": False})

    view = build_view(branch.entries)

    assert seen(view) == ["e5", "e3"]
    assert view.pins == frozenset()
    assert view.estimated == before.estimated - estimate_entry(branch.entries[0])


def test_entry_pinned_after_it_was_left_behind_is_seen_again():
    branch = talk(4)
    branch.compaction("e3", "s")
    data = build_pin_data(branch.entries[1], pinned=True, in_view=False)
    branch.custom(PIN_TYPE, data)
    branch.custom(PIN_TYPE, data)

    view = build_view(branch.entries)

    assert seen(view) == ["e4", "e1", "e3"]
    assert view.context.tokens == view.estimated


def test_carried_line_of_an_entry_in_view_is_not_shown_twice():
    branch = talk(2)
    branch.custom(PIN_TYPE, build_pin_data(branch.entries[0], pinned=True, in_view=False))

    assert seen(build_view(branch.entries)) == ["e0", "e1"]


# --- following equals building ---------------------------------------------------------------------------------------


@st.composite
def branches(draw):
    branch = Branch()
    compactions = [None]
    for _ in range(draw(st.integers(0, 14))):
        ids = [entry.id for entry in branch.entries] or ["gone"]
        match draw(st.integers(0, 9)):
            case 0 | 1:
                branch.user("x" * draw(st.integers(0, 40)))
            case 2 | 3:
                branch.assistant("y", call(draw(st.sampled_from("ab"))), tokens=draw(st.sampled_from([0, 50, 5000])))
            case 4:
                branch.result(draw(st.sampled_from("ab")), "r" * draw(st.integers(0, 40)))
            case 5:
                branch.custom_message("note")
            case 6:
                branch.model_change()
            case 7:
                target = draw(st.sampled_from(branch.entries)) if branch.entries else None
                if target is not None:
                    pinned, in_view = draw(st.booleans()), draw(st.booleans())
                    branch.custom(PIN_TYPE, build_pin_data(target, pinned=pinned, in_view=in_view))
            case 8:
                kept = draw(st.sampled_from([*ids, "gone"]))
                details = {"pinned": format_pinned(branch.entries[: draw(st.integers(0, 2))])}
                compactions.append(branch.compaction(kept, draw(st.sampled_from(["s", ""])), details=details))
            case _:
                details = {"undoes": "some", "restores": draw(st.sampled_from(compactions))}
                branch.compaction(draw(st.sampled_from(ids)), "u", details=details)
    return branch.entries


@settings(max_examples=300)
@given(entries=branches())
def test_following_entry_by_entry_gives_the_view_of_the_whole(entries):
    view = build_view([])
    views = []
    for count, entry in enumerate(entries, start=1):
        view = apply_entry(view, entry) or build_view(entries[:count])
        views.append(view)

    for count, followed in enumerate(views, start=1):
        assert followed == build_view(entries[:count])


@given(entries=branches())
def test_estimate_is_the_sum_of_what_is_seen(entries):
    view = build_view(entries)

    shown = [view.compaction, *view.pinned, *view.entries()] if view.compaction else [*view.pinned, *view.entries()]
    assert view.estimated == sum(map(estimate_entry, shown))


# --- messages of entries ---------------------------------------------------------------------------------------------


def test_plugin_message_and_branch_summary_keep_their_roles():
    branch = Branch()
    branch.custom_message([text("a"), image(4)])
    branch.branch_summary("s")

    custom, summary = (entry_message(entry) for entry in branch.entries)

    assert custom.raw == {
        "role": "custom",
        "customType": "note",
        "content": [{"type": "text", "text": "a"}, {"type": "image", "data": "AAAA", "mimeType": "image/png"}],
        "display": True,
        "timestamp": START,
    }
    assert summary.raw == {"role": "branchSummary", "summary": "s", "timestamp": START + 1000}


@pytest.mark.parametrize("add", [lambda branch: branch.branch_summary(""), lambda branch: branch.thinking_level()])
def test_entry_without_words_for_the_model_has_no_message(add):
    branch = Branch()
    add(branch)

    assert entry_message(branch.entries[0]) is None


def test_message_entry_is_its_message():
    branch = Branch()
    branch.user("hi")

    assert entry_message(branch.entries[0]) == user("hi")


def test_the_bytes_in_view_are_those_of_the_lines_since_the_first_kept_one():
    branch = talk(4)
    branch.user("Äpfel")
    lines = [len(msgspec.json.encode(format_entry(entry))) + 1 for entry in branch.entries]
    assert build_view(branch.entries).count_bytes() == sum(lines)

    branch.compaction("e3", "old")
    own = len(msgspec.json.encode(format_entry(branch.entries[-1]))) + 1
    assert build_view(branch.entries).count_bytes() == sum(lines[3:]) + own
