"""Search over what people and the agent said, for every engine of the store (SEARCH-1…6)."""

from __future__ import annotations

from dataclasses import replace

import pytest

from instar.core.model.change import SessionChange
from instar.core.model.entry import (
    ZERO_USAGE,
    AssistantMessage,
    MessageEntry,
    TextBlock,
    ThinkingBlock,
    ToolResultMessage,
)
from instar.core.model.ids import AgentId, EntryId, Instant, SessionKey
from instar.core.model.query import SearchQuery
from instar.stores.search import SLICE_ROWS, WORDS_VERSION
from tests.builders.store import KEY, NOW, SessionTalk, build_decision, build_message
from tests.builders.stories import story

OTHER = "agent:main:telegram:direct:43"
OTHER_ID = "22222222-2222-4222-8222-222222222222"
NEXT_ID = "33333333-3333-4333-8333-333333333333"


async def find(store, text, **more):
    """The texts of what is found, newest first; nothing old may be missing."""
    page = await store.search(SearchQuery(text=text, **more))
    assert not page.indexing
    return [hit.text for hit in page.hits]


async def say(talk, *texts, first=1, at=NOW):
    entries = [
        replace(build_message(first + place, None if first + place == 1 else first + place - 1, text), timestamp=at)
        for place, text in enumerate(texts)
    ]
    if first == 1:
        await talk.begin(*entries)
    else:
        await talk.append(*entries)


@pytest.mark.parametrize(
    ("text", "query"),
    [
        ("We fly on Monday.", "monday fly"),
        ("We fly on Monday.", "MONDAY"),
        ("Running late", "run"),
        ("un café", "CAFE"),
        ("un cafe", "café"),
        ("Łódź", "lodz"),
        ("die Straße", "STRASSE"),
        ("see e-mail", "e-mail"),
        ("it costs 3.14 today", "3.14"),
        ("我们在北京吃烤鸭", "北京"),
        ("我们在北京吃烤鸭", "京"),
        ("今天天气很好", "天气很好"),
        ("東京へ行く", "東京"),
        ("カタカナの文", "カナ"),
        ("\uff76\uff80\uff76\uff85", "カタ"),
        ("이 문장은 길다", "문장"),
        ("Shanghai上海 trip", "shanghai上海"),
        ("Shanghai上海 trip", "trip 上"),
        ("ภาษาไทยง่าย", "ไทย"),
        ("यह हिन्दी है", "हिन्दी"),
        ("это ёлка", "ЕЛКА"),
    ],
)
@story
async def test_words_are_found_whatever_their_case_accents_or_script(open_store, text, query):
    async with open_store() as store:
        await say(SessionTalk(store), text, "something else")
        assert await find(store, query) == [text]


@pytest.mark.parametrize(
    ("text", "query"),
    [
        ("We fly on Monday.", "monday tuesday"),
        ("scattered", "cat"),
        ("北京烤鸭", "鸭烤"),
        ("北京,烤鸭", "京烤"),
        ("がくせい", "かくせい"),
        ("some words", ""),
        ("some words", "!!! *"),
    ],
)
@story
async def test_other_words_are_not(open_store, text, query):
    async with open_store() as store:
        await say(SessionTalk(store), text)
        assert await find(store, query) == []


@pytest.mark.parametrize(
    "query",
    [
        '"',
        "'",
        '""""',
        "words:x",
        "a NEAR b",
        "NEAR(a b)",
        "a OR",
        "NOT x",
        "AND",
        "(((",
        "x*",
        "^x",
        "{a b}: c",
        "-x",
        "a + b",
        "\0",
        "x\0y",
        "\ud7ff\U0010ffff",
        "x" * 5000,
        "'; DROP TABLE search; --",
        "%s ? :query",
    ],
)
@story
async def test_a_query_cannot_be_anything_but_words(open_store, query):
    async with open_store() as store:
        await say(SessionTalk(store), "nothing of that kind")
        assert await find(store, query) == []


@story
async def test_all_words_must_be_in_one_message(open_store):
    async with open_store() as store:
        await say(SessionTalk(store), "apples", "pears", "pears and apples")
        assert await find(store, "apples pears") == ["pears and apples"]


@story
async def test_a_hit_says_where_it_stands(open_store):
    async with open_store() as store:
        await say(SessionTalk(store), "hello heron")
        (hit,) = (await store.search(SearchQuery(text="heron"))).hits
        assert (hit.session_key, hit.session_id) == (KEY, SessionTalk(store).session_id)
        assert (hit.entry_id, hit.seq, hit.role, hit.at) == ("00000001", 1, "user", NOW)


@story
async def test_only_words_said_are_indexed(open_store):
    answer = AssistantMessage(
        content=(ThinkingBlock(thinking="heron thought"), TextBlock(text="heron answer")),
        api="x",
        provider="p",
        model="m",
        usage=ZERO_USAGE,
        stop_reason="stop",
        timestamp=NOW,
    )
    result = ToolResultMessage(
        tool_call_id="c", tool_name="t", content=(TextBlock(text="heron result"),), is_error=False, timestamp=NOW
    )
    async with open_store() as store:
        talk = SessionTalk(store)
        await say(talk, "heron question")
        for number, message in ((2, answer), (3, result)):
            entry = MessageEntry(
                id=EntryId(f"{number:08x}"),
                parent_id=EntryId(f"{number - 1:08x}"),
                timestamp=Instant(NOW + number),
                message=message,
            )
            await talk.append(entry)
        page = await store.search(SearchQuery(text="heron"))
        assert [(hit.role, hit.text) for hit in page.hits] == [
            ("assistant", "heron answer"),
            ("user", "heron question"),
        ]


