"""Why it went as it did, from the command line, in one sentence each (WHY-2, WHY-3)."""

from __future__ import annotations

import json

import pytest

from instar.cli.main import run
from instar.core.model.entry import TextBlock
from instar.ports.tool import ToolOutput, ToolSpec
from instar.stores.sqlite import SqliteStore
from instar.testing.gateway import GatewayInMemory
from instar.testing.runner import ScriptedRunner
from instar.testing.script import Reply, call
from tests.builders.process import GatewayProcess, build_process_config
from tests.builders.stories import DIRECT, Gate, build_config, play_story

GROUP = "agent:main:telegram:group:g"
SILENT = "agent:main:discord:direct:ann"
BUSY = "agent:main:telegram:direct:bob"
READER = "agent:main:telegram:direct:cyd"
PRUNING = {
    "mode": "cache-ttl",
    "keepLastAssistants": 1,
    "softTrimRatio": 0.0,
    "softTrim": {"maxChars": 1000, "headChars": 100, "tailChars": 100},
}


class Reader:
    """A tool with a long result."""

    spec = ToolSpec(name="read", description="Reads.", parameters={"type": "object", "properties": {}})

    async def call(self, context, arguments):
        return ToolOutput(content=(TextBlock(text="page " * 1_000),))


async def live_through_it(path):
    """A day in which each of the five things happens."""
    gate = Gate()

    def script(asked):
        if asked.last_user_text == "hold" and not gate.opened.is_set():
            return Reply(text="At last.", before_chunk=gate)
        wants = asked.last is not None and asked.last.role == "user" and asked.last.text == "read"
        return Reply(calls=(call("read"),)) if wants else Reply(text="Fine.")

    config = build_config(
        channels=("telegram", "discord"),
        session={"sendPolicy": {"rules": [{"action": "deny", "match": {"channel": "discord"}}]}},
        agents={"defaults": {"contextPruning": PRUNING}},
    )
    config["messages"]["queue"]["mode"] = "followup"
    runner = ScriptedRunner(script)
    async with GatewayInMemory(config, runner=runner, store=SqliteStore(path), tools={"read": Reader()}) as world:
        telegram = world.channel("telegram")
        await telegram.post("hello", sender="ann")
        await telegram.post("read", sender="cyd")
        await telegram.post("hello all", sender="eve", chat_id="g", chat_type="group", mentioned=False)
        await world.channel("discord").post("hello", sender="ann")
        await telegram.post("hold", sender="bob")
        await gate.reached.wait()
        await telegram.post("and me", sender="bob")
        gate.open()
        await world.settle()
        await world.run_for(400)
        await telegram.post("and now?", sender="cyd")
        await world.settle()
        await world.run_for(24 * 3600)
        await telegram.post("good morning", sender="ann")
        await world.settle()


@pytest.fixture(scope="module")
def state_dir(tmp_path_factory):
    folder = tmp_path_factory.mktemp("explain")
    play_story(live_through_it(folder / "instar.db"))
    return folder


