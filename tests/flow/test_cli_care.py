"""Looking after sessions from the command line, against a real gateway process (CLI-6…10, CLI-16, SEARCH, COST-1)."""

import json

import pytest
import zstandard

from instar.cli.commands import logs
from instar.cli.commands.logs import tell_line
from instar.cli.commands.sessions_tail import tell_event
from instar.testing.model_server import ModelServer
from instar.testing.script import Reply, call
from tests.builders.command_line import ask, build_command_line
from tests.builders.process import GatewayProcess, build_process_config

ANN = "agent:main:telegram:direct:ann"
BOB = "agent:main:telegram:direct:bob"


def script(asked):
    if "records of a conversation" in asked.system:
        return Reply(text="## Goal\nThey talk about herons.")
    if asked.last_user_text == "status?" and asked.last is not None and asked.last.role == "user":
        return Reply(calls=(call("session_status"),))
    return Reply(text=f"You said: {asked.last_user_text[:40]}")


@pytest.fixture(scope="module")
def gateway(tmp_path_factory):
    with ModelServer(script) as model:
        folder = tmp_path_factory.mktemp("care")
        config = build_process_config(model_url=model.openai_url)
        config["models"]["providers"]["mine"]["models"] = [
            {"id": "test", "contextWindow": 8192, "cost": {"input": 1, "output": 1}},
            {"id": "other"},
        ]
        with GatewayProcess(folder, config) as process:
            for number, text in enumerate(["about herons", "/new second", "status?"]):
                process.post(text, message_id=number)
                process.take(1)
            process.post("hello", message_id=10, sender={"id": "bob"})
            process.take(1)
            yield process


@pytest.fixture
def instar(gateway, monkeypatch, capsys):
    return build_command_line(gateway.state_dir, monkeypatch, capsys)


def test_search_finds_words_also_in_closed_transcripts(instar):
    (hit, *_) = ask(instar, "sessions", "search", "herons")["results"]
    assert hit["sessionKey"] == ANN
    code, out, _ = instar("sessions", "search", "herons", "--session", ANN)
    assert code == 0
    assert "about herons" in out
    assert "Nothing that was said" in instar("sessions", "search", "herons", "--session", BOB)[1]
    assert instar("sessions", "search", "herons", "--session", "nobody")[0] == 1
    assert instar("sessions", "search")[0] == 2


def test_usage_is_told_by_model_with_a_sum(instar):
    found = ask(instar, "sessions", "usage", ANN, "--days", "1")
    assert found["totals"]["calls"] >= 4
    code, out, _ = instar("sessions", "usage")
    assert code == 0
    assert "mine/test" in out
    assert out.splitlines()[-1].startswith("all")


def test_tail_shows_progress_and_no_words(instar):
    code, out, _ = instar("sessions", "tail", "--session-key", ANN)
    assert code == 0
    assert "tool session_status called" in out
    assert "tool session_status done (" in out
    assert "message (7 characters)" in out
    assert "status?" not in out
    assert len(instar("sessions", "tail", "--session-key", ANN, "--tail", "1")[1].splitlines()) == 2
    assert instar("sessions", "tail")[1].startswith("Session agent:main:")


def test_a_patch_sets_fields_and_one_bad_field_refuses_all(instar):
    code, out, _ = instar("sessions", "patch", BOB, "thinkingLevel=high", "queueCap=7", "label=the bob")
    assert (code, out.splitlines()) == (0, ["thinkingLevel: high", "queueCap: 7", "label: the bob"])
    assert ask(instar, "sessions", "patch", "the bob", "thinkingLevel=null")["entry"].get("thinkingLevel") is None
    fields = ("model=other", "activationMode=command", "sandboxMode=true", "pinned=true", "archived=false")
    assert instar("sessions", "patch", BOB, *fields)[1].splitlines() == [
        "model: mine/other",
        "activationMode: command",
        "sandboxMode: true",
        "pinned: yes",
        "archived: no",
    ]
    assert instar("sessions", "patch", BOB, "model=test", "pinned=false")[1] == "model: the default\npinned: no\n"
    code, out, err = instar("sessions", "patch", BOB, "queueCap=9", "thinkingLevel=banana")
    assert (code, out) == (1, "")
    assert "thinkingLevel" in err
    assert ask(instar, "sessions", "show", BOB)["queueCap"] == 7
    assert instar("sessions", "patch", BOB, "nothing")[0] == 1
    assert instar("sessions", "patch", "nobody", "queueCap=1")[0] == 1


