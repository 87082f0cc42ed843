"""The wire over a real gateway in memory: what clients see is what is stored and decided."""

import asyncio
from contextlib import asynccontextmanager

from instar.api.server import ApiServer
from instar.api.settings import ApiSettings, AuthSettings
from instar.system.clock import SystemClock
from instar.system.ids import SystemIds
from instar.testing.gateway import GatewayInMemory
from instar.testing.runner import ScriptedRunner
from instar.testing.script import Reply, call, play
from tests.builders.stories import Gate, build_config
from tests.builders.wire import TOKEN, open_client, run_story

KEY = "agent:main:main"


@asynccontextmanager
async def open_world(*replies, **options):
    clock = SystemClock()
    runner = ScriptedRunner(play(*replies), clock=clock) if replies else None
    async with GatewayInMemory(clock=clock, ids=SystemIds(), runner=runner, **options) as world:
        yield world


@asynccontextmanager
async def listen(world, **changes):
    settings = ApiSettings(port=0, auth=AuthSettings(token=TOKEN))
    async with (
        ApiServer(settings, world.gateway, clock=SystemClock(), ids=SystemIds()) as server,
        open_client(server, **changes) as client,
    ):
        yield client


async def say(client, text, run_id, **more):
    started = await client.ask("chat.send", {"sessionKey": "main", "message": text, "idempotencyKey": run_id, **more})
    while True:
        end = await client.event("chat", runId=run_id)
        if end["state"] in {"final", "error", "aborted"}:
            return started, end


def test_a_turn_is_stored_and_told():
    async def story():
        async with open_world("Hello Ann.") as world, listen(world) as client:
            await client.ask("sessions.subscribe")
            started, end = await say(client, "hi", "run-1")
            assert started == {"runId": "run-1", "status": "started"}
            assert end["message"]["content"][0]["text"] == "Hello Ann."
            history = await client.ask("chat.history", {"sessionKey": "main"})
            assert [message["role"] for message in history["messages"]] == ["user", "assistant"]
            told = await client.event("session.message")
            assert (told["message"]["role"], told["message"]["idempotencyKey"]) == ("user", "run-1:user")
            (row,) = (await client.ask("sessions.list", {"includeDerivedTitles": True}))["sessions"]
            assert (row["key"], row["hasActiveRun"]) == (KEY, False)
            assert (await client.ask("agent.wait", {"runId": "run-1"}))["status"] == "ok"

    run_story(story)


def test_a_message_that_was_answered_is_answered_the_same_after_a_restart():
    async def story():
        async with open_world("Once.") as world:
            async with listen(world) as client:
                first, _ = await say(client, "hi", "run-1")
            await world.restart(kill=True)
            async with listen(world) as client:
                wish = {"sessionKey": "main", "message": "hi", "idempotencyKey": "run-1"}
                assert await client.ask("chat.send", wish) == {**first, "status": "ok"}
                history = await client.ask("chat.history", {"sessionKey": "main"})
                assert len(history["messages"]) == 2

    run_story(story)


def test_a_reset_gives_a_new_transcript_and_keeps_the_key():
    async def story():
        async with open_world("One.", "Two.") as world, listen(world) as client:
            await say(client, "first", "run-1")
            before = (await client.ask("chat.history", {"sessionKey": "main"}))["sessionId"]
            reset = await client.ask("sessions.reset", {"key": "main"})
            assert (reset["key"], reset["entry"]["sessionId"] == before) == (KEY, False)
            assert reset["entry"]["lifecycleRevision"] == "1"
            assert (await client.ask("chat.history", {"sessionKey": "main"}))["messages"] == []
            await say(client, "second", "run-2")
            assert len((await client.ask("chat.history", {"sessionKey": "main"}))["messages"]) == 2

    run_story(story)


def test_a_chat_command_is_answered_on_the_wire():
    async def story():
        async with open_world("One.") as world, listen(world) as client:
            await say(client, "first", "run-1")
            _, end = await say(client, "/status", "run-2")
            assert end["state"] == "final"
            assert "agent:main:main" in end["message"]["content"][0]["text"]

    run_story(story)


def test_the_word_stop_stops_the_running_turn():
    async def story():
        slow = Reply(text="A long answer that takes its time.", chunks=20, pause_s=0.2)
        async with open_world(slow) as world, listen(world) as client:
            wish = {"sessionKey": "main", "message": "go on", "idempotencyKey": "run-1"}
            await client.ask("chat.send", wish)
            await client.event("chat", runId="run-1", state="delta")
            await client.ask("chat.send", {**wish, "message": "/stop", "idempotencyKey": "run-2"})
            assert (await client.event("chat", runId="run-1", state="aborted"))["message"]

    run_story(story)


