"""Whose sessions are, on the wire of a real gateway: what is not theirs is not there (LEAK-4, LEAK-6)."""

from __future__ import annotations

import pytest

from instar.core.model.ids import Instant
from tests.builders.town import ALICE, BOB, CLUB, MAIN, PEOPLE, open_town
from tests.builders.wire import run_story

NOWHERE = "agent:main:telegram:direct:nobody"


async def keys_of(client, **params):
    return {row["key"] for row in (await client.ask("sessions.list", params))["sessions"]}


def test_lists_counts_search_and_usage_hold_what_is_theirs():
    async def story():
        async with open_town() as town, town.client("alice") as alice, town.client() as owner:
            await town.populate()
            assert await keys_of(owner) == {ALICE, BOB, CLUB, MAIN}
            listed = await alice.ask("sessions.list", {"limit": 1, "includeDerivedTitles": True})
            assert ([row["key"] for row in listed["sessions"]], listed["totalCount"]) == ([ALICE], 1)
            assert await keys_of(alice, search="bob") == set()
            hits = (await alice.ask("sessions.search", {"query": "word", "limit": 1}))["results"]
            assert [hit["sessionKey"] for hit in hits] == [ALICE]
            hits = (await alice.ask("sessions.search", {"query": "word", "sessionKeys": [BOB, CLUB, MAIN]}))["results"]
            assert hits == []
            usage = await alice.ask("sessions.usage")
            assert usage["totals"]["calls"] == 2
            assert "budgets" not in usage
            assert (await owner.ask("sessions.usage"))["totals"]["calls"] == 5
            for method in ("status", "health"):
                told = await alice.ask(method)
                assert told["sessions"]["count"] == 1
                assert [row["key"] for row in told["sessions"]["recent"]] == [ALICE]
                assert "channels" not in told
                assert not any(word in str(told) for word in ("bob", "club", MAIN))
            for method, params in (("agents.list", {}), ("chat.startup", {"sessionKey": "main"})):
                assert "/nowhere" in str(await owner.ask(method, params))
                assert "/nowhere" not in str(await alice.ask(method, params)), method

    run_story(story)


def test_a_person_is_not_told_what_all_have_spent():
    budgets = [{"per": "day", "limitUsd": 50}, {"per": "session", "limitUsd": 5}]

    async def story():
        async with open_town({**PEOPLE, "budgets": budgets}) as town, town.client("alice") as alice:
            await town.populate()
            told = await alice.ask("sessions.status", {"key": ALICE})
            assert [one["per"] for one in told["status"]["budgets"]] == ["session"]
            assert "Budget per day" not in told["text"]
            async with town.client() as owner:
                told = await owner.ask("sessions.status", {"key": ALICE})
                assert [one["per"] for one in told["status"]["budgets"]] == ["day", "session"]

    run_story(story)


@pytest.mark.parametrize("form", ["json", "jsonl", "markdown", "html"])
def test_a_person_is_not_told_where_files_lie_nor_who_pays(form):
    async def story():
        async with open_town() as town, town.client("alice") as alice, town.client() as owner:
            await town.populate()
            for method, params in (
                ("sessions.describe", {"key": ALICE}),
                ("sessions.create", {"key": ALICE}),
                ("sessions.export", {"key": ALICE, "format": form}),
                ("sessions.transcripts", {"key": ALICE}),
                ("sessions.status", {"key": ALICE}),
                ("sessions.get", {"key": ALICE}),
            ):
                told = str(await alice.ask(method, params))
                assert not any(word in told for word in ("/nowhere", "systemPromptReport", "authProfile")), method
            assert "/nowhere" in str(await owner.ask("sessions.describe", {"key": ALICE}))
            if form in {"json", "jsonl"}:
                assert "/nowhere" in str(await owner.ask("sessions.export", {"key": ALICE, "format": form}))

    run_story(story)


