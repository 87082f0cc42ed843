"""A client that asks for exactly protocol 3 is spoken to as its gateways spoke, and hears nothing of protocol 4."""

import asyncio
import json

from instar.system.clock import SystemClock
from instar.system.ids import SystemIds
from instar.testing.gateway import GatewayInMemory
from tests.interop.test_stock_client import TOKEN, check_again, listen

ADDED_BY_4 = {"deltaText", "phase"}


def drive_twice(drive):
    async def story():
        async with GatewayInMemory(clock=SystemClock(), ids=SystemIds()) as world:
            async with listen(world) as url:
                first = await drive(url, TOKEN, protocol=3)
            await world.restart()
            async with listen(world) as url:
                return first, await drive(url, TOKEN, "again", protocol=3)

    return asyncio.run(story())


def test_a_client_of_protocol_3_connects_talks_lists_resets_and_comes_back(drive):
    first, again = drive_twice(drive)
    assert first["findings"] == []
    steps = first["steps"]
    assert steps["hello"]["protocol"] == 3
    assert steps["turn"]["started"] == {"runId": "run-1", "status": "started"}
    assert steps["turn"]["final"]["message"]["content"][0]["text"] == "You said: one"
    assert [message["role"] for message in steps["history"]["messages"]] == ["user", "assistant"]
    assert steps["reset"]["entry"]["sessionId"] != steps["history"]["sessionId"]
    assert steps["afterReset"]["messages"] == []
    assert [message["role"] for message in steps["reconnected"]["messages"]] == ["user", "assistant"]
    assert steps["unknown"] == "unknown method: nope.nope"
    check_again(first, again)


def test_a_client_of_protocol_3_hears_every_field_of_its_gateways_and_none_that_came_later(drive, recorded_data):
    """Held against the frames of a whole turn that a gateway of protocol 3 was recorded to send."""
    recorded = json.loads(recorded_data("protocol-traces/oc-2026.3.13-04-chat-send-turn.json").read_text())
    first, _ = drive_twice(drive)
    told = first["fields"]
    assert "chat status" not in told
    for frame in (one["f"] for one in recorded if one["f"]["type"] == "event"):
        payload = frame["payload"]
        kind = f"{frame['event']} {payload.get('state') or payload.get('stream')}"
        if frame["event"] in {"chat", "agent"}:
            assert payload.keys() <= set(told[kind]), kind
    for kind, fields in told.items():
        assert not ADDED_BY_4 & set(fields), kind
