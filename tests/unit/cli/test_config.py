"""The configuration on the command line: findings with their place, one setting changed and nothing else."""

import json

import pytest

from instar.cli.commands.config_set import parse_value
from instar.cli.main import run


@pytest.fixture
def file(tmp_path, monkeypatch):
    monkeypatch.setenv("INSTAR_STATE_DIR", str(tmp_path))
    return tmp_path / "instar.json5"


def test_a_good_file_is_called_good(file, capsys):
    file.write_text("{session: {dmScope: 'per-peer'}}")
    assert run(["config", "validate"]) == 0
    assert capsys.readouterr().out == f"{file} is good.\n"


def test_no_file_means_defaults(file, capsys):
    assert run(["config", "validate"]) == 0
    assert "every setting has its default" in capsys.readouterr().out


def test_everything_that_is_wrong_is_told_with_its_place(file, capsys):
    file.write_text("{\n  session: {\n    resetTriggers: 5,\n  },\n  gateway: {port: 'x'},\n}")
    assert run(["config", "validate"]) == 1
    told = capsys.readouterr().out.splitlines()
    assert [line.partition(": ")[0] for line in told] == [f"{file}:3:20", f"{file}:5:19"]


def test_findings_come_as_json_too(file, capsys):
    file.write_text("{\n  session: {dmScop: 'per-peer'},\n}")
    assert run(["config", "validate", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    (finding,) = document["findings"]
    assert (document["ok"], finding["severity"], finding["path"], finding["line"]) == (
        True,
        "warning",
        "session.dmScop",
        2,
    )


def test_a_file_that_is_no_json_tells_where_it_stops(file, capsys):
    file.write_text("{\n  a: ,\n}")
    assert run(["config", "validate", "--json"]) == 1
    (error,) = json.loads(capsys.readouterr().out)["errors"]
    assert error["line"] == 2


def test_another_file_may_be_named(tmp_path, file, capsys):
    other = tmp_path / "other.json5"
    other.write_text("{")
    assert run(["config", "validate", str(other)]) == 1
    assert str(other) in capsys.readouterr().out
    assert run(["config", "validate", str(tmp_path / "missing")]) == 1
    assert "no such file" in capsys.readouterr().err


def test_a_setting_is_read_by_its_path(file, capsys):
    file.write_text("{session: {dmScope: 'per-peer', maxMessages: 5}, channels: {t: {token: 'hush'}}}")
    for path, text in (
        ("session.dmScope", "per-peer\n"),
        ("session.maxMessages", "5\n"),
        ("channels.t.token", "hush\n"),
    ):
        assert run(["config", "get", path]) == 0
        assert capsys.readouterr().out == text
    assert run(["config", "get", "session", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["maxMessages"] == 5


def test_the_whole_is_read_without_secrets(file, capsys):
    file.write_text("{session: {dmScope: 'per-peer'}, channels: {t: {token: 'hush'}}}")
    assert run(["config", "get"]) == 0
    told = capsys.readouterr().out
    assert "per-peer" in told
    assert "hush" not in told


def test_what_is_not_set_is_told(file, capsys):
    assert run(["config", "get", "session.dmScope", "--json"]) == 1
    assert json.loads(capsys.readouterr().out)["code"] == "not_found"


def test_one_setting_is_changed_and_comments_stay(file, capsys):
    file.write_text("{\n  // mine\n  session: {dmScope: 'main'}, // why\n}\n")
    assert run(["config", "set", "session.dmScope", "per-peer"]) == 0
    assert file.read_text() == '{\n  // mine\n  session: {dmScope: "per-peer"}, // why\n}\n'
    assert run(["config", "unset", "session.dmScope"]) == 0
    assert "// mine" in file.read_text()
    assert "dmScope" not in file.read_text()
    capsys.readouterr()


def test_the_first_setting_makes_a_private_file(file, capsys):
    assert run(["config", "set", "session.reset.atHour", "5", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert (document["value"], document["file"]) == (5, str(file))
    assert file.stat().st_mode & 0o777 == 0o600


def test_what_could_not_be_used_is_refused_and_the_file_stays(file, capsys):
    file.write_text("{session: {dmScope: 'main'}}")
    assert run(["config", "set", "session.dmScope", "5"]) == 1
    assert "session.dmScope" in capsys.readouterr().err
    assert file.read_text() == "{session: {dmScope: 'main'}}"


def test_a_negative_number_is_a_value_and_no_option(file, capsys):
    assert run(["config", "set", "channels.telegram.dmHistoryLimit", "-1"]) == 0
    assert "is set in" in capsys.readouterr().out
    assert "-1" in file.read_text()
    assert run(["config", "set", "session.idleMinutes", "5", "--jsno"]) == 2


def test_what_is_never_meant_is_refused_unless_it_is(file, capsys):
    file.write_text("{channels: {telegram: {dmPolicy: 'allowlist', allowFrom: ['1']}}, session: {dmScope: 'main'}}")
    assert run(["config", "set", "channels.telegram.dmPolicy", "open"]) == 1
    assert "allowUnsafe" in capsys.readouterr().err
    assert run(["config", "set", "channels.telegram.dmPolicy", "open", "--allow-unsafe"]) == 0
    assert "open" in file.read_text()
    capsys.readouterr()


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("5", 5),
        ("true", True),
        ("null", None),
        ("per-peer", "per-peer"),
        ("{a: [1, 'x']}", {"a": [1, "x"]}),
        ("'5'", "5"),
        ("", ""),
        ("+49 30 1234", "+49 30 1234"),
        ("Infinity", "Infinity"),
    ],
)
def test_values_are_json5_or_text(text, value):
    assert parse_value(text) == value
