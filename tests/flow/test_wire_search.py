"""Search over the wire, on a real gateway in memory (RPC-24, SEARCH-1…6, LEAK-12)."""

from __future__ import annotations

from tests.builders.wire import run_story
from tests.flow.test_wire_with_gateway import listen, open_world, say

KEY = "agent:main:main"


async def search(client, query, **more):
    return (await client.ask("sessions.search", {"query": query, **more}))["results"]


def test_what_was_just_said_is_found_with_an_excerpt():
    async def story():
        async with open_world("The heron flies at dawn.") as world, listen(world) as client:
            await say(client, "What does the HERON do?", "run-1")
            hits = await search(client, "heron")
            assert [(hit["role"], hit["sessionKey"]) for hit in hits] == [("assistant", KEY), ("user", KEY)]
            assert hits[0]["excerpt"] == hits[0]["snippet"] == "The heron flies at dawn."
            history = await client.ask("chat.history", {"sessionKey": "main"})
            assert hits[0]["sessionId"] == history["sessionId"]
            assert hits[0]["timestamp"] > 0

    run_story(story)


def test_old_words_are_found_after_a_reset_and_none_after_a_deletion():
    async def story():
        async with open_world("One.", "Two.") as world, listen(world) as client:
            key = (await client.ask("sessions.create", {"label": "notes"}))["key"]
            wish = {"sessionKey": key, "message": "a heron", "idempotencyKey": "run-1"}
            await client.ask("chat.send", wish)
            await client.event("chat", runId="run-1", state="final")
            await client.ask("sessions.reset", {"key": key})
            assert len(await search(client, "heron")) == 1
            assert len(await search(client, "heron", sessionKeys=[key])) == 1
            assert await search(client, "heron", sessionKeys=["main"]) == []
            assert await search(client, "heron", agentId="other") == []
            await client.ask("sessions.delete", {"key": key})
            assert await search(client, "heron") == []

    run_story(story)


def test_an_excerpt_holds_no_secret():
    async def story():
        async with open_world("Noted.") as world, listen(world) as client:
            await say(client, f"my heron key is sk-{'a1' * 20} as you know", "run-1")
            (hit,) = await search(client, "heron")
            assert hit["excerpt"] == "my heron key is [redacted] as you know"

    run_story(story)


def test_a_query_of_operators_is_words_and_a_missing_one_is_refused():
    async def story():
        async with open_world("Fine.") as world, listen(world) as client:
            await say(client, "plain words", "run-1")
            for query in ('"', "words:plain OR", "NEAR(plain words)", "plain*", "-"):
                assert await search(client, query) in ([], await search(client, "plain"))
            refusal = await client.refusal("sessions.search", {})
            assert "must have required property 'query'" in refusal["message"]

    run_story(story)
