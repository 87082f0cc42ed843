"""A real process and everything that can be wrong around it: each a clear error, and nothing lost."""

import asyncio
import hashlib
import socket
import time
from concurrent.futures import ThreadPoolExecutor

import apsw
import pytest

from instar.errors import InvalidRequest
from instar.stores.sqlite import SqliteStore
from tests.builders.disk import needs_small_disk, set_read_only, small_disk
from tests.builders.process import GatewayProcess, build_process_config, run_instar

HOSTILE = {
    "a way out": "../../../etc/passwd",
    "a NUL": "a\x00b",
    "a right-to-left mark": "ann\u202e\u200f",
    "a line end": "a\nb",
    "a key": "agent:main:main",
    "a query": "'; DROP TABLE sessions;--",
    "512 characters": "x" * 512,
}


@pytest.fixture(scope="module")
def gateway(tmp_path_factory):
    with GatewayProcess(tmp_path_factory.mktemp("gateway"), build_process_config()) as process:
        yield process


# --- what a bridge may say --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_id_has_a_session_of_its_own_and_leads_nowhere(gateway, name):
    hostile = HOSTILE[name]
    answer = gateway.post("hello", message_id=f"of {name}", sender={"id": hostile})
    assert (answer.status, answer.body["status"]) == (200, "accepted")
    (reply,) = gateway.take(1)
    assert reply["chat"] == {"type": "direct", "id": hostile}
    assert "You wrote: hello" in reply["text"]
    files = [path for path in gateway.state_dir.parent.rglob("*") if path.is_file()]
    assert not [path for path in files if "passwd" in path.name]
    assert all(path.resolve().is_relative_to(gateway.state_dir.parent.resolve()) for path in files)


def test_hostile_ids_never_share_a_session(gateway):
    keys = []
    for name, hostile in HOSTILE.items():
        gateway.post("hello", message_id=f"group of {name}", chat={"type": "group", "id": hostile}, mentioned=True)
    gateway.take(len(HOSTILE))
    keys = [row["key"] for row in gateway.call("sessions.list", limit=200)["sessions"]]
    groups = [key for key in keys if key.startswith("agent:main:telegram:group:")]
    assert len(set(groups)) == len(HOSTILE)
    assert not [key for key in keys if set(key) & set("\x00\n\u202e\u200f")]


@pytest.mark.parametrize(
    ("raw", "status", "field"),
    [
        (b"", 400, "body"),
        (b"{nope", 400, "body"),
        (b"[]", 400, "body"),
        (b'{"text": "\xff\xfe"}', 400, "body"),
        (b"[" * 100_000, 400, "body"),
        (b'{"messageId": "1"}', 400, "chat"),
        (b'{"messageId": "1", "chat": {"type": "direct"}, "sender": {"id": "a"}, "text": "x", "to": "b"}', 400, "to"),
        (b'{"messageId": "1", "chat": {"type": "group"}, "sender": {"id": "a"}, "text": "x"}', 400, "chat.id"),
        (b'{"messageId": "1", "chat": {"type": "direct"}, "sender": {}, "text": "x"}', 400, "sender.id"),
    ],
    ids=["nothing", "torn", "a list", "not utf-8", "deep", "missing", "unknown", "no place", "nobody"],
)
def test_a_body_that_makes_no_sense_is_400_and_names_its_field(gateway, raw, status, field):
    answer = gateway.request("POST", "/channels/telegram/inbound", raw=raw)
    assert (answer.status, answer.body["field"]) == (status, field)


def test_ids_of_10000_characters_are_refused_by_name(gateway):
    long = "x" * 10_000
    for changes, field in [
        ({"sender": {"id": long}}, "sender.id"),
        ({"chat": {"type": "group", "id": long}}, "chat.id"),
        ({"chat": {"type": "group", "id": "g", "threadId": long}}, "chat.threadId"),
        ({"accountId": long}, "accountId"),
    ]:
        answer = gateway.post("hello", message_id="long", **changes)
        assert (answer.status, answer.body["field"]) == (400, field)
    assert gateway.post("hello", message_id=long).body["field"] == "messageId"