def test_not_theirs_and_not_there_look_the_same_by_every_name():
    async def story():
        async with open_town() as town, town.client("alice") as alice, town.client() as owner:
            await town.populate()
            await owner.ask("sessions.patch", {"key": BOB, "label": "bobs"})
            session_id = (await owner.ask("sessions.describe", {"key": BOB}))["session"]["sessionId"]
            for method, name in (("chat.history", "sessionKey"), ("sessions.get", "key"), ("sessions.status", "key")):
                errors = [await alice.refusal(method, {name: key}) for key in (BOB, CLUB, MAIN, NOWHERE)]
                assert (
                    len(
                        {
                            str(sorted(error.items())).replace(key, "")
                            for error, key in zip(errors, (BOB, CLUB, MAIN, NOWHERE), strict=True)
                        }
                    )
                    == 1
                )
            short = await alice.refusal("sessions.get", {"key": "telegram:bob"})
            assert short["message"].startswith("There is no session telegram:bob.")
            for ref in ({"label": "bobs"}, {"sessionId": session_id}, {"sessionId": session_id[:8]}, {"key": BOB}):
                error = await alice.refusal("sessions.resolve", ref)
                assert error["message"].startswith("no session found for")
                assert await alice.ask("sessions.resolve", {**ref, "allowMissing": True}) == {"ok": False}
                assert (await owner.ask("sessions.resolve", ref))["key"] == BOB
            previews = (await alice.ask("sessions.preview", {"keys": [ALICE, BOB, NOWHERE]}))["previews"]
            assert [one["status"] for one in previews] == ["ok", "missing", "missing"]
            assert "label already" not in str(await alice.refusal("sessions.create", {"label": "bobs"}))

    run_story(story)


def test_runs_and_decisions_of_others_are_unknown():
    async def story():
        async with open_town() as town, town.client("alice") as alice, town.client() as owner:
            await town.populate()
            rows = (await owner.ask("sessions.explain", {"key": BOB}))["rows"]
            turn = next(row["turnId"] for row in rows if row["turnId"])
            inbound = next(row["inboundId"] for row in rows if row["inboundId"])
            assert (await alice.ask("sessions.explain", {"turnId": turn}))["rows"] == []
            assert (await alice.ask("sessions.explain", {"inboundId": inbound}))["rows"] == []
            assert await alice.ask("agent.wait", {"runId": turn, "timeoutMs": 1}) == {
                "runId": turn,
                "status": "timeout",
            }
            assert (await owner.ask("agent.wait", {"runId": "o1"}))["status"] == "ok"
            assert (await alice.ask("agent.wait", {"runId": "o1"}))["status"] == "timeout"
            assert await alice.ask("sessions.abort", {"runId": "o1"}) == {"ok": True, "aborted": False, "runIds": []}
            for taken in ("o1", turn):
                # Somebody's run has that id, so hers gets another; she learns nothing of it and takes nothing away.
                wish = {"sessionKey": "main", "message": f"under {taken}", "idempotencyKey": taken}
                sent = await alice.ask("chat.send", wish)
                assert (sent["status"], sent["runId"] == taken) == ("started", False)
                await town.world.settle()
                assert await alice.ask("chat.send", wish) == {"runId": sent["runId"], "status": "ok"}
                assert (await alice.ask("agent.wait", {"runId": sent["runId"]}))["status"] == "ok"
            assert (await owner.ask("agent.wait", {"runId": "o1"}))["status"] == "ok"

    run_story(story)


def test_clients_of_several_people_use_one_idempotency_key_each_for_themselves():
    async def story():
        async with (
            open_town() as town,
            town.client("alice") as alice,
            town.client("telegram:bob") as bob,
            town.client() as owner,
        ):
            await town.populate()
            runs = []
            for client, key in ((alice, "main"), (bob, CLUB), (owner, CLUB), (bob, CLUB)):
                wish = {"sessionKey": key, "message": "of my own", "idempotencyKey": "1"}
                runs.append((await client.ask("chat.send", wish))["runId"])
                await town.world.settle()
            assert runs[0] == "1"
            assert len(set(runs[:3])) == 3
            assert runs[3] == runs[1], "the same of the same client is the same"
            said = (await owner.ask("sessions.get", {"key": CLUB}))["messages"]
            assert str(said).count("of my own") == 4, "twice said and twice answered"
            made = {
                (await client.ask("sessions.create", {"idempotencyKey": "2"}))["key"] for client in (alice, bob, owner)
            }
            assert len(made) == 3
            taken = {"sessionKey": ALICE, "message": "hi", "idempotencyKey": "1"}
            other = (await alice.ask("sessions.create"))["key"]
            assert "is taken" in (await alice.refusal("chat.send", {**taken, "sessionKey": other}))["message"]

    run_story(story)


