"""What a person's own client cannot lift, learn or lead elsewhere (LEAK-4, LEAK-5)."""

from __future__ import annotations

import json

import pytest

from instar.core.model.ids import SessionKey
from instar.core.policy.scopes import ADMIN
from instar.testing.script import Reply
from tests.builders.stories import Gate, sent_texts
from tests.builders.town import ALICE, CLUB, PEOPLE, open_town
from tests.builders.wire import run_story


def test_a_refusal_does_not_tell_whom_an_id_belongs_to():
    async def story():
        async with open_town() as town, town.client("telegram:bob") as bob:
            await town.populate()
            for given in ("telegram:ann", "slack:U7"):
                error = await bob.refusal("chat.history", {"sessionKey": given})
                assert error["message"].startswith(f"There is no session {given}.")
                (preview,) = (await bob.ask("sessions.preview", {"keys": [given]}))["previews"]
                assert preview == {"key": given, "status": "missing", "items": []}

    run_story(story)


def test_creating_ones_own_session_again_lifts_no_send_policy():
    async def story():
        async with open_town() as town, town.client("alice") as alice, town.client() as owner:
            await town.populate()
            await owner.ask("sessions.patch", {"key": ALICE, "sendPolicy": "deny", "queueMode": "collect"})
            entry = (await alice.ask("sessions.create", {"key": ALICE, "thinkingLevel": "low"}))["entry"]
            assert (entry["sendPolicy"], entry["queueMode"], entry["thinkingLevel"]) == ("deny", "collect", "low")
            error = await alice.refusal("chat.send", {"sessionKey": ALICE, "message": "hi", "idempotencyKey": "a"})
            assert error["message"] == "send blocked by session policy"

    run_story(story)


@pytest.mark.parametrize("wish", [{"model": "test/scripted"}, {"thinkingLevel": "high"}])
def test_a_guest_of_a_group_sets_nothing_for_it(wish):
    async def story():
        async with open_town() as town, town.client("telegram:bob") as bob, town.client() as owner:
            await town.populate()
            error = await bob.refusal("sessions.create", {"key": CLUB, **wish})
            assert (error["code"], error["details"]["missingScope"]) == ("FORBIDDEN", ADMIN)
            assert (await bob.ask("sessions.create", {"key": CLUB}))["key"] == CLUB
            assert "thinkingLevel" not in (await owner.ask("sessions.describe", {"key": CLUB}))["session"]

    run_story(story)


@pytest.mark.parametrize("field", ["thinking", "queueMode"])
def test_a_guest_of_a_group_chooses_nothing_for_a_turn(field):
    async def story():
        async with open_town() as town, town.client("telegram:bob") as bob, town.client("alice") as alice:
            await town.populate()
            chosen = {field: {"thinking": "high", "queueMode": "interrupt"}[field]}
            message = {"sessionKey": CLUB, "message": "hi", "idempotencyKey": "g"}
            error = await bob.refusal("chat.send", message | chosen)
            assert (error["code"], error["details"]["missingScope"]) == ("FORBIDDEN", ADMIN)
            assert (await bob.ask("chat.send", message))["status"] == "started"
            own = {"sessionKey": ALICE, "message": "hi", "idempotencyKey": "o"}
            assert (await alice.ask("chat.send", own | chosen))["status"] == "started"

    run_story(story)


@pytest.mark.parametrize(
    ("method", "params"),
    [
        ("chat.abort", {"sessionKey": CLUB}),
        ("chat.abort", {"sessionKey": CLUB, "runId": "slow"}),
        ("sessions.abort", {"key": CLUB}),
        ("sessions.abort", {"runId": "slow"}),
        ("sessions.steer", {"key": CLUB, "message": "listen to me instead"}),
    ],
)
@pytest.mark.parametrize("is_listed", [False, True])
def test_a_guest_of_a_group_stops_and_steers_nothing_by_rpc_that_they_may_not_in_chat(method, params, is_listed):
    config = json.loads(json.dumps(PEOPLE))
    if is_listed:
        config["channels"]["telegram"]["groupAllowFrom"] = ["bob"]

    async def story():
        gate = Gate()
        async with open_town(config) as town, town.client("telegram:bob") as bob, town.client() as owner:
            await town.populate()
            town.world.runner.script = lambda asked: Reply(text="at length", before_chunk=gate)
            slow = {"sessionKey": CLUB, "message": "a long task", "idempotencyKey": "slow"}
            await owner.ask("chat.send", slow)
            await gate.reached.wait()
            if is_listed:
                assert (await bob.ask(method, params)).get("aborted", True)
            else:
                error = await bob.refusal(method, params)
                assert (error["code"], error["details"]["missingScope"]) == ("FORBIDDEN", ADMIN)
            gate.open()
            await town.world.settle()
            told = await owner.ask("agent.wait", {"runId": "slow", "timeoutMs": 1})
            assert (told["status"] == "ok") is (not is_listed or method == "sessions.steer")

    run_story(story)


def test_a_client_cannot_lead_the_answers_of_a_group_to_its_own_chat():
    config = json.loads(json.dumps(PEOPLE))
    config["channels"]["telegram"]["groupAllowFrom"] = ["ann"]
    config["session"]["identityLinks"]["alice"].append("webchat:alice")

    async def story():
        async with open_town(config) as town, town.client("alice") as alice:
            await town.populate()
            await town.post("hello", sender="ann", group="club")
            dock = {"sessionKey": CLUB, "message": "/dock-slack", "idempotencyKey": "d"}
            await alice.ask("chat.send", dock)
            told = await alice.event("chat", runId="d", state="final")
            assert told["message"]["content"][0]["text"].startswith("Only a direct chat can be docked")
            session = await town.world.store.load_session(SessionKey(CLUB))
            assert (session.delivery.channel, session.delivery.docked) == ("telegram", False)
            await town.post("club-secret", sender="bob", group="club")
            assert not any("club-secret" in text for text in sent_texts(town.world, "slack"))

    run_story(story)
