"""The command line against a real gateway process: list, show, export, reset, delete, explain, status, call, import."""

import json
import os
import re

import pytest

from instar.testing.model_server import ModelServer
from tests.builders.command_line import ask, build_command_line
from tests.builders.process import GatewayProcess, build_process_config, wait_until

MAIN = "agent:main:main"
ANN = "agent:main:telegram:direct:ann"


@pytest.fixture(scope="module")
def gateway(tmp_path_factory):
    """A gateway in which ann has written three messages, a reset between the second and the third."""
    with ModelServer() as model:
        folder = tmp_path_factory.mktemp("cli")
        with GatewayProcess(folder, build_process_config(model_url=model.openai_url)) as process:
            for number, text in enumerate(["first", "my key is sk-abcdefghijklmnopqrstuvwxyz012345", "/new third"]):
                process.post(text, message_id=number)
                process.take(1)
            yield process


@pytest.fixture
def instar(gateway, monkeypatch, capsys):
    return build_command_line(gateway.state_dir, monkeypatch, capsys)


def closed_id(instar):
    transcripts = ask(instar, "sessions", "show", ANN, "--history")["transcripts"]
    return next(one["sessionId"] for one in transcripts if not one["isCurrent"])


# --- list ---------------------------------------------------------------------------------------------------------


def test_sessions_are_listed_as_a_table(instar, gateway):
    code, out, err = instar("sessions")
    assert (code, err) == (0, "")
    first, second, heads, row = out.splitlines()
    assert first == f"Session store: {gateway.state_dir / 'instar.db'}"
    assert second == "Sessions listed: 1"
    assert heads.split() == ["Kind", "Key", "Age", "Model", "Tokens", "(ctx", "%)", "Flags"]
    assert row.startswith("direct  agent:main:te…m:direct:ann  just now  test   ")


def test_sessions_are_listed_as_json(instar, gateway):
    document = ask(instar, "sessions", "list", "--active", "60")
    (row,) = document.pop("sessions")
    assert document == {
        "path": str(gateway.state_dir / "instar.db"),
        "count": 1,
        "totalCount": 1,
        "limitApplied": 100,
        "hasMore": False,
        "activeMinutes": 60,
    }
    assert (row["key"], row["kind"], row["model"]) == (ANN, "direct", "test")
    assert 0 <= row["ageMs"] < 60_000


def test_lists_are_narrowed_by_agent_and_told_for_all(instar):
    assert ask(instar, "sessions", "--agent", "nobody")["count"] == 0
    document = ask(instar, "sessions", "--all-agents", "--limit", "all")
    assert (document["path"], document["allAgents"], document["limitApplied"]) == (None, True, None)
    assert [one["agentId"] for one in document["stores"]] == ["main"]


def test_a_list_without_sessions_is_one_line(instar):
    code, out, _ = instar("sessions", "--agent", "nobody")
    assert code == 0
    assert out.startswith("No sessions in ")
    assert out.count("\n") == 1


def test_verbose_shows_whole_keys_and_titles(instar):
    _, out, _ = instar("sessions", "--verbose")
    assert ANN in out
    assert "third" in out


def test_another_database_may_be_read_beside_the_gateway(instar, gateway):
    code, out, _ = instar("sessions", "--store", gateway.state_dir)
    assert code == 0
    assert "direct:ann" in out


# --- show ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("spell", [str, str.upper, lambda key: key.partition("agent:main:")[2]])
def test_a_session_is_shown_with_its_last_words(instar, spell):
    code, out, _ = instar("sessions", "show", spell(ANN))
    assert code == 0
    assert out.splitlines()[0] == f"Session {ANN}"
    assert "you: third" in out
    assert "agent: You said: third" in out
    assert "first" not in out


def test_a_session_is_found_by_the_beginning_of_its_id(instar):
    session_id = ask(instar, "sessions", "show", ANN)["sessionId"]
    assert ask(instar, "sessions", "show", session_id[:8])["key"] == ANN
    code, _, err = instar("sessions", "show", session_id[:7])
    assert code == 1
    assert f"There is no session {session_id[:7]}" in err


