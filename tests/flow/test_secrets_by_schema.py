"""No secret of any setting that the schema marks, nor of a token or device, is told by anything that a client, a log,
a decision or a crash can show (LEAK-12). Methods and settings are in it by existing.
"""

from __future__ import annotations

import contextlib
import json
import sqlite3
from pathlib import Path

import pytest

from instar.errors import InstarError
from instar.protocol.methods import METHODS
from instar.testing.leaks.asking import Asker
from instar.testing.leaks.people import draw_cast
from instar.testing.simulate.dice import Dice
from tests.builders.process import GatewayProcess, run_instar
from tests.builders.secrets import Planted, plant_secrets

ROUNDS = 3
KEY = "agent:main:mine:direct:ann"
UNASKED = {
    "dashboard.link": "its answer is a link that opens once, and nothing else would",
    "tokens.create": "its answer is the token, once",
    "config.set": "it would replace what is planted",
    "config.patch": "it would replace what is planted",
    "people.erase": "it would take away what is looked at",
}
"""Methods that are not asked with fields that could succeed, each with the reason."""

NAMES = {"key", "sessionKey", "idempotencyKey"}


@pytest.fixture(scope="module")
def planted() -> Planted:
    return plant_secrets()


@pytest.fixture(scope="module")
def secrets(planted: Planted) -> dict[str, str]:
    """By name; what the gateway draws for itself is added as it is drawn."""
    return dict(planted.values)


@pytest.fixture(scope="module")
def gateway(planted: Planted, secrets: dict[str, str], tmp_path_factory: pytest.TempPathFactory):
    config = {
        **planted.config,
        "agents": {"defaults": {"model": "mine/m"}},
        "messages": {"queue": {"debounceMs": 0}},
        "gateway": {"auth": {"mode": "token", **planted.config["gateway"]["auth"]}},
    }
    with GatewayProcess(tmp_path_factory.mktemp("gateway"), config, args=["--verbose"]) as process:
        bridge = secrets["channels.<name>.token"]
        body = {"messageId": 1, "chat": {"type": "direct"}, "sender": {"id": "ann"}, "text": "hello there"}
        assert process.request("POST", "/channels/mine/inbound", body, token=bridge).status < 300
        assert process.request("POST", "/channels/mine/inbound", body, token="wrong" * 9).status == 401
        token = process.call("tokens.create", label="one", principal="mine:ann", scopes=["operator.read"])
        secrets["a token"] = token["token"]
        with sqlite3.connect(f"file:{process.state_dir}/instar.db?mode=ro", uri=True) as database:
            for at, (digest,) in enumerate(database.execute("SELECT hash FROM tokens").fetchall()):
                secrets[f"the hash of token {at}"] = digest
        yield process


def tell(secrets: dict[str, str], text: str) -> set[str]:
    """The names of the secrets in a text."""
    return {name for name, value in secrets.items() if value in text}


def ask_everything(gateway: GatewayProcess, *, with_words: str | None = None):
    """Each method a few times, with drawn fields; `with_words` stands in every text that is free. Name and answer."""
    dice = Dice(7)
    asker = Asker(dice=dice, cast=draw_cast(dice), draw_key=lambda: dice.pick([KEY, "main", "agent:main:nobody"]))
    with gateway.client() as client:
        for name, method in METHODS.items():
            if name in UNASKED and with_words is None:
                continue
            for _ in range(ROUNDS if with_words is None else 1):
                params = asker.draw_fields(method, as_owner=True)
                if with_words is not None:
                    texts = {one.name for one in method.fields if "string" in one.kinds and one.used}
                    # What a client sends begins a session under its key and a run under its id: names, not words.
                    params = dict.fromkeys(texts - NAMES if "message" in texts else texts, with_words)
                try:
                    answer = client.call(name, params)
                except InstarError as error:
                    yield name, None, f"{error!r} {error}"
                else:
                    asker.note(dict(answer))
                    yield name, answer, json.dumps(answer, default=str)


def test_no_answer_holds_a_secret(gateway: GatewayProcess, secrets: dict[str, str]) -> None:
    answered = set()
    for name, answer, text in ask_everything(gateway):
        assert tell(secrets, text) == set(), f"{name}: {text[:300]}"
        answered |= {name} if answer is not None else set()
    assert {"config.get", "security.audit", "status", "sessions.list", "tokens.list"} <= answered
    assert tell(secrets, json.dumps(gateway.call("sessions.explain", key=KEY))) == set()


def test_no_refusal_repeats_one(gateway: GatewayProcess, secrets: dict[str, str]) -> None:
    for secret in (secrets["gateway.auth.token"], secrets["channels.<name>.token"], secrets["hooks.token"]):
        for name, answer, text in ask_everything(gateway, with_words=secret):
            if answer is None:
                assert tell(secrets, text) == set(), f"{name}: {text[:300]}"


def test_no_row_of_a_decision_and_no_line_of_the_log_holds_one(
    gateway: GatewayProcess, secrets: dict[str, str]
) -> None:
    gateway.call("sessions.patch", key=KEY, label=f"of {secrets['gateway.auth.token']}")
    gateway.call("sessions.patch", key=KEY, label=None)
    with contextlib.suppress(InstarError):
        gateway.call("sessions.patch", key=KEY, sendPolicy=secrets["hooks.token"])
    with sqlite3.connect(f"file:{gateway.state_dir}/instar.db?mode=ro", uri=True) as database:
        rows = [" ".join(map(str, row)) for row in database.execute("SELECT * FROM decisions")]
    assert rows
    assert tell(secrets, "\n".join(rows)) == set()
    log = (gateway.state_dir / "logs" / "gateway.log").read_text()
    assert "request_refused" in log
    assert tell(secrets, log) == set()
    assert tell(secrets, gateway.errors) == set()
    for command in (["status", "--json"], ["doctor"], ["config", "get", "gateway"], ["sessions", "show", KEY]):
        done = run_instar(*command, "--config", str(gateway.config_path), state_dir=gateway.state_dir)
        assert tell(secrets, done.stdout + done.stderr) == set(), command


def test_what_a_broken_configuration_is_told_with_holds_none(planted: Planted, tmp_path: Path) -> None:
    """Cut behind each secret, and with each of them in a setting of another kind beside it."""
    text = json.dumps(planted.config)
    for at, (path, value) in enumerate(planted.values.items()):
        broken = {
            "cut": text[: text.index(value) + len(value)],
            "no JSON": text.replace(f'"{value}"', f'"{value}" "again"'),
            "a list": text.replace(f'"{value}"', f'["{value}", 5]'),
            "a name": text.replace(f'"{value}"', f'"{value}", "unheard-of": "x"'),
        }
        for kind, content in [*broken.items()][at % 2 :: 2]:
            file = tmp_path / "broken.json5"
            file.write_text(content)
            done = run_instar("config", "validate", "--config", str(file), state_dir=tmp_path / "state")
            assert tell(planted.values, done.stdout + done.stderr) == set(), f"{path}, {kind}: {done.stderr[:300]}"
