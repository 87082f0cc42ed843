"""Where a compaction cuts."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from instar.core.context.build import build_view
from instar.core.context.cut import Cut, find_cut, spare_open_turn
from instar.core.model.entry import AssistantMessage, MessageEntry, ToolCall, ToolResultMessage
from tests.builders.transcripts import Branch, assistant, call


def cut(branch, keep_tokens, keep_messages=None):
    return find_cut(build_view(branch.entries).items, keep_tokens=keep_tokens, keep_messages=keep_messages)


def words(tokens):
    return "x" * (4 * tokens)


def test_cut_at_a_user_message_splits_nothing():
    branch = Branch()
    for _ in range(2):
        branch.user(words(100))
        branch.assistant(words(100))

    assert cut(branch, 200) == Cut(index=2)


def test_cut_inside_a_turn_splits_it():
    branch = Branch()
    branch.user(words(10))
    branch.assistant(words(300))
    branch.user(words(10))
    branch.assistant(words(300))
    branch.assistant(words(300))

    found = cut(branch, 300)

    assert found == Cut(index=4, turn_start=2)
    assert found.history_end == 2


def test_settings_before_the_cut_stay_with_the_kept_part():
    branch = Branch()
    branch.user(words(100))
    branch.model_change()
    branch.custom("x")
    branch.user(words(100))

    assert cut(branch, 100) == Cut(index=1)


def test_cut_that_moves_back_to_the_start_of_its_turn_splits_nothing():
    branch = Branch()
    branch.user(words(100))
    branch.custom_message("note")
    branch.assistant(words(100))

    assert cut(branch, 100) == Cut(index=1)


def test_shell_run_starts_a_turn():
    branch = Branch()
    branch.user(words(10))
    branch.message(branch_shell_run())
    branch.assistant(words(100))

    assert cut(branch, 50) == Cut(index=2, turn_start=1)


def branch_shell_run():
    from tests.builders.transcripts import other

    return other("bashExecution", command="ls", output="")


def test_too_little_to_fill_the_budget_keeps_everything():
    branch = Branch()
    branch.user(words(10))
    branch.assistant(words(10))

    assert cut(branch, 1000) == Cut(index=0)


def test_nothing_to_cut_at_is_no_cut():
    branch = Branch()
    branch.model_change()
    branch.result("c", words(10))

    assert cut(branch, 5) is None


def test_trailing_results_over_budget_stay_with_their_call():
    branch = Branch()
    branch.user(words(50))
    branch.message(assistant(words(60), call("c")))
    branch.result("c", words(900))

    assert cut(branch, 500) == Cut(index=1, turn_start=0)


def test_call_and_result_parted_by_another_message_stay_together():
    branch = Branch()
    branch.user(words(100))
    branch.message(assistant(words(10), call("c")))
    branch.user(words(10))
    branch.result("c", words(10))
    branch.user(words(100))

    assert cut(branch, 115) == Cut(index=1, turn_start=0)


def test_moving_back_for_one_call_takes_in_the_calls_of_what_it_passes():
    branch = Branch()
    branch.user(words(100))
    branch.message(assistant(call("a")))
    branch.message(assistant(call("b")))
    branch.result("a", words(1))
    branch.user(words(10))
    branch.result("b", words(1))

    assert cut(branch, 5) == Cut(index=1, turn_start=0)


def test_result_belongs_to_the_newest_call_of_its_id():
    branch = Branch()
    branch.user(words(100))
    branch.message(assistant(call("c")))
    branch.result("c", words(10))
    branch.user(words(100))
    branch.message(assistant(call("c")))
    branch.result("c", words(100))

    assert cut(branch, 150) == Cut(index=3)


def test_number_of_messages_ends_the_walk_too():
    branch = Branch()
    for _ in range(4):
        branch.user(words(1))
        branch.assistant(words(1))

    assert cut(branch, 1000, keep_messages=4) == Cut(index=4)


@st.composite
def branches(draw):
    branch = Branch()
    for _ in range(draw(st.integers(1, 15))):
        match draw(st.integers(0, 5)):
            case 0 | 1:
                branch.user(words(draw(st.integers(0, 50))))
            case 2:
                branch.message(assistant(words(5), call(draw(st.sampled_from("abc")))))
            case 3 | 4:
                branch.result(draw(st.sampled_from("abc")), words(draw(st.integers(0, 50))))
            case _:
                branch.model_change()
    return branch


@given(branch=branches(), keep=st.integers(0, 200), count=st.none() | st.integers(1, 8))
def test_no_cut_parts_a_call_from_its_results(branch, keep, count):
    found = cut(branch, keep, count)
    if found is None:
        return

    assert 0 <= found.history_end <= found.index < len(branch.entries)
    newest = {}
    for index, entry in enumerate(branch.entries):
        message = entry.message if isinstance(entry, MessageEntry) else None
        if isinstance(message, AssistantMessage):
            newest.update({block.id: index for block in message.content if isinstance(block, ToolCall)})
        elif isinstance(message, ToolResultMessage) and message.tool_call_id in newest:
            assert (newest[message.tool_call_id] < found.index) == (index < found.index)


@pytest.mark.parametrize("keep", [0, 1])
def test_smallest_budget_keeps_the_last_message(keep):
    branch = Branch()
    branch.user(words(5))
    branch.user(words(5))

    assert cut(branch, keep) == Cut(index=1)


def test_cut_before_the_newest_turn_or_in_one_that_has_ended_stays():
    branch = Branch()
    branch.user(words(10))
    branch.assistant(words(10))
    branch.user(words(10))
    items = build_view(branch.entries).items

    assert spare_open_turn(items, Cut(index=1, turn_start=0)) == Cut(index=1, turn_start=0)
    assert spare_open_turn(items[:2], Cut(index=1, turn_start=0)) == Cut(index=1, turn_start=0)
    assert spare_open_turn(items[1:2], Cut(index=0)) == Cut(index=0)