def test_a_session_is_found_by_its_label(instar, gateway):
    gateway.call("sessions.create", key="agent:main:dashboard:labelled", label="My work")
    assert ask(instar, "sessions", "show", "My work")["key"] == "agent:main:dashboard:labelled"
    gateway.call("sessions.delete", key="agent:main:dashboard:labelled")


def test_history_lists_what_resets_have_closed(instar):
    code, out, _ = instar("sessions", "show", ANN, "--history")
    assert code == 0
    (closed,) = [line for line in out.splitlines() if line.startswith(closed_id(instar))]
    assert closed.split()[-2:] == ["new", "4"]


def test_verbose_tells_what_holds_for_a_session(instar):
    document = ask(instar, "sessions", "show", ANN, "--verbose")
    assert document["effective"]["status"]["reset"]["nextExpiryAt"] > 0
    code, out, _ = instar("sessions", "show", ANN, "--verbose", "--messages", "0")
    assert code == 0
    assert "Reset: daily at 04:00" in out
    assert re.search(r"^lifecycleRevision: +1$", out, re.MULTILINE)
    assert "you: third" not in out


def test_the_window_of_a_session_is_told_as_its_status_tells_it(instar):
    document = ask(instar, "sessions", "show", ANN)
    assert "effective" not in document
    context = ask(instar, "sessions", "show", ANN, "--verbose")["effective"]["status"]["context"]
    _, out, _ = instar("sessions", "show", ANN)
    (line,) = re.findall(r"^In the window: +(.*)$", out, re.MULTILINE)
    used = f"{context['used'] / 1000:.1f}k" if context["used"] >= 1000 else str(context["used"])
    assert line.startswith(f"{used}/")
    assert re.search(rf", by {context['source']}(, (just now|\d+m ago))?$", line)


def test_the_file_that_mirrors_a_session_is_told(instar, gateway):
    document = ask(instar, "sessions", "show", ANN)
    folder = gateway.state_dir / "agents" / "main" / "sessions"
    wait_until((folder / f"{document['sessionId']}.jsonl").is_file)
    code, out, _ = instar("sessions", "show", ANN)
    assert code == 0
    assert str(folder / f"{document['sessionId']}.jsonl") in out


def test_an_unknown_session_is_told_with_a_way_on(instar):
    code, out, err = instar("sessions", "show", "nobody")
    assert (code, out) == (1, "")
    assert "There is no session nobody" in err
    assert "instar sessions list" in err
    code, out, _ = instar("sessions", "show", "nobody", "--json")
    assert (code, json.loads(out)["ok"]) == (1, False)


def test_an_ambiguous_beginning_lists_the_candidates(instar, gateway, tmp_path):
    keys = []
    for number in (1, 2):
        file = tmp_path / f"{number}.jsonl"
        header = {"type": "session", "version": 3, "id": f"deadbeef-{number}", "timestamp": "2026-01-01T00:00:00.000Z"}
        file.write_text(json.dumps(header) + "\n")
        keys.append(ask(instar, "import", "transcript", file)["key"])
    code, _, err = instar("sessions", "show", "deadbeef")
    assert code == 1
    assert all(key in err for key in keys)
    for key in keys:
        gateway.call("sessions.delete", key=key)


# --- export -------------------------------------------------------------------------------------------------------


def test_a_session_is_exported_as_a_document_without_its_secrets(instar):
    old = closed_id(instar)
    code, out, _ = instar("sessions", "export", old[:8])
    document = json.loads(out)
    assert (code, document["key"], document["sessionId"], document["version"]) == (0, ANN, old, 1)
    assert [message["text"] for message in document["messages"]][:2] == ["first", "You said: first"]
    assert "sk-abcdef" not in out
    _, raw, _ = instar("sessions", "export", old, "--raw", "--format", "jsonl")
    assert "sk-abcdef" in raw


def test_lines_of_an_export_are_those_of_the_mirror(instar, gateway):
    session_id = ask(instar, "sessions", "show", ANN)["sessionId"]
    (mirror,) = (gateway.state_dir / "agents" / "main" / "sessions").glob(f"{session_id}.jsonl")
    _, out, _ = instar("sessions", "export", ANN, "--format", "jsonl", "--raw")
    wait_until(lambda: len(mirror.read_text().splitlines()) == 3)
    assert out == mirror.read_text()


