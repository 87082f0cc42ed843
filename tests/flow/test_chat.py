"""A conversation from a pipe and at a terminal: streaming, commands, stopping, and a gateway killed meanwhile."""

import asyncio
import json
import os
import subprocess
import sys
import threading
import time

import pytest

from instar.testing.model_server import ModelServer
from instar.testing.script import Reply, tool_script
from tests.builders.process import GatewayProcess, build_process_config, run_instar, wait_until
from tests.builders.terminal import Terminal

MAIN = "agent:main:main"


def echo(asked):
    return Reply(text=f"You said: {asked.last_user_text}")


class Held:
    """A model that answers at once, but stands still in the middle of any answer about `word` until `release`."""

    def __init__(self, word):
        self.word = word
        self.reached = threading.Event()
        self.may_go_on = threading.Event()

    def __call__(self, asked):
        is_held = self.word in asked.last_user_text and not self.reached.is_set()
        return Reply(text=echo(asked).text, chunks=8, before_chunk=self.hold) if is_held else echo(asked)

    async def hold(self, index):
        if index == 3:
            self.reached.set()
            while not self.may_go_on.is_set():  # noqa: ASYNC110 - set by another thread
                await asyncio.sleep(0.01)


@pytest.fixture
def world(tmp_path):
    """Starts a gateway with a model: ``world(script)``."""
    opened = []

    def open_world(script=echo):
        model = ModelServer(script)
        model.__enter__()
        gateway = GatewayProcess(tmp_path, build_process_config(model_url=model.openai_url)).start()
        opened.append((gateway, model))
        return gateway

    yield open_world
    for gateway, model in opened:
        gateway.kill()
        model.__exit__(None, None, None)


def chat(gateway, *args, stdin=""):
    return run_instar("chat", *args, state_dir=gateway.state_dir, stdin=stdin)


# --- through a pipe -----------------------------------------------------------------------------------------------


def test_each_line_is_a_message_and_each_answer_comes_out(world):
    gateway = world()
    done = chat(gateway, stdin="hello\n\n  zwölf Äpfel \r\n")
    assert (done.returncode, done.stdout) == (0, "You said: hello\nYou said: zwölf Äpfel\n"), done.stderr
    assert gateway.said(MAIN) == [
        ("user", "hello"),
        ("assistant", "You said: hello"),
        ("user", "zwölf Äpfel"),
        ("assistant", "You said: zwölf Äpfel"),
    ]


def test_commands_go_to_the_session(world):
    gateway = world()
    done = chat(gateway, stdin="one\n/new\n/status\n")
    assert done.returncode == 0
    assert "Session: agent:main:main" in done.stdout
    (_, closed) = gateway.call("sessions.transcripts", key=MAIN)["transcripts"]
    assert (closed["closeReason"], closed["messages"]) == ("new", 2)


def test_a_line_can_leave(world):
    gateway = world()
    done = chat(gateway, stdin="one\n/quit\ntwo\n")
    assert (done.returncode, done.stdout) == (0, "You said: one\n")


def test_tools_are_told_beside_the_answer(world):
    done = chat(world(tool_script), stdin="how are you?\n")
    assert done.returncode == 0
    assert done.stdout.startswith("Let me look.\nThe tool says: ")
    assert "[tool session_status]" in done.stderr


def test_another_session_may_be_meant(world):
    gateway = world()
    assert chat(gateway, "--session", "work", stdin="one\n").returncode == 0
    assert gateway.said("agent:main:work")[0] == ("user", "one")
    session_id = gateway.call("sessions.describe", key="agent:main:work")["session"]["sessionId"]
    assert chat(gateway, "--session", session_id[:8], stdin="two\n").returncode == 0
    assert gateway.said("agent:main:work")[2] == ("user", "two")
    assert chat(gateway, "--agent", "main", "-m", "three").returncode == 0
    for command in ("chat", "agent"):
        done = run_instar(command, "--agent", "ghost", "-m", "four", state_dir=gateway.state_dir)
        assert done.returncode == 1
        assert "unknown agent id 'ghost': the agents are: main." in done.stderr
    assert gateway.call("sessions.list", agentId="ghost")["count"] == 0
    assert gateway.said(MAIN)[0] == ("user", "three")


def test_one_message_is_answered_as_json(world):
    gateway = world()
    done = chat(gateway, "--message", "hi", "--json")
    document = json.loads(done.stdout)
    assert (document["ok"], document["status"], document["text"]) == (True, "final", "You said: hi")
    assert document["sessionKey"] == MAIN


def test_an_answer_that_fails_is_told_and_counts(world):
    def fail(asked):
        from instar.testing.script import Fault

        return Reply(fault=Fault(kind="auth")) if "bad" in asked.last_user_text else echo(asked)

    gateway = world(fail)
    done = chat(gateway, stdin="bad\ngood\n")
    assert done.returncode == 1
    assert done.stdout == "You said: good\n"
    assert "key" in done.stderr


def test_words_that_cannot_be_shown_do_not_end_the_conversation(world):
    gateway = world()
    done = run_instar(
        "chat", state_dir=gateway.state_dir, stdin="naïve 日本\n", env={"PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"}
    )
    assert done.returncode == 0
    assert gateway.said(MAIN)[0] == ("user", "naïve 日本")
    assert "You said: na" in done.stdout


