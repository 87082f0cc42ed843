"""Who is connected, as a list for the gateway's owner (RPC-38)."""

from __future__ import annotations

from instar.api.presence import ENTRIES_MAX, ClientSelf, Present, build_presence, read_client
from instar.core.model.caller import Caller
from instar.core.model.ids import Instant
from instar.core.policy.scopes import READ, WRITE
from instar.protocol.params import Params
from tests.builders.fake_gateway import FakeGateway

FACTS = FakeGateway().facts()


def present(number, *, principal=None, **said):
    return Present(
        connection_id=f"c{number}",
        caller=Caller(scopes=frozenset({WRITE, READ}), principal=principal),
        client=ClientSelf(**{"id": "tui", "mode": "ui", **said}),
        since=Instant(1000 + number),
    )


def test_the_gateway_stands_first_and_says_its_version():
    (own,) = build_presence(FACTS, [])
    assert (own["mode"], own["reason"], own["version"], own["ts"]) == (
        "gateway",
        "self",
        FACTS.version,
        FACTS.started_at,
    )


def test_a_client_is_told_of_by_what_it_said_and_nothing_empty():
    entry = build_presence(FACTS, [present(1, display_name="Ann's desk", version="2.0", platform="linux")])[1]
    assert entry == {
        "host": "Ann's desk",
        "version": "2.0",
        "platform": "linux",
        "mode": "ui",
        "instanceId": "c1",
        "reason": "connect",
        "text": "Ann's desk: 2.0 · linux · mode ui",
        "roles": ["operator"],
        "scopes": sorted([READ, WRITE]),
        "ts": 1001,
        "onlineSince": 1001,
    }
    assert build_presence(FACTS, [present(1, principal="alice")])[1]["user"] == {"id": "alice"}


def test_who_came_last_stands_first_and_an_instance_counts_once():
    entries = build_presence(
        FACTS, [present(1, instance_id="desk"), present(3, instance_id="desk"), present(2, device_family="Mac")]
    )
    assert [(entry["instanceId"], entry["ts"]) for entry in entries[1:]] == [("desk", 1003), ("c2", 1002)]


def test_who_asks_one_thing_and_goes_is_not_told_of():
    assert build_presence(FACTS, [present(1, mode="cli"), present(2, mode="probe")])[1:] == []


def test_the_list_has_an_end_and_keeps_the_newest():
    entries = build_presence(FACTS, [present(number) for number in range(ENTRIES_MAX + 5)])
    assert len(entries) == ENTRIES_MAX + 1
    assert entries[1]["instanceId"] == f"c{ENTRIES_MAX + 4}"


def test_what_a_client_says_of_itself_is_read():
    said = {"id": "x", "version": "1", "platform": "p", "mode": "ui", "displayName": "d", "instanceId": "i"}
    client = read_client(Params(said))
    assert client == ClientSelf(id="x", version="1", platform="p", mode="ui", display_name="d", instance_id="i")
    assert read_client(Params({})) == ClientSelf()
