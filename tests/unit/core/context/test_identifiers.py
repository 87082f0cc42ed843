"""Identifiers of the latest turns are looked for in the summary."""

import pytest

from instar.core.context.identifiers import IDENTIFIER_LIMIT, extract_identifiers, find_missing
from instar.core.transcript.repair import PlacedMessage
from tests.builders.transcripts import assistant, call, result, user


def extract(*messages):
    return extract_identifiers([PlacedMessage(entry_id="e", message=message) for message in messages])


@pytest.mark.parametrize(
    ("words", "identifiers"),
    [
        ("see https://example.com/a?b=1.", {"https://example.com/a?b=1"}),
        ("commit 0884704a is good", {"0884704a"}),
        ("id d703a1a9-1b7b-4fb1-b512-c9738b1fe617 ok", {"d703a1a9-1b7b-4fb1-b512-c9738b1fe617"}),
        ("on db.internal:5432 now", {"db.internal:5432"}),
        ("edit /etc/hosts and ~/notes/a.md", {"/etc/hosts", "~/notes/a.md"}),
        ("open src/app/main.py or README.md", {"src/app/main.py", "README.md"}),
        ("host api.example.com", {"api.example.com"}),
        ("fix ABC-123 and #42", {"ABC-123", "#42"}),
        ("order 1234567", {"1234567"}),
        ("and/or maybe, e.g. now. It is 12:3", set()),
        ("the deadbeefs and facades", set()),
        ("at 116:26 call self.name, this.ui or obj.method in Node.js", set()),
        ("vue.js and src/Vue.js", {"vue.js", "src/Vue.js"}),
        ("listen on localhost:8080", {"localhost:8080"}),
        ("ping 10.0.0.7 or 127.0.0.1:18789", {"10.0.0.7", "127.0.0.1:18789"}),
    ],
)
def test_identifiers_of_all_kinds_are_found(words, identifiers):
    assert set(extract(user(words))) == identifiers


def test_tool_calls_count_and_tool_results_do_not():
    found = extract(
        user("go"), assistant("ok", call("1", "read", {"path": "a/b.txt", "limit": 1234567})), result("1", "c/d.txt")
    )

    assert found == ("a/b.txt",)


def test_newest_stand_first_and_no_more_than_the_limit_are_asked_for():
    found = extract(*(user(f"file{number}.txt") for number in range(2)), user(" ".join(f"f{n}.md" for n in range(20))))

    assert len(found) == IDENTIFIER_LIMIT
    assert found[0] == "f19.md"


def test_only_the_latest_turns_are_looked_at():
    turns = [message for name in "abcd" for message in (user(f"{name}.txt"), assistant(f"{name}.md"))]

    assert set(extract(*turns)) == {"b.txt", "b.md", "c.txt", "c.md", "d.txt", "d.md"}


def test_conversation_without_messages_has_none():
    assert extract() == ()


def test_identifier_must_be_in_the_summary_as_it_was():
    assert find_missing("Fixed in ABC-123, file A.txt", ["abc-123", "a.txt", "b.txt"]) == ("b.txt",)


def test_hostile_text_is_scanned_quickly():
    assert extract(user("a." * 500_000), assistant("/" * 500_000)) is not None
