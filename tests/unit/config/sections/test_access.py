"""`channels.<name>` and `commands` become the settings of access (LEAK-2, CMD-35)."""

from __future__ import annotations

import pytest

from instar.config.sections.access import parse_access
from instar.core.model.ids import ChannelName
from instar.core.policy.access import NOBODY
from instar.errors import ConfigError

TELEGRAM = ChannelName("telegram")


def parse(channels=None, commands=None, channel=TELEGRAM):
    return parse_access({"channels": channels, "commands": commands}, channel=channel)


def test_an_unconfigured_channel_waits_for_pairing():
    access = parse()
    assert (access.dm_policy, access.group_policy) == ("pairing", "pairing")
    assert (access.allow_from, access.group_allow_from, access.owner_allow_from) == (NOBODY, NOBODY, NOBODY)
    assert access.path == "channels.telegram"


def test_policies_and_lists_are_read():
    access = parse(
        {"telegram": {"dmPolicy": "Open", "groupPolicy": "disabled", "allowFrom": [7, " 8 "], "groupAllowFrom": ["*"]}}
    )
    assert (access.dm_policy, access.group_policy) == ("open", "off")
    assert access.allow_from.people == {"7", "8"}
    assert access.group_allow_from.everybody


def test_another_spelling_of_the_channel_is_the_same_channel():
    access = parse({"TG": {"dmPolicy": "open"}})
    assert (access.dm_policy, access.path) == ("open", "channels.TG")


def test_the_channels_own_name_beats_its_alias():
    assert parse({"tg": {"dmPolicy": "open"}, "telegram": {"dmPolicy": "off"}}).dm_policy == "off"


def test_the_nested_form_of_openclaw_is_read_where_the_flat_one_is_absent():
    access = parse({"telegram": {"dm": {"policy": "open", "allowFrom": ["7"]}}})
    assert (access.dm_policy, access.allow_from.people) == ("open", {"7"})
    flat = parse(
        {
            "telegram": {"dmPolicy": "off", "allowFrom": [], "dm": {"policy": "open", "allowFrom": ["7"]}},
        }
    )
    assert (flat.dm_policy, flat.allow_from) == ("off", NOBODY)


def test_command_lists_hold_for_all_channels_or_by_channel():
    commands = {"allowFrom": ["7", "discord:9"], "ownerAllowFrom": ["telegram:8"]}
    access = parse(commands=commands)
    assert access.command_allow_from.people == {"7"}
    assert access.owner_allow_from.people == {"8"}
    by_channel = parse(commands={"allowFrom": {"*": ["1"], "tg": ["2"], "discord": ["3"]}})
    assert by_channel.command_allow_from.people == {"1", "2"}


def test_a_configured_channel_is_a_known_prefix():
    access = parse({"desk": {}}, {"ownerAllowFrom": ["desk:7"]}, channel=ChannelName("whatsapp"))
    assert access.owner_allow_from.people == frozenset()


@pytest.mark.parametrize(
    ("channels", "path"),
    [
        ({"telegram": {"dmPolicy": "public"}}, "channels.telegram.dmPolicy"),
        ({"telegram": {"groupPolicy": 5}}, "channels.telegram.groupPolicy"),
        ({"telegram": {"allowFrom": "7"}}, "channels.telegram.allowFrom"),
        ({"telegram": {"groupAllowFrom": [True]}}, "channels.telegram.groupAllowFrom[0]"),
        ({"telegram": 5}, "channels.telegram"),
        ({"telegram": {"dm": {"policy": "x"}}}, "channels.telegram.dm.policy"),
    ],
)
def test_a_wrong_value_is_an_error_that_names_its_path(channels, path):
    with pytest.raises(ConfigError) as caught:
        parse(channels)
    assert caught.value.path == path
