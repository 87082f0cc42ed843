"""Who may write, asked and answered over the wire (LEAK-2)."""

from __future__ import annotations

from instar.core.model.event import PairingRequested, PairingResolved
from instar.core.model.ids import Instant
from tests.builders.wire import open_client, open_server, run_story

ANN = {"channel": "telegram", "accountId": "default", "chatType": "direct", "peerId": "42"}


def test_an_administrator_lists_approves_rejects_and_revokes():
    async def story():
        async with open_server() as (server, gateway), open_client(server) as client:
            gateway.pairing.knock("ABCD2345")
            gateway.pairing.knock("EFGH2345", peer_id="43")
            listed = await client.ask("pairing.list")
            assert [row["code"] for row in listed["waiting"]] == ["ABCD2345", "EFGH2345"]
            assert listed["waiting"][0].items() >= {**ANN, "name": "Ann"}.items()
            assert listed["limits"] == {"waitingPerAccount": 3, "ttlMs": 3_600_000}
            approved = await client.ask("pairing.approve", {"code": "abcd-2345"})
            assert approved.items() >= {**ANN, "ok": True, "approvedBy": "operator", "told": True}.items()
            assert approved["warnings"] == ["Careful."]
            assert (await client.ask("pairing.reject", {"code": "EFGH2345"}))["peerId"] == "43"
            listed = await client.ask("pairing.list")
            assert (listed["waiting"], [row["peerId"] for row in listed["approved"]]) == ([], ["42"])
            refused = await client.refusal("pairing.revoke", {"peerId": "42", "channel": "slack"})
            assert "Nobody called 42 was approved" in refused["message"]
            revoked = await client.ask(
                "pairing.revoke", {"peerId": "42", "channel": "Telegram", "accountId": "default"}
            )
            assert revoked["ok"]
            assert (await client.ask("pairing.list"))["approved"] == []

    run_story(story)


def test_the_same_request_again_gets_the_first_answer():
    async def story():
        async with open_server() as (server, gateway), open_client(server) as client:
            gateway.pairing.knock("ABCD2345")
            wish = {"code": "ABCD2345", "idempotencyKey": "once"}
            assert await client.ask("pairing.approve", wish) == await client.ask("pairing.approve", wish)
            assert (
                "No such pairing code waits"
                in (await client.refusal("pairing.approve", {"code": "ABCD2345"}))["message"]
            )

    run_story(story)


def test_only_administrators_see_codes_and_hear_of_them():
    async def story():
        async with (
            open_server() as (server, gateway),
            open_client(server) as admin,
            open_client(server, scopes=["operator.read", "operator.write"]) as guest,
        ):
            for method in ("pairing.list", "pairing.approve", "pairing.reject", "pairing.revoke"):
                refused = await guest.refusal(method, {"code": "ABCD2345"})
                assert refused["details"]["missingScope"] == "operator.admin"
            code = gateway.pairing.knock("ABCD2345")
            gateway.events.publish(PairingRequested(code=code))
            resolved = PairingResolved(peer=code.peer, decision="approved", at=Instant(7), code=code.code)
            gateway.events.publish(resolved)
            requested = await admin.event("pairing.requested")
            assert requested.items() >= {**ANN, "code": "ABCD2345", "expiresAt": code.expires_at}.items()
            told = await admin.event("pairing.resolved")
            assert told == {**ANN, "decision": "approved", "code": "ABCD2345", "ts": 7}
            await guest.ask("health")
            assert [event["event"] for event in guest.events if event["event"].startswith("pairing")] == []

    run_story(story)
