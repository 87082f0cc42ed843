"""The command line without a gateway: what reads is read from the database, the rest says how to start (CLI-28)."""

import json
import os
import shutil
import sqlite3
import subprocess
import sys

import pytest

from tests.builders.command_line import ask, build_command_line
from tests.builders.process import GatewayProcess, build_process_config, run_instar, wait_until

ANN = "agent:main:telegram:direct:ann"


@pytest.fixture(scope="module")
def stopped(tmp_path_factory):
    """The folder of a gateway that has answered ann twice, with a reset in between, and was stopped."""
    folder = tmp_path_factory.mktemp("offline")
    with GatewayProcess(folder, build_process_config()) as gateway:
        for number, text in enumerate(["first", "/new second"]):
            gateway.post(text, message_id=number)
            gateway.take(1)
        assert gateway.stop() == 0
    return folder


@pytest.fixture
def state_dir(stopped, tmp_path):
    """A copy of what it left behind."""
    return shutil.copytree(stopped / "state", tmp_path / "state")


@pytest.fixture
def instar(state_dir, monkeypatch, capsys):
    return build_command_line(state_dir, monkeypatch, capsys)


def test_sessions_are_listed_and_it_is_said_where_from(instar, state_dir):
    code, out, err = instar("sessions")
    assert code == 0
    assert "direct:ann" in out
    assert "reading the database instead" in err
    document = ask(instar, "sessions")
    assert (document["path"], document["count"]) == (str(state_dir / "instar.db"), 1)


def test_one_session_is_shown_with_its_words_and_its_history(instar):
    code, out, _ = instar("sessions", "show", ANN, "--history", "--verbose")
    assert code == 0
    assert "you: second" in out
    assert "Reset: daily at 04:00" in out
    transcripts = ask(instar, "sessions", "show", "telegram:direct:ann", "--history")["transcripts"]
    assert [one["closeReason"] for one in transcripts] == [None, "new"]


def test_a_session_is_exported(instar):
    code, out, _ = instar("sessions", "export", ANN)
    assert code == 0
    assert json.loads(out)["messages"][0]["text"] == "second"


def test_why_is_told(instar):
    code, out, _ = instar("explain", ANN)
    assert code == 0
    assert "A new session was started by /new" in out


def test_the_status_says_that_none_runs(instar, state_dir):
    code, out, _ = instar("status")
    assert code == 0
    assert "none runs; start it with `instar gateway`" in out
    document = ask(instar, "status", "--deep")
    assert (document["running"], document["sessions"]["count"], document["health"]) == (False, 1, None)


def test_a_store_may_be_named_as_a_folder_or_a_file(instar, state_dir):
    for place in (state_dir, state_dir / "instar.db"):
        assert ask(instar, "sessions", "--store", place)["count"] == 1
    code, out, _ = instar("sessions", "--store", state_dir / "missing.db", "--json")
    assert (code, json.loads(out)["code"]) == (1, "not_found")


def test_reading_changes_nothing_and_leaves_nothing_behind(instar, state_dir):
    before = sorted((path.name, path.stat().st_mtime_ns) for path in state_dir.iterdir())
    for args in (("sessions",), ("sessions", "show", ANN), ("status",), ("sessions", "export", ANN)):
        assert instar(*args)[0] == 0
    assert sorted((path.name, path.stat().st_mtime_ns) for path in state_dir.iterdir()) == before


def test_a_store_that_nobody_uses_is_cleaned_up_from_files(instar, state_dir):
    (state_dir / "instar.json5").write_text('{session: {maintenance: {pruneAfter: "1ms"}}}', encoding="utf-8")
    for args in (("--dry-run",), ("--store", state_dir)):
        code, out, _ = instar("sessions", "cleanup", *args)
        assert (code, "nothing was changed" in out) == (0, True)
    assert ask(instar, "sessions")["count"] == 1
    code, out, err = instar("sessions", "cleanup", "--enforce", "--store", state_dir / "instar.db")
    assert code == 0, err
    assert "prune-stale" in out
    assert ask(instar, "sessions")["count"] == 0
    # Both lives of the session left an archive, in the folder of that store.
    assert len(list(state_dir.rglob("*.deleted.*.zst"))) == 2
    code, out, _ = instar("explain", ANN)
    assert "MAINT-3" in out
    code, out, _ = instar("sessions", "cleanup", "--enforce", "--store", state_dir / "missing.db", "--json")
    assert (code, json.loads(out)["code"]) == (1, "not_found")
    assert not (state_dir / "missing.db").exists()


def test_a_folder_that_cannot_be_written_can_be_read(instar, state_dir):
    state_dir.chmod(0o500)
    (state_dir / "instar.db").chmod(0o400)
    try:
        assert ask(instar, "sessions")["count"] == 1
    finally:
        state_dir.chmod(0o700)


