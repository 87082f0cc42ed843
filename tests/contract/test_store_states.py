"""What every store promises about state logs, watches and notices (STATE-1…9)."""

from __future__ import annotations

import asyncio
import tempfile
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from instar.core.lifecycle.awareness import LOG_TTL_MS, NOTICES_MAX, note_adopted, note_people
from instar.core.model.change import SessionChange
from instar.core.model.ids import Instant, SessionKey
from instar.core.model.session import Origin
from instar.core.model.state import StateNote
from instar.stores.store import SessionStore
from tests.builders.store import NOW, OpenStore, SessionTalk, build_session, file_store, memory_store

MAIN, GROUP, CHILD = (
    SessionKey(key) for key in ("agent:main:main", "agent:main:telegram:group:1", "agent:main:subagent:1")
)
LOGGED = StateNote(kind="run_completed", actor_type="agent", summary="A turn was completed.")
NEXT = "22222222-2222-4222-8222-222222222222"


def talk_of(store: SessionStore, key: SessionKey) -> SessionTalk:
    number = [MAIN, GROUP, CHILD].index(key)
    return SessionTalk(store, key, f"0000000{number}-1111-4111-8111-111111111111")


async def begin(store: SessionStore) -> tuple[SessionTalk, SessionTalk]:
    """The main session and a group that it watches from the first message of a person on."""
    main, group = talk_of(store, MAIN), talk_of(store, GROUP)
    await main.begin()
    await group.begin()
    await group.change(SessionChange(states=note_people(1, watchers=(MAIN,))))
    return main, group


async def waiting(talk: SessionTalk) -> list[str]:
    """What a session would be told now."""
    seen: list[str] = []

    def look(facts):
        seen[:] = [notice.text for notice in facts.notices]
        return SessionChange()

    await talk.change(look)
    return seen


async def take(talk: SessionTalk) -> None:
    await talk.change(lambda facts: SessionChange(told=facts.notices))


def test_events_are_numbered_within_their_session(open_store: OpenStore):
    async def scenario():
        async with open_store() as store:
            _, group = await begin(store)
            await group.change(SessionChange(states=(LOGGED, LOGGED)), now=NOW + 5)
        async with open_store() as store:
            found = await store.states.changes(GROUP, since=1)
            assert [(one.sequence, one.kind, one.at) for one in found.events] == [
                (2, "run_completed", NOW + 5),
                (3, "run_completed", NOW + 5),
            ]
            assert await store.states.versions([GROUP, MAIN]) == {GROUP: 3}
            assert await store.states.versions([]) == {}

    asyncio.run(scenario())


def test_a_watcher_has_one_notice_until_its_turn_takes_it(open_store: OpenStore):
    async def scenario():
        async with open_store() as store:
            main, group = await begin(store)
            assert await waiting(main) == []
            await group.change(SessionChange(states=note_people(1)))
            (first,) = await waiting(main)
            assert GROUP in first
            assert "changesSince 1" in first
            await group.change(SessionChange(states=(LOGGED, *note_people(2))))
            assert await waiting(main) == [first]
            await take(main)
            (second,) = await waiting(main)
            assert "changesSince 2" in second
            await take(main)
            assert await waiting(main) == []

    asyncio.run(scenario())


def test_own_changes_and_what_is_only_logged_are_no_news(open_store: OpenStore):
    async def scenario():
        async with open_store() as store:
            main, group = await begin(store)
            own = replace(note_people(1)[0], actor=MAIN, actor_type="agent")
            await group.change(SessionChange(states=(own, LOGGED)))
            assert await waiting(main) == []
            await group.change(SessionChange(states=note_people(1)))
            await take(main)
            await group.change(SessionChange(states=(own,)))
            assert await waiting(main) == []

    asyncio.run(scenario())


def test_a_watch_ends_when_its_watcher_starts_over(open_store: OpenStore):
    async def scenario():
        async with open_store() as store:
            main, group = await begin(store)
            await group.change(SessionChange(states=note_people(1)))
            await main.reset(NEXT)
            assert await waiting(main) == []
            assert not await store.states.is_watching(MAIN, GROUP)
            await group.change(SessionChange(states=note_people(1)))
            assert await waiting(main) == []
            # The next message of a person lets the main session watch again.
            await group.change(SessionChange(states=note_people(1, watchers=(MAIN,))))
            await group.change(SessionChange(states=note_people(1)))
            assert len(await waiting(main)) == 1

    asyncio.run(scenario())