def test_what_a_token_was_answered_another_token_is_not():
    async def story():
        async with (
            open_town() as town,
            town.client(None, "write") as one,
            town.client(None, "write") as other,
        ):
            wish = {"idempotencyKey": "t"}
            first = await one.ask("sessions.create", wish)
            assert await one.ask("sessions.create", wish) == first
            assert (await other.ask("sessions.create", wish))["key"] != first["key"]

    run_story(story)


def test_main_is_ones_own_and_a_new_session_its_openers():
    async def story():
        async with open_town() as town, town.client("alice") as alice, town.client("carol") as carol:
            await town.populate()
            assert alice.hello["snapshot"]["sessionDefaults"]["mainSessionKey"] == ALICE
            home = carol.hello["snapshot"]["sessionDefaults"]["mainSessionKey"]
            assert home == "agent:main:webchat:direct:carol"
            await carol.ask("chat.send", {"sessionKey": "main", "message": "carol-word", "idempotencyKey": "c1"})
            await carol.ask("agent", {"message": "again", "idempotencyKey": "c2"})
            await town.world.settle()
            made = (await carol.ask("sessions.create"))["key"]
            assert await keys_of(carol) == {home, made}
            assert await keys_of(alice) == {ALICE}
            for key in (made, home):
                assert "There is no session" in (await alice.refusal("sessions.get", {"key": key}))["message"]
            assert "There is no" in (await carol.refusal("sessions.create", {"key": "telegram:dave"}))["message"]
            assert (
                "There is no" in (await carol.refusal("sessions.create", {"key": "agent:main:explicit:x"}))["message"]
            )
            wish = {"parentSessionKey": BOB, "fork": True}
            assert "There is no" in (await carol.refusal("sessions.create", wish))["message"]
            assert (await carol.ask("sessions.create", {"parentSessionKey": home, "fork": True}))["ok"]

    run_story(story)


def test_the_other_agents_session_of_that_name_is_checked_too():
    config = {**PEOPLE, "agents": {"list": [{"id": "main", "default": True}, {"id": "work"}]}}

    async def story():
        async with open_town(config) as town, town.client("alice") as alice, town.client("bob") as bob:
            made = (await bob.ask("sessions.create", {"agentId": "work"}))["key"]
            rest = made.removeprefix("agent:work:")
            mine = {"message": "hi", "idempotencyKey": "a1", "agentId": "work", "sessionKey": rest}
            assert f"There is no session {rest}." in (await alice.refusal("agent", mine))["message"]
            assert (await bob.ask("agent", {**mine, "idempotencyKey": "b1"}))["sessionKey"] == made

    run_story(story)


def test_a_bare_group_is_checked_as_what_it_means():
    """KEY-14, LEAK-4: the channel that a request names decides which session is looked up at the gate, too."""

    async def story():
        async with open_town() as town, town.client("alice") as alice, town.client("telegram:bob") as bob:
            await town.populate()
            channel, group = CLUB.split(":")[2], CLUB.split(":")[-1]
            wish = {"message": "hi", "sessionKey": f"group:{group}", "channel": channel}
            assert "There is no session" in (await alice.refusal("agent", {**wish, "idempotencyKey": "a"}))["message"]
            assert (await bob.ask("agent", {**wish, "idempotencyKey": "b"}))["sessionKey"] == CLUB

    run_story(story)


