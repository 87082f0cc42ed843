"""Secrets are planted wherever one can come from, and looked for wherever something is written (LEAK-12)."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path

import pytest

from instar.errors import InstarError
from instar.testing.model_server import ModelServer
from instar.testing.script import Asked, Fault, Reply, echo_script
from tests.builders.process import TOKEN, GatewayProcess, build_process_config, run_instar

GATEWAY = "the-secret-of-the-gateway-itself-4711"
BRIDGE = TOKEN
PROVIDER = "the-key-of-the-provider-2342-2342"
HEADER = "the-value-of-a-header-9090-9090"
SAID = "sk-ant-" + "a1B2c3D4e5F6g7H8i9J0"
SHOWN = "ghp_" + "Zy9Xw8Vu7Ts6Rq5Po4Nm3Lk2Ji1Hg0"
CONFIGURED = (GATEWAY, BRIDGE, PROVIDER, HEADER)
EVERY = (*CONFIGURED, SAID, SHOWN)


def answer(asked: Asked) -> Reply:
    """A provider that quotes our key, and other secrets, when it refuses."""
    if "refuse" in asked.last_user_text:
        words = f"Incorrect API key {PROVIDER}, header {HEADER}, Bearer {GATEWAY}, {SHOWN}"
        return Reply(fault=Fault(kind="auth", text=words))
    return echo_script(asked)


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory):
    """A gateway into which every secret has been put, by every way in."""
    with ModelServer(answer) as model:
        config = build_process_config(model_url=model.openai_url, gateway={"auth": {"token": GATEWAY}})
        config["models"]["providers"]["mine"] |= {"apiKey": PROVIDER, "headers": {"X-Org": HEADER}}
        config["channels"]["nowhere"] = {"type": f"no-such-{SHOWN}"}
        with GatewayProcess(tmp_path_factory.mktemp("gateway"), config, args=["--verbose"]) as process:
            plant(process)
            yield process


def plant(gateway: GatewayProcess) -> None:
    # One after the other: the second would be steered into the turn of the first, and both get one answer.
    for number, text in enumerate((f"remember {' '.join(EVERY)} please", "refuse me"), start=1):
        gateway.post(text, message_id=number)
        TOLD.extend(message["text"] for message in gateway.take(1))
    gateway.post("one more", message_id=3)
    (owed,) = gateway.fetch(wait_s=20)
    gateway.confirm(owed["deliveryId"], status="failed", reason=f"POST https://x/bot{BRIDGE}/send: {SHOWN}")
    with gateway.client() as client:
        for method, params in BAD_REQUESTS:
            with pytest.raises(InstarError):
                client.call(method, params)
        client.call("sessions.patch", {"key": ANN, "label": f"of {SAID}"})
        client.call("sessions.patch", {"key": ANN, "label": None})


TOLD: list[str] = []
"""What the person was told."""

ANN = "agent:main:telegram:direct:ann"
BAD_REQUESTS = (
    ("sessions.patch", {"key": ANN, "model": f"{PROVIDER}/{SHOWN}"}),
    ("sessions.patch", {"key": ANN, "sendPolicy": SAID}),
    ("sessions.describe", {"key": f"agent:main:{GATEWAY} x", SAID: 1}),
    ("config.set", {"path": "gateway.auth.mode", "value": GATEWAY}),
    ("config.patch", {"raw": f"{{gateway: {{bind: '{BRIDGE}'}}}}"}),
    ("sessions.import", {"name": f"{SHOWN}.jsonl", "content": "bm90aGluZw=="}),
    ("outbox.send", {"deliveryId": SAID}),
)


def told(gateway: GatewayProcess, method: str, **params: object) -> str:
    return json.dumps(gateway.call(method, **params))


def found_in(text: str) -> list[str]:
    return [secret for secret in EVERY if secret in text]


def test_no_secret_is_in_the_log_nor_on_standard_error(gateway: GatewayProcess) -> None:
    log = (gateway.state_dir / "logs" / "gateway.log").read_text()
    assert "model_failed" in log
    assert found_in(log) == []
    assert "model_failed" in gateway.errors
    assert found_in(gateway.errors) == []
    assert found_in(told(gateway, "logs.tail", limit=5000)) == []


def test_no_secret_is_among_the_decisions(gateway: GatewayProcess) -> None:
    with sqlite3.connect(f"file:{gateway.state_dir}/instar.db?mode=ro", uri=True) as database:
        rows = [" ".join(map(str, row)) for row in database.execute("SELECT * FROM decisions")]
        reasons = [str(row) for row in database.execute("SELECT reason, state FROM outbox")]
    assert any('"label":"of [redacted]"' in row for row in rows)
    assert found_in("\n".join(rows)) == []
    assert any("POST https://x/bot[redacted]/send: [redacted]" in reason for reason in reasons)
    assert found_in("\n".join(reasons)) == []


def test_no_secret_is_in_what_is_explained_listed_or_configured(gateway: GatewayProcess) -> None:
    assert found_in(told(gateway, "sessions.explain", key=ANN)) == []
    assert found_in(told(gateway, "status")) == []
    assert found_in(told(gateway, "config.get")) == []
    assert found_in(told(gateway, "security.audit", deep=True)) == []


def test_no_secret_is_in_an_excerpt(gateway: GatewayProcess) -> None:
    hits = told(gateway, "sessions.search", query="remember please")
    assert "[redacted]" in hits
    assert found_in(hits) == []


@pytest.mark.parametrize("form", ["json", "jsonl", "markdown", "html"])
def test_no_secret_is_in_an_export_unless_it_is_asked_for(gateway: GatewayProcess, form: str) -> None:
    def export(*flags: str) -> str:
        done = run_instar(
            "sessions", "export", ANN, "--format", form, *flags, "--config", str(gateway.config_path),
            state_dir=gateway.state_dir,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return done.stdout

    clean = export()
    assert "remember [redacted]" in clean
    assert found_in(clean) == []
    assert set(found_in(export("--raw"))) >= {SAID, SHOWN}


def test_no_secret_is_in_what_a_client_is_told_is_wrong(gateway: GatewayProcess) -> None:
    with gateway.client() as client:
        for method, params in BAD_REQUESTS:
            with pytest.raises(InstarError) as refused:
                client.call(method, params)
            assert found_in(str(refused.value)) == [], method


@pytest.mark.usefixtures("gateway")
def test_no_secret_is_in_what_the_person_is_told() -> None:
    assert any("refused the key" in text for text in TOLD), TOLD
    assert found_in("\n".join(text for text in TOLD if "refused the key" in text)) == []


def test_a_command_that_fails_repeats_no_secret(gateway: GatewayProcess, tmp_path: Path) -> None:
    bad = tmp_path / "bad.json5"
    bad.write_text(f'{{gateway: {{bind: "{SAID}"}}}}')
    for command in (["status"], ["gateway", "--port", "0"], ["doctor"], ["security", "audit"]):
        done = run_instar(*command, "--config", str(bad), state_dir=tmp_path / "state")
        assert found_in(done.stdout + done.stderr) == [], command
        assert "gateway.bind" in done.stdout + done.stderr


def test_a_password_is_kept_under_its_own_name_and_opens_the_gateway(tmp_path: Path) -> None:
    config = build_process_config(gateway={"auth": {"mode": "password", "password": GATEWAY}})
    with GatewayProcess(tmp_path, config) as gateway:
        kept = json.loads((gateway.state_dir / "gateway.json").read_text())
        assert kept["password"] == GATEWAY
        assert "token" not in kept
        gateway.config_path.write_text("{}")
        done = run_instar("status", "--json", state_dir=gateway.state_dir)
        assert json.loads(done.stdout)["running"] is True
        assert GATEWAY not in done.stdout
