"""The configuration of the send policy in its spellings (SEND-3, SEND-8, SEND-9)."""

from __future__ import annotations

import pytest

from instar.config.sections.send import parse_send
from instar.core.policy.send import ALLOW_ALL, SendMatch, SendPolicy, SendRule
from instar.errors import ConfigError


def parse(policy):
    return parse_send({"session": {"sendPolicy": policy}})


@pytest.mark.parametrize("policy", [None, "deny", 5, [], {}])
def test_what_is_no_policy_allows_everything(policy):
    assert parse(policy) == ALLOW_ALL
    assert parse_send({}) == ALLOW_ALL


def test_rules_and_default_are_read():
    match = {"channel": " TG ", "chatType": "DM", "keyPrefix": "Cron:", "rawKeyPrefix": "Agent:"}
    policy = parse({"rules": [{"action": "Deny", "match": match}], "default": "deny"})
    expected = SendMatch(channel="telegram", chat_type="direct", key_prefix="cron:", raw_key_prefix="agent:")
    assert policy == SendPolicy(rules=(SendRule(action="deny", match=expected, name="rules[0]"),), default="deny")


def test_blank_parts_match_everything_and_a_missing_action_allows():
    policy = parse({"rules": [{"match": {"channel": " ", "chatType": None}}, "nonsense", {"action": "?"}]})
    assert policy.rules == (SendRule(action="allow", name="rules[0]"), SendRule(action="allow", name="rules[2]"))


def test_a_type_that_is_none_is_kept_and_never_matches():
    assert parse({"rules": [{"match": {"chatType": "Crowd"}}]}).rules[0].match == SendMatch(chat_type="crowd")


def test_rules_that_are_no_list_and_an_unknown_default_are_ignored():
    assert parse({"rules": {"action": "deny"}, "default": "perhaps"}) == ALLOW_ALL


def test_blocked_words_become_deny_rules():
    policy = parse({"blocked": ["group", " ", "telegram"]})
    assert [(rule.action, rule.match, rule.name) for rule in policy.rules] == [
        ("deny", SendMatch(chat_type="group"), "blocked[0] group"),
        ("deny", SendMatch(channel="telegram"), "blocked[2] telegram"),
    ]


def test_a_single_blocked_word_needs_no_list():
    assert parse({"blocked": "group"}).rules[0].match == SendMatch(chat_type="group")


@pytest.mark.parametrize(
    ("policy", "path"),
    [
        ({"blocked": {"group": True}}, "session.sendPolicy.blocked"),
        ({"blocked": [7]}, "session.sendPolicy.blocked[0]"),
        ({"rules": [{"match": "all"}]}, "session.sendPolicy.rules[0].match"),
        ({"rules": [{"match": {"channel": 7}}]}, "session.sendPolicy.rules[0].match.channel"),
    ],
)
def test_a_prohibition_that_cannot_be_read_is_an_error(policy, path):
    with pytest.raises(ConfigError) as caught:
        parse(policy)
    assert caught.value.path == path
