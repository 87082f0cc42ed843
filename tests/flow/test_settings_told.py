"""`/status` and `sessions.status` tell each setting that holds, and where it came from (WHY-6, WHY-7)."""

from __future__ import annotations

import pytest

from instar.core.explain.settings import build_setting_lines
from instar.core.explain.status import build_status_fields, build_status_lines
from instar.core.model.ids import SessionKey
from instar.ports.runner import ModelSpec
from instar.testing.gateway import GatewayInMemory
from instar.testing.runner import SCRIPTED_MODEL
from tests.builders.stories import DIRECT, build_config, sent_texts, story
from tests.builders.turns import build_item

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
                "contextPruning",
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


MAIN = SessionKey("agent:main:main")
CLAUDE = ModelSpec(provider="anthropic", id="claude", api="scripted", context_window=200_000, auth="oauth")


@pytest.mark.parametrize(
    ("defaults", "own", "model", "pruning", "heartbeat", "line"),
    [
        (
            {},
            {},
            SCRIPTED_MODEL,
            ("off", "default"),
            (1_800_000, "default"),
            "heartbeat every 30 minutes (none is run yet)",
        ),
        ({}, {}, CLAUDE, ("cache-ttl", "default"), (3_600_000, "default"), "heartbeat every 1 hour (none is run yet)"),
        (
            {"contextPruning": {"mode": "off"}, "heartbeat": {"every": 0}},
            {},
            CLAUDE,
            ("off", "config"),
            (0, "config"),
            ", pruning off, heartbeat off",
        ),
        (
            {"heartbeat": {"every": "2h"}},
            {"contextPruning": {"mode": "cache-ttl"}, "heartbeat": {"every": "10m"}},
            SCRIPTED_MODEL,
            ("cache-ttl", "agent"),
            (600_000, "agent"),
            "From the agent: pruning cache-ttl, heartbeat every 10 minutes (none is run yet)",
        ),
    ],
    ids=["nobody said anything", "a subscription of Anthropic's", "switched off for all", "an agent of its own mind"],
)
def test_what_follows_the_model_is_told_in_the_main_session(defaults, own, model, pruning, heartbeat, line):
    @story
    async def play():
        config = build_config(agents={"defaults": defaults, "list": [{"id": "main", **own}]})
        async with GatewayInMemory(config, model=model) as world:
            told = await held(world, MAIN)
            assert (told["contextPruning"]["value"], told["contextPruning"]["source"]) == pruning
            assert (told["heartbeatEveryMs"]["value"], told["heartbeatEveryMs"]["source"]) == heartbeat
            assert "heartbeatEveryMs" not in await held(world, DIRECT)
            facts = await world.gateway.status_facts(MAIN)
            assert line in "\n".join(build_setting_lines(facts.settings))

    play()


@story
async def test_a_command_tells_what_holds_now_in_peoples_words():
    async with build_world() as world:
        for text in ("/think", "/think high", "/reasoning off", "/usage tokens"):
            await world.channel("telegram").post(text, sender="ann")
            await world.settle()
        assert sent_texts(world) == [
            "Thinking: off (the default)",
            "Thinking: high",
            "Reasoning: off (the default)",
            "Usage line: tokens",
        ]


# --- levels that the configuration sets (RESOLVE-5) -------------------------------------------------------------------


def build_levels():
    config = build_config(
        agents={"defaults": {"thinkingDefault": "low", "verboseDefault": "on"}, "list": [{"id": "main"}]},
        messages={"responseUsage": "full"},
    )
    config["agents"]["list"][0]["thinkingDefault"] = "medium"
    config["channels"]["telegram"] |= {"thinkingDefault": "high", "responseUsageDefault": "tokens"}
    return GatewayInMemory(config)


@story
async def test_the_channel_goes_before_the_agent_and_the_agent_before_all_agents():
    async with build_levels() as world:
        channel = world.channel("telegram")
        await channel.post("hello", sender="ann", name="Ann")
        await world.settle()
        assert world.runner.requests[-1].thinking == "high"
        assert "tokens in" in sent_texts(world)[-1]
        told = await held(world, DIRECT)
        assert told["thinkingLevel"] == {"value": "high", "source": "channel"}
        assert told["verboseLevel"] == {"value": "on", "source": "config"}
        assert told["responseUsage"] == {"value": "tokens", "source": "channel"}
        other = await held(world, "agent:main:slack:direct:bob")
        assert other["thinkingLevel"] == {"value": "medium", "source": "agent"}
        assert other["responseUsage"] == {"value": "full", "source": "config"}


@story
async def test_a_session_and_a_message_go_before_what_is_configured_and_off_stays_off():
    async with build_levels() as world:
        channel = world.channel("telegram")
        await channel.post("/think", sender="ann", name="Ann")
        await channel.post("/think minimal", sender="ann", name="Ann")
        await channel.post("hello", sender="ann", name="Ann")
        await world.settle()
        assert "Thinking: high (from the channel)" in sent_texts(world)
        assert world.runner.requests[-1].thinking == "minimal"
        await channel.post("/think off and so on", sender="ann", name="Ann")
        await world.settle()
        assert world.runner.requests[-1].thinking == "off"
        await channel.post("/usage off", sender="ann", name="Ann")
        await channel.post("once more", sender="ann", name="Ann")
        await world.settle()
        assert "tokens in" not in sent_texts(world)[-1]
        assert (await held(world, DIRECT))["responseUsage"] == {"value": "off", "source": "session"}


@story
async def test_what_would_hold_for_a_message_is_explained():
    async with build_levels() as world:
        inbound = build_item(channel="telegram", sender="ann", chat_id="ann").submission.inbound
        told = await world.gateway.upkeep.foresee(inbound)
        sentences = [one.sentence for one in told.decisions]
        assert "Thinking is high, as the channel's configuration says. RESOLVE-5" in sentences
