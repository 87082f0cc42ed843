"""A session as a document for programs and for people."""

import json
import re
from dataclasses import replace
from html.parser import HTMLParser

from hypothesis import given
from hypothesis import strategies as st

from instar.core.model.entry import Header
from instar.core.transcript.codec import format_entry, format_header
from instar.core.transcript.export import SessionExport, build_document, build_lines, render_html, render_markdown
from tests.builders.transcript_strategies import entries as some_entries
from tests.builders.transcripts import START, Branch, assistant, call, image, other, result, text, user

HEADER = Header(id="s1", timestamp=START, cwd="")


def conversation():
    branch = Branch()
    branch.message(user("read a", at=START + 5))
    branch.message(assistant("sure", call("c1", "read", {"path": "a"})))
    branch.message(result("c1", "hello"))
    branch.model_change("openai", "gpt-6")
    branch.thinking_level("high")
    branch.compaction("e1", "short")
    branch.branch_summary("a try")
    branch.custom_message("by the way")
    branch.custom("plugin", {"x": 1})
    branch.message(other("bashExecution", command="ls", output="b"))
    return branch.entries


def export(entries=None, **changes):
    made = SessionExport(
        key="agent:main:main",
        session_id="s1",
        agent_id="main",
        exported_at=START,
        header=HEADER,
        entries=tuple(conversation() if entries is None else entries),
        row={"label": "home"},
        title="At home",
    )
    return replace(made, **changes)


def test_document_names_the_session_and_holds_every_line():
    document = build_document(export())

    assert {name: document[name] for name in ("format", "version", "exportedAt", "key", "sessionId", "agentId")} == {
        "format": "instar-session",
        "version": 1,
        "exportedAt": START,
        "key": "agent:main:main",
        "sessionId": "s1",
        "agentId": "main",
    }
    assert document["entry"] == {"label": "home"}
    assert document["header"] == format_header(HEADER)
    assert document["entries"] == [format_entry(entry) for entry in conversation()]
    assert json.loads(json.dumps(document)) == document


def test_document_lists_messages_with_their_words():
    assert build_document(export())["messages"] == [
        {"id": "e0", "role": "user", "timestamp": START + 5, "text": "read a"},
        {"id": "e1", "role": "assistant", "timestamp": START + 1000, "text": "sure"},
        {
            "id": "e2",
            "role": "toolResult",
            "timestamp": START + 2000,
            "text": "hello",
            "toolName": "read",
            "toolCallId": "c1",
        },
        {"id": "e9", "role": "bashExecution", "timestamp": START + 9000, "text": "ls\nb"},
    ]


def test_document_of_a_session_without_header_says_so():
    assert build_document(export(header=None))["header"] is None


def test_lines_are_the_transcript_file():
    assert list(build_lines(HEADER, conversation())) == [
        format_header(HEADER),
        *(format_entry(entry) for entry in conversation()),
    ]
    assert list(build_lines(None, [])) == []


def test_markdown_tells_the_session_in_order():
    told = render_markdown(export())

    assert told.startswith("# At home\n\n- Session key: `agent:main:main`\n- Session id: `s1`\n")
    assert re.findall(r"^## (.*?)(?: ·|$)", told, re.MULTILINE) == [
        "User",
        "Assistant",
        "Result of read",
        "Model",
        "Thinking",
        "Summary of what came before",
        "Summary of a branch that was left",
        "Note (note)",
        "bashExecution",
    ]
    assert "## User · 2026-03-10T12:00:00.005Z\n\nread a\n" in told
    assert 'Call of `read`:\n\n```\n{\n  "path": "a"\n}\n```\n' in told
    assert "```\nhello\n```" in told
    assert "openai/gpt-6" in told


def test_markdown_fence_is_longer_than_any_in_the_words():
    told = render_markdown(export([*_one(result("c", "a\n`````\nb"))]))

    assert "``````\na\n`````\nb\n``````" in told


def test_failed_result_and_answer_say_so():
    failed = [
        *_one(result("c", "no", is_error=True)),
        *_one(replace(assistant(), error_message="cut off")),
        *_one(replace(assistant("half"), error_message="cut off")),
    ]

    told = render_markdown(export(failed))

    assert "## Result of read (failed)" in told
    assert "\n\n[cut off]\n" in told
    assert "half\n\n[cut off]" in told


def test_images_are_counted():
    told = render_markdown(export([*_one(user([text("look"), image(), image()])), *_one(result("c", image()))]))

    assert "look\n\n[2 images]" in told
    assert "[1 image]" in told


def test_session_without_title_is_called_by_its_key_and_times_may_be_missing():
    entries = [replace(conversation()[3], timestamp=None)]

    told = render_markdown(export(entries, title="", header=None))

    assert told.startswith("# agent:main:main\n")
    assert "Began" not in told
    assert "## Model\n" in told
    assert "<time>" not in render_html(export(entries, header=None))


def test_message_of_an_unknown_role_has_a_heading():
    assert "## Message" in render_markdown(export(_one(other(""))))


def test_heading_stays_on_one_line():
    told = render_markdown(export([*_one(result("c", "x", name="a\n# b"))], title="x\n# y"))

    assert told.startswith("# x # y\n")
    assert "## Result of a # b" in told


class Page(HTMLParser):
    """The tags and words of a page."""

    def __init__(self, page):
        super().__init__()
        self.tags, self.words = [], []
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        assert not [name for name, _ in attrs if name.startswith("on") or name in {"src", "href"}]

    def handle_data(self, data):
        self.words.append(data)


OWN_TAGS = {
    *("html", "head", "meta", "title", "style", "body", "h1", "dl", "dt", "dd"),
    *("section", "h2", "time", "div", "details", "summary", "pre"),
}


def test_page_shows_words_calls_and_results():
    page = Page(render_html(export()))

    for words in ("At home", "agent:main:main", "read a", "sure", "hello", "short", "output"):
        assert words in page.words
    assert set(page.tags) <= OWN_TAGS


def test_nothing_in_a_session_becomes_markup():
    attack = "<script>alert(1)</script><img src=x onerror=alert(1)>\"'&"

    hostile = [
        *_one(user(attack)),
        *_one(assistant(attack, call("c", attack, {attack: attack}))),
        *_one(result("c", attack, name=attack)),
        *_one(other(attack, content=attack)),
    ]
    rendered = render_html(export(hostile, title=attack, key=attack))

    page = Page(rendered)
    assert set(page.tags) <= OWN_TAGS
    assert "<script" not in rendered
    assert attack in page.words


@given(entries=st.lists(some_entries, max_size=5))
def test_every_session_can_be_exported_in_every_form(entries):
    made = export(entries)

    assert json.dumps(build_document(made))
    assert render_markdown(made).startswith("# At home")
    assert set(Page(render_html(made)).tags) <= OWN_TAGS


def _one(message):
    branch = Branch()
    branch.message(message)
    return branch.entries
