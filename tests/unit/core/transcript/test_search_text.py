"""Which words of an entry are found, and what a person's query asks of the index (SEARCH-1…3)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from instar.core.model.entry import (
    ZERO_USAGE,
    AssistantMessage,
    CompactionEntry,
    ImageBlock,
    MessageEntry,
    OtherMessage,
    TextBlock,
    ThinkingBlock,
    ToolCall,
    ToolResultMessage,
    UserMessage,
)
from instar.core.model.ids import EntryId
from instar.core.transcript.search_text import (
    QUERY_WORDS_MAX,
    build_search_query,
    fold_text,
    indexed_text,
    is_spaceless,
    search_role,
    search_words,
    split_query,
)


def entry(message):
    return MessageEntry(id=EntryId("00000001"), parent_id=None, timestamp=None, message=message)


def assistant(*content):
    return AssistantMessage(
        content=content, api="x", provider="p", model="m", usage=ZERO_USAGE, stop_reason="stop", timestamp=None
    )


def test_words_of_people_and_of_the_agent_are_indexed():
    said = entry(UserMessage(content="shall we?", timestamp=None))
    answered = entry(assistant(TextBlock(text="Yes."), TextBlock(text="At six.")))
    assert (search_role(said), indexed_text(said)) == ("user", "shall we?")
    assert (search_role(answered), indexed_text(answered)) == ("assistant", "Yes.\nAt six.")


def test_thinking_calls_images_and_results_are_not():
    hidden = assistant(
        ThinkingBlock(thinking="a secret thought"), ToolCall(id="1", name="exec", arguments={"command": "ls"})
    )
    result = ToolResultMessage(
        tool_call_id="1", tool_name="exec", content=(TextBlock(text="files"),), is_error=False, timestamp=None
    )
    picture = UserMessage(content=(ImageBlock(data="aaaa", mime_type="image/png"),), timestamp=None)
    assert indexed_text(entry(hidden)) == ""
    assert indexed_text(entry(picture)) == ""
    assert (search_role(entry(result)), indexed_text(entry(result))) == ("", "")
    assert indexed_text(entry(OtherMessage(role="custom", raw={"content": "a notice"}))) == ""


def test_summaries_are_not_what_somebody_said():
    summary = CompactionEntry(
        id=EntryId("00000002"),
        parent_id=None,
        timestamp=None,
        summary="what was",
        first_kept_id=EntryId("00000001"),
        tokens_before=1,
    )
    assert (search_role(summary), indexed_text(summary)) == ("", "")


@pytest.mark.parametrize(
    ("text", "folded"),
    [
        ("Hello World", "hello world"),
        ("Café", "cafe"),
        ("Cafe\u0301", "cafe"),
        ("ÅNGSTRÖM", "angstrom"),
        ("Straße", "strasse"),
        ("Łódź", "lodz"),
        ("Ωμέγα", "ωμεγα"),
        ("Ёлка", "елка"),
        ("\uff28\uff45\uff4c\uff4c\uff4f", "hello"),
        ("\uff76\uff9e", "ガ"),
        ("がか", "がか"),
        ("한국어", "한국어"),
        ("हिन्दी", "हिन्दी"),
    ],
)
def test_case_accents_and_width_do_not_count(text, folded):
    assert fold_text(text) == folded


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Plain words.", "plain words."),
        ("?!…", ""),
        ("...", ""),
        ("", ""),
        ("é", "e"),
        ("in 北京烤鸭 style", "in  北京 京烤 烤鸭 北 京 烤 鸭  style"),
        ("用Python写", " 用 python 写 "),
        ("北京,上海", " 北京 北 京 , 上海 上 海 "),
    ],
)
def test_the_index_keeps_pairs_of_scripts_without_blanks(text, words):
    assert search_words(text) == words


@pytest.mark.parametrize(
    ("query", "expression"),
    [
        ("Two words", '"two" "words"'),
        ("twice twice", '"twice"'),
        ("北京", '"北京"'),
        ("天气很好", '"天气 气很 很好"'),
        ("京", '"京"'),
        ("Shanghai上海", '"shanghai" "上海"'),
        ("e-mail", '"e-mail"'),
        ('say "hi" there', '"say" " hi " "there"'),
        ("a OR b", '"a" "or" "b"'),
        ("NEAR(a b, 3)", '"near(a" "b," "3)"'),
        ("words:x ^y -z +w (v)", '"words:x" "^y" "-z" "+w" "(v)"'),
        ("half\0way", '"half" "way"'),
        ('"', None),
        ("* - ()", None),
        ("   ", None),
    ],
)
def test_a_query_is_words_and_never_operators(query, expression):
    assert build_search_query(query) == expression


def test_only_so_many_words_of_a_query_count():
    query = " ".join(f"w{n}" for n in range(QUERY_WORDS_MAX + 10))
    assert len(split_query(query)) == QUERY_WORDS_MAX


def test_scripts_without_blanks_are_known():
    assert all(map(is_spaceless, "北ひカ한ไ"))
    assert not any(map(is_spaceless, "aйد1 "))


@given(st.text())
def test_folding_twice_is_folding_once_for_words(text):
    words = split_query(text)
    assert split_query(" ".join(words)) == words


@given(st.text())
def test_an_expression_is_a_row_of_strings(query):
    expression = build_search_query(query)
    if expression is not None:
        inside = expression.split('"')
        assert expression.count('"') % 2 == 0
        assert all(not outside.strip() for outside in inside[::2])
