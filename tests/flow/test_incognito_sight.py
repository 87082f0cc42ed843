"""Who sees an incognito session at the wire: who began it and admins, by methods and by events alike (KEY-22)."""

from __future__ import annotations

import json

import pytest

from instar.api.gate import SESSION_FIELDS
from instar.core.policy.scopes import ADMIN
from instar.protocol.methods import METHODS
from tests.builders.town import MAIN, open_town
from tests.builders.wire import open_client, run_story

STRANGE = "agent:main:dashboard:incognito-00000000-0000-4000-8000-000000000000"
NEEDED = {
    "agent": {"message": "hi", "idempotencyKey": "k"},
    "chat.inject": {"message": "hi"},
    "chat.send": {"message": "hi", "idempotencyKey": "k"},
    "sessions.resume": {"sessionId": "x"},
    "sessions.send": {"message": "hi"},
    "sessions.steer": {"message": "hi"},
}
"""What the methods need beside the key."""

OPEN = sorted(
    (method.name, field.name)
    for method in METHODS.values()
    for field in method.fields
    if method.scope != ADMIN and field.name in SESSION_FIELDS
)
"""Every method that takes a key from somebody who is no admin, with the field."""


async def begin_and_talk(town, client, run="r1"):
    key = (await client.ask("sessions.create", {"incognito": True}))["key"]
    await client.ask("chat.send", {"sessionKey": key, "message": "my code is zebra", "idempotencyKey": run})
    await town.world.settle()
    return key


async def heard(client):
    """What a client was told until now."""
    await client.ask("agents.list")
    return json.dumps(client.events)


def test_every_method_answers_another_token_as_if_there_were_no_such_session():
    async def story():
        async with open_town() as town, town.client() as owner, town.client(None, "read", "write") as other:
            key = await begin_and_talk(town, owner)
            for method, field in OPEN:
                answers = []
                for named in (key, STRANGE):
                    value = [named] if field in {"keys", "sessionKeys"} else named
                    params = {**NEEDED.get(method, {}), field: value}
                    params |= {"query": "zebra"} if method == "sessions.search" else {}
                    frame = await other.call(method, params)
                    body = frame.get("payload") or frame.get("error")
                    assert body is not None, (method, frame)
                    hidden = {name: one for name, one in body.items() if name not in {"ts", "updatedAt", "path"}}
                    answers.append(json.dumps(hidden, sort_keys=True).replace(named, "KEY"))
                assert answers[0] == answers[1], (method, field)
                assert "zebra" not in answers[0], (method, field)
                assert "must have required" not in answers[0], (method, field, "give what it needs in NEEDED")

    run_story(story)


@pytest.mark.parametrize("principal", [None, "bob"])
def test_who_began_it_with_a_token_of_less_than_an_admin_talks_in_it_and_hears_it(principal):
    async def story():
        async with open_town() as town:
            token = await town.token(principal, "read", "write")
            auth = {"token": token}
            async with open_client(town.server, auth=auth) as client, open_client(town.server, auth=auth) as again:
                for one in (client, again):
                    await one.ask("sessions.subscribe")
                key = await begin_and_talk(town, client)
                for one in (client, again):
                    await one.event("sessions.changed", sessionKey=key, reason="create")
                    await one.event("chat", sessionKey=key, state="final")
                    assert "zebra" in str(await one.ask("chat.history", {"sessionKey": key}))
                    assert "zebra" in str(await one.ask("sessions.preview", {"keys": [key]}))
                    assert (await one.ask("sessions.explain", {"key": key}))["rows"]
                    assert (await one.ask("agent.wait", {"runId": "r1", "timeoutMs": 0}))["status"] != "timeout"
                assert key not in str(await client.ask("sessions.list"))
                async with town.client() as admin:
                    await admin.ask("sessions.delete", {"key": key})
                for one in (client, again):
                    await one.event("sessions.changed", sessionKey=key, reason="delete")

    run_story(story)


@pytest.mark.parametrize(("principal", "hears"), [(None, False), ("bob", False), ("admin", True)])
def test_its_events_reach_an_admin_and_no_other_token(principal, hears):
    async def story():
        scopes = ("admin", "read", "write") if principal == "admin" else ("read", "write")
        wish = None if principal == "admin" else principal
        async with (
            open_town() as town,
            town.client(None, "read", "write") as owner,
            town.client(wish, *scopes) as other,
        ):
            await other.ask("sessions.subscribe")
            key = await begin_and_talk(town, owner)
            await owner.event("chat", sessionKey=key, state="final")
            async with town.client() as admin:
                await admin.ask("sessions.delete", {"key": key})
                await admin.ask(
                    "chat.send", {"sessionKey": MAIN, "message": "an ordinary panda", "idempotencyKey": "r2"}
                )
            await town.world.settle()
            await town.server.hub.flush()
            told = await heard(other)
            assert (key in told, "zebra" in told) == (hears, hears)
            assert ("panda" in told) is (principal != "bob")

    run_story(story)


def test_a_run_of_it_tells_another_token_nothing():
    async def story():
        async with open_town() as town, town.client() as owner, town.client(None, "read", "write") as other:
            await begin_and_talk(town, owner, "run-1")
            assert (await owner.ask("agent.wait", {"runId": "run-1", "timeoutMs": 0}))["status"] != "timeout"
            assert await other.ask("agent.wait", {"runId": "run-1", "timeoutMs": 0}) == {
                "runId": "run-1",
                "status": "timeout",
            }
            assert (await other.ask("sessions.explain", {"turnId": "run-1"}))["rows"] == []
            assert (await other.ask("sessions.abort", {"runId": "run-1"}))["runIds"] == []
            again = {"sessionKey": MAIN, "message": "my code is zebra", "idempotencyKey": "run-1"}
            assert "run-1" not in str((await other.call("chat.send", again)).get("payload"))

    run_story(story)
