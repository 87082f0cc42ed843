"""What the simulation looks for after an erasure: words that were known for the person's when it began, and whether it
was carried out where the gateway died in it.
"""

from __future__ import annotations

from collections import Counter

from instar.stores.erasing import eraser, find
from instar.testing.simulate import Setting, Story, play_story
from instar.testing.simulate.story import Call, Crash, Erase, Operate, Wait, Write

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


# --- a process that dies just after an erasure is through -------------------------------------------------------------

ALONE = Setting(people=("ann",), channels=("pond",), mirrored=True, erasable=True)
AROUND_THE_RECEIPT = range(50, 68)
"""How much the gateway does, from the wish to be forgotten on, until it has written the receipt and a bit more."""


def play_death(steps, *written):
    """Somebody is erased, something is `written`, and the gateway dies in the middle of the next erasure."""
    pause = Wait(seconds=10)
    erased = (Write(number=1, place=0), pause, Erase(place=0), pause)
    death = (Erase(place=0), Crash(steps=steps), Wait(seconds=100))
    return play_story(Story(seed=202929, setting=ALONE, steps=(*erased, *written, pause, *death)))


def test_what_only_a_client_wrote_into_a_session_went_with_an_erasure_whose_gateway_died_after_it():
    for steps in AROUND_THE_RECEIPT:
        assert not play_death(steps, Call(number=2, place=0)).broken, f"died after {steps} steps"


def test_messages_that_are_left_are_found_where_the_gateway_died_after_the_receipt(monkeypatch):
    monkeypatch.setattr(eraser, "erase_messages", lambda _tx, _params: Counter())
    for steps in AROUND_THE_RECEIPT:
        rules = {one.rule for one in play_death(steps, Write(number=2, place=0)).broken}
        assert "LEAK-11" in rules, f"died after {steps} steps"
