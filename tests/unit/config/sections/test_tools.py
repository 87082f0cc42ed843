"""The configuration of sandboxes and tool lists (TYPE-4, TYPE-5, TYPE-7, TYPE-9)."""

from __future__ import annotations

import pytest

from instar.config.sections.tools import parse_sandbox, parse_tools
from instar.core.model.ids import AgentId, ChannelName
from instar.core.policy.tool_patterns import ToolPatterns
from instar.core.policy.tools import SandboxSettings, ToolSettings
from instar.errors import ConfigError

TELEGRAM = ChannelName("telegram")


def test_nothing_configured_sandboxes_nothing_and_allows_everything():
    assert parse_sandbox({}) == SandboxSettings()
    assert parse_tools({}) == ToolSettings()
    assert parse_sandbox({}, channel=TELEGRAM, group_id="-1") == SandboxSettings()


AGENTS = {
    "defaults": {
        "sandbox": {
            "mode": "non-main",
            "scope": "agent",
            "workspaceAccess": "ro",
            "backend": "docker",
            "sessionToolsVisibility": "all",
        },
    },
    "list": [{"id": "a", "sandbox": {"mode": "all", "scope": "shared"}}, {"id": "b", "sandbox": {"scope": None}}],
}


def test_an_agents_own_words_lie_over_those_for_all():
    assert parse_sandbox({"agents": AGENTS}) == SandboxSettings(
        agent="all",
        config="non-main",
        scope="shared",
        workspace_access="ro",
        backend="docker",
        sees_sessions="all",
    )
    other = parse_sandbox({"agents": AGENTS}, agent_id=AgentId("b"))
    assert (other.agent, other.config, other.scope) == (None, "non-main", "agent")


CHANNELS = {
    "tg": {
        "sandbox": {"mode": "all"},
        "tools": {"deny": ["exec"]},
        "groups": {"-1": {"sandbox": {"mode": "off"}, "tools": {"allow": ["exec"]}}, "*": {"tools": {"deny": ["*"]}}},
    }
}


def test_a_group_is_found_by_its_id_else_by_the_star():
    root = {"channels": CHANNELS}
    inside = parse_sandbox(root, channel=TELEGRAM, group_id="telegram:-1")
    assert (inside.group, inside.channel) == ("off", "all")
    assert parse_tools(root, channel=TELEGRAM, group_id="-1").channel == ToolPatterns(allow=("exec",))
    assert parse_tools(root, channel=TELEGRAM, group_id="-2").channel == ToolPatterns(deny=("*",))
    assert parse_tools(root, channel=TELEGRAM).channel == ToolPatterns(deny=("exec",))


def test_lists_are_read_from_every_layer():
    root = {
        "tools": {"allow": ["a"], "sandbox": {"tools": {"deny": ["b"]}}},
        "agents": {"defaults": {"tools": {"deny": ["c"]}}},
    }
    assert parse_tools(root) == ToolSettings(
        config=ToolPatterns(allow=("a",)), sandbox=ToolPatterns(deny=("b",)), agent=ToolPatterns(deny=("c",))
    )


@pytest.mark.parametrize(
    ("root", "path"),
    [
        ({"agents": {"defaults": {"sandbox": {"mode": "main"}}}}, "agents.defaults.sandbox.mode"),
        ({"agents": {"defaults": {"sandbox": {"scope": "all"}}}}, "agents.defaults.sandbox.scope"),
        ({"agents": {"defaults": {"sandbox": {"backend": "vm"}}}}, "agents.defaults.sandbox.backend"),
        ({"channels": {"telegram": {"sandbox": {"mode": 1}}}}, "channels.telegram.sandbox.mode"),
    ],
)
def test_a_wrong_word_is_an_error_that_names_its_path(root, path):
    with pytest.raises(ConfigError) as caught:
        parse_sandbox(root, channel=TELEGRAM)
    assert caught.value.path == path


def test_wrong_lists_are_an_error_that_names_their_path():
    with pytest.raises(ConfigError) as caught:
        parse_tools({"tools": {"deny": "exec"}})
    assert caught.value.path == "tools.deny"