def test_what_a_killed_gateway_left_in_its_log_is_read_too(tmp_path, monkeypatch, capsys):
    with GatewayProcess(tmp_path, build_process_config()) as gateway:
        gateway.post("last words", message_id=1)
        gateway.take(1)
        gateway.kill()
    assert (gateway.state_dir / "instar.db-wal").stat().st_size > 0
    code, out, _ = build_command_line(gateway.state_dir, monkeypatch, capsys)("sessions", "show", ANN)
    assert code == 0
    assert "you: last words" in out


@pytest.mark.parametrize(
    "args",
    [
        ("sessions", "reset", ANN),
        ("sessions", "delete", ANN, "--yes"),
        ("chat", "-m", "x"),
        ("gateway", "call", "status"),
    ],
    ids=" ".join,
)
def test_what_changes_anything_says_how_to_start_a_gateway(instar, args):
    code, _, err = instar(*args)
    assert code == 1
    assert "Start one with `instar gateway`" in err


def test_where_nothing_was_ever_stored_there_is_nothing(monkeypatch, tmp_path, capsys):
    instar = build_command_line(tmp_path / "fresh", monkeypatch, capsys)
    assert instar("sessions")[:2] == (0, f"No sessions in {tmp_path / 'fresh' / 'instar.db'}.\n")
    assert instar("sessions", "show", "main")[0] == 1
    assert instar("status")[0] == 0
    assert not (tmp_path / "fresh").exists()


def test_a_database_of_an_older_build_is_read_as_far_as_it_goes(instar, state_dir):
    with sqlite3.connect(state_dir / "instar.db") as database:
        database.execute("UPDATE meta SET value = '1' WHERE name = 'schema_version'")
        database.execute("ALTER TABLE decisions RENAME TO decisions_of_later")
    database.close()
    assert ask(instar, "sessions")["count"] == 1
    code, _, err = instar("explain", ANN)
    assert code == 1
    assert "older schema" in err
    assert "Start the gateway once" in err


@pytest.mark.parametrize("content", [b"no database at all" * 100, b"SQLite format 3\0" + b"x" * 200])
def test_what_is_no_database_is_told_as_such(instar, state_dir, content):
    (state_dir / "instar.db").write_bytes(content)
    code, out, _ = instar("sessions", "--json")
    document = json.loads(out)
    assert (code, document["code"]) == (1, "store_unreadable")


def test_a_database_of_a_newer_build_is_left_alone(instar, state_dir):
    with sqlite3.connect(state_dir / "instar.db") as database:
        database.execute("UPDATE meta SET value = '99' WHERE name = 'oldest_build'")
    database.close()
    code, _, err = instar("sessions")
    assert code == 1
    assert "Start the newer build" in err


# --- imports ------------------------------------------------------------------------------------------------------


def write_transcript(path):
    header = {"type": "session", "version": 3, "id": "33333333-2222-4333-8444-555555555555"}
    message = {"role": "user", "content": "from elsewhere", "timestamp": 1}
    entry = {"type": "message", "id": "aaaaaaaa", "parentId": None, "timestamp": "2026-01-01T00:00:00Z"}
    path.write_text(f"{json.dumps(header)}\n{json.dumps({**entry, 'message': message})}\n")
    return path


def test_a_transcript_is_imported_into_the_store_itself(instar, tmp_path):
    file = write_transcript(tmp_path / "old.jsonl")
    document = ask(instar, "import", "transcript", file)
    assert (document["stored"], document["entries"]) == (True, 1)
    assert ask(instar, "import", "transcript", file)["stored"] is False
    assert ask(instar, "sessions", "show", document["key"])["messages"][0]["content"] == "from elsewhere"
    named = ask(instar, "import", "transcript", file, "--session", "work")
    assert (named["stored"], named["key"]) == (False, document["key"])


def test_a_store_that_is_in_use_takes_no_import(state_dir, tmp_path):
    """A gateway that cannot be reached holds the lock all the same."""
    file = write_transcript(tmp_path / "old.jsonl")
    with GatewayProcess(tmp_path / "gw", build_process_config()) as gateway:
        (gateway.state_dir / "gateway.json").unlink()
        done = run_instar("import", "transcript", str(file), state_dir=gateway.state_dir)
    assert done.returncode == 1
    assert "is in use" in done.stderr


# --- starting anew ------------------------------------------------------------------------------------------------


def test_force_stops_the_gateway_that_runs_and_takes_its_place(tmp_path):
    with GatewayProcess(tmp_path, build_process_config()) as gateway:
        old = json.loads((gateway.state_dir / "gateway.json").read_text())["pid"]
        command = [sys.executable, "-m", "instar", "gateway", "--port", "0", "--force", "--config"]
        process = subprocess.Popen(
            [*command, str(gateway.config_path)],
            env={**os.environ, "INSTAR_STATE_DIR": str(gateway.state_dir)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        with process:
            assert "is ready at" in process.stdout.readline()
            assert json.loads((gateway.state_dir / "gateway.json").read_text())["pid"] == process.pid
            process.terminate()
            _, err = process.communicate(timeout=60)
        assert f"Stopping the gateway that runs as process {old}" in err
        wait_until(lambda: not gateway.is_alive())
