"""`/status` and `sessions.status` tell each setting that holds, and where it came from (WHY-6, WHY-7)."""

from __future__ import annotations

import pytest

from instar.core.explain.status import build_status_fields, build_status_lines
from instar.core.model.ids import SessionKey
from instar.testing.gateway import GatewayInMemory
from tests.builders.stories import DIRECT, build_config, sent_texts, story

CLUB = SessionKey("agent:main:telegram:group:club")


async def held(world, key):
    return build_status_fields(await world.gateway.status_facts(SessionKey(key)))["settings"]


def build_world(**root):
    return GatewayInMemory(build_config(**root))


@story
async def test_what_nobody_set_is_a_default():
    async with build_world(messages={}) as world:
        await world.channel("telegram").post("hello", sender="ann", name="Ann")
        await world.settle()
        told = await held(world, DIRECT)
        assert {name: one["source"] for name, one in told.items()} == dict.fromkeys(
            (
                "thinkingLevel",
                "verboseLevel",
                "reasoningLevel",
                "elevatedLevel",
                "responseUsage",
                "model",
                "queueMode",
                "queueDebounceMs",
                "queueCap",
                "queueDrop",
                "groupActivation",
                "sendPolicy",
                "sandboxMode",
                "reset",
            ),
            "default",
        )
        assert told["model"]["value"] == "test/scripted"
        assert told["reset"]["value"] == "daily at 04:00"


@pytest.mark.parametrize(
    ("root", "name", "value", "source"),
    [
        ({"messages": {"queue": {"mode": "collect", "debounceMs": 0}}}, "queueMode", "collect", "config"),
        ({"messages": {"queue": {"byChannel": {"telegram": "followup"}}}}, "queueMode", "followup", "channel"),
        (
            {"session": {"resetByType": {"direct": {"mode": "idle", "idleMinutes": 60}}}},
            "reset",
            "after 1 hour without a message",
            "type",
        ),
        ({"session": {"resetByChannel": {"telegram": {"mode": "none"}}}}, "reset", "never by itself", "channel"),
        ({"agents": {"defaults": {"sandbox": {"mode": "all"}}}}, "sandboxMode", True, "config"),
        ({"agents": {"list": [{"id": "main", "sandbox": {"mode": "all"}}]}}, "sandboxMode", True, "agent"),
        ({"agents": {"list": [{"id": "main", "model": "test/scripted"}]}}, "model", "test/scripted", "agent"),
        ({"agents": {"defaults": {"model": "test/scripted"}}}, "model", "test/scripted", "config"),
        ({"session": {"sendPolicy": {"default": "deny"}}}, "sendPolicy", "deny", "config"),
    ],
)
def test_each_layer_is_told_by_its_name(root, name, value, source):
    @story
    async def told():
        async with build_world(**root) as world:
            await world.channel("telegram").post("hello", sender="ann", name="Ann")
            await world.settle()
            assert (await held(world, DIRECT))[name] == {"value": value, "source": source}

    told()


@story
async def test_what_a_person_sets_comes_from_the_session_and_status_says_so():
    async with build_world() as world:
        channel = world.channel("telegram")
        await channel.post("hello", sender="ann", name="Ann")
        await world.settle()
        await world.gateway.sessions.patch(SessionKey(DIRECT), {"thinkingLevel": "high", "queueCap": 3}, who="ann")
        told = await held(world, DIRECT)
        assert told["thinkingLevel"] == {"value": "high", "source": "session"}
        assert told["queueCap"] == {"value": 3, "source": "session"}
        await channel.post("/status", sender="ann", name="Ann")
        await world.settle()
        text = sent_texts(world)[-1]
        assert "From the session: thinking high, queue cap 3" in text
        assert "Reset: daily at 04:00; next " in text
        # What is in the window, what was paid for and how much there is room for are three numbers.
        assert "Tokens billed: " in text
        assert "Context: " in text


@story
async def test_a_group_tells_what_wakes_the_agent_there():
    config = build_config()
    config["channels"]["telegram"]["groups"] = {"club": {"activation": "always"}}
    async with GatewayInMemory(config) as world:
        await world.channel("telegram").post("hi", sender="ann", name="Ann", chat_type="group", chat_id="club")
        await world.settle()
        assert (await held(world, CLUB))["groupActivation"] == {"value": "always", "source": "channel"}
        nobody = await world.gateway.status_facts(SessionKey("agent:main:telegram:group:empty"))
        assert "nobody has written here yet" in build_status_lines(nobody)
        assert build_status_fields(nobody)["settings"]["groupActivation"]["source"] == "default"
