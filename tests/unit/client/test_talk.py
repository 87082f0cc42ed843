"""What events mean for a run, and what a history says of one that ended unheard."""

import pytest

from instar.client.talk import build_late_end, find_answer, message_text, read_update


def chat(state, **more):
    return {"runId": "r", "state": state, **more}


def words(text, role="assistant"):
    return {"role": role, "content": [{"type": "text", "text": text}]}


def test_a_delta_brings_all_text_and_what_is_new():
    update = read_update("chat", chat("delta", message=words("Hello"), deltaText="lo"), run_id="r")
    assert (update.kind, update.text, update.delta, update.restarts) == ("delta", "Hello", "lo", False)
    assert not update.is_end


def test_a_delta_that_replaces_begins_a_new_text():
    assert read_update("chat", chat("delta", message=words("B"), deltaText="B", replace=True), run_id="r").restarts


@pytest.mark.parametrize("state", ["final", "aborted", "error"])
def test_an_end_is_an_end(state):
    update = read_update("chat", chat(state, errorMessage="why"), run_id="r")
    assert (update.kind, update.error, update.is_end) == (state, "why", True)


def test_events_of_other_runs_and_of_other_kinds_mean_nothing():
    assert read_update("chat", chat("final"), run_id="other") is None
    assert read_update("chat", chat("status", phase="starting_model"), run_id="r") is None
    assert read_update("tick", {"ts": 1}, run_id="r") is None
    assert read_update("agent", {"runId": "r", "stream": "lifecycle", "data": {}}, run_id="r") is None


def test_a_tool_is_told_when_it_starts_and_when_it_ends():
    start = {"runId": "r", "stream": "tool", "data": {"phase": "start", "name": "status"}}
    end = {"runId": "r", "stream": "tool", "data": {"phase": "result", "name": "status", "isError": True}}
    one, two = read_update("agent", start, run_id="r"), read_update("agent", end, run_id="r")
    assert (one.tool, one.is_done) == ("status", False)
    assert (two.is_done, two.is_error) == (True, True)


def test_text_is_the_words_alone():
    blocks = [{"type": "thinking", "thinking": "hm"}, {"type": "text", "text": "a"}, {"type": "text", "text": "b"}]
    assert message_text({"content": blocks}) == "ab"
    assert message_text({"content": "plain"}) == "plain"
    assert message_text({}) == ""


def test_the_answer_is_what_was_said_last_after_the_message():
    history = [words("hi", "user"), words("old"), words("hi", "user"), words("let me see"), words("new")]
    assert find_answer(history, sent="hi") == "new"


def test_an_answer_to_a_later_message_is_not_taken():
    history = [words("hi", "user"), words("first"), words("other", "user"), words("second")]
    assert find_answer(history, sent="hi") == "first"


def test_a_message_that_is_not_there_has_no_answer():
    assert find_answer([words("x", "user"), words("y")], sent="hi") == ""


@pytest.mark.parametrize(("status", "kind"), [("ok", "final"), ("error", "error"), ("aborted", "aborted")])
def test_a_late_end_tells_how_the_run_ended(status, kind):
    update = build_late_end("r", {"status": status, "error": None}, [words("hi", "user"), words("yo")], sent="hi")
    assert (update.kind, update.text, update.is_late, update.error) == (kind, "yo", True, "")


def test_a_line_beside_the_answer_is_no_part_of_it():
    note = {"runId": "r", "stream": "notice", "data": {"text": "(Another model answers.)"}}
    update = read_update("agent", note, run_id="r")
    assert (update.kind, update.text, update.is_end) == ("note", "(Another model answers.)", False)
    assert read_update("agent", {"runId": "r", "stream": "notice"}, run_id="r").text == ""
