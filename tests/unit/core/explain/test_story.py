"""Every recorded decision is told in one sentence with its rule (WHY-2)."""

from __future__ import annotations

from datetime import UTC
from typing import get_args
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from instar.core.explain.story import ask, tell
from instar.core.model.decision import Decision, DecisionKind, RecordedDecision
from instar.core.model.instant import parse_iso

BERLIN = ZoneInfo("Europe/Berlin")


def record(kind, outcome, rule="RESET-13", *, who="gateway", **inputs):
    decision = Decision(kind=kind, outcome=outcome, rule=rule, inputs=inputs)
    return RecordedDecision(id=1, at=0, decision=decision, who=who)


def told(kind, outcome, rule="X-1", **inputs):
    return tell(record(kind, outcome, rule, **inputs), BERLIN)


# ---------------------------------------------------------------- tools


@pytest.mark.parametrize(
    ("outcome", "inputs", "sentence"),
    [
        (
            "refuse",
            {"tool": "exec", "source": "agent", "elevated": "off"},
            "The tool exec was not run: the agent's configuration asks for a sandbox, and it cannot start here. T-1",
        ),
        (
            "refuse",
            {"tool": "", "source": "config"},
            "Tools that touch the host fail: the configuration for all agents asks for a sandbox, and it cannot start",
        ),
        ("sandbox", {"source": "channel"}, "Tools that touch the host run in the sandbox, as the channel's"),
        (
            "host",
            {"tool": "exec", "source": "session", "elevated": "full"},
            "The tool exec runs on the host although the session's own `sandboxMode` asks for a sandbox: an owner",
        ),
        ("host", {"source": "default", "elevated": "off"}, "Tools that touch the host run on the host, as the default"),
    ],
)
def test_where_tools_run_is_told_with_who_said_so(outcome, inputs, sentence):
    assert told("tool", outcome, "T-1", **inputs).startswith(sentence)


@pytest.mark.parametrize(
    ("inputs", "sentence"),
    [
        (
            {"setting": "thinkingLevel", "value": "high", "source": "channel"},
            "Thinking is high, as the channel's configuration says. X-1",
        ),
        (
            {"setting": "responseUsage", "value": "tokens", "source": "session"},
            "The line about tokens is tokens, as the session says. X-1",
        ),
        ({"setting": "verboseLevel", "value": "on", "source": "inline"}, "Verbose is on, as the message says. X-1"),
        ({}, "A level is off, as the message says. X-1"),
    ],
)
def test_a_level_is_told_with_who_said_so(inputs, sentence):
    assert told("level", "holds", **inputs) == sentence


# ---------------------------------------------------------------- life


def test_a_daily_reset_names_hour_zone_and_the_beginning_of_the_session():
    began = parse_iso("2026-03-09T21:14Z")
    assert told("freshness", "daily", "RESET-13", at="04:00", started_at=began) == (
        "Daily reset at 04:00 Europe/Berlin; this session began 2026-03-09 22:14. RESET-13"
    )


def test_a_daily_reset_of_a_session_without_a_known_beginning():
    assert told("freshness", "daily", "RESET-12", at="04:00", started_at=None) == (
        "Daily reset at 04:00 Europe/Berlin; nobody knows when this session began. RESET-12"
    )


def test_an_idle_reset_names_its_window_and_the_last_message():
    last = parse_iso("2026-03-10T11:00Z")
    assert told("freshness", "idle", "RESET-15", idle_s=7200, interacted_at=last) == (
        "Idle reset after 2 hours; the last message came 2026-03-10 12:00. RESET-15"
    )
    assert told("freshness", "idle", "RESET-12", idle_s=None) == (
        "Idle reset; nobody knows when it was last used. RESET-12"
    )


@pytest.mark.parametrize(
    ("rule", "inputs", "words"),
    [
        (
            "RESET-13",
            {"started_at": 1_000_000, "daily_reset_at": 0},
            "it began 1970-01-01 01:16, after the daily reset of 1970-01-01 01:00",
        ),
        ("RESET-13", {}, "no daily reset was due"),
        ("RESET-15", {"interacted_at": 0, "idle_s": 60}, "the last message came 1970-01-01 01:00, within 1 minute"),
        ("RESET-15", {}, "it was not idle for long enough"),
        ("RESET-10", {}, "it is configured never to expire"),
        ("RESET-27", {}, "a provider keeps it and no reset is configured"),
        ("RESET-28", {}, "the client sent with the session it was showing"),
        (
            "LOSS-7",
            {"next_expiry_at": 0},
            "it was in use, so the daily reset is put off; without a word it resets 1970-01-01 01:00",
        ),
        ("RESET-18", {}, "no reset was due"),
    ],
)
def test_a_session_that_goes_on_says_why(rule, inputs, words):
    assert told("freshness", "fresh", rule, **inputs) == f"The session goes on: {words}. {rule}"


