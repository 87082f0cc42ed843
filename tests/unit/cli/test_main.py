"""What becomes of a command line: exit codes, errors in words, one document with --json, a reader that leaves."""

import json
import os
import subprocess
import sys

import click
import pytest

from instar.cli.main import COMMANDS, SUMMARIES, cli, run


@pytest.fixture(autouse=True)
def _state(tmp_path, monkeypatch):
    monkeypatch.setenv("INSTAR_STATE_DIR", str(tmp_path / "state"))


def test_the_version_and_the_help_are_told(capsys):
    assert run(["--version"]) == 0
    assert capsys.readouterr().out.startswith("instar ")
    assert run(["--help"]) == 0
    assert "sessions" in capsys.readouterr().out


def test_the_help_of_the_program_tells_each_command_as_its_own_help_does_and_imports_none():
    context = click.Context(cli)
    told = {name: cli.get_command(context, name).get_short_help_str(1_000) for name in COMMANDS}
    assert told == SUMMARIES
    asked = "import sys; from instar.cli.main import run; run(['--help']); print(*sys.modules, file=sys.stderr)"
    done = subprocess.run([sys.executable, "-c", asked], capture_output=True, text=True, check=True)
    assert [name for name in done.stderr.split() if name.startswith("instar.cli.commands")] == []


def _groups(group, path=()):
    context = click.Context(group)
    yield path, group
    for name in group.list_commands(context):
        inner = group.get_command(context, name)
        if isinstance(inner, click.Group):
            yield from _groups(inner, (*path, name))


def test_no_list_of_commands_is_cut(capsys):
    for path, group in _groups(cli):
        assert run([*path, "--help"]) == 0
        told = " ".join(capsys.readouterr().out.split())
        for name in group.list_commands(click.Context(group)):
            assert group.get_command(click.Context(group), name).get_short_help_str(1_000) in told


@pytest.mark.parametrize(
    ("args", "meant"),
    [(["sesions"], "sessions"), (["sessions", "lst"], "list"), (["tokens", "revok"], "revoke")],
)
def test_a_mistyped_command_is_answered_with_the_one_that_is_meant(args, meant, capsys):
    assert run(args) == 2
    assert f"No such command '{args[-1]}'. Did you mean '{meant}'?" in capsys.readouterr().err


@pytest.mark.parametrize(
    "args",
    [
        ["nope"],
        ["sessions", "list", "--nope"],
        ["sessions", "show"],
        ["sessions", "list", "--store", "x", "--agent", "y"],
        ["sessions", "list", "--store", "x", "--all-agents"],
        ["chat", "--session", "a", "--agent", "b"],
    ],
    ids=" ".join,
)
def test_a_line_that_cannot_be_read_is_a_usage_error(args, capsys):
    assert run(args) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "Usage: instar" in captured.err


@pytest.mark.parametrize(
    "args",
    [
        ["sessions", "--active", "0"],
        ["sessions", "--limit", "none"],
        ["sessions", "--timeout", "0"],
        ["sessions", "export", "main", "--format", "pdf"],
        ["gateway", "call", "status", "--params", "["],
        ["gateway", "call", "status", "--params", "[]"],
        ["sessions", "--url", "nonsense://x"],
        ["chat", "-m", "  "],
        ["agent", "-m", ""],
    ],
    ids=" ".join,
)
def test_a_value_that_makes_no_sense_is_a_failure(args, capsys):
    assert run(args) == 1
    assert capsys.readouterr().err


def test_a_number_that_is_none_is_refused_in_plain_words(capsys):
    assert run(["sessions", "usage", "--days", "many"]) == 1
    assert "'many' is not a valid whole number." in capsys.readouterr().err


def test_with_json_an_error_is_the_one_document(capsys):
    assert run(["sessions", "--active", "x", "--json"]) == 1
    captured = capsys.readouterr()
    document = json.loads(captured.out)
    assert (document["ok"], document["code"]) == (False, "invalid_request")
    assert "--active" in document["error"]
    assert captured.err == ""
    assert run(["sessions", "list", "--timeout", "-1", "--json"]) == 1
    assert json.loads(capsys.readouterr().out)["ok"] is False


@pytest.mark.parametrize("args", [["nope"], ["chat"], ["explain"], ["sessions", "show"]], ids=" ".join)
def test_with_json_a_line_that_cannot_be_read_is_the_one_document_too(args, capsys):
    assert run([*args, "--json"]) == 2
    captured = capsys.readouterr()
    document = json.loads(captured.out)
    assert (document["ok"], document["code"], captured.err) == (False, "usage", "")
    assert document["error"]


def test_what_the_system_refuses_is_told_with_the_place_and_a_way_out(tmp_path, capsys):
    place = tmp_path / "file"
    place.touch()
    assert run(["backup", "verify", str(tmp_path / "nope")]) == 1
    assert capsys.readouterr().err == f"instar: {tmp_path / 'nope'}: No such file or directory. Check the path.\n"
    assert run(["encryption", "create-key", str(place / "key"), "--json"]) == 1
    document = json.loads(capsys.readouterr().out)
    assert (document["code"], document["error"]) == ("os", f"{place}: File exists. Name another place.")


@pytest.mark.parametrize(
    "args",
    [
        ["sessions", "reset", "main"],
        ["gateway", "call", "status"],
        ["chat", "-m", "hi"],
        ["sessions", "delete", "x", "--yes"],
    ],
    ids=" ".join,
)
def test_what_needs_a_gateway_says_how_to_start_one(args, capsys):
    assert run(args) == 1
    assert "Start one with `instar gateway`" in capsys.readouterr().err


def test_whoever_names_an_address_gets_no_answer_from_elsewhere(capsys):
    assert run(["sessions", "--url", "ws://127.0.0.1:1"]) == 1
    assert "No gateway answers at ws://127.0.0.1:1" in capsys.readouterr().err


def test_a_broken_configuration_is_told_with_its_place(tmp_path, capsys):
    file = tmp_path / "broken.json5"
    file.write_text("{\n  gateway: {port: 'x'}\n}")
    assert run(["sessions", "--config", str(file)]) == 1
    assert f"{file}:2:19: gateway.port" in capsys.readouterr().err


def test_a_group_alone_means_its_default(capsys):
    assert run(["sessions", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["count"] == 0
    assert run(["sessions", "--help"]) == 0
    assert "export" in capsys.readouterr().out


def instar(*args, **options):
    return subprocess.Popen(
        [sys.executable, "-m", "instar", *args],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=os.environ,
        **options,
    )


def test_a_reader_that_leaves_is_no_failure():
    with instar("gateway", "--help") as process:
        process.stdout.close()
        assert process.wait(timeout=30) == 0
        assert process.stderr.read() == b""


def test_the_command_is_the_module():
    with instar("--version") as process:
        assert process.communicate(timeout=30)[0].startswith(b"instar ")
        assert process.returncode == 0


def test_a_list_imports_neither_an_event_loop_nor_a_drawing_library():
    code = (
        "import sys; from instar.cli.main import run; run(['sessions', '--url', 'ws://127.0.0.1:1']);"
        "heavy = {'asyncio', 'rich', 'websockets', 'msgspec', 'pydantic', 'apsw', 'pyjson5', 'instar.gateway'};"
        "print(sorted(heavy & sys.modules.keys()))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=30, check=True)
    assert done.stdout.strip() == "[]"
