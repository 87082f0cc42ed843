"""What a person may do about a reply whose fate is unknown, or that failed (LOSS-5)."""

import pytest

from instar.core.delivery.redo import decide_redo


@pytest.mark.parametrize("state", ["unknown", "failed"])
def test_a_reply_that_may_not_have_arrived_can_be_sent_again(state):
    assert decide_redo("send", state, has_words=True).state == "pending"


@pytest.mark.parametrize("state", ["unknown", "failed", "pending"])
def test_a_reply_that_has_not_left_can_be_dropped(state):
    assert decide_redo("drop", state, has_words=True).state == "dropped"


@pytest.mark.parametrize("state", ["pending", "sending", "sent", "suppressed", "dropped"])
def test_a_reply_that_left_or_will_leave_is_not_sent_again(state):
    redo = decide_redo("send", state, has_words=True)
    assert redo.state is None
    assert redo.why


@pytest.mark.parametrize("state", ["sending", "sent", "suppressed", "dropped"])
def test_a_reply_that_left_or_is_leaving_is_not_dropped(state):
    redo = decide_redo("drop", state, has_words=True)
    assert redo.state is None
    assert redo.why


def test_a_reply_whose_words_are_gone_is_not_sent():
    assert "words" in decide_redo("send", "failed", has_words=False).why
