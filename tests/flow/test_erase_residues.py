"""What a gateway leaves beside its rows: an erasure writes over it, or names it with the command that removes it."""

from __future__ import annotations

import asyncio
import re
import shlex
import shutil
import subprocess
from dataclasses import replace

import msgspec
import pytest
import zstandard

from instar.config.document import parse_document
from instar.config.edit import remove_setting, write_setting
from instar.core.model.ids import Instant
from instar.core.routing.person import resolve_person_named
from instar.stores.erasing.eraser import _hide, _show
from instar.system.ids import SystemIds
from tests.builders.people import PeopleWorld, open_people

CONFIG = {
    "session": {
        "dmScope": "per-channel-peer",
        "identityLinks": {"alice": ["chat:alice-771", "other:al-772"], "bob": ["chat:bob-88"]},
    },
    "messages": {"queue": {"debounceMs": 0}},
    "channels": {
        "chat": {
            "type": "bridge",
            "token": "t",
            "dmPolicy": "allowlist",
            "allowFrom": ["alice-771", "bob-88"],
            "groupPolicy": "open",
            "groups": {"*": {"requireMention": False}},
        },
        "other": {"type": "bridge", "token": "t", "dmPolicy": "allowlist", "allowFrom": ["al-772"]},
    },
}
NOW = Instant(1_800_000_000_000)
TRACES = ("alice-771", "al-772", "zebra-", "Alice Moor")


async def talk(world: PeopleWorld) -> None:
    for sender, name, text in (
        ("alice-771", "Alice Moor", "my code is zebra-4471"),
        ("bob-88", "Bob", "bob here, panda-9001"),
    ):
        await world.gateway.channel("chat").post(text, sender=sender, name=name)
        await world.gateway.settle()
        where = {"chat_type": "group", "chat_id": "room-1"}
        await world.gateway.channel("chat").post(f"all, {text}", sender=sender, name=name, **where)
        await world.gateway.settle()
    await world.mirror.flush()


async def erase(world: PeopleWorld):
    person = resolve_person_named("alice", world.config.routing.keys.links)
    assert person is not None
    return await world.eraser.erase_all(person, now=NOW, who="operator", drop_backups=False)


LINE = '{"event":"seen","who":"alice-771","text":"zebra-4471"}\n'
TEXTS = {
    "logs/gateway.log": LINE,
    "logs/gateway.log.1": LINE * 3,
    "logs/gateway.log.2": LINE,
    "instar.json5.bak": '{"allowFrom": ["alice-771"]}',
    "agents/main/sessions/sessions.json.conflict.2026-01-01T00-00-00.000Z": '{"a": "zebra-4471"}',
    "agents/main/sessions/old.jsonl.conflict.2026-01-01T00-00-00.000Z": "zebra-4471 is no JSON\n",
    "exports/of-a-session.jsonl": "zebra-4471\n",
    "workspace/notes.txt": "Alice Moor said zebra-4471",
}
"""Files of text: they are written over."""

PACKED = zstandard.ZstdCompressor().compress(b'{"text":"zebra-4471"}\n' * 50)
BINARIES = {
    "instar.db-wal.damaged.2026-01-01T00-00-00.000Z": b"\x37\x7f\x06\x82\0\0 zebra-4471 \0",
    "instar.db.corrupt": b"SQLite format 3\0 alice-771 \0",
    ".instar.db.rehearsal": b"SQLite format 3\0 zebra-4471 \0",
    "everything.jsonl.zst": PACKED,
    "agents/main/sessions/.cut.jsonl.17.zst.tmp": PACKED[:-4],
    "agents/main/sessions/torn.jsonl.deleted.2026-01-01T00-00-00.000Z.zst": PACKED[:20] + b"\xff" * 20,
    "exports/person-x/manifest.json": b'{"format":"instar-person","person":"bob","ids":["chat:bob-88"]}',
    "exports/person-x/shared/room.jsonl": b'{"answer":"Alice Moor said zebra-4471"}\n',
}
"""Files that nobody can write over without making them worthless."""


def leave(world: PeopleWorld) -> None:
    for name, content in {**TEXTS, **BINARIES}.items():
        path = world.state / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)


def test_what_cannot_be_written_over_is_named_with_what_removes_it(tmp_path):
    async def story() -> None:
        async with open_people(tmp_path, CONFIG) as world:
            await talk(world)
            leave(world)
            receipt = await erase(world)
            named = {one.place: one.fix for one in receipt.left}
            assert named.keys() == BINARIES.keys() - {"exports/person-x/manifest.json"}
            for fix in named.values():
                (command,) = re.findall(r"`(rm [^`]+)`", fix)
                await asyncio.to_thread(subprocess.run, shlex.split(command), check=True)
            assert world.count(*TRACES) == {}
            assert all((tmp_path / name).exists() for name in TEXTS)
            assert not (tmp_path / "exports" / "person-x").exists()
            await talk(world)
            assert (await erase(world)).residue == 0

    asyncio.run(story())


def test_an_archive_that_cannot_be_read_keeps_nobody_from_being_erased(tmp_path):
    async def story() -> None:
        async with open_people(tmp_path, CONFIG) as world:
            await talk(world)
            torn = "agents/main/sessions/torn.jsonl.deleted.2026-01-01T00-00-00.000Z.zst"
            (tmp_path / torn).write_bytes(BINARIES[torn])
            receipt = await erase(world)
            assert [(one.place, one.count) for one in receipt.left] == [(torn, 1)]
            assert "cannot be unpacked" in receipt.left[0].fix
            assert await world.eraser.resume() == ()

    asyncio.run(story())


