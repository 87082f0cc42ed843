"""Finding a channel in the configuration whatever it is called there (NORM-2, NORM-3)."""

from __future__ import annotations

import pytest

from instar.config.read import read_whole
from instar.config.sections.channels import find_channel, known_channels, parse_channels
from instar.core.model.ids import ChannelName
from instar.errors import ConfigError


def test_a_channel_that_is_not_configured_has_an_empty_object():
    assert find_channel({}, ChannelName("irc")) == ("channels.irc", {})


def test_an_alias_finds_its_channel():
    root = {"channels": {"imsg": {"a": 1}}}
    assert find_channel(root, ChannelName("imessage")) == ("channels.imsg", {"a": 1})


def test_a_name_that_is_no_plain_word_stands_in_brackets():
    path, _ = find_channel({"channels": {"my desk": {}}}, ChannelName("my desk"))
    assert path == 'channels["my desk"]'


def test_configured_channels_are_known():
    known = known_channels({"channels": {"Desk": {}}})
    assert {"desk", "telegram"} <= known


def test_a_whole_number_is_floored_and_has_a_least_value():
    assert read_whole(2.9, "a") == 2
    assert read_whole(None, "a") is None
    with pytest.raises(ConfigError, match="too small"):
        read_whole(0.5, "a", least=1)


# ---------------------------------------------------------------- which channels there are


def configured(channels: dict, **env: str):
    return parse_channels({"channels": channels}, env=env)


def test_a_built_in_channel_is_of_its_own_type():
    found = configured({"TG": {"botToken": "x", "enabled": False}, "defaults": {"x": 1}})
    assert list(found) == ["telegram"]
    channel = found[ChannelName("telegram")]
    assert (channel.type, channel.path, channel.enabled) == ("telegram", "channels.TG", False)
    assert channel.raw["botToken"] == "x"


def test_a_bridge_may_be_called_as_it_likes():
    found = configured(
        {"pigeon-1": {"type": "Bridge", "token": "${T}"}, "telegram": {"type": "bridge", "token": "u"}}, T="t"
    )
    assert {name: (each.type, each.token) for name, each in found.items()} == {
        "pigeon-1": ("bridge", "t"),
        "telegram": ("bridge", "u"),
    }
    assert "token" not in repr(found)


@pytest.mark.parametrize(
    "name",
    ["webchat", "cron", "hook", "node", "subagent", "acp", "main", "global", "unknown", "dashboard", "explicit"],
)
def test_a_bridge_cannot_take_a_word_of_session_keys(name):
    with pytest.raises(ConfigError, match="means something else") as caught:
        configured({name: {"type": "bridge", "token": "t"}})
    assert caught.value.path == f"channels.{name}"
    assert f"my-{name}" in caught.value.fix


def test_a_channel_of_a_type_that_nobody_knows_is_kept():
    found = configured({"nextcloud-talk": {}, "mine": {"type": "pigeon"}, "webchat": {"type": "webchat"}})
    assert [each.type for each in found.values()] == ["nextcloud-talk", "pigeon", "webchat"]


@pytest.mark.parametrize("name", ["Pigeon", "tg", "a:b", "a b", "../x", "", "-x", "x" * 65, "é"])
def test_a_bridge_is_a_plain_word_of_its_own(name):
    with pytest.raises(ConfigError, match="cannot be called"):
        configured({name: {"type": "bridge", "token": "t"}})


@pytest.mark.parametrize("token", [None, "", "${MISSING}"])
def test_a_bridge_needs_a_token(token):
    with pytest.raises(ConfigError, match="has no token"):
        configured({"pigeon": {"type": "bridge", "token": token}})


@pytest.mark.parametrize(
    ("channels", "path"),
    [
        ({"tg": {}, "telegram": {}}, "channels.telegram"),
        ({"telegram": []}, "channels.telegram"),
        ({"telegram": {"enabled": "no"}}, "channels.telegram.enabled"),
        ({"telegram": {"accounts": {"a": 5}}}, "channels.telegram.accounts.a"),
    ],
)
def test_a_channel_that_makes_no_sense_is_told_by_its_path(channels, path):
    with pytest.raises(ConfigError) as caught:
        configured(channels)
    assert caught.value.path == path


def test_accounts_are_kept_by_name():
    channel = configured({"telegram": {"accounts": {"biz": {"botToken": "x"}}}})[ChannelName("telegram")]
    assert channel.accounts == {"biz": {"botToken": "x"}}