def test_a_gateway_killed_during_an_answer_gives_it_after_its_restart(world, tmp_path):
    """Three messages, ``kill -9`` during the fourth answer, start again: the fourth is answered once, and shown."""
    held = Held("four")
    gateway = world(held)
    process = subprocess.Popen(
        [sys.executable, "-m", "instar", "chat"],
        env={**os.environ, "INSTAR_STATE_DIR": str(gateway.state_dir)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with process:
        for word in ("one", "two", "three", "four"):
            process.stdin.write(f"{word}\n")
            process.stdin.flush()
        assert held.reached.wait(60)
        gateway.kill()
        held.may_go_on.set()
        gateway.start()
        out, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    assert out.splitlines()[:3] == ["You said: one", "You said: two", "You said: three"]
    assert out.splitlines()[-1] == "You said: four"
    assert "The connection to the gateway is lost" in err
    words = ["one", "two", "three", "four"]
    assert gateway.said(MAIN) == [
        line for word in words for line in (("user", word), ("assistant", f"You said: {word}"))
    ]


def test_a_message_written_while_the_gateway_is_away_is_sent_when_it_is_back(world):
    gateway = world()
    process = subprocess.Popen(
        [sys.executable, "-m", "instar", "chat"],
        env={**os.environ, "INSTAR_STATE_DIR": str(gateway.state_dir)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with process:
        process.stdin.write("one\n")
        process.stdin.flush()
        assert process.stdout.readline() == "You said: one\n"
        gateway.kill()
        process.stdin.write("two\n")
        process.stdin.flush()
        time.sleep(0.3)
        gateway.start()
        assert process.stdout.readline() == "You said: two\n"
        process.stdin.close()
        assert process.wait(timeout=60) == 0
    assert gateway.said(MAIN)[2:] == [("user", "two"), ("assistant", "You said: two")]


# --- at a terminal ------------------------------------------------------------------------------------------------


def terminal(gateway):
    return Terminal("chat", env={"INSTAR_STATE_DIR": str(gateway.state_dir)})


def test_a_conversation_at_a_terminal_keeps_its_lines_and_leaves_on_ctrl_d(world):
    gateway = world()
    with terminal(gateway) as screen:
        screen.wait_for("you>")
        screen.type("hello\r")
        screen.wait_for("You said: hello")
        screen.wait_for("you>")
        screen.type("\x1b[A")  # arrow up: the line before
        screen.type(" again\r")
        screen.wait_for("You said: hello again")
        screen.wait_for("you>")
        screen.type("\x04")
        assert screen.wait() == 0
    history = gateway.state_dir / "chat-history"
    assert history.stat().st_mode & 0o777 == 0o600
    assert "+hello again" in history.read_text()
    with terminal(gateway) as screen:
        screen.wait_for("[agent: You said: hello again]")
        screen.wait_for("you>")
        screen.type("/quit\r")
        assert screen.wait() == 0


def test_ctrl_c_stops_the_turn_and_twice_leaves(world):
    held = Held("long")
    gateway = world(held)
    with terminal(gateway) as screen:
        screen.wait_for("you>")
        screen.type("something long\r")
        assert held.reached.wait(60)
        screen.type("\x03")
        screen.wait_for("[Stopped.]")
        screen.wait_for("you>")
        wait_until(lambda: gateway.call("sessions.describe", key=MAIN)["session"]["abortedLastRun"])
        screen.type("next\r")
        screen.wait_for("You said: next")
        screen.wait_for("you>")
        screen.type("\x03")
        screen.wait_for("Ctrl-C again leaves")
        screen.type("\x03")
        assert screen.wait() == 0


def test_an_answer_that_was_cut_by_a_kill_is_shown_at_the_prompt(world):
    """The conversation is closed while the gateway is away, and taken up again: the answer comes all the same."""
    held = Held("slow")
    gateway = world(held)
    with terminal(gateway) as screen:
        screen.wait_for("you>")
        screen.type("something slow\r")
        assert held.reached.wait(60)
        gateway.kill()
        screen.wait_for("The connection to the gateway is lost")
        screen.type("\x03")
        screen.wait_for("Ctrl-C again leaves")  # two at once may reach a program as one
        screen.type("\x03")
        assert screen.wait() == 0
    held.reached.clear()
    gateway.start()
    with terminal(gateway) as screen:
        assert held.reached.wait(60)
        screen.wait_for("An answer is on its way")
        screen.wait_for("you>")
        held.may_go_on.set()
        screen.wait_for("You said: something slow")
        screen.type("\x04")
        assert screen.wait() == 0


def test_a_break_that_was_told_while_an_answer_came_is_not_told_again(world):
    held = Held("slow")
    gateway = world(held)
    with terminal(gateway) as screen:
        screen.wait_for("you>")
        screen.type("something slow\r")
        assert held.reached.wait(60)
        gateway.kill()
        screen.wait_for("The connection to the gateway is lost")
        held.may_go_on.set()
        gateway.start()
        screen.wait_for("You said: something slow")
        screen.wait_for("you>")
        screen.type("still here\r")
        screen.wait_for("You said: still here")
        screen.wait_for("you>")
        assert "The gateway is" not in screen.shown
        screen.type("\x04")
        assert screen.wait() == 0


def test_what_others_cause_is_shown_at_the_prompt(world):
    gateway = world()
    with terminal(gateway) as screen:
        screen.wait_for("you>")
        assert chat(gateway, "-m", "from elsewhere").returncode == 0
        screen.wait_for("You said: from elsewhere")
        gateway.kill()
        screen.wait_for("The gateway is away")
        gateway.start()
        screen.wait_for("The gateway is back")
        screen.type("still here\r")
        screen.wait_for("You said: still here")
        screen.wait_for("you>")
        screen.type("\x04")
        assert screen.wait() == 0
