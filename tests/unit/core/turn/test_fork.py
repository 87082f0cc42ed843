"""How a thread begins: with the branch above it, whole and paired, or empty with a reason (KEY-18, TRANS-17)."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from instar.core.context.tokens import estimate_entry
from instar.core.model.ids import SessionId, SessionKey
from instar.core.routing.identity import IdentityGroup, Links
from instar.core.transcript.tree import branch_path
from instar.core.turn.fork import FORK_MAX_TOKENS, ThreadParent, decide_fork, find_obstacle, is_too_large
from instar.core.turn.recover import find_open_calls
from tests.builders.transcripts import Branch, call

KEY = SessionKey("agent:main:telegram:group:club")
PARENT = ThreadParent(key=KEY, session_id=SessionId("11111111-1111-4111-8111-111111111111"))
NOBODY = Links()


def branch(*words):
    tree = Branch()
    for word in words:
        tree.user(word)
    return tree


def fork_of(tree, **fields):
    return decide_fork(replace(PARENT, lines=tuple(tree.entries), **fields))


def ids(fork):
    return [entry.id for entry in fork.lines]


def test_a_thread_begins_with_its_parents_branch_and_the_ids_of_it():
    fork = fork_of(branch("one", "two"))
    assert (ids(fork), fork.session_id) == (["e0", "e1"], PARENT.session_id)
    assert [entry.parent_id for entry in fork.lines] == [None, "e0"]
    assert (fork.decision.kind, fork.decision.outcome, fork.decision.rule) == ("fork", "copied", "KEY-18")
    assert fork.decision.inputs == {"parent": KEY, "session_id": PARENT.session_id, "lines": 2, "tokens": 2}


def test_a_branch_without_its_beginning_gets_a_root():
    tree = branch("one", "two", "three")
    fork = decide_fork(replace(PARENT, lines=tuple(tree.entries[1:])))
    assert [(entry.id, entry.parent_id) for entry in fork.lines] == [("e1", None), ("e2", "e1")]


@pytest.mark.parametrize("tokens", [FORK_MAX_TOKENS, FORK_MAX_TOKENS + 1])
def test_a_branch_over_the_limit_is_not_copied(tokens):
    tree = branch("x" * 4 * (tokens - 1), "y")
    fork = fork_of(tree)
    is_over = tokens > FORK_MAX_TOKENS
    assert is_too_large(tree.entries) is is_over
    assert (fork.decision.outcome, len(fork.lines)) == (("too_large", 0) if is_over else ("copied", 2))
    assert (fork.session_id is None) is is_over
    if is_over:
        assert fork.decision.inputs == {"parent": KEY, "limit_tokens": FORK_MAX_TOKENS}


def test_the_end_of_a_large_branch_is_not_taken_for_a_small_one_when_its_open_call_is_left_out():
    tree = branch("hello")
    tree.assistant("x" * 4 * FORK_MAX_TOKENS, call("c1"))
    assert fork_of(tree, is_running=True).decision.outcome == "too_large"


@pytest.mark.parametrize("obstacle", ["not_shared", "shut"])
def test_an_obstacle_leaves_the_thread_empty_and_is_told(obstacle):
    fork = fork_of(branch("secret"), obstacle=obstacle)
    assert (fork.decision.outcome, fork.lines, fork.session_id) == (obstacle, (), None)
    assert fork.decision.inputs == {"parent": KEY}


def test_nothing_above_needs_no_word():
    assert fork_of(Branch()) is None


def test_what_a_running_turn_waits_for_is_left_out_from_the_call_on():
    tree = branch("look there")
    tree.assistant(call("c1"), call("c2"))
    tree.result("c1", "seen")
    tree.user("meanwhile")
    tree.assistant("an answer of a turn beside it")
    assert ids(fork_of(tree, is_running=True)) == ["e0"]


def test_a_running_turn_with_all_its_results_is_taken_along_so_far():
    tree = branch("look there")
    tree.assistant(call("c1"))
    tree.result("c1", "seen")
    tree.assistant("I have seen it")
    assert ids(fork_of(tree, is_running=True)) == ["e0", "e1", "e2", "e3"]


def test_a_running_turn_that_has_only_called_leaves_nothing():
    tree = Branch()
    tree.assistant(call("c1"))
    assert fork_of(tree, is_running=True) is None


def test_a_call_that_nobody_waits_for_is_copied_like_the_rest():
    tree = branch("look there")
    tree.assistant(call("c1"))
    tree.user("and then?")
    assert ids(fork_of(tree)) == ["e0", "e1", "e2"]


STEPS = st.lists(st.sampled_from(["user", "answer", "call", "result", "compaction"]), max_size=12)


@given(steps=STEPS, size=st.integers(0, 40_000), is_running=st.booleans())
def test_a_fork_is_a_whole_beginning_of_the_branch_with_calls_and_results_paired(steps, size, is_running):
    tree, calls = Branch(), 0
    for step in steps:
        match step:
            case "user":
                tree.user("x" * size)
            case "answer":
                tree.assistant("fine")
            case "call":
                calls += 1
                tree.assistant(call(f"c{calls}"))
            case "result":
                tree.result(f"c{calls}", "done")
            case _:
                tree.compaction(tree.entries[0].id if tree.entries else "none")
    fork = fork_of(tree, is_running=is_running)
    tokens = sum(map(estimate_entry, tree.entries))
    if fork is None:
        assert not tree.entries or (is_running and find_open_calls(tree.entries))
        return
    assert (fork.decision.outcome == "too_large") is (tokens > FORK_MAX_TOKENS)
    assert list(fork.lines) == tree.entries[: len(fork.lines)]
    if fork.lines:
        assert branch_path(fork.lines, fork.lines[-1].id).missing_parent_id is None
    if is_running:
        assert not find_open_calls(fork.lines)
    elif tokens <= FORK_MAX_TOKENS:
        assert len(fork.lines) == len(tree.entries)


@pytest.mark.parametrize(
    ("above", "owner", "parent_owner", "obstacle"),
    [
        ("agent:main:telegram:group:club", None, None, None),
        ("agent:main:telegram:group:club", "telegram:ann", None, None),
        ("agent:main:main", None, None, None),
        ("agent:main:main", "carol", None, None),
        ("agent:main:telegram:direct:42", "telegram:42", "telegram:42", None),
        ("agent:main:telegram:work:direct:42", "telegram:42", "telegram:42", None),
        # By its key it is the peer's, whoever has opened it.
        ("agent:main:telegram:direct:42", "carol", "telegram:42", None),
        ("agent:main:direct:alice", "alice", "alice", None),
        ("agent:main:direct:alice", "telegram:alice", "alice", "not_shared"),
        ("agent:main:direct:42", "telegram:42", "slack:42", "not_shared"),
        ("agent:main:dashboard:d1", "carol", "carol", None),
        ("agent:main:dashboard:d1", "bob", "carol", "not_shared"),
        ("agent:main:dashboard:d1", "bob", None, "not_shared"),
        ("agent:main:dashboard:d1", None, "carol", "not_shared"),
    ],
)
def test_words_go_only_where_the_same_people_are(above, owner, parent_owner, obstacle):
    links = Links(groups=(IdentityGroup(name="alice", ids=("telegram:ann",)),))
    key = SessionKey(f"{above}:thread:7")
    found = find_obstacle(key, SessionKey(above), owner=owner, parent_owner=parent_owner, links=links)
    assert found == obstacle