def test_a_running_turn_is_stopped_by_chat_abort():
    async def story():
        slow = Reply(text="A long answer that takes its time.", chunks=20, pause_s=0.2)
        async with open_world(slow) as world, listen(world) as client:
            await client.ask("chat.send", {"sessionKey": "main", "message": "go", "idempotencyKey": "run-1"})
            await client.event("chat", runId="run-1", state="delta")
            stopped = await client.ask("chat.abort", {"sessionKey": "main", "runId": "run-1"})
            assert (stopped["aborted"], stopped["runIds"]) == (True, ["run-1"])
            await client.event("chat", runId="run-1", state="aborted")

    run_story(story)


def test_a_silent_answer_shows_nothing():
    async def story():
        async with open_world("NO_REPLY") as world, listen(world) as client:
            _, end = await say(client, "no need to answer", "run-1")
            assert (end["state"], "message" in end) == ("final", False)

    run_story(story)


def test_a_session_is_made_found_patched_and_deleted():
    async def story():
        async with open_world() as world, listen(world) as client:
            made = await client.ask("sessions.create", {"label": "mine", "idempotencyKey": "c"})
            assert made["key"].startswith("agent:main:dashboard:")
            assert (await client.ask("sessions.resolve", {"label": "mine"}))["key"] == made["key"]
            patched = await client.ask("sessions.patch", {"key": made["key"], "label": "ours", "sendPolicy": "deny"})
            assert (patched["entry"]["label"], patched["entry"]["sendPolicy"]) == ("ours", "deny")
            gone = await client.ask("sessions.delete", {"key": made["key"]})
            assert gone["deleted"] is True
            assert (await client.ask("sessions.describe", {"key": made["key"]}))["session"] is None
            refused = await client.refusal("sessions.delete", {"key": "main"})
            assert "main session" in refused["message"]

    run_story(story)


def test_many_sessions_at_once_are_all_answered_in_their_own_place():
    async def story():
        replies = [f"answer {number}" for number in range(32)]
        async with open_world(*replies) as world, listen(world) as client:
            for number in range(32):
                wish = {"sessionKey": f"agent:main:dashboard:{number}", "message": f"question {number}"}
                await client.ask("chat.send", {**wish, "idempotencyKey": f"run-{number}"})
            for number in range(32):
                await client.event("chat", runId=f"run-{number}", state="final")
            page = await client.ask("sessions.list", {"limit": 100})
            assert page["totalCount"] == 32
            for number in range(32):
                history = await client.ask("chat.history", {"sessionKey": f"agent:main:dashboard:{number}"})
                assert history["messages"][0]["content"] == f"question {number}"

    run_story(story)


def test_a_stop_of_the_gateway_is_announced():
    async def story():
        async with open_world() as world, listen(world) as client:
            await asyncio.gather(world.gateway.stop("maintenance"), client.event("shutdown", reason="maintenance"))

    run_story(story)


def test_a_closed_transcript_is_exported_and_made_current_again():
    async def story():
        async with open_world("One.", "Two.") as world, listen(world) as client:
            await say(client, "first", "run-1")
            before = (await client.ask("chat.history", {"sessionKey": "main"}))["sessionId"]
            await client.ask("sessions.reset", {"key": "main"})
            closed = await client.ask("sessions.export", {"key": "main", "format": "markdown", "sessionId": before})
            assert "first" in closed["content"]
            resumed = await client.ask("sessions.resume", {"key": "main", "sessionId": before[:8]})
            assert resumed["sessionId"] == before
            history = await client.ask("chat.history", {"sessionKey": "main"})
            assert history["messages"][0]["content"] == "first"

    run_story(story)


def test_what_was_spent_is_summed_and_stays_when_its_session_goes():
    async def story():
        async with open_world("One.") as world, listen(world) as client:
            wish = {"sessionKey": "agent:main:dashboard:x", "message": "hi", "idempotencyKey": "run-1"}
            await client.ask("chat.send", wish)
            await client.event("chat", runId="run-1", state="final")
            usage = await client.ask("sessions.usage", {"key": "agent:main:dashboard:x"})
            assert usage["totals"]["calls"] == 1
            await client.ask("sessions.delete", {"key": "agent:main:dashboard:x"})
            assert (await client.ask("sessions.usage"))["totals"] == usage["totals"]

    run_story(story)


