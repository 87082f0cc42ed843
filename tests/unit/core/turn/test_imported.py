from instar.core.model.entry import (
    AssistantMessage,
    CompactionEntry,
    Header,
    MessageEntry,
    ModelChangeEntry,
    TextBlock,
    ThinkingLevelEntry,
    Usage,
    UserMessage,
)
from instar.core.model.ids import AgentId, EntryId, Instant, SessionId, SessionKey
from instar.core.model.session import Overrides
from instar.core.turn.imported import build_imported_session, find_unknown_level, read_level

KEY = SessionKey("agent:main:explicit:old")


def build(header_time, *entries):
    header = Header(id=SessionId("s1"), timestamp=header_time)
    return build_imported_session(header, entries, key=KEY, agent_id=AgentId("main"))


def ask(number, at, parent=None):
    message = UserMessage(content="  hello \n world ", timestamp=at)
    return MessageEntry(id=EntryId(str(number)), parent_id=parent, timestamp=at, message=message)


def answer(number, at, parent, *, tokens=7):
    message = AssistantMessage(
        content=(TextBlock(text="hi"),),
        api="a",
        provider="anthropic",
        model="opus",
        usage=Usage(input=tokens, output=2),
        stop_reason="stop",
        timestamp=at,
    )
    return MessageEntry(id=EntryId(str(number)), parent_id=parent, timestamp=at, message=message)


def test_a_session_is_as_old_as_its_words():
    session = build(Instant(5), ask(1, Instant(10)), answer(2, Instant(20), "1"))
    times = session.lifecycle
    assert (session.key, session.agent_id, session.session_id) == (KEY, "main", "s1")
    assert (times.started_at, times.last_interaction_at, times.updated_at, times.last_activity_at) == (5, 10, 20, 20)
    assert session.naming.first_words == "hello world"


def test_what_was_spent_and_what_answered_is_taken_over():
    compaction = CompactionEntry(
        id=EntryId("3"),
        parent_id=EntryId("2"),
        timestamp=None,
        summary="s",
        first_kept_id=EntryId("1"),
        tokens_before=1,
    )
    thinking = ThinkingLevelEntry(id=EntryId("4"), parent_id=EntryId("3"), timestamp=None, thinking_level="high")
    model = ModelChangeEntry(id=EntryId("5"), parent_id=EntryId("4"), timestamp=None, provider="openai", model_id="o9")
    session = build(None, ask(1, Instant(1)), answer(2, Instant(2), "1"), compaction, thinking, model)
    counters = session.counters
    assert (counters.input_tokens, counters.output_tokens, counters.compaction_count) == (7, 2, 1)
    assert (counters.model_provider, counters.model, session.overrides.thinking_level) == ("openai", "o9", "high")
    assert session.lifecycle.started_at == 1


def test_a_file_without_words_or_times_invents_none():
    assert build(Instant(5)).lifecycle.updated_at == 5
    bare = build(None, ask(1, None)).lifecycle
    assert (bare.started_at, bare.last_interaction_at, bare.updated_at) == (None, None, None)


def test_thinking_words_of_another_program_come_as_levels_and_unknown_ones_are_left_out():
    def thinking(word):
        return (ThinkingLevelEntry(id=EntryId("1"), parent_id=None, timestamp=None, thinking_level=word),)

    assert build(None, *thinking("on")).overrides == Overrides(thinking_level="low")
    assert build(None, *thinking("stream")).overrides == Overrides(thinking_level="low", reasoning_level="stream")
    assert build(None, *thinking("banana")).overrides == Overrides()
    own = Overrides(thinking_level="stream", reasoning_level="off")
    assert read_level(own) == Overrides(thinking_level="low", reasoning_level="off")
    assert [find_unknown_level(thinking(word)) for word in ("on", "banana", "")] == [None, "banana", None]
    assert find_unknown_level(()) is None