def test_a_message_of_10_mb_is_refused_by_name_and_the_gateway_lives(gateway):
    answer = gateway.post("x" * 10_000_000, message_id="large")
    assert (answer.status, answer.body["field"]) == (400, "text")
    assert gateway.is_alive()


def test_who_has_no_token_learns_nothing(gateway):
    for token in (None, "", "wrong", gateway.token):
        answer = gateway.request("POST", "/channels/telegram/inbound", {}, token=token)
        assert answer.status == 401
    assert gateway.request("GET", "/channels/discord/outbound").status == 404


def test_a_message_posted_three_times_at_once_is_one_message_and_told_alike(gateway):
    with ThreadPoolExecutor(3) as pool:
        answers = list(pool.map(lambda _: gateway.post("thrice", message_id="thrice").body, range(3)))
    assert answers[0] == answers[1] == answers[2]
    assert len(gateway.take(1)) == 1
    assert gateway.fetch(wait_s=0.2) == []
    key = "agent:main:telegram:direct:ann"
    assert [text for role, text in gateway.said(key) if role == "user" and text == "thrice"] == ["thrice"]


def test_a_reply_stays_until_its_receipt_and_a_receipt_may_be_repeated(gateway):
    gateway.post("keep this", message_id="kept", sender={"id": "kim"})
    (first,) = gateway.fetch(wait_s=20)
    (second,) = gateway.fetch()
    assert (second["deliveryId"], second["attempt"]) == (first["deliveryId"], first["attempt"] + 1)
    path = f"/channels/telegram/outbound/{first['deliveryId']}/receipt"
    assert gateway.request("POST", path, {"status": "maybe"}).body["field"] == "status"
    assert gateway.request("POST", "/channels/telegram/outbound/nothing/receipt", {"status": "sent"}).status == 404
    for _ in range(3):
        assert gateway.confirm(first["deliveryId"]).status == 200
    assert gateway.fetch() == []


def test_a_long_poll_ends_when_a_reply_comes_and_when_its_time_is_over(gateway):
    began = time.monotonic()
    assert gateway.fetch(wait_s=0.4) == []
    assert time.monotonic() - began >= 0.4
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(gateway.fetch, wait_s=20)
        gateway.post("wake up", message_id="wake", sender={"id": "kim"})
        (reply,) = waiting.result(timeout=30)
    gateway.confirm(reply["deliveryId"])


@pytest.mark.parametrize(
    ("method", "params", "says"),
    [
        ("sessions.lsit", {}, "unknown method: sessions.lsit"),
        ("sessions.patch", {"key": "main", "bogus": 1}, "unexpected property 'bogus'"),
        ("sessions.patch", {}, "must have required property 'key'"),
        ("chat.send", {"sessionKey": "main", "message": 5, "idempotencyKey": "k"}, "at /message: must be string"),
    ],
)
def test_unknown_methods_and_fields_are_refused_by_name(gateway, method, params, says):
    with gateway.client() as client, pytest.raises(InvalidRequest) as refused:
        client.call(method, params)
    assert says in str(refused.value)


# --- a start that cannot be -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('{\n  session: {\n    dmScope "main",\n  },\n}', ":3:13: The configuration cannot be read"),
        ('{\n  session: { dmScope: "now" },\n}', ":2:23: session.dmScope: The value is none of those allowed"),
        ('{ session: { reset: { atHour: "four" } } }', ":1:31: session.reset.atHour: The value has the wrong type"),
        ('{ channels: { fax: { type: "bridge" } } }', ':1:20: channels.fax.token: The bridge "fax" has no token'),
        ("[1, 2]", ":1:1: The configuration is not an object"),
    ],
    ids=["syntax", "choice", "type", "missing", "a list"],
)
def test_a_broken_configuration_is_told_with_file_line_column_and_path(tmp_path, text, says):
    path = tmp_path / "broken.json5"
    path.write_text(text)
    done = run_instar("gateway", "--port", "0", "--config", str(path), state_dir=tmp_path / "state")
    assert done.returncode == 1
    assert f"{path}{says}" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "state" / "instar.db").exists()


