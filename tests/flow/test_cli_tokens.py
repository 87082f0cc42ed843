"""`instar tokens`: with a gateway and without one (LEAK-3)."""

import json
import sqlite3

import pytest

from tests.builders.command_line import build_command_line
from tests.builders.process import GatewayProcess, build_process_config, run_instar


@pytest.fixture
def instar(tmp_path, monkeypatch, capsys):
    return build_command_line(tmp_path / "state", monkeypatch, capsys)


def test_without_a_gateway_tokens_are_made_listed_and_revoked(instar, tmp_path):
    code, out, err = instar(
        "tokens", "create", "--principal", "Alice", "--scopes", "read,write", "--expires", "30d", "--label", "phone"
    )
    assert (code, out.startswith("ist_")) == (0, True)
    assert "sees what is alice's, may read, write, until" in err
    assert "opening the database instead" in err
    code, out, _ = instar("tokens", "list", "--json")
    (row,) = json.loads(out)["tokens"]
    assert (row["principal"], row["label"], row["state"], row["expiresAt"] - row["createdAt"]) == (
        "alice",
        "phone",
        "active",
        30 * 86_400_000,
    )
    code, out, _ = instar("tokens", "list")
    assert "phone" in out
    code, out, _ = instar("tokens", "revoke", row["id"])
    assert (code, out) == (0, f"Token {row['id']} opens nothing any more.\n")
    rows = sqlite3.connect(tmp_path / "state" / "instar.db").execute("SELECT hash, revoked_at FROM tokens").fetchall()
    ((digest, revoked_at),) = rows
    assert (len(digest), revoked_at is not None) == (64, True)


def test_what_makes_no_sense_is_said(instar):
    for args, words in (
        (("--expires", "soon"), "is no time"),
        (("--scopes", "everything"), "unknown scope 'everything'"),
        (("--principal", "two words"), "cannot be the name of a person"),
    ):
        code, _, err = instar("tokens", "create", *args)
        assert (code, words in err) == (1, True), err
    code, _, err = instar("tokens", "revoke", "nope")
    assert (code, "There is no token nope" in err) == (1, True)
    assert instar("tokens", "list")[1].startswith("There are no tokens")


def test_a_running_gateway_takes_the_token_at_once_and_lets_it_go_at_once(tmp_path):
    def instar(*args):
        return run_instar(*args, state_dir=tmp_path / "state")

    with GatewayProcess(tmp_path, build_process_config()) as gateway:
        made = json.loads(instar("tokens", "create", "--principal", "telegram:ann", "--json").stdout)
        gateway.post("hello", message_id=1)
        gateway.take(1)
        listed = instar("sessions", "list", "--json", "--token", made["token"])
        assert json.loads(listed.stdout)["count"] == 1
        assert "Session store" not in instar("sessions", "list", "--token", made["token"]).stdout
        assert "Session store: " in instar("sessions", "list").stdout
        other = json.loads(instar("tokens", "create", "--principal", "bob", "--json").stdout)
        assert instar("sessions", "list", "--token", other["token"]).stdout == "No sessions.\n"
        shown = instar("status", "--token", other["token"])
        assert "Sessions: 0" in " ".join(shown.stdout.split())
        assert "telegram" not in shown.stdout
        assert instar("tokens", "revoke", made["id"]).returncode == 0
        refused = instar("sessions", "list", "--token", made["token"])
        assert refused.returncode == 1
        assert "revoked" in refused.stderr
