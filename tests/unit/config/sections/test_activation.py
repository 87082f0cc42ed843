"""The configuration of activation in its spellings (ACT-3…5, ACT-7)."""

from __future__ import annotations

import pytest

from instar.config.sections.activation import parse_activation
from instar.core.model.ids import AgentId, ChannelName
from instar.core.policy.activation import ActivationSettings
from instar.errors import ConfigError

TELEGRAM = ChannelName("telegram")


def parse(**root):
    return parse_activation(root, channel=TELEGRAM)


def test_nothing_configured_says_nothing():
    assert parse() == ActivationSettings()


@pytest.mark.parametrize(
    ("fields", "mode"),
    [
        ({"requireMention": True}, "mention"),
        ({"requireMention": False}, "always"),
        ({"activation": "Command"}, "command"),
        ({"activation": "always", "requireMention": True}, "always"),
        ({}, None),
    ],
)
def test_a_channel_says_a_mode_or_whether_it_needs_a_mention(fields, mode):
    assert parse(channels={"telegram": fields}).channel == mode


def test_groups_are_found_by_id_in_any_spelling():
    groups = {"tg:-100": {"requireMention": False}, "*": {"activation": "mention"}, "-200": {"label": "x"}}
    assert parse(channels={"telegram": {"groups": groups}}).groups == {"-100": "always", "*": "mention"}


def test_types_may_be_called_by_their_aliases_and_their_own_name_wins():
    by_type = {"dm": "mention", "direct": "always", "room": "mention", "crowd": "always", "group": None}
    assert parse(session={"activationByType": by_type}).by_type == {"direct": "always", "channel": "mention"}
    assert parse(session={"activationByType": {"direct": "always", "dm": "mention"}}).by_type == {"direct": "always"}


def test_patterns_come_from_the_agent_else_from_messages_else_from_its_name():
    agents = {"list": [{"id": "a", "groupChat": {"mentionPatterns": ["x"]}}, {"id": "b", "name": "Bee"}]}
    messages = {"groupChat": {"mentionPatterns": ["y"]}}
    root = {"agents": agents, "messages": messages}
    assert parse_activation(root, channel=TELEGRAM, agent_id=AgentId("a")).mention_patterns == ("x",)
    assert parse_activation(root, channel=TELEGRAM, agent_id=AgentId("b")).mention_patterns == ("y",)
    named = parse_activation({"agents": agents}, channel=TELEGRAM, agent_id=AgentId("b"))
    assert named.mention_patterns == (r"(?<!\w)@?Bee(?!\w)",)
    assert parse(agents=agents).mention_patterns == ("x",)


@pytest.mark.parametrize(
    ("root", "limit"),
    [
        ({}, 50),
        ({"messages": {"groupChat": {"historyLimit": 10}}}, 10),
        ({"messages": {"groupChat": {"historyLimit": 10}}, "channels": {"telegram": {"historyLimit": 0}}}, 0),
    ],
)
def test_how_much_context_a_group_keeps(root, limit):
    assert parse(**root).history_limit == limit


@pytest.mark.parametrize(
    ("root", "path"),
    [
        ({"channels": {"telegram": {"activation": "never"}}}, "channels.telegram.activation"),
        ({"channels": {"telegram": {"requireMention": "yes"}}}, "channels.telegram.requireMention"),
        (
            {"channels": {"telegram": {"groups": {"-1": {"activation": 1}}}}},
            "channels.telegram.groups.-1.activation",
        ),
        ({"session": {"activationByType": {"group": "x"}}}, "session.activationByType.group"),
        ({"channels": {"telegram": {"historyLimit": -1}}}, "channels.telegram.historyLimit"),
    ],
)
def test_a_wrong_value_is_an_error_that_names_its_path(root, path):
    with pytest.raises(ConfigError) as caught:
        parse(**root)
    assert caught.value.path == path
