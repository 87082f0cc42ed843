"""A transcript of several people without the words of one of them (LEAK-11)."""

from __future__ import annotations

from dataclasses import replace

import pytest

from instar.core.context.envelope import Envelope, add_envelope, read_envelope
from instar.core.context.erasing import (
    ANSWER_ERASED,
    SUMMARY_ERASED,
    WORDS_ERASED,
    Spoken,
    Traces,
    copy_entries,
    erase_entries,
    find_spoken,
    recall_context,
    recall_words,
    tell_apart,
)
from instar.core.model.entry import (
    ZERO_USAGE,
    AssistantMessage,
    BranchSummaryEntry,
    CompactionEntry,
    CustomMessageEntry,
    MessageEntry,
    OtherMessage,
    SessionInfoEntry,
    TextBlock,
    ThinkingBlock,
    ToolCall,
    ToolResultMessage,
    UserMessage,
)
from instar.core.model.ids import EntryId, Instant, SessionKey
from instar.core.policy.needles import BLANK, build_cleaner

AT = Instant(1_000)
TRACES = Traces(
    spoken={AT: (Spoken(name="Ann", text="my word is zebra-1"),)},
    names=frozenset({"Ann"}),
    cleaner=build_cleaner(["zebra-1", "Ann"]),
)


def entry(number: int, message) -> MessageEntry:
    parent = EntryId(f"{number - 1:08x}") if number > 1 else None
    return MessageEntry(id=EntryId(f"{number:08x}"), parent_id=parent, timestamp=AT, message=message)


def user(text, *, sender: str | None = "Ann", at: int | None = AT, context: str = "") -> UserMessage:
    message = UserMessage(content=text, timestamp=None if at is None else Instant(at))
    return add_envelope(message, Envelope(sender=sender, at=None, context=context))


def answer(*content) -> AssistantMessage:
    return AssistantMessage(
        content=content, api="a", provider="p", model="m", usage=ZERO_USAGE, stop_reason="stop", timestamp=AT
    )


def erase(*messages, traces: Traces = TRACES):
    return list(erase_entries([entry(number, one) for number, one in enumerate(messages, 1)], traces))


def test_their_words_become_a_sentence_in_the_same_place():
    original = entry(1, user("my word is zebra-1", context="Bob: hello\nAnn: my word is zebra-1"))
    ((erased, change),) = erase_entries([original], TRACES)
    assert change == "words"
    assert (erased.id, erased.parent_id, erased.timestamp) == (original.id, original.parent_id, original.timestamp)
    assert erased.message.content == WORDS_ERASED
    envelope = read_envelope(erased.message)
    assert envelope is not None
    assert envelope.sender == BLANK
    assert envelope.context == f"Bob: hello\n{WORDS_ERASED}"


def test_without_an_envelope_the_time_and_the_words_tell():
    ((erased, change),) = erase(user("my word is zebra-1", sender=None))
    assert (erased.message.extra, change) == ({}, "words")


@pytest.mark.parametrize(
    "text",
    ["my word is zebra-1", "zebra-1", "my word is zebra-1\n[file: a.txt (text/plain)]", "  my word is zebra-1 "],
)
def test_words_are_theirs_with_their_files_or_as_what_a_command_left_of_them(text):
    assert erase(user(text))[0][1] == "words"


@pytest.mark.parametrize(
    "message",
    [
        user("something else"),
        user("my word is zebra-1", sender="Bob"),
        user("my word is zebra-1", at=AT + 1),
        user("my word is zebra-1", at=None),
        user(""),
    ],
    ids=["other words", "other name", "other time", "no time", "no words"],
)
def test_words_of_others_stay_with_what_names_them_blanked_out(message):
    ((kept, change),) = erase(message)
    assert change in (None, "quote")
    assert WORDS_ERASED not in str(kept.message.content)
    assert "zebra-1" not in str(kept)


def test_what_is_forgotten_is_known_by_time_and_name():
    traces = replace(TRACES, spoken={AT: (Spoken(name="Ann", text=None),)})
    assert erase(user("whatever it was"), traces=traces)[0][1] == "words"
    assert erase(user("whatever it was", sender="#2 Ann"), traces=traces)[0][1] == "words"
    assert erase(user("whatever it was", sender="#x Ann"), traces=traces)[0][1] == "quote"


