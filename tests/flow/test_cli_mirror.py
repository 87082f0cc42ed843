"""`instar mirror rebuild`: the files as the database says, changed ones kept beside (STORE-5)."""

from __future__ import annotations

import json

import pytest

from tests.builders.command_line import ask, build_command_line
from tests.builders.process import GatewayProcess, build_process_config


@pytest.fixture
def instar(tmp_path, monkeypatch, capsys):
    return build_command_line(tmp_path / "state", monkeypatch, capsys)


@pytest.fixture
def told(tmp_path):
    """A state directory in which a conversation of two lives was had, and its folder of transcripts."""
    with GatewayProcess(tmp_path, build_process_config()) as gateway:
        for number, text in enumerate(["about herons", "/new second"]):
            gateway.post(text, message_id=number)
            gateway.take(1)
        assert gateway.stop() == 0
    return gateway.state_dir / "agents" / "main" / "sessions"


def test_what_is_lost_or_changed_is_written_anew_and_the_change_kept(instar, told):
    files = {path: path.read_bytes() for path in told.iterdir()}
    (closed,) = told.glob("*.jsonl.reset.*")
    (current,) = told.glob("*.jsonl")
    closed.unlink()
    (told / "sessions.json").unlink()
    current.write_text("mine\n")
    assert ask(instar, "mirror", "rebuild") == {"ok": True, "transcripts": 2}
    (kept,) = told.glob("*.conflict.*")
    assert kept.read_text() == "mine\n"
    kept.unlink()
    assert {path: path.read_bytes() for path in told.iterdir()} == files
    code, out, _ = instar("mirror", "rebuild")
    assert (code, out) == (0, "The mirror is as the database says: 2 transcripts.\n")
    assert ask(instar, "doctor")["findings"] == []


def test_without_a_mirror_or_a_database_it_says_so(instar, told, tmp_path):
    config = tmp_path / "state" / "instar.json5"
    config.write_text(json.dumps({"session": {"mirror": False}}))
    code, _, err = instar("mirror", "rebuild")
    assert (code, "There is no mirror to write" in err, "Set session.mirror to true" in err) == (1, True, True)
    (tmp_path / "state" / "instar.db").unlink()
    code, _, err = instar("mirror", "rebuild")
    assert (code, "There is no database" in err) == (1, True)


def test_beside_a_gateway_nothing_is_touched(instar, tmp_path):
    with GatewayProcess(tmp_path, build_process_config()):
        code, _, err = instar("mirror", "rebuild")
    assert (code, "in use" in err) == (1, True)
