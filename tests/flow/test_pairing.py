"""A stranger is told a code, the owner answers it, and the story is told (LEAK-2, LOSS-2, LOSS-5)."""

from __future__ import annotations

import re

import pytest

from instar.core.model.change import Submission
from instar.core.model.event import CommandAnswered, PairingRequested, PairingResolved
from instar.core.model.ids import AccountId, ChannelName, Instant, SessionKey
from instar.core.model.message import Chat, Inbound, Sender
from instar.core.model.query import SessionQuery
from instar.core.policy.access import PAIRING_CODE_TTL_MS, PAIRING_MAX_WAITING, PAIRING_REPEAT_MS
from instar.errors import InvalidRequest, NotFound, Unavailable
from instar.testing.gateway import GatewayInMemory
from tests.builders.stories import (
    DIRECT,
    Listener,
    ask,
    build_config,
    read_decisions,
    read_inbox,
    read_lines,
    sent_texts,
    story,
)

OWN = "agent:main:telegram:default:direct:ann"


def build_world(*, channels=("telegram",), session=None, commands=None, **settings):
    config = build_config(channels=channels, session=session or {}, commands=commands or {})
    for bridge in config["channels"].values():
        for name in ("dmPolicy", "groupPolicy"):
            bridge.pop(name)
        bridge.update(settings)
    return GatewayInMemory(config)


def read_code(text):
    found = re.search(r"pairing code (?:is|of this group is) ([A-HJ-NP-Z2-9]{8})", text)
    assert found, text
    return found[1]


async def knock(world, *, sender="ann", channel="telegram", **more):
    """A stranger writes; the code they are told."""
    before = len(sent_texts(world, channel, to=sender))
    await world.channel(channel).post("let me in", sender=sender, **more)
    await world.settle()
    (sent,) = [text for text in sent_texts(world, channel, to=sender)[before:] if "code" in text]
    return read_code(sent)


@story
async def test_a_stranger_is_told_a_code_and_let_in_by_the_owner():
    async with build_world() as world:
        told = Listener(world)
        code = await knock(world, name="Ann")
        assert [text for text, _, _ in await read_inbox(world)] == ["let me in"]
        assert world.runner.requests == []
        (waiting,) = (await world.gateway.pairing.load()).waiting
        assert (waiting.code, waiting.name, waiting.peer.peer_id) == (code, "Ann", "ann")
        assert [one.code for one in told.events if isinstance(one, PairingRequested)] == [waiting]

        admission = await world.gateway.pairing.approve(code.lower(), who="operator")
        await world.settle()
        assert (admission.told, admission.warnings) == (True, ())
        assert sent_texts(world, to="ann")[-1] == "You were let in. Write again, and I will answer."
        assert [one.decision for one in told.events if isinstance(one, PairingResolved)] == ["approved"]

        await world.channel("telegram").post("hello", sender="ann")
        await world.settle()
        assert sent_texts(world, to="ann")[-1] == "You said: hello"
        assert await read_lines(world) == ["user: hello", "assistant: You said: hello"]


@story
async def test_an_approval_survives_a_crash_and_a_code_too():
    async with build_world() as world:
        code = await knock(world)
        await world.restart(kill=True)
        await world.gateway.pairing.approve(code, who="operator")
        await world.restart(kill=True)
        await world.channel("telegram").post("hello", sender="ann")
        await world.settle()
        assert sent_texts(world, to="ann")[-2:] == [
            "You were let in. Write again, and I will answer.",
            "You said: hello",
        ]


@story
async def test_whoever_goes_on_writing_is_told_the_same_code_rarely_and_another_one_after_its_hour():
    async with build_world() as world:
        code = await knock(world)
        for _ in range(3):
            await world.channel("telegram").post("hello?", sender="ann")
        await world.settle()
        assert len(sent_texts(world)) == 1
        await world.run_for(PAIRING_REPEAT_MS / 1000)
        assert await knock(world) == code
        await world.run_for(PAIRING_CODE_TTL_MS / 1000)
        assert await knock(world) != code
        with pytest.raises(NotFound, match="No such pairing code waits"):
            await world.gateway.pairing.approve(code, who="operator")


@story
async def test_at_most_three_codes_wait_and_the_fourth_stranger_hears_nothing():
    async with build_world() as world:
        for number in range(PAIRING_MAX_WAITING):
            await knock(world, sender=f"s{number}")
        refused = await world.channel("telegram").post("me too", sender="late")
        await world.settle()
        assert (refused.status, refused.reason) == ("refused", "not_paired")
        assert sent_texts(world, to="late") == []
        (row,) = await read_decisions(world, "agent:main:telegram:direct:late", kind="access")
        assert row.decision.inputs["pairing"] == "full"
        assert [state for _, state, _ in await read_inbox(world, "agent:main:telegram:direct:late")] == ["refused"]