def test_events_reach_whom_they_are_about():
    async def story():
        async with (
            open_town() as town,
            town.client("alice") as alice,
            town.client("telegram:bob") as bob,
            town.client() as owner,
        ):
            for client in (alice, bob, owner):
                await client.ask("sessions.subscribe")
            assert "There is no" in (await alice.refusal("sessions.messages.subscribe", {"key": BOB}))["message"]
            await town.populate()
            await town.server.hub.flush()
            heard = {}
            for name, client in (("alice", alice), ("bob", bob), ("owner", owner)):
                await client.ask("agents.list")
                about = [frame["payload"] for frame in client.events if "sessionKey" in frame["payload"]]
                heard[name] = {payload["sessionKey"] for payload in about}
                numbers = [frame["seq"] for frame in client.events]
                assert numbers == list(range(1, len(numbers) + 1)), "a gap would tell that something was kept back"
                assert {frame["event"] for frame in client.events} >= {"agent", "chat", "session.message"}
            assert heard == {"alice": {ALICE}, "bob": {BOB, CLUB}, "owner": {ALICE, BOB, CLUB, MAIN}}

    run_story(story)


def test_whose_session_is_deleted_hears_of_it():
    async def story():
        async with (
            open_town() as town,
            town.client("alice") as alice,
            town.client("bob") as bob,
            town.client() as owner,
        ):
            made = (await alice.ask("sessions.create"))["key"]
            await alice.ask("sessions.subscribe")
            await bob.ask("sessions.subscribe")
            await owner.ask("sessions.delete", {"key": made})
            assert (await alice.event("sessions.changed", reason="delete"))["sessionKey"] == made
            await town.server.hub.flush()
            await bob.ask("agents.list")
            assert bob.events == []

    run_story(story)


def test_whoever_has_written_in_a_group_is_in_it_until_its_channel_says_otherwise():
    async def story():
        async with open_town() as town, town.client("alice") as alice, town.client("slack:u7") as by_id:
            await town.populate()
            assert CLUB not in await keys_of(alice)
            await town.world.channel("telegram").post("lunch?", sender="ann", chat_type="group", chat_id="club")
            await town.world.settle()
            assert await keys_of(alice) == await keys_of(by_id) == {ALICE, CLUB}
            async with town.client() as owner:
                await owner.ask("sessions.reset", {"key": CLUB})
            assert await keys_of(alice) == {ALICE, CLUB}
            await town.world.restart(kill=True)

        async with open_town() as town, town.client("alice") as alice:
            await town.populate()
            owners = town.world.store.owners
            await owners.report_members(CLUB, ["telegram:ann", "telegram:bob"], now=Instant(1))
            assert await keys_of(alice) == {ALICE, CLUB}
            await alice.ask("sessions.messages.subscribe", {"key": CLUB})
            await owners.report_members(CLUB, ["telegram:bob"], now=Instant(2))
            assert await keys_of(alice) == {ALICE}
            await town.post("after she left", sender="bob", group="club")
            await town.server.hub.flush()
            await alice.ask("agents.list")
            assert "after she left" not in str(alice.events)

    run_story(story)


def shut(how):
    channels = {name: dict(one) for name, one in PEOPLE["channels"].items()}
    channels["telegram"].update(how)
    return {**PEOPLE, "channels": channels}


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ({}, {"groupPolicy": "off"}),
        ({"groupPolicy": "allowlist", "groupAllowFrom": ["club"]}, {"groupPolicy": "allowlist"}),
        (
            {"groupPolicy": "allowlist", "groupAllowFrom": ["bob"]},
            {"groupPolicy": "allowlist", "groupAllowFrom": ["x"]},
        ),
        ({}, {"groupPolicy": "pairing"}),
    ],
)
def test_who_was_in_a_group_that_is_shut_now_sees_it_no_more(before, after):
    async def story():
        async with open_town(shut(before)) as town, town.client("telegram:bob") as bob:
            await town.populate()
            assert await keys_of(bob) == {BOB, CLUB}
            await bob.ask("sessions.messages.subscribe", {"key": CLUB})
            town.world.configure(shut(after))
            listed = await bob.ask("sessions.list")
            assert ([row["key"] for row in listed["sessions"]], listed["totalCount"]) == ([BOB], 1)
            assert "There is no session" in (await bob.refusal("chat.history", {"sessionKey": CLUB}))["message"]
            assert (await bob.ask("sessions.search", {"query": "club"}))["results"] == []
            say = {"sessionKey": CLUB, "message": "still here", "idempotencyKey": "s"}
            assert "There is no session" in (await bob.refusal("chat.send", say))["message"]
            await town.world.channel("telegram").report("club", ["bob"])
            assert await keys_of(bob) == {BOB}
            # Once it is open again, it is as at the beginning: whoever writes there is in it.
            town.world.configure(shut(before))
            assert await keys_of(bob) == {BOB}
            await town.post("hello again", sender="bob", group="club")
            assert await keys_of(bob) == {BOB, CLUB}

    run_story(story)