@pytest.mark.parametrize(("form", "begins"), [("markdown", "# third"), ("md", "# third"), ("html", "<!doctype html>")])
def test_a_session_is_exported_for_people(instar, tmp_path, form, begins):
    file = tmp_path / "out"
    code, out, _ = instar("sessions", "export", ANN, "--format", form, "--output", file)
    assert (code, out) == (0, f"Exported {ANN} to {file} ({file.stat().st_size} bytes).\n")
    assert file.read_text().startswith(begins)
    assert file.stat().st_mode & 0o777 == 0o600


def test_an_export_that_cannot_be_written_says_why(instar, tmp_path):
    code, _, err = instar("sessions", "export", ANN, "--output", tmp_path / "missing" / "out")
    assert code == 1
    assert "No such file or directory" in err


# --- changes ------------------------------------------------------------------------------------------------------


def test_a_session_starts_over_and_keeps_what_was_said(instar, gateway):
    key = gateway.call("sessions.create", key="agent:main:dashboard:reset-me")["key"]
    before = ask(instar, "sessions", "show", key)["sessionId"]
    code, out, _ = instar("sessions", "reset", key)
    assert code == 0
    assert f"kept as {before}" in out
    assert ask(instar, "sessions", "reset", key)["entry"]["sessionId"] != before
    gateway.call("sessions.delete", key=key)


def test_sessions_are_deleted_one_by_one_and_each_is_told(instar, gateway):
    for name in ("a", "b"):
        gateway.call("sessions.create", key=f"agent:main:dashboard:{name}")
    names = ("dashboard:a", "nobody", "dashboard:b")
    dry = ask(instar, "sessions", "delete", "dashboard:a", "--dry-run")
    assert (dry["dryRun"], dry["results"][0]["status"]) == (True, "would-delete")
    code, out, _ = instar("sessions", "delete", *names, "--yes", "--json")
    document = json.loads(out)
    assert (code, document["ok"], document["operation"]) == (1, False, "delete")
    assert [(one["ok"], one["status"]) for one in document["results"]] == [
        (True, "deleted"),
        (False, "failed"),
        (True, "deleted"),
    ]
    assert instar("sessions", "show", "dashboard:a")[0] == 1


def test_nobody_deletes_without_being_asked_or_saying_yes(instar):
    code, _, err = instar("sessions", "delete", ANN)
    assert code == 1
    assert "--yes" in err


def test_the_main_session_is_not_deleted(instar, gateway):
    gateway.call("sessions.create", key=MAIN)
    code, _, err = instar("sessions", "delete", "main", "--yes")
    assert code == 1
    assert "Cannot delete the main session" in err


# --- why, status, call --------------------------------------------------------------------------------------------


def test_why_is_told_in_sentences_newest_first(instar):
    code, out, _ = instar("explain", ANN)
    assert code == 0
    assert out.startswith(f"Session {ANN}, the newest first\n")
    assert "A new session was started by /new" in out
    rows = ask(instar, "explain", ANN, "--limit", "1000")
    assert [row["at"] for row in rows] == sorted((row["at"] for row in rows), reverse=True)
    turn = next(row["turnId"] for row in rows if row["turnId"])
    message = next(row["inboundId"] for row in rows if row["inboundId"])
    assert {row["turnId"] for row in ask(instar, "explain", turn)} == {turn}
    assert {row["inboundId"] for row in ask(instar, "explain", message)} == {message}


def test_nothing_to_explain_is_told(instar):
    code, _, err = instar("explain", "nobody-knows")
    assert code == 1
    assert "no session, message or turn" in err
    assert "--json` tells the other ids" in err


def test_the_status_says_what_runs_and_where_it_lies(instar, gateway):
    code, out, _ = instar("status")
    assert code == 0
    assert f"answers at {gateway.url.replace('http', 'ws')}" in out
    assert str(gateway.state_dir / "instar.db") in out
    assert "Channel telegram: bridge, runs" in out
    document = ask(instar, "status", "--deep")
    assert (document["running"], document["health"]["ok"]) == (True, True)
    assert document["usage"]["totals"]["calls"] >= 3


