"""The last resort: a context that fits."""

from datetime import UTC

import pytest
from hypothesis import given
from hypothesis import strategies as st

from instar.core.context.fit import fit_messages, halve_budget
from instar.core.context.render import render_messages
from instar.core.context.tokens import estimate_message
from instar.core.context.turns import find_newest_turn
from instar.core.model.entry import AssistantMessage, ToolCall, ToolResultMessage, UserMessage
from instar.core.transcript.repair import PlacedMessage
from tests.builders.transcripts import assistant, call, image, other, result, text, user


def words(tokens):
    return "x" * (4 * tokens)


def placed(*messages):
    return [PlacedMessage(entry_id=f"e{index}", message=message) for index, message in enumerate(messages)]


def fit(*messages, budget, keep_first=0):
    return fit_messages(placed(*messages), budget, keep_first=keep_first)


def ids(fitted):
    return [item.entry_id for item in fitted.messages]


def test_context_that_fits_is_left_as_it_is():
    fitted = fit(user("a"), assistant("b"), budget=2)

    assert (ids(fitted), fitted.truncated, fitted.tokens) == (["e0", "e1"], False, 2)


def test_older_turns_are_left_out_first():
    fitted = fit(user(words(50)), assistant(words(50)), user(words(10)), assistant(words(10)), budget=30)

    assert (ids(fitted), fitted.truncated, fitted.tokens) == (["e2", "e3"], True, 20)


def test_summary_stays_in_front_where_it_leaves_half_the_room():
    turns = [user(words(10)), user(words(50)), assistant(words(50)), user(words(10))]

    assert ids(fit(*turns, budget=30, keep_first=1)) == ["e0", "e3"]
    assert ids(fit(*turns, budget=15, keep_first=1)) == ["e3"]


def test_front_is_never_cut_between_a_call_and_its_result():
    messages = [user("pin"), assistant(call("a")), result("a", "ok"), user(words(50)), assistant("ok"), user("now")]

    assert ids(fit(*messages, budget=30, keep_first=3)) == ["e0", "e1", "e2", "e5"]
    assert ids(fit(*messages, budget=30, keep_first=2)) == ["e0", "e5"]


def test_front_that_is_too_large_still_gives_the_newest_turn_its_user():
    messages = [user(words(90)), assistant(words(20)), assistant(words(30))]

    fitted = fit(*messages, budget=100, keep_first=2)

    assert ids(fitted) == ["e0", "e2"]
    assert fitted.tokens <= 100


def test_long_results_of_the_newest_turn_are_cut_oldest_first():
    fitted = fit(
        user("go"),
        assistant(call("a"), call("b")),
        result("a", words(1000)),
        result("b", words(300)),
        budget=500,
    )

    assert ids(fitted) == ["e0", "e1", "e2", "e3"]
    assert len(fitted.messages[2].message.content[0].text) == 399
    assert fitted.messages[3].message == result("b", words(300))


def test_short_results_are_not_made_longer_by_cutting():
    fitted = fit(user(words(100)), assistant(call("a")), result("a", "ok"), budget=50)

    assert fitted.messages[2].message == result("a", "ok")


def test_oldest_calls_of_the_newest_turn_go_when_cutting_is_not_enough():
    steps = [item for name in "abcd" for item in (assistant(words(50), call(name)), result(name, words(5)))]

    fitted = fit(user(words(10)), *steps, budget=130)

    assert ids(fitted) == ["e0", "e5", "e6", "e7", "e8"]


def test_words_that_came_while_the_turn_ran_stay_beside_the_first_ones():
    steps = [item for name in "abcd" for item in (assistant(words(50), call(name)), result(name, words(5)))]
    steps.insert(4, user(words(10)))

    fitted = fit(user(words(50)), assistant("Before."), user(words(10)), *steps, budget=80)

    assert ids(fitted) == ["e2", "e7", "e10", "e11"]


def test_words_of_the_person_are_cut_last():
    fitted = fit(user(words(1000)), budget=100)

    shown = fitted.messages[0].message.content
    assert fitted.tokens <= 100
    assert "cut" in shown
    assert shown.startswith("xxx")


def test_image_goes_with_the_words_that_are_cut():
    fitted = fit(user([text(words(10)), image()]), budget=100)

    assert fitted.messages[0].message.content == words(10)


def test_budget_of_nothing_leaves_a_character():
    assert fit(user(words(10)), budget=0).messages[0].message.content == "x"


