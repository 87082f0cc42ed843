"""A long history is told piece by piece."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from instar.core.context.chunks import leave_out_oversized, plan_chunks
from instar.core.context.tokens import estimate_message
from instar.core.transcript.repair import PlacedMessage
from tests.builders.transcripts import assistant, call, other, result, user


def placed(*messages):
    return [PlacedMessage(entry_id=f"e{index}", message=message) for index, message in enumerate(messages)]


def words(tokens):
    return "x" * (4 * tokens)


def lengths(messages, window):
    return [len(chunk) for chunk in plan_chunks(placed(*messages), window)]


def test_history_that_fits_is_one_piece():
    assert lengths([user(words(10))] * 4, 1000) == [4]


def test_pieces_take_forty_percent_of_the_window():
    assert lengths([user(words(50))] * 20, 1000) == [8, 8, 4]


def test_pieces_shrink_with_the_size_of_the_messages():
    assert lengths([user(words(100))] * 6, 1000) == [1, 1, 1, 1, 1, 1]
    assert lengths([user(words(90))] * 6, 1000) == [2, 2, 2]


def test_pieces_never_shrink_below_fifteen_percent():
    messages = [user(words(1000)), *[user(words(30))] * 10]

    assert lengths(messages, 1000) == [1, 5, 5]


def test_nothing_makes_no_piece():
    assert plan_chunks([], 1000) == ()


def test_call_and_results_stay_in_one_piece():
    messages = [
        user(words(100)),
        assistant(words(200), call("a"), call("b")),
        result("a", words(50)),
        user(words(10)),
        result("b", words(150)),
        user(words(100)),
    ]

    assert lengths(messages, 2000) == [6]
    assert lengths(messages, 1000) == [1, 4, 1]


def test_answer_whose_calls_still_wait_reaches_to_the_end():
    messages = [user(words(300)), assistant(call("a"), call("b")), result("a", words(50)), user(words(350))]

    assert lengths(messages, 1000) == [1, 3]


def test_waiting_call_of_an_earlier_answer_holds_nothing_together():
    messages = [assistant(call("a")), user(words(350)), assistant(words(1)), user(words(350))]

    assert lengths(messages, 2000) == [3, 1]


@given(
    messages=st.lists(
        st.one_of(
            st.integers(0, 300).map(lambda size: user(words(size))),
            st.sampled_from("ab").map(lambda call_id: assistant(call(call_id))),
            st.sampled_from("ab").map(lambda call_id: result(call_id, words(20))),
        ),
        max_size=15,
    ),
    window=st.integers(0, 2000),
)
def test_pieces_hold_every_message_once_and_in_order(messages, window):
    chunks = plan_chunks(placed(*messages), window)

    assert [item for chunk in chunks for item in chunk] == placed(*messages)
    assert all(chunks)


@pytest.mark.parametrize(
    ("message", "role"),
    [
        (user(words(500)), "user"),
        (assistant(words(500)), "assistant"),
        (result("c", words(500)), "tool result"),
        (other("custom", content=words(500)), "custom"),
    ],
)
def test_message_that_alone_takes_half_the_window_leaves_a_remark(message, role):
    (left,) = leave_out_oversized(placed(message), 1000)

    assert left.entry_id == "e0"
    assert role in left.message.content
    assert "500 tokens" in left.message.content


def test_message_of_a_bearable_size_stays():
    messages = placed(user(words(400)))

    assert leave_out_oversized(messages, 1000) == tuple(messages)
    assert estimate_message(messages[0].message) * 1.2 < 500
