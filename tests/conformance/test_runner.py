"""The runner itself: what it cannot ask fails by name, and a wrong answer is shown line by line."""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path

import pytest

PATH = Path(__file__).resolve().parent / "test_vectors.py"
_spec = importlib.util.spec_from_file_location("conformance_runner", PATH)
assert _spec is not None
assert _spec.loader is not None
runner = importlib.util.module_from_spec(_spec)
sys.modules["conformance_runner"] = runner
_spec.loader.exec_module(runner)


def write(folder, name, text):
    (folder / name).write_text(text, encoding="utf-8")


def test_a_file_that_nobody_answers_fails_by_name(tmp_path):
    write(tmp_path, "colours.json", json.dumps({"cases": [{"id": "C-1", "input": {}, "expect": {}}]}))
    (case,) = runner.find_cases(tmp_path)
    with pytest.raises(pytest.fail.Exception, match=r"colours\.json.*ops_colours\.py"):
        runner.ask(case)


def test_an_op_that_nobody_answers_fails_by_name(tmp_path):
    body = {"id": "R-1", "op": "teleport", "input": {}, "expect": {}}
    write(tmp_path, "reset_freshness.json", json.dumps({"cases": [body]}))
    (case,) = runner.find_cases(tmp_path)
    with pytest.raises(pytest.fail.Exception, match="op 'teleport' of R-1"):
        runner.ask(case)


@pytest.mark.parametrize("text", ["{", "[]", "{}", '{"cases": [3]}'])
def test_a_file_that_is_no_vector_file_fails_by_name(tmp_path, text):
    write(tmp_path, "broken.json", text)
    (case,) = runner.find_cases(tmp_path)
    with pytest.raises(pytest.fail.Exception, match=r"broken\.json is no vector file"):
        runner.ask(case)


def test_an_empty_folder_is_a_failure_and_not_a_pass(tmp_path):
    (case,) = runner.find_cases(tmp_path)
    with pytest.raises(pytest.fail.Exception, match="holds no"):
        runner.ask(case)


@pytest.mark.parametrize(
    ("body", "fault"),
    [
        ({"expect": {"mode": "steer"}}, "no object under 'input'"),
        ({"input": {"value": "steer"}}, "no object under 'expect'"),
        ({"input": {"value": "steer"}, "expect": {}}, "expects nothing"),
    ],
)
def test_a_case_that_asks_nothing_fails_by_name(tmp_path, body, fault):
    write(tmp_path, "config_aliases.json", json.dumps({"cases": [{"id": "Q-1", "op": "queueMode", **body}]}))
    (case,) = runner.find_cases(tmp_path)
    with pytest.raises(pytest.fail.Exception, match=f"Q-1.*{fault}"):
        runner.ask(case)


def test_a_field_that_a_case_does_not_name_is_not_asked():
    entries = [{"id": "e0", "type": "model_change"}]
    body = {"op": "cut", "input": {"entries": entries, "keepRecentTokens": 9}, "expect": {"compact": False}}
    expected, answered = runner.ask(runner.Case(stem="compaction_cut", id="C-1", body=body))
    assert answered == expected


@pytest.mark.parametrize("expected", [{"compact": True}, {"compact": False, "colour": "red"}])
def test_a_field_that_a_case_names_is_asked(expected):
    body = {"op": "cut", "input": {"entries": [], "keepRecentTokens": 9}, "expect": expected}
    named, answered = runner.ask(runner.Case(stem="compaction_cut", id="C-1", body=body))
    assert answered != named


def test_a_folder_of_one_file_is_read_whatever_marks_its_beginning(tmp_path):
    body = {"id": "Q-1", "op": "queueMode", "input": {"value": "fifo"}, "expect": {"mode": "followup"}}
    (tmp_path / "config_aliases.json").write_text(json.dumps({"cases": [body]}), encoding="utf-8-sig")
    expected, answered = runner.ask(*runner.find_cases(tmp_path))
    assert answered == expected


def test_a_wrong_answer_is_shown_line_by_line():
    case = runner.Case(stem="s", id="S-1", body={"note": "why", "input": {"a": 1}, "expect": {"b": 2}})
    text = runner.describe(case, expected={"b": 2}, answered={"b": 3})
    assert "S-1" in text
    assert '-   "b": 2' in text
    assert '+   "b": 3' in text
