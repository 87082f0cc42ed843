"""An agent can say nothing, and a draft that may be nothing is not shown."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from instar.core.delivery.silent import could_become_silent, is_silent

SILENT = ["NO_REPLY", "no_reply", " NO_REPLY.\n", "**NO_REPLY**", "`No_Reply`", "«NO_REPLY»…", "__NO_REPLY__"]
SPOKEN = ["", ".", "NO REPLY", "NO_REPLY yes", "I say NO_REPLY", "NO_REPLYING", "NO_REPLY 👍", "no", "NO_REPLY " * 2]


@pytest.mark.parametrize("text", SILENT)
def test_token_alone_is_silence(text):
    assert is_silent(text)


@pytest.mark.parametrize("text", SPOKEN)
def test_anything_else_is_an_answer(text):
    assert not is_silent(text)


@pytest.mark.parametrize("prefix", ["", " ", "**", "N", "no", "No_re", "`NO_REPLY", "NO_REPLY and more"])
def test_draft_that_may_be_the_token_is_held_back(prefix):
    assert could_become_silent(prefix)


@pytest.mark.parametrize("prefix", ["Now", "NO R", "Hello", "1", "_ NOPE"])
def test_draft_that_can_no_longer_be_the_token_is_shown(prefix):
    assert not could_become_silent(prefix)


@given(text=st.sampled_from(SILENT), cut=st.integers(0, 20))
def test_no_beginning_of_a_silent_answer_is_ever_shown(text, cut):
    assert could_become_silent(text[:cut])


@given(text=st.text(max_size=30))
def test_answer_whose_draft_was_shown_is_never_silent(text):
    assert could_become_silent(text) or not is_silent(text)