@pytest.mark.parametrize(
    ("key", "question", "words", "rule"),
    [
        (DIRECT, "Why a new session?", "Daily reset at 04:00 ", "RESET-13"),
        (GROUP, "Why no reply?", "No reply: activation is `mention` by default and the message did not call", "ACT-3"),
        (SILENT, "Why was the reply not sent?", "The reply was not sent to the channel: the rule ", "SEND-3"),
        (READER, "Why does the model see less?", "Old tool results were trimmed in what the model saw: 1 ", "PRUNE-12"),
        (BUSY, "Why did it come when it came?", "The message waited, since a turn was running", "QUEUE-4"),
    ],
    ids=["a reset", "no answer in a group", "a reply that was not sent", "what was pruned", "a message that waited"],
)
def test_one_sentence_says_why(state_dir, monkeypatch, capsys, key, question, words, rule):
    monkeypatch.setenv("INSTAR_STATE_DIR", str(state_dir))
    assert run(["explain", key, "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    told = [row for row in rows if row["question"] == question and row["sentence"].startswith(words)]
    assert told, [(row["question"], row["sentence"]) for row in rows]
    assert told[0]["sentence"].endswith(told[0]["rule"])
    assert told[0]["rule"].partition("-")[0] == rule.partition("-")[0]
    assert "\n" not in told[0]["sentence"]
    # The text of the command holds the same sentence.
    assert run(["explain", key]) == 0
    assert told[0]["sentence"] in capsys.readouterr().out


def test_a_message_is_found_by_what_its_platform_calls_it(state_dir, monkeypatch, capsys):
    monkeypatch.setenv("INSTAR_STATE_DIR", str(state_dir))
    assert run(["explain", "telegram:m1", "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert {row["sessionKey"] for row in rows} == {DIRECT}
    (inbound_id,) = {row["inboundId"] for row in rows}
    assert run(["explain", inbound_id, "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == rows
    # The other platform counts from one, too, but not as far.
    assert run(["explain", "m1", "--json"]) == 1
    told = capsys.readouterr().out
    assert "several messages are called m1" in told
    assert inbound_id in told
    assert run(["explain", "m3", "--json"]) == 0
    assert {row["sessionKey"] for row in json.loads(capsys.readouterr().out)} == {GROUP}
    assert run(["explain", "slack:m1"]) == 1
    assert "a message goes by the id of its platform or of the gateway" in capsys.readouterr().err


def test_no_words_of_people_are_in_a_story(state_dir, monkeypatch, capsys):
    monkeypatch.setenv("INSTAR_STATE_DIR", str(state_dir))
    for key in (DIRECT, GROUP, SILENT, BUSY, READER):
        run(["explain", key, "--json"])
        assert "good morning" not in (out := capsys.readouterr().out)
        assert "hello" not in out


# --- what would happen ------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def gateway(tmp_path_factory):
    channels = {
        "telegram": {
            "type": "bridge",
            "token": "a-token-for-bridges-of-tests",
            "dmPolicy": "open",
            "groupPolicy": "open",
        },
        "closed": {
            "type": "bridge",
            "token": "b-token-for-bridges-of-tests",
            "dmPolicy": "allowlist",
            "allowFrom": ["bo"],
        },
    }
    with GatewayProcess(tmp_path_factory.mktemp("route"), build_process_config(channels=channels)) as process:
        process.post("hello", message_id=1)
        process.take(1)
        yield process


def foresee(gateway, monkeypatch, capsys, *args):
    monkeypatch.setenv("INSTAR_STATE_DIR", str(gateway.state_dir))
    code = run(["explain", "--route", *args, "--json"])
    captured = capsys.readouterr()
    assert code == 0, captured
    return json.loads(captured.out)


def test_a_message_is_foreseen_with_every_decision_and_changes_nothing(gateway, monkeypatch, capsys):
    found = foresee(gateway, monkeypatch, capsys, "--channel", "telegram", "--chat", "direct", "--peer", "ann")
    assert (found["status"], found["sessionKey"], found["agentId"]) == ("accepted", DIRECT, "main")
    assert [row["kind"] for row in found["rows"]] == [
        "route",
        "access",
        "activation",
        "freshness",
        "queue",
        "tool",
        "send",
    ]
    assert all(row["sentence"].endswith(row["rule"]) for row in found["rows"])
    assert found["nextExpiryAt"] > found["rows"][0]["at"]
    new = foresee(gateway, monkeypatch, capsys, "--channel", "telegram", "--peer", "zoe")
    assert [row["outcome"] for row in new["rows"] if row["kind"] == "freshness"] == ["new"]
    assert new["nextExpiryAt"] is None
    assert run(["sessions", "--json"]) == 0
    assert [row["key"] for row in json.loads(capsys.readouterr().out)["sessions"]] == [DIRECT]


def test_what_would_be_refused_or_only_kept_is_foreseen(gateway, monkeypatch, capsys):
    refused = foresee(gateway, monkeypatch, capsys, "--channel", "closed", "--peer", "ann")
    assert (refused["status"], refused["reason"]) == ("refused", "not_allowlisted")
    assert [row["kind"] for row in refused["rows"]] == ["route", "access"]
    group = ["--channel", "telegram", "--chat", "group", "--peer", "g", "--sender", "ann"]
    assert foresee(gateway, monkeypatch, capsys, *group)["status"] == "observed"
    assert foresee(gateway, monkeypatch, capsys, *group, "--mentioned")["status"] == "accepted"
    room = foresee(gateway, monkeypatch, capsys, "--channel", "telegram", "--chat", "room", "--peer", "r")
    assert room["sessionKey"] == "agent:main:telegram:channel:r"
    direct = foresee(gateway, monkeypatch, capsys, "--channel", "telegram", "--chat", "dm", "--peer", "ann")
    assert direct["sessionKey"] == DIRECT
    topic = foresee(gateway, monkeypatch, capsys, *group, "--mentioned", "--thread", "7")
    assert topic["sessionKey"].startswith("agent:main:telegram:group:g:")


def test_it_is_told_in_words_and_needs_a_place(gateway, monkeypatch, capsys):
    monkeypatch.setenv("INSTAR_STATE_DIR", str(gateway.state_dir))
    assert run(["explain", "--route", "--channel", "telegram", "--peer", "ann"]) == 0
    out = capsys.readouterr().out
    assert out.startswith(f"The message would be answered; session {DIRECT}")
    assert "What is written while a turn runs goes the way of the queue (queue mode `steer`). QUEUE-11" in out
    assert "Without a word more the session starts over" in out
    assert run(["explain", "--route", "--channel", "telegram"]) == 2
    assert run(["explain"]) == 2
    assert run(["explain", "--route", "--channel", "nowhere", "--peer", "x"]) == 1
    assert "the channels are closed, telegram" in capsys.readouterr().err
