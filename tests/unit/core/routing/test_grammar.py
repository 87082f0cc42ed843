"""Taking keys apart (KEY-1, KEY-16, KEY-17), and what is read from them."""

from __future__ import annotations

import pytest

from instar.core.routing.grammar import (
    ParsedKey,
    is_group_key,
    is_incognito_key,
    is_main_key,
    is_reserved_word,
    is_thread_key,
    parent_key,
    parse_key,
    row_kind,
    strip_agent,
    tool_kind,
)


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        ("main", ParsedKey(type="main")),
        ("agent:main:main:thread:5", ParsedKey(type="main", agent_id="main", thread_id="5")),
        ("agent:work:home", ParsedKey(type="main", agent_id="work")),
        ("unknown", ParsedKey(type="unknown")),
        ("global:thread:5", ParsedKey(type="global", thread_id="5")),
        ("agent:main:global", ParsedKey(type="other", agent_id="main")),
        ("Agent:Main:Direct:Bob", ParsedKey(type="direct", agent_id="main", peer_id="bob")),
        ("agent:main::irc::room:#x:", ParsedKey(type="channel", agent_id="main", channel="irc", peer_id="#x")),
        ("agent:main:direct:group:5", ParsedKey(type="direct", agent_id="main", peer_id="group:5")),
        ("telegram:group:5", ParsedKey(type="group", channel="telegram", peer_id="5")),
        ("agent:main:group:5", ParsedKey(type="other", agent_id="main")),
        ("agent:main:irc:acc:group:5", ParsedKey(type="other", agent_id="main")),
        ("agent:main:irc:direct", ParsedKey(type="other", agent_id="main")),
        ("agent:main:cron", ParsedKey(type="other", agent_id="main")),
        ("agent:main:cron:j:run:r", ParsedKey(type="cron", agent_id="main", peer_id="j:run:r")),
        ("cron:dm:x", ParsedKey(type="cron", peer_id="dm:x")),
        ("agent:main:acp:u", ParsedKey(type="acp", agent_id="main", peer_id="u")),
        ("node:ios", ParsedKey(type="node", peer_id="ios")),
        ("agent:main:node-a:b", ParsedKey(type="node", agent_id="main", peer_id="a:b")),
        ("agent:main:node-", ParsedKey(type="other", agent_id="main")),
        ("agent:main:dashboard:u", ParsedKey(type="other", agent_id="main")),
        ("agent:main:dashboard:direct:u", ParsedKey(type="other", agent_id="main")),
        ("agent:main:explicit:model-run-u", ParsedKey(type="other", agent_id="main")),
        ("telegram:123", ParsedKey(type="other")),
        ("agent:work", ParsedKey(type="other")),
        ("", ParsedKey(type="other")),
        (":thread:5", ParsedKey(type="other")),
        ("agent:thread:main", ParsedKey(type="main", agent_id="thread")),
        ("agent:main:irc:group:x:thread", ParsedKey(type="group", agent_id="main", channel="irc", peer_id="x:thread")),
        (
            "agent:main:irc:group:x:thread:thread",
            ParsedKey(type="group", agent_id="main", channel="irc", peer_id="x", thread_id="thread"),
        ),
        (
            "agent:main:slack:channel:c:thread:1:topic:2",
            ParsedKey(type="channel", agent_id="main", channel="slack", peer_id="c:thread:1", thread_id="2"),
        ),
    ],
)
def test_a_key_is_taken_apart(key, expected):
    assert parse_key(key, main_key="home") == expected


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        ("agent:main:main:thread:5", "agent:main:main"),
        ("telegram:group:-1:topic:9", "telegram:group:-1"),
        (":thread:5", None),
        ("agent:main:thread:5", None),
        ("agent:thread:main", None),
        ("agent:main:irc:group:x:thread:", None),
        ("agent:main:irc:group:x:thread", None),
    ],
)
def test_a_thread_hangs_under_what_stands_before_its_last_marker(key, expected):
    assert parent_key(key) == expected
    assert is_thread_key(key) == (expected is not None)


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        ("agent:main:cron:x", "cron:x"),
        ("cron:x", "cron:x"),
        ("agent:main", "agent:main"),
        ("global", "global"),
    ],
)
def test_the_agent_can_be_taken_off(key, expected):
    assert strip_agent(key) == expected


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        ("agent:main:main", True),
        ("agent:main:home", True),
        ("global", True),
        ("agent:main:main:thread:5", False),
        ("agent:main:direct:main", False),
        ("unknown", False),
    ],
)
def test_only_the_main_session_itself_is_main(key, expected):
    assert is_main_key(key, main_key="home") is expected


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        ("agent:main:telegram:group:5", True),
        ("agent:main:slack:room:5:thread:1", True),
        ("agent:main:group:5", True),
        ("irc:acc:channel:x", True),
        ("agent:main:direct:x:group:y", False),
        ("agent:main:telegram:direct:group:5", False),
        ("agent:main:cron:group:5", False),
        ("agent:main:telegram:group", False),
        ("", False),
    ],
)
def test_a_group_is_told_by_its_kind_word_and_not_by_its_id(key, expected):
    assert is_group_key(key) is expected


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        ("agent:main:incognito-u", True),
        ("incognito-u", True),
        ("agent:main:dashboard:incognito-u", True),
        ("agent:main:irc:direct:incognito-bob", False),
        ("agent:main:direct:incognito-bob", False),
    ],
)
def test_no_id_of_a_platform_makes_a_session_incognito(key, expected):
    assert is_incognito_key(key) is expected


@pytest.mark.parametrize(
    "name",
    ["webchat", "cron", "hook", "node", "subagent", "acp", "main", "global", "unknown", "dashboard", "explicit"],
)
def test_words_of_the_grammar_are_no_names_for_channels(name):
    assert is_reserved_word(name)


@pytest.mark.parametrize("name", ["direct", "dm", "room", "thread", "topic", "agent", "node-red", "incognito-x"])
def test_more_words_that_keys_use_are_reserved(name):
    assert is_reserved_word(name)


@pytest.mark.parametrize("name", ["telegram", "crony", "node_red", "mainframe"])
def test_other_names_are_free(name):
    assert not is_reserved_word(name)


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        ("global", "main"),
        ("agent:main:home", "main"),
        ("agent:main:home:thread:5", "other"),
        ("agent:main:slack:room:c", "group"),
        ("agent:main:telegram:group:1:topic:2", "group"),
        ("agent:main:telegram:direct:1", "other"),
        ("unknown", "other"),
        ("agent:main:acp:u", "other"),
        ("agent:main:node-x", "node"),
    ],
)
def test_session_tools_sort_sessions_into_kinds(key, expected):
    assert tool_kind(key, main_key="home") == expected


@pytest.mark.parametrize(
    ("key", "chat_type", "expected"),
    [
        ("global", None, "global"),
        ("unknown", "group", "unknown"),
        ("agent:main:main", "group", "group"),
        ("agent:main:main", "channel", "group"),
        ("agent:main:main", "direct", "direct"),
        ("agent:main:slack:channel:c", None, "group"),
        ("agent:main:cron:x", None, "direct"),
    ],
)
def test_lists_sort_rows_into_kinds(key, chat_type, expected):
    assert row_kind(key, chat_type=chat_type) == expected
