"""Operations on sessions over the wire: answers, events, repeats (RPC-1…8, RPC-13, GW-13)."""

from tests.builders.wire import open_client, open_server, run_story

KEY = "agent:main:main"


def test_a_list_tells_how_much_there_is_and_where_to_go_on():
    async def story():
        async with open_server() as (server, gateway), open_client(server) as client:
            for number in range(120):
                gateway.row(f"agent:main:dashboard:{number:03}")
            page = await client.ask("sessions.list", {"limit": 50, "offset": 100})
            assert (page["count"], page["totalCount"], page["limitApplied"]) == (20, 120, 50)
            assert (page["hasMore"], page["nextOffset"]) == (False, None)
            first = await client.ask("sessions.list", {})
            assert (first["count"], first["hasMore"], first["nextOffset"]) == (100, True, 100)
            assert first["defaults"] == {"modelProvider": "fake", "model": "fake-1", "contextTokens": 200_000}
            assert first["path"] == "/state/instar.sqlite"

    run_story(story)


def test_an_old_client_that_asks_for_no_number_gets_all():
    async def story():
        async with open_server() as (server, gateway), open_client(server, minProtocol=3, maxProtocol=3) as client:
            for number in range(120):
                gateway.row(f"agent:main:dashboard:{number:03}")
            assert (await client.ask("sessions.list"))["count"] == 120

    run_story(story)


def test_a_row_says_what_a_list_shows():
    async def story():
        async with open_server() as (server, gateway), open_client(server) as client:
            gateway.row(KEY)
            page = await client.ask("sessions.list", {"includeDerivedTitles": True, "includeLastMessage": True})
            (row,) = page["sessions"]
            assert row["key"] == KEY
            assert row["kind"] == "direct"
            assert row["derivedTitle"] == "A title"
            assert row["lastMessagePreview"] == "Last words"
            for name in ("archived", "pinned", "unread", "hasActiveRun", "systemSent", "abortedLastRun"):
                assert row[name] is False
            assert row["totalTokens"] == 0
            assert isinstance(row["updatedAt"], int)
            assert (await client.ask("sessions.describe", {"key": "main"}))["session"]["sessionId"] == row["sessionId"]

    run_story(story)


def test_a_session_that_does_not_exist_is_described_as_null():
    async def story():
        async with open_server() as (server, _), open_client(server) as client:
            assert await client.ask("sessions.describe", {"key": "agent:main:nobody"}) == {"session": None}

    run_story(story)


def test_a_preview_tells_the_last_words_of_each_session():
    async def story():
        async with open_server() as (server, gateway), open_client(server) as client:
            gateway.answer = "w" * 500
            await client.ask("chat.send", {"sessionKey": "main", "message": "ping", "idempotencyKey": "k"})
            await client.event("chat", state="final")
            gateway.row("agent:main:empty")
            answer = await client.ask(
                "sessions.preview", {"keys": ["main", "agent:main:empty", "agent:main:nobody"], "maxChars": 20}
            )
            spoken, empty, missing = answer["previews"]
            assert spoken["status"] == "ok"
            assert spoken["items"] == [{"role": "user", "text": "ping"}, {"role": "assistant", "text": "w" * 19 + "…"}]
            assert (empty["status"], missing["status"]) == ("empty", "missing")
            many = await client.ask("sessions.preview", {"keys": [f"agent:main:{n}" for n in range(100)]})
            assert len(many["previews"]) == 64

    run_story(story)


def test_a_bare_group_is_of_the_channel_that_the_request_names():
    """KEY-14, also for a client that spells the channel otherwise; `last` names no channel."""

    async def story():
        async with open_server() as (server, _), open_client(server) as client:
            run = {"message": "hi", "sessionKey": "group:-55"}
            for number, (channel, key) in enumerate([("TG", "telegram:group:-55"), ("last", "group:-55")]):
                told = await client.ask("agent", {**run, "channel": channel, "idempotencyKey": f"k{number}"})
                assert told["sessionKey"] == f"agent:main:{key}"
            await client.ask("chat.send", {**run, "originatingChannel": "telegram", "idempotencyKey": "k3"})
            history = await client.ask("chat.history", {"sessionKey": "telegram:group:-55"})
            assert [line["role"] for line in history["messages"]] == ["user", "assistant"] * 2

    run_story(story)


def test_a_session_is_found_by_key_id_or_label():
    async def story():
        async with open_server() as (server, _), open_client(server) as client:
            made = await client.ask("sessions.create", {"key": "agent:main:dashboard:x", "label": "mine"})
            for ref in ({"key": made["key"]}, {"sessionId": made["sessionId"]}, {"label": "mine"}):
                assert await client.ask("sessions.resolve", ref) == {
                    "ok": True,
                    "key": "agent:main:dashboard:x",
                    "agentId": "main",
                }
            assert (await client.refusal("sessions.resolve", {"label": "yours"}))["message"] == (
                "no session found for label: yours"
            )
            assert await client.ask("sessions.resolve", {"label": "yours", "allowMissing": True}) == {"ok": False}

    run_story(story)


