"""No client makes a session, or writes into one, whose key promises that nothing is stored (KEY-22)."""

from __future__ import annotations

import pytest

from instar.api.server import ApiServer
from instar.api.settings import ApiSettings, AuthSettings
from instar.system.clock import SystemClock
from instar.system.ids import SystemIds
from instar.testing.gateway import GatewayInMemory
from tests.builders.wire import TOKEN, open_client, run_story


@pytest.mark.parametrize("key", ["incognito-x", "agent:main:dashboard:incognito-x"])
@pytest.mark.parametrize(
    ("method", "field", "params"),
    [
        ("sessions.create", "key", {}),
        ("sessions.patch", "key", {"thinkingLevel": "low"}),
        ("sessions.reset", "key", {}),
        ("sessions.send", "key", {"message": "hi"}),
        ("chat.send", "sessionKey", {"message": "hi", "idempotencyKey": "k"}),
        ("agent", "sessionKey", {"message": "hi", "idempotencyKey": "k"}),
    ],
)
def test_a_reserved_key_is_refused_and_nothing_is_stored(method, field, params, key):
    async def story():
        clock, ids, settings = SystemClock(), SystemIds(), ApiSettings(port=0, auth=AuthSettings(token=TOKEN))
        async with (
            GatewayInMemory(clock=clock, ids=ids) as world,
            ApiServer(settings, world.gateway, clock=clock, ids=ids) as server,
            open_client(server) as client,
        ):
            error = await client.refusal(method, {field: key, **params})
            assert error["code"] == "INVALID_REQUEST"
            assert "There are no incognito sessions here" in error["message"]
            assert (await client.ask("sessions.list", {}))["sessions"] == []

    run_story(story)
