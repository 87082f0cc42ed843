"""Which chat an answer is owed to where others join the turn: those who had asked when it was given (LOSS-5)."""

from __future__ import annotations

from instar.core.turn.reply import Reply
from instar.gateway.turn_words import TurnWords
from instar.testing.simulate import Setting, Story, play_story
from instar.testing.simulate.story import Call, Wait, Write

GROUP = Setting(channels=("tide",), groups=("g1",))
"""Whoever writes in it may not command, so that a command stands there as any other words."""

JOINED = (
    Write(number=1, place=1),
    Wait(seconds=1),
    Call(number=2, place=1, wish="slow=30", deliver=False),
    Wait(seconds=1),
    Write(number=3, place=1, command="/new", is_bare=True),
)
"""A client asks for itself alone; before the answer is there a person writes, and is answered after it."""


def play():
    return play_story(Story(seed=205159, setting=GROUP, steps=JOINED))


def test_an_answer_that_was_given_before_a_command_stood_there_is_not_owed_to_its_writer():
    played = play()
    assert not played.broken
    assert (played.messages, played.turns) == (3, 2)


def test_an_answer_to_a_command_that_stands_there_as_words_is_owed(monkeypatch):
    plan = TurnWords.plan

    def forget(self, text, *arguments):
        return Reply() if text.startswith("a3a") else plan(self, text, *arguments)

    monkeypatch.setattr(TurnWords, "plan", forget)
    (broken,) = play().broken
    assert (broken.rule, broken.text.startswith("a3a"), broken.text.endswith("is owed 0 times")) == (
        "LOSS-5",
        True,
        True,
    )