def test_a_patch_answers_with_the_entry_and_is_told_to_those_who_asked():
    async def story():
        async with open_server() as (server, _), open_client(server) as client, open_client(server) as stranger:
            assert await client.ask("sessions.subscribe") == {"subscribed": True}
            answer = await client.ask("sessions.patch", {"key": "main", "label": "Trace", "thinkingLevel": "low"})
            assert (answer["ok"], answer["key"], answer["path"]) == (True, KEY, "/state/instar.sqlite")
            assert (answer["entry"]["label"], answer["entry"]["thinkingLevel"]) == ("Trace", "low")
            told = await client.event("sessions.changed", reason="patch")
            assert (told["sessionKey"], told["label"], told["session"]["label"]) == (KEY, "Trace", "Trace")
            cleared = await client.ask("sessions.patch", {"key": "main", "label": None})
            assert "label" not in cleared["entry"]
            assert (await client.event("sessions.changed", reason="patch"))["label"] is None
            await stranger.ask("health")
            assert stranger.events == []

    run_story(story)


def test_a_reset_gives_a_new_id_and_counts():
    async def story():
        async with open_server() as (server, gateway), open_client(server) as client:
            await client.ask("sessions.subscribe")
            before = gateway.row(KEY).session_id
            answer = await client.ask("sessions.reset", {"key": "main", "reason": "new"})
            assert answer["entry"]["sessionId"] != before
            assert answer["entry"]["lifecycleRevision"] == "1"
            assert (await client.event("sessions.changed"))["reason"] == "new"

    run_story(story)


def test_a_deletion_is_told_and_what_is_missing_is_no_error():
    async def story():
        async with open_server() as (server, gateway), open_client(server) as client:
            await client.ask("sessions.subscribe")
            gateway.row("agent:main:x")
            answer = await client.ask("sessions.delete", {"key": "agent:main:x"})
            assert answer == {"ok": True, "key": "agent:main:x", "deleted": True, "archived": []}
            told = await client.event("sessions.changed", reason="delete")
            assert "session" not in told
            assert (await client.ask("sessions.delete", {"key": "agent:main:x"}))["deleted"] is False

    run_story(story)


def test_only_the_messages_that_were_asked_for_are_told():
    async def story():
        async with open_server() as (server, gateway), open_client(server) as client:
            assert await client.ask("sessions.messages.subscribe", {"key": "main"}) == {"subscribed": True, "key": KEY}
            gateway.row("agent:main:other")
            gateway.row(KEY)
            for key in ("agent:main:other", "main"):
                await client.ask("chat.inject", {"sessionKey": key, "message": f"to {key}"})
            assert (await client.event("session.message"))["message"]["content"] == "to main"
            assert not any(frame["event"] == "session.message" for frame in client.events)
            assert await client.ask("sessions.messages.unsubscribe", {"key": "main"}) == {
                "subscribed": False,
                "key": KEY,
            }
            await client.ask("chat.inject", {"sessionKey": "main", "message": "unheard"})
            await client.ask("health")
            assert not any(frame["event"] == "session.message" for frame in client.events)

    run_story(story)


def test_an_injected_line_says_its_id():
    async def story():
        async with open_server() as (server, gateway), open_client(server) as client:
            gateway.row(KEY)
            answer = await client.ask("chat.inject", {"sessionKey": "main", "message": "note", "label": "me"})
            history = await client.ask("chat.history", {"sessionKey": "main"})
            assert history["messages"][-1]["__openclaw"]["id"] == answer["messageId"]
            missing = await client.refusal("chat.inject", {"sessionKey": "agent:main:nobody", "message": "note"})
            assert missing["code"] == "INVALID_REQUEST"

    run_story(story)


def test_a_change_that_is_repeated_with_its_key_is_made_once():
    async def story():
        async with open_server() as (server, gateway), open_client(server) as client:
            wish = {"label": "one", "idempotencyKey": "create-1"}
            ids = [await client.post("sessions.create", wish) for _ in range(2)]
            first, second = [(await client.response(one))["payload"] for one in ids]
            assert first == second
            assert len(gateway.rows) == 1
            async with open_client(server) as other:
                assert (await other.ask("sessions.create", wish))["key"] == second["key"]
            refused = await client.refusal("sessions.create", {"label": "one", "idempotencyKey": "create-2"})
            assert refused["message"] == "label already in use: one"

    run_story(story)


def test_what_is_going_on_is_told():
    async def story():
        async with open_server() as (server, gateway), open_client(server) as client:
            gateway.row(KEY)
            health = await client.ask("health")
            assert (health["ok"], health["defaultAgentId"], health["sessions"]["count"]) == (True, "main", 1)
            status = await client.ask("status")
            assert status["runtimeVersion"] == "0.1.0"
            assert status["sessions"]["paths"] == ["/state/instar.sqlite"]
            assert status["sessions"]["recent"][0]["key"] == KEY
            assert (await client.ask("agents.list"))["agents"][0]["id"] == "main"
            assert (await client.ask("models.list"))["models"][0]["available"] is True
            assert (await client.ask("commands.list"))["commands"][0]["textAliases"] == ["/new", "/reset"]
            assert (await client.ask("agent.identity.get", {"sessionKey": "main"}))["name"] == "Main"
            config = await client.ask("config.get")
            assert (config["path"], config["valid"], config["config"]) == ("/state/instar.json5", True, {})

    run_story(story)