def test_a_file_that_is_called_after_them_is_told_without_its_name(tmp_path):
    async def story() -> None:
        async with open_people(tmp_path, CONFIG) as world:
            await talk(world)
            (tmp_path / "about-alice-771.bin").write_bytes(b"\0 zebra-4471")
            (left,) = (await erase(world)).left
            assert left.place == "about-[erased].bin"
            assert "alice" not in left.fix
            assert str(tmp_path) in left.fix

    asyncio.run(story())


def test_the_settings_that_name_them_are_told_as_commands_and_not_kept(tmp_path):
    async def story() -> None:
        async with open_people(tmp_path, CONFIG) as world:
            file = tmp_path / "instar.json5"
            file.write_text(msgspec.json.encode(CONFIG).decode())
            world.eraser._places = replace(world.eraser._places, config=file)
            await talk(world)
            (left,) = (await erase(world)).left
            commands = re.findall(r"`instar config ([^`]+)`", left.fix)
            assert commands == [
                "unset session.identityLinks.alice",
                "set channels.chat.allowFrom '[\"bob-88\"]'",
                "set channels.other.allowFrom '[]'",
            ]
            text = file.read_text()
            for verb, path, value in (re.match(r"(\w+) (\S+) ?(.*)", one).groups() for one in commands):
                if verb == "unset":
                    text = remove_setting(text, path)
                else:
                    text = write_setting(text, path, msgspec.json.decode(value.strip("'")))
            file.write_text(text)
            assert parse_document(text).value["session"]["identityLinks"] == {"bob": ["chat:bob-88"]}
            assert world.count(*TRACES, "alice") == {}

    asyncio.run(story())


def test_a_file_of_any_kind_is_written_over_deleted_or_named(tmp_path):
    """By existing: whatever stands in the state directory of this world is laid there once more with their words."""

    async def story() -> None:
        async with open_people(tmp_path, CONFIG) as world:
            await talk(world)
            await world.archiver.archive((await world.store.load_transcripts("agent:main:direct:alice"))[0])
            for path in [path for path in sorted(tmp_path.rglob("*")) if path.is_file()]:
                if not path.name.startswith("instar.db"):
                    shutil.copy(path, path.with_name(f"{path.name}.kept"))
            receipt = await erase(world)
            named = {one.place for one in receipt.left}
            assert world.count(*TRACES).keys() <= named
            assert all(one.fix for one in receipt.left)

    asyncio.run(story())


class _OnePad(SystemIds):
    """Draws one id again and again."""

    def __init__(self, drawn: str) -> None:
        self._drawn = drawn

    def session_id(self) -> str:
        return self._drawn


def test_whom_an_erasure_is_about_is_not_found_in_its_own_row_by_chance(tmp_path):
    async def story() -> None:
        async with open_people(tmp_path, CONFIG) as world:
            await talk(world)
            told, wish = b'{"person":{"name', b"\0\0\0Alice Moor\0\0\0"
            pad = bytes(one ^ other for one, other in zip(told, wish, strict=True))
            setattr(world.eraser, "_ids", _OnePad(pad.hex()))  # noqa: B010 - as every draw may come out
            receipt = await erase(world)
            assert receipt.left == ()

    asyncio.run(story())


@pytest.mark.parametrize("name", ["Ann", "Ăn²", "\x01\x02\x03"])
def test_a_mask_under_which_a_name_would_stand_does_not_show_it(tmp_path, name):
    hidden = _hide(name.encode() * 5)
    assert name.encode() not in hidden
    assert _show(hidden) == name.encode() * 5


def test_an_export_of_another_whose_key_begins_like_theirs_stays(tmp_path):
    chat = {"type": "bridge", "token": "t", "dmPolicy": "open"}

    async def story() -> None:
        async with open_people(tmp_path, {**CONFIG, "channels": {"chat": chat}}) as world:
            for sender, text in (("bob-88", "panda-9001"), ("bob-8", "zebra-4471")):
                await world.gateway.channel("chat").post(text, sender=sender, name="Bob")
                await world.gateway.settle()
            folder = tmp_path / "workspace" / "exports"
            folder.mkdir(parents=True)
            for peer in ("bob-8", "bob-88"):
                (folder / f"{peer}.json").write_text(f'{{"key": "agent:main:chat:direct:{peer}"}}')
            person = resolve_person_named("chat:bob-8", world.config.routing.keys.links)
            await world.eraser.erase_all(person, now=NOW, who="operator", drop_backups=False)
            assert [path.name for path in folder.iterdir()] == ["bob-88.json"]

    asyncio.run(story())


def test_an_earlier_receipt_names_no_file_any_more_that_is_called_after_them(tmp_path):
    async def story() -> None:
        async with open_people(tmp_path, CONFIG) as world:
            await talk(world)
            named = tmp_path / "bob-88.bin"
            named.write_bytes(b"\0 zebra-4471")
            assert [one.place for one in (await erase(world)).left] == ["bob-88.bin"]
            named.unlink()
            assert "instar.db" in world.count("bob-88.bin")
            bob = resolve_person_named("bob", world.config.routing.keys.links)
            receipt = await world.eraser.erase_all(bob, now=NOW, who="operator", drop_backups=False)
            assert (receipt.residue, receipt.left) == (0, ())
            assert world.count("bob-88") == {}

    asyncio.run(story())