def test_a_first_message_and_an_unheard_of_reason_begin_a_session():
    assert told("freshness", "new", "RESET-17") == "A new session: this was the first message here. RESET-17"
    assert told("freshness", "moon", "X-9", phase=1) == "A new session: moon (phase 1). X-9"


@pytest.mark.parametrize(
    ("outcome", "inputs", "sentence"),
    [
        ("new", {"trigger": "/new", "model": "p/m"}, "A new session was started by /new and runs as p/m."),
        ("reset", {"closed": "3f2a"}, "A new session was started by alice; the transcript 3f2a is kept."),
        ("soft", {"trigger": "/reset"}, "The session was refreshed by /reset soft; its transcript goes on."),
        ("create", {}, "The session was created by alice."),
        ("resume", {}, "An earlier transcript was made current again by alice."),
        ("moult", {"skin": 3}, "The session was started over: moult (skin 3)."),
    ],
)
def test_a_reset_says_who_or_what_asked_for_it(outcome, inputs, sentence):
    assert tell(record("reset", outcome, "CMD-8", who="alice", **inputs), UTC) == f"{sentence} CMD-8"


def test_work_taken_up_after_a_restart():
    assert told("recover", "turn_resumed", "LOSS-4", messages=2) == (
        "After a restart the turn went on from its last stored line (messages 2). LOSS-4"
    )
    assert told("turn", "aborted", "QUEUE-16") == "The turn ended: aborted. QUEUE-16"


def test_another_model_and_an_answer_without_a_word():
    assert told("turn", "stand_in", "CFG-13", why="b answers instead of a: full.") == (
        "b answers instead of a: full. CFG-13"
    )
    assert told("turn", "stand_in", "CFG-13") == "The turn ended: stand in. CFG-13"
    assert told("turn", "empty_answer", "LOSS-2", model="p/m", stop_reason="length") == (
        "The model p/m ended its answer without a word (stop reason length); whoever wrote was told. LOSS-2"
    )
    assert told("turn", "empty_answer", "LOSS-2") == (
        "The model ended its answer without a word; whoever wrote was told. LOSS-2"
    )


@pytest.mark.parametrize(
    ("outcome", "inputs", "sentence"),
    [
        (
            "copied",
            {"parent": "agent:main:x", "session_id": "s1", "lines": 4, "tokens": 90},
            "The thread began with the transcript of agent:main:x (s1) (lines 4, tokens 90). KEY-18",
        ),
        ("copied", {}, "The thread began with the transcript of the session above it. KEY-18"),
        (
            "too_large",
            {"parent": "agent:main:x", "limit_tokens": 100_000},
            "The thread began empty: the transcript of agent:main:x has more than 100,000 tokens. KEY-18",
        ),
        (
            "too_large",
            {},
            "The thread began empty: the transcript of the session above it has more than what is copied. KEY-18",
        ),
        (
            "not_shared",
            {"parent": "agent:main:x"},
            "The thread began empty: agent:main:x belongs to somebody else. KEY-18",
        ),
        (
            "shut",
            {"parent": "agent:main:x"},
            "The thread began empty: what is kept of agent:main:x was being deleted at that moment. KEY-18",
        ),
        ("moon", {"phase": 1}, "Fork: moon (phase 1). KEY-18"),
    ],
)
def test_a_thread_says_what_it_began_with(outcome, inputs, sentence):
    assert told("fork", outcome, "KEY-18", **inputs) == sentence


def test_a_used_up_budget_says_how_much_and_until_when():
    frees_at = parse_iso("2026-03-31T22:00Z")
    spent = {"per": "month", "spent_usd": 5.118, "limit_usd": 5.0}
    assert told("budget", "stop", "COST-2", **spent, frees_at=frees_at) == (
        "The budget for the month was used up: $5.12 of $5.00; it frees up 2026-04-01 00:00. COST-2"
    )
    assert told("budget", "stop", "COST-2", **{**spent, "per": "session"}) == (
        "The budget of the session was used up: $5.12 of $5.00; a new session has its own. COST-2"
    )
    assert told("budget", "stop", "COST-2").startswith("Budget: stop")
    assert told("budget", "warn", "COST-2", **spent).startswith("Budget: warn")
    assert ask(record("budget", "stop")) == "Why no answer?"


