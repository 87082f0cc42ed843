"""Which tools a session may use, and where they run (TYPE-1…10)."""

from __future__ import annotations

import pytest

from instar.core.model.decision import Decision
from instar.core.model.ids import AccountId, AgentId, ChannelName, SessionKey
from instar.core.model.setting import Setting
from instar.core.policy.tool_patterns import ToolPatterns
from instar.core.policy.tools import (
    SandboxSettings,
    Speaker,
    ToolSettings,
    build_refused_text,
    decide_elevation,
    decide_sandbox,
    decide_tool,
    decide_tool_place,
    describe_runtime,
    may_see_session,
    resolve_policy_key,
    sandbox_name,
)
from instar.core.routing.key import KeySettings

MAIN = SessionKey("agent:main:main")
DIRECT = SessionKey("agent:main:telegram:direct:7")
AGENT = AgentId("main")


def speaker(**fields):
    told = {
        "channel": ChannelName("telegram"),
        "account_id": AccountId("default"),
        "chat_type": "direct",
        "peer_id": "U7",
        "is_owner": False,
    }
    return Speaker(**(told | fields))


# --- whose tools ------------------------------------------------------------------------------------------------------


def policy_key(key, who, **keys):
    return resolve_policy_key(key, agent_id=AGENT, keys=KeySettings(**keys), speaker=who)


def test_a_stranger_in_the_main_session_has_the_tools_of_a_session_of_their_own():
    assert policy_key(MAIN, speaker()) == "agent:main:telegram:default:direct:u7"
    assert policy_key(SessionKey("global"), speaker(), scope="global") == "agent:main:telegram:default:direct:u7"
    assert policy_key(MAIN, speaker(peer_id="")) == "agent:main:telegram:default:direct:unknown"
    group = speaker(chat_type="group", chat_id="-100")
    assert policy_key(MAIN, group, group_scope="main") == "agent:main:telegram:group:-100"
    assert (group.group_id, speaker(chat_id="U7").group_id) == ("-100", "")


@pytest.mark.parametrize(
    ("key", "who"),
    [(MAIN, None), (MAIN, speaker(is_owner=True)), (DIRECT, speaker())],
    ids=["nobody", "owner", "own session"],
)
def test_everybody_else_has_the_tools_of_the_session(key, who):
    assert policy_key(key, who) == key


# --- the sandbox ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("settings", "key", "sandboxed", "source"),
    [
        (SandboxSettings(), MAIN, False, "default"),
        (SandboxSettings(config="all"), MAIN, True, "config"),
        (SandboxSettings(config="non-main"), MAIN, False, "config"),
        (SandboxSettings(config="non-main"), DIRECT, True, "config"),
        (SandboxSettings(config="non-main"), SessionKey("agent:main:home"), False, "config"),
        (SandboxSettings(config="off", agent="all"), DIRECT, True, "agent"),
        (SandboxSettings(agent="all", channel="off"), DIRECT, False, "channel"),
        (SandboxSettings(channel="off", group="all"), DIRECT, True, "channel"),
    ],
)
def test_the_sandbox_is_a_matter_of_the_most_exact_layer(settings, key, sandboxed, source):
    found = decide_sandbox(settings, policy_key=key, main_key="home")
    assert (found.value, found.source) == (sandboxed, source)


@pytest.mark.parametrize("override", [True, False])
def test_the_session_decides_first(override):
    found = decide_sandbox(SandboxSettings(group="all"), policy_key=MAIN, main_key="main", override=override)
    assert (found.value, found.source) == (override, "session")


def test_a_sandbox_is_shared_by_a_session_an_agent_or_all():
    names = [sandbox_name(scope, key=DIRECT, agent_id=AGENT) for scope in ("session", "agent", "shared")]
    assert names == [DIRECT, "agent:main", "shared"]


IN = Setting(value=True, source="agent")
OUT = Setting(value=False, source="default")


