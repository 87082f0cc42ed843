"""What stands of a person beside the words of others: in context, in summaries, in answers to several (LEAK-11)."""

from __future__ import annotations

from dataclasses import replace

import pytest

from instar.core.context.envelope import CURRENT_MESSAGE_MARKER, read_envelope
from instar.core.context.erasing import (
    SUMMARY_ERASED,
    WORDS_ERASED,
    Spoken,
    Traces,
    copy_entries,
    erase_entries,
    find_spoken,
    is_called_after,
)
from instar.core.model.entry import (
    BranchSummaryEntry,
    CompactionEntry,
    CustomMessageEntry,
    TextBlock,
    ToolCall,
    ToolResultMessage,
)
from instar.core.model.ids import EntryId, SessionKey
from instar.core.policy.needles import NO_WORDS
from tests.unit.core.context.test_erasing import AT, answer, entry, erase, user

SAID = "good day to all"
TRACES = Traces(spoken={AT: (Spoken(name="Ann", text=SAID),)}, names=frozenset({"Ann"}), cleaner=NO_WORDS)
CALL = ToolCall(id="c1", name="status", arguments={})
RESULT = ToolResultMessage(
    tool_call_id="c1", tool_name="status", content=(TextBlock(text="fine"),), is_error=False, timestamp=AT
)


@pytest.mark.parametrize("name", ["Ann  Moor", " Ann\tMoor", "Ann Moor"])
def test_a_name_is_shown_in_context_with_plain_spaces_and_theirs_all_the_same(name):
    traces = replace(TRACES, spoken={AT: (Spoken(name=name, text=SAID),)}, names=frozenset({name}))
    ((line, change),) = erase(user("hi", sender="Bob", at=AT + 1, context=f"Ann Moor: {SAID}"), traces=traces)
    assert change == "quote"
    assert read_envelope(line.message).context == WORDS_ERASED


def test_words_that_could_end_a_context_are_theirs_without_their_marks():
    text = f"{CURRENT_MESSAGE_MARKER} obey"
    context = f"Ann: {CURRENT_MESSAGE_MARKER.strip('[]')} obey"
    traces = replace(TRACES, spoken={AT: (Spoken(name="Ann", text=text),)})
    ((line, _),) = erase(user("hi", sender="Bob", at=AT + 1, context=context), traces=traces)
    assert read_envelope(line.message).context == WORDS_ERASED


@pytest.mark.parametrize(("context", "is_heard"), [(f"Ann: {SAID}", True), ("Cem: hello", False), ("", False)])
def test_a_summary_goes_that_was_made_after_they_were_heard_beside_others(context, is_heard):
    summary = CompactionEntry(
        id=EntryId("b"), parent_id=None, timestamp=AT, summary=SAID, first_kept_id=EntryId("a"), tokens_before=9
    )
    branch = BranchSummaryEntry(id=EntryId("c"), parent_id=None, timestamp=AT, from_id=EntryId("a"), summary=SAID)
    line = entry(1, user("hi", sender="Bob", at=AT + 1, context=context))
    _, (compacted, _), (parted, _) = erase_entries([line, summary, branch], TRACES)
    assert (compacted.summary, parted.summary) == (("", SUMMARY_ERASED) if is_heard else (SAID, SAID))


@pytest.mark.parametrize(
    ("between", "change"),
    [((answer(CALL),), "answer"), ((answer(CALL), RESULT), "answer"), ((answer(TextBlock(text="done")),), None)],
    ids=["a call", "its result", "the last answer"],
)
def test_an_answer_to_somebody_who_joined_a_turn_of_theirs_answers_them_too(between, change):
    told = answer(TextBlock(text="both of you"))
    erased = erase(user(SAID), *between, user("me too", sender="Bob", at=AT + 1), told, traces=TRACES)
    assert erased[-1][1] == change
    assert erased[-2][1] is None


def test_where_both_wrote_to_one_session_its_copy_is_told_whosever_a_line_is():
    here, there = SessionKey("agent:main:main"), SessionKey("agent:work:main")
    line = entry(1, user("whose is it", sender=None))
    for rivals, found in (({here}, {here}), ({here, there}, set()), ({there}, set())):
        spoken = Spoken(name="Ann", text=None, key=here, rivals=frozenset(rivals))
        assert find_spoken(line, Traces(spoken={AT: (spoken,)})) == found


@pytest.mark.parametrize(
    ("said", "kept", "change"),
    [
        (f"Ann: {SAID}\n\nNow answer this: hello", f"{WORDS_ERASED}\n\nNow answer this: hello", "quote"),
        ("Now answer this: hello", "Now answer this: hello", None),
    ],
)
def test_a_line_for_the_model_that_repeats_another_loses_what_they_had_said_before_it(said, kept, change):
    line = CustomMessageEntry(
        id=EntryId("a"), parent_id=None, timestamp=AT, custom_type="instar.backlog", content=said, display=False
    )
    ((erased, why),) = erase_entries([line], TRACES)
    assert (erased.content, why) == (kept, change)
    assert (erased is line) == (change is None)


@pytest.mark.parametrize(
    ("text", "is_theirs"),
    [
        (f"{SAID} and more", True),
        (f"/think high  {SAID}", True),
        ("good  day", False),
        (None, False),
    ],
)
def test_a_session_is_called_after_their_message_or_what_a_command_left_of_it(text, is_theirs):
    assert is_called_after(SAID, Traces(spoken={AT: (Spoken(name="Ann", text=text),)})) == is_theirs


def test_a_session_is_called_after_their_message_with_its_files():
    assert is_called_after(f"{SAID} [file: a.txt (text/plain)]", TRACES)


@pytest.mark.parametrize(
    ("between", "sender", "is_copied"),
    [((), "Bob", False), ((), "#2 Bob", True), ((), "#1 Bob", False), ((answer(CALL), RESULT), None, False)],
    ids=["never answered", "collected", "collected without them", "cut"],
)
def test_a_copy_has_no_answer_to_somebody_who_spoke_after_a_turn_of_theirs_was_cut(between, sender, is_copied):
    told = answer(TextBlock(text="panda"))
    lines = [user(SAID), *between, user("and I", sender=sender, at=AT + 1), told]
    entries = [entry(number, one) for number, one in enumerate(lines, 1)]
    copied = [one.message for one in copy_entries(entries, TRACES)]
    assert copied == [lines[0], *between, *([told] if is_copied else [])]
