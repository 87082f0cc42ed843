"""What would be different under another configuration (WHY-4).

What belongs here: replaying recorded traffic under two configurations and comparing what became of it. What does not:
the replay itself (`replay`) and the wording of the report.

Two sessions are compared by the messages they hold: where messages of several sessions of today share one tomorrow,
those sessions merge; where messages of one part, it splits. A merge in which several people's direct messages meet is
told apart, since that is how one person comes to read another's words.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import tzinfo

from instar.core.explain.replay import Account, Replayed, ReplayRules, replay_traffic
from instar.core.explain.traffic import TrafficRecord
from instar.core.model.ids import SessionKey
from instar.core.model.pairing import PairingFacts

__all__ = [
    "ContextSize",
    "Merge",
    "ResetChange",
    "Side",
    "Silence",
    "SimulationReport",
    "Split",
    "compare_replays",
    "simulate_change",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class ContextSize:
    """How much the model would have seen at the begin of a turn, in estimated tokens."""

    mean_tokens: int = 0
    max_tokens: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """One configuration's whole: sessions that hold a turn, turns, ends of messages, and why lives began."""

    sessions: int
    turns: int
    fates: Mapping[str, int] = field(default_factory=dict)
    beginnings: Mapping[str, int] = field(default_factory=dict)
    context: ContextSize = ContextSize()


@dataclass(frozen=True, slots=True, kw_only=True)
class Merge:
    """Sessions of today (`sources`) that would be one (`key`). `people` are those whose direct messages would meet."""

    key: SessionKey
    sources: tuple[SessionKey, ...]
    people: tuple[str, ...] = ()

    @property
    def mixes_people(self) -> bool:
        """Whether direct messages of several people would share one conversation."""
        return len(self.people) > 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Split:
    """A session of today that would be several."""

    key: SessionKey
    into: tuple[SessionKey, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ResetChange:
    """A session of today whose messages would meet another number of automatic resets."""

    key: SessionKey
    before: int
    after: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Silence:
    """Messages of a session of today that would lose their answer (or get one, in `SimulationReport.voices`)."""

    key: SessionKey
    messages: int
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SimulationReport:
    """What would change. Lists are sorted by key; `renamed` counts sessions that only get another key."""

    messages: int
    before: Side
    after: Side
    merges: tuple[Merge, ...] = ()
    splits: tuple[Split, ...] = ()
    resets: tuple[ResetChange, ...] = ()
    silences: tuple[Silence, ...] = ()
    voices: tuple[Silence, ...] = ()
    renamed: int = 0

    @property
    def changes_nothing(self) -> bool:
        """Whether every message would have become what it became."""
        is_quiet = not (self.merges or self.splits or self.resets or self.silences or self.voices)
        return is_quiet and not self.renamed and self.before == self.after


def simulate_change(
    traffic: Sequence[TrafficRecord],
    before: ReplayRules,
    after: ReplayRules,
    *,
    zone: tzinfo,
    pairing: Mapping[Account, PairingFacts] | None = None,
) -> SimulationReport:
    """The report on `traffic` under today's configuration and the proposed one."""
    return compare_replays(
        replay_traffic(traffic, before, zone=zone, pairing=pairing),
        replay_traffic(traffic, after, zone=zone, pairing=pairing),
    )


def compare_replays(before: Sequence[Replayed], after: Sequence[Replayed]) -> SimulationReport:
    """What differs between two replays of the same traffic, record by record."""
    pairs = list(zip(before, after, strict=True))
    sources: dict[SessionKey, set[SessionKey]] = defaultdict(set)
    targets: dict[SessionKey, set[SessionKey]] = defaultdict(set)
    for old, new in pairs:
        if _is_held(old) and _is_held(new):
            sources[new.session_key].add(old.session_key)
            targets[old.session_key].add(new.session_key)
    return SimulationReport(
        messages=len(pairs),
        before=_sum_up(before),
        after=_sum_up(after),
        merges=tuple(
            Merge(key=key, sources=tuple(sorted(found)), people=_people_in(after, key))
            for key, found in sorted(sources.items())
            if len(found) > 1
        ),
        splits=tuple(
            Split(key=key, into=tuple(sorted(found))) for key, found in sorted(targets.items()) if len(found) > 1
        ),
        resets=_compare_resets(pairs),
        silences=_find_silences(pairs),
        voices=_find_silences([(new, old) for old, new in pairs], told_of=0),
        renamed=sum(
            1
            for key, found in targets.items()
            if len(found) == 1 and key not in found and all(len(sources[other]) == 1 for other in found)
        ),
    )


def _is_held(replayed: Replayed) -> bool:
    """Whether the session holds the message's words: refused and dropped ones reach no conversation."""
    return replayed.fate in {"answered", "merged", "observed"}


def _people_in(replayed: Iterable[Replayed], key: SessionKey) -> tuple[str, ...]:
    """Whose direct messages a session holds."""
    people = {
        one.person
        for one in replayed
        if one.session_key == key and one.record.chat_type == "direct" and _is_held(one) and not one.record.session_key
    }
    return tuple(sorted(people))


def _sum_up(replayed: Sequence[Replayed]) -> Side:
    turns = [one for one in replayed if one.fate == "answered"]
    sizes = [one.context_tokens for one in turns]
    return Side(
        sessions=len({one.session_key for one in turns}),
        turns=len(turns),
        fates=dict(sorted(Counter(one.fate for one in replayed).items())),
        beginnings=dict(sorted(Counter(one.began for one in replayed if one.began is not None).items())),
        context=ContextSize(
            mean_tokens=round(sum(sizes) / len(sizes)) if sizes else 0, max_tokens=max(sizes, default=0)
        ),
    )


def _compare_resets(pairs: Sequence[tuple[Replayed, Replayed]]) -> tuple[ResetChange, ...]:
    """Automatic resets that the messages of each session of today meet, on both sides; only what differs."""
    before: Counter[SessionKey] = Counter()
    after: Counter[SessionKey] = Counter()
    for old, new in pairs:
        before[old.session_key] += old.began in {"daily", "idle"}
        after[old.session_key] += new.began in {"daily", "idle"}
    return tuple(
        ResetChange(key=key, before=before[key], after=after[key])
        for key in sorted(before)
        if before[key] != after[key]
    )


def _find_silences(pairs: Sequence[tuple[Replayed, Replayed]], *, told_of: int = 1) -> tuple[Silence, ...]:
    """Messages that are heard on the first side and not on the second, by session of today and by reason.

    `told_of` says which side of a pair is tomorrow; the key is always that of the other.
    """
    found: Counter[tuple[SessionKey, str]] = Counter()
    for pair in pairs:
        heard, silent = pair
        if heard.is_heard and not silent.is_heard:
            found[pair[1 - told_of].session_key, silent.reason or "send_denied"] += 1
    return tuple(Silence(key=key, messages=count, reason=reason) for (key, reason), count in sorted(found.items()))
