"""Whoever had to be let in leaves nothing behind: no code, no word of the owner about them (LEAK-11)."""

from __future__ import annotations

import asyncio

import pytest

from instar.core.model.change import Submission
from instar.core.model.ids import AccountId, ChannelName, SessionKey
from instar.core.model.message import Chat, Inbound, Sender
from tests.builders.people import open_people

CONFIG = {
    "session": {"dmScope": "main"},
    "messages": {"queue": {"debounceMs": 0}},
    "channels": {"chat": {"type": "bridge", "token": "t", "dmPolicy": "pairing"}},
}


@pytest.mark.parametrize("word", ["approve", "reject", "revoke"])
def test_what_the_owner_said_about_a_stranger_goes_with_them(tmp_path, word):
    async def story() -> None:
        async with open_people(tmp_path, CONFIG) as world:
            gateway, chat = world.gateway.gateway, world.gateway.channel("chat")
            await chat.post("let me in", sender="dora-5512", name="Dora Lind")
            await chat.post("and me", sender="emil-5513", name="Emil Rask")
            await world.gateway.settle()
            codes = {code.peer.peer_id: code.code for code in (await gateway.pairing.load()).waiting}
            await (gateway.pairing.reject if word == "reject" else gateway.pairing.approve)(
                codes["dora-5512"], who="owner"
            )
            if word == "revoke":
                await gateway.pairing.revoke("dora-5512", channel=None, account_id=None, who="owner")
            await world.gateway.settle()
            receipt = await gateway.people.erase("chat:dora-5512", drop_backups=False, who="operator")
            await world.mirror.flush()
            assert (receipt.residue, receipt.left) == (0, ())
            assert world.count("dora-5512", "Dora Lind") == {}
            left = await gateway.pairing.load()
            assert [code.peer.peer_id for code in left.waiting] == ["emil-5513"]
            assert left.approved == ()

    asyncio.run(story())


def test_what_a_client_wrote_to_a_stranger_goes_also_where_the_session_was_deleted(tmp_path):
    config = {**CONFIG, "session": {"dmScope": "per-peer"}}
    key = SessionKey("agent:main:direct:dora-5512")
    call = Inbound(
        channel=ChannelName("webchat"),
        account_id=AccountId("default"),
        message_id="run-1",
        chat=Chat(type="direct", id="operator"),
        sender=Sender(id="operator"),
        text="Who is this?",
    )

    async def story() -> None:
        async with open_people(tmp_path, config) as world:
            gateway = world.gateway.gateway
            await world.gateway.channel("chat").post("let me in", sender="dora-5512", name="Dora Lind")
            await gateway.submit(Submission(inbound=call, session_key=key, may_command=True))
            await world.gateway.settle()
            assert (await gateway.sessions.delete(key, delete_transcript=True, who="operator")).deleted
            receipt = await gateway.people.erase("chat:dora-5512", drop_backups=False, who="operator")
            await world.mirror.flush()
            assert (receipt.residue, receipt.left) == (0, ())
            assert world.count("dora-5512", "Dora Lind") == {}

    asyncio.run(story())
