"""Incognito sessions on the wire of a gateway: begun by being asked for, seen by few, gone with its life (KEY-22)."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from instar.core.model.ids import SessionKey
from instar.core.model.view import NewSession
from instar.gateway import incognito
from tests.builders.erasing import CONFIG, talk
from tests.builders.people import open_people
from tests.builders.store import build_submission
from tests.builders.stories import ask
from tests.builders.town import BOB, MAIN, open_town
from tests.builders.wire import run_story
from tests.flow.test_budgets import world_of

FRONT = "agent:main:dashboard:incognito-"
STRANGE = ["incognito-x", "agent:main:incognito-x", f"{FRONT}0e5a"]


async def begin(client, **wish):
    return (await client.ask("sessions.create", {"incognito": True, **wish}))["key"]


async def say(town, client, key, text, run):
    await client.ask("chat.send", {"sessionKey": key, "message": text, "idempotencyKey": run})
    await town.world.settle()


async def words_of(client, key):
    return str((await client.ask("chat.history", {"sessionKey": key}))["messages"])


@pytest.mark.parametrize("key", STRANGE)
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
def test_no_key_begins_one_by_being_written(method, field, params, key):
    async def story():
        async with open_town() as town, town.client() as owner:
            error = await owner.refusal(method, {field: key, **params})
            assert error["code"] == "INVALID_REQUEST"
            assert "There is no incognito session" in error["message"]
            assert (await owner.ask("sessions.list"))["sessions"] == []

    run_story(story)


def test_one_is_begun_talked_in_reset_resumed_and_deleted_like_any_other():
    async def story():
        async with open_town() as town, town.client() as owner:
            key = await begin(owner, thinkingLevel="low")
            assert key.startswith(FRONT)
            await say(town, owner, key, "my code is zebra", "r1")
            assert "You said: my code is zebra" in await words_of(owner, key)
            assert (await owner.ask("sessions.create", {"key": key}))["entry"]["thinkingLevel"] == "low"
            await owner.ask("sessions.reset", {"key": key})
            assert "zebra" not in await words_of(owner, key)
            lives = (await owner.ask("sessions.transcripts", {"key": key}))["transcripts"]
            assert len(lives) == 2
            await owner.ask("sessions.resume", {"key": key, "sessionId": lives[-1]["sessionId"]})
            assert "zebra" in await words_of(owner, key)
            told = await owner.ask("sessions.delete", {"key": key, "deleteTranscript": False})
            assert (told["deleted"], told["archived"], town.world.archives.heads) == (True, [], [])
            assert await owner.ask("sessions.transcripts", {"key": key}) == {"key": key, "transcripts": []}
            assert (
                "There is no incognito session"
                in (await owner.refusal("chat.send", {"sessionKey": key, "message": "hi", "idempotencyKey": "r2"}))[
                    "message"
                ]
            )

    run_story(story)


def test_its_rows_are_in_no_store_that_outlives_it():
    async def story():
        async with open_town() as town, town.client() as owner:
            key = await begin(owner, label="secret")
            await say(town, owner, key, "my code is zebra", "run-zebra")
            connection = town.world.store.engine.connection
            await say(town, owner, MAIN, "an ordinary panda", "r2")
            image = connection.serialize("main")
            assert [word for word in ("zebra", "secret", key, "panda") if word.encode() in image] == ["panda"]
            booked, _ = connection.execute("SELECT session_key, turn_id, output_tokens FROM usage").fetchall()
            assert (booked[0], booked[1]) == (FRONT, None)
            assert booked[2] > 0
            assert (await owner.ask("sessions.usage"))["totals"]["calls"] == 2
            assert (await owner.ask("sessions.usage", {"key": key}))["totals"]["calls"] == 1

    run_story(story)


def test_it_is_listed_marked_and_first_for_who_sees_everything_and_for_nobody_else():
    async def story():
        async with open_town() as town, town.client("bob") as bob, town.client() as owner:
            await town.populate()
            own = await begin(bob)
            await say(town, bob, own, "my code is zebra", "r1")
            assert "zebra" in await words_of(bob, own)
            listed = await owner.ask("sessions.list", {"limit": 2})
            assert listed["sessions"][0]["key"] == own
            assert (listed["sessions"][0]["incognito"], listed["totalCount"], listed["nextOffset"]) == (True, 5, 2)
            assert "incognito" not in listed["sessions"][1]
            theirs = await bob.ask("sessions.list")
            assert own not in {row["key"] for row in theirs["sessions"]}
            assert theirs["totalCount"] == len(theirs["sessions"])
            for reader in (bob, owner):
                assert (await reader.ask("sessions.search", {"query": "zebra"}))["results"] == []
                assert own not in str(await reader.ask("status"))
            async with town.client("alice") as alice:
                assert "zebra" not in str(await alice.call("chat.history", {"sessionKey": own}))
                refused = await alice.refusal("chat.send", {"sessionKey": own, "message": "hi", "idempotencyKey": "a"})
                assert own not in str(await alice.ask("sessions.list"))
                assert refused["code"] in {"INVALID_REQUEST", "NOT_FOUND", "FORBIDDEN"}

    run_story(story)


@pytest.mark.parametrize(("scopes", "sees"), [(["read"], False), (["read", "write"], False), (["admin"], True)])
def test_a_token_of_nobody_is_told_of_it_only_with_the_scope_of_an_admin(scopes, sees):
    async def story():
        async with open_town() as town, town.client() as owner:
            key = await begin(owner, label="hidden")
            async with town.client(None, *scopes) as program:
                assert (key in str(await program.ask("sessions.list"))) is sees
                found = await program.ask("sessions.resolve", {"label": "hidden", "allowMissing": True})
                assert found.get("ok") is sees
                by_key = await program.ask("sessions.resolve", {"key": key, "allowMissing": True})
                assert by_key.get("ok") is sees

    run_story(story)


def test_pages_of_a_list_go_on_behind_those_in_memory():
    async def story():
        async with open_town() as town, town.client() as owner:
            await town.populate()
            keys = {await begin(owner) for _ in range(3)}
            whole = [row["key"] for row in (await owner.ask("sessions.list"))["sessions"]]
            assert set(whole[:3]) == keys
            for size in (1, 2, 3, 5):
                paged, offset = [], 0
                while offset is not None:
                    page = await owner.ask("sessions.list", {"limit": size, "offset": offset})
                    paged += [row["key"] for row in page["sessions"]]
                    offset = page["nextOffset"]
                    assert page["totalCount"] == 7
                assert paged == whole, size

    run_story(story)


def test_a_new_life_of_the_gateway_knows_nothing_of_it_and_says_so():
    async def story():
        async with open_town() as town:
            async with town.client() as owner:
                key = await begin(owner)
                await say(town, owner, key, "my code is zebra", "r1")
            await town.world.restart()
            sessions = town.world.gateway.sessions
            assert await sessions.describe(SessionKey(key)) is None
            assert (await sessions.history(SessionKey(key), limit=10)).entries == ()

    run_story(story)


def test_nothing_that_is_stored_comes_out_of_it_and_it_may_come_out_of_anything():
    async def story():
        async with open_town() as town, town.client() as owner:
            await town.populate()
            key = await begin(owner, parentSessionKey=MAIN, fork=True)
            assert "owner-word" in await words_of(owner, key)
            await say(town, owner, key, "my code is zebra", "r1")
            for wish in ({}, {"fork": True}, {"key": "agent:main:subagent:1"}):
                error = await owner.refusal("sessions.create", {"parentSessionKey": key, **wish})
                assert "can have no session below it that is stored" in error["message"]
            assert "is stored" in (await owner.refusal("sessions.patch", {"key": BOB, "spawnedBy": key}))["message"]
            child = await begin(owner, parentSessionKey=key, fork=True)
            assert "zebra" in await words_of(owner, child)
            assert (
                "takes no key" in (await owner.refusal("sessions.create", {"incognito": True, "key": "x"}))["message"]
            )

    run_story(story)


def test_a_message_that_came_before_is_not_taken_again_in_the_other_store():
    async def story():
        async with open_town() as town, town.client() as owner:
            key = await begin(owner)
            send = {"message": "hi", "idempotencyKey": "same"}
            first = await owner.ask("chat.send", {**send, "sessionKey": key})
            await town.world.settle()
            again = await owner.ask("chat.send", {**send, "sessionKey": MAIN})
            assert again["runId"] == first["runId"]
            assert (await words_of(owner, MAIN), (await words_of(owner, key)).count("You said")) == ("[]", 1)

    run_story(story)


def test_it_writes_no_file_into_the_workspace():
    async def story():
        async with open_town() as town, town.client() as owner:
            key = await begin(owner)
            await say(town, owner, key, "my code is zebra", "r1")
            await say(town, owner, key, "/export-session notes.html", "r2")
            assert town.world.exports.files == {}

    run_story(story)


def test_no_more_begin_than_there_is_room_for(monkeypatch):
    async def story():
        async with open_town() as town, town.client() as owner:
            await town.populate()
            keys = [await begin(owner) for _ in range(2)]
            monkeypatch.setattr(incognito, "INCOGNITO_MAX", 2)
            error = await owner.refusal("sessions.create", {"incognito": True})
            assert "There are 2 incognito sessions" in error["message"]
            await owner.ask("sessions.delete", {"key": keys[0]})
            await begin(owner)

    run_story(story)


def test_a_person_who_is_erased_takes_theirs_along_and_nobody_elses(tmp_path):
    async def story():
        async with open_people(tmp_path, CONFIG) as world:
            await talk(world)
            sessions = world.gateway.gateway.sessions
            made = [
                (await sessions.create(NewSession(incognito=True, owner=owner), who="x")).session.key
                for owner in ("alice", "bob", None)
            ]
            receipt = await world.gateway.gateway.people.erase("alice", drop_backups=False, who="operator")
            assert receipt.residue == 0
            assert [await sessions.describe(key) is None for key in made] == [True, False, False]

    asyncio.run(story())


def test_one_in_which_an_erased_person_wrote_goes_too(tmp_path):
    async def story():
        async with open_people(tmp_path, CONFIG) as world:
            await talk(world)
            gateway = world.gateway.gateway
            key = (await gateway.sessions.create(NewSession(incognito=True), who="x")).session.key
            submission = replace(build_submission("1", "my code is zebra"), session_key=key, principal="alice")
            await gateway.submit(submission)
            await world.gateway.settle()
            await gateway.people.erase("alice", drop_backups=False, who="operator")
            assert await gateway.sessions.describe(key) is None

    asyncio.run(story())


@pytest.mark.parametrize("per", ["day", "session"])
def test_what_was_spent_counts_for_the_budgets_of_all_and_of_the_session(per):
    async def story():
        # Every answer costs two dollars.
        async with world_of({"per": per, "limitUsd": 3, "action": "stop"}) as world:
            made = [await world.gateway.sessions.create(NewSession(incognito=True), who="x") for _ in range(2)]
            first, second = (one.session.key for one in made)
            requests = []
            for number, key in enumerate((first, first, first, second, SessionKey(MAIN))):
                await ask(world, f"say {number}", key=key, run_id=f"r{number}")
                await world.settle()
                requests.append(len(world.runner.requests))
            assert requests == ([1, 2, 2, 2, 2] if per == "day" else [1, 2, 2, 3, 4])
            if per == "day":
                await world.restart()
                await ask(world, "say more", key=SessionKey(MAIN), run_id="r9")
                await world.settle()
                assert len(world.runner.requests) == 2

    asyncio.run(story())
