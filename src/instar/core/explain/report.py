"""A simulation told to people and programs: sentences, and plain values (WHY-4)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from instar.core.explain.counting import count_of
from instar.core.explain.simulate import Side, Silence, SimulationReport

__all__ = ["build_report_fields", "tell_report"]

_TOLD: Final = 10
"""Sessions named in one kind of sentence; the rest is counted. Programs get them all."""


def tell_report(report: SimulationReport) -> tuple[str, ...]:
    """What would change, the gravest first, in sentences."""
    if report.changes_nothing:
        return (f"Nothing would change for {count_of(report.messages, 'message')}.",)
    return tuple(_sentences(report))


def _sentences(report: SimulationReport) -> Iterator[str]:
    before, after = report.before, report.after
    yield f"{count_of(report.messages, 'message')}: {count_of(before.sessions, 'session')} would be {after.sessions}."
    mixing = [one for one in report.merges if one.mixes_people]
    yield from _listed(
        "{n} would hold direct messages of several people",
        [f"{one.key} would hold those of {', '.join(one.people)}" for one in mixing],
    )
    plain = [one for one in report.merges if not one.mixes_people]
    yield from _listed(
        "{n} would be made of several",
        [f"{one.key} would be made of {', '.join(one.sources)}" for one in plain],
    )
    yield from _listed(
        "{n} would part",
        [f"{one.key} would part into {', '.join(one.into)}" for one in report.splits],
    )
    if report.renamed:
        yield f"{count_of(report.renamed, 'session')} would only get another key."
    yield from _tell_resets(report)
    yield from _tell_silences(report.silences, "would lose their answer")
    yield from _tell_silences(report.voices, "would get an answer")
    yield from _tell_context(before, after)


def _tell_resets(report: SimulationReport) -> Iterator[str]:
    before, after = _list_resets(report.before), _list_resets(report.after)
    if not report.resets and before == after:
        return
    yield f"Automatic resets: {before} would be {after}."
    yield from _listed(
        "{n} would start over more or less often",
        [f"{one.key}: {one.before} would be {one.after}" for one in report.resets],
    )


def _list_resets(side: Side) -> str:
    """How many of each kind: ``18 daily and 2 idle``, or ``none``."""
    counts = ((side.beginnings.get(why, 0), why) for why in ("daily", "idle"))
    return " and ".join(f"{count} {why}" for count, why in counts if count) or "none"


def _tell_silences(silences: tuple[Silence, ...], what: str) -> Iterator[str]:
    for one in silences[:_TOLD]:
        yield f"{one.key}: {count_of(one.messages, 'message')} {what} ({one.reason})."
    if len(silences) > _TOLD:
        yield f"… and in {len(silences) - _TOLD} more."


def _tell_context(before: Side, after: Side) -> Iterator[str]:
    if before.context != after.context:
        yield (
            f"Context at the begin of a turn: {before.context.mean_tokens} tokens on average would be "
            f"{after.context.mean_tokens}, {before.context.max_tokens} at most would be {after.context.max_tokens}."
        )


def _listed(head: str, lines: list[str]) -> Iterator[str]:
    """A head with the number of sessions, and the first of them."""
    if not lines:
        return
    yield f"{head.format(n=count_of(len(lines), 'session'))}:"
    yield from (f"  {line}." for line in lines[:_TOLD])
    if len(lines) > _TOLD:
        yield f"  … and {len(lines) - _TOLD} more."


def build_report_fields(report: SimulationReport) -> dict[str, object]:
    """The report as plain values, for programs."""
    return {
        "messages": report.messages,
        "changesNothing": report.changes_nothing,
        "before": _side(report.before),
        "after": _side(report.after),
        "merges": [
            {"key": one.key, "sources": list(one.sources), "people": list(one.people), "mixesPeople": one.mixes_people}
            for one in report.merges
        ],
        "splits": [{"key": one.key, "into": list(one.into)} for one in report.splits],
        "resets": [{"key": one.key, "before": one.before, "after": one.after} for one in report.resets],
        "silences": [_silence(one) for one in report.silences],
        "voices": [_silence(one) for one in report.voices],
        "renamed": report.renamed,
    }


def _side(side: Side) -> dict[str, object]:
    return {
        "sessions": side.sessions,
        "turns": side.turns,
        "fates": dict(side.fates),
        "beginnings": dict(side.beginnings),
        "meanContextTokens": side.context.mean_tokens,
        "maxContextTokens": side.context.max_tokens,
    }


def _silence(one: Silence) -> dict[str, object]:
    return {"key": one.key, "messages": one.messages, "reason": one.reason}