@pytest.mark.parametrize("gone", [MAIN, GROUP])
def test_a_watch_ends_when_either_session_is_deleted(open_store: OpenStore, gone: SessionKey):
    async def scenario():
        async with open_store() as store:
            main, group = await begin(store)
            await group.change(SessionChange(states=note_people(1)))
            version = (await store.states.versions([GROUP]))[GROUP]
            assert await store.delete_session(gone, now=NOW, decisions=())
            assert not await store.states.is_watching(MAIN, GROUP)
            assert await waiting(main) == []
            # The log went with its session; what comes after goes on counting.
            await group.change(SessionChange(states=(LOGGED,)))
            found = await store.states.changes(GROUP, since=0)
            assert found.state_version == version + 1
            assert found.history_gap is (gone == GROUP)

    asyncio.run(scenario())


def test_children_of_a_deleted_session_say_that_it_is_missing(open_store: OpenStore):
    async def scenario():
        async with open_store() as store:
            await begin(store)
            child = talk_of(store, CHILD)
            session = replace(build_session(CHILD, child.session_id), origin=Origin(spawned_by=GROUP))
            await child.change(
                SessionChange(session=session, open=child.header(), states=note_adopted(CHILD, parent=GROUP))
            )
            assert await store.states.is_watching(GROUP, CHILD)
            assert (await store.states.changes(GROUP, since=1)).events[0].kind == "child_spawned"
            await store.states.watch(MAIN, CHILD)
            await store.states.watch(MAIN, CHILD)
            await store.states.watch(MAIN, MAIN)
            await store.delete_session(GROUP, now=NOW, decisions=())
            assert [one.kind for one in (await store.states.changes(CHILD, since=0)).events] == [
                "adopted",
                "upstream_missing",
            ]
            (notice,) = await waiting(talk_of(store, MAIN))
            assert CHILD in notice
            assert not await store.states.is_watching(MAIN, MAIN)

    asyncio.run(scenario())


def test_old_events_go_and_versions_stay(open_store: OpenStore):
    async def scenario():
        async with open_store() as store:
            _, group = await begin(store)
            for at in (NOW + 1, NOW + 2):
                await group.change(SessionChange(states=(LOGGED,)), now=at)
            assert await store.states.prune(Instant(NOW + LOG_TTL_MS + 2)) == 2
            assert await store.states.prune(Instant(NOW + LOG_TTL_MS + 2)) == 0
            found = await store.states.changes(GROUP, since=0)
            assert [one.sequence for one in found.events] == [3]
            assert (found.state_version, found.history_gap) == (3, True)
            assert await store.states.prune(Instant(NOW + LOG_TTL_MS + 3)) == 1
            await group.change(SessionChange(states=(LOGGED,)))
            assert (await store.states.changes(GROUP, since=3)).events[0].sequence == 4

    asyncio.run(scenario())


