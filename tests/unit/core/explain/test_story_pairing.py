"""Sentences about codes and approvals (LEAK-2, WHY-2)."""

from __future__ import annotations

from datetime import UTC

import pytest

from instar.core.explain.story import tell
from instar.core.model.decision import Decision, RecordedDecision
from instar.core.model.ids import Instant


def told(outcome, *, who="gateway", **inputs):
    decision = Decision(kind="access", outcome=outcome, rule="LEAK-2", inputs=inputs)
    return tell(RecordedDecision(id=1, at=Instant(0), decision=decision, who=who), UTC)


@pytest.mark.parametrize(
    ("outcome", "chat", "sentence"),
    [
        ("approved", "direct", "The person was approved on telegram by alice. LEAK-2"),
        ("rejected", "group", "The group was rejected on telegram by alice. LEAK-2"),
        ("revoked", "direct", "The person was shut out again on telegram by alice. LEAK-2"),
    ],
)
def test_the_owners_word_names_who_said_it(outcome, chat, sentence):
    assert told(outcome, who="alice", chat=chat, channel="telegram", account="default") == sentence


def test_a_device_is_called_by_the_beginning_of_its_id():
    assert told("approved", who="alice", chat="device", device="0a1b") == (
        "The device 0a1b was approved by alice. LEAK-2"
    )
    assert told("revoked", chat="device").startswith("The device without a name was shut out again")


@pytest.mark.parametrize(("step", "words"), [("repeat", "told their pairing code once more"), ("waits", "still waits")])
def test_a_code_that_waits_is_mentioned(step, words):
    assert words in told("refused", reason="not_paired", pairing=step)
