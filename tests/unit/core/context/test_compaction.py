"""When a context is made smaller, and the plan for it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from instar.core.context.build import build_view
from instar.core.context.compaction import (
    CompactionPlan,
    CompactionSettings,
    decide_bytes,
    decide_threshold,
    effective_keep,
    effective_reserve,
    list_summary_refs,
    plan_compaction,
    without_oversized,
)
from instar.core.context.files import FileLists
from instar.core.context.pins import PIN_TYPE, build_pin_data
from tests.builders.transcripts import Branch, assistant, call

SETTINGS = CompactionSettings()


def words(tokens):
    return "x" * (4 * tokens)


def ids(messages):
    return [placed.entry_id for placed in messages]


def plan(branch, *, keep=100, reason="threshold", settings=SETTINGS, **more):
    view = build_view(branch.entries)
    return plan_compaction(view, settings, window_tokens=200_000, reason=reason, keep_tokens=keep, **more)


def talk(turns=3, tokens=100):
    branch = Branch()
    for _ in range(turns):
        branch.user(words(tokens))
        branch.assistant(words(tokens))
    return branch


# --- who writes it ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("named", "meant"),
    [
        ({}, ()),
        ({"model": "small"}, ("small",)),
        ({"provider": "home"}, ("home/gpt",)),
        ({"provider": "home", "model": "small"}, ("home/small", "small")),
    ],
)
def test_a_provider_goes_in_front_of_the_model_for_summaries_or_of_the_sessions_own(named, meant):
    assert list_summary_refs(CompactionSettings(**named), own_id="gpt") == meant


# --- is it time? ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("settings", "window", "reserve"),
    [
        (SETTINGS, 200_000, 20_000),
        (CompactionSettings(reserve_floor_tokens=0), 200_000, 16_384),
        (CompactionSettings(reserve_tokens=50_000), 200_000, 50_000),
        (SETTINGS, 16_000, 8_000),
        (SETTINGS, 10_000, 5_000),
        (SETTINGS, 1, 0),
        (SETTINGS, 24_000, 16_000),
    ],
)
def test_reserve_has_a_floor_and_leaves_room_for_a_prompt(settings, window, reserve):
    assert effective_reserve(settings, window) == reserve


@pytest.mark.parametrize(("window", "keep"), [(200_000, 20_000), (32_000, 6_000), (8_000, 2_000)])
def test_small_windows_keep_half_of_what_a_prompt_may_take(window, keep):
    assert effective_keep(SETTINGS, window) == keep


def test_threshold_is_passed_by_more_than_window_less_reserve():
    for tokens, outcome in ((180_000, "below-threshold"), (180_001, "compact")):
        decision = decide_threshold(SETTINGS, context_tokens=tokens, window_tokens=200_000)
        assert (decision.outcome, decision.rule) == (outcome, "COMPACT-3")


def test_threshold_can_be_switched_off():
    settings = CompactionSettings(enabled=False)

    assert decide_threshold(settings, context_tokens=10**9, window_tokens=200_000).outcome == "disabled"


@pytest.mark.parametrize(
    ("limit", "size", "outcome"),
    [
        (None, 10**9, "below-threshold"),
        (0, 10**9, "below-threshold"),
        (100, 99, "below-threshold"),
        (100, 100, "compact"),
    ],
)
def test_byte_guard_asks_for_a_compaction_from_its_limit_on(limit, size, outcome):
    decision = decide_bytes(CompactionSettings(max_active_bytes=limit), transcript_bytes=size)

    assert decision.outcome == outcome


# --- the plan ---------------------------------------------------------------------------------------------------------


def test_plan_names_what_goes_and_what_stays():
    branch = talk()

    made = plan(branch, keep=200)

    assert isinstance(made, CompactionPlan)
    assert (ids(made.history), ids(made.prefix), made.first_kept_id) == (["e0", "e1", "e2", "e3"], [], "e4")
    assert (made.previous_summary, made.kept_tokens, made.estimated_before, made.tokens_before) == ("", 200, 600, 600)
    assert made.estimate_after("x" * 40) == 210


def test_split_turn_is_summarised_apart():
    branch = talk(2)
    branch.assistant(words(100))

    made = plan(branch, keep=100)

    assert (ids(made.history), ids(made.prefix), made.first_kept_id) == (["e0", "e1"], ["e2", "e3"], "e4")


def test_budget_is_that_of_the_window_unless_given():
    branch = talk(3, tokens=10_000)
    view = build_view(branch.entries)

    made = plan_compaction(view, SETTINGS, window_tokens=200_000, reason="threshold")

    assert made.first_kept_id == "e4"


def test_number_of_messages_bounds_what_is_kept():
    made = plan(talk(4), keep=10**6, keep_messages=2, reason="limits")

    assert made.first_kept_id == "e6"


@pytest.mark.parametrize(
    ("branch", "code"),
    [
        (Branch(), "empty"),
        (talk(1), "nothing-to-summarise"),
    ],
)
def test_nothing_to_do_says_why(branch, code):
    made = plan(branch, keep=10**6)

    assert made.code == code
    assert made.sentence


def test_nothing_was_said_since_the_last_compaction():
    branch = talk()
    branch.compaction("e4")

    assert plan(branch).code == "already-compacted"


def test_entries_that_are_no_place_for_a_cut_make_no_plan():
    branch = Branch()
    branch.model_change()

    assert plan(branch).code == "nothing-to-summarise"


def test_what_the_last_compaction_kept_is_summarised_with_the_rest():
    branch = talk(2)
    branch.compaction("e2", "record", details={"readFiles": ["a"], "modifiedFiles": ["b"]})
    branch.user(words(100))
    branch.message(assistant(words(100), call("c", "read", {"path": "b"}), call("d", "read", {"path": "c"})))
    branch.user(words(100))

    made = plan(branch, keep=100)

    assert ids(made.history) == ["e2", "e3", "e5", "e6"]
    assert (made.previous_summary, made.first_kept_id) == ("record", "e7")
    assert made.files == FileLists(read=("a", "c"), changed=("b",))


def test_window_that_forces_it_is_content_with_what_was_kept():
    branch = talk(2)
    branch.compaction("e2")
    branch.model_change()
    branch.user(words(1))

    assert plan(branch, reason="manual").code == "nothing-to-summarise"
    made = plan(branch, reason="overflow")
    assert (ids(made.history), made.first_kept_id) == (["e2", "e3"], "e5")


def test_first_compaction_has_nothing_carried_to_fall_back_on():
    assert plan(talk(1), keep=10**6, reason="overflow").code == "nothing-to-summarise"


def test_pinned_entries_that_go_stay_verbatim_with_their_partners():
    branch = talk(1)
    branch.message(assistant(words(10), call("c")))
    branch.result("c", words(10))
    branch.custom(PIN_TYPE, build_pin_data(branch.entries[3], pinned=True, in_view=True))
    branch.user(words(100))

    made = plan(branch, keep=100)

    assert [entry.id for entry in made.pinned] == ["e2", "e3"]
    assert made.kept_tokens == 100 + 12 + 10


def test_entries_pinned_before_the_last_compaction_go_along():
    branch = talk(2)
    branch.compaction("e3")
    branch.custom(PIN_TYPE, build_pin_data(branch.entries[0], pinned=True, in_view=False))
    branch.user(words(100))
    branch.user(words(100))

    assert [entry.id for entry in plan(branch, keep=100).pinned] == ["e0"]


def test_identifiers_of_what_goes_must_be_kept():
    branch = Branch()
    branch.user("look at src/a.py")
    branch.user(words(100))

    assert plan(branch).identifiers == ("src/a.py",)


@pytest.mark.parametrize("settings", [CompactionSettings(identifier_policy="off"), CompactionSettings(mode="default")])
def test_identifiers_are_not_asked_for_when_nobody_wants_them(settings):
    branch = Branch()
    branch.user("look at src/a.py")
    branch.user(words(100))

    made = plan(branch, settings=settings)

    assert made.identifiers == ()
    assert without_oversized(made, settings, window_tokens=4).identifiers == ()


def test_second_attempt_leaves_out_what_is_too_large_and_its_identifiers():
    branch = Branch()
    branch.user("see big.txt " + words(600))
    branch.user("and small.txt")
    branch.user(words(100))
    made = plan(branch)

    second = without_oversized(made, SETTINGS, window_tokens=1000)

    assert "left out" in second.history[0].message.content
    assert second.identifiers == ("small.txt",)
    assert second.first_kept_id == made.first_kept_id


def test_second_attempt_that_would_be_the_first_again_is_none():
    assert without_oversized(plan(talk()), SETTINGS, window_tokens=200_000) is None


@given(turns=st.integers(0, 12), tokens=st.integers(0, 60), keep=st.integers(0, 400))
def test_plan_parts_the_view_without_loss(turns, tokens, keep):
    branch = talk(turns, tokens)

    made = plan(branch, keep=keep)

    if isinstance(made, CompactionPlan):
        all_ids = [entry.id for entry in branch.entries]
        kept = all_ids[all_ids.index(made.first_kept_id) :]
        assert ids(made.history) + ids(made.prefix) + kept == all_ids
        assert made.kept_tokens <= made.estimated_before


# --- a turn that waits for its answer ---------------------------------------------------------------------------------


@pytest.mark.parametrize("reason", ["limits", "bytes"])
def test_messages_that_wait_for_an_answer_are_kept_word_for_word_before_their_turn(reason):
    branch = talk(2)
    branch.model_change()
    for _ in range(3):
        branch.user(words(10))

    planned = plan(branch, keep=5, keep_messages=1, reason=reason)

    assert (planned.first_kept_id, ids(planned.history), planned.prefix) == ("e4", ["e0", "e1", "e2", "e3"], ())


@pytest.mark.parametrize("reason", ["threshold", "overflow", "manual"])
def test_turn_that_is_too_large_itself_may_be_split_in_all_other_cases(reason):
    branch = talk(1)
    branch.user(words(10))
    branch.assistant(call("c"))
    branch.result("c", words(100))
    branch.user(words(10))

    assert ids(plan(branch, keep=5, reason=reason).history) == ["e0", "e1", "e2", "e3", "e4"]


def test_turn_that_goes_on_after_a_cut_is_left_whole_with_its_calls():
    branch = talk(1)
    branch.user(words(10))
    branch.assistant(call("c"))
    branch.result("c", words(100))
    branch.user(words(10))

    assert plan(branch, keep=5, reason="limits").first_kept_id == "e2"


def test_nothing_is_summarised_before_a_turn_that_is_all_there_is():
    branch = Branch()
    for _ in range(3):
        branch.user(words(10))

    assert plan(branch, keep=5, reason="limits").code == "nothing-to-summarise"
