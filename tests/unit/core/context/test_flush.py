"""The silent turn before a compaction comes once per cycle, for people's turns."""

from dataclasses import replace

import pytest

from instar.core.context.flush import FlushSettings, build_flush_prompts, decide_flush
from instar.core.model.session import Counters

FULL = Counters(total_tokens=176_000)


def flush(settings=FlushSettings(), counters=FULL, **facts):  # noqa: B008 - a frozen value
    return decide_flush(settings, counters, **{"window_tokens": 200_000, "reserve_tokens": 20_000} | facts).outcome


def test_flush_comes_when_the_soft_threshold_is_reached():
    assert flush() == "flush"
    assert flush(counters=Counters(total_tokens=175_999)) == "below-threshold"


@pytest.mark.parametrize(
    ("compactions", "flushed", "outcome"),
    [(0, None, "flush"), (0, 0, "already-flushed"), (2, 2, "already-flushed"), (3, 2, "flush")],
)
def test_flush_comes_once_per_cycle(compactions, flushed, outcome):
    counters = replace(FULL, compaction_count=compactions, memory_flush_compaction_count=flushed)

    assert flush(counters=counters) == outcome


@pytest.mark.parametrize(
    "facts", [{"turn": "heartbeat"}, {"turn": "cli"}, {"incognito": True}, {"workspace_writable": False}]
)
def test_turns_that_cannot_write_notes_do_not_flush(facts):
    assert flush(**facts) == "not-for-this-turn"


def test_flush_can_be_switched_off():
    assert flush(FlushSettings(enabled=False)) == "disabled"


def test_window_too_small_for_a_threshold_never_flushes():
    assert flush(counters=Counters(total_tokens=10), window_tokens=24_000) == "below-threshold"


def test_large_transcript_forces_a_flush_once():
    settings = FlushSettings(force_bytes=1000)

    assert flush(settings, Counters(), transcript_bytes=1000) == "flush"
    assert flush(settings, Counters(), transcript_bytes=999) == "below-threshold"
    assert flush(settings, Counters(memory_flush_compaction_count=0), transcript_bytes=1000) == "already-flushed"
    assert flush(FlushSettings(), Counters(), transcript_bytes=10**9) == "below-threshold"


def test_decision_tells_its_numbers():
    decision = decide_flush(FlushSettings(), FULL, window_tokens=200_000, reserve_tokens=20_000)

    assert (decision.kind, decision.rule) == ("flush", "FLUSH-2")
    assert decision.inputs == {"totalTokens": 176_000, "threshold": 176_000}


def test_forced_flush_names_the_setting_that_forced_it():
    settings = FlushSettings(force_bytes=1)

    decision = decide_flush(settings, Counters(), window_tokens=200_000, reserve_tokens=20_000, transcript_bytes=5)

    assert decision.rule == "FLUSH-1"


def test_built_in_prompts_name_the_token_once():
    prompts = build_flush_prompts(FlushSettings())

    assert prompts.prompt.count("NO_REPLY") == 1
    assert prompts.system.count("NO_REPLY") == 1


def test_hint_is_added_where_the_token_is_missing():
    prompts = build_flush_prompts(FlushSettings(prompt="Write it down.", system_prompt="Say NO_REPLY if not."))

    assert prompts.prompt.startswith("Write it down.\n\n")
    assert "NO_REPLY" in prompts.prompt
    assert prompts.system == "Say NO_REPLY if not."