def test_sessions_are_archived_in_a_batch_that_goes_on_after_a_failure(instar):
    found = ask(instar, "sessions", "archive", "nobody", BOB, code=1)
    assert [(one["key"], one["ok"]) for one in found["results"]] == [("nobody", False), (BOB, True)]
    assert found["operation"] == "archive"
    assert instar("sessions", "archive", BOB)[1] == f"{BOB}: already archived\n"
    assert BOB not in {row["key"] for row in ask(instar, "sessions")["sessions"]}
    assert instar("sessions", "archive", BOB, "--undo", "--dry-run")[1] == f"{BOB}: would be back in the list\n"
    assert instar("sessions", "archive", BOB, "--undo")[1] == f"{BOB}: back in the list\n"


def test_a_context_is_made_smaller_and_taken_back(instar, gateway):
    code, out, _ = instar("sessions", "compact", ANN)
    assert code == 0
    assert "recent enough" in out
    for number in range(6):
        gateway.post(f"{number} " + "heron " * 300, message_id=100 + number)
        gateway.take(1)
    done = ask(instar, "sessions", "compact", ANN, "--instructions", "mind the herons")
    assert done["compacted"]
    assert done["result"]["tokensAfter"] < done["result"]["tokensBefore"]
    code, out, _ = instar("sessions", "compact", ANN, "--undo")
    assert (code, out.startswith("The summary is taken back: ")) == (0, True)
    out = instar("sessions", "compact", ANN, "--max-lines", "3")[1]
    assert "Compacted: " in out
    (copy,) = gateway.state_dir.rglob("*.jsonl.bak.*.zst")
    assert f"A copy of the whole lies at {copy}." in out
    with zstandard.open(copy, "rt", encoding="utf-8") as lines:
        kept = [json.loads(line) for line in lines]
    assert kept[0]["type"] == "session"
    assert sum(line["type"] == "message" for line in kept) >= 14
    assert instar("sessions", "compact", ANN, "--undo", "--max-lines", "3")[0] == 2


def test_cleanup_plans_with_a_reason_and_is_carried_out_when_enforced(instar, gateway):
    plan = ask(instar, "sessions", "cleanup", "--dry-run")
    assert plan["dryRun"] is True
    assert {"beforeCount", "afterCount", "wouldMutate", "actions"} <= plan.keys()
    code, out, _ = instar("sessions", "cleanup", "--enforce")
    assert (code, "nothing to do" in out) == (0, True)
    store = gateway.state_dir / "instar.db"
    assert ask(instar, "sessions", "cleanup", "--dry-run", "--store", store)["beforeCount"] == plan["beforeCount"]
    code, out, err = instar("sessions", "cleanup", "--enforce", "--store", store)
    assert (code, "is in use" in out + err) == (1, True)
    assert instar("sessions", "cleanup", "--dry-run", "--store", store, "--agent", "main")[0] == 2


def test_a_message_is_sent_from_the_shell(instar):
    code, out, _ = instar("agent", "--message", "good morning", "--session-id", BOB)
    assert (code, out.strip()) == (0, "You said: good morning")
    assert ask(instar, "agent", "--message", "again")["text"] == "You said: again"
    assert instar("agent", "--message", " ")[0] == 1
    assert instar("agent", "--message", "x", "--to", BOB, "--agent", "main")[0] == 2


