"""`instar security audit` as people run it: beside a running gateway, and without one."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.builders.openclaw import digest_tree
from tests.builders.process import GatewayProcess, build_process_config, run_instar


def run_audit(gateway: GatewayProcess, *args: str) -> dict:
    done = run_instar(
        "security", "audit", "--json", "--config", str(gateway.config_path), *args, state_dir=gateway.state_dir
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def found(report: dict) -> dict[str, str]:
    return {one["checkId"]: one["severity"] for one in report["findings"]}


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory):
    """A gateway whose owner has left everything open: ann and bob have both written into the main session."""
    config = build_process_config(
        session={"dmScope": "main", "identityLinks": {"ann": ["telegram:ann", "telegram:ann-at-work"]}},
        security={"audit": {"suppressions": ["security.trust_model.multi_user_heuristic"]}},
    )
    with GatewayProcess(tmp_path_factory.mktemp("shared"), config) as gateway:
        gateway.config_path.chmod(0o600)
        gateway.post("hello", message_id=1)
        gateway.take(1)
        gateway.post("me again", message_id=2, sender={"id": "ann-at-work"})
        gateway.take(1)
        yield gateway


@pytest.fixture(scope="module")
def before(shared: GatewayProcess) -> dict:
    """The deep audit while only ann, from two addresses, has written."""
    return run_audit(shared, "--deep")


def test_what_is_open_is_found_with_the_gateway_running(before: dict) -> None:
    checks = found(before)
    assert checks["channels.telegram.dm.open"] == "critical"
    assert checks["channels.telegram.dm.scope_main_multiuser"] == "warn"
    assert checks["config.open-main"] == "critical"
    assert before["suppressed"] == {"count": 1, "checkIds": {"security.trust_model.multi_user_heuristic": 1}}
    assert before["summary"]["critical"] == sum(one == "critical" for one in checks.values())


def test_two_addresses_of_one_person_are_no_meeting(before: dict) -> None:
    assert "sessions.direct_messages_met" not in found(before)


def test_people_who_met_are_found_running_and_stopped_and_nothing_is_changed(
    shared: GatewayProcess, before: dict, tmp_path: Path
) -> None:
    shared.post("hello from bob", message_id=3, sender={"id": "bob"})
    shared.take(1)
    assert "sessions.direct_messages_met" not in found(run_audit(shared)), "only --deep reads the store"
    running = run_audit(shared, "--deep")
    met = [one for one in running["findings"] if one["checkId"] == "sessions.direct_messages_met"]
    assert len(met) == 1
    assert met[0]["detail"] == "agent:main:main holds what ann, telegram:bob wrote one-to-one."
    shared.stop()
    lying = digest_tree(shared.state_dir)
    assert found(run_audit(shared, "--deep")) == found(running)
    assert digest_tree(shared.state_dir) == lying
    shared.start()
    reset = run_instar("sessions", "reset", "agent:main:main", state_dir=shared.state_dir)
    assert reset.returncode == 0, reset.stderr
    after = found(run_audit(shared, "--deep"))
    assert "sessions.direct_messages_met" not in after
    assert after["sessions.direct_messages_met_before"] == "warn"


def test_fix_tightens_files_and_nothing_else(tmp_path: Path) -> None:
    config = build_process_config(session={"dmScope": "main"})
    with GatewayProcess(tmp_path, config) as gateway:
        text = gateway.config_path.read_text()
        gateway.config_path.chmod(0o666)
        gateway.state_dir.chmod(0o777)
        (gateway.state_dir / "instar.db").chmod(0o644)
        outside = tmp_path / "outside"
        outside.write_text("not ours")
        outside.chmod(0o644)
        (gateway.state_dir / "link").symlink_to(outside)
        loose = found(run_audit(gateway))
        assert loose["fs.state_dir.perms_world_writable"] == "critical"
        assert loose["fs.config.perms_writable"] == "critical"
        assert loose["fs.sessions_store.perms_readable"] == "warn"
        mended = run_audit(gateway, "--fix")
        assert {Path(one["path"]).name: one["mode"] for one in mended["fixed"]} == {
            "state": "700",
            "instar.json5": "600",
            "instar.db": "600",
        }
        assert not any(name.startswith("fs.") for name in found(mended))
        assert found(mended)["channels.telegram.dm.open"] == "critical", "nothing about scope is fixed"
        assert gateway.config_path.read_text() == text
        assert outside.stat().st_mode & 0o777 == 0o644


def test_a_fresh_gateway_keeps_its_files_to_itself(tmp_path: Path) -> None:
    with GatewayProcess(tmp_path, build_process_config()) as gateway:
        gateway.config_path.chmod(0o600)
        gateway.post("hello", message_id=1)
        gateway.take(1)
        assert not any(name.startswith("fs.") for name in found(run_audit(gateway, "--deep")))


def test_people_are_told_what_to_type(shared: GatewayProcess) -> None:
    done = run_instar("security", "audit", "--config", str(shared.config_path), state_dir=shared.state_dir)
    assert done.returncode == 0
    assert "    > instar config set channels.telegram.dmPolicy pairing\n" in done.stdout
    assert "1 suppressed by security.audit.suppressions.\n" in done.stdout


def test_a_remedy_for_another_machine_is_refused(tmp_path: Path) -> None:
    done = run_instar("security", "audit", "--fix", "--url", "ws://127.0.0.1:9/", state_dir=tmp_path)
    assert done.returncode == 1
    assert "--fix is for files of this machine" in done.stderr
