"""The agents and their defaults (CFG-10, CFG-13)."""

from __future__ import annotations

import pytest

from instar.config.sections.agents import ModelChoice, parse_agents
from instar.errors import ConfigError


def parse(agents: object):
    return parse_agents({"agents": agents})


def test_without_a_list_there_is_one_agent():
    agents = parse({"defaults": {"model": "a/b"}})
    assert ([agent.id for agent in agents.all], agents.default_id, agents.is_listed) == (["main"], "main", False)
    assert agents.get("main").model == ModelChoice(primary="a/b")


@pytest.mark.parametrize(
    ("agents", "default"),
    [
        ({"list": [{"id": "a"}, {"id": "b"}]}, "a"),
        ({"list": [{"id": "a"}, {"id": "b", "default": True}, {"id": "c", "default": True}]}, "b"),
        ({"entries": {"a": {}, "b": {"default": True}}}, "b"),
        ({"list": [{"id": "A b"}], "entries": {"c": None}}, "a-b"),
    ],
)
def test_the_default_agent_says_so_or_is_the_first(agents, default):
    parsed = parse(agents)
    assert parsed.default_id == default
    assert parsed.is_listed


def test_an_agent_that_is_not_there_is_the_default_one():
    assert parse({"list": [{"id": "a"}]}).get("ghost").id == "a"


def test_an_agent_has_from_the_defaults_what_it_does_not_say():
    agents = parse(
        {
            "defaults": {"model": "p/m", "workspace": "~/w", "systemPrompt": "Be kind."},
            "list": [
                {"id": "a", "model": {"primary": "p/n", "fallbacks": ["p/m"]}, "workspace": None},
                {
                    "id": "b",
                    "name": "Bea",
                    "identity": {"name": "x", "emoji": "🦋"},
                    "groupChat": {"mentionPatterns": ["bea"]},
                },
                {"id": "c", "identity": {"name": "Cee"}},
            ],
        }
    )
    a, b, c = agents.all
    assert a.model == ModelChoice(primary="p/n", fallbacks=("p/m",))
    assert (a.workspace, a.system_prompt) == ("~/w", "Be kind.")
    assert (b.name, b.emoji, b.mention_patterns, b.model.primary) == ("Bea", "🦋", ("bea",), "p/m")
    assert (c.name, c.emoji) == ("Cee", None)


@pytest.mark.parametrize(
    ("agents", "path"),
    [
        ([], "agents"),
        ({"list": {}}, "agents.list"),
        ({"list": ["a"]}, "agents.list[0]"),
        ({"list": [{}]}, "agents.list[0]"),
        ({"list": [{"id": 5}]}, "agents.list[0].id"),
        ({"list": [{"id": "a"}, {"id": "A"}]}, "agents.list[1]"),
        ({"list": [{"id": "a"}], "entries": {"a": {}}}, "agents.entries.a"),
        ({"entries": {"a b": 5}}, 'agents.entries["a b"]'),
        ({"defaults": {"model": 5}}, "agents.defaults.model"),
        ({"list": [{"id": "a", "model": {"primary": 5}}]}, "agents.list[0].model.primary"),
        ({"list": [{"id": "a", "default": "yes"}]}, "agents.list[0].default"),
        ({"defaults": []}, "agents.defaults"),
    ],
)
def test_what_cannot_be_used_is_told_by_its_path(agents, path):
    with pytest.raises(ConfigError) as caught:
        parse(agents)
    assert caught.value.path == path


@pytest.mark.parametrize(("written", "depth"), [(None, 1), (3, 3), (5, 5), (9, 5)])
def test_sub_agents_go_as_deep_as_is_written_and_never_deeper_than_five(written, depth):
    assert parse({"defaults": {"subagents": {"maxSpawnDepth": written}}}).get("main").max_spawn_depth == depth