def test_a_message_steers_the_running_turn_whatever_the_sessions_queue_mode():
    async def story():
        gate = Gate()
        queue = {"messages": {"queue": {"mode": "followup", "debounceMs": 0}}}
        replies = (Reply(text="Let me look.", calls=(call("none"),), before_chunk=gate), "Together.")
        async with open_world(*replies, config=queue) as world, listen(world) as client:
            await client.ask("chat.send", {"sessionKey": "main", "message": "one", "idempotencyKey": "run-1"})
            await gate.reached.wait()
            wish = {"key": "main", "message": "two", "idempotencyKey": "run-2"}
            assert await client.ask("sessions.steer", wish) == {"runId": "run-2", "status": "started"}
            gate.open()
            await client.event("chat", runId="run-1", state="final")
            await client.event("chat", runId="run-2", state="final")
            history = await client.ask("chat.history", {"sessionKey": "main"})
            assert [message["role"] for message in history["messages"]].count("user") == 2
            assert len(world.runner.requests) == 2
            assert (await client.ask("sessions.steer", wish))["status"] == "ok"

    run_story(story)


def test_a_session_is_named_by_one_word_with_or_without_blanks_around_it():
    async def story():
        async with open_world("Hello Ann.") as world, listen(world) as client:
            await say(client, "hi", "run-1")
            await client.ask("sessions.patch", {"key": "main", "label": " Home "})
            session_id = (await client.ask("sessions.describe", {"key": "main"}))["session"]["sessionId"]
            for ref in ({"label": " Home "}, {"sessionId": session_id[:8]}, {"sessionId": f" {session_id} "}):
                assert (await client.ask("sessions.resolve", ref))["key"] == KEY
            refused = ({"sessionId": session_id[:7]}, {"label": "home"}, {"label": " "}, {"key": "", "sessionId": ""})
            for ref in (*refused, {"label": "Home", "key": "main"}):
                assert (await client.refusal("sessions.resolve", ref))["code"] == "INVALID_REQUEST"

    run_story(story)


def test_a_session_is_shortened_to_its_last_lines_and_that_is_taken_back():
    async def story():
        async with open_world() as world, listen(world) as client:
            for number in range(4):
                await say(client, f"message {number}", f"run-{number}")
            nothing = await client.ask("sessions.compact", {"key": "main"})
            assert (nothing["ok"], nothing["compacted"], set(nothing)) == (
                True,
                False,
                {"ok", "key", "compacted", "reason", "result"},
            )
            kept = await client.ask("sessions.compact", {"key": "main", "maxLines": 2})
            assert kept["result"]["tokensAfter"] < kept["result"]["tokensBefore"]
            assert kept == {
                "ok": True,
                "key": KEY,
                "compacted": True,
                "kept": 2,
                "archived": kept["archived"],
                "result": kept["result"],
            }
            assert kept["archived"].endswith(".jsonl.bak.zst")
            row = (await client.ask("sessions.describe", {"key": "main"}))["session"]
            assert (row["inputTokens"], row["outputTokens"], row["totalTokens"]) == (0, 0, 0)
            undone = await client.ask("sessions.compact", {"key": "main", "undo": True})
            assert undone["result"]["tokensAfter"] > kept["result"]["tokensAfter"]
            row = (await client.ask("sessions.describe", {"key": "main"}))["session"]
            assert row["totalTokens"] == undone["result"]["tokensAfter"]
            history = await client.ask("chat.history", {"sessionKey": "main"})
            assert [message["role"] for message in history["messages"]] == ["user", "assistant"] * 4

    run_story(story)


def test_an_agent_is_named_in_any_spelling_of_its_id():
    async def story():
        async with open_world("Hello Ann.") as world, listen(world) as client:
            await say(client, "hi", "run-1")
            for agent in ("main", " MAIN "):
                assert (await client.ask("sessions.list", {"agentId": agent}))["count"] == 1
                assert (await client.ask("sessions.search", {"query": "hi", "agentId": agent}))["results"]
                assert (await client.ask("agent.identity.get", {"agentId": agent}))["agentId"] == "main"
            assert (await client.ask("sessions.list", {"agentId": "other"}))["count"] == 0
            assert (await client.refusal("agent.identity.get", {"agentId": "other"}))["code"] == "INVALID_REQUEST"

    run_story(story)


def test_of_a_denied_session_only_a_run_without_delivery_is_taken():
    async def story():
        config = build_config(session={"sendPolicy": {"default": "deny"}})
        async with open_world("Hello.", config=config) as world, listen(world) as client:
            wish = {"sessionKey": "main", "message": "hi"}
            for method, asked in (
                ("chat.send", wish),
                ("sessions.send", {"key": "main", "message": "hi"}),
                ("agent", {**wish, "deliver": True}),
            ):
                error = await client.refusal(method, {**asked, "idempotencyKey": method})
                assert (error["code"], error["message"]) == ("INVALID_REQUEST", "send blocked by session policy")
            assert (await client.ask("agent", {**wish, "idempotencyKey": "run-1"}))["status"] == "accepted"
            end = await client.event("chat", runId="run-1", state="final")
            assert end["message"]["content"][0]["text"] == "Hello."

    run_story(story)