def test_single_answer_over_the_budget_is_sent_all_the_same():
    fitted = fit(user("go"), assistant(words(100)), assistant(words(200)), budget=50)

    assert ids(fitted) == ["e0", "e2"]
    assert fitted.tokens > 50


def test_conversation_without_answers_or_users_is_bearable():
    assert ids(fit(user(words(10)), user(words(90)), budget=20)) == ["e0", "e1"]
    assert ids(fit(assistant(words(100)), budget=20)) == ["e0"]
    assert fit(budget=20).messages == ()


some_messages = st.lists(
    st.one_of(
        st.integers(1, 300).map(lambda size: user(words(size))),
        st.tuples(st.integers(0, 30), st.lists(st.sampled_from("abc"), max_size=2, unique=True)).map(
            lambda spec: assistant(words(spec[0]), *map(call, spec[1]))
        ),
        st.tuples(st.sampled_from("abc"), st.integers(0, 400)).map(lambda spec: result(spec[0], words(spec[1]))),
    ),
    max_size=14,
)


@given(messages=some_messages, budget=st.integers(100, 600), keep_first=st.integers(0, 5))
def test_what_is_sent_fits_and_stays_valid(messages, budget, keep_first):
    rendered = render_messages(placed(*messages), UTC).messages
    fitted = fit_messages(rendered, budget, keep_first=keep_first)

    assert fitted.tokens == sum(estimate_message(item.message) for item in fitted.messages)
    users = [item for item in fitted.messages if isinstance(item.message, UserMessage)]
    others = fitted.tokens - sum(estimate_message(item.message) for item in users)
    head_tokens = sum(estimate_message(item.message) for item in rendered[:keep_first])
    assert fitted.tokens <= max(budget, others + len(users) + head_tokens)
    open_calls = []
    for item in fitted.messages:
        if isinstance(item.message, ToolResultMessage):
            assert open_calls.pop(0) == item.message.tool_call_id
            continue
        assert open_calls == []
        if isinstance(item.message, AssistantMessage):
            open_calls = [block.id for block in item.message.content if isinstance(block, ToolCall)]
    assert open_calls == []
    assert not fitted.messages or isinstance(fitted.messages[0].message, UserMessage)


@given(messages=some_messages, budget=st.integers(100, 600), keep_first=st.integers(0, 5))
def test_all_words_of_the_newest_turn_are_sent_whatever_is_left_out(messages, budget, keep_first):
    rendered = render_messages(placed(*messages), UTC).messages
    newest = find_newest_turn(item.message for item in rendered)

    fitted = fit_messages(rendered, budget, keep_first=keep_first)

    waiting = [item for item in rendered[newest or 0 :] if isinstance(item.message, UserMessage)]
    known = min(keep_first, len(rendered))
    assert {id_of(item) for item in waiting if rendered.index(item) >= known} <= set(map(id_of, fitted.messages))


def id_of(item):
    return item.entry_id


@pytest.mark.parametrize("budget", [700, 2000])
def test_long_turn_of_calls_always_fits_a_small_window(budget):
    steps = [item for n in range(60) for item in (assistant("ok", call(f"c{n}")), result(f"c{n}", words(500)))]

    fitted = fit(user(words(3000)), *steps, budget=budget)

    assert fitted.tokens <= budget


# --- half of what was refused -----------------------------------------------------------------------------------------


def test_half_is_offered_as_long_as_the_words_that_wait_are_left_whole():
    newest = [user(words(90)), assistant("Before."), user(words(20)), assistant(call("a")), result("a", words(900))]

    assert halve_budget(placed(*newest), 1_000) == 500
    assert halve_budget(placed(*newest), 440) == 220
    assert halve_budget(placed(*newest), 438) is None


def test_words_of_several_messages_that_wait_count_together():
    waiting = [user(words(100)), assistant(call("a")), result("a", "ok"), user(words(100))]

    assert halve_budget(placed(*waiting), 700) is None
    assert halve_budget(placed(*waiting), 800) == 400


def test_words_that_the_gateway_put_in_for_a_person_wait_too():
    waiting = [assistant("Before."), other("custom", content=words(200), customType="instar.backlog")]

    assert halve_budget(placed(*waiting), 700) is None
    assert halve_budget(placed(*waiting), 800) == 400
    assert halve_budget(placed(assistant(words(100))), 400) == 200
