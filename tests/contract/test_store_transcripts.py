"""What every store promises about transcripts: trees, branches, pages, contexts (TRANS-3, TRANS-11, TRANS-12)."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from instar.core.model.change import SessionChange
from instar.core.model.entry import CustomEntry, OtherEntry, UserMessage
from instar.core.model.ids import EntryId
from instar.core.transcript.codec import format_entry
from instar.core.transcript.tree import branch_path
from instar.errors import InvariantBroken
from tests.builders.store import (
    NOW,
    SID,
    OpenStore,
    SessionTalk,
    build_compaction,
    build_message,
    memory_store,
)


def leaf(number: int) -> SessionChange:
    return SessionChange(leaf_id=EntryId(f"{number:08x}"))


def note(number: int, parent: int) -> CustomEntry:
    return CustomEntry(
        id=EntryId(f"{number:08x}"), parent_id=EntryId(f"{parent:08x}"), timestamp=NOW, custom_type="t", data={"a": 1}
    )


async def context(talk: SessionTalk) -> list[int]:
    page = await talk.store.load_context(talk.session_id)
    return [int(stored.entry.id, 16) for stored in page.entries]


def test_entries_come_back_as_they_were_with_place_and_estimate(open_store: OpenStore):
    async def scenario():
        async with open_store() as store:
            talk = SessionTalk(store)
            await talk.begin(build_message(1, None, "a" * 400), note(2, 1))
        async with open_store() as store:
            page = await store.load_entries(SID)
            assert [stored.entry for stored in page.entries] == [build_message(1, None, "a" * 400), note(2, 1)]
            assert [(stored.seq, stored.tokens) for stored in page.entries] == [(1, 100), (2, 0)]
            assert (page.head.message_count, page.head.next_seq, page.head.leaf_id) == (1, 3, "00000002")
            assert (page.head.is_linear, page.has_more) == (True, False)

    asyncio.run(scenario())


def test_the_bytes_of_a_transcript_are_those_of_its_file(open_store: OpenStore):
    async def scenario():
        async with open_store() as store:
            talk = SessionTalk(store)
            began = await talk.begin()
            assert began.transcript is not None
            header_bytes = began.transcript.bytes
            assert header_bytes > len('{"type":"session"}')
            changed = await talk.append(build_message(1, None, "é🙂"))
            assert changed.transcript is not None
            line = changed.transcript.bytes - header_bytes
            plain = await talk.append(build_message(2, 1, "xy"))
            assert plain.transcript is not None
            root_is_null = len('"00000001"') - len("null")
            assert plain.transcript.bytes - changed.transcript.bytes == line - len("é🙂".encode()) + 2 + root_is_null
            assert (await store.load_facts(talk.key, NOW)).transcript == plain.transcript

    asyncio.run(scenario())


def test_appending_the_same_entry_again_changes_nothing(open_store: OpenStore):
    async def scenario():
        async with open_store() as store:
            talk = SessionTalk(store)
            await talk.begin(build_message(1, None))
            first = await talk.append(build_message(2, 1), build_message(3, 2))
            again = await talk.append(build_message(2, 1), build_message(3, 2))
            assert again.transcript == first.transcript
            await talk.append(build_message(3, 2), build_message(4, 3))
            assert await talk.numbers() == [1, 2, 3, 4]

    asyncio.run(scenario())


def test_an_id_names_one_entry(open_store: OpenStore):
    async def scenario():
        async with open_store() as store:
            talk = SessionTalk(store)
            await talk.begin(build_message(1, None))
            with pytest.raises(InvariantBroken, match="names one entry"):
                await talk.append(build_message(1, None, "other words"))
            with pytest.raises(InvariantBroken, match="parent exists"):
                await talk.append(build_message(3, 2))
            with pytest.raises(InvariantBroken, match="leaf"):
                await talk.change(leaf(9))

    asyncio.run(scenario())


def test_transcripts_may_use_the_same_entry_ids(open_store: OpenStore):
    async def scenario():
        async with open_store() as store:
            one, two = SessionTalk(store), SessionTalk(store, "agent:main:b", "b")
            await one.begin(build_message(1, None, "one"))
            await two.begin(build_message(1, None, "two"))
            (stored,) = (await store.load_entries(two.session_id)).entries
            assert isinstance(stored.entry.message, UserMessage)
            assert stored.entry.message.content == "two"

    asyncio.run(scenario())


def test_pages_go_back_from_the_newest(open_store: OpenStore):
    async def scenario():
        async with open_store() as store:
            talk = SessionTalk(store)
            entries = [build_message(1, None), note(2, 1), build_message(3, 2), note(4, 3), build_message(5, 4)]
            await talk.begin(*entries)

            async def page(**options):
                found = await store.load_entries(SID, **options)
                return [stored.seq for stored in found.entries], found.has_more

            assert await page(limit=2) == ([4, 5], True)
            assert await page(limit=2, before_seq=4) == ([2, 3], True)
            assert await page(limit=2, before_seq=2) == ([1], False)
            assert await page(limit=5) == ([1, 2, 3, 4, 5], False)
            assert await page(limit=2, messages_only=True) == ([3, 5], True)
            assert await page(messages_only=True) == ([1, 3, 5], False)
            assert await page(limit=0) == ([], True)
            await talk.change(leaf(3))
            await talk.append(build_message(6, 3))
            assert await page(limit=2) == ([3, 6], True)
            assert await page(limit=2, before_seq=3) == ([1, 2], False)
            assert await page(limit=2, messages_only=True) == ([3, 6], True)

    asyncio.run(scenario())


def test_a_branch_leaves_what_was_said_and_goes_on_elsewhere(open_store: OpenStore):
    async def scenario():
        async with open_store() as store:
            talk = SessionTalk(store)
            await talk.begin(build_message(1, None), build_message(2, 1), build_message(3, 2))
            moved = await talk.change(leaf(1))
            assert moved.transcript is not None
            assert (moved.transcript.leaf_id, moved.transcript.is_linear) == ("00000001", False)
            assert await talk.numbers() == [1]
            await talk.append(build_message(4, 1))
            assert await talk.numbers() == [1, 4]
            assert [stored.seq for stored in (await store.load_all_entries(SID)).entries] == [1, 2, 3, 4]
            await talk.change(leaf(3))
        async with open_store() as store:
            talk = SessionTalk(store)
            assert await talk.numbers() == [1, 2, 3]
            await talk.append(build_message(5, 3))
            assert await talk.numbers() == [1, 2, 3, 5]

    asyncio.run(scenario())


def test_a_second_root_starts_a_branch_of_its_own(open_store: OpenStore):
    async def scenario():
        async with open_store() as store:
            talk = SessionTalk(store)
            await talk.begin(build_message(1, None), build_message(2, None), build_message(3, 2))
            assert await talk.numbers() == [2, 3]

    asyncio.run(scenario())


def test_the_model_sees_from_the_kept_part_of_the_newest_compaction_on(open_store: OpenStore):
    async def scenario():
        async with open_store() as store:
            talk = SessionTalk(store)
            await talk.begin(*(build_message(n, n - 1 or None) for n in range(1, 6)))
            assert await context(talk) == [1, 2, 3, 4, 5]
            changed = await talk.append(build_compaction(6, 5, kept=4))
            assert changed.transcript is not None
            assert changed.transcript.context_seq == 4
            await talk.append(build_message(7, 6))
            assert await context(talk) == [4, 5, 6, 7]
            await talk.append(build_compaction(8, 7, kept=2))
            assert await context(talk) == [2, 3, 4, 5, 6, 7, 8]
            await talk.append(build_compaction(9, 8, kept=9))
            assert await context(talk) == [9]
            assert await talk.numbers() == list(range(1, 10))

    asyncio.run(scenario())


def test_a_branch_from_before_a_compaction_is_seen_as_it_was(open_store: OpenStore):
    async def scenario():
        async with open_store() as store:
            talk = SessionTalk(store)
            await talk.begin(*(build_message(n, n - 1 or None) for n in range(1, 4)))
            await talk.append(build_compaction(4, 3, kept=3))
            await talk.change(leaf(2))
            assert await context(talk) == [1, 2]
            await talk.append(build_message(5, 2))
            assert await context(talk) == [1, 2, 5]
            await talk.change(leaf(4))
            assert await context(talk) == [3, 4]
            await talk.append(build_message(6, 4))
            assert await context(talk) == [3, 4, 6]

    asyncio.run(scenario())


def test_a_compaction_that_keeps_what_is_nowhere_keeps_nothing(open_store: OpenStore):
    async def scenario():
        async with open_store() as store:
            talk = SessionTalk(store)
            await talk.begin(build_message(1, None), build_compaction(2, 1, kept=99), build_message(3, 2))
            assert await context(talk) == [2, 3]

    asyncio.run(scenario())


def test_a_line_without_an_id_is_kept_beside_the_branch(open_store: OpenStore):
    async def scenario():
        async with open_store() as store:
            talk = SessionTalk(store)
            lost = OtherEntry(id=EntryId(""), parent_id=None, timestamp=None, type="odd", raw={"type": "odd", "x": 1})
            await talk.begin(build_message(1, None), lost, lost, build_message(2, 1))
            assert await talk.numbers() == [1, 2]
            everything = (await store.load_all_entries(SID)).entries
            assert [format_entry(stored.entry) for stored in everything][1:3] == [lost.raw, lost.raw]

    asyncio.run(scenario())


STEPS = st.lists(
    st.tuples(st.sampled_from(["append", "move", "reopen", "compact"]), st.integers(0, 30)), min_size=1, max_size=25
)


@settings(max_examples=60)
@given(STEPS)
def test_the_active_branch_is_the_path_from_the_leaf_whatever_was_done(steps):
    async def scenario():
        async with memory_store()() as store:
            talk = SessionTalk(store)
            await talk.begin(build_message(1, None))
            entries, at = [build_message(1, None)], 1
            for kind, choice in steps:
                number = len(entries) + 1
                if kind == "move":
                    at = choice % len(entries) + 1
                    await talk.change(leaf(at))
                elif kind == "reopen":
                    store.engine._committer._known.forget_all()
                else:
                    kept = choice % len(entries) + 1
                    entry = build_message(number, at) if kind == "append" else build_compaction(number, at, kept=kept)
                    await talk.append(entry)
                    entries.append(entry)
                    at = number
            path = [int(entry.id, 16) for entry in branch_path(entries, EntryId(f"{at:08x}")).entries]
            assert await talk.numbers() == path
            seen = await context(talk)
            kept_from = [int(entries[n - 1].first_kept_id, 16) for n in path if hasattr(entries[n - 1], "summary")]
            start = kept_from[-1] if kept_from else 1
            assert seen == [n for n in path if n >= start]

    asyncio.run(scenario())
