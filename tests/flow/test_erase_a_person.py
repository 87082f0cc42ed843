"""A person is taken out of everything that a gateway keeps, and others keep theirs (LEAK-11)."""

from __future__ import annotations

import asyncio

from instar.core.model.ids import Instant
from instar.core.routing.person import resolve_person_named
from tests.builders.people import open_people

CONFIG = {
    "session": {
        "dmScope": "per-channel-peer",
        "identityLinks": {"alice": ["chat:alice-771", "other:al-772"]},
    },
    "messages": {"groupChat": {"activation": "always"}, "queue": {"debounceMs": 0}},
    "channels": {
        name: {"type": "bridge", "token": "t", "dmPolicy": "open", "groupPolicy": "open"} for name in ("chat", "other")
    },
}
NOW = Instant(1_800_000_000_000)


def test_a_linked_person_leaves_every_row_and_file(tmp_path):
    asyncio.run(_leave(tmp_path))


async def _leave(tmp_path):
    async with open_people(tmp_path, CONFIG) as world:
        chat, other = world.gateway.channel("chat"), world.gateway.channel("other")
        await chat.post("my code is zebra-4471", sender="alice-771", name="Alice Moor")
        await other.post("and my mail is moor@example.org", sender="al-772", name="Ali Moor")
        await chat.post("bob here, code panda-9", sender="bob-88", name="Bob")
        await chat.post(
            "good day from zebra-4472", sender="alice-771", name="Alice Moor", chat_id="room-1", chat_type="group"
        )
        await world.gateway.settle()
        await chat.post(
            "I heard Alice Moor say hello", sender="bob-88", name="Bob", chat_id="room-1", chat_type="group"
        )
        await world.gateway.settle()
        await world.mirror.flush()
        assert world.count("alice-771", "al-772", "zebra-447", "moor@example.org", "Alice Moor")
        person = resolve_person_named("other:al-772", world.config.routing.keys.links)
        receipt = await world.eraser.erase_all(person, now=NOW, who="operator", drop_backups=False)
        assert receipt.residue == 0
        assert world.count("alice-771", "al-772", "zebra-447", "moor@example.org", "Alice Moor") == {}
        assert world.count("panda-9")
