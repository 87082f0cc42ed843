"""A turn as clients see it: acknowledgement, events in order, history (RPC-15…19, RPC-36, GW-12, GW-13)."""

import pytest

from instar.core.model.event import CommandAnswered, RunEnded
from instar.core.model.ids import AgentId, Instant, SessionId, SessionKey, TurnId
from tests.builders.wire import open_client, open_server, run_story

KEY = "agent:main:main"
SEND = {"sessionKey": "main", "message": "ping", "idempotencyKey": "run-1"}


async def chat_until_end(client, run_id="run-1"):
    """Every `agent` and `chat` payload of a run up to its end, in order of arrival."""
    seen = []
    while True:
        frame = client.events.pop(0) if client.events else await client.receive()
        if frame["type"] != "event" or frame["event"] not in {"agent", "chat"}:
            continue
        payload = frame["payload"]
        if payload["runId"] == run_id:
            seen.append((frame["event"], payload))
            if frame["event"] == "chat" and payload["state"] in {"final", "error", "aborted"}:
                return seen


def shape(seen):
    """What each event of a run was, in a word."""
    return [f"chat {payload['state']}" if event == "chat" else f"agent {payload['stream']}" for event, payload in seen]


def test_a_turn_is_acknowledged_told_and_ended():
    async def story():
        async with open_server() as (server, gateway), open_client(server) as client:
            assert await client.ask("chat.send", SEND) == {"runId": "run-1", "status": "started"}
            seen = await chat_until_end(client)
            assert shape(seen) == [
                "agent run_status",
                "chat status",
                "agent lifecycle",
                "agent run_status",
                "chat status",
                "agent assistant",
                "chat delta",
                "agent assistant",
                "agent lifecycle",
                "chat delta",
                "chat final",
            ]
            first, rest, final = seen[6][1], seen[9][1], seen[10][1]
            assert first["deltaText"] + rest["deltaText"] == gateway.answer
            assert rest["message"]["content"] == [{"type": "text", "text": gateway.answer}]
            assert final["message"]["content"] == [{"type": "text", "text": gateway.answer}]
            assert final["message"]["role"] == "assistant"
            assert final["stopReason"] == "stop"
            assert final["usage"]["output"] == 5
            assert {payload["sessionKey"] for _, payload in seen} == {KEY}

    run_story(story)


def test_agent_and_chat_events_of_a_run_share_one_rising_number():
    async def story():
        async with open_server() as (server, _), open_client(server) as client:
            await client.ask("chat.send", SEND)
            seen = await chat_until_end(client)
            assert [payload["seq"] for event, payload in seen if event == "agent"] == [1, 2, 3, 4, 5, 6]
            assert [payload["seq"] for _, payload in seen] == sorted(payload["seq"] for _, payload in seen)

    run_story(story)


def test_an_old_client_sees_no_phases_and_no_text_deltas():
    async def story():
        async with open_server() as (server, _), open_client(server, minProtocol=3, maxProtocol=3) as client:
            await client.ask("chat.send", SEND)
            seen = await chat_until_end(client)
            chats = [payload for event, payload in seen if event == "chat"]
            assert {payload["state"] for payload in chats} == {"delta", "final"}
            assert not any("deltaText" in payload for payload in chats)

    run_story(story)


def test_a_fast_model_does_not_flood_a_client():
    async def story():
        async with open_server() as (server, gateway), open_client(server) as client:
            gateway.answer = "word " * 200
            gateway.chunks = 200
            gateway.chunk_pause_s = 0.002
            await client.ask("chat.send", SEND)
            seen = await chat_until_end(client)
            deltas = [payload for event, payload in seen if event == "chat" and payload["state"] == "delta"]
            assert 3 <= len(deltas) <= 12
            assert "".join(payload["deltaText"] for payload in deltas) == gateway.answer

    run_story(story)


def test_a_slow_answer_is_told_while_it_is_being_made():
    async def story():
        async with open_server(limits={"delta_interval_s": 0.02}) as (server, gateway), open_client(server) as client:
            gateway.hold()
            await client.ask("chat.send", SEND)
            whole = await client.event("chat", state="delta")
            while whole["message"]["content"][0]["text"] != gateway.answer:
                whole = await client.event("chat", state="delta")
            gateway.release()
            await client.event("chat", state="final")

    run_story(story)


