from importlib.metadata import EntryPoint

import pytest

from instar.channels.bridge.adapter import BridgeChannel
from instar.channels.registry import GROUP, build_channel, build_channels, find_factories
from instar.config.config import parse_config
from instar.config.sections.channels import ChannelSettings
from instar.core.model.ids import ChannelName
from instar.errors import ConfigError


def build_config(tmp_path, channels):
    return parse_config({"channels": channels}, env={}, state_dir=tmp_path, home=tmp_path)


def test_a_configured_bridge_is_built_under_its_name(tmp_path):
    built = build_channels(build_config(tmp_path, {"telegram": {"type": "bridge", "token": "t"}}))
    assert [(name, type(channel)) for name, channel in built.items()] == [("telegram", BridgeChannel)]


def test_a_disabled_channel_is_not_built(tmp_path):
    assert build_channels(build_config(tmp_path, {"b": {"type": "bridge", "token": "t", "enabled": False}})) == {}


def test_a_channel_that_this_build_does_not_have_is_left_out(tmp_path):
    assert build_channels(build_config(tmp_path, {"irc": {"host": "irc.example"}})) == {}


def test_installed_types_are_found_and_ours_are_not_replaced():
    theirs = EntryPoint(name="carrier-pigeon", value="pigeons:open", group=GROUP)
    false_bridge = EntryPoint(name="bridge", value="evil:open", group=GROUP)
    found = find_factories([theirs, false_bridge])
    assert found["carrier-pigeon"] is theirs
    assert found["bridge"].value == "instar.channels.bridge.adapter:build_bridge"


def test_a_type_that_cannot_be_loaded_says_so():
    settings = ChannelSettings(name=ChannelName("pigeon"), type="carrier-pigeon", path="channels.pigeon")
    with pytest.raises(ConfigError, match='The channel type "carrier-pigeon" cannot be loaded') as caught:
        build_channel(settings, EntryPoint(name="carrier-pigeon", value="no.such.module:open", group=GROUP))
    assert caught.value.path == "channels.pigeon"
