"""What would name somebody who is being erased, or copy what is held of them, comes before it or after it (LEAK-11).

A platform lists the people of a group, the owner lets somebody in or makes credentials for them, or has a backup made.
"""

from __future__ import annotations

import asyncio

import pytest

from instar.core.model.caller import Caller
from instar.core.model.ids import Instant
from instar.core.model.keeping import StoredBackup
from instar.core.model.pairing import Pairings
from instar.core.policy.scopes import OWNER_SCOPES
from instar.core.policy.tokens import TokenWish
from instar.errors import NotFound, Unavailable
from instar.stores.keeper import StoreKeeper
from tests.builders.erasing import CONFIG, GROUP, begin, both_sides, cut_world, held_erasure, post, still
from tests.builders.people import PeopleWorld, open_people
from tests.builders.stories import story

OPERATOR = Caller(scopes=OWNER_SCOPES)
HELD = ["find", "erase", "_carry_out"]


def report(world: PeopleWorld) -> asyncio.Task[None]:
    """Begin to say who is in the group."""
    return asyncio.ensure_future(world.gateway.channel("chat").report("room-1", ["alice-771", "bob-88"]))


async def members(world: PeopleWorld) -> list[str]:
    """Whoever is known to be in the group."""
    return sorted(person for key, person in await world.store.owners.list_members() if key == GROUP)


@pytest.mark.parametrize("step", HELD)
@story
async def test_a_list_of_members_is_stored_once_it_is_through(tmp_path, step):
    async with held_erasure(tmp_path, step, before=both_sides) as erasure:
        telling = report(erasure.world)
        await erasure.keeps(telling)
        await erasure.end_clean()
        await telling
        # As the first words of somebody unknown: who they are is the platform's to say from now on.
        assert await members(erasure.world) == ["chat:alice-771", "chat:bob-88"]


@story
async def test_a_list_of_others_does_not_wait(tmp_path):
    async with held_erasure(tmp_path, before=both_sides) as erasure:
        async with asyncio.timeout(20):
            await erasure.world.gateway.channel("chat").report("room-2", ["bob-88"])
        assert not erasure.erasing.done()
        await erasure.end()


@pytest.mark.parametrize("principal", ["alice", "chat:alice-771"])
@story
async def test_credentials_that_are_made_meanwhile_are_not_taken(tmp_path, principal):
    async with held_erasure(tmp_path, before=both_sides) as erasure:
        tokens = erasure.world.gateway.gateway.tokens
        making = asyncio.ensure_future(tokens.create(TokenWish(principal=principal), maker=OPERATOR))
        await erasure.keeps(making)
        await erasure.end_clean()
        token, text = await making
        shown = await tokens.find(text)
        assert shown is not None
        assert (shown.token.id, shown.problem) == (token.id, None)


@pytest.mark.parametrize("step", HELD)
@story
async def test_a_code_of_theirs_is_gone_when_it_is_approved_meanwhile(tmp_path, step):
    channels = {**CONFIG["channels"], "other": {**CONFIG["channels"]["other"], "dmPolicy": "pairing"}}

    async def wait_at_the_door(world: PeopleWorld) -> None:
        await both_sides(world)
        await post(world, "ali", "let me in")

    config = {**CONFIG, "channels": channels}
    async with held_erasure(tmp_path, step, before=wait_at_the_door, config=config) as erasure:
        desk = erasure.world.gateway.gateway.pairing
        (waiting,) = (await desk.load()).waiting
        approving = asyncio.ensure_future(desk.approve(waiting.code, who="operator"))
        await erasure.keeps(approving)
        await erasure.end_clean()
        with pytest.raises(NotFound):
            await approving
        assert await desk.load() == Pairings()
        assert erasure.world.count("al-772", "Ali Moor") == {}


@story
async def test_while_an_erasure_is_cut_nobody_names_them(tmp_path):
    async with cut_world(tmp_path) as world:
        with pytest.raises(Unavailable, match="The list of members was not stored") as told:
            await report(world)
        assert "could not be finished yet" in told.value.why
        with pytest.raises(Unavailable, match="No token was made"):
            await world.gateway.gateway.tokens.create(TokenWish(principal="alice"), maker=OPERATOR)
        assert await world.gateway.gateway.tokens.list() == ()


@pytest.mark.parametrize("step", HELD)
@story
async def test_a_backup_that_is_asked_for_meanwhile_has_nothing_of_them(tmp_path, step):
    async with held_erasure(tmp_path, step, before=both_sides) as erasure:
        world = erasure.world
        backing_up = asyncio.ensure_future(world.gateway.gateway.keeping.back_up("one.tar.zst"))
        await erasure.keeps(backing_up, seconds=0.2)
        assert (await erasure.end_clean()).backups == ()
        await backing_up
        assert (tmp_path / "backups" / "one.tar.zst").is_file()
        assert world.count("zebra", "Alice Moor") == {}


@story
async def test_a_backup_that_is_being_made_is_in_the_receipt(tmp_path, monkeypatch):
    began, go_on, sound = asyncio.Event(), asyncio.Event(), StoreKeeper.back_up

    async def slow(self: StoreKeeper, name: str | None, *, now: Instant) -> StoredBackup:
        began.set()
        done = await sound(self, name, now=now)
        await go_on.wait()
        return done

    async with open_people(tmp_path, CONFIG) as world:
        await both_sides(world)
        monkeypatch.setattr(StoreKeeper, "back_up", slow)
        backing_up = asyncio.ensure_future(world.gateway.gateway.keeping.back_up("one.tar.zst"))
        await began.wait()
        erasing = begin(world)
        await still(0.3)
        assert not erasing.done()
        go_on.set()
        await backing_up
        assert (await erasing).backups == ("one.tar.zst",)
