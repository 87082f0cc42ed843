"""The send policy is asked about the place where words go, by whoever asks (SEND-4, SEND-5, SEND-11, WHY-3, WHY-6)."""

from __future__ import annotations

from instar.core.explain.status import build_status_fields
from instar.core.model.change import TurnOptions
from instar.core.model.ids import AccountId, ChannelName, SessionKey
from instar.core.model.message import Chat, Inbound, Sender
from instar.testing.gateway import GatewayInMemory
from tests.builders.stories import ask, build_config, read_decisions, sent_texts, story

ANN = SessionKey("agent:main:direct:ann")
MAIN = SessionKey("agent:main:main")


def denying(**match):
    """Two channels on which one person is known, and a rule against one place."""
    session = {
        "identityLinks": {"ann": ["telegram:AnnT", "discord:AnnD"]},
        "sendPolicy": {"rules": [{"action": "deny", "match": match}]},
    }
    return build_config(session=session, channels=("telegram", "discord"))


async def say(world, text, *, channel="telegram", sender="AnnT", **more):
    await world.channel(channel).post(text, sender=sender, **more)
    await world.settle()


async def foresee(world, *, channel="telegram", sender="AnnT", chat_type="direct", chat_id=""):
    """What the send policy would say to a message that nobody has written."""
    inbound = Inbound(
        channel=ChannelName(channel),
        account_id=AccountId("default"),
        message_id="asked",
        chat=Chat(type=chat_type, id=chat_id),
        sender=Sender(id=sender),
        text="hello",
        mentioned=True,
    )
    found = await world.gateway.upkeep.foresee(inbound)
    return next(told.recorded.decision.outcome for told in found.decisions if told.recorded.decision.kind == "send")


async def told_of(world, key):
    return build_status_fields(await world.gateway.status_facts(key))["settings"]["sendPolicy"]["value"]


@story
async def test_a_channel_that_may_not_be_sent_to_hears_nothing_by_a_dock():
    async with GatewayInMemory(denying(channel="discord")) as world:
        await say(world, "one")
        await say(world, "/dock-discord")
        assert await foresee(world) == "deny"
        assert await told_of(world, ANN) == "deny"
        await say(world, "two")
        assert sent_texts(world, "discord") == []
        rows = await world.store.load_deliveries(session_key=ANN, state="suppressed")
        assert [(row.outbound.target.channel, row.reason) for row in rows] == [("discord", "send_denied")]
        last = (await read_decisions(world, ANN, kind="send"))[-1].decision
        assert (last.outcome, last.rule) == ("deny", "SEND-3")


@story
async def test_a_dock_away_from_a_channel_that_may_not_be_sent_to_is_heard():
    async with GatewayInMemory(denying(channel="telegram")) as world:
        await say(world, "one")
        assert await told_of(world, ANN) == "deny"
        await say(world, "/dock-discord")
        assert (await foresee(world), await told_of(world, ANN)) == ("allow", "allow")
        await say(world, "two")
        assert sent_texts(world, "discord") == ["You said: two"]


@story
async def test_what_a_client_wants_delivered_to_a_docked_place_is_refused_there():
    async with GatewayInMemory(denying(channel="discord")) as world:
        await say(world, "one")
        await say(world, "/dock-discord")
        told = await ask(world, "two", key=ANN, options=TurnOptions(deliver=True))
        assert (told.status, told.reason) == ("refused", "send_denied")


@story
async def test_a_session_of_two_channels_is_judged_by_the_message_that_asks():
    async with GatewayInMemory(denying(channel="discord")) as world:
        await say(world, "one")
        assert (await foresee(world, channel="discord", sender="AnnD"), await foresee(world)) == ("deny", "allow")
        await say(world, "two", channel="discord", sender="AnnD")
        assert sent_texts(world, "discord") == []
        assert (await foresee(world, channel="discord", sender="AnnD"), await foresee(world)) == ("deny", "allow")
        await say(world, "/status", channel="discord", sender="AnnD")
        assert "Send policy: deny" in sent_texts(world, "discord")[-1]
        await say(world, "/status")
        assert "Send policy" not in sent_texts(world)[-1]


@story
async def test_the_type_of_the_chat_counts_in_each_of_the_three():
    config = denying(channel="telegram", chatType="direct")
    config["session"]["dmScope"] = "main"
    del config["session"]["identityLinks"]
    async with GatewayInMemory(config) as world:
        assert await foresee(world) == "deny"
        await say(world, "one")
        assert (await foresee(world), await told_of(world, MAIN)) == ("deny", "deny")
        group = {"chat_type": "group", "chat_id": "club"}
        assert await foresee(world, **group) == "allow"
        await say(world, "hello", mentioned=True, **group)
        assert await told_of(world, SessionKey("agent:main:telegram:group:club")) == "allow"
        assert (sent_texts(world, to="AnnT"), len(sent_texts(world, to="club"))) == ([], 1)
