"""Whoever had to be let in leaves nothing behind: no code, no word of the owner about them (LEAK-11)."""

from __future__ import annotations

import asyncio

import pytest

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
