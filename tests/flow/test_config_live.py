"""The configuration of a running gateway, changed over the wire and in its file (CFG-12, WHY-5, RPC-20, RPC-22)."""

from __future__ import annotations

import json

import pyjson5

from tests.builders.wire import open_client, run_story
from tests.flow.test_bridge_with_gateway import TOKEN, open_bridge, words_by_key


async def client_of(bridge):
    return open_client(bridge.app.server, auth={"token": bridge.app.token})


def test_a_setting_of_sessions_holds_for_the_next_message(tmp_path):
    async def story():
        async with open_bridge(tmp_path) as bridge, await client_of(bridge) as client:
            await bridge.post("ann", "one", message_id="1")
            await bridge.replies(1)
            got = await client.ask("config.get")
            changed = await client.ask(
                "config.set", {"path": "session.dmScope", "value": "per-peer", "baseHash": got["hash"]}
            )
            assert changed["config"]["session"]["dmScope"] == "per-peer"
            assert changed["waiting"] == []
            await bridge.post("ann", "two", message_id="2")
            await bridge.replies(1)
            assert await words_by_key(bridge) == {"agent:main:main": ["one"], "agent:main:direct:ann": ["two"]}
            written = pyjson5.decode((tmp_path / "instar.json5").read_text())
            assert written["session"] == {"dmScope": "per-peer"}

    run_story(story)


def test_the_file_may_be_edited_by_hand_and_a_bad_edit_is_told(tmp_path):
    async def story():
        path = tmp_path / "instar.json5"
        async with open_bridge(tmp_path) as bridge, await client_of(bridge) as client:
            good = path.read_text()
            path.write_text(good.replace("{", '{"session": {"dmScope": "per-peer"}, ', 1))
            while (await client.ask("config.get"))["config"].get("session") is None:
                pass
            path.write_text('{"session": {"dmScope": "anybody"}}')
            while (status := await client.ask("status"))["config"]["valid"]:
                pass
            assert "session.dmScope" in status["config"]["problem"]
            got = await client.ask("config.get")
            assert (got["valid"], got["config"]["session"]) == (False, {"dmScope": "per-peer"})
            assert "session.dmScope" in got["issues"][0]["message"]
            await bridge.post("ann", "one", message_id="1")
            await bridge.replies(1)
            assert list(await words_by_key(bridge)) == ["agent:main:direct:ann"]

    run_story(story)


def test_secrets_are_hidden_and_survive_coming_back_hidden(tmp_path):
    async def story():
        async with open_bridge(tmp_path) as bridge, await client_of(bridge) as client:
            got = await client.ask("config.get")
            assert TOKEN not in json.dumps(got)
            shown = got["config"]
            shown["session"] = {"dmScope": "per-peer"}
            await client.ask("config.set", {"raw": json.dumps(shown)})
            written = pyjson5.decode((tmp_path / "instar.json5").read_text())
            assert written["channels"]["telegram"]["token"] == TOKEN
            assert written["session"] == {"dmScope": "per-peer"}

    run_story(story)


def test_a_patch_merges_and_what_is_never_meant_is_refused(tmp_path):
    async def story():
        config = {"gateway": {}, "session": {"dmScope": "per-peer"}}
        async with open_bridge(tmp_path, **config) as bridge, await client_of(bridge) as client:
            patch = {"session": {"reset": {"mode": "none"}}, "messages": {"queue": {"mode": "collect"}}}
            changed = await client.ask("config.patch", {"raw": json.dumps(patch)})
            assert changed["config"]["session"] == {"dmScope": "per-peer", "reset": {"mode": "none"}}
            refusal = await client.refusal("config.patch", {"raw": '{session: {dmScope: "main"}}'})
            assert "dmPolicy" in refusal["message"]
            assert "per-channel-peer" in refusal["message"]
            for wrong in ({"raw": "{"}, {"raw": "[1]"}, {"raw": "{session: {reset: {mode: []}}}"}):
                assert (await client.refusal("config.patch", wrong))["code"] == "INVALID_REQUEST"
            await client.ask("config.set", {"path": "session.reset", "value": None})
            stale = {"path": "session.reset.atHour", "value": 5, "baseHash": changed["hash"]}
            assert "changed meanwhile" in (await client.refusal("config.set", stale))["message"]
            assert "exactly one of" in (await client.refusal("config.set", {}))["message"]
            assert (await client.ask("config.get"))["config"]["session"] == {"dmScope": "per-peer"}

    run_story(story)


def test_what_the_gateway_was_built_from_waits_for_the_next_start(tmp_path):
    async def story():
        async with open_bridge(tmp_path) as bridge, await client_of(bridge) as client:
            changed = await client.ask("config.set", {"path": "delivery.maxAttempts", "value": 2})
            assert changed["waiting"] == ["delivery"]
            assert (await client.ask("status"))["config"]["waiting"] == ["delivery"]

    run_story(story)


def test_the_schema_and_the_log_can_be_asked_for(tmp_path):
    async def story():
        async with open_bridge(tmp_path) as bridge, await client_of(bridge) as client:
            schema = await client.ask("config.schema")
            assert "session" in schema["schema"]["properties"]
            assert schema["uiHints"]["session.dmScope"]["help"]
            await client.ask("config.set", {"path": "session.dmScope", "value": "per-peer"})
            tail = await client.ask("logs.tail", {"limit": 50})
            events = [json.loads(line)["event"] for line in tail["lines"]]
            assert "config_written" in events
            later = await client.ask("logs.tail", {"cursor": tail["cursor"], "session": "main"})
            assert later["lines"] == []

    run_story(story)


LINK = {"path": "session.identityLinks", "value": {"bob": ["telegram:carol"]}}


def test_a_link_named_like_a_strangers_id_is_refused_while_it_would_be_the_strangers_session(tmp_path):
    async def story():
        async with (
            open_bridge(tmp_path, gateway={}, session={"dmScope": "per-peer"}) as bridge,
            await client_of(bridge) as client,
        ):
            await bridge.post("bob", "the stranger's", message_id="1")
            await bridge.replies(1)
            error = await client.refusal("config.set", LINK)
            assert "agent:main:direct:bob, which telegram:bob began" in error["message"]
            assert "instar sessions delete agent:main:direct:bob" in error["message"]
            assert "identityLinks" not in (tmp_path / "instar.json5").read_text()
            await client.ask("sessions.delete", {"key": "agent:main:direct:bob"})
            assert (await client.ask("config.set", LINK))["ok"]

    run_story(story)


def test_at_a_start_with_such_a_link_it_is_told_and_the_audit_finds_it(tmp_path, capsys):
    async def story():
        async with open_bridge(tmp_path, gateway={}, session={"dmScope": "per-peer"}) as bridge:
            await bridge.post("bob", "the stranger's", message_id="1")
            await bridge.replies(1)
        links = {"dmScope": "per-peer", "identityLinks": LINK["value"]}
        async with open_bridge(tmp_path, gateway={}, session=links) as bridge, await client_of(bridge) as client:
            answer = await bridge.post("carol", "hello", message_id="2")
            assert answer.json()["reason"] == "anothers_session"
            assert "identityLinks" in answer.json()["hint"]
            ((_, told),) = await bridge.replies(1)
            assert told.startswith("Your message was not taken in")
            audit = await client.ask("security.audit")
            assert "config.link-names-anothers-session" in {one["checkId"] for one in audit["findings"]}
            assert "Messages of" in str((await client.ask("config.get"))["warnings"])
        assert 'Messages of "bob" will be refused' in capsys.readouterr().err

    run_story(story)
