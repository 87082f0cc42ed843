"""What a model is asked for a summary, and what of its answers may count."""

import pytest

from instar.core.context.envelope import Envelope, add_envelope
from instar.core.context.files import FileLists
from instar.core.context.summary import (
    SummaryCheck,
    build_correction,
    build_history_request,
    build_prefix_request,
    check_summary,
    format_conversation,
    join_summary,
)
from instar.core.model.entry import ThinkingBlock
from instar.core.transcript.repair import PlacedMessage
from tests.builders.transcripts import assistant, call, other, result, user


def placed(*messages):
    return [PlacedMessage(entry_id=f"e{index}", message=message) for index, message in enumerate(messages)]


def test_conversation_is_told_as_text_with_roles_calls_and_results():
    told = format_conversation(
        placed(
            user("read a"),
            assistant(ThinkingBlock(thinking="secret"), "sure", call("c", "read", {"path": "a"})),
            result("c", "x" * 10),
            result("d", "boom", name="exec", is_error=True),
            other("branchSummary", summary="a try"),
        )
    )

    assert told == (
        "[User] read a\n\n[Assistant] sure\n\n"
        '[Tool call] read {"path": "a"}\n\n[Result of read] xxxxxxxxxx\n\n[Result of exec (failed)] boom\n\n'
        "[Note] a try"
    )


def test_group_messages_tell_who_wrote_and_what_was_said_before():
    message = add_envelope(user("now?"), Envelope(sender="Ann", context="Bob: soon"))

    assert format_conversation(placed(message)) == "[Said in the group before] Bob: soon\n\n[User Ann] now?"


def test_facts_without_a_sender_name_nobody():
    message = add_envelope(user("now?"), Envelope(context="Bob: soon"))

    assert format_conversation(placed(message)).endswith("[User] now?")


def test_long_results_and_arguments_are_cut():
    told = format_conversation(placed(assistant(call("c", "write", {"text": "y" * 5000})), result("c", "x" * 5000)))

    assert len(told) < 4300
    assert "3000 characters left out" in told


def test_request_holds_conversation_shape_and_the_record_so_far():
    request = build_history_request(
        placed(user("hi")), previous="old record\n\n## Files read\n- a", instructions="the budget"
    )

    assert "<conversation>\n[User] hi\n</conversation>" in request.prompt
    assert "<record-so-far>\nold record\n</record-so-far>" in request.prompt
    for section in ("Goal", "Constraints", "Done", "In progress", "Blocked", "Decisions", "Next steps", "Critical"):
        assert section in request.prompt
    assert "exactly as they stand" in request.prompt
    assert request.prompt.endswith("the budget")


def test_first_request_has_no_record_and_says_nothing_of_instructions_or_identifiers_unless_wanted():
    request = build_history_request(placed(user("hi")), previous="", keep_exact=False)

    assert "record-so-far" not in request.prompt
    assert "exactly as they stand" not in request.prompt
    assert "special attention" not in request.prompt


def test_beginning_of_a_split_turn_is_asked_for_apart():
    request = build_prefix_request(placed(user("hi")), instructions="x")

    assert "later part is kept" in request.prompt
    assert "### Request" in request.prompt


def test_correction_names_what_is_missing():
    request = build_correction("the record", ["a.txt", "#4"])

    assert "<record>\nthe record\n</record>" in request.prompt
    assert "- a.txt\n- #4" in request.prompt


def test_stored_text_has_the_record_the_split_turn_and_the_files():
    summary = join_summary("record\n\n## Files read\n- old", "beginning", FileLists(read=("a",), changed=("b",)))

    assert summary == (
        "record\n\n## The turn that is going on\n\nbeginning\n\n## Files read\n- a\n\n## Files changed\n- b"
    )


def test_stored_text_leaves_out_what_is_empty():
    assert join_summary("record", " ", FileLists()) == "record"
    assert join_summary("", "beginning", FileLists()) == "## The turn that is going on\n\nbeginning"


@pytest.mark.parametrize(
    "summary",
    [
        "",
        " \n",
        "No summary.",
        "There is no summary available",
        "**No prior history.**",
        "none",
        "N/A",
        "Nothing to summarize",
        "nothing",
        "Summary unavailable",
        "\n\n## Files read\n- a",
    ],
)
def test_summary_that_says_nothing_does_not_count(summary):
    assert check_summary(summary, []) == SummaryCheck(empty=True)
    assert not check_summary(summary, []).ok


def test_summary_must_have_kept_the_identifiers():
    check = check_summary("We fixed ABC-1.", ["abc-1", "b.txt"])

    assert (check.ok, check.missing) == (False, ("b.txt",))
    assert check_summary("We fixed ABC-1 in b.txt", ["abc-1", "b.txt"]).ok


def test_summary_that_begins_with_no_is_no_empty_one():
    assert check_summary("No release before Friday.", []).ok
