"""Settings that are never meant together, and slips that no type shows (WHY-5)."""

from __future__ import annotations

from pathlib import Path

import pytest

from instar.config.load import parse_text, refuse_unsafe
from instar.errors import ConfigError


def findings(text: str) -> dict[str, tuple[str, str]]:
    """Path to code and severity of what the lint notices; what `check` notices is left out."""
    loaded = parse_text(text, env={"T": "t"}, home=Path("/house"), thorough=False)
    return {each.path: (each.code, each.severity) for each in loaded.warnings}


CLEAN = [
    "{}",
    "{channels: {irc: {}}}",
    '{session: {dmScope: "per-channel-peer"}, channels: {irc: {dmPolicy: "open", groupPolicy: "open"}}}',
    '{channels: {irc: {dmPolicy: "open", enabled: false}}}',
    '{channels: {irc: {dmPolicy: "allowlist", allowFrom: ["bob"]}}}',
    """{channels: {irc: {dmPolicy: "open"}},
        bindings: [{match: {channel: "irc", accountId: "*"}, session: {dmScope: "per-peer"}}]}""",
    '{session: {dmScope: "per-peer"}, channels: {irc: {}, slack: {dmPolicy: "off"}}}',
    '{session: {identityLinks: {alice: ["telegram:1", "@a:example.org", "5"], bob: ["irc:2"]}}}',
    """{channels: {pigeon: {type: "bridge", token: "${T}"}},
        session: {identityLinks: {a: ["pigeon:1"]}, resetByChannel: {pigeon: {}}}}""",
    """{agents: {list: [{id: "a b"}]},
        bindings: [{agentId: "A B", match: {channel: "tg", peer: {kind: "group", id: "*"}}}]}""",
    '{session: {reset: {mode: "idle", idleMinutes: 5}, resetByType: {dm: {mode: "none"}}}}',
    """{sendPolicy: {default: "deny",
        rules: [{match: {channel: "tg", chatType: "dm", keyPrefix: "telegram:direct:"}}]}}""",
    '{session: {sendPolicy: {blocked: ["group", "cron", "telegram", "room", "agent:main:telegram:"]}}}',
]


@pytest.mark.parametrize("text", CLEAN)
def test_what_makes_sense_is_not_complained_about(text):
    assert findings(text) == {}


CRITICAL = [
    ('{channels: {irc: {dmPolicy: "open"}}}', "channels.irc.dmPolicy", "open-main"),
    (
        '{dmScope: "main", channels: {irc: {dmPolicy: "open", allowFrom: ["bob"]}}}',
        "channels.irc.dmPolicy",
        "open-main",
    ),
    ('{channels: {irc: {dmPolicy: "allowlist", allowFrom: ["*"]}}}', "channels.irc.dmPolicy", "open-main"),
    (
        """{dmScope: "per-peer", bindings: [{match: {channel: "irc"}, session: {dmScope: "main"}}],
            channels: {irc: {dmPolicy: "open"}}}""",
        "channels.irc.dmPolicy",
        "open-main",
    ),
    (
        '{session: {groupScope: "main"}, channels: {irc: {groupPolicy: "open"}}}',
        "channels.irc.groupPolicy",
        "open-group-main",
    ),
    ('{identityLinks: {alice: ["telegram:1", "pigeon:5"]}}', "session.identityLinks.alice", "unknown-channel-in-link"),
    (
        '{identityLinks: [{name: "x", ids: ["1"]}, {ids: ["pigeon:5"]}]}',
        "session.identityLinks[1]",
        "unknown-channel-in-link",
    ),
    ('{identityLinks: {alice: ["irc:1"], Alice: ["irc:2"]}}', "session.identityLinks.Alice", "same-person-twice"),
    ('{sendPolicy: {blocked: ["pigeon"]}}', "session.sendPolicy.blocked[0]", "dead-deny-rule"),
    (
        '{sendPolicy: {rules: [{action: "deny", match: {keyPrefix: "telegram:dm:"}}]}}',
        "session.sendPolicy.rules[0]",
        "dead-deny-rule",
    ),
    (
        '{sendPolicy: {rules: [{action: "deny", match: {rawKeyPrefix: "cron:"}}]}}',
        "session.sendPolicy.rules[0]",
        "dead-deny-rule",
    ),
    (
        '{sendPolicy: {rules: [{action: "deny", match: {chatType: "crowd"}}]}}',
        "session.sendPolicy.rules[0]",
        "dead-deny-rule",
    ),
    (
        '{sendPolicy: {rules: [{action: "deny", match: {chatType: "group", keyPrefix: "cron:"}}]}}',
        "session.sendPolicy.rules[0]",
        "dead-deny-rule",
    ),
    (
        '{agents: {list: [{id: "a"}]}, sendPolicy: {rules: [{action: "deny", match: {keyPrefix: "agent:b:"}}]}}',
        "session.sendPolicy.rules[0]",
        "dead-deny-rule",
    ),
]


