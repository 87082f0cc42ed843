"""Who is told that another model answers: each chat, whatever clients were told, and not anew after a memory flush."""

from __future__ import annotations

from dataclasses import replace

import pytest

from instar.core.turn.standin import with_stand_in
from instar.gateway import turn_words
from instar.testing.simulate import Setting, Story, play_story
from instar.testing.simulate.story import Call, Wait, Write

SETTING = Setting(stand_ins=1)
WISHES = {
    "steered": "tools=slow+look fault=rate_limit down=1",
    "wordless": "empty fault=rate_limit down=1",
    "answered": "fault=rate_limit down=1",
}


@pytest.mark.parametrize("wish", WISHES.values(), ids=WISHES.keys())
def test_a_chat_is_told_whatever_a_client_was_told(wish, monkeypatch):
    steps = (
        Write(number=1, place=0),
        Wait(seconds=1),
        Call(number=2, place=0, wish=wish, deliver=False),
        Wait(seconds=3),
        Write(number=3, place=0),
    )
    story = Story(seed=1, setting=SETTING, steps=steps)
    assert not play_story(story).broken

    def forget_chats(change, notes, *, was_told, by_event):
        return with_stand_in(change, notes, was_told=was_told or by_event)

    monkeypatch.setattr(turn_words, "with_stand_in", forget_chats)
    assert {broken.rule for broken in play_story(story).broken} == {"CFG-13"}


def test_notes_that_the_first_model_takes_are_no_answer():
    wish = "long=1500 fault=rejected down=1"
    steps = tuple(Write(number=number, place=0, wish=wish) for number in range(1, 9))
    setting = replace(SETTING, queue_mode="followup", window_tokens=3000, flushed=True)
    played = play_story(Story(seed=1, setting=setting, steps=steps))
    assert not played.broken
    assert played.messages == 8
