"""May a session send, and what `/send` asks for (SEND-1…13)."""

from __future__ import annotations

import pytest

from instar.core.policy.send import (
    ALLOW_ALL,
    SendDecision,
    SendFacts,
    SendMatch,
    SendPolicy,
    SendRule,
    build_blocked_match,
    decide_egress,
    decide_send,
    parse_send_command,
    parse_send_verdict,
)


def deny(name="rules[0]", **match):
    return SendRule(action="deny", match=SendMatch(**match), name=name)


def allow(name="rules[0]", **match):
    return SendRule(action="allow", match=SendMatch(**match), name=name)


def decide(policy, key="agent:main:telegram:group:1", **facts):
    return decide_send(policy, SendFacts(key=key, **facts))


# --- the order of words -----------------------------------------------------------------------------------------------


def test_with_nothing_configured_everything_may_leave():
    assert decide(ALLOW_ALL) == SendDecision(verdict="allow", rule="SEND-1", source="default")


def test_the_sessions_own_word_comes_first():
    policy = SendPolicy(rules=(deny(),), default="deny")
    assert decide(policy, override=" Allow ") == SendDecision(verdict="allow", rule="SEND-2", source="session")
    assert decide(ALLOW_ALL, override="deny").verdict == "deny"
    assert decide(policy, override="maybe").source == "deny_rule"


def test_any_deny_rule_beats_any_allow_rule():
    policy = SendPolicy(rules=(allow("first", channel="telegram"), deny("second", chat_type="group")))
    assert decide(policy) == SendDecision(verdict="deny", rule="SEND-3", source="deny_rule", matched="second")


def test_an_allow_rule_beats_the_default():
    policy = SendPolicy(rules=(allow(channel="telegram"),), default="deny")
    found = SendDecision(verdict="allow", rule="SEND-3", source="allow_rule", matched="rules[0]")
    assert decide(policy) == found
    assert decide(policy, key="agent:main:irc:group:1") == SendDecision(verdict="deny", rule="SEND-1", source="config")


# --- older spellings --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("match", "key"),
    [
        ({"key_prefix": "telegram:dm:"}, "agent:main:telegram:direct:5"),
        ({"key_prefix": "telegram:dm"}, "agent:main:telegram:direct:5"),
        ({"key_prefix": "telegram:direct:"}, "agent:main:telegram:dm:5"),
        ({"key_prefix": "agent:main:telegram:work:dm:5"}, "agent:main:telegram:work:direct:5"),
        ({"key_prefix": "dm:"}, "agent:main:direct:anna"),
        ({"key_prefix": "discord:room:"}, "agent:main:discord:channel:9"),
        ({"key_prefix": "node:"}, "agent:main:node-kitchen"),
        ({"key_prefix": "node:kit"}, "agent:main:node-kitchen"),
        ({"raw_key_prefix": "agent:main:telegram:dm:"}, "agent:main:telegram:direct:5"),
    ],
)
def test_a_prefix_with_an_older_kind_word_means_the_keys_that_are_stored_now(match, key):
    assert decide(SendPolicy(rules=(deny(**match),)), key=key).verdict == "deny"


@pytest.mark.parametrize("prefix", ["telegram:dm:6", "cron:", "direct", "telegram:direct:5:"])
def test_a_prefix_of_another_key_does_not_match(prefix):
    policy = SendPolicy(rules=(deny(key_prefix=prefix),))
    assert decide(policy, key="agent:main:telegram:direct:5").verdict == "allow"


# --- what rules look at -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("facts", "matches"),
    [
        ({"channel": "SLACK", "entry_channel": "irc"}, True),
        ({"channel": "irc", "entry_channel": "slack"}, False),
        ({"entry_channel": "slack", "entry_last_channel": "irc"}, True),
        ({"entry_last_channel": "slack"}, True),
        ({"channel": " ", "entry_channel": "slack"}, True),
        ({}, False),
    ],
)
def test_the_channel_comes_from_the_delivery_then_the_entry_then_the_key(facts, matches):
    policy = SendPolicy(rules=(deny(channel="slack"),))
    assert (decide(policy, **facts).verdict == "deny") is matches


