"""Which words the simulation looks for after an erasure: those that were known for the person's when it began."""

from __future__ import annotations

from instar.stores.erasing import find
from instar.testing.simulate import Setting, Story, play_story
from instar.testing.simulate.story import Call, Erase, Operate, Wait, Write

GROUP = Setting(people=("ann",), groups=("g1",), queue_mode="followup", mirrored=True, erasable=True)
BARE = Write(number=1, place=1, command="stop", is_bare=True)
"""Opens the group's session, and holds no secret."""

CLIENT = Call(number=3, place=1, wish="hang")
"""A client writes into the group, with the secret of the place in it, and the model does not come to an end."""

UNANSWERED = Write(number=4, place=1)
"""Waits behind it, and goes with the session."""

DELETED = (
    BARE,
    Wait(seconds=10),
    CLIENT,
    Wait(seconds=1),
    UNANSWERED,
    Wait(seconds=1),
    Operate(operation="delete", place=1),
)


def play(*steps):
    return play_story(
        Story(seed=47633, setting=GROUP, steps=(*steps, Wait(seconds=10), Erase(place=1), Wait(seconds=10)))
    )


def play_deaf(monkeypatch, *steps):
    """Play with an eraser that knows nobody by their words."""
    want = find._wanted_words
    monkeypatch.setattr(
        find, "_wanted_words", lambda found: {word for word in want(found) if not word.startswith("s1")}
    )
    return play(*steps)


def test_what_a_client_wrote_into_a_group_stays_where_no_words_of_theirs_were_kept(monkeypatch):
    assert not play(*DELETED).broken


def test_a_secret_that_they_told_as_well_goes_from_what_a_client_wrote(monkeypatch):
    told = Write(number=2, place=1)
    assert not play(told, Wait(seconds=10), *DELETED).broken
    broken = play_deaf(monkeypatch, told, Wait(seconds=10), *DELETED).broken
    assert [one.rule for one in broken] == ["LEAK-11"]
    assert "still holds" in broken[0].text
