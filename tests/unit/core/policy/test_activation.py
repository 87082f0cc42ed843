"""When a message wakes the agent (ACT-1…7)."""

from __future__ import annotations

import pytest

from instar.core.policy.activation import (
    ActivationFacts,
    ActivationSettings,
    build_name_patterns,
    decide_activation,
    is_addressed,
    parse_activation_mode,
    resolve_activation,
)

NOTHING = ActivationSettings()


@pytest.mark.parametrize(
    ("word", "mode"),
    [("always", "always"), (" Mention ", "mention"), ("COMMAND", "command"), ("never", None), (None, None), (1, None)],
)
def test_modes_are_words(word, mode):
    assert parse_activation_mode(word) == mode


# --- which mode -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("chat_type", "mode"), [("direct", "always"), ("group", "mention"), ("channel", "command")])
def test_each_type_has_a_built_in_mode(chat_type, mode):
    found = resolve_activation(NOTHING, chat_type=chat_type)
    assert (found.value, found.source) == (mode, "default")


FULL = ActivationSettings(
    groups={"-1": "always", "*": "mention"},
    channel="command",
    by_type={"direct": "mention", "group": "always", "channel": "always"},
)


@pytest.mark.parametrize(
    ("settings", "group_id", "override", "expected"),
    [
        (FULL, "-1", "command", ("command", "session")),
        (FULL, "-1", None, ("always", "channel")),
        (FULL, "-2", None, ("mention", "channel")),
        (FULL, "", None, ("mention", "channel")),
        (ActivationSettings(channel="command", by_type={"group": "always"}), "-1", None, ("command", "channel")),
        (ActivationSettings(by_type={"group": "always"}), "-1", None, ("always", "type")),
        (NOTHING, "-1", "sometimes", ("mention", "default")),
    ],
    ids=["session", "this group", "every group", "no id", "channel", "type", "unknown override"],
)
def test_in_groups_the_layers_stand_in_order(settings, group_id, override, expected):
    found = resolve_activation(settings, chat_type="group", group_id=group_id, override=override)
    assert (found.value, found.source) == expected


def test_a_direct_chat_does_not_look_at_the_channel():
    assert resolve_activation(ActivationSettings(channel="command"), chat_type="direct").value == "always"
    assert resolve_activation(FULL, chat_type="direct").source == "type"
    assert resolve_activation(FULL, chat_type="direct", override="always").source == "session"


# --- addressed --------------------------------------------------------------------------------------------------------


def group(text="", **fields):
    return ActivationFacts(chat_type="group", text=text, **fields)


@pytest.mark.parametrize(
    ("facts", "patterns", "expected"),
    [
        (group(mentioned=True), [], "mention"),
        (group(reply_to_agent=True), [], "reply"),
        (group("hey clawd"), [r"\bclawd\b"], "pattern"),
        (group("hey CLAWD"), [r"\bclawd\b"], "pattern"),
        (group("hey cl\u200bawd\u2060"), ["clawd"], "pattern"),
        (group("clawd", mentioned=False), ["clawd"], "pattern"),
        (group("clawd", mentioned=None, mentions_others=True), ["clawd"], "pattern"),
        (group("@anna ask clawd", mentioned=False, mentions_others=True), ["clawd"], None),
        (group("hello"), ["clawd"], None),
        (group("hello ("), ["(", "a{99999999999999999999}", "hello"], "pattern"),
        (group("hello"), ["("], None),
    ],
)
def test_a_message_is_addressed_by_mention_reply_or_pattern(facts, patterns, expected):
    assert is_addressed(facts, patterns) == expected


@pytest.mark.parametrize(
    ("name", "emoji", "text", "matches"),
    [
        ("Instar", None, "hi instar, how are you", True),
        ("Instar", None, "@Instar hi", True),
        ("Instar", None, "instars", False),
        ("Instar", None, "preinstar", False),
        ("Old Friend", None, "dear old   friend", True),
        ("C++ Bot", None, "ask C++ Bot!", True),
        ("小明", None, "小明你好", True),
        ("Instar", "🦋", "what do you say 🦋?", True),
        (None, " 🦋 ", "🦋", True),
        (None, None, "anything", False),
        ("  ", " ", "anything", False),
    ],
)
def test_the_name_and_the_emoji_of_an_agent_address_it(name, emoji, text, matches):
    patterns = build_name_patterns(name, emoji)
    assert (is_addressed(group(text), patterns) == "pattern") is matches


# --- decision ---------------------------------------------------------------------------------------------------------


def mode(value):
    return ActivationSettings(channel=value, mention_patterns=("clawd",))


@pytest.mark.parametrize(
    ("settings", "facts", "wakes", "rule"),
    [
        (mode("always"), group("hello"), True, "ACT-1"),
        (mode("mention"), group("clawd?"), True, "ACT-4"),
        (mode("mention"), group("hello"), False, "ACT-7"),
        (mode("mention"), group("/status", is_command=True, may_command=True), True, "ACT-6"),
        (mode("mention"), group("/status", is_command=True), False, "ACT-7"),
        (mode("command"), group("clawd?"), False, "ACT-7"),
        (mode("command"), group("/status", is_command=True, may_command=True), True, "ACT-6"),
        (NOTHING, ActivationFacts(chat_type="direct", text="hi"), True, "ACT-2"),
    ],
)
def test_a_message_wakes_the_agent_or_is_kept_as_context(settings, facts, wakes, rule):
    activation = decide_activation(settings, facts)
    assert (activation.wakes, activation.rule) == (wakes, rule)


def test_the_override_of_the_session_decides():
    activation = decide_activation(mode("command"), group("hello"), override="always")
    assert (activation.wakes, activation.mode, activation.source) == (True, "always", "session")


def test_a_decision_is_recorded_without_text():
    facts = group("clawd?")
    record = decide_activation(mode("mention"), facts).as_decision(facts)
    assert (record.kind, record.outcome, record.rule) == ("activation", "wakes", "ACT-4")
    assert record.inputs == {
        "mode": "mention",
        "source": "channel",
        "chat": "group",
        "addressed": "pattern",
        "others": False,
        "command": False,
    }
    silent = group("secret")
    assert decide_activation(mode("mention"), silent).as_decision(silent).outcome == "observed"


@pytest.mark.parametrize(
    ("facts", "others"),
    [
        (group("@anna ask clawd", mentioned=False, mentions_others=True), True),
        (group("@anna ask clawd", mentioned=False, mentions_others=True, reply_to_agent=True), False),
        (group("hello", mentioned=False), False),
        (group("hello", mentions_others=True), False),
    ],
)
def test_the_record_says_that_a_message_mentions_only_others(facts, others):
    assert decide_activation(mode("mention"), facts).as_decision(facts).inputs["others"] is others