def test_a_closed_transcript_is_gone_on_with(instar):
    before = ask(instar, "sessions", "show", ANN)["sessionId"]
    instar("sessions", "reset", ANN)
    code, out, _ = instar("sessions", "resume", ANN, before[:8])
    assert (code, out) == (0, f"{ANN} goes on as {before}.\n")
    assert instar("sessions", "resume", ANN, "ffffffff")[0] == 1


def test_a_message_is_put_into_a_session(instar):
    code, out, _ = instar("sessions", "steer", BOB, "and this")
    assert code == 0
    assert out.startswith(f"{BOB} has it (run ")


def test_models_and_agents_are_listed(instar):
    assert "mine/other" in instar("models")[1]
    assert [one["id"] for one in ask(instar, "models")["models"]] == ["test", "other"]
    assert "main (default)" in instar("agents")[1]
    assert ask(instar, "agents")["defaultId"] == "main"


# --- the log ------------------------------------------------------------------------------------------------------


def test_the_log_is_shown_as_lines_and_as_one_document(instar):
    code, out, _ = instar("logs", "--limit", "3", "--utc")
    assert code == 0
    assert len(out.splitlines()) == 3
    assert " info " in out
    found = ask(instar, "logs", "--limit", "2")
    assert all(line["event"] for line in found["lines"])


def test_the_log_is_followed_from_where_it_was(instar, monkeypatch):
    rounds = []

    def pause(seconds):
        rounds.append(seconds)
        if len(rounds) == 2:
            raise KeyboardInterrupt

    monkeypatch.setattr(logs, "pause", pause)
    code, out, _ = instar("logs", "--follow", "--limit", "1", "--interval", "250")
    assert (code, rounds) == (1, [0.25, 0.25])
    # Each look is a client of its own, which the log tells.
    assert "client_" in out


def test_without_a_gateway_the_file_that_it_left_is_shown(monkeypatch, capsys, tmp_path):
    instar = build_command_line(tmp_path, monkeypatch, capsys)
    (tmp_path / "logs").mkdir()
    lines = [{"at": 0, "level": "error", "event": "bad", "session_key": "k", "why": "it\x1b broke", "left": None}]
    (tmp_path / "logs/gateway.log").write_text("".join(f"{json.dumps(one)}\n" for one in lines) + "no json\n")
    code, out, err = instar("logs", "--utc")
    assert code == 0
    assert out == "1970-01-01 00:00:00 error    bad session_key=k why=it� broke\nno json\n"
    assert "reading the file instead" in err
    assert ask(instar, "logs", "--session", "other")["lines"] == []
    assert [path.name for path in tmp_path.iterdir()] == ["logs"]


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        ("[1]", "[1]"),
        ('{"at": "soon", "event": "x"}', "soon info     x"),
        ('{"at": 1e300, "event": "x"}', "1e+300 info     x"),
        ('{"at": 0, "level": "info", "event": "x", "n": [1]}', "1970-01-01 00:00:00 info     x n=[1]"),
    ],
)
def test_a_line_of_any_shape_is_shown(line, shown):
    assert tell_line(line, utc=True, colour=False) == shown


@pytest.mark.parametrize(
    ("stream", "data", "words"),
    [
        ("lifecycle", {"phase": "start"}, "turn began"),
        ("lifecycle", {"phase": "end"}, "turn ended"),
        ("lifecycle", {"phase": "end", "aborted": True}, "turn was stopped"),
        ("lifecycle", {"phase": "error", "error": "secret words"}, "turn failed"),
        ("tool", {"phase": "start", "name": "read"}, "tool read called"),
        ("tool", {"phase": "result", "name": "read", "isError": True}, "tool read failed"),
        ("run_status", {"phase": "starting_model"}, "starting model"),
    ],
)
def test_a_followed_run_tells_its_steps(stream, data, words):
    assert tell_event("agent", {"stream": stream, "data": data, "ts": 0}).endswith(f"  {words}")


def test_words_of_a_followed_run_are_not_told():
    assert tell_event("agent", {"stream": "assistant", "data": {"text": "secret"}, "ts": 0}) == ""
    assert tell_event("chat", {"state": "delta"}) == ""