@pytest.mark.parametrize(
    ("inputs", "done"),
    [
        ({"softTrimmed": 2, "hardCleared": 1}, "2 shortened and 1 cleared"),
        ({"softTrimmed": 0, "hardCleared": 4}, "4 cleared"),
        ({"softTrimmed": 1}, "1 shortened"),
    ],
)
def test_a_pass_over_old_tool_results_says_how_many_and_how_much(inputs, done):
    assert told("prune", "changed", "PRUNE-12", charsBefore=9000, charsAfter=2000, **inputs) == (
        f"Old tool results were trimmed in what the model saw: {done}; 9000 → 2000 characters. PRUNE-12"
    )


def test_a_pass_of_which_too_little_is_known_is_told_plainly():
    assert told("prune", "below-soft-ratio", charsBefore=5) == "Old tool results: below-soft-ratio (charsBefore 5). X-1"
    assert told("prune", "changed", charsBefore=5) == "Old tool results: changed (charsBefore 5). X-1"
    assert told("prune", "changed", charsAfter=5) == "Old tool results: changed (charsAfter 5). X-1"


@pytest.mark.parametrize(
    ("outcome", "inputs", "sentence"),
    [
        (
            "compacted",
            {"reason": "threshold", "tokensBefore": 9000, "tokensAfter": 2000},
            (
                "The older part of the conversation was put into a summary, since the window was nearly full: "
                "9000 → 2000 tokens."
            ),
        ),
        ("compacted", {"tokensBefore": 9000}, "The older part of the conversation was put into a summary."),
        ("compacted", {}, "The older part of the conversation was put into a summary."),
        (
            "failed",
            {"reason": "overflow", "tokensBefore": 9000},
            (
                "The older part of the conversation could not be put into a summary; nothing was changed "
                "(the provider found the prompt too large)."
            ),
        ),
        ("undone", {}, "The newest summary was taken back."),
        (
            "not-smaller",
            {"reason": "threshold", "again_at": 0},
            (
                "A summary was not stored: it would not have made the context smaller (the window was nearly full); "
                "it is tried again from 1970-01-01 01:00 on."
            ),
        ),
        ("moon", {"phase": 1}, "A summary of the conversation: moon (phase 1)."),
    ],
)
def test_a_compaction_says_what_became_of_it_and_why_it_was_tried(outcome, inputs, sentence):
    assert told("compact", outcome, **inputs) == f"{sentence} X-1"


@pytest.mark.parametrize(
    ("outcome", "inputs", "sentence"),
    [
        (
            "flush",
            {"totalTokens": 3500, "threshold": 3096},
            (
                "The agent was asked to write down what matters: a summary is near "
                "(3500 tokens, notes are due from 3096 on)."
            ),
        ),
        ("flush", {"totalTokens": 3500}, "The agent was asked to write down what matters: a summary is near."),
        ("flush", {}, "The agent was asked to write down what matters: a summary is near."),
        ("failed", {}, "Nothing could be written down before the conversation is summarised."),
        ("flushed", {"notes": 2}, "What matters was written down before the conversation is summarised."),
        ("flushed", {"notes": 0}, "Nothing had to be written down before the conversation is summarised."),
        ("below-threshold", {}, "Notes before a summary: below-threshold."),
    ],
)
def test_a_memory_flush_says_why_it_came_and_how_it_ended(outcome, inputs, sentence):
    assert told("flush", outcome, **inputs) == f"{sentence} X-1"


@pytest.mark.parametrize(
    ("outcome", "inputs", "sentence"),
    [
        (
            "truncated",
            {"budgetTokens": 900, "tokens": 800},
            "The model saw only the newest part of the conversation: the window has 900 tokens for it.",
        ),
        ("truncated", {}, "A limit on the history: truncated."),
        (
            "left-out",
            {"leftOut": 4, "messages": 10},
            "4 of 10 messages were not shown to the model: a limit on the history is set.",
        ),
        ("left-out", {"leftOut": 4}, "A limit on the history: left-out (leftOut 4)."),
        ("left-out", {"messages": 4}, "A limit on the history: left-out (messages 4)."),
    ],
)
def test_a_limit_says_what_the_model_did_not_see(outcome, inputs, sentence):
    assert told("limit", outcome, **inputs) == f"{sentence} X-1"


# ---------------------------------------------------------------- arriving


