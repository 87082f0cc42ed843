"""Keeping what was said, with real processes and real files: the commands a person types beside a running gateway."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.builders.openclaw import OpenClawState, digest_tree
from tests.builders.process import GatewayProcess, build_process_config, run_instar

KEY = "agent:main:telegram:direct:ann"


@pytest.fixture
def gateway(tmp_path: Path):
    with GatewayProcess(tmp_path / "here", build_process_config()) as running:
        yield running


def run(gateway: GatewayProcess, *args: str, code: int = 0):
    """A command beside the gateway; its JSON."""
    config = () if args[:2] in {("backup", "verify"), ("backup", "restore")} else ("--config", str(gateway.config_path))
    done = run_instar(*args, "--json", *config, state_dir=gateway.state_dir)
    assert done.returncode == code, (args, done.stdout, done.stderr)
    return json.loads(done.stdout)


def test_a_backup_taken_beside_a_running_gateway_goes_on_elsewhere(gateway: GatewayProcess, tmp_path: Path):
    assert gateway.post("hello", message_id=1).status == 200
    gateway.take(1)
    path = tmp_path / "b.tar.zst"
    made = run(gateway, "backup", "create", str(path))
    assert made["counts"]["sessions"] == 1
    assert gateway.post("after the backup", message_id=2).status == 200
    gateway.take(1)
    assert run(gateway, "backup", "verify", str(path))["counts"] == made["counts"]
    run(gateway, "backup", "restore", str(path), "--state-dir", str(gateway.state_dir), code=1)
    run(gateway, "backup", "restore", str(path), "--state-dir", str(tmp_path / "there" / "state"))
    with GatewayProcess(tmp_path / "there", build_process_config()) as other:
        assert other.said(KEY)[0] == ("user", "hello")
        assert len(other.said(KEY)) == 2
        # A message that came before the backup is known for ever (LOSS-1); one that came after it is new.
        assert other.post("hello", message_id=1).body == gateway.post("hello", message_id=1).body
        assert other.post("after the backup", message_id=2).status == 200
        other.take(1)
        assert len(other.said(KEY)) == 4


def test_after_a_kill_the_doctor_is_content_and_a_flipped_page_is_not_missed(gateway: GatewayProcess):
    for number in range(5):
        gateway.post(f"message {number}", message_id=number)
    gateway.kill()
    found = run(gateway, "doctor")
    assert found["ok"]
    assert {one["code"] for one in found["findings"] if one["severity"] != "note"} <= {"delivery-unknown"}
    gateway.start()
    gateway.take(1)
    gateway.stop()
    database = gateway.state_dir / "instar.db"
    content = bytearray(database.read_bytes())
    for at in range(4096, len(content), 4096):
        content[at : at + 64] = b"\xa5" * 64
    database.write_bytes(content)
    found = run(gateway, "doctor", code=1)
    assert found["findings"][0]["code"] == "database-damaged"
    assert run_instar("backup", "create", state_dir=gateway.state_dir).returncode == 1


def test_a_session_that_was_deleted_comes_back(gateway: GatewayProcess):
    gateway.post("do not lose me", message_id=1)
    gateway.take(1)
    run(gateway, "sessions", "delete", KEY, "--yes")
    assert gateway.said(KEY) == []
    assert len(run(gateway, "sessions", "restore", KEY)["sessionIds"]) == 1
    assert gateway.said(KEY)[0] == ("user", "do not lose me")
    run(gateway, "sessions", "restore", "agent:main:telegram:direct:nobody", code=1)


def test_replies_are_listed_sent_again_and_dropped(gateway: GatewayProcess):
    gateway.post("hello", message_id=1)
    (message,) = gateway.fetch(wait_s=20)
    gateway.confirm(message["deliveryId"], status="failed", reason="blocked")
    (row,) = run(gateway, "outbox", "list")["deliveries"]
    assert (row["state"], row["reason"], row["to"]) == ("failed", "blocked", "ann")
    run(gateway, "outbox", "send", row["deliveryId"])
    (again,) = gateway.fetch(wait_s=20)
    assert again["deliveryId"] == message["deliveryId"]
    gateway.confirm(message["deliveryId"], status="failed", reason="blocked")
    run(gateway, "outbox", "drop", row["deliveryId"])
    assert run(gateway, "outbox", "list")["count"] == 0
    assert run(gateway, "outbox", "send", row["deliveryId"], "nothing", code=1)["results"][1]["ok"] is False
    gateway.stop()
    (row,) = run(gateway, "outbox", "list", "--state", "dropped")["deliveries"]
    assert row["deliveryId"] == message["deliveryId"]


def test_an_import_waits_for_the_gateway_to_stop_and_then_is_answered_from(gateway: GatewayProcess, tmp_path: Path):
    old = OpenClawState(tmp_path / "old")
    old.add(KEY, 1, "long ago", "I remember")
    old.write_index()
    before = digest_tree(old.root)
    refused = run(gateway, "import", "openclaw", str(old.root), "--yes", code=1)
    assert refused["code"] == "store_locked"
    assert run(gateway, "import", "openclaw", str(old.root))["counts"] == {"session would-import": 1}
    gateway.stop()
    assert run(gateway, "import", "openclaw", str(old.root), "--yes")["counts"] == {"session imported": 1}
    assert run(gateway, "import", "openclaw", str(old.root), "--yes")["counts"] == {"session known": 1}
    gateway.start()
    assert gateway.said(KEY) == [("user", "long ago"), ("assistant", "I remember")]
    assert digest_tree(old.root) == before


def test_an_export_beside_a_running_gateway_makes_an_equal_store(gateway: GatewayProcess, tmp_path: Path):
    gateway.post("hello", message_id=1)
    gateway.take(1)
    counts = run(gateway, "export", "all", "--raw", "--output", str(tmp_path / "all"))["counts"]
    with GatewayProcess(tmp_path / "there", build_process_config()) as other:
        other.stop()
        assert run(other, "import", "export", str(tmp_path / "all"))["counts"] == counts
        other.start()
        assert other.said(KEY) == gateway.said(KEY)
