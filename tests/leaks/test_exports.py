"""What the scripts let an export of somebody hold, what the owner may keep, and what neither may (LEAK-11)."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from instar.testing.leaks.disk import look_at_export
from instar.testing.leaks.people import Cast, Circle, Person, Words
from instar.testing.simulate.dice import Dice

ANN = Person(name="znaaaaaaaaaa", addresses=(("slack", "ziaaaaaaaaaa"),), is_linked=False)
BOB = Person(name="znbbbbbbbbbb", addresses=(("slack", "zibbbbbbbbbb"),), is_linked=False)
GROUP: Circle = ("among", "slack -100")
MAIN: Circle = ("shared", "main")


def _cast(dm_scope: str) -> Cast:
    return Cast(
        people=(ANN, BOB), groups=(), dm_scope=dm_scope, work=None, window_tokens=8192, is_sealed=False, config={}
    )


def _look(tmp_path: Path, name: str, line: dict[str, object], words: Words, *, dm_scope: str = "main") -> list[str]:
    path = tmp_path / name
    path.write_bytes(json.dumps(line, separators=(",", ":")).encode() + b"\n")
    return list(look_at_export(path, words, ANN, _cast(dm_scope)))


@pytest.mark.parametrize("role", ["user", "assistant"])
def test_others_words_stand_beside_theirs_in_an_answer_alone(tmp_path: Path, role: str) -> None:
    words = Words(Dice(1))
    line: dict[str, object] = {"role": role, "content": f"{words.of(ANN, GROUP)} {words.of(BOB, GROUP)}"}
    assert len(_look(tmp_path, "a.jsonl", line, words)) == (role == "user")


def test_an_answer_holds_no_words_of_a_place_where_they_said_nothing(tmp_path: Path) -> None:
    words = Words(Dice(1))
    line: dict[str, object] = {"role": "assistant", "content": f"{words.of(ANN, GROUP)} {words.of(BOB, MAIN)}"}
    assert len(_look(tmp_path, "a.jsonl", line, words)) == 1


@pytest.mark.parametrize(
    ("whose", "circle", "dm_scope", "is_found"),
    [
        (ANN, MAIN, "main", False),
        (BOB, MAIN, "main", True),
        (ANN, GROUP, "main", True),
        (ANN, MAIN, "per-peer", True),
    ],
    ids=["theirs", "another's", "of a group", "of a session of their own"],
)
def test_a_reply_that_was_sent_to_them_holds_what_is_said_in_their_session(
    tmp_path: Path, whose: Person, circle: Circle, dm_scope: str, is_found: bool
) -> None:
    words = Words(Dice(1))
    ((channel, peer),) = whose.addresses
    row: dict[str, object] = {"target": {"channel": channel, "to": peer}, "text": words.of(BOB, circle)}
    assert bool(_look(tmp_path, "outbox.jsonl", row, words, dm_scope=dm_scope)) == is_found
    assert _look(tmp_path, "other.jsonl", row, words, dm_scope=dm_scope) != []


def test_what_the_owner_repeated_of_somebody_may_stay_and_their_other_words_may_not() -> None:
    words = Words(Dice(1))
    repeated, other = words.of(ANN, MAIN), words.of(ANN, GROUP)
    words.of(BOB, MAIN)
    words.repeated.add(repeated)
    assert (words.is_repeated(ANN), words.is_repeated(BOB)) == (True, False)
    words.forget(ANN, named=frozenset({"a.jsonl"}))
    assert words.erased == {other: frozenset({"a.jsonl"})}
    assert not words.is_repeated(ANN)
