"""The configuration of history limits (HIST-1, HIST-2, HIST-6)."""

from __future__ import annotations

import pytest

from instar.config.aliases import apply_aliases
from instar.config.sections.history import parse_dm_history, parse_history
from instar.core.context.limits import HistorySettings


def test_nothing_configured_is_no_limit():
    assert parse_history({}) == HistorySettings()


def test_limits_are_read_also_where_they_stand_bare():
    root = apply_aliases({"maxMessages": 100, "session": {"maxTokens": 50_000.9, "compaction": "summarize"}})

    assert parse_history(root) == HistorySettings(max_messages=100, max_tokens=50_000)


@pytest.mark.parametrize("value", [0, -5, 0.5, "100", True, None, [], float("inf")])
def test_what_is_no_positive_number_is_no_limit(value):
    assert parse_history({"session": {"maxMessages": value}}).max_messages is None


@pytest.mark.parametrize(
    ("word", "strategy"),
    [
        ("summarize", "summarize"),
        ("summarise", "summarize"),
        ("summary", "summarize"),
        ("Truncate", "truncate"),
        (" drop ", "truncate"),
        ("off", "off"),
        ("none", "off"),
        ("banana", "summarize"),
        (5, "summarize"),
        (None, "summarize"),
    ],
)
def test_strategy_has_several_words_and_unknown_ones_summarise(word, strategy):
    assert parse_history({"session": {"compaction": word}}).strategy == strategy


def test_user_turns_of_direct_chats_are_limited_by_channel_and_by_peer():
    limits = parse_dm_history(
        {
            "channels": {
                "tg": {"dmHistoryLimit": 5},
                "telegram": {
                    "dmHistoryLimit": 10,
                    "dms": {"TG:42": {"historyLimit": 3}, "7": {"historyLimit": 0}, "8": {}},
                },
                "whatsapp": {"dms": {"491701234567": {"historyLimit": 2}}},
                "irc": {},
            }
        }
    )

    assert limits.get("telegram", "1") == 10
    assert limits.get("telegram", "42") == 3
    assert limits.get("telegram", "7") is None
    assert limits.get("telegram", "8") == 10
    assert limits.get("whatsapp", "+491701234567") == 2
    assert limits.get("irc", "1") is None


def test_limit_of_a_hidden_whatsapp_id_holds_for_its_phone_number():
    limits = parse_dm_history(
        {
            "channels": {
                "whatsapp": {"lidNumbers": {"99@lid": "+491701234567"}, "dms": {"99@LID": {"historyLimit": 2}}},
            }
        }
    )
    assert limits.get("whatsapp", "+491701234567") == 2


def test_channel_limit_that_is_no_positive_number_is_none():
    assert parse_dm_history({"channels": {"irc": {"dmHistoryLimit": -1}}}).get("irc", "1") is None