@story
async def test_the_newest_come_first_across_sessions_and_the_limit_holds(open_store):
    async with open_store() as store:
        await say(SessionTalk(store), "heron one", at=NOW + 10)
        await say(SessionTalk(store, OTHER, OTHER_ID), "heron two", at=NOW + 20)
        await say(SessionTalk(store), "heron three", first=2, at=NOW + 15)
        assert await find(store, "heron") == ["heron two", "heron three", "heron one"]
        assert await find(store, "heron", limit=2) == ["heron two", "heron three"]


@story
async def test_what_may_not_be_seen_takes_no_place(open_store):
    async with open_store() as store:
        mine, theirs = SessionTalk(store), SessionTalk(store, OTHER, OTHER_ID)
        await say(mine, "heron mine")
        await say(theirs, *(f"heron theirs {n}" for n in range(20)), at=NOW + 10)
        await mine.edit(lambda session: replace(session, owner="ann"))
        await theirs.edit(lambda session: replace(session, owner="bob"))
        assert await find(store, "heron", owner_in=("ann",), limit=5) == ["heron mine"]
        assert await find(store, "heron", key_in=(SessionKey(KEY),), limit=5) == ["heron mine"]
        assert await find(store, "heron", owner_in=()) == []
        assert await find(store, "heron", agent_id=AgentId("other")) == []
        assert len(await find(store, "heron", agent_id=AgentId("main"), limit=50)) == 21


@story
async def test_a_reset_keeps_the_old_words_searchable(open_store):
    async with open_store() as store:
        talk = SessionTalk(store)
        await say(talk, "heron before")
        await talk.reset(NEXT_ID)
        await talk.append(build_message(9, None, "heron after"))
        page = await store.search(SearchQuery(text="heron"))
        assert {(hit.session_key, hit.session_id) for hit in page.hits} == {(KEY, talk.session_id), (KEY, NEXT_ID)}


@story
async def test_only_the_active_branch_is_searched(open_store):
    async with open_store() as store:
        talk = SessionTalk(store)
        await say(talk, "root", "heron left", "heron left too")
        assert len(await find(store, "heron")) == 2
        await talk.change(SessionChange(leaf_id=EntryId("00000001")))
        assert await find(store, "heron") == []
        await talk.append(build_message(4, 1, "heron right"))
        await talk.append(build_message(5, 4, "heron right too"))
        assert await find(store, "heron") == ["heron right too", "heron right"]
        await talk.change(SessionChange(leaf_id=EntryId("00000003")))
        assert await find(store, "heron") == ["heron left too", "heron left"]


@story
async def test_deleting_a_session_removes_its_hits(open_store):
    async with open_store() as store:
        await say(SessionTalk(store), *(f"heron {n}" for n in range(SLICE_ROWS + 30)))
        await say(SessionTalk(store, OTHER, OTHER_ID), "heron stays")
        assert len(await find(store, "heron", limit=1000)) == SLICE_ROWS + 31
        assert await store.delete_session(SessionKey(KEY), now=NOW, decisions=(build_decision(),))
        assert await find(store, "heron") == ["heron stays"]


@story
async def test_a_transcript_that_outlives_its_session_is_found_again_when_it_is_resumed(open_store):
    async with open_store() as store:
        talk = SessionTalk(store)
        await say(talk, "heron kept")
        await find(store, "heron")
        await store.delete_session(SessionKey(KEY), now=NOW, decisions=(), keep_transcripts=True)
        assert await find(store, "heron") == []
        again = SessionTalk(store, KEY, NEXT_ID)
        await again.begin(build_message(1, None, "heron anew"))
        assert await find(store, "heron") == ["heron anew"]
        await again.reset(talk.session_id, reason="resume")
        assert sorted(await find(store, "heron")) == ["heron anew", "heron kept"]


@story
async def test_words_from_before_a_restart_are_found_and_until_then_it_says_so(open_store):
    async with open_store() as store:
        await say(SessionTalk(store), *(f"heron {n}" for n in range(5)))
    async with open_store() as store:
        assert not await store.search_index.catch_up(steps=1)
        assert len(await find(store, "heron")) == 5


@story
async def test_a_large_backlog_is_told_and_worked_off(open_store):
    count = SLICE_ROWS * 20
    async with open_store() as store:
        await say(SessionTalk(store), *(f"heron {n}" for n in range(count)))
        page = await store.search(SearchQuery(text="heron", limit=5))
        assert page.indexing
        while not await store.search_index.catch_up():
            pass
        assert len(await find(store, "heron", limit=count + 1)) == count


@story
async def test_an_index_of_another_build_is_made_anew(open_store):
    async with open_store() as store:
        await say(SessionTalk(store), "heron old")
        await find(store, "heron")

        def age(tx):
            tx.run("save_meta", {"name": "search_words", "value": "0"})

        await store.engine.write(age)
    async with open_store() as store:
        assert await find(store, "heron") == ["heron old"]
        row = await store.engine.read(lambda tx: tx.one("load_meta", {"name": "search_words"}))
        assert row == (WORDS_VERSION,)


@story
async def test_a_line_that_cannot_be_read_keeps_nothing_else_from_being_found(open_store):
    async with open_store() as store:
        await say(SessionTalk(store), "heron one", "heron two")

        def damage(tx):
            tx._connection.execute("UPDATE entries SET line = '{' WHERE seq = 1")

        await store.engine.write(damage)
        assert await find(store, "heron") == ["heron two"]