def test_a_draft_of_silence_is_kept_back():
    async def story():
        async with open_server() as (server, gateway), open_client(server) as client:
            gateway.answer = "NO_REPLY"
            gateway.hold()
            await client.ask("chat.send", SEND)
            await client.ask("health")
            run = TurnId("run-1")
            server.hub.listen(
                RunEnded(
                    session_key=SessionKey(KEY),
                    session_id=SessionId("s"),
                    agent_id=AgentId("main"),
                    turn_id=run,
                    state="final",
                    at=Instant(2),
                    started_at=Instant(1),
                    silent=True,
                    also=(TurnId("run-0"),),
                )
            )
            seen = await chat_until_end(client)
            assert "chat delta" not in shape(seen)
            assert "message" not in seen[-1][1]
            merged = await client.event("chat", runId="run-0")
            assert (merged["state"], "message" in merged) == ("final", False)

    run_story(story)


def test_an_answer_that_only_begins_like_silence_is_told():
    async def story():
        async with open_server() as (server, gateway), open_client(server) as client:
            gateway.answer = "No, that is not so."
            gateway.chunks = 19
            await client.ask("chat.send", SEND)
            seen = await chat_until_end(client)
            assert seen[-1][1]["message"]["content"][0]["text"] == gateway.answer

    run_story(story)


def test_a_failed_run_ends_with_a_sentence():
    async def story():
        async with open_server() as (server, _), open_client(server) as client:
            server.hub.listen(
                RunEnded(
                    session_key=SessionKey(KEY),
                    session_id=SessionId("s"),
                    agent_id=AgentId("main"),
                    turn_id=TurnId("run-9"),
                    state="error",
                    at=Instant(2),
                    started_at=Instant(1),
                    error="The model refused the key.",
                )
            )
            agent = await client.event("agent", runId="run-9")
            assert agent["data"]["phase"] == "error"
            chat = await client.event("chat", runId="run-9")
            assert (chat["state"], chat["errorMessage"]) == ("error", "The model refused the key.")

    run_story(story)


def test_a_command_is_answered_like_a_turn():
    async def story():
        async with open_server() as (server, _), open_client(server) as client:
            server.hub.listen(
                CommandAnswered(
                    session_key=SessionKey(KEY),
                    agent_id=AgentId("main"),
                    turn_id=TurnId("c"),
                    text="A new session began.",
                    at=Instant(1),
                )
            )
            chat = await client.event("chat", runId="c")
            assert chat["state"] == "final"
            assert chat["message"]["content"][0]["text"] == "A new session began."

    run_story(story)


def test_the_same_key_again_gets_the_first_answer_and_runs_nothing():
    async def story():
        async with open_server() as (server, gateway), open_client(server) as client:
            gateway.hold()
            first = await client.ask("chat.send", SEND)
            again = await client.ask("chat.send", {**SEND, "message": "something else"})
            assert again == {**first, "status": "in_flight"}
            gateway.release()
            await client.event("chat", state="final")
            assert await client.ask("chat.send", SEND) == {**first, "status": "ok"}
            assert len(gateway.submissions) == 1

    run_story(story)


def test_requests_are_begun_in_the_order_in_which_they_arrive():
    async def story():
        async with open_server() as (server, gateway), open_client(server) as client:
            ids = [
                await client.post("chat.send", {**SEND, "message": f"m{n}", "idempotencyKey": f"k{n}"})
                for n in range(50)
            ]
            for request_id in ids:
                await client.response(request_id)
            assert [one.inbound.text for one in gateway.submissions] == [f"m{n}" for n in range(50)]

    run_story(story)


def test_what_is_submitted_says_who_and_how():
    async def story():
        async with open_server() as (server, gateway), open_client(server) as client:
            await client.ask(
                "chat.send", {**SEND, "thinking": "high", "deliver": True, "timeoutMs": 5000, "queueMode": "collect"}
            )
            (submission,) = gateway.submissions
            assert submission.session_key == KEY
            assert submission.run_id == "run-1"
            assert (submission.may_command, submission.is_owner) == (True, True)
            assert submission.inbound.channel == "webchat"
            assert submission.inbound.message_id == "run-1"
            options = submission.options
            assert (options.thinking, options.deliver, options.timeout_ms, options.queue_mode) == (
                "high",
                True,
                5000,
                "collect",
            )

    run_story(story)


def test_a_refused_message_says_why():
    async def story():
        async with open_server() as (server, gateway), open_client(server) as client:
            gateway.refuse = "send_policy"
            error = await client.refusal("chat.send", SEND)
            assert error["message"] == "send blocked by session policy"

    run_story(story)


def test_a_run_can_be_stopped():
    async def story():
        async with open_server() as (server, gateway), open_client(server) as client:
            gateway.hold()
            await client.ask("chat.send", SEND)
            await client.event("chat", state="delta")
            assert await client.ask("chat.abort", {"sessionKey": "main"}) == {
                "ok": True,
                "aborted": True,
                "runIds": ["run-1"],
            }
            ended = await client.event("chat", state="aborted")
            assert ended["message"]["content"][0]["text"]
            assert await client.ask("sessions.abort", {"runId": "nobody"}) == {
                "ok": True,
                "aborted": False,
                "runIds": [],
            }

    run_story(story)


