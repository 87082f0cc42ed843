"""The command line against a real gateway: what a new user types in the first hour."""

import json
import subprocess
import sys
from os import environ

import pytest

from instar.testing.model_server import ModelServer
from tests.builders.process import GatewayProcess, HeldModel, build_process_config, run_instar, wait_until


def test_four_messages_of_a_chat_are_all_there_after_a_kill_and_the_fourth_is_answered_once(tmp_path):
    held = HeldModel("four")
    with (
        ModelServer(held) as model,
        GatewayProcess(tmp_path, build_process_config(model_url=model.openai_url)) as gateway,
    ):
        chat = run_instar("chat", state_dir=gateway.state_dir, stdin="one\ntwo\nthree\n")
        assert [line for line in chat.stdout.splitlines() if line] == [
            f"You said: {w}" for w in ("one", "two", "three")
        ]
        fourth = subprocess.Popen(
            [sys.executable, "-m", "instar", "chat", "--message", "four"],
            env={**environ, "INSTAR_STATE_DIR": str(gateway.state_dir)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        try:
            assert held.reached.wait(15)
            gateway.kill()
        finally:
            fourth.kill()
            fourth.communicate()
        gateway.start()
        wait_until(lambda: ("assistant", "You said: four") in gateway.said("main"))
        shown = run_instar("sessions", "show", "main", "--json", state_dir=gateway.state_dir)
        said = [(one["role"], one["content"]) for one in json.loads(shown.stdout)["messages"]]
        users = [content for role, content in said if role == "user"]
        assert users == ["one", "two", "three", "four"]
        plain = run_instar("sessions", "show", "main", state_dir=gateway.state_dir).stdout
        assert plain.count("agent: You said: four") == 1


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


def test_a_session_is_listed_shown_and_explained(gateway):
    rows = json.loads(instar(gateway, "sessions", "list", "--json"))["sessions"]
    key = "agent:main:telegram:direct:ann"
    assert key in [row["key"] for row in rows]
    assert "you: hello" in instar(gateway, "sessions", "show", key)
    assert "KEY-2" in instar(gateway, "explain", key)
    (first, *_) = json.loads(instar(gateway, "explain", key, "--json"))
    assert first["rule"]


def test_a_reset_closes_and_a_deletion_asks_first(gateway):
    gateway.post("hello", message_id="bob", sender={"id": "bob"})
    gateway.take(1)
    key = "agent:main:telegram:direct:bob"
    before = gateway.call("sessions.describe", key=key)["session"]["sessionId"]
    instar(gateway, "sessions", "reset", key)
    assert gateway.call("sessions.describe", key=key)["session"]["sessionId"] != before
    assert before in instar(gateway, "sessions", "show", "--history", key)
    assert "Nothing was deleted" in instar(gateway, "sessions", "delete", key, code=1)
    instar(gateway, "sessions", "delete", key, "--yes")
    assert "There is no session" in instar(gateway, "sessions", "show", key, code=1)


def test_a_transcript_is_imported_once_and_exported_in_order(gateway, tmp_path):
    lines = [
        {"type": "session", "version": 3, "id": "abc", "timestamp": "2026-01-01T00:00:00.000Z", "cwd": "/"},
        {"type": "message", "id": "m1", "parentId": None, "timestamp": "2026-01-01T00:00:01.000Z"}
        | {"message": {"role": "user", "content": "first words", "timestamp": 1767225601000}},
        {"type": "thinking_level_change", "id": "m2", "parentId": "m1", "timestamp": "2026-01-01T00:00:02.000Z"}
        | {"thinkingLevel": "high"},
    ]
    path = tmp_path / "abc.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    told = json.loads(instar(gateway, "import", "transcript", str(path), "--json"))
    assert (told["stored"], told["entries"]) == (True, 2)
    assert "stored already" in instar(gateway, "import", "transcript", str(path))
    exported = instar(gateway, "sessions", "export", told["key"], "--format", "jsonl").splitlines()
    assert [json.loads(line)["type"] for line in exported] == ["session", "message", "thinking_level_change"]
    assert json.loads(exported[1])["message"] == lines[1]["message"]


@pytest.mark.parametrize(
    ("args", "says"),
    [
        (("sessions", "show", "../../etc/passwd"), "There is no session"),
        (("sessions", "show", "a\u202eb"), "There is no session"),
        (("explain", "nothing"), "There is no session, message or turn"),
        (("import", "transcript", "/nowhere.jsonl"), "cannot be read"),
        (("import", "transcript", "/etc/passwd"), "holds no transcript"),
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


def test_without_a_gateway_a_chat_says_how_to_start_one(tmp_path):
    done = run_instar("chat", "--message", "hello", "--url", "ws://127.0.0.1:9/", state_dir=tmp_path)
    assert done.returncode == 1
    assert "instar gateway" in done.stderr
