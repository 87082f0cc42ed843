"""A simulation told in sentences, the gravest change first, and as values for programs (WHY-4)."""

from __future__ import annotations

from instar.core.explain.report import build_report_fields, tell_report
from instar.core.explain.simulate import (
    ContextSize,
    Merge,
    ResetChange,
    Side,
    Silence,
    SimulationReport,
    Split,
    simulate_change,
)
from instar.core.model.ids import SessionKey
from tests.builders.traffic import DAY, HOUR, UTC, record, scoped

A, B, C = (SessionKey(f"agent:main:direct:{name}") for name in "abc")
SIDE = Side(sessions=3, turns=9)


def report(**changes):
    fields = {"messages": 9, "before": SIDE, "after": SIDE, **changes}
    return SimulationReport(**fields)


def test_nothing_is_told_in_one_sentence():
    assert tell_report(report()) == ("Nothing would change for 9 messages.",)
    assert tell_report(report(messages=1)) == ("Nothing would change for 1 message.",)


def test_every_kind_of_change_has_its_sentence():
    told = tell_report(
        report(
            after=Side(sessions=2, turns=9, beginnings={"daily": 4, "idle": 1}, context=ContextSize(mean_tokens=5)),
            merges=(Merge(key=A, sources=(B, C)), Merge(key=C, sources=(A, B), people=("x:ann", "x:bob"))),
            splits=(Split(key=B, into=(A, C)),),
            resets=(ResetChange(key=A, before=0, after=5),),
            silences=(Silence(key=A, messages=2, reason="not_listed"),),
            voices=(Silence(key=B, messages=1, reason="send_denied"),),
            renamed=1,
        )
    )
    assert told == (
        "9 messages: 3 sessions would be 2.",
        "1 session would hold direct messages of several people:",
        f"  {C} would hold those of x:ann, x:bob.",
        "1 session would be made of several:",
        f"  {A} would be made of {B}, {C}.",
        "1 session would part:",
        f"  {B} would part into {A}, {C}.",
        "1 session would only get another key.",
        "Automatic resets: none would be 4 daily and 1 idle.",
        "1 session would start over more or less often:",
        f"  {A}: 0 would be 5.",
        f"{A}: 2 messages would lose their answer (not_listed).",
        f"{B}: 1 message would get an answer (send_denied).",
        "Context at the begin of a turn: 0 tokens on average would be 5, 0 at most would be 0.",
    )


def test_long_lists_are_cut_for_people_and_whole_for_programs():
    many = tuple(Silence(key=SessionKey(f"k{n}"), messages=1, reason="r") for n in range(12))
    parts = tuple(Split(key=SessionKey(f"k{n}"), into=(A, B)) for n in range(12))
    both = report(silences=many, splits=parts)
    told = tell_report(both)
    assert "… and in 2 more." in told
    assert "  … and 2 more." in told
    fields = build_report_fields(both)
    assert (len(fields["silences"]), len(fields["splits"])) == (12, 12)


def test_programs_get_the_whole_of_it():
    traffic = [record(0, "ann"), record(HOUR, "bob"), record(2 * DAY, "ann")]
    fields = build_report_fields(simulate_change(traffic, scoped("per-peer"), scoped("main"), zone=UTC))
    assert fields["messages"] == 3
    assert not fields["changesNothing"]
    (merge,) = fields["merges"]
    assert merge["mixesPeople"]
    assert merge["people"] == ["telegram:ann", "telegram:bob"]
    assert fields["before"]["sessions"] == 2
    assert fields["after"]["maxContextTokens"] > 0
