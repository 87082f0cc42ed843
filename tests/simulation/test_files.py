"""The files of a story are held against its rows once they could follow the last commit, and not before."""

from __future__ import annotations

from typing import Final

from instar.testing.simulate import Setting, Story, play_story
from instar.testing.simulate.story import Wait, Write

SETTING: Final = Setting(
    people=("ann", "bob"), channels=("brook", "pond", "tide"), max_concurrent=1, maintained=True, mirrored=True
)

CUT_AT_THE_END: Final = Story(
    seed=127875,
    setting=SETTING,
    steps=(
        Write(number=1, place=1, command="/reset soft", is_bare=True),
        Write(number=2, place=2, command="/new", wish="slow=30"),
        Write(number=3, place=3, command="/reset"),
        Write(number=4, place=5),
        # Maintenance has cut the store back at once, and does it again a minute later: when the files are looked at.
        Wait(seconds=70),
    ),
)


def test_files_may_follow_what_maintenance_removes_in_the_moment_of_the_check():
    played = play_story(CUT_AT_THE_END)
    assert not played.broken
    assert played.messages == 4


def test_a_file_that_stays_when_maintenance_removes_its_session_breaks_a_promise(monkeypatch):
    monkeypatch.setattr("instar.stores.mirror_level.delete_transcript_file", lambda _path, _now: None)
    broken = play_story(CUT_AT_THE_END).broken
    assert {one.rule for one in broken} == {"LOSS-4"}
    assert all(one.text.endswith("which is the file of no such transcript") for one in broken)


def test_an_index_that_keeps_what_maintenance_removed_breaks_a_promise(monkeypatch):
    monkeypatch.setattr("instar.stores.mirror._INDEX_SHARE", 0)
    monkeypatch.setattr("instar.stores.mirror._INDEX_PAUSE_S", 1000.0)
    broken = play_story(CUT_AT_THE_END).broken
    assert [one.rule for one in broken] == ["LOSS-4"]
    assert broken[0].text.startswith("sessions.json lists")


def test_a_store_that_is_never_left_alone_breaks_a_promise(monkeypatch):
    monkeypatch.setattr("instar.testing.simulate.play.REST_ROUNDS", 1)
    assert [(one.rule, one.text) for one in play_story(CUT_AT_THE_END).broken] == [
        ("LOSS-2", "the story does not come to an end: its sessions are still changed")
    ]