def test_what_a_client_put_into_a_group_at_that_moment_is_not_theirs():
    traces = replace(TRACES, spoken={AT: (Spoken(name="Ann", text=None, in_group=True),)})
    assert erase(user("from a client", sender=None), traces=traces)[0][1] is None
    assert erase(user("whatever it was"), traces=traces)[0][1] == "words"


def test_what_others_are_known_to_have_said_at_that_moment_is_not_theirs():
    traces = replace(TRACES, spoken={AT: (Spoken(name="Ann", text=None, others=frozenset({"panda"})),)})
    assert erase(user("panda", sender=None), traces=traces)[0][1] is None
    assert erase(user("zebra", sender=None), traces=traces)[0][1] == "words"
    assert erase(user("panda"), traces=traces)[0][1] == "words"


def test_what_is_forgotten_is_known_in_the_session_that_it_came_to_and_in_no_other():
    here, there = SessionKey("agent:main:main"), SessionKey("agent:work:main")
    said, forgotten = Spoken(name="Ann", text="zebra-1", key=here), Spoken(name="Ann", text=None, key=there)
    anywhere = Spoken(name="Ann", text=None)
    traces = Traces(spoken={AT: (said, forgotten, anywhere)})
    assert TRACES.within([here]) is TRACES
    assert traces.within([there]).spoken == traces.spoken
    assert traces.within([here]).spoken == {AT: (said, anywhere)}


def test_a_line_tells_to_which_sessions_its_words_came():
    here = SessionKey("agent:main:main")
    said, odd = Spoken(name="Ann", text="zebra-1", key=here), Spoken(name="Ann", text="zebra-1")
    traces = Traces(spoken={AT: (said, odd)})
    assert find_spoken(entry(1, user("zebra-1")), traces) == {here}
    assert find_spoken(entry(1, user("zebra-1", sender="Cem")), traces) == set()
    assert find_spoken(entry(1, user("zebra-1", at=None)), traces) == set()
    assert find_spoken(entry(1, answer()), traces) == set()
    compacted = CompactionEntry(
        id=EntryId("a"), parent_id=None, timestamp=AT, summary="", first_kept_id=EntryId("b"), tokens_before=1
    )
    assert find_spoken(compacted, traces) == set()


def test_a_line_that_may_be_anothers_tells_of_no_session():
    forgotten = Spoken(name="Ann", text=None, key=HERE)
    for spoken, found in ((forgotten, {HERE}), (replace(forgotten, rivals=frozenset({THERE})), set())):
        assert find_spoken(entry(1, user("whatever", sender=None)), Traces(spoken={AT: (spoken,)})) == found


HERE, THERE = SessionKey("agent:main:main"), SessionKey("agent:work:main")


@pytest.mark.parametrize(
    ("theirs", "other", "others", "rivals"),
    [
        ({}, {"text": "panda"}, {"panda"}, set()),
        ({}, {"text": None}, set(), {THERE}),
        ({}, {"text": " "}, set(), set()),
        ({}, {"text": " /think high panda"}, {"/think high panda"}, {THERE}),
        ({"text": "zebra"}, {"text": None}, set(), set()),
        ({"in_group": True}, {"text": None}, set(), set()),
        ({}, {"text": None, "in_group": True}, set(), set()),
        ({"in_group": True}, {"name": "Ann", "text": "panda", "in_group": True}, {"panda"}, {THERE}),
        ({}, {"text": None, "key": None}, set(), set()),
    ],
    ids=[
        "known words",
        "forgotten words",
        "no words",
        "words after a command",
        "theirs are known",
        "theirs has a name",
        "another name",
        "a namesake",
        "no session",
    ],
)
def test_what_others_wrote_at_that_moment_tells_whose_a_line_is_or_that_nobody_knows(theirs, other, others, rivals):
    spoken = replace(Spoken(name="Ann", text=None, key=HERE), **theirs)
    beside = replace(Spoken(name="Bob", text=None, key=THERE), **other)
    told = tell_apart(spoken, [beside])
    assert (told.others, told.rivals) == (others, rivals)
    assert replace(told, others=frozenset(), rivals=frozenset()) == spoken


