"""A stranger on a bridge, and the owner at a command line beside the gateway (LEAK-2)."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from tests.builders.process import GatewayProcess, build_process_config, run_instar

ANN = "agent:main:telegram:direct:ann"


def build_config():
    config = build_process_config()
    config["channels"]["telegram"].pop("dmPolicy")
    return config


@pytest.fixture
def gateway(tmp_path: Path):
    with GatewayProcess(tmp_path, build_config()) as running:
        yield running


def run(gateway: GatewayProcess, *args: str, code: int = 0) -> str:
    """What a command says beside the gateway: its answer, or for a failure its error."""
    done = run_instar("pairing", *args, "--config", str(gateway.config_path), state_dir=gateway.state_dir)
    assert done.returncode == code, (args, done.stdout, done.stderr)
    return done.stderr if code else done.stdout


def test_the_first_owner_lets_themselves_in_with_one_command(gateway: GatewayProcess):
    told = gateway.post("hello", message_id=1)
    assert (told.status, told.body["status"], told.body["reason"]) == (200, "refused", "not_paired")
    (offer,) = gateway.take(1)
    found = re.search(r"`instar pairing approve (\w{8})`", offer["text"])
    assert found, offer["text"]
    code = found[1]
    assert code in run(gateway, "list")
    status = run_instar("status", "--config", str(gateway.config_path), state_dir=gateway.state_dir)
    assert "1 with a pairing code; see them with `instar pairing list`" in status.stdout
    assert "telegram:ann may write now, and is told so." in run(gateway, "approve", code.lower())
    (news,) = gateway.take(1)
    assert news["text"] == "You were let in. Write again, and I will answer."
    assert gateway.post("hello", message_id=2).body["status"] == "accepted"
    gateway.take(1)
    assert gateway.said(ANN)[0] == ("user", "hello")
    listed = json.loads(run(gateway, "list", "--json"))
    assert [row["peerId"] for row in listed["approved"]] == ["ann"]
    assert "No such pairing code waits" in run(gateway, "approve", code, code=1)


def test_without_a_gateway_the_list_is_read_and_nothing_is_changed(gateway: GatewayProcess):
    gateway.post("hello", message_id=1)
    (offer,) = gateway.take(1)
    gateway.stop()
    (waiting,) = json.loads(run(gateway, "list", "--json"))["waiting"]
    assert waiting["code"] in offer["text"]
    for command in (("approve", waiting["code"]), ("reject", waiting["code"]), ("revoke", "ann")):
        assert "instar gateway" in run(gateway, *command, code=1)
    gateway.start()
    assert "The code of telegram:ann is gone." in run(gateway, "reject", waiting["code"])
    assert "Nobody waits." in run(gateway, "list")
    assert "Nobody called ann was approved" in run(gateway, "revoke", "ann", code=1)


def test_an_export_carries_approvals_into_another_state(gateway: GatewayProcess, tmp_path: Path):
    gateway.post("hello", message_id=1)
    gateway.take(1)
    (waiting,) = json.loads(run(gateway, "list", "--json"))["waiting"]
    run(gateway, "approve", waiting["code"])
    gateway.take(1)
    gateway.stop()
    made = run_instar("export", "all", "--output", str(tmp_path / "out"), "--raw", state_dir=gateway.state_dir)
    assert made.returncode == 0, made.stderr
    there = tmp_path / "there"
    taken = run_instar("import", "export", str(tmp_path / "out"), state_dir=there / "state")
    assert taken.returncode == 0, taken.stderr
    with GatewayProcess(there, build_config()) as other:
        assert other.post("hello again", message_id=2).body["status"] == "accepted"