def test_the_surplus_goes_oldest_first(open_store: OpenStore, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("instar.core.lifecycle.awareness.LOG_MAX_ROWS", 2)

    async def scenario():
        async with open_store() as store:
            main, group = await begin(store)
            await main.change(SessionChange(states=(LOGGED,)))
            await group.change(SessionChange(states=(LOGGED,)))
            assert await store.states.prune(Instant(NOW)) == 1
            assert (await store.states.changes(GROUP, since=0)).history_gap
            assert not (await store.states.changes(MAIN, since=0)).history_gap

    asyncio.run(scenario())


def test_one_turn_begins_with_a_limited_number_of_notices(open_store: OpenStore):
    async def scenario():
        async with open_store() as store:
            main = talk_of(store, MAIN)
            await main.begin()
            for number in range(NOTICES_MAX + 1):
                talk = SessionTalk(store, f"agent:main:telegram:group:{number}", f"{number:08}-1111-4111-8111-11111111")
                await talk.begin()
                await talk.change(SessionChange(states=note_people(1, watchers=(MAIN,))))
                await talk.change(SessionChange(states=note_people(1)))
            assert len(await waiting(main)) == NOTICES_MAX
            await take(main)
            assert len(await waiting(main)) == 1

    asyncio.run(scenario())


def test_a_log_that_cannot_be_written_fails_nothing_else(open_store: OpenStore, monkeypatch: pytest.MonkeyPatch):
    async def scenario():
        async with open_store() as store:
            main, group = await begin(store)
            await group.change(SessionChange(states=note_people(1)))
            # A sequence that is taken is refused by the database, after the version was written.
            monkeypatch.setattr("instar.stores.states.next_version", lambda newest: newest)
            session = replace(build_session(GROUP, group.session_id), owner="ann")
            changed = await group.change(SessionChange(session=session, states=(LOGGED,)))
            assert changed.session == session
            told = await main.change(lambda facts: SessionChange(told=facts.notices, states=(LOGGED, LOGGED)))
            assert told.session is not None
            monkeypatch.undo()
            assert (await store.states.changes(GROUP, since=0)).state_version == 2
            # Nothing of it was half done: the notice was not taken, so it is told again.
            assert len(await waiting(main)) == 1
        async with open_store() as store:
            assert await store.load_session(GROUP) == session

    asyncio.run(scenario())


# --- stories ----------------------------------------------------------------------------------------------------------

STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("people"), st.sampled_from([MAIN, GROUP, CHILD]), st.sampled_from([None, MAIN, GROUP])),
        st.tuples(st.just("own"), st.sampled_from([GROUP, CHILD]), st.just(MAIN)),
        st.tuples(st.just("logged"), st.sampled_from([MAIN, GROUP, CHILD]), st.none()),
        st.tuples(st.just("watch"), st.sampled_from([GROUP, CHILD]), st.sampled_from([MAIN, GROUP])),
        st.tuples(st.sampled_from(["take", "reset", "delete"]), st.sampled_from([MAIN, GROUP, CHILD]), st.none()),
        st.tuples(st.just("prune"), st.none(), st.none()),
    ),
    max_size=25,
)


@pytest.mark.parametrize("engine", ["memory", "sqlite"])
@given(steps=STEPS)
@settings(max_examples=25, deadline=None)
def test_versions_never_fall_and_nobody_has_two_notices_about_one_session(engine, steps):
    """Whatever happens in whatever order (STATE-2, STATE-4, STATE-5, STATE-7)."""

    async def scenario(open_store: OpenStore):
        async with open_store() as store:
            talks = {key: talk_of(store, key) for key in (MAIN, GROUP, CHILD)}
            lives = dict.fromkeys(talks, 0)
            for talk in talks.values():
                await talk.begin()
            newest = dict.fromkeys(talks, 0)
            for place, (what, key, other) in enumerate(steps):
                await play(store, talks, lives, what=what, key=key, other=other, now=NOW + place * LOG_TTL_MS // 10)
                versions = await store.states.versions(list(talks))
                assert all(versions.get(one, 0) >= newest[one] for one in talks)
                newest |= versions
                for watcher, talk in talks.items():
                    told = await waiting(talk)
                    assert len(told) == len(set(told)) <= 2
                    for target in talks:
                        about = [text for text in told if text.startswith(f"Session {target} ")]
                        assert len(about) <= 1
                        assert not about or await store.states.is_watching(watcher, target)

    if engine == "memory":
        asyncio.run(scenario(memory_store()))
        return
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(scenario(file_store(Path(folder) / "instar.db")))


async def play(store, talks, lives, *, what, key, other, now):
    match what:
        case "people":
            watchers = (other,) if other and other != key else ()
            await talks[key].change(SessionChange(states=note_people(1, watchers=watchers)), now=now)
        case "own":
            own = replace(note_people(1)[0], actor=other)
            await talks[key].change(SessionChange(states=(own,)), now=now)
        case "logged":
            await talks[key].change(SessionChange(states=(LOGGED,)), now=now)
        case "watch":
            await store.states.watch(other, key)
        case "take":
            await take(talks[key])
            assert (await waiting(talks[key])) == (await waiting(talks[key]))
        case "reset":
            if await store.load_session(key) is not None:
                lives[key] += 1
                session_id = f"{lives[key]:04}{talks[key].session_id[4:]}"
                await talks[key].reset(session_id, now=now)
                assert await waiting(talks[key]) == []
        case "delete":
            await store.delete_session(key, now=Instant(now), decisions=())
        case _:
            await store.states.prune(Instant(now))