@pytest.mark.parametrize(
    ("outcome", "rule", "inputs", "sentence"),
    [
        ("agent ops", "KEY-20", {"agent": "ops", "asked": "ops", "match": "guild"}, "Agent ops answers: a binding "),
        ("agent main", "KEY-21", {"agent": "main", "asked": "gone"}, "A binding asks for agent gone, which is not"),
        ("k", "LINK-6", {"chat": "direct", "channel": "telegram", "person": "al"}, "This direct chat on telegram is"),
        ("k", "LINK-6", {}, "This message on no channel belongs to the session k."),
        ("k", "KEY-5", {"chat": "group"}, "This group chat on no channel shares the main session k"),
        ("k", "KEY-7", {}, "This message on no channel names nobody"),
        ("global", "KEY-10", {}, "This message on no channel belongs to the one session"),
        ("k", "KEY-14", {}, "The caller named the session k."),
        ("k", "KEY-4", {"chat": "group", "channel": "irc"}, "This group chat on irc belongs to the session k."),
    ],
)
def test_a_route_says_agent_or_session(outcome, rule, inputs, sentence):
    assert told("route", outcome, rule, **inputs).startswith(sentence)


@pytest.mark.parametrize(
    ("outcome", "inputs", "sentence"),
    [
        ("admitted", {"reason": "paired"}, "The sender may write here: the owner approved them. X-1"),
        ("refused", {"reason": "dms_off", "pairing": "none"}, "The message was refused: direct messages are switched"),
        ("refused", {"reason": "not_paired", "pairing": "offer"}, "The message was refused: nobody approved them yet."),
        ("refused", {"reason": "moonlight"}, "The message was refused: moonlight. X-1"),
        ("refused", {}, "The message was refused: no reason was recorded. X-1"),
    ],
)
def test_access_says_why(outcome, inputs, sentence):
    assert told("access", outcome, **inputs).startswith(sentence)


def test_a_pairing_code_is_mentioned():
    assert "were told a pairing code" in told("access", "refused", reason="not_paired", pairing="offer")
    assert "too many wait" in told("access", "refused", reason="not_paired", pairing="full")


@pytest.mark.parametrize(
    ("outcome", "inputs", "words"),
    [
        ("observed", {"mode": "mention", "source": "channel"}, "No reply: activation is `mention` (set by the channel"),
        ("observed", {"mode": "command", "source": "default"}, "No reply: activation is `command` by default and"),
        ("observed", {"mode": "command", "source": "moon"}, "No reply: activation is `command` (set by moon)"),
        ("wakes", {"mode": "always", "source": "session"}, "The message woke the agent: activation is `always` (set"),
        ("wakes", {"mode": "mention", "addressed": "pattern"}, "The message woke the agent: it names the agent."),
        ("wakes", {"mode": "command", "command": True}, "The message woke the agent: it is a command."),
        ("wakes", {"command": False}, "The message woke the agent: activation is `unknown` (set by nobody)."),
    ],
)
def test_activation_says_why_there_was_a_reply_or_none(outcome, inputs, words):
    assert told("activation", outcome, **inputs).startswith(words)


def test_a_message_that_mentions_only_others_is_told_as_such():
    said = told("activation", "observed", mode="mention", source="default", others=True)
    assert "and the message mentions only others; it is kept as context." in said
    assert "did not call for one" in told("activation", "observed", mode="mention", source="default", others=False)


@pytest.mark.parametrize(
    ("outcome", "inputs", "sentence"),
    [
        ("wait", {"mode": "followup"}, "The message waited, since a turn was running (queue mode `followup`)."),
        ("run", {"messages": 3, "dropped": 2}, "The waiting messages became a turn; it holds 3 messages; 2 older ones"),
        ("run", {"messages": 1, "dropped": 0}, "The waiting messages became a turn. X-1"),
        ("moult", {}, "The queue answered moult. X-1"),
    ],
)
def test_the_queue_says_what_became_of_a_message(outcome, inputs, sentence):
    assert told("queue", outcome, **inputs).startswith(sentence)


@pytest.mark.parametrize(
    ("outcome", "inputs", "sentence"),
    [
        ("run", {"command": "compact"}, "The command compact was answered. X-1"),
        ("swallow", {"command": "send"}, "The command send was not carried out and not answered: its sender may not"),
        ("docked", {"target": "discord"}, "Replies go to discord from now on. X-1"),
        ("injected", {"label": None}, "A line that no model wrote was added by the gateway. X-1"),
        ("stuck", {"command": "export", "reason": "full"}, "The command export ended with stuck (reason full). X-1"),
    ],
)
def test_a_command_says_what_became_of_it(outcome, inputs, sentence):
    assert told("command", outcome, **inputs).startswith(sentence)