def test_a_stop_that_is_repeated_with_its_key_stops_no_later_run():
    """GW-13: a client that did not hear the answer asks again, and means the run of then."""

    async def story():
        async with open_server() as (server, gateway), open_client(server) as client:
            for method, where in (("chat.abort", {"sessionKey": "main"}), ("sessions.abort", {"key": "main"})):
                stop = {**where, "idempotencyKey": "stop-1"}
                gateway.hold()
                await client.ask("chat.send", {**SEND, "idempotencyKey": f"{method} 1"})
                await client.event("chat", state="delta", runId=f"{method} 1")
                stopped = await client.ask(method, stop)
                assert stopped["runIds"] == [f"{method} 1"]
                gateway.hold()
                await client.ask("chat.send", {**SEND, "idempotencyKey": f"{method} 2"})
                await client.event("chat", state="delta", runId=f"{method} 2")
                assert await client.ask(method, stop) == stopped
                assert (await client.ask(method, {**stop, "idempotencyKey": "stop-2"}))["runIds"] == [f"{method} 2"]

    run_story(story)


def test_waiting_for_a_run_does_not_hold_up_other_requests():
    async def story():
        async with open_server() as (server, gateway), open_client(server) as client:
            gateway.hold()
            await client.ask("chat.send", SEND)
            wait = await client.post("agent.wait", {"runId": "run-1", "timeoutMs": 30_000})
            assert (await client.ask("health"))["ok"]
            gateway.release()
            answer = (await client.response(wait))["payload"]
            assert answer["status"] == "ok"
            assert answer["endedAt"] >= answer["startedAt"]

    run_story(story)


def test_waiting_has_an_end():
    async def story():
        async with open_server() as (server, gateway), open_client(server) as client:
            gateway.hold()
            await client.ask("chat.send", SEND)
            assert (await client.ask("agent.wait", {"runId": "run-1", "timeoutMs": 30}))["status"] == "timeout"
            assert (await client.ask("agent.wait", {"runId": "nobody", "timeoutMs": 30}))["status"] == "timeout"
            gateway.release()

    run_story(story)


def test_an_agent_takes_messages_in_its_main_session():
    async def story():
        async with open_server() as (server, gateway), open_client(server) as client:
            answer = await client.ask("agent", {"message": "go", "idempotencyKey": "a1", "timeout": 7})
            assert (answer["runId"], answer["status"], answer["sessionKey"]) == ("a1", "accepted", KEY)
            assert gateway.submissions[0].options.timeout_ms == 7000

    run_story(story)


def test_history_is_what_was_said_with_the_identity_of_each_message():
    async def story():
        async with open_server() as (server, _), open_client(server) as client:
            await client.ask("sessions.messages.subscribe", {"key": "main"})
            await client.ask("chat.send", SEND)
            await client.event("chat", state="final")
            history = await client.ask("chat.history", {"sessionKey": "main", "limit": 10})
            assert [message["role"] for message in history["messages"]] == ["user", "assistant"]
            assert history["messages"][0]["content"] == "ping"
            assert history["sessionKey"] == KEY
            assert (history["totalMessages"], history["hasMore"], history["thinkingLevel"]) == (2, False, "off")
            live = [await client.event("session.message"), await client.event("session.message")]
            for told, stored in zip(live, history["messages"], strict=True):
                assert told["messageId"] == stored["__openclaw"]["id"]
                assert told["messageSeq"] == stored["__openclaw"]["seq"]
            assert (await client.ask("sessions.get", {"key": KEY}))["messages"] == history["messages"]

    run_story(story)


def test_history_is_paged_and_bounded():
    async def story():
        async with open_server() as (server, gateway), open_client(server) as client:
            gateway.answer = "y" * 5000
            for number in range(3):
                run = {**SEND, "message": f"m{number}", "idempotencyKey": f"k{number}"}
                await client.ask("chat.send", run)
                await client.event("chat", runId=f"k{number}", state="final")
            newest = await client.ask("chat.history", {"sessionKey": "main", "limit": 2})
            assert [len(newest["messages"]), newest["hasMore"]] == [2, True]
            older = await client.ask("chat.history", {"sessionKey": "main", "limit": 2, "offset": 2})
            assert older["messages"][0]["content"] == "m1"
            small = await client.ask("chat.history", {"sessionKey": "main", "maxBytes": 6000})
            assert [message["role"] for message in small["messages"]] == ["user", "assistant"]
            assert small["hasMore"]
            tiny = await client.ask("chat.history", {"sessionKey": "main", "maxBytes": 1})
            assert [message["role"] for message in tiny["messages"]] == ["assistant"]
            cut = await client.ask("chat.history", {"sessionKey": "main", "maxChars": 10})
            assert cut["messages"][-1]["content"][0]["text"] == "y" * 10 + "\n…(truncated)…"

    run_story(story)


