"""A real gateway whose words are encrypted: killed, started again, looked at by the command line (LOSS-4, LEAK-11)."""

from __future__ import annotations

import json

from instar.testing.model_server import ModelServer
from tests.builders.folder import read_files
from tests.builders.process import GatewayProcess, HeldModel, build_process_config, run_instar, wait_until

ANN = "agent:main:telegram:direct:ann"
WORDS = ("zebra.1", "zebra.2", "You said")


def find_words(folder):
    files = read_files(folder).items()
    return {(path.name, word) for path, content in files for word in WORDS if word.encode() in content}


def build_config(tmp_path, **more):
    config = build_process_config(**more)
    encryption = {"enabled": True, "keyFile": str(tmp_path / "keys" / "master.key")}
    return {**config, "session": {**config["session"], "encryption": encryption}}


def test_a_gateway_killed_in_the_middle_goes_on_and_no_file_of_it_holds_a_word(tmp_path):
    made = run_instar("encryption", "create-key", str(tmp_path / "keys" / "master.key"), state_dir=tmp_path / "none")
    assert made.returncode == 0, made.stderr
    held = HeldModel("zebra.2")
    with (
        ModelServer(held) as model,
        GatewayProcess(tmp_path, build_config(tmp_path, model_url=model.openai_url)) as gateway,
    ):
        gateway.post("zebra.1", message_id=1)
        assert [message["text"] for message in gateway.take(1)] == ["You said: zebra.1"]
        gateway.post("zebra.2", message_id=2)
        assert held.reached.wait(60)
        gateway.kill()
        assert find_words(gateway.state_dir) == set()

        gateway.start()
        assert [message["text"] for message in gateway.take(1)] == ["You said: zebra.2"]
        assert gateway.said(ANN) == [
            line for word in WORDS[:2] for line in (("user", word), ("assistant", f"You said: {word}"))
        ]
        assert gateway.call("sessions.search", query="zebra")["encrypted"] is True
        wait_until(lambda: find_words(gateway.state_dir) == set())
        gateway.stop()
        assert find_words(gateway.state_dir) == set()

        env = {"INSTAR_CONFIG": str(gateway.config_path)}
        shown = run_instar("sessions", "show", ANN, state_dir=gateway.state_dir, env=env)
        assert "You said: zebra.2" in shown.stdout
        found = run_instar("sessions", "search", "zebra", state_dir=gateway.state_dir, env=env)
        assert "No message was searched" in found.stdout
        status = json.loads(run_instar("encryption", "status", "--json", state_dir=gateway.state_dir, env=env).stdout)
        assert (status["state"], status["destroyed"]) == ("on", 0)
        healthy = json.loads(run_instar("doctor", "--json", state_dir=gateway.state_dir, env=env).stdout)
        assert healthy["ok"] is True
        everything = run_instar(
            "export", "all", "--output", str(tmp_path / "out"), "--raw", state_dir=gateway.state_dir, env=env
        )
        assert everything.returncode == 0, everything.stderr
        assert find_words(tmp_path / "out")

        erased = run_instar("people", "erase", "telegram:ann", "--yes", "--json", state_dir=gateway.state_dir, env=env)
        assert erased.returncode == 0, erased.stderr
        receipt = json.loads(erased.stdout)
        assert receipt["residue"] == 0
        status = json.loads(run_instar("encryption", "status", "--json", state_dir=gateway.state_dir, env=env).stdout)
        assert status["destroyed"] >= 1
        told = run_instar("encryption", "status", state_dir=gateway.state_dir, env=env).stdout
        assert "The words of the database: encrypted\n" in told
        assert f"and {status['destroyed']} destroyed" in told


def test_a_gateway_without_its_key_does_not_start_and_says_how_to_mend_it(tmp_path):
    run_instar("encryption", "create-key", str(tmp_path / "keys" / "master.key"), state_dir=tmp_path / "none")
    with GatewayProcess(tmp_path, build_config(tmp_path)) as gateway:
        gateway.post("zebra.1", message_id=1)
        gateway.take(1)
        gateway.stop()
        state, env = gateway.state_dir, {"INSTAR_CONFIG": str(gateway.config_path)}
    key = tmp_path / "keys" / "master.key"
    key.rename(tmp_path / "aside")
    for told, mend in (("cannot be read", None), ("chmod 600", 0o644)):
        if mend is not None:
            (tmp_path / "aside").rename(key)
            key.chmod(mend)
        refused = run_instar("gateway", "run", state_dir=state, env=env)
        assert refused.returncode == 1
        assert told in refused.stderr
    key.chmod(0o600)
    assert "zebra.1" in run_instar("sessions", "show", ANN, state_dir=state, env=env).stdout


def test_a_store_is_turned_over_and_back_by_the_command_line(tmp_path):
    run_instar("encryption", "create-key", str(tmp_path / "keys" / "master.key"), state_dir=tmp_path / "none")
    with GatewayProcess(tmp_path, build_process_config()) as gateway:
        gateway.post("zebra.1", message_id=1)
        gateway.take(1)
        gateway.stop()
        state = gateway.state_dir
    assert find_words(state)
    setting = json.dumps({"enabled": True, "keyFile": str(tmp_path / "keys" / "master.key")})
    done = run_instar("config", "set", "session.encryption", setting, state_dir=state)
    assert done.returncode == 0, done.stderr
    refused = run_instar("gateway", "run", state_dir=state)
    assert (refused.returncode, "instar encryption on" in refused.stderr) == (1, True)
    done = run_instar("encryption", "on", state_dir=state)
    assert done.returncode == 0, done.stderr
    assert find_words(state) == set()
    assert "zebra.1" in run_instar("sessions", "show", ANN, state_dir=state).stdout
    copied = run_instar("encryption", "copy-keys", str(tmp_path / "copy.ring"), state_dir=state)
    assert (copied.returncode, (tmp_path / "copy.ring").is_file()) == (0, True)
    run_instar("encryption", "create-key", str(tmp_path / "keys" / "new.key"), state_dir=state)
    assert run_instar("encryption", "rotate", str(tmp_path / "keys" / "new.key"), state_dir=state).returncode == 0
    run_instar("config", "set", "session.encryption.keyFile", str(tmp_path / "keys" / "new.key"), state_dir=state)
    assert run_instar("encryption", "off", state_dir=state).returncode == 0
    run_instar("config", "set", "session.encryption.enabled", "false", state_dir=state)
    assert "zebra.1" in run_instar("sessions", "show", ANN, state_dir=state).stdout
    assert find_words(state)