def test_a_state_directory_in_use_is_told_with_who_uses_it(gateway):
    config = str(gateway.config_path)
    done = run_instar("gateway", "--port", "0", "--config", config, state_dir=gateway.state_dir)
    assert done.returncode == 1
    assert f"{gateway.state_dir} is in use: process {gateway.pid} holds it." in done.stderr
    assert gateway.is_alive()


def test_a_port_in_use_is_told(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = run_instar("gateway", "--port", str(port), state_dir=tmp_path / "state")
    assert done.returncode == 1
    assert f"Cannot listen on 127.0.0.1:{port}: address already in use. Stop the program" in done.stderr


def test_a_model_that_nobody_set_up_is_told_by_its_name_everywhere(tmp_path):
    config = build_process_config(agents={"defaults": {"model": "nope/none"}})
    with GatewayProcess(tmp_path, config) as gateway:
        assert "the model nope/none cannot be asked" in gateway.ready_line
        gateway.post("hello", message_id="1")
        (reply,) = gateway.take(1)
        assert reply["text"].startswith("The model nope/none cannot be asked")
        env = {"INSTAR_CONFIG": str(gateway.config_path)}
        assert 'no provider "nope"' in run_instar("doctor", state_dir=gateway.state_dir, env=env).stdout


def test_a_database_of_a_newer_build_is_refused_and_left_as_it_was(tmp_path):
    database = tmp_path / "state" / "instar.db"
    asyncio.run(make_store(database))
    connection = apsw.Connection(str(database))
    connection.execute("UPDATE meta SET value = '99' WHERE name IN ('schema_version', 'oldest_build')")
    connection.close()
    before = hashlib.sha256(database.read_bytes()).hexdigest()
    done = run_instar("gateway", "--port", "0", state_dir=database.parent)
    assert done.returncode == 1
    assert "its schema is 99, which needs build 99 or newer" in done.stderr
    assert hashlib.sha256(database.read_bytes()).hexdigest() == before


async def make_store(path):
    store = SqliteStore(path, reserve_bytes=0)
    await store.open()
    await store.close()


# --- disks ------------------------------------------------------------------------------------------------------------


def fill(path):
    """Write until the disk is full."""
    with path.open("wb", buffering=0) as file:
        while True:
            file.write(bytes(4096))


@needs_small_disk
def test_on_a_full_disk_new_messages_are_asked_for_again_and_none_is_lost(tmp_path):
    with (
        small_disk(tmp_path / "disk", 40) as disk,
        GatewayProcess(disk / "gateway", build_process_config()) as gateway,
    ):
        assert gateway.post("before", message_id=1).status == 200
        gateway.take(1)
        with pytest.raises(OSError, match="No space"):
            fill(disk / "filler")
        refused = gateway.post("during", message_id=2)
        assert (refused.status, "Retry-After" in refused.headers or "retry-after" in refused.headers) == (503, True)
        assert "disk is full" in refused.body["error"]
        assert str(disk) not in str(refused.body)
        assert gateway.is_alive()
        (disk / "filler").unlink()
        assert gateway.post("during", message_id=2).body["status"] == "accepted"
        assert [reply["text"].endswith("You wrote: during") for reply in gateway.take(1)] == [True]
        said = [text for role, text in gateway.said("agent:main:telegram:direct:ann") if role == "user"]
        assert said == ["before", "during"]


@needs_small_disk
def test_a_read_only_disk_is_told_at_the_start_and_what_is_there_can_be_read(tmp_path):
    with (
        small_disk(tmp_path / "disk", 40) as disk,
        GatewayProcess(disk / "gateway", build_process_config()) as gateway,
    ):
        gateway.post("hello", message_id=1)
        gateway.take(1)
        gateway.stop()
        set_read_only(disk, is_read_only=True)
        done = run_instar("gateway", "--port", "0", state_dir=gateway.state_dir)
        assert done.returncode == 1
        assert "cannot be opened for writing: read-only file system." in done.stderr
        listed = run_instar("sessions", "list", "--json", state_dir=gateway.state_dir)
        assert '"agent:main:telegram:direct:ann"' in listed.stdout
        set_read_only(disk, is_read_only=False)
