"""What-if, on what a gateway has on record: over the wire and at the command line (WHY-4)."""

from __future__ import annotations

import json
from dataclasses import replace

from instar.cli.main import run
from instar.config.config import parse_config
from instar.core.explain.traffic import format_record
from instar.core.model.change import SessionChange
from instar.core.model.ids import Instant
from instar.testing.gateway import NOWHERE, GatewayInMemory
from tests.builders.stories import build_config, story
from tests.builders.traffic import DAY, HOUR, record
from tests.builders.wire import open_client, run_story
from tests.flow.test_bridge_with_gateway import open_bridge


def test_recorded_messages_tell_what_another_scope_would_change(tmp_path):
    async def story():
        async with (
            open_bridge(tmp_path) as bridge,
            open_client(bridge.app.server, auth={"token": bridge.app.token}) as client,
        ):
            for number, (sender, text) in enumerate([("ann", "one"), ("bob", "two"), ("ann", "/new three")]):
                await bridge.post(sender, text, message_id=str(number))
                await bridge.replies(1)
            await client.ask("chat.send", {"sessionKey": "main", "message": "four", "idempotencyKey": "r"})
            await client.event("chat", runId="r", state="final")
            before = (await client.ask("sessions.list"))["sessions"]
            patch = '{session: {dmScope: "per-peer"}}'
            report = await client.ask("sessions.simulate", {"patch": patch})
            assert report["messages"] == 4
            (split,) = report["splits"]
            assert split["key"] == "agent:main:main"
            assert "agent:main:direct:ann" in split["into"]
            assert report["before"]["beginnings"] == {"command": 1, "first": 1}
            assert report["text"][0].startswith("4 messages: 1 session would be 3.")
            same = await client.ask("sessions.simulate", {"raw": (tmp_path / "instar.json5").read_text()})
            assert same["changesNothing"]
            assert (await client.ask("sessions.simulate", {"patch": patch, "sinceMs": 1}))["messages"] <= 1
            assert (await client.ask("sessions.list"))["sessions"] == before

            traffic = [format_record(record(0, "ann")), format_record(record(HOUR, "bob"))]
            told = await client.ask("sessions.simulate", {"patch": patch, "traffic": traffic})
            assert (told["messages"], len(told["splits"])) == (2, 1)
            for wrong, why in (
                ({}, "exactly one of"),
                ({"raw": "{"}, "invalid config"),
                ({"patch": "{session: {dmScope: 5}}"}, "session.dmScope"),
                ({"patch": "{}", "traffic": [{"at": 1}]}, "/traffic/0: channel"),
            ):
                assert why in (await client.refusal("sessions.simulate", wrong))["message"]

    run_story(story)


def call(capsys, *args):
    code = run([str(arg) for arg in args])
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def test_recorded_traffic_in_a_file_needs_no_gateway(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("INSTAR_STATE_DIR", str(tmp_path))
    open_to_all = {"channels": {"telegram": {"type": "bridge", "token": "t", "dmPolicy": "open"}}}
    (tmp_path / "instar.json5").write_text(json.dumps({"session": {"dmScope": "per-peer"}, **open_to_all}))
    proposed = tmp_path / "new.json5"
    proposed.write_text(json.dumps({"session": {"dmScope": "main", "reset": {"idleMinutes": 120}}, **open_to_all}))
    traffic = tmp_path / "traffic.jsonl"
    records = [record(0, "ann"), record(HOUR, "bob"), record(4 * HOUR, "ann"), record(2 * DAY, "bob")]
    traffic.write_text("\n".join(json.dumps(format_record(one)) for one in records) + "\n\n")

    code, out, err = call(capsys, "simulate", "--config", proposed, "--traffic", traffic)
    assert (code, err) == (0, "")
    assert out.splitlines()[0] == "4 messages: 2 sessions would be 1."
    assert "agent:main:main would hold those of telegram:ann, telegram:bob." in out
    code, out, err = call(capsys, "simulate", "--config", proposed, "--traffic", traffic, "--json")
    assert json.loads(out)["merges"][0]["mixesPeople"] is True

    for line, why in (("{", "is no JSON"), ("[]", "record is missing"), ('{"at": 1, "channel": "x"}', "chatType")):
        traffic.write_text(line)
        code, out, err = call(capsys, "simulate", "--config", proposed, "--traffic", traffic)
        assert code == 1
        assert why in err
    code, out, err = call(capsys, "simulate", "--config", proposed, "--since", "soon")
    assert code == 1
    assert "--since soon is no time" in err


@story
async def test_docks_and_sessions_of_a_providers_own_program_are_on_record():
    """WHY-4 with DOCK-7 and RESET-27: the rows of the gateway tell both."""
    links = {"ann": ["telegram:ann", "discord:77"]}
    deny = {"rules": [{"action": "deny", "match": {"channel": "discord"}}]}
    config = build_config(session={"identityLinks": links}, channels=("telegram", "discord"))
    async with GatewayInMemory(config) as world:

        async def say(text, sender="ann"):
            await world.channel("telegram").post(text, sender=sender)
            await world.settle()

        async def foresee(**session):
            proposed = parse_config(
                {**config, "session": {**config["session"], **session}}, env={}, state_dir=NOWHERE, home=NOWHERE
            )
            return await world.gateway.upkeep.simulate(proposed, since=Instant(0), traffic=None)

        for text in ("one", "/dock-discord", "two"):
            await say(text)
        await say("hi", sender="bob")
        bob = await world.store.load_session("agent:main:telegram:direct:bob")
        change = SessionChange(session=replace(bob, extra={"cliSessionIds": {"claude": "x"}}))
        await world.store.change("test", bob.key, now=world.clock.now(), fence=None, decide=lambda _: change)
        world.clock.jump(Instant(world.clock.now() + 2 * DAY))
        await say("again", sender="bob")

        silenced = await foresee(sendPolicy=deny)
        assert [(one.key, one.messages, one.reason) for one in silenced.silences] == [
            ("agent:main:direct:ann", 1, "send_denied")
        ]
        assert silenced.before.beginnings == {"first": 2}
        cut = await foresee(reset={"mode": "daily"})
        assert [(one.key, one.before, one.after) for one in cut.resets] == [(bob.key, 0, 1)]