@pytest.mark.parametrize(
    ("key", "facts", "chat_type"),
    [
        ("agent:main:telegram:group:1", {"chat_type": "dm", "entry_chat_type": "group"}, "direct"),
        ("agent:main:telegram:direct:1", {"entry_chat_type": "room"}, "channel"),
        ("agent:main:telegram:direct:1", {"entry_chat_type": "nonsense"}, "direct"),
        ("agent:main:telegram:group:1:topic:7", {}, "group"),
        ("agent:main:main", {}, "direct"),
        ("agent:main:home", {"main_key": "home"}, "direct"),
        ("global", {}, "direct"),
        ("agent:main:discord:channel:1", {}, "channel"),
    ],
)
def test_the_type_comes_from_the_delivery_then_the_entry_then_the_key(key, facts, chat_type):
    assert decide(SendPolicy(rules=(deny(chat_type=chat_type),)), key=key, **facts).verdict == "deny"


@pytest.mark.parametrize("key", ["agent:main:cron:1", "agent:main:hook:1", "agent:main:node-1", "", "agent:main:x"])
def test_sources_that_are_not_people_have_no_type(key):
    policy = SendPolicy(rules=tuple(deny(chat_type=each) for each in ("direct", "group", "channel")))
    assert decide(policy, key=key).verdict == "allow"


def test_a_prefix_matches_with_or_without_the_agent_and_a_raw_one_only_with():
    assert decide(SendPolicy(rules=(deny(key_prefix="telegram:group:"),))).verdict == "deny"
    assert decide(SendPolicy(rules=(deny(key_prefix="agent:main:"),))).verdict == "deny"
    assert decide(SendPolicy(rules=(deny(raw_key_prefix="telegram:"),))).verdict == "allow"
    assert (
        decide(SendPolicy(rules=(deny(raw_key_prefix="agent:main:t"),)), key="Agent:Main:T:group:1").verdict == "deny"
    )


@pytest.mark.parametrize(
    ("word", "match"),
    [
        ("group", SendMatch(chat_type="group")),
        ("Channel", SendMatch(chat_type="channel")),
        ("room", SendMatch(chat_type="channel")),
        ("direct", SendMatch(chat_type="direct")),
        ("dm", SendMatch(chat_type="direct")),
        ("main", SendMatch(chat_type="direct")),
        ("cron", SendMatch(key_prefix="cron:")),
        ("hooks", SendMatch(key_prefix="hook:")),
        ("Webhook", SendMatch(key_prefix="hook:")),
        ("webhooks", SendMatch(key_prefix="hook:")),
        ("subagent", SendMatch(key_prefix="subagent:")),
        ("acp", SendMatch(key_prefix="acp:")),
        ("node", SendMatch(key_prefix="node-")),
        ("telegram:group:", SendMatch(key_prefix="telegram:group:")),
        (" TG ", SendMatch(channel="telegram")),
    ],
)
def test_a_blocked_word_names_a_type_a_source_a_prefix_or_a_channel(word, match):
    assert build_blocked_match(word) == match


# --- what leaves ------------------------------------------------------------------------------------------------------

DENIED = SendDecision(verdict="deny", rule="SEND-3", source="deny_rule")
ALLOWED = SendDecision(verdict="allow", rule="SEND-1", source="default")


@pytest.mark.parametrize("kind", ["reply", "announcement", "cron", "hook", "notice"])
def test_a_denied_session_keeps_its_words_inside(kind):
    egress = decide_egress(DENIED, kind)
    assert (egress.deliver, egress.refuse, egress.reason, egress.rule) == (False, False, "send_denied", "SEND-11")
    assert decide_egress(ALLOWED, kind).deliver


def test_a_caller_who_asked_for_delivery_is_told():
    assert decide_egress(DENIED, "requested").refuse


def test_answers_to_commands_always_leave():
    assert decide_egress(DENIED, "command_reply").deliver


# --- /send ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "command"),
    [
        ("/send on", "allow"),
        (" /SEND  Allow ", "allow"),
        ("/send off", "deny"),
        ("/send deny", "deny"),
        ("/send inherit", "inherit"),
        ("/send default", "inherit"),
        ("/send reset", "inherit"),
        ("/send", "usage"),
        ("/send maybe", "usage"),
        ("/send off now", None),
        ("please /send off", None),
        ("/sender on", None),
        ("", None),
    ],
)
def test_send_takes_one_word_and_stands_alone(text, command):
    assert parse_send_command(text) == command


@pytest.mark.parametrize(("value", "verdict"), [("ALLOW ", "allow"), ("deny", "deny"), ("on", None), (None, None)])
def test_verdicts_are_two_words(value, verdict):
    assert parse_send_verdict(value) == verdict


def test_a_decision_is_recorded():
    record = decide(SendPolicy(rules=(deny(channel="telegram"),))).as_decision()
    assert (record.kind, record.outcome, record.rule) == ("send", "deny", "SEND-3")
    assert record.inputs == {"source": "deny_rule", "matched": "rules[0]"}
