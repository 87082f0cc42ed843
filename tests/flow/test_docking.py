"""`/dock-<channel>`: a session that is answered in another place (CMD-29, DOCK-1…8)."""

from __future__ import annotations

import pytest

from instar.core.model.change import TurnOptions
from instar.core.model.ids import SessionKey
from instar.testing.gateway import GatewayInMemory
from tests.builders.stories import ask, build_config, read_decisions, read_lines, sent_texts, story

ANN = SessionKey("agent:main:direct:ann")
LINKS = {"ann": ["telegram:AnnT", "discord:AnnD"], "cid": ["telegram:cid", "signal:+49151"]}


def linked(channels=("telegram", "discord")):
    return build_config(session={"identityLinks": LINKS}, channels=channels)


async def say(world, text, *, channel="telegram", sender="AnnT", **more):
    await world.channel(channel).post(text, sender=sender, **more)
    await world.settle()


@story
async def test_a_docked_session_is_answered_on_the_other_channel_until_it_is_docked_back():
    async with GatewayInMemory(linked()) as world:
        await say(world, "one")
        before = await world.store.load_session(ANN)
        await say(world, "/dock-discord")
        assert sent_texts(world, "telegram")[-1].startswith("From now on this session is answered on discord.")
        after = await world.store.load_session(ANN)
        assert (after.session_id, after.overrides) == (before.session_id, before.overrides)
        assert (after.delivery.channel, after.delivery.to, after.delivery.account_id) == ("discord", "AnnD", "default")

        await say(world, "two")
        assert sent_texts(world, "discord", to="AnnD") == ["You said: two"]
        await say(world, "three", channel="discord", sender="AnnD")
        await say(world, "four")
        assert sent_texts(world, "discord") == ["You said: two", "You said: three", "You said: four"]

        await say(world, "/dock_telegram")
        assert sent_texts(world, "telegram")[-1] == "This session is answered here again."
        await say(world, "five")
        assert sent_texts(world, "telegram", to="AnnT")[-1] == "You said: five"
        assert len(await read_lines(world, ANN)) == 10
        outcomes = [row.decision.outcome for row in await read_decisions(world, ANN, kind="command")]
        assert outcomes == ["docked", "run", "undocked", "run"]


@story
async def test_a_dock_outlives_a_reset_and_a_restart():
    async with GatewayInMemory(linked()) as world:
        await say(world, "one")
        await say(world, "/dock-discord")
        await world.restart(kill=True)
        await say(world, "/new two")
        assert sent_texts(world, "discord") == ["You said: two"]


@story
async def test_what_a_client_sends_for_delivery_goes_to_the_docked_place_too():
    async with GatewayInMemory(linked()) as world:
        await say(world, "one")
        await say(world, "/dock-discord")
        await ask(world, "two", key=ANN, options=TurnOptions(deliver=True))
        await world.settle()
        assert sent_texts(world, "discord") == ["You said: two"]


@pytest.mark.parametrize(
    ("sender", "text", "told"),
    [
        ("stranger", "/dock-discord", "You have no place on discord that is known here."),
        ("cid", "/dock-discord", "You have no place on discord that is known here."),
        ("cid", "/dock-signal", "signal is not connected to this gateway"),
        ("AnnT", "/dock-telegram", "This session is already answered on telegram."),
    ],
)
def test_each_reason_against_it_has_its_own_sentence(sender, text, told):
    @story
    async def play():
        async with GatewayInMemory(linked()) as world:
            # A channel that was configured after the start: it is known, and does not run.
            world.configure(linked(("telegram", "discord", "signal")))
            await say(world, "hello", sender=sender)
            await say(world, text, sender=sender)
            assert sent_texts(world, "telegram")[-1].startswith(told)
            await say(world, "more", sender=sender)
            assert sent_texts(world, "telegram")[-1] == "You said: more"

    play()


@story
async def test_there_must_be_a_session_a_direct_chat_and_a_sender_with_a_name():
    async with GatewayInMemory(linked()) as world:
        await say(world, "/dock-discord")
        assert sent_texts(world)[-1].startswith("There is no session here yet.")
        await say(world, "hello")
        config = linked()
        config["commands"] = {"allowFrom": ["AnnT"]}
        world.configure(config)
        await say(world, "/dock-discord", chat_type="group", chat_id="g1", mentioned=True)
        assert sent_texts(world)[-1].startswith("Only a direct chat can be docked")


@story
async def test_the_command_is_a_message_by_a_person_and_has_its_reason_on_record():
    async with GatewayInMemory(linked()) as world:
        await say(world, "one")
        world.clock.advance(60)
        await say(world, "/dock-discord")
        session = await world.store.load_session(ANN)
        assert session.lifecycle.last_interaction_at == world.clock.now()
        await say(world, "/why")
        assert "discord" in sent_texts(world)[-1]


def shared(**session):
    """One session for everybody, in which ann has docked."""
    return build_config(
        session={"dmScope": "main", "identityLinks": LINKS, **session}, channels=("telegram", "discord")
    )


@story
async def test_a_dock_of_a_shared_session_leads_away_nobody_elses_answers():
    async with GatewayInMemory(shared()) as world:
        await say(world, "one")
        await say(world, "/dock-discord")
        await say(world, "bob's secret", sender="bob")
        assert sent_texts(world, "telegram", to="bob") == ["You said: bob's secret"]
        assert sent_texts(world, "discord") == []
        await say(world, "from there", channel="discord", sender="anND")
        await say(world, "two")
        assert sent_texts(world, "discord", to="AnnD") == ["You said: from there", "You said: two"]
        rows = await read_decisions(world, "agent:main:main", kind="deliver")
        sources = [row.decision.inputs["source"] for row in rows if "source" in row.decision.inputs]
        assert sources == ["others_dock", "docked", "docked"]


@story
async def test_a_dock_of_a_shared_session_leads_no_answer_out_of_a_group():
    async with GatewayInMemory(shared(groupScope="main")) as world:
        await say(world, "one")
        await say(world, "/dock-discord")
        await say(world, "for all", chat_type="group", chat_id="club", mentioned=True)
        assert sent_texts(world, "telegram", to="club")[0].endswith("for all")
        assert sent_texts(world, "discord") == []


@story
async def test_a_dock_ends_with_the_link_that_allowed_it():
    async with GatewayInMemory(shared()) as world:
        await say(world, "one")
        await say(world, "/dock-discord")
        world.configure(build_config(session={"dmScope": "main"}, channels=("telegram", "discord")))
        await say(world, "two")
        assert sent_texts(world, "telegram", to="AnnT")[-1] == "You said: two"
        assert sent_texts(world, "discord") == []
