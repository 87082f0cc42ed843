"""What of a context goes to the model with one request (PRUNE-*, HIST-5…7, TRANS-20, LOSS-9)."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC

import pytest

from instar.core.context.build import build_view
from instar.core.context.compaction import CompactionSettings
from instar.core.context.limits import HistorySettings
from instar.core.context.pruning import PruningSettings
from instar.core.model.entry import AssistantMessage, MessageEntry, UserMessage
from instar.core.model.ids import EntryId, Instant
from instar.core.turn.prompt import build_prompt_settings, plan_prompt
from tests.builders.transcripts import assistant, call, image, result, text, user
from tests.builders.turns import NOW


def view(*messages):
    entries, parent = [], None
    for number, message in enumerate(messages):
        entry = MessageEntry(id=EntryId(f"e{number}"), parent_id=parent, timestamp=NOW, message=message)
        entries.append(entry)
        parent = entry.id
    return build_view(entries)


def settings(*, window=100_000, fixed=0, provider="openai", pruning=None):
    return build_prompt_settings(
        model_provider=provider,
        model_id="m",
        window_tokens=window,
        compaction=CompactionSettings(),
        pruning=pruning or PruningSettings(),
        fixed_tokens=fixed,
        zone=UTC,
    )


def test_a_small_context_goes_out_as_it_is():
    prompt = plan_prompt(view(user("a"), assistant("b"), user("c")), settings(), now=NOW)
    assert [type(message) for message in prompt.messages] == [UserMessage, AssistantMessage, UserMessage]
    assert (prompt.decisions, prompt.truncated) == ((), False)


def test_what_does_not_fit_is_left_out_from_the_front_and_noted():
    long = "x" * 4_000
    prompt = plan_prompt(view(user(long), assistant(long), user("c")), replace(settings(), budget_tokens=200), now=NOW)
    assert [message.content for message in prompt.messages] == ["c"]
    assert prompt.truncated
    (decision,) = prompt.decisions
    assert (decision.kind, decision.outcome, decision.rule) == ("limit", "truncated", "HIST-7")


def test_the_budget_is_the_window_without_half_the_reserve_and_what_is_sent_anyway():
    assert settings(fixed=100).budget_tokens == settings().budget_tokens - 100
    assert settings().budget_tokens < 100_000
    assert settings(window=10, fixed=1_000).budget_tokens == 1


def test_old_tool_results_are_trimmed_when_the_cache_has_gone_cold_and_that_is_noted():
    big = "y" * 60_000
    turns = [user("go"), assistant(call("c1")), result("c1", text(big))]
    turns += [part for _ in range(6) for part in (user("more"), assistant("ok"))]
    pruning = PruningSettings(mode="cache-ttl", ttl_ms=1)
    prompt = plan_prompt(
        view(*turns), settings(window=20_000, provider="anthropic", pruning=pruning), now=Instant(NOW + 10**9)
    )
    assert [decision.kind for decision in prompt.decisions][:1] == ["prune"]
    assert len(str(prompt.messages[2].content)) < 60_000


@pytest.mark.parametrize(
    ("limits", "rule", "left_out"),
    [
        ({"truncate": HistorySettings(max_messages=3)}, "HIST-5", 2),
        ({"user_turns": 2}, "HIST-6", 2),
        ({"truncate": HistorySettings(max_messages=3), "user_turns": 1}, "HIST-5", 4),
    ],
)
def test_what_a_person_s_limits_leave_out_is_noted(limits, rule, left_out):
    seen = view(user("a"), assistant("b"), user("c"), assistant("d"), user("e"))
    prompt = plan_prompt(seen, replace(settings(), **limits), now=NOW)
    assert len(prompt.messages) == 5 - left_out
    (decision,) = prompt.decisions
    assert (decision.kind, decision.outcome, decision.rule) == ("limit", "left-out", rule)
    assert decision.inputs == {"leftOut": left_out, "messages": 5}
    assert not prompt.truncated


def test_limits_that_leave_out_nothing_are_not_noted():
    prompt = plan_prompt(view(user("a")), replace(settings(), user_turns=3), now=NOW)
    assert prompt.decisions == ()


def test_images_of_old_turns_go_out_as_markers_and_those_of_the_last_three_as_they_are():
    turns = [part for _ in range(5) for part in (user([image()]), assistant("seen"))]
    prompt = plan_prompt(view(*turns, user("and now?")), settings(), now=NOW)
    shown = [message.content[0] == image() for message in prompt.messages[:-1:2]]
    assert shown == [False, False, True, True, True]
    assert prompt.messages[0].content[0].text.startswith("[An image stood here")