def test_a_group_whose_approval_is_taken_back_is_seen_no_more():
    async def story():
        async with open_town(shut({"groupPolicy": "pairing"})) as town, town.client() as owner:
            await town.post("hello", sender="bob", group="club")
            code = (await owner.ask("pairing.list"))["waiting"][0]["code"]
            await owner.ask("pairing.approve", {"code": code})
            await town.post("let in", sender="bob", group="club")
            async with town.client("telegram:bob") as bob:
                assert await keys_of(bob) == {CLUB}
                await owner.ask("pairing.revoke", {"peerId": "club", "channel": "telegram"})
                assert await keys_of(bob) == set()
                await town.world.channel("telegram").report("club", ["bob"])
                assert await keys_of(bob) == set()

    run_story(story)


def test_a_refused_message_makes_nobody_a_member():
    config = {**PEOPLE, "channels": {"telegram": {"type": "bridge", "token": "t", "groupPolicy": "allowlist"}}}

    async def story():
        async with open_town(config) as town, town.client("alice") as alice:
            await town.post("let me in", sender="ann", group="club")
            assert (await town.world.store.owners.load([CLUB]))[CLUB].members == frozenset()
            assert await keys_of(alice) == set()

    run_story(story)


@pytest.mark.parametrize(("listed", "is_reset"), [(False, False), (True, True)])
def test_commands_in_a_group_need_a_list_that_names_the_person(listed, is_reset):
    channels = {name: dict(one) for name, one in PEOPLE["channels"].items()}
    if listed:
        channels["telegram"]["groupAllowFrom"] = ["ann"]

    async def story():
        async with open_town({**PEOPLE, "channels": channels}) as town, town.client("alice") as alice:
            await town.post("hello", sender="ann", group="club")
            before = (await alice.ask("chat.history", {"sessionKey": CLUB}))["sessionId"]
            await alice.ask("chat.send", {"sessionKey": CLUB, "message": "/new", "idempotencyKey": "n1"})
            await town.world.settle()
            after = (await alice.ask("chat.history", {"sessionKey": CLUB}))["sessionId"]
            assert (before != after) is is_reset

    run_story(story)


def test_a_persons_token_with_the_admins_scope_sees_everything_and_the_owner_narrowed_too():
    async def story():
        async with (
            open_town() as town,
            town.client("alice", "admin") as admin,
            town.client("alice", "admin", scopes=["operator.read"]) as narrowed,
            town.client(None, "read") as reader,
        ):
            await town.populate()
            assert await keys_of(admin) == await keys_of(reader) == {ALICE, BOB, CLUB, MAIN}
            assert await keys_of(narrowed) == {ALICE}
            assert (await narrowed.refusal("logs.tail"))["code"] == "FORBIDDEN"
            assert (await reader.ask("logs.tail"))["lines"] == []

    run_story(story)


def test_a_bridge_says_who_is_in_a_group_and_who_has_left():
    async def story():
        async with open_town() as town, town.client("alice") as alice:
            await town.populate()
            channel = town.world.channel("telegram")
            await channel.report("club", ["ann", "BOB"])
            assert await keys_of(alice) == {ALICE, CLUB}
            await channel.post("in a thread", sender="ann", chat_type="group", chat_id="club", thread_id="7")
            await town.world.settle()
            topic = CLUB + ":topic:7"
            assert (await town.world.store.owners.load([topic]))[topic].members == {"telegram:ann"}
            await channel.report("club", ["bob"])
            found = await town.world.store.owners.load([CLUB, topic])
            assert (found[CLUB].members, found[topic].members) == ({"telegram:bob"}, frozenset())
            assert await keys_of(alice) == {ALICE}

    run_story(story)