def test_a_history_never_weighs_more_than_6_mib():
    async def story():
        async with open_server() as (server, gateway), open_client(server) as client:
            gateway.answer = "z" * 900_000
            for number in range(8):
                await client.ask("chat.send", {**SEND, "idempotencyKey": f"k{number}"})
                await client.event("chat", runId=f"k{number}", state="final")
            history = await client.ask("chat.history", {"sessionKey": "main"})
            assert len(history["messages"]) < 16
            assert history["hasMore"]

    run_story(story)


def test_a_session_that_does_not_exist_has_an_empty_history():
    async def story():
        async with open_server() as (server, _), open_client(server) as client:
            history = await client.ask("chat.history", {"sessionKey": "agent:main:nobody"})
            assert history["messages"] == []
            assert "sessionId" not in history

    run_story(story)


def test_a_chat_page_gets_everything_at_once():
    async def story():
        async with open_server() as (server, _), open_client(server) as client:
            startup = await client.ask(
                "chat.startup", {"sessionKey": "agent:main:main", "limit": 80, "maxBytes": 262144}
            )
            assert startup["metadata"]["models"][0]["available"] is True
            assert startup["metadata"]["agents"]["defaultId"] == "main"
            assert startup["messages"] == []
            assert (await client.ask("chat.metadata"))["commands"][0]["name"] == "new"

    run_story(story)


def test_a_client_that_comes_back_sees_the_whole_conversation():
    async def story():
        async with open_server() as (server, gateway):
            gateway.hold()
            async with open_client(server) as client:
                await client.ask("chat.send", SEND)
            gateway.release()
            async with open_client(server) as client:
                assert (await client.ask("agent.wait", {"runId": "run-1", "timeoutMs": 30_000}))["status"] == "ok"
                history = await client.ask("chat.history", {"sessionKey": "main"})
                assert len(history["messages"]) == 2

    run_story(story)


def test_events_are_numbered_without_gaps_on_each_connection():
    async def story():
        async with open_server() as (server, _), open_client(server) as one, open_client(server) as other:
            await one.ask("sessions.subscribe")
            await one.ask("chat.send", SEND)
            for client in (one, other):
                await client.event("chat", state="final")
                await client.ask("health")
            frames = [frame for frame in one.events if frame["type"] == "event"]
            numbers = sorted(frame["seq"] for frame in frames)
            # Two were taken out above: the final event, and nothing else.
            missing = set(range(1, max(numbers) + 1)) - set(numbers)
            assert len(missing) <= 1
            assert min(frame["seq"] for frame in other.events) == 1

    run_story(story)


@pytest.mark.parametrize("caps", [[], ["tool-events"]])
def test_tool_calls_are_told_to_those_who_want_them(caps):
    from instar.core.model.event import ToolEnded, ToolStarted

    async def story():
        async with open_server() as (server, _), open_client(server, caps=caps) as client:
            names = {
                "session_key": SessionKey(KEY),
                "agent_id": AgentId("main"),
                "turn_id": TurnId("t"),
                "call_id": "c1",
                "name": "session_status",
            }
            server.hub.listen(ToolStarted(**names, at=Instant(1)))
            server.hub.listen(ToolEnded(**names, is_error=False, at=Instant(2)))
            await client.ask("health")
            tools = [frame["payload"]["data"]["phase"] for frame in client.events if frame["event"] == "agent"]
            assert tools == (["start", "result"] if caps else [])

    run_story(story)


def test_a_client_without_the_scope_to_read_hears_no_words():
    async def story():
        async with (
            open_server() as (server, _),
            open_client(server) as writer,
            open_client(server, scopes=["operator.pairing"]) as deaf,
        ):
            await writer.ask("chat.send", SEND)
            await writer.event("chat", state="final")
            await deaf.call("health")
            assert deaf.events == []

    run_story(story)


def test_a_message_may_say_which_session_its_client_was_showing():
    async def story():
        async with open_server() as (server, gateway), open_client(server) as client:
            for run_id, shown in (("run-1", "s-shown"), ("run-2", None), ("run-3", "")):
                await client.ask("chat.send", {**SEND, "idempotencyKey": run_id, "sessionId": shown})
            await client.ask("chat.send", {**SEND, "idempotencyKey": "run-4"})
            assert [one.shown_session_id for one in gateway.submissions] == ["s-shown", None, None, None]

    run_story(story)
