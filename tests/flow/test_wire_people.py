"""One person, asked and erased over the wire (LEAK-11)."""

from __future__ import annotations

from tests.builders.wire import open_client, open_server, run_story

ANN = {"id": "telegram:42", "ids": ["telegram:42"], "names": ["Ann"], "sessions": 1, "messages": 3}


def test_an_administrator_lists_exports_plans_and_erases():
    async def story():
        async with open_server() as (server, gateway), open_client(server) as client:
            (row,) = (await client.ask("people.list"))["people"]
            assert row.items() >= ANN.items()
            assert (await client.ask("people.list", {"limit": 1}))["people"] == [row]
            exported = await client.ask("people.export", {"id": "telegram:42", "name": "ann"})
            assert exported == {"path": "/state/exports/ann", "counts": {"inbox": 3}}
            planned = await client.ask("people.erase", {"id": "telegram:42", "dryRun": True})
            assert (planned["planned"], planned["residue"], planned["left"]) == (True, 9, [])
            assert len((await client.ask("people.list"))["people"]) == 1
            receipt = await client.ask("people.erase", {"id": "telegram:42", "dropBackups": True})
            assert receipt["droppedBackups"] == ["old.tar.zst"]
            assert receipt["left"] == [{"place": "instar.json5", "count": 1, "fix": "Take them out."}]
            assert gateway.people.asked_by == ["operator"]
            assert (await client.ask("people.list"))["people"] == []
            refused = await client.refusal("people.erase", {"id": "telegram:42"})
            assert "Nothing is held about telegram:42" in refused["message"]

    run_story(story)


def test_the_same_erasure_again_gets_the_first_receipt():
    async def story():
        async with open_server() as (server, gateway), open_client(server) as client:
            wish = {"id": "telegram:42", "idempotencyKey": "once"}
            assert await client.ask("people.erase", wish) == await client.ask("people.erase", wish)
            assert gateway.people.asked_by == ["operator"]

    run_story(story)


def test_a_person_is_named_and_nothing_else_is_taken():
    async def story():
        async with open_server() as (server, _), open_client(server) as client:
            for wish in ({}, {"id": ""}, {"id": "telegram:42", "yes": True}):
                assert (await client.refusal("people.erase", wish))["code"] == "INVALID_REQUEST"

    run_story(story)