def test_any_method_can_be_called(instar):
    code, out, _ = instar("gateway", "call", "sessions.list", "--params", '{"limit": 1}')
    assert (code, json.loads(out)["count"]) == (0, 1)
    code, _, err = instar("gateway", "call", "no.such")
    assert code == 1
    assert "unknown method: no.such" in err


def test_a_wrong_secret_says_what_to_do(instar):
    code, _, err = instar("sessions", "--token", "wrong")
    assert code == 1
    assert "does not let this client in" in err


def test_a_gateway_named_by_hand_is_asked(instar, gateway, monkeypatch, tmp_path):
    monkeypatch.setenv("INSTAR_STATE_DIR", str(tmp_path))
    url = gateway.url.replace("http", "ws")
    assert ask(instar, "sessions", "--url", url, "--token", gateway.token)["count"] >= 1
    code, _, err = instar("sessions", "--url", url)
    assert code == 1
    assert "token missing" in err


# --- imports ------------------------------------------------------------------------------------------------------


def write_transcript(path, session_id="11111111-2222-4333-8444-555555555555"):
    lines = [
        {"type": "session", "version": 3, "id": session_id, "timestamp": "2026-01-01T00:00:00.000Z", "cwd": "/"},
        {
            "type": "message",
            "id": "aaaaaaaa",
            "parentId": None,
            "timestamp": "2026-01-01T00:00:01.000Z",
            "message": {"role": "user", "content": "from elsewhere", "timestamp": 1767225601000},
        },
    ]
    path.write_text("".join(f"{json.dumps(line)}\n" for line in lines) + "torn {")
    return path


def test_a_transcript_is_imported_through_the_gateway_once(instar, gateway, tmp_path):
    file = write_transcript(tmp_path / "old session.jsonl")
    code, out, err = instar("import", "transcript", file)
    assert code == 0
    assert "Imported 1 entry of version 3" in out
    assert "line 3" in err
    document = ask(instar, "import", "transcript", file)
    assert (document["stored"], document["entries"]) == (False, 1)
    shown = ask(instar, "sessions", "show", document["key"])
    assert shown["messages"][0]["content"] == "from elsewhere"
    gateway.call("sessions.delete", key=document["key"])


def test_a_transcript_may_join_the_history_of_a_session(instar, tmp_path):
    file = write_transcript(tmp_path / "x.jsonl", session_id="99999999-2222-4333-8444-555555555555")
    assert ask(instar, "import", "transcript", file, "--session", ANN)["key"] == ANN
    ids = [one["sessionId"] for one in ask(instar, "sessions", "show", ANN, "--history")["transcripts"]]
    assert "99999999-2222-4333-8444-555555555555" in ids


def test_what_is_no_transcript_is_refused_by_its_name(instar, tmp_path):
    file = tmp_path / "notes.txt"
    file.write_text("hello")
    code, out, _ = instar("import", "transcript", file, "--json")
    assert code == 1
    assert json.loads(out)["error"].startswith(f"{file} holds no transcript")
    code, _, err = instar("import", "transcript", tmp_path / "missing")
    assert code == 1
    assert "No such file" in err


def test_a_file_that_is_too_large_to_be_sent_says_another_way(instar, tmp_path, monkeypatch):
    monkeypatch.setattr("instar.cli.commands.import_transcript.SENT_MAX_BYTES", 10)
    code, _, err = instar("import", "transcript", write_transcript(tmp_path / "x.jsonl"))
    assert code == 1
    assert "Stop the gateway" in err


# --- starting -----------------------------------------------------------------------------------------------------


def test_a_second_gateway_says_who_holds_the_state(instar, gateway):
    code, _, err = instar("gateway", "--port", "0", "--config", gateway.config_path)
    assert code == 1
    pid = json.loads((gateway.state_dir / "gateway.json").read_text())["pid"]
    assert f"process {pid} holds it" in err
    os.kill(pid, 0)