def test_with_files_named_after_them_the_words_of_others_are_theirs_too():
    told = tell_apart(Spoken(name="Ann", text=None), [Spoken(name="Bob", text="panda")])
    traces = replace(TRACES, spoken={AT: (told,)})
    assert erase(user("panda\n[file: a.txt (text/plain)]", sender=None), traces=traces)[0][1] is None


def test_what_may_be_anothers_is_erased_and_surely_nobodys():
    unsure, sure = (Spoken(name="Ann", text=None, key=HERE, rivals=frozenset({key})) for key in (HERE, THERE))
    line = user("whose is it", sender=None)
    for spoken, change in ((unsure, None), (sure, "words")):
        traces = Traces(spoken={AT: (spoken,), Instant(AT + 1): ()}).within([HERE])
        assert erase(line, traces=traces)[0][1] == "words"
        assert erase(line, traces=traces.surely())[0][1] == change
        recalled = recall_words(entry(1, line), traces)
        assert recalled is not None
        assert recalled[1].rivals == (frozenset() if change else {HERE})
    assert TRACES.surely() is TRACES


def test_words_that_no_message_holds_any_more_are_recalled_from_their_line():
    traces = replace(TRACES, spoken={AT: (Spoken(name="Bob", text="zebra"), Spoken(name="Ann", text=None))})
    known = Spoken(name="Bob", text="word for word")
    assert recall_words(entry(1, user(" word for word ")), traces) == (AT, replace(known, name="Ann"))
    assert recall_words(entry(1, user(" ")), traces) is None
    assert recall_words(entry(1, user(WORDS_ERASED, sender=None)), traces) is None
    assert recall_words(entry(1, user("others", sender="Cem")), traces) is None
    assert recall_words(entry(1, user("others", at=None)), traces) is None
    assert recall_words(entry(1, answer()), traces) is None
    assert recall_words(entry(1, user("known")), replace(traces, spoken={AT: (known,)})) is None


def test_what_is_forgotten_is_recalled_from_what_stands_beside_messages_of_others():
    traces = Traces(spoken={AT: (Spoken(name="Ann", text=None), Spoken(name="Ali", text="known"))})
    plain = UserMessage(content="x", timestamp=AT)
    beside = user("hi", sender="Bob", context="Ann: zebra-1\n- Ann: zebra-2\nAli: zebra-3\nAnnual: zebra-4\nzebra-5")
    assert list(recall_context(entry(1, beside), traces)) == ["zebra-1", "zebra-2"]
    for other in (entry(1, user("hi")), entry(1, answer(TextBlock(text="Ann: x"))), entry(1, plain)):
        assert list(recall_context(other, traces)) == []


def test_the_answer_goes_with_the_words_and_calls_keep_their_ids():
    call = ToolCall(id="c1", name="read", arguments={"path": "zebra-1"})
    result = ToolResultMessage(
        tool_call_id="c1", tool_name="read", content=(TextBlock(text="zebra-1"),), is_error=False, timestamp=AT
    )
    erased = erase(
        user("my word is zebra-1"),
        answer(ThinkingBlock(thinking="zebra-1"), TextBlock(text="zebra-1"), call),
        result,
        OtherMessage(role="bashExecution", raw={"role": "bashExecution", "output": "zebra-1"}),
        user("now me", sender="Bob"),
        answer(TextBlock(text="hello Bob")),
    )
    assert [change for _, change in erased] == ["words", "answer", "answer", "answer", None, None]
    said = erased[1][0].message
    assert said.content == (TextBlock(text=ANSWER_ERASED), ToolCall(id="c1", name="read", arguments={}))
    assert (said.usage, said.model) == (ZERO_USAGE, "m")
    assert erased[2][0].message.tool_call_id == "c1"
    assert erased[2][0].message.content == (TextBlock(text=ANSWER_ERASED),)
    assert ANSWER_ERASED in str(erased[3][0].message)


