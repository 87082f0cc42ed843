"""What the Control UIs of other gateways ask for is answered, or refused in the way they tolerate."""

import pytest

from tests.builders.devices import TestDevice
from tests.builders.wire import TOKEN, build_connect, open_client, open_server, run_story

OLD_PAGE = {
    "minProtocol": 3,
    "maxProtocol": 3,
    "client": {
        "id": "openclaw-control-ui",
        "version": "2026.9.6",
        "platform": "Linux x86_64",
        "mode": "webchat",
        "instanceId": "7df6cdde-9458-47a6-bf4a-97e4bf17f7bd",
    },
    "role": "operator",
    "scopes": ["operator.admin", "operator.approvals", "operator.pairing"],
    "caps": ["tool-events"],
    "userAgent": "Mozilla/5.0",
    "locale": "en-US",
}

NEW_PAGE = {
    **OLD_PAGE,
    "minProtocol": 4,
    "maxProtocol": 4,
    "client": {**OLD_PAGE["client"], "buildId": "2026.9.6-release", "timeZone": "UTC"},
    "scopes": [
        "operator.admin",
        "operator.read",
        "operator.write",
        "operator.approvals",
        "operator.questions",
        "operator.pairing",
    ],
    "caps": ["agent-kind", "approvals", "task-suggestions", "tool-events", "inline-widgets", "ui-commands"],
}

OLD_ASKS = [
    ("agent.identity.get", {"sessionKey": "agent:main:main"}),
    ("agents.list", {}),
    ("health", {}),
    ("chat.history", {"sessionKey": "agent:main:main", "limit": 200}),
    ("sessions.list", {"includeGlobal": True, "includeUnknown": True}),
    ("sessions.list", {"includeGlobal": True, "includeUnknown": False, "limit": 120}),
    ("models.list", {}),
]

NEW_ASKS = [
    ("sessions.subscribe", {}),
    (
        "sessions.list",
        {
            "includeGlobal": True,
            "includeUnknown": True,
            "configuredAgentsOnly": True,
            "limit": 200,
            "includeDerivedTitles": True,
            "includeLastMessage": True,
            "agentId": "main",
        },
    ),
    (
        "sessions.list",
        {
            "includeGlobal": False,
            "includeUnknown": False,
            "configuredAgentsOnly": True,
            "limit": 10000,
            "spawnedBy": "agent:main:main",
        },
    ),
    ("config.get", {}),
    ("agents.list", {}),
    ("agent.identity.get", {"agentId": "main"}),
    ("models.list", {"view": "configured", "sessionKey": "agent:main:main", "agentId": "main"}),
    ("chat.startup", {"sessionKey": "agent:main:main", "limit": 80, "maxBytes": 262144}),
    ("sessions.messages.subscribe", {"key": "agent:main:main", "includeApprovals": True}),
    ("chat.history", {"sessionKey": "agent:main:stub-two", "limit": 20, "maxBytes": 65536}),
    ("chat.history", {"sessionKey": "agent:main:main", "inputRunIds": ["cc6b5afe"], "limit": 1000}),
    ("sessions.describe", {"key": "agent:main:main"}),
    ("device.pair.list", {}),
]

TOLERATED = [
    ("update.status", {}),
    ("node.list", {}),
    ("exec.approval.list", {}),
    ("talk.catalog", {}),
    ("sessions.groups.list", {}),
    ("sessions.branches.list", {"sessionKey": "agent:main:main"}),
]


@pytest.mark.parametrize(
    ("page", "asks"), [(OLD_PAGE, OLD_ASKS), (NEW_PAGE, NEW_ASKS)], ids=["protocol 3", "protocol 4"]
)
def test_a_stock_page_gets_what_it_asks_for(page, asks):
    async def story():
        async with open_server() as (server, _), open_client(server, greet=False) as client:
            challenge = (await client.receive())["payload"]
            device = TestDevice().sign(
                nonce=challenge["nonce"],
                at=challenge["ts"],
                token=TOKEN,
                scopes=tuple(page["scopes"]),
                client=page["client"],
            )
            hello = await client.ask("connect", build_connect(**page, device=device))
            assert hello["protocol"] == page["maxProtocol"]
            assert "operator.admin" in hello["auth"]["scopes"]
            for method, params in asks:
                answer = await client.call(method, params)
                assert answer["ok"], (method, answer)
            send = {"sessionKey": "agent:main:main", "message": "hi", "deliver": False, "idempotencyKey": "k"}
            send |= {"sessionId": "s"} if page is NEW_PAGE else {}
            assert (await client.ask("chat.send", send))["status"] == "started"
            await client.event("chat", runId="k", state="final")

    run_story(story)


@pytest.mark.parametrize(("method", "params"), TOLERATED)
def test_what_is_not_served_is_refused_by_name(method, params):
    async def story():
        async with open_server() as (server, _), open_client(server) as client:
            assert await client.refusal(method, params) == {
                "code": "INVALID_REQUEST",
                "message": f"unknown method: {method}",
            }

    run_story(story)
