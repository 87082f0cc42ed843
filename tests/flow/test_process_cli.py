"""Commands as processes of their own, against a real gateway: what is typed wrongly is told in one sentence."""

import json

import pytest

from tests.builders.process import GatewayProcess, build_process_config, run_instar


@pytest.fixture(scope="module")
def gateway(tmp_path_factory):
    with GatewayProcess(tmp_path_factory.mktemp("gateway"), build_process_config()) as process:
        process.post("hello", message_id=1)
        process.take(1)
        yield process


def instar(gateway, *args, code=0):
    done = run_instar(*args, state_dir=gateway.state_dir)
    assert done.returncode == code, (done.stdout, done.stderr)
    assert "Traceback" not in done.stderr
    return done.stdout if code == 0 else done.stderr


def test_status_tells_what_runs(gateway):
    told = instar(gateway, "status")
    assert f"(process {gateway.pid})" in told
    assert gateway.token not in told
    assert json.loads(instar(gateway, "status", "--json"))


@pytest.mark.parametrize(
    ("args", "says"),
    [
        (("sessions", "show", "../../etc/passwd"), "There is no session"),
        (("sessions", "show", "a\u202eb"), "There is no session"),
        (("explain", "nothing"), "There is no session, message or turn"),
        (("import", "transcript", "/nowhere.jsonl"), "cannot be read"),
        (("import", "transcript", "/etc/passwd"), "/etc/passwd holds no transcript"),
        (("config", "get", "nothing"), "is not set"),
    ],
)
def test_what_makes_no_sense_is_told_in_one_sentence(gateway, args, says):
    assert says in instar(gateway, *args, code=1)


def test_a_configuration_is_validated_and_read(gateway, tmp_path):
    good = str(gateway.config_path)
    assert "is good" in instar(gateway, "config", "validate", "--config", good)
    assert instar(gateway, "config", "get", "session.dmScope", "--config", good).strip() == "per-channel-peer"
    bad = tmp_path / "bad.json5"
    bad.write_text('{\n  session: { dmScope: "now" },\n}')
    done = run_instar("config", "validate", "--config", str(bad), state_dir=gateway.state_dir)
    assert done.returncode == 1
    assert f"{bad}:2:23: session.dmScope" in done.stdout + done.stderr


def test_a_copy_of_a_state_directory_is_never_taken_for_the_original(gateway, tmp_path):
    """A restored backup names the port and the secret of the gateway that it is a copy of."""
    backup, copy = tmp_path / "backup.tar.zst", tmp_path / "copy"
    instar(gateway, "backup", "create", str(backup))
    instar(gateway, "backup", "restore", str(backup), "--state-dir", str(copy))
    facts = json.loads((gateway.state_dir / "gateway.json").read_text())
    (copy / "gateway.json").write_text(json.dumps(facts))

    listed = run_instar("sessions", "list", state_dir=copy)
    assert str(copy / "instar.db") in listed.stdout
    assert "is not the one of" in listed.stderr
    for args in (("chat", "-m", "hi"), ("sessions", "reset", "main"), ("outbox", "drop", "x")):
        done = run_instar(*args, state_dir=copy)
        assert (done.returncode, f"it works in {gateway.state_dir}" in done.stderr) == (1, True), done
    assert run_instar("chat", "-m", "hi", "--url", facts["url"], state_dir=copy).returncode == 0
    forced = run_instar("gateway", "--force", "--port", str(facts["url"].rpartition(":")[2].strip("/")), state_dir=copy)
    assert "address already in use" in forced.stderr
    assert gateway.is_alive()
    (row,) = json.loads(run_instar("people", "list", "--json", state_dir=copy).stdout)["people"]
    erased = run_instar("people", "erase", row["id"], "--yes", "--json", state_dir=copy)
    assert json.loads(erased.stdout)["counts"], erased.stderr
    assert json.loads(run_instar("people", "list", "--json", state_dir=copy).stdout)["people"] == []
    assert gateway.call("people.list")["people"], "the original keeps everybody"


def test_without_a_gateway_a_chat_says_how_to_start_one(tmp_path):
    done = run_instar("chat", "--message", "hello", "--url", "ws://127.0.0.1:9/", state_dir=tmp_path)
    assert done.returncode == 1
    assert "instar gateway" in done.stderr
