"""Who waits with a code, as the simulation counts it: whoever was erased does not, and everybody else still does."""

from __future__ import annotations

from instar.core.policy import access
from instar.stores import sqlite
from instar.stores.transaction import load_queries
from instar.testing.simulate import Setting, Story, play_story
from instar.testing.simulate.story import Erase, Wait, Write

THREE = (Write(number=1, place=2), Write(number=2, place=0), Write(number=3, place=1))
"""Cem, ann and bob want to be let in."""


def play(*steps):
    people = ("ann", "bob", "cem", "dan")
    setting = Setting(people=people, paired=people, mirrored=True, erasable=True)
    return play_story(Story(seed=21801, setting=setting, steps=steps))


def test_a_code_of_somebody_who_was_erased_leaves_its_place_to_another():
    played = play(*THREE, Erase(place=0), Wait(seconds=10), Write(number=4, place=0))
    assert not played.broken
    assert played.messages == 3


def test_a_code_too_many_after_an_erasure_is_found(monkeypatch):
    monkeypatch.setattr(access, "PAIRING_MAX_WAITING", 4)
    played = play(*THREE, Erase(place=0), Wait(seconds=10), Write(number=4, place=0), Write(number=5, place=3))
    assert {(one.rule, one.text) for one in played.broken} == {("LEAK-2", "4 codes of brook wait at once")}


def test_codes_of_others_that_go_with_an_erasure_are_found(monkeypatch):
    def load_greedy(dialect):
        queries = load_queries(dialect)
        return queries | {"erase_pairing_codes": "DELETE FROM pairing_codes WHERE :names IS NOT NULL"}

    monkeypatch.setattr(sqlite, "load_queries", load_greedy)
    played = play(*THREE, Erase(place=0), Wait(seconds=10))
    assert [one.rule for one in played.broken] == ["LEAK-11"]
    assert "were told codes that wait no more" in played.broken[0].text
