"""A recorded conversation of months, replayed through the gateway with its own dates (`bench/replay.py`)."""

from __future__ import annotations

import asyncio
import json
from zoneinfo import ZoneInfo

import pytest

from bench.replay import format_report, main, parse_conversation, parse_date, replay
from tests.builders.stories import at


def line(speaker, text, **more):
    return {"speaker": speaker, "text": text, **more}


RECORDED = {
    "speaker_a": "Ann",
    "speaker_b": "Bob",
    "session_1_date_time": "1:56 pm on 8 May, 2023",
    "session_1": [
        line("Ann", "Hi Bob"),
        line("Bob", "Hi Ann"),
        line("Bob", "How are you?"),
        line("Ann", "Well."),
        line("Ann", "And you?"),
        line("Bob", "Well too."),
    ],
    # The same day: the conversation goes on in the same session. The last line stays unanswered.
    "session_2_date_time": "11:40 pm on 8 May, 2023",
    "session_2": [line("Bob", "Good night"), line("Ann", ""), line("Bob", "Sleep well")],
    "session_3_date_time": "9:05 am on 10 May, 2023",
    "session_3": [line("Ann", "", blip_caption="a photo of a dog"), line("Bob", "Nice!")],
    # A date without lines, as recordings have them.
    "session_4_date_time": "9:05 am on 11 May, 2023",
}


def play(folder, **more):
    return asyncio.run(replay("made-up.json", parse_conversation(RECORDED), folder, **more))


def test_dates_are_read_in_the_zone_of_the_host():
    assert parse_date("1:56 pm on 8 May, 2023", ZoneInfo("UTC")) == at("2023-05-08 13:56")
    assert parse_date("12:09 am on 13 September, 2023", ZoneInfo("Europe/Berlin")) == at("2023-09-12 22:09")


def test_lines_become_messages_and_answers():
    first, second, third = parse_conversation(RECORDED)
    assert [(one.speaker, one.text, one.answer) for one in first.exchanges] == [
        ("Ann", "Hi Bob", "Hi Ann\n\nHow are you?"),
        ("Ann", "Well.", "NO_REPLY"),
        ("Ann", "And you?", "Well too."),
    ]
    assert [(one.speaker, one.text, one.answer) for one in second.exchanges] == [
        ("Bob", "Good night", "NO_REPLY"),
        ("Bob", "Sleep well", "NO_REPLY"),
    ]
    assert third.exchanges[0].text == "[picture: a photo of a dog]"
    assert [one.at for one in first.exchanges][:2] == [at("2023-05-08 13:56"), at("2023-05-08 13:59")]


def test_a_replay_stores_every_line_once_and_explains_each_reset(tmp_path):
    report = play(tmp_path)
    assert report.problems == []
    assert (report.dated, report.lines, report.turns, report.entries, report.resets) == (3, 10, 6, 12, 1)
    assert [(life.messages, life.answers, life.silent, life.closed_as) for life in report.lives] == [
        (5, 5, 3, "daily"),
        (1, 1, 0, None),
    ]
    assert "first message" in report.lives[0].explanation
    assert report.lives[1].explanation.startswith("Daily reset at 04:00 UTC")
    assert (report.mirror_files, report.mirror_lines) == (2, 14)
    summary = format_report(report)
    assert "3 dated sessions, 10 lines" in summary
    assert "Every line is stored once, every reset is explained" in summary


def test_other_scopes_part_the_speakers(tmp_path):
    report = play(tmp_path, scope="per-peer")
    assert report.problems == []
    assert {life.key for life in report.lives} == {"agent:main:direct:ann", "agent:main:direct:bob"}
    assert report.resets == 1


def test_what_is_not_so_is_told(tmp_path):
    report = play(tmp_path)
    report.problems.append("a line is missing 1 times: 'Hi Bob'")
    assert format_report(report).endswith("PROBLEM: a line is missing 1 times: 'Hi Bob'")


def test_the_script_prints_its_summary(tmp_path, capsys):
    path = tmp_path / "made-up.json"
    path.write_text(json.dumps(RECORDED))
    assert main([str(path), "--zone", "Europe/Berlin"]) == 0
    assert "made-up.json: 3 dated sessions" in capsys.readouterr().out
    assert main([str(path), "--json", "--keep", str(tmp_path / "kept")]) == 0
    assert json.loads(capsys.readouterr().out)["turns"] == 6
    assert (tmp_path / "kept" / "agents" / "main" / "sessions" / "sessions.json").exists()


@pytest.mark.parametrize("name", ["26.json", "30.json"])
@pytest.mark.timeout(180)
def test_a_recording_of_months_comes_out_as_it_went_in(name, recorded_data, tmp_path):
    raw = json.loads(recorded_data(f"locomo/{name}").read_text(encoding="utf-8"))
    dated = parse_conversation(raw)
    report = asyncio.run(replay(name, dated, tmp_path))
    assert report.problems == []
    assert len(report.lives) == len(dated) == report.resets + 1
    assert report.turns == sum(len(session.exchanges) for session in dated)
    assert all("RESET-13" in life.explanation for life in report.lives[1:])
