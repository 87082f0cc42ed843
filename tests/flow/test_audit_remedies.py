"""Every remedy of the security audit is pasted into a shell, and the finding is gone (AUDIT-1)."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from instar.config.load import load_config
from instar.core.policy.audit_facts import AuditFinding
from instar.stores.audit import StoreAuditor

TOKEN = "a-token-of-some-length-for-tests"
LONG = {"gateway": {"auth": {"token": "x" * 40}}}


def bridge(**fields: object) -> dict[str, object]:
    return {"type": "bridge", "token": TOKEN, **fields}


def hooks(**fields: object) -> dict[str, object]:
    return {"hooks": {"enabled": True, "token": "${HOOKS_TOKEN}", "defaultSessionKey": "hook:in", **fields}}


APART = {"session": {"dmScope": "per-channel-peer"}}
MULTI = "security.trust_model.multi_user_heuristic"

CASES: dict[str, dict[str, object]] = {
    "channels.telegram.dm.scope_main_multiuser": {
        "channels": {"telegram": bridge(dmPolicy="allowlist", allowFrom=["ann", "bob"])}
    },
    "channels.telegram.dm.open": {**APART, "channels": {"telegram": bridge(dmPolicy="open")}},
    "channels.telegram.dm.open_invalid": {
        **APART,
        "channels": {"telegram": bridge(dmPolicy="open", allowFrom=["ann"])},
    },
    "channels.my-chat.token_too_short": {"channels": {"my-chat": bridge(token="short")}},
    "channels.telegram.token_reuse_gateway_token": {
        "channels": {"telegram": bridge(token="x" * 40)},
    },
    "security.trust_model.group_scope_main": {
        "bindings": [
            {"agentId": "main", "match": {"channel": "telegram"}, "session": {"groupScope": "main"}},
        ],
        "channels": {"telegram": bridge()},
    },
    MULTI: {
        **APART,
        "security": {"audit": {"suppressions": ["channels.telegram.dm.disabled"]}},
        "channels": {"telegram": bridge(groupPolicy="open")},
    },
    "gateway.token_too_short": {"gateway": {"auth": {"token": "short"}}},
    "gateway.loopback_no_auth": {"gateway": {"auth": {"mode": "password"}}},
    "gateway.bind_no_auth": {"gateway": {"auth": {"mode": "password"}, "bind": "lan"}},
    "logging.redact_off": {"logging": {"redactSensitive": "off"}},
    "hooks.token_too_short": hooks(token="${SHORT_TOKEN}"),
    "hooks.token_reuse_gateway_token": hooks(token="${GATEWAY_TOKEN}"),
    "hooks.path_root": hooks(path="/"),
    "hooks.default_session_key_unset": {"hooks": {"enabled": True, "token": "${HOOKS_TOKEN}"}},
    "hooks.request_session_key_enabled": hooks(allowRequestSessionKey=True, allowedSessionKeyPrefixes=["hook:"]),
    "hooks.request_session_key_prefixes_missing": hooks(allowRequestSessionKey=True),
    "config.secrets.hooks_token_in_config": hooks(token="written-into-the-file-itself"),
    "config.open-main": {"channels": {"telegram": bridge(dmPolicy="open")}},
    "config.open-group-main": {
        "session": {"groupScope": "main"},
        "channels": {"telegram": bridge(groupPolicy="open")},
    },
    "config.peers-of-many-channels": {
        "session": {"dmScope": "per-peer"},
        "channels": {"telegram": bridge(), "slack": bridge()},
    },
    "config.empty-allowlist": {"channels": {"telegram": bridge(dmPolicy="allowlist")}},
    "config.unknown-channel-type": {"channels": {"chatter": {"token": TOKEN}}},
    "config.same-person-twice": {
        "session": {"identityLinks": {"Ann": ["telegram:1"], "ann": ["telegram:2"]}},
        "channels": {"telegram": bridge()},
    },
    "config.unknown-channel-in-link": {"session": {"identityLinks": {"ann": ["telegramm:1"]}}},
    "config.skipped-link": {"session": {"identityLinks": {"ann": [5]}}},
    "config.dead-binding": {"bindings": [{"agentId": "main", "match": {"channel": "nowhere"}}]},
    "config.unknown-agent": {
        "bindings": [{"agentId": "nobody", "match": {"channel": "telegram"}}],
        "agents": {"list": [{"id": "main"}]},
        "channels": {"telegram": bridge()},
    },
    "config.reset-without-effect": {"session": {"reset": {"mode": "none", "idleMinutes": 5}}},
    "config.unknown-channel": {"session": {"resetByChannel": {"telegramm": {"mode": "daily"}}}},
    "config.dead-deny-rule": {
        "session": {
            "sendPolicy": {"default": "allow", "rules": [{"action": "deny", "match": {"channel": "telegramm"}}]}
        }
    },
    "config.dead-allow-rule": {
        "session": {
            "sendPolicy": {"default": "deny", "rules": [{"action": "allow", "match": {"channel": "telegramm"}}]}
        }
    },
}
"""A configuration for each finding that a configuration can have."""

ENVIRONMENT = {
    "HOOKS_TOKEN": "h" * 40,
    "SHORT_TOKEN": "short",
    "GATEWAY_TOKEN": "x" * 40,
    "INSTAR_HOOKS_TOKEN": "i" * 40,
}


def look_at_all(file: Path, state: Path) -> tuple[AuditFinding, ...]:
    env = {**ENVIRONMENT, "INSTAR_STATE_DIR": str(state)}
    loaded = load_config(file, env=env, home=state, thorough=False)
    return asyncio.run(StoreAuditor(lambda: loaded.config, file, env=env).audit(is_deep=False)).findings


def look(file: Path, state: Path) -> dict[str, AuditFinding]:
    return {one.check_id: one for one in look_at_all(file, state)}


VARIANTS = [
    *CASES.items(),
    ("channels.telegram.dm.open_invalid", {"channels": {"telegram": bridge(dmPolicy="open", allowFrom=["ann"])}}),
    ("security.trust_model.group_scope_main", {"session": {"groupScope": "main"}}),
    ("gateway.token_too_short", {"gateway": {"auth": {"mode": "password", "password": "short"}}}),
    ("channels.telegram.dm.open_invalid", {"channels": {"telegram": bridge(dmPolicy="open")}}),
]


@pytest.mark.parametrize(("check_id", "config"), VARIANTS)
def test_a_remedy_ends_its_finding(check_id: str, config: dict[str, object], tmp_path: Path) -> None:
    state = tmp_path / "state"
    state.mkdir(mode=0o700)
    file = state / "instar.json5"
    file.write_text(json.dumps({**LONG, **config}))
    file.chmod(0o600)
    before = look(file, state)
    remedy = before[check_id].remediation
    commands = [line for line in remedy.splitlines() if line.startswith("instar ")]
    assert commands, remedy
    environment = os.environ | ENVIRONMENT | {"INSTAR_STATE_DIR": str(state)}
    environment["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{environment['PATH']}"
    for command in commands:
        done = subprocess.run(["bash", "-c", command], env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{command}: {done.stderr}"
    after = look(file, state)
    assert check_id not in after
    # Nothing graver comes of it.
    graver = {name for name, one in after.items() if one.severity == "critical"} - before.keys()
    assert graver == set()


def loosen(state: Path) -> None:
    """Let everybody read and write everything, in files that a gateway leaves."""
    for name in ("agents/main/sessions/a.jsonl", "logs/gateway.log", "backups/b.tar.zst", "gateway.json"):
        (state / name).parent.mkdir(parents=True, exist_ok=True)
        (state / name).write_text("{}")
    for path in (state, *state.rglob("*")):
        path.chmod(0o777 if path.is_dir() else 0o666)


def list_modes(state: Path) -> dict[str, int]:
    return {str(path): path.stat().st_mode & 0o777 for path in (state, *sorted(state.rglob("*")))}


def test_pasted_modes_end_what_is_said_of_files(tmp_path: Path) -> None:
    state = tmp_path / "state"
    state.mkdir()
    file = state / "instar.json5"
    file.write_text(json.dumps(LONG))
    loosen(state)
    before = [one for one in look_at_all(file, state) if one.check_id.startswith("fs.")]
    assert {"fs.state_dir.perms_world_writable", "fs.config.perms_writable"} <= {one.check_id for one in before}
    for one in before:
        for line in one.remediation.splitlines():
            subprocess.run(["bash", "-c", line], check=True)
    assert not [name for name in look(file, state) if name.startswith("fs.")]


def test_the_repair_may_be_run_twice(tmp_path: Path) -> None:
    state = tmp_path / "state"
    state.mkdir()
    file = state / "instar.json5"
    file.write_text(json.dumps(LONG))
    loosen(state)
    outside = tmp_path / "elsewhere"
    outside.write_text("somebody's own")
    outside.chmod(0o644)
    (state / "link").symlink_to(outside)
    command = [sys.executable, "-m", "instar", "security", "audit", "--fix", "--json"]
    environment = os.environ | {"INSTAR_STATE_DIR": str(state)}
    runs = []
    for _ in range(2):
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
        runs.append((json.loads(done.stdout), list_modes(state)))
    (first, modes), (second, again) = runs
    assert len(first["fixed"]) >= 10
    assert second["fixed"] == []
    assert again == modes
    assert set(modes.values()) <= {0o700, 0o600, 0o644}
    assert outside.stat().st_mode & 0o777 == 0o644
    assert not [one for one in second["findings"] if one["checkId"].startswith("fs.")]
    assert file.read_text() == json.dumps(LONG)