@pytest.mark.parametrize(
    ("sandbox", "touches", "available", "elevated", "place", "rule"),
    [
        (OUT, True, False, "off", "host", "TYPE-5"),
        (OUT, True, False, "on", "host", "TYPE-5"),
        (IN, False, False, "off", "host", "TYPE-5"),
        (IN, True, True, "off", "sandbox", "TYPE-8"),
        (IN, True, False, "off", "refuse", "TYPE-8"),
        (IN, True, True, "on", "host", "CMD-28"),
        (IN, True, False, "ask", "host", "CMD-28"),
    ],
)
def test_what_must_be_sandboxed_never_falls_back_to_the_host(sandbox, touches, available, elevated, place, rule):
    placing = decide_tool_place(sandbox, touches_host=touches, sandbox_available=available, elevated=elevated)
    assert (placing.place, placing.rule) == (place, rule)


def test_a_refused_tool_says_why_and_leaves_a_record():
    placing = decide_tool_place(IN, touches_host=True, sandbox_available=False)
    assert placing.as_decision("exec") == Decision(
        kind="tool", outcome="refuse", rule="TYPE-8", inputs={"tool": "exec", "source": "agent", "elevated": "off"}
    )
    text = build_refused_text("exec", SandboxSettings(backend="docker"))
    assert "exec was not run" in text
    assert "docker" in text
    assert "Nothing was run on the host" in text


@pytest.mark.parametrize(
    ("held", "is_owner", "level"),
    [("off", True, "off"), ("full", True, "full"), ("full", False, "off"), ("sideways", True, "off")],
)
def test_elevated_tools_are_for_messages_of_an_owner(held, is_owner, level):
    assert decide_elevation(held, is_owner=is_owner) == level


@pytest.mark.parametrize(
    ("settings", "sandbox", "available", "told"),
    [
        (SandboxSettings(), OUT, False, "direct (sandbox off)"),
        (SandboxSettings(config="non-main"), OUT, True, "direct (sandbox non-main)"),
        (SandboxSettings(group="all", backend="docker"), IN, True, "docker (sandbox all)"),
        (SandboxSettings(config="all"), Setting(value=False, source="session"), True, "direct (sandbox set here)"),
        (
            SandboxSettings(agent="all"),
            IN,
            False,
            "bubblewrap (sandbox all; it cannot start here, so tools that touch the host fail)",
        ),
    ],
)
def test_people_are_told_where_tools_run(settings, sandbox, available, told):
    assert describe_runtime(settings, sandbox, sandbox_available=available) == told


# --- lists of tools ---------------------------------------------------------------------------------------------------


def only(*names):
    return ToolPatterns(allow=names)


def no(*names):
    return ToolPatterns(deny=names)


@pytest.mark.parametrize(
    ("settings", "sandboxed", "refused_by"),
    [
        (ToolSettings(), True, None),
        (ToolSettings(config=no("exec")), False, "config"),
        (ToolSettings(config=only("exec"), agent=only("read")), False, "agent"),
        (ToolSettings(channel=no("ex*"), agent=only("exec")), False, "channel"),
        (ToolSettings(sandbox=no("exec")), True, "sandbox"),
        (ToolSettings(sandbox=no("exec")), False, None),
        (ToolSettings(channel=only("exec"), agent=only("e*"), config=no("read"), sandbox=only("exec")), True, None),
    ],
)
def test_a_tool_must_pass_every_layer(settings, sandboxed, refused_by):
    decided = decide_tool("exec", settings, sandboxed=sandboxed)
    assert (decided.allowed, decided.source) == (refused_by is None, refused_by)


# --- sight ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("settings", "sandboxed", "target", "sees"),
    [
        (SandboxSettings(), False, MAIN, True),
        (SandboxSettings(), True, MAIN, False),
        (SandboxSettings(), True, DIRECT, True),
        (SandboxSettings(), True, SessionKey("agent:main:subagent:1"), True),
        (SandboxSettings(sees_sessions="all"), True, MAIN, True),
    ],
)
def test_a_sandboxed_session_sees_itself_and_what_it_spawned(settings, sandboxed, target, sees):
    spawned = [SessionKey("agent:main:subagent:1")]
    assert may_see_session(settings, sandboxed=sandboxed, caller=DIRECT, target=target, spawned=spawned) is sees