def test_a_line_that_an_operator_put_in_answers_nobody():
    note = replace(answer(TextBlock(text="a note about zebra-1")), stop_reason="injected")
    erased = erase(user("my word is zebra-1"), note, answer(TextBlock(text="x")))
    assert [change for _, change in erased] == ["words", "quote", "answer"]
    assert erased[1][0].message.content == (TextBlock(text=f"a note about {BLANK}"),)


def test_an_answer_to_several_goes_when_one_of_them_is_erased():
    erased = erase(user("my word is zebra-1"), user("and me", sender="Bob"), answer(TextBlock(text="both")))
    assert [change for _, change in erased] == ["words", None, "answer"]


def test_quotes_are_blanked_out_wherever_a_line_has_text():
    block = user((TextBlock(text="Ann said zebra-1"),), sender="Bob", context="- my word is\nBob: hi Ann\nAnn: no")
    ((cleaned, change),) = erase(block)
    assert change == "quote"
    assert cleaned.message.content == (TextBlock(text=f"{BLANK} said {BLANK}"),)
    envelope = read_envelope(cleaned.message)
    assert envelope is not None
    assert envelope.context == f"{WORDS_ERASED}\nBob: hi {BLANK}\n{BLANK}: no"
    nested = answer(ToolCall(id="zebra-1", name="x", arguments={"deep": [{"text": "zebra-1", "n": 1}]}))
    ((call, _),) = erase(nested)
    assert call.message.content[0].arguments == {"deep": [{"text": BLANK, "n": 1}]}
    assert call.message.content[0].id == "zebra-1"


def test_a_line_of_context_is_theirs_in_short_too():
    long = "word " * 300
    traces = replace(TRACES, spoken={AT: (Spoken(name="Ann", text=long), Spoken(name="Ann", text=""))})
    context = f"Ann: {long[:99].rstrip()}…\nAnn: [file: a.png]\n- word word…\n- \n-other"
    ((cleaned, _),) = erase(user("hi", sender="Bob", context=context), traces=traces)
    envelope = read_envelope(cleaned.message)
    assert envelope is not None
    assert envelope.context.split("\n") == [WORDS_ERASED, WORDS_ERASED, WORDS_ERASED, "- ", "-other"]


FELL = "Ann: whatever\n- some\n- Bob: some\n- Ann: some\nsome"


def fallen(*spoken: Spoken) -> list[str]:
    """What becomes of what fell to a full queue."""
    ((cleaned, _),) = erase(user("hi", sender="Bob", context=FELL), traces=replace(TRACES, spoken={AT: spoken}))
    envelope = read_envelope(cleaned.message)
    assert envelope is not None
    return envelope.context.split("\n")


def test_of_forgotten_words_a_line_that_fell_out_is_theirs_unless_it_names_another():
    told = fallen(Spoken(name="Ann", text=None, in_group=True))
    assert told == [WORDS_ERASED, WORDS_ERASED, "- Bob: some", WORDS_ERASED, "some"]


def test_in_a_direct_chat_no_line_that_fell_out_says_whose_it_is():
    told = fallen(Spoken(name="Ann", text=None))
    assert told == [WORDS_ERASED, WORDS_ERASED, WORDS_ERASED, WORDS_ERASED, "some"]


def test_words_that_a_line_gave_back_did_not_fall_out():
    told = fallen(Spoken(name="Ann", text=None), Spoken(name="Ann", text="other"))
    assert told == [WORDS_ERASED, "- some", "- Bob: some", WORDS_ERASED, "some"]


def test_a_line_of_their_name_that_they_did_not_write_stays():
    told = fallen(Spoken(name="Ann", text="other"))
    assert told == [f"{BLANK}: whatever", "- some", "- Bob: some", f"- {BLANK}: some", "some"]


def test_an_odd_envelope_is_cleaned_as_far_as_it_has_text():
    odd = UserMessage(content="my word is zebra-1", timestamp=AT, extra={"envelope": {"sender": 7, "context": 8}})
    ((erased, change),) = erase(odd)
    assert change == "words"
    assert erased.message.extra == {"envelope": {"sender": BLANK, "context": 8}}