@pytest.mark.parametrize(
    ("outcome", "inputs", "sentence"),
    [
        (
            "deny",
            {"source": "deny_rule", "matched": "rules[0]"},
            "The reply was not sent to the channel: the rule rule",
        ),
        ("deny", {"source": "deny_rule"}, "The reply was not sent to the channel: a rule denies it."),
        ("deny", {"source": "session"}, "The reply was not sent to the channel: `/send` set it"),
        ("allow", {"source": "allow_rule", "matched": "r"}, "The session may send: the rule r allows it. X-1"),
        ("allow", {"source": "allow_rule"}, "The session may send: a rule allows it. X-1"),
        ("allow", {}, "The session may send: the send policy says so. X-1"),
    ],
)
def test_the_send_policy_says_who_decided(outcome, inputs, sentence):
    assert told("send", outcome, **inputs).startswith(sentence)


@pytest.mark.parametrize(
    ("outcome", "inputs", "sentence"),
    [
        ("sent", {"reason": None}, "The reply was sent. X-1"),
        ("failed", {"attempt": 3, "reason": "gone"}, "The reply could not be sent (attempt 3): gone. X-1"),
        ("try_again", {"attempt": 1}, "The reply could not be sent and is tried again. X-1"),
        ("nowhere", {"source": "none"}, "The reply stayed inside: the session has no route to a channel. X-1"),
        ("discord", {"source": "docked"}, "The reply goes to discord: the session is docked there. X-1"),
        (
            "telegram",
            {"source": "others_dock"},
            (
                "The reply goes to telegram: the session is docked for somebody else, and whoever wrote is answered "
                "where they wrote. X-1"
            ),
        ),
        ("discord", {}, "The reply goes to discord. X-1"),
    ],
)
def test_a_delivery_says_where_and_what_became_of_it(outcome, inputs, sentence):
    assert told("deliver", outcome, **inputs) == sentence


# ---------------------------------------------------------------- all of them


@pytest.mark.parametrize("kind", [*get_args(DecisionKind), "budget", "later_kind"])
def test_every_kind_is_told_even_when_nothing_else_is_known(kind):
    sentence = told(kind, "some_outcome", "COST-2")
    assert sentence.endswith(". COST-2")
    assert sentence[0].isupper()
    assert ask(record(kind, "some_outcome")).endswith("?")


def test_a_kind_that_came_later_is_told_with_all_it_knows():
    sentence = told("budget", "stop", "COST-2", limit_usd=5.5, spent=6, frees_up_at=0, note="", seen=True)
    assert sentence == "Budget: stop (frees up 1970-01-01 01:00, limit usd 5.5, seen yes, spent 6). COST-2"


def test_the_question_fits_the_answer():
    assert ask(record("freshness", "daily")) == "Why a new session?"
    assert ask(record("freshness", "fresh")) == "Why the same session?"
    assert ask(record("send", "deny")) == "Why was the reply not sent?"
    assert ask(record("erase", "done")) == "What happened?"


def test_text_from_outside_cannot_break_the_line():
    sentence = told("route", "k\n\x1b[31m", "KEY-4", channel="tele\u202egram", chat="x" * 10_000)
    assert sentence.isprintable()
    assert len(sentence) < 400


def test_a_number_without_end_is_not_known():
    assert told("freshness", "idle", idle_s=float("inf")) == "Idle reset; nobody knows when it was last used. X-1"
    assert "nobody knows" in told("freshness", "daily", started_at=float("nan"))


def test_a_time_that_no_calendar_holds_is_not_known():
    assert "nobody knows" in told("freshness", "daily", started_at=10**17)
    assert "nobody knows" in told("freshness", "daily", started_at=True)
    assert told("erase", "done", swept_at=10**17) == (
        "What was held about a person was erased: done (swept 100000000000000000). X-1"
    )


values = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20)
names = st.sampled_from([
    "agent", "asked", "at", "attempt", "chat", "closed", "command", "dropped", "idle_s", "matched", "messages", "mode",
    "model", "next_expiry_at", "pairing", "person", "reason", "source", "started_at", "target", "tokens_after",
    "tokens_before", "trigger",
])  # fmt: skip
outcomes = (
    st.sampled_from(["daily", "idle", "fresh", "new", "reset", "run", "deny", "sent", "wakes", "agent x"]) | st.text()
)


@given(st.sampled_from(get_args(DecisionKind)), outcomes, st.dictionaries(names, values))
def test_no_input_makes_a_decision_unreadable(kind, outcome, inputs):
    sentence = told(kind, outcome, "RESET-13", **inputs)
    assert sentence.endswith(" RESET-13")
    assert sentence.isprintable()


def test_a_token_was_made_or_taken_back():
    made = told("access", "made", chat="token", id="t1", scopes="operator.read")
    assert made.startswith("The token t1 was made with the scopes operator.read by ")
    assert told("access", "revoked", chat="token", id="t1").startswith("The token t1 was taken back by ")
