"""Every chat command by the standing of its sender, on a channel and from a client (CMD-4, CMD-33, CMD-35, LEAK-5).

`COMMANDS` states the rule apart from the code: whom each command obeys. Four people give each command in a group: a
stranger, somebody who is admitted there, somebody who is authorised for commands, and an owner; and so do clients with
a token of a person: in what is theirs, in a group they are in, and with the admin's scope.
"""

from __future__ import annotations

import pytest

from instar.core.policy.command_help import COMMAND_HELP
from instar.testing.gateway import GatewayInMemory
from tests.builders.stories import build_config, read_inbox, sent_texts, story
from tests.builders.town import PEOPLE, open_town
from tests.builders.wire import run_story

COMMANDS: dict[str, tuple[tuple[str, str], ...]] = {
    "new": (("/new", "authorised"),),
    "reset": (("/reset", "authorised"), ("/reset soft", "authorised")),
    "status": (("/status", "authorised"),),
    "context": (("/context list", "authorised"),),
    "compact": (("/compact", "authorised"),),
    "model": (("/model", "authorised"),),
    "think": (("/think high", "authorised"),),
    "verbose": (("/verbose on", "authorised"),),
    "reasoning": (("/reasoning on", "authorised"),),
    "elevated": (("/elevated off", "authorised"), ("/elevated on", "owner"), ("/elevated full", "owner")),
    "usage": (("/usage full", "authorised"),),
    "queue": (("/queue collect", "authorised"),),
    "send": (("/send off", "owner"),),
    "activation": (("/activation always", "owner"),),
    "stop": (("/stop", "authorised"), ("stop", "authorised")),
    "dock-<channel>": (("/dock-slack", "authorised"),),
    "name": (("/name Lunch", "authorised"),),
    "export": (("/export", "owner"), ("/export-session", "owner")),
    "pairing": (("/pairing list", "owner"),),
    "resume": (("/resume", "authorised"),),
    "pin": (("/pin", "authorised"),),
    "why": (("/why", "authorised"),),
    "whoami": (("/whoami", "authorised"),),
    "help": (("/help", "authorised"),),
    "commands": (("/commands", "authorised"),),
}
"""Every command of `/commands` with what is said and whom it obeys. A command without a row fails."""

RESETS = {"/new", "/reset", "/reset soft"}
PLAIN_WORDS = {*RESETS, "stop"}
"""What is ordinary text from somebody who may not say it (CMD-4, CMD-27)."""

SENDERS = {"stranger": "sid", "admitted": "eve", "authorised": "ann", "owner": "oz"}
RANK = {"stranger": 0, "admitted": 1, "authorised": 2, "owner": 3}
CASES = [pytest.param(text, needs, id=text) for rows in COMMANDS.values() for text, needs in rows]


def test_every_command_has_a_row():
    assert {one.name for one in COMMAND_HELP} == COMMANDS.keys()


def build_world():
    config = build_config(channels=("telegram", "slack"))
    config["channels"]["telegram"] |= {
        "groupPolicy": "allowlist",
        "groupAllowFrom": ["g-admitted", "g-authorised", "g-owner"],
        "allowFrom": ["ann"],
    }
    config["commands"] = {"ownerAllowFrom": ["oz"]}
    return GatewayInMemory(config)


def expect(text, needs, standing):
    """How the message ends, and whether its session starts over or its sender hears something."""
    if standing == "stranger":
        return "refused"
    if RANK[standing] >= RANK[needs]:
        return "answered" if text in RESETS else "command"
    return "answered" if text in PLAIN_WORDS else "refused"


@pytest.mark.parametrize(("text", "needs"), CASES)
@story
async def test_a_command_obeys_whom_the_rule_names(text, needs):
    async with build_world() as world:
        channel = world.channel("telegram")
        for standing, sender in SENDERS.items():
            group = f"g-{standing}"
            key = f"agent:main:telegram:group:{group}"
            where = {"sender": sender, "chat_type": "group", "chat_id": group, "mentioned": True}
            await channel.post("hello", **where)
            await world.settle()
            before, sent = await world.store.load_session(key), len(sent_texts(world, to=group))
            await channel.post(text, **where)
            await world.settle()
            after, told = await world.store.load_session(key), sent_texts(world, to=group)[sent:]
            state = (await read_inbox(world, key))[-1][1] if await read_inbox(world, key) else "refused"
            expected = expect(text, needs, standing)
            assert state == expected, (text, standing, state)
            assert bool(told) is (expected != "refused"), (text, standing, told)
            if before is not None and text in {"/new", "/reset"}:
                assert (before.session_id != after.session_id) is (RANK[standing] >= RANK[needs]), (text, standing)
            if before is not None and expected == "refused":
                assert before.overrides == after.overrides, (text, standing)


@pytest.mark.parametrize(("text", "needs"), CASES)
def test_a_command_from_a_client_obeys_as_on_a_channel(text, needs):
    """What is theirs, they are authorised in; in a group nobody is by being in it; the admin's scope makes an owner."""

    async def play():
        async with (
            open_town(PEOPLE) as town,
            town.client("alice") as alice,
            town.client("alice", "admin") as admin,
        ):
            await town.post("hello", sender="ann")
            await town.post("hello", sender="ann", group="club")
            club = "agent:main:telegram:group:club"
            own = alice.hello["snapshot"]["sessionDefaults"]["mainSessionKey"]
            for number, (client, key, standing) in enumerate(
                ((alice, own, "authorised"), (alice, club, "admitted"), (admin, own, "owner"))
            ):
                wish = {"sessionKey": key, "message": text, "idempotencyKey": f"c{number}"}
                await client.ask("chat.send", wish)
                await town.world.settle()
                ends = {line[0]: line[1] for line in await read_inbox(town.world, key)}
                expected = expect(text, needs, standing)
                assert ends[text] == expected, (text, standing, ends[text])

    run_story(play)
