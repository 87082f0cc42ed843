"""Sessions that other sessions start gain no rights by it (SESSTOOL-9, TYPE-4, TYPE-9)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from instar.core.model.ids import AgentId, SessionKey
from instar.core.model.setting import Setting
from instar.core.policy.spawn import MAX_SPAWN_DEPTH, SpawnParent, decide_spawn, decide_spawned_tool, inherit_sandbox
from instar.core.policy.tool_patterns import ToolPatterns
from instar.core.policy.tools import SandboxSettings, ToolSettings, decide_sandbox, decide_tool, decide_tool_place

MAIN, WORK = AgentId("main"), AgentId("work")


@pytest.mark.parametrize(
    ("parent", "max_depth", "depth", "why"),
    [
        (SpawnParent(agent_id=MAIN), MAX_SPAWN_DEPTH, 1, ""),
        (SpawnParent(agent_id=MAIN, depth=1, spawner=MAIN), 1, 2, "it would be 2 deep and maxSpawnDepth is 1"),
        (SpawnParent(agent_id=MAIN, depth=1, spawner=MAIN), 2, 2, ""),
        (SpawnParent(agent_id=WORK, depth=1, spawner=MAIN), 5, 2, "sub-agent of work that main started"),
    ],
)
def test_sub_agents_start_others_down_to_the_depth_that_is_set(parent, max_depth, depth, why):
    decided = decide_spawn(parent, max_depth=max_depth)
    assert (decided.allowed, decided.depth, decided.rule) == (not why, depth, "SESSTOOL-9")
    assert why in decided.why


NAMES = st.sampled_from(["exec", "read", "look"])
PATTERNS = st.builds(
    ToolPatterns, allow=st.none() | st.lists(NAMES, max_size=2).map(tuple), deny=st.lists(NAMES, max_size=2).map(tuple)
)
LISTS = st.builds(
    ToolSettings,
    channel=st.none() | PATTERNS,
    agent=st.none() | PATTERNS,
    config=st.none() | PATTERNS,
    sandbox=st.none() | PATTERNS,
)
MODES = st.sampled_from([None, "off", "non-main", "all"])
SANDBOXES = st.builds(SandboxSettings, channel=MODES, agent=MODES, config=MODES)
OVERRIDES = st.sampled_from([None, True, False])
PARENTS = st.sampled_from(["agent:main:main", "agent:main:telegram:direct:7", "agent:main:telegram:group:g"])
CHILD = SessionKey("agent:main:subagent:1")


@given(parent=SANDBOXES, child=SANDBOXES, key=PARENTS, theirs=OVERRIDES, own=OVERRIDES, available=st.booleans())
def test_a_started_session_is_in_a_sandbox_wherever_its_parent_is(parent, child, key, theirs, own, available):
    above = decide_sandbox(parent, policy_key=SessionKey(key), main_key="main", override=theirs)
    below = inherit_sandbox(decide_sandbox(child, policy_key=CHILD, main_key="main", override=own), above)
    assert below.value or not above.value
    places = [
        decide_tool_place(setting, touches_host=True, sandbox_available=available).place for setting in (above, below)
    ]
    assert places[0] == "host" or places[1] != "host"
    assert inherit_sandbox(below, below) == below


@given(name=NAMES, own=LISTS, parent=LISTS, sandboxed=st.booleans())
def test_a_started_session_has_no_tool_that_its_parent_has_not(name, own, parent, sandboxed):
    decided = decide_spawned_tool(name, own, parent, sandboxed=sandboxed)
    mine, theirs = (decide_tool(name, lists, sandboxed=sandboxed) for lists in (own, parent))
    assert decided.allowed is (mine.allowed and theirs.allowed)
    assert decided == (theirs if mine.allowed else mine)


def test_its_own_word_counts_before_its_parents():
    own, parent = Setting(value=True, source="session"), Setting(value=True, source="config")
    assert inherit_sandbox(own, parent) == own
    assert inherit_sandbox(Setting(value=False, source="session"), parent) == parent
