"""A whole OpenClaw state directory comes along, whatever state it is in (STORE-6, 7, 9, 12, KEY-15)."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from instar.config.config import parse_config
from instar.core.model.ids import Instant, SessionKey
from instar.core.model.query import SessionQuery
from instar.core.policy.erased import hash_id
from instar.core.transcript.text import message_text
from instar.errors import NotFound
from instar.stores.erased import Erased, keep_away
from instar.stores.openclaw.carry import import_state
from instar.stores.openclaw.index import read_index
from tests.builders.openclaw import OpenClawState, digest_tree, draw_state, message_line, session_id, transcript_lines
from tests.builders.store import NOW, file_store

MAIN = "agent:main:main"


@pytest.fixture
def old(tmp_path: Path) -> OpenClawState:
    return OpenClawState(tmp_path / "old")


def config_of(state: Path):
    return parse_config({}, env={}, state_dir=state, home=state.parent)


def bring(old: OpenClawState, *, look=None, dry=False, state: Path | None = None):
    """Import into a store beside; the report, and what `look` saw in the store."""
    state = state or old.root.parent / "new"

    async def story():
        async with file_store(state / "instar.db")() as store:
            report = await import_state(old.root, store, config_of(state), now=NOW, is_dry_run=dry)
            return report, await look(store) if look else None

    return asyncio.run(story())


async def texts_of(store, key: str) -> list[list[str]]:
    """The words of every life of a key, the current one first."""
    heads = await store.load_transcripts(SessionKey(key))
    pages = [await store.load_all_entries(head.session_id) for head in heads]
    return [
        [message_text(one.entry.message) for one in page.entries if hasattr(one.entry, "message")] for page in pages
    ]


def of(report, kind: str, status: str):
    return [item for item in report.items if (item.kind, item.status) == (kind, status)]


def test_sessions_come_with_their_words_and_settings(old: OpenClawState):
    old.add(MAIN, 1, "hello", "hi Ann", thinkingLevel="high", lastChannel="telegram", lastTo="42", unheardOf=[1])
    old.add("agent:main:telegram:group:-100", 2, "one", subject="Garden", room="#g", version=1)
    old.add("agent:main:telegram:dm:42", 3, "two", version=2)
    old.write_index()

    async def look(store):
        session = await store.load_session(SessionKey(MAIN))
        group = await store.load_session(SessionKey("agent:main:telegram:group:-100"))
        direct = await store.load_session(SessionKey("agent:main:telegram:direct:42"))
        return session, group, direct, await texts_of(store, MAIN), await texts_of(store, group.key)

    report, (session, group, direct, words, group_words) = bring(old, look=look)
    assert words == [["hello", "hi Ann"]]
    assert group_words == [["one"]]
    assert (session.overrides.thinking_level, session.delivery.to) == ("high", "42")
    assert session.extra == {"unheardOf": [1]}
    assert (group.naming.group_channel, group.naming.subject) == ("#g", "Garden")
    assert (direct.owner, direct.session_id) == ("telegram:42", session_id(3))
    assert len(of(report, "session", "imported")) == 3


def test_twice_adds_nothing_and_the_source_stays_as_it_was(old: OpenClawState):
    old.add(MAIN, 1, "hello", "hi")
    old.transcript(f"{session_id(9)}.jsonl.reset.2026-01-10T12-00-00.000Z", transcript_lines(9, "old words"))
    old.transcript(f"{session_id(8)}.jsonl.deleted.2026-01-10T12-00-00.000Z.zst", transcript_lines(8, "gone words"))
    old.file("workspace/MEMORY.md", "Ann likes tea")
    old.write_index()
    before = digest_tree(old.root)

    async def look(store):
        return (await store.describe())["sessions"]

    first, count = bring(old, look=look)
    again, recount = bring(old, look=look)
    assert digest_tree(old.root) == before
    assert count == recount == 3
    assert not [item for item in again.items if item.status in {"imported", "copied"}]
    assert len([item for item in again.items if item.status == "known"]) == 4
    assert len(of(first, "archive", "imported")) == 2


def test_a_dry_run_changes_nothing_and_says_the_same(old: OpenClawState):
    old.add(MAIN, 1, "hello")
    old.file("workspace/MEMORY.md", "x")
    old.write_index()

    async def look(store):
        return (await store.describe())["sessions"]

    report, count = bring(old, look=look, dry=True)
    assert count == 0
    assert len(of(report, "session", "would-import")) == len(of(report, "memory", "would-copy")) == 1
    assert not (old.root.parent / "new" / "workspace").exists()


@pytest.mark.parametrize("text", ["", "  \n", "\0\0\0\0", "[]", "null"])
def test_without_a_usable_index_every_transcript_still_comes(old: OpenClawState, text: str):
    old.add(MAIN, 1, "hello")
    old.write_index(text)

    async def look(store):
        return await texts_of(store, f"agent:main:explicit:imported-{session_id(1)}")

    report, words = bring(old, look=look)
    assert words == [["hello"]]
    assert of(report, "index", "damaged")


def test_an_index_that_was_cut_gives_what_can_be_made_out(old: OpenClawState):
    for number in (1, 2, 3):
        old.add(f"agent:main:telegram:direct:{number}", number, f"words {number}")
    text = old.write_index().read_text()
    old.write_index(text[: text.index(session_id(3)) + 5])

    async def look(store):
        return [await texts_of(store, f"agent:main:telegram:direct:{number}") for number in (1, 2, 3)]

    report, words = bring(old, look=look)
    assert words == [[["words 1"]], [["words 2"]], []]
    (damaged,) = [item for item in of(report, "index", "damaged") if item.line]
    assert damaged.line == text[: text.index("agent:main:telegram:direct:3")].count("\n") + 1


def test_a_damaged_entry_does_not_take_the_next_with_it():
    text = '{\n  "a": {"sessionId": "1"},\n  "b": {"sessionId": oops\n    "x": {}},\n  "c": {"sessionId": "3"}\n}'
    reading = read_index(text.encode())
    assert [(entry.key, entry.line) for entry in reading.entries] == [("a", 2), ("c", 5)]
    assert (3, "this entry cannot be read") in reading.problems


def test_an_index_with_comments_and_trailing_commas_is_read():
    reading = read_index(b"// mine\n{'agent:main:main': {sessionId: 'x', provider: 'telegram',},}\n")
    assert reading.entries[0].fields == {"sessionId": "x", "channel": "telegram"}
    assert not reading.problems


def test_of_two_keys_for_one_session_the_later_used_counts(old: OpenClawState):
    old.add("agent:main:Telegram:DM:42", 1, "newer", updatedAt=5)
    old.add("agent:main:telegram:direct:42", 2, "older", updatedAt=4)
    old.entry("agent:main:telegram:direct:43", 1, updatedAt=1)
    old.write_index()

    async def look(store):
        return await texts_of(store, "agent:main:telegram:direct:42")

    report, words = bring(old, look=look)
    assert words == [["newer"]]
    notes = [item.detail for item in of(report, "session", "noted")]
    assert any("means the same session" in note for note in notes)
    assert any("shares its transcript" in note for note in notes)
    assert all(item.line for item in of(report, "session", "noted"))
    # The words of the entry that gave way are not lost.
    assert [item.key for item in of(report, "transcript", "imported")] == [
        f"agent:main:explicit:imported-{session_id(2)}"
    ]


def test_gaps_of_the_later_used_entry_are_filled_with_the_settings_of_the_other(old: OpenClawState):
    newer, older, life = "agent:main:Telegram:DM:42", "agent:main:telegram:direct:42", {"inputTokens": 9}
    old.add(newer, 1, "newer", updatedAt=5, verboseLevel="off", modelOverride="small", providerOverride="p")
    settings = {"label": "Ann", "verboseLevel": "on", "thinkingLevel": "low", "elevatedLevel": "on", "archivedAt": 3}
    login = {"authProfileOverride": "work", "authProfileOverrideSource": "user"}
    route = {"lastChannel": "telegram", "lastTo": "42"}
    old.add(older, 2, "older", updatedAt=4, compactionCount=7, **settings, **login, **route, **life)
    old.entry("agent:main:dm:7", 3, updatedAt=5, label="Bo", sessionId="")
    old.add("agent:main:direct:7", 4, "of seven", updatedAt=4, **life)
    old.write_index()

    async def look(store):
        first = await store.load_session("agent:main:telegram:direct:42")
        return first, await store.load_session("agent:main:direct:7"), await texts_of(store, "agent:main:direct:7")

    _, (session, other, words) = bring(old, look=look)
    assert (session.session_id, session.naming.label, session.lifecycle.archived_at) == (session_id(1), "Ann", None)
    overrides = session.overrides
    assert (overrides.verbose_level, overrides.thinking_level, overrides.elevated_level) == ("off", "low", None)
    # A login belongs to the model that it was chosen for, counters to their life.
    assert (overrides.model_override, overrides.auth_profile_override) == ("small", None)
    assert (session.counters.input_tokens, session.counters.compaction_count) == (0, 0)
    assert (session.delivery.channel, session.delivery.to) == ("telegram", "42")
    # An entry that names no life has the only one there is.
    assert (other.session_id, other.naming.label, words, other.counters.input_tokens) == (
        session_id(4),
        "Bo",
        [["of seven"]],
        9,
    )


def test_half_a_last_line_and_lines_of_nonsense_are_named(old: OpenClawState):
    lines = transcript_lines(1, "one", "two")
    old.entry(MAIN, 1)
    old.transcript(f"{session_id(1)}.jsonl", [*lines[:2], "###", "", lines[2], '{"type":"mess'], tail="")
    old.write_index()

    async def look(store):
        return await texts_of(store, MAIN)

    report, words = bring(old, look=look)
    assert words == [["one", "two"]]
    assert [item.line for item in of(report, "session", "damaged")] == [3, 6]


def test_a_topic_has_its_own_file(old: OpenClawState):
    old.entry("agent:main:telegram:group:-100:topic:5", 1)
    old.transcript(f"{session_id(1)}-topic-5.jsonl", transcript_lines(1, "in topic"))
    old.write_index()

    async def look(store):
        return await texts_of(store, "agent:main:telegram:group:-100:topic:5")

    assert bring(old, look=look)[1] == [["in topic"]]


def test_links_and_paths_that_lead_out_are_refused_and_named(old: OpenClawState):
    secret = old.root.parent / "secret.jsonl"
    secret.write_text("\n".join(transcript_lines(7, "secret")))
    old.entry(MAIN, 1, sessionFile="../../../../secret.jsonl")
    old.entry("agent:main:telegram:direct:2", 2)
    (old.sessions / f"{session_id(2)}.jsonl").symlink_to(secret)
    (old.root / "workspace").symlink_to("/etc")
    old.write_index()

    async def look(store):
        return [await texts_of(store, key) for key in (MAIN, "agent:main:telegram:direct:2")]

    report, words = bring(old, look=look)
    assert words == [[[]], [[]]]
    refused = of(report, "path", "refused")
    assert {item.source.rpartition("/")[2] for item in refused} == {
        "workspace",
        f"{session_id(2)}.jsonl",
        "sessions.json",
    }
    assert [item.line for item in refused if item.source.endswith("sessions.json")] == [2]


@pytest.mark.parametrize(
    ("fields", "key"),
    [
        ({"channel": "telegram"}, "agent:main:telegram:group:-100"),
        ({"origin": {"provider": "tg"}, "lastChannel": "slack"}, "agent:main:telegram:group:-100"),
        ({"lastChannel": "slack"}, "agent:main:slack:group:-100"),
        ({"deliveryContext": {"channel": "irc"}}, "agent:main:irc:group:-100"),
        ({"channel": " ", "lastChannel": 5}, "agent:main:group:-100"),
    ],
)
def test_a_group_of_old_that_names_no_channel_is_of_the_one_that_its_entry_names(old: OpenClawState, fields, key):
    """KEY-14"""
    old.entry("group:-100", 1, **fields)
    old.transcript(f"{session_id(1)}.jsonl", transcript_lines(1, "hello"))
    old.write_index()

    async def look(store):
        return await texts_of(store, key)

    assert bring(old, look=look)[1] == [["hello"]]


def test_blank_lines_are_told_and_damage_nothing(old: OpenClawState):
    """STORE-6: counted and reported with line numbers, beside the lines that cannot be read."""
    lines = transcript_lines(1, "one", "two")
    old.entry(MAIN, 1)
    old.transcript(f"{session_id(1)}.jsonl", [lines[0], "", " ", lines[1], "{", lines[2]])
    old.write_index()

    async def look(store):
        return await texts_of(store, MAIN)

    report, words = bring(old, look=look)
    assert words == [["one", "two"]]
    assert [(item.line, item.detail) for item in of(report, "session", "noted")] == [
        (2, "2 lines from here on are blank. Nothing was left out.")
    ]
    assert 5 in [item.line for item in of(report, "session", "damaged")]


def test_what_lies_under_a_key_of_memory_comes_under_one_where_it_is_found(old: OpenClawState):
    old.add("agent:main:dashboard:incognito-x", 1, "in the list")
    old.write_index()
    old.file("sessions/agent%3Amain%3Aincognito-y/session.json", json.dumps({"sessionId": session_id(2)}))
    old.file("sessions/agent%3Amain%3Aincognito-y/transcript.jsonl", "\n".join(transcript_lines(2, "in a folder")))
    keys = [f"agent:main:explicit:imported-{session_id(number)}" for number in (1, 2)]

    async def look(store):
        return [await texts_of(store, key) for key in keys], (await store.list_sessions(SessionQuery())).total

    report, seen = bring(old, look=look)
    assert seen == ([[["in the list"]], [["in a folder"]]], 2)
    assert [item.key for item in of(report, "session", "noted")] == keys


def test_the_layout_with_one_folder_per_key_is_read(old: OpenClawState):
    old.file("sessions/telegram%3A42/session.json", json.dumps({"sessionId": session_id(1), "label": "tea"}))
    old.file("sessions/telegram%3A42/transcript.jsonl", "\n".join(transcript_lines(1, "hello")))

    async def look(store):
        (session,) = await store.find_sessions(label="tea")
        return session.key, await texts_of(store, session.key)

    assert bring(old, look=look)[1] == (MAIN, [["hello"]])


def test_a_copied_file_with_the_id_of_another_loses_no_words(old: OpenClawState):
    old.add(MAIN, 1, "hello")
    other = [transcript_lines(1)[0], message_line(0x999, "other words")]
    old.transcript(f"{session_id(1)}.jsonl.bak.2026-01-10T12-00-00.000Z", other)
    old.write_index()

    async def look(store):
        return await texts_of(store, f"agent:main:explicit:imported-{session_id(1)}")

    report, words = bring(old, look=look)
    assert words == [["other words"]]
    assert any("another transcript has the id" in item.detail for item in report.items)
    assert len([item for item in bring(old)[0].items if item.status == "known"]) == 2


def test_memory_that_differs_stays_and_is_named(old: OpenClawState):
    old.file("workspace/MEMORY.md", "theirs")
    old.file("workspace/memory/2026-01-01.md", "a day")
    old.file("workspace/photo.png", "no memory")
    mine = old.root.parent / "new" / "workspace" / "MEMORY.md"
    mine.parent.mkdir(parents=True)
    mine.write_text("mine")
    report, _ = bring(old)
    assert mine.read_text() == "mine"
    assert (mine.parent / "memory" / "2026-01-01.md").read_text() == "a day"
    assert [item.status for item in report.items if item.kind == "memory"] == ["kept", "copied", "noted"]


def test_a_label_that_is_taken_is_told_and_stops_nothing(old: OpenClawState):
    old.add("agent:main:telegram:direct:1", 1, "a", label="tea")
    old.add("agent:main:telegram:direct:2", 2, "b", label="tea")
    old.write_index()
    report, _ = bring(old)
    assert len(of(report, "session", "imported")) == 2
    assert "label 'tea' is taken" in of(report, "session", "noted")[0].detail


def test_what_is_no_directory_is_refused(old: OpenClawState):
    with pytest.raises(NotFound, match="no directory"):
        asyncio.run(import_state(Path("/nowhere/x"), None, config_of(old.root), now=NOW, is_dry_run=True))


# --- drawn directories ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(20))
def test_of_a_drawn_directory_every_word_comes_once_and_twice_adds_nothing(tmp_path: Path, seed: int):
    old, words = draw_state(tmp_path / "old", seed)
    before = digest_tree(old.root)

    async def look(store):
        keys = await store.engine.read(lambda tx: tx.all("list_keys", {"after": "", "limit": 1000}))
        found = [text for (key,) in keys for texts in await texts_of(store, key) for text in texts]
        return sorted(found), await store.describe()

    foreseen, _ = bring(old, dry=True, state=tmp_path / "dry")
    first, (found, count) = bring(old, look=look)
    again, (found_again, count_again) = bring(old, look=look)
    assert set(found) == words
    assert len(found) == len(words)
    assert (found_again, count_again["sessions"]) == (found, count["sessions"])
    assert not [item for item in again.items if item.status in {"imported", "copied"}]
    assert digest_tree(old.root) == before
    told = [(item.kind, item.source, item.key) for item in first.items if item.status in {"imported", "copied"}]
    assert [
        (item.kind, item.source, item.key) for item in foreseen.items if item.status in {"would-import", "would-copy"}
    ] == told


def test_whoever_was_erased_does_not_come_along_and_everybody_else_does(old: OpenClawState, tmp_path: Path):
    old.add("agent:main:telegram:dm:42", 1, "my word is zebra-4471")
    old.add("agent:main:telegram:dm:43", 2, "mine is panda-9001")
    old.write_index()
    state = tmp_path / "new"

    async def erase() -> None:
        async with file_store(state / "instar.db")() as store:
            gone = [Erased(hash=hash_id("telegram:42", salt="s"), salt="s", at=Instant(NOW + 10**12))]
            await store.engine.write(lambda tx: keep_away(tx, gone))

    asyncio.run(erase())
    report, said = bring(old, look=lambda store: texts_of(store, "agent:main:telegram:direct:43"), state=state)
    (refused,) = of(report, "session", "refused")
    assert "somebody who was erased" in refused.detail
    assert said == [["mine is panda-9001"]]


def test_thinking_words_of_an_entry_are_read_and_unknown_ones_are_told(old: OpenClawState):
    old.add(MAIN, 1, "hello", thinkingLevel="banana")
    old.add("agent:main:telegram:dm:7", 2, "hi", thinkingLevel="stream")
    old.write_index()

    async def look(store):
        return {one.key: one.overrides for one in (await store.list_sessions(SessionQuery())).sessions}

    report, found = bring(old, look=look)
    levels = {(one.thinking_level, one.reasoning_level) for one in found.values()}
    assert levels == {(None, None), ("low", "stream")}
    assert [one.detail for one in of(report, "session", "noted")] == [
        "the thinking level 'banana' is none; the session has none now"
    ]
