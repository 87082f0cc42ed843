"""Finding a channel in the configuration whatever it is called there (NORM-2, NORM-3)."""

from __future__ import annotations

import pytest

from instar.config.read import read_whole
from instar.config.sections.channels import find_channel, known_channels
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
