"""A database that was lost or replaced is noticed by the files that still hold its words (LOSS-10)."""

import asyncio

from structlog.testing import capture_logs

from instar.config.config import parse_config
from instar.core.model.ids import AgentId, SessionKey
from instar.core.transcript.text import message_text
from instar.stores.doctor import examine
from instar.stores.mirror import Mirror
from instar.stores.mirror_places import MirrorPlaces
from instar.stores.openclaw.carry import import_state
from instar.stores.sqlite import SqliteStore
from instar.system.clock import SystemClock
from tests.builders.store import KEY, NOW, SID, SessionTalk, build_message


async def live(state, *, talks):
    """One life of a store with its mirror; what was logged."""
    store = SqliteStore(state / "instar.db", reserve_bytes=0)
    await store.open()
    with capture_logs() as said:
        places = MirrorPlaces(state_dir=state, home=state, default_agent_id=AgentId("main"))
        mirror = Mirror(store, places, clock=SystemClock())
        mirror.start()
        if talks:
            await SessionTalk(store).begin(build_message(1, None, "do not lose me"))
        await mirror.flush()
        await mirror.close()
    await store.close()
    return said


def config_of(state):
    return parse_config({}, env={}, state_dir=state, home=state)


def test_files_with_their_rows_are_no_strays(tmp_path):
    assert not [line for line in asyncio.run(live(tmp_path, talks=True)) if line["event"] == "mirror_strays"]
    assert not [line for line in asyncio.run(live(tmp_path, talks=False)) if line["event"] == "mirror_strays"]
    assert "mirror-strays" not in [one.code for one in examine(config_of(tmp_path))]


def test_files_of_a_database_that_was_emptied_are_named_at_the_start_and_by_the_doctor(tmp_path):
    asyncio.run(live(tmp_path, talks=True))
    (tmp_path / "instar.db").write_bytes(b"")
    (line,) = [line for line in asyncio.run(live(tmp_path, talks=False)) if line["event"] == "mirror_strays"]
    assert line["log_level"] == "critical"
    assert (line["count"], line["first"].endswith(f"{SID}.jsonl")) == (1, True)
    (found,) = [one for one in examine(config_of(tmp_path)) if one.code == "mirror-strays"]
    assert found.severity == "critical"
    assert "instar import openclaw" in found.fix


def test_the_step_that_is_advised_brings_the_words_back(tmp_path):
    state = tmp_path / "state"
    asyncio.run(live(state, talks=True))
    (state / "instar.db").write_bytes(b"")

    async def bring():
        store = SqliteStore(state / "instar.db", reserve_bytes=0)
        await store.open()
        await import_state(state, store, config_of(state), now=NOW, is_dry_run=False)
        page = await store.load_all_entries(SID)
        await store.close()
        return page.head.key, [message_text(one.entry.message) for one in page.entries]

    assert asyncio.run(bring()) == (SessionKey(KEY), ["do not lose me"])
    assert "mirror-strays" not in [one.code for one in examine(config_of(state))]
