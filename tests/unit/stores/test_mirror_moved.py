"""A state directory that was copied or moved keeps its mirror, and the old one keeps its own (STORE-4)."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path

import pytest

from instar.config.config import parse_config
from instar.stores.mirror import open_mirror
from instar.testing.clock import ManualClock
from tests.builders.openclaw import digest_tree
from tests.builders.store import SessionTalk, build_message, file_store


def config_of(state: Path, **session: object):
    return parse_config({"session": session}, env={}, state_dir=state, home=state.parent)


async def live(state: Path, *, first: bool, **session: object) -> None:
    """A life of a gateway's store and mirror: in its first the sessions come, in a later one a line more."""
    async with (
        file_store(state / "instar.db")() as store,
        open_mirror(store, config_of(state, **session), clock=ManualClock()) as mirror,
    ):
        talk = SessionTalk(store)
        if first:
            await talk.begin(build_message(1, None, "first words"), build_message(2, 1))
            await talk.reset("22222222-2222-4222-8222-222222222222")
            await talk.append(build_message(3, None, "second"))
        await mirror.flush()


def files(state: Path) -> dict[str, bytes]:
    folder = state / "agents" / "main" / "sessions"
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.fixture
def state(tmp_path: Path) -> Path:
    state = tmp_path / "state"
    asyncio.run(live(state, first=True))
    return state


@pytest.mark.parametrize("way", ["copied", "copied without times", "moved"])
def test_the_mirror_of_a_copy_leaves_the_original_alone(state: Path, tmp_path: Path, way: str):
    new, wanted = tmp_path / "new", files(state)
    if way == "moved":
        state.rename(new)
    else:
        shutil.copytree(state, new, copy_function=shutil.copy2 if way == "copied" else shutil.copy)
        before = digest_tree(state)
    asyncio.run(live(new, first=False))
    if way == "copied without times":
        # Whose times are others is compared; the list, which is written anew, is kept beside.
        found = files(new)
        assert {name: found[name] for name in wanted} == wanted
        assert [name.partition(".conflict.")[0] for name in found.keys() - wanted] == ["sessions.json"]
    else:
        assert files(new) == wanted
    if way != "moved":
        assert digest_tree(state) == before
    asyncio.run(live(new, first=False))
    assert {name: words for name, words in files(new).items() if ".conflict." not in name} == wanted


def test_files_of_another_template_still_come_along(state: Path, tmp_path: Path):
    """The layout of the configuration changed, and the directory did not: the files are moved as before."""
    template = str(tmp_path / "else" / "agents" / "{agentId}" / "sessions" / "sessions.json")
    asyncio.run(live(state, first=False, store=template))
    there = {path.name for path in (tmp_path / "else" / "agents" / "main" / "sessions").glob("*.jsonl*")}
    assert len(there) == 2
    asyncio.run(live(state, first=False))
    assert there <= files(state).keys()
    assert not [*(tmp_path / "else").rglob("*.jsonl*")]
