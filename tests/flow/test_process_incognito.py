"""A real gateway on a real disk: no file holds a word of an incognito session; with the process it is gone (KEY-22)."""

from __future__ import annotations

import json

import pytest

from instar.errors import InstarError
from instar.testing.model_server import ModelServer
from instar.testing.script import Asked, Reply
from tests.builders.folder import read_files
from tests.builders.process import GatewayProcess, build_process_config, run_instar
from tests.builders.terminal import Terminal

SAID = "quokka-7731"
ANSWERED = "wombat-9102"
PLAIN = "marmot-4410"
FRONT = "agent:main:dashboard:incognito-"


def answer(asked: Asked) -> Reply:
    word = "fine" if PLAIN in asked.last_user_text else ANSWERED
    return Reply(text=f"{word} to {asked.last_user_text}")


def find_words(folder, words=(SAID, ANSWERED)):
    """Where anything of the conversation is, in any file of the state directory."""
    files = read_files(folder).items()
    return {(path.name, word) for path, content in files for word in words if word.encode() in content}


def ask(client, key, text, number):
    run = f"run-{SAID}-{number}"
    client.call("chat.send", {"sessionKey": key, "message": text, "idempotencyKey": run})
    assert client.call("agent.wait", {"runId": run, "timeoutMs": 30_000})["status"] == "ok"


@pytest.mark.parametrize("mirror", [True, "per-key"])
def test_no_file_holds_a_word_and_a_new_life_knows_nothing(tmp_path, mirror):
    prices = {"test": {"input": 1.0, "output": 2.0}}
    with ModelServer(answer) as model:
        config = build_process_config(model_url=model.openai_url, budgets=[{"per": "day", "limitUsd": 50}])
        config["session"]["mirror"] = mirror
        config["models"]["providers"]["mine"]["models"][0]["cost"] = prices["test"]
        with GatewayProcess(tmp_path, config, args=["--verbose"]) as gateway, gateway.client() as client:
            begun = client.call("sessions.create", {"incognito": True, "label": f"about {SAID}"})
            key = begun["key"]
            assert key.startswith(FRONT)
            for number, text in enumerate((f"remember {SAID}", f"what was {SAID}?", f"/name {SAID}", "/why")):
                ask(client, key, text, number)
            said = client.call("chat.history", {"sessionKey": key})["messages"]
            assert SAID in str(said)
            assert ANSWERED in str(said)
            client.call("sessions.patch", {"key": key, "thinkingLevel": "low"})
            assert client.call("sessions.search", {"query": SAID})["results"] == []
            assert SAID in str(client.call("sessions.explain", {"key": key}))
            assert SAID in client.call("sessions.export", {"key": key, "format": "markdown"})["content"]
            ask(client, key, "/export-session notes.html", 9)
            client.call("sessions.reset", {"key": key})
            ask(client, key, f"again {SAID}", 10)
            spent = client.call("sessions.usage")["totals"]
            assert spent["calls"] == 3
            assert spent["totalCost"] > 0
            gateway.post(PLAIN, message_id=1)
            gateway.take(1)
            client.call("backup.create", {"name": "whole.tar.zst"})
            listed = client.call("sessions.list")["sessions"]
            assert [row.get("incognito") for row in listed] == [True, None]
            assert listed[0]["key"] == key
            client.call("sessions.cleanup", {"enforce": True})
            assert key in str(client.call("sessions.list"))
            assert find_words(gateway.state_dir) == set()

            gateway.stop()
            assert find_words(gateway.state_dir) == set()
            # What is looked for is found where it is: in the database, and in the mirror, which is written by the end.
            assert len(find_words(gateway.state_dir, [PLAIN])) > 1
            gateway.start()
            with gateway.client() as again:
                assert key not in str(again.call("sessions.list"))
                for method in ("chat.send", "agent"):
                    with pytest.raises(InstarError, match="There is no incognito session"):
                        again.call(method, {"sessionKey": key, "message": SAID, "idempotencyKey": f"{method}-2"})
                assert again.call("chat.history", {"sessionKey": key})["messages"] == []
                assert again.call("sessions.usage")["totals"]["calls"] == 4
            assert find_words(gateway.state_dir) == set()


def test_a_conversation_from_the_command_line_is_in_no_file(tmp_path):
    with (
        ModelServer(answer) as model,
        GatewayProcess(tmp_path, build_process_config(model_url=model.openai_url)) as gateway,
    ):
        env = {"INSTAR_CONFIG": str(gateway.config_path)}
        said = run_instar("chat", "--incognito", "--message", SAID, "--json", state_dir=gateway.state_dir, env=env)
        told = json.loads(said.stdout)
        assert (told["ok"], told["text"]) == (True, f"{ANSWERED} to {SAID}"), (told, gateway.errors)
        assert told["sessionKey"].startswith(FRONT)
        more = run_instar(
            "chat", "--session", told["sessionKey"], state_dir=gateway.state_dir, env=env, stdin=f"{SAID}\n"
        )
        assert ANSWERED in more.stdout
        assert find_words(gateway.state_dir) == set()
        gone = run_instar("sessions", "delete", told["sessionKey"], "--yes", state_dir=gateway.state_dir, env=env)
        assert gone.returncode == 0, gone.stderr
        assert find_words(gateway.state_dir) == set()
        again = run_instar(
            "chat", "--session", told["sessionKey"], "--message", "hi", state_dir=gateway.state_dir, env=env
        )
        assert again.returncode == 1
        assert "There is no incognito session" in again.stderr


def test_lines_typed_at_a_terminal_are_not_kept_for_the_next_time(tmp_path):
    with (
        ModelServer(answer) as model,
        GatewayProcess(tmp_path, build_process_config(model_url=model.openai_url)) as gateway,
    ):
        env = {"INSTAR_STATE_DIR": str(gateway.state_dir), "INSTAR_CONFIG": str(gateway.config_path)}
        with Terminal("chat", "--incognito", env=env) as screen:
            screen.wait_for("you>")
            screen.type(f"{SAID}\r")
            screen.wait_for(f"{ANSWERED} to {SAID}")
            screen.wait_for("you>")
            screen.type("\x1b[A!\r")  # arrow up: the line before can be had again
            screen.wait_for(f"{ANSWERED} to {SAID}!")
            screen.wait_for("you>")
            screen.type("\x04")
            assert screen.wait() == 0
        assert find_words(gateway.state_dir) == set()
