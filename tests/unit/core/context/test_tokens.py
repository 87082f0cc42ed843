"""Estimates of tokens."""

from dataclasses import replace

import pytest
from hypothesis import given

from instar.core.context.tokens import (
    ContextEstimate,
    before_pruning,
    estimate_entry,
    estimate_message,
    json_chars,
    measured_tokens,
    sum_usage,
)
from instar.core.model.entry import OtherBlock, ThinkingBlock, Usage
from tests.builders.transcript_strategies import messages
from tests.builders.transcripts import Branch, assistant, call, image, other, result, text, user


@pytest.mark.parametrize(
    ("message", "tokens"),
    [
        (user(""), 0),
        (user("abcd"), 1),
        (user("abcde"), 2),
        (user([text("abcd"), text("efgh")]), 2),
        (assistant("abcd", ThinkingBlock(thinking="efgh")), 2),
        (assistant(call("c", "read", {"path": "a"})), 4),
        (result("c", "x" * 40, image()), 1210),
        (user([OtherBlock(raw={"a": 1})]), 2),
        (other("custom", content="abcd"), 1),
        (other("custom", content=[{"type": "image", "data": "", "mimeType": "image/png"}]), 1200),
        (other("bashExecution", command="abc", output="defg"), 2),
        (other("compactionSummary", summary="abcd"), 1),
        (other("unheard-of", content="abcd"), 0),
    ],
)
def test_message_takes_a_quarter_of_its_characters_rounded_up(message, tokens):
    assert estimate_message(message) == tokens


def test_arguments_count_as_json_without_blanks():
    assert json_chars({"path": "é", "lines": [1, 2]}) == len('{"path":"é","lines":[1,2]}')


def test_entries_count_what_the_model_sees_of_them():
    branch = Branch()
    branch.user("abcd")
    branch.custom_message("abcdefgh")
    branch.branch_summary("abcd")
    branch.compaction("e0", "abcdefgh")
    branch.custom("plugin", {"big": "x" * 100})
    branch.model_change()
    branch.label("e0", "name")

    assert [estimate_entry(entry) for entry in branch.entries] == [1, 2, 1, 2, 0, 0, 0]


def test_usage_is_its_total_or_else_the_sum_of_its_parts():
    assert sum_usage(Usage(input=1, output=2, cache_read=3, cache_write=4, total_tokens=50)) == 50
    assert sum_usage(Usage(input=1, output=2, cache_read=3, cache_write=4)) == 10


@pytest.mark.parametrize("stop", ["aborted", "error"])
def test_failed_answers_measure_nothing(stop):
    assert measured_tokens(assistant("abcd", tokens=500)) == 500
    assert measured_tokens(assistant("abcd", tokens=500, stop=stop)) == 0


def test_what_is_no_answer_or_has_no_usage_measures_nothing():
    mirror = replace(assistant("abcd"), provider="openclaw", model="delivery-mirror")
    assert [measured_tokens(one) for one in (user("abcd"), assistant("abcd"), mirror)] == [0, 0, 0]


@given(message=messages)
def test_estimate_is_never_negative(message):
    assert estimate_message(message) >= 0


COUNTED = ContextEstimate(tokens=700, measured=650, measured_at=1_000)


@pytest.mark.parametrize(
    ("estimate", "pruned_at", "before", "after", "tokens"),
    [
        (COUNTED, 1_000, 4_000, 1_000, 1_450),
        (COUNTED, 1_200, 4_001, 4_000, 701),
        (COUNTED, 1_200, 1_000, 4_000, 700),
        (COUNTED, 999, 4_000, 1_000, 700),
        (COUNTED, None, 4_000, 1_000, 700),
        (ContextEstimate(tokens=700), 1_200, 4_000, 1_000, 700),
    ],
    ids=["the same moment", "a little", "nothing left out", "an earlier request", "no pass", "nobody counted"],
)
def test_what_pruning_left_out_of_the_counted_request_is_told(estimate, pruned_at, before, after, tokens):
    told = before_pruning(estimate, pruned_at=pruned_at, chars_before=before, chars_after=after)
    assert told == replace(estimate, tokens=tokens)
