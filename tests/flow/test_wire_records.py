"""What is on record, asked over the wire: why, which transcripts, how a session stands (WHY-2, LOSS-6, STATUS-6)."""

import json
from contextlib import asynccontextmanager

from instar.api.server import ApiServer
from instar.api.settings import ApiSettings, AuthSettings
from instar.system.clock import SystemClock
from instar.system.ids import SystemIds
from instar.testing.gateway import GatewayInMemory
from instar.testing.runner import ScriptedRunner
from instar.testing.script import play
from tests.builders.wire import TOKEN, open_client, run_story

KEY = "agent:main:main"


@asynccontextmanager
async def open_conversation(*replies):
    """A gateway with a client that has sent one message for each reply."""
    clock = SystemClock()
    runner = ScriptedRunner(play(*replies), clock=clock)
    settings = ApiSettings(port=0, auth=AuthSettings(token=TOKEN))
    async with (
        GatewayInMemory(clock=clock, ids=SystemIds(), runner=runner) as world,
        ApiServer(settings, world.gateway, clock=clock, ids=SystemIds()) as server,
        open_client(server) as client,
    ):
        for number, _ in enumerate(replies):
            wish = {"sessionKey": "main", "message": f"message {number}", "idempotencyKey": f"run-{number}"}
            await client.ask("chat.send", wish)
            await client.event("chat", runId=f"run-{number}", state="final")
        await world.settle()
        yield client


def test_why_is_told_of_a_session_and_of_a_turn_in_sentences():
    async def story():
        async with open_conversation("one", "two") as client:
            rows = (await client.ask("sessions.explain", {"key": "main"}))["rows"]
            assert {row["sessionKey"] for row in rows} == {KEY}
            assert [row["at"] for row in rows] == sorted((row["at"] for row in rows), reverse=True)
            fresh = next(row for row in rows if row["kind"] == "freshness" and row["outcome"] == "new")
            assert fresh["sentence"].startswith("A new session")
            assert fresh["sentence"].endswith(fresh["rule"])
            assert fresh["question"] == "Why a new session?"
            of_turn = (await client.ask("sessions.explain", {"turnId": "run-1"}))["rows"]
            assert of_turn
            assert {row["turnId"] for row in of_turn} == {"run-1"}
            (newest,) = (await client.ask("sessions.explain", {"key": "main", "limit": 1}))["rows"]
            assert newest == rows[0]

    run_story(story)


def test_why_of_a_message_is_found_by_the_id_of_its_acknowledgement():
    async def story():
        async with open_conversation("one") as client:
            rows = (await client.ask("sessions.explain", {"key": "main"}))["rows"]
            inbound_id = next(row["inboundId"] for row in rows if row["inboundId"])
            found = (await client.ask("sessions.explain", {"inboundId": inbound_id}))["rows"]
            assert {row["inboundId"] for row in found} == {inbound_id}

    run_story(story)


def test_why_of_two_things_at_once_or_of_nothing_is_refused():
    async def story():
        async with open_conversation() as client:
            both = await client.refusal("sessions.explain", {"key": "main", "turnId": "t"})
            assert "exactly one of key, inboundId, turnId (got key, turnId)" in both["message"]
            none = await client.refusal("sessions.explain", {})
            assert "exactly one" in none["message"]

    run_story(story)


def test_a_reset_leaves_the_closed_transcript_listed_and_exportable():
    async def story():
        async with open_conversation("one") as client:
            before = (await client.ask("sessions.describe", {"key": "main"}))["session"]["sessionId"]
            await client.ask("sessions.reset", {"key": "main"})
            now, old = (await client.ask("sessions.transcripts", {"key": "main"}))["transcripts"]
            assert (now["isCurrent"], now["messages"]) == (True, 0)
            assert (old["sessionId"], old["isCurrent"], old["closeReason"], old["messages"]) == (
                before,
                False,
                "reset",
                2,
            )
            exported = await client.ask("sessions.export", {"key": "main", "sessionId": before})
            texts = [message["text"] for message in json.loads(exported["content"])["messages"]]
            assert texts == ["message 0", "one"]

    run_story(story)


def test_a_transcript_cannot_be_had_through_another_session():
    async def story():
        async with open_conversation("one") as client:
            foreign = (await client.ask("sessions.describe", {"key": "main"}))["session"]["sessionId"]
            await client.ask("sessions.create", {"key": "agent:main:dashboard:other"})
            refused = await client.refusal(
                "sessions.export", {"key": "agent:main:dashboard:other", "sessionId": foreign}
            )
            assert "has no transcript" in refused["message"]

    run_story(story)


def test_how_a_session_stands_is_told_as_text_and_as_fields():
    async def story():
        async with open_conversation("one") as client:
            answer = await client.ask("sessions.status", {"key": "main"})
            assert answer["status"]["sessionKey"] == KEY
            assert answer["status"]["reset"]["mode"] == "daily"
            assert "Reset: daily at 04:00" in answer["text"]

    run_story(story)