@pytest.mark.parametrize(("text", "path", "code"), CRITICAL)
def test_what_is_never_meant_is_found_and_refused(text, path, code):
    assert findings(text)[path] == (code, "critical")
    loaded = parse_text(text, file="f", env={}, home=Path("/house"))
    with pytest.raises(ConfigError) as caught:
        refuse_unsafe(loaded)
    assert (caught.value.path, caught.value.file) == (path, "f")
    assert caught.value.line is not None
    assert caught.value.fix


@pytest.mark.parametrize(("text", "path", "code"), CRITICAL[:1])
def test_what_is_never_meant_may_be_allowed(text, path, code):
    loaded = parse_text(text, env={}, home=Path("/"))
    refuse_unsafe(loaded, allow_unsafe=True)
    refuse_unsafe(parse_text(f"{text[:-1]}, gateway: {{allowUnsafe: true}}}}", env={}, home=Path("/")))
    refuse_unsafe(parse_text("{}", env={}, home=Path("/")))


WARNINGS = [
    ("{channels: {pigeon: {}}}", "channels.pigeon", "unknown-channel-type"),
    ('{channels: {irc: {dmPolicy: "allowlist"}}}', "channels.irc.allowFrom", "empty-allowlist"),
    ('{dmScope: "per-peer", channels: {irc: {}, slack: {}}}', "session.dmScope", "peers-of-many-channels"),
    ("{identityLinks: {a: ['irc:1', 5]}}", "session.identityLinks.a", "skipped-link"),
    ("{identityLinks: [{name: 'a', ids: 'irc:1'}]}", "session.identityLinks[0]", "skipped-link"),
    ("{bindings: [{match: {}}]}", "bindings[0].match", "dead-binding"),
    ("{bindings: [{match: {channel: 'irc', peer: {kind: 'group'}}}]}", "bindings[0].match", "dead-binding"),
    ("{bindings: [{match: {channel: 'pigeon'}}]}", "bindings[0].match.channel", "dead-binding"),
    (
        "{agents: {list: [{id: 'a'}]}, bindings: [{agentId: 'b', match: {channel: 'irc'}}]}",
        "bindings[0].agentId",
        "unknown-agent",
    ),
    ("{session: {reset: {mode: 'off', idleMinutes: 5}}}", "session.reset", "reset-without-effect"),
    ("{resetByChannel: {irc: {mode: 'none', atHour: 4}}}", "session.resetByChannel.irc", "reset-without-effect"),
    ("{resetByChannel: {pigeon: {}}}", "session.resetByChannel.pigeon", "unknown-channel"),
    ("{sendPolicy: {rules: [{match: {keyPrefix: 'zebra:'}}]}}", "session.sendPolicy.rules[0]", "dead-allow-rule"),
]


@pytest.mark.parametrize(("text", "path", "code"), WARNINGS)
def test_a_likely_mistake_is_told_and_not_refused(text, path, code):
    assert findings(text) == {path: (code, "warning")}
    refuse_unsafe(parse_text(text, env={}, home=Path("/")))


def test_a_mirror_in_a_directory_of_openclaw_is_told_and_not_used():
    text = '{session: {store: "~/.openclaw/agents/{agentId}/sessions/sessions.json"}}'
    assert findings(text) == {"session.store": ("foreign-store", "warning")}


@pytest.mark.parametrize(("key_file", "is_told"), [("master.key", True), ("keys/master.key", True), ("/keys/a", False)])
def test_a_master_key_beside_what_it_locks(key_file, is_told):
    found = findings(f'{{session: {{encryption: {{enabled: true, keyFile: "{key_file}"}}}}}}')
    assert (found == {"session.encryption.keyFile": ("key-beside-store", "warning")}) is is_told
