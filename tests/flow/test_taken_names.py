"""A name that comes to mean somebody's session later opens it for nobody else (LEAK-4, LINK-6)."""

from __future__ import annotations

from instar.core.model.ids import SessionKey
from instar.testing.gateway import GatewayInMemory
from tests.builders.stories import build_config, read_decisions, read_inbox, read_lines, sent_texts, story
from tests.builders.town import open_town
from tests.builders.wire import run_story

ALICE = SessionKey("agent:main:direct:alice")
LINKED = {"alice": ["slack:U7", "telegram:ann"]}


def town(links=None, scope="per-peer"):
    return build_config(session={"dmScope": scope, "identityLinks": links or {}}, channels=("telegram", "slack"))


async def say(world, text, *, sender, channel="telegram", **more):
    await world.channel(channel).post(text, sender=sender, **more)
    await world.settle()


@story
async def test_a_link_named_like_a_strangers_id_does_not_open_the_strangers_session():
    async with GatewayInMemory(town()) as world:
        await say(world, "the stranger's secret", sender="alice")
        world.configure(town(LINKED))
        await say(world, "hello", sender="U7", channel="slack")
        assert await read_lines(world, ALICE) == [
            "user: the stranger's secret",
            "assistant: You said: the stranger's secret",
        ]
        (told,) = sent_texts(world, "slack")
        assert told.startswith("Your message was not taken in")
        assert "alice" not in told
        assert (await read_inbox(world, ALICE))[-1] == ("hello", "refused", "anothers_session")
        refused = (await read_decisions(world, ALICE, kind="access"))[-1].decision
        assert (refused.outcome, refused.rule, refused.inputs["reason"]) == ("refused", "LEAK-4", "anothers_session")
        await say(world, "in a thread", sender="U7", channel="slack", thread_id="5")
        assert sent_texts(world, "slack")[-1].startswith("You said")
        # The stranger goes on, in a session whose key says that it is not hers.
        await say(world, "more", sender="alice")
        assert await read_lines(world, "agent:main:direct:%~alice") == ["user: more", "assistant: You said: more"]


@story
async def test_a_link_that_goes_does_not_leave_the_session_to_whoever_has_that_id():
    async with GatewayInMemory(town(LINKED)) as world:
        await say(world, "alice's secret", sender="U7", channel="slack")
        world.configure(town())
        await say(world, "hello", sender="alice")
        assert await read_lines(world, ALICE) == ["user: alice's secret", "assistant: You said: alice's secret"]
        assert sent_texts(world, "telegram")[0].startswith("Your message was not taken in")


@story
async def test_whoever_is_linked_goes_on_in_a_session_that_was_theirs_before():
    async with GatewayInMemory(town()) as world:
        await say(world, "one", sender="alice")
        await say(world, "two", sender="alice", channel="slack")
        world.configure(town({"alice": ["telegram:alice", "slack:alice", "slack:U7"]}))
        await say(world, "three", sender="U7", channel="slack")
        assert len(await read_lines(world, ALICE)) == 6


@story
async def test_a_link_without_a_session_of_its_own_shuts_nobody_out():
    docking = {"alice": {"ids": ["telegram:7", "slack:U7"], "sharedSession": False}}
    async with GatewayInMemory(town(docking)) as world:
        await say(world, "one", sender="7")
        world.configure(town())
        await say(world, "two", sender="7")
        assert len(await read_lines(world, "agent:main:direct:7")) == 4


def test_the_linked_persons_token_does_not_open_it_either_and_the_strangers_does():
    async def story():
        async with open_town(town()) as here, here.client() as owner:
            await here.post("the stranger's secret", sender="alice")
            here.world.configure(town(LINKED))
            async with here.client("alice") as alice, here.client("telegram:alice") as stranger:
                for client, sees in ((alice, False), (stranger, True), (owner, True)):
                    listed = {row["key"] for row in (await client.ask("sessions.list"))["sessions"]}
                    assert (ALICE in listed) is sees
                    found = (await client.ask("sessions.search", {"query": "secret"}))["results"]
                    assert bool(found) is sees
                error = await alice.refusal("chat.history", {"sessionKey": ALICE})
                assert error["message"].startswith("There is no session")
                error = await alice.refusal("chat.send", {"sessionKey": "main", "message": "hi", "idempotencyKey": "1"})
                assert error["message"].startswith("There is no session")
                assert (await stranger.ask("sessions.get", {"key": ALICE}))["messages"]

    run_story(story)