@story
async def test_an_approval_holds_on_its_own_channel_only():
    async with build_world(channels=("telegram", "slack")) as world:
        await world.gateway.pairing.approve(await knock(world), who="operator")
        other = await world.channel("slack").post("hello", sender="ann")
        assert (other.status, other.reason) == ("refused", "not_paired")


@story
async def test_a_group_is_told_one_code_when_the_agent_is_addressed():
    async with build_world(dmPolicy="open") as world:
        post = world.channel("telegram").post
        club = {"chat_type": "group", "chat_id": "club"}
        await post("lunch?", sender="ann", **club)
        await world.settle()
        assert sent_texts(world) == []
        await post("@bot hi", sender="ann", mentioned=True, **club)
        await post("@bot hi!", sender="bob", mentioned=True, **club)
        await world.settle()
        (said,) = sent_texts(world, to="club")
        await world.gateway.pairing.approve(read_code(said), who="operator")
        await post("@bot hello", sender="bob", mentioned=True, **club)
        await world.settle()
        news, answer = sent_texts(world, to="club")[1:]
        assert news == "This group was let in. Mention me, and I will answer."
        assert answer.endswith("@bot hello")


@story
async def test_a_rejected_stranger_hears_nothing_and_may_knock_again():
    async with build_world() as world:
        code = await knock(world)
        rejected = await world.gateway.pairing.reject(code, who="operator")
        await world.settle()
        assert rejected.code == code
        assert len(sent_texts(world)) == 1
        assert (await world.gateway.pairing.load()).waiting == ()
        assert await knock(world) != code


@story
async def test_a_revoked_person_is_a_stranger_again():
    async with build_world() as world:
        await world.gateway.pairing.approve(await knock(world), who="operator")
        pairing = await world.gateway.pairing.revoke("ANN", channel=None, account_id=None, who="alice")
        assert pairing.peer.peer_id == "ann"
        told = await world.channel("telegram").post("hello", sender="ann")
        assert (told.status, told.reason) == ("refused", "not_paired")
        with pytest.raises(NotFound, match="Nobody called ann was approved"):
            await world.gateway.pairing.revoke("ann", channel=None, account_id=None, who="alice")
        rows = await read_decisions(world, OWN, kind="access")
        assert [(row.decision.outcome, row.who) for row in rows] == [("approved", "operator"), ("revoked", "alice")]


@story
async def test_an_id_that_was_approved_twice_is_revoked_by_channel():
    async with build_world(channels=("telegram", "slack")) as world:
        for channel in ("telegram", "slack"):
            await world.gateway.pairing.approve(await knock(world, channel=channel), who="operator")
        with pytest.raises(InvalidRequest, match=r"more than once: on slack \(account default\), telegram"):
            await world.gateway.pairing.revoke("ann", channel=None, account_id=None, who="operator")
        gone = await world.gateway.pairing.revoke("ann", channel=ChannelName("slack"), account_id=None, who="operator")
        assert gone.peer.channel == "slack"


@story
async def test_approving_a_second_person_under_a_shared_session_says_so():
    async with build_world(session={"dmScope": "main"}) as world:
        first = await world.gateway.pairing.approve(await knock(world, sender="ann"), who="operator")
        second = await world.gateway.pairing.approve(await knock(world, sender="bob"), who="operator")
        assert first.warnings == ()
        sharing, owners = second.warnings
        assert "telegram:bob and telegram:ann share one conversation (agent:main:main)" in sharing
        assert sharing.endswith("instar config set session.dmScope per-channel-peer")
        assert "commands.ownerAllowFrom" in owners


@story
async def test_under_a_shared_session_a_strangers_code_is_kept_apart_from_it():
    async with build_world(session={"dmScope": "main"}) as world:
        await knock(world)
        assert await world.store.load_deliveries(session_key=SessionKey("agent:main:main")) == ()
        assert [row.state for row in await world.store.load_deliveries(session_key=SessionKey(OWN))] == ["sent"]
        assert (await world.store.list_sessions(SessionQuery())).total == 0


@story
async def test_whoever_tries_codes_out_has_to_wait():
    async with build_world() as world:
        code = await knock(world)
        for _ in range(6):
            with pytest.raises(NotFound):
                await world.gateway.pairing.approve("WRNG2345", who="mallory")
        with pytest.raises(Unavailable, match="Too many wrong pairing codes") as refused:
            await world.gateway.pairing.approve(code, who="mallory")
        assert refused.value.retry_after_ms == 2000
        await world.gateway.pairing.approve(code, who="operator")