def test_a_summary_made_after_they_spoke_is_emptied_and_hides_nothing_any_more():
    said = entry(1, user("my word is zebra-1"))
    compaction = CompactionEntry(
        id=EntryId("c"), parent_id=said.id, timestamp=AT, summary="s", first_kept_id=EntryId("k"), tokens_before=9
    )
    branch = BranchSummaryEntry(id=EntryId("b"), parent_id=said.id, timestamp=AT, from_id="x", summary="s")
    erased = list(erase_entries([said, compaction, branch, replace(compaction, summary="")], TRACES))
    assert [change for _, change in erased] == ["words", "summary", "summary", None]
    assert (erased[1][0].summary, erased[1][0].first_kept_id) == ("", said.id)
    assert erased[2][0].summary == SUMMARY_ERASED
    before = list(erase_entries([compaction, branch, said], TRACES))
    assert [change for _, change in before] == [None, None, "words"]


def test_a_line_that_repeats_their_message_for_the_model_goes():
    backlog = CustomMessageEntry(
        id=EntryId("a"),
        parent_id=None,
        timestamp=AT,
        custom_type="x",
        content="Now answer: my word is zebra-1",
        display=False,
    )
    other = replace(backlog, content="Now answer: hello")
    erased = list(erase_entries([backlog, entry(2, answer(TextBlock(text="x"))), other], TRACES))
    assert [change for _, change in erased] == ["words", "answer", None]


def test_lines_without_words_stay_the_same_object():
    info = SessionInfoEntry(id=EntryId("a"), parent_id=None, timestamp=None, name="Club")
    assert next(erase_entries([info], TRACES))[0] is info
    assert list(erase_entries([], TRACES)) == []


def copy(*messages, traces: Traces = TRACES):
    return list(copy_entries([entry(number, one) for number, one in enumerate(messages, 1)], traces))


def test_a_copy_has_their_lines_and_the_answers_to_them_as_they_are():
    theirs, told = user("my word is zebra-1"), answer(TextBlock(text="panda said it too"))
    lines = (user("panda", sender="Bob"), answer(), theirs, told)
    assert [one.message for one in copy(*lines)] == [theirs, told]


@pytest.mark.parametrize("sender", ["Ann", None])
def test_a_copy_leaves_out_what_others_had_said_before_and_keeps_what_the_person_had(sender):
    context = "Bob: panda\nAnn: my word is zebra-1\n2 messages were left out:\n- koala\n- my word is zebra-1"
    (line,) = copy(user("my word is zebra-1", sender=sender, context=context))
    envelope = read_envelope(line.message)
    assert envelope == Envelope(sender=sender, context="Ann: my word is zebra-1\n- my word is zebra-1")


def test_in_a_copy_no_line_of_context_is_theirs_by_the_name_alone():
    traces = replace(TRACES, spoken={AT: (Spoken(name="Ann", text=None),)})
    (line,) = copy(user("whatever it was", context="Ann: a namesake\n- koala"), traces=traces)
    assert read_envelope(line.message) == Envelope(sender="Ann")


def test_a_copy_of_an_odd_envelope_is_as_it_is():
    for extra in ({}, {"envelope": "odd"}, {"envelope": {"sender": "Ann", "context": 7}}):
        message = replace(user("my word is zebra-1", sender=None), extra=extra)
        assert [one.message for one in copy(message)] == [message]


def test_of_a_line_that_repeats_their_message_a_copy_has_the_message():
    line = CustomMessageEntry(
        id=EntryId("00000001"),
        parent_id=None,
        timestamp=AT,
        custom_type="instar.backlog",
        content="Bob: panda\n\nNow answer this message: my word is zebra-1",
        display=False,
    )
    spoken = {AT: (Spoken(name="Ann", text="zebra-1"), Spoken(name="Ann", text="my word is zebra-1"))}
    assert [one.content for one in copy_entries([line], replace(TRACES, spoken=spoken))] == ["my word is zebra-1"]


def test_a_copy_has_nothing_that_may_be_anothers():
    unsure = Spoken(name="Ann", text=None, rivals=frozenset({HERE}))
    assert copy(user("whose is it", sender=None), answer(), traces=replace(TRACES, spoken={AT: (unsure,)})) == []