@story
async def test_a_paired_person_is_no_owner_where_owners_are_named():
    async with build_world(commands={"ownerAllowFrom": ["telegram:boss"]}) as world:
        await world.gateway.pairing.approve(await knock(world), who="operator")
        await world.channel("telegram").post("/send off", sender="ann")
        await world.channel("telegram").post("/whoami", sender="ann")
        await world.settle()
        states = [(text, state) for text, state, _ in await read_inbox(world)]
        assert states == [("let me in", "refused"), ("/send off", "refused"), ("/whoami", "command")]
        assert "authorised" in sent_texts(world, to="ann")[-1]


@story
async def test_without_named_owners_a_paired_person_counts_as_one_in_their_direct_chat():
    async with build_world() as world:
        await world.gateway.pairing.approve(await knock(world), who="operator")
        await world.channel("telegram").post("/whoami", sender="ann")
        await world.settle()
        assert "an owner" in sent_texts(world, to="ann")[-1]


# --- in a chat --------------------------------------------------------------------------------------------------------


@story
async def test_a_named_owner_answers_in_a_chat():
    async with build_world(commands={"ownerAllowFrom": ["telegram:boss"]}, allowFrom=["boss"]) as world:
        code = await knock(world, name="Ann")

        async def say(text):
            await world.channel("telegram").post(text, sender="boss")
            await world.settle()
            return sent_texts(world, to="boss")[-1]

        assert f"{code}: telegram:ann (Ann), 60 min left" in await say("/pairing")
        assert (await say(f"/pairing approve {code[:4]} {code[4:]}")).startswith("telegram:ann (Ann) may write now")
        assert "You were let in" in sent_texts(world, to="ann")[-1]
        assert await say("/pairing revoke ann") == "telegram:ann (Ann) may not write any more."
        other = await knock(world, sender="bob")
        assert await say(f"/pairing reject {other}") == "The code of telegram:bob is gone."
        assert "No such pairing code waits" in await say(f"/pairing approve {other}")
        assert (await say("/pairing let in bob")).startswith("Usage: /pairing list")
        rows = await read_decisions(world, OWN, kind="access")
        assert [row.who for row in rows] == ["telegram:boss", "telegram:boss"]


@story
async def test_a_named_owner_is_not_told_in_a_group_who_may_write():
    config = {"commands": {"ownerAllowFrom": ["telegram:boss"]}, "groupPolicy": "open"}
    async with build_world(**config) as world:
        await world.channel("telegram").post(
            "/pairing list", sender="boss", chat_type="group", chat_id="club", mentioned=True
        )
        await world.settle()
        assert sent_texts(world, to="club") == ["Say this to me directly: it tells who may write."]


@story
async def test_who_was_approved_approves_nobody_even_where_no_owner_is_named():
    async with build_world() as world:
        await world.gateway.pairing.approve(await knock(world), who="operator")
        await world.settle()
        code = await knock(world, sender="bob")
        before = sent_texts(world, to="ann")
        await world.channel("telegram").post(f"/pairing approve {code}", sender="ann")
        await world.settle()
        assert sent_texts(world, to="ann") == before
        assert [one.code for one in (await world.gateway.pairing.load()).waiting] == [code]


@story
async def test_an_operators_client_may_answer_in_a_session():
    async with build_world() as world:
        code = await knock(world)
        told = Listener(world)
        await ask(world, f"/pairing approve {code}", key=SessionKey("agent:main:main"))
        await world.settle()
        (answer,) = [one.text for one in told.events if isinstance(one, CommandAnswered)]
        assert answer.startswith("telegram:ann may write now")


@story
async def test_a_client_that_may_write_and_no_more_answers_no_codes():
    async with build_world() as world:
        code = await knock(world)
        inbound = Inbound(
            channel=ChannelName("webchat"),
            account_id=AccountId("default"),
            message_id="run-1",
            chat=Chat(type="direct", id="alice"),
            sender=Sender(id="alice"),
            text=f"/pairing approve {code}",
        )
        key = SessionKey("agent:main:dashboard:alice")
        told = await world.gateway.submit(Submission(inbound=inbound, session_key=key, may_command=True))
        await world.settle()
        assert told.status == "accepted"
        assert [state for _, state, _ in await read_inbox(world, key)] == ["refused"]
        assert [one.code for one in (await world.gateway.pairing.load()).waiting] == [code]


@story
async def test_what_if_knows_who_was_approved():
    async with build_world() as world:
        await world.gateway.pairing.approve(await knock(world), who="operator")
        await world.channel("telegram").post("hello", sender="ann")
        await world.settle()
        stricter = build_world(dmPolicy="allowlist").config
        since = Instant(0)
        report = await world.gateway.upkeep.simulate(stricter, since=since, traffic=None)
        assert [(one.key, one.reason) for one in report.silences] == [(DIRECT, "not_allowlisted")]
        unchanged = await world.gateway.upkeep.simulate(world.config, since=since, traffic=None)
        assert unchanged.changes_nothing
