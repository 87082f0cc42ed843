"""A thread goes on from what was said above it, and holds nothing else of other places (KEY-18).

The gateway copies what its parent holds when a thread begins. Here the copy is looked at when it is committed: it is a
branch of the session above, word for word, and all that it had then, or a short while before.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from instar.core.model.change import Changed, SessionChange
from instar.core.model.ids import SessionId, SessionKey
from instar.core.model.session import Session
from instar.testing.simulate.findings import Findings
from instar.testing.simulate.grown import ShadowTranscript
from instar.testing.simulate.model import find_marks
from instar.testing.simulate.virtual import VirtualClock

__all__ = ["Forks"]

REST_S: Final = 10.0
"""What changed above a thread shortly before it began may be in the copy or not: a store that refuses is asked again
after a pause."""

_FRESH_STARTS: Final = ("/new", "/reset")


class Forks:
    """Watches how threads begin. `taken` counts those that took something along."""

    def __init__(self, findings: Findings, clock: VirtualClock) -> None:
        self._findings = findings
        self._clock = clock
        self._states: dict[SessionKey, list[tuple[float, tuple[str, ...] | None]]] = {}
        self._brought: dict[SessionKey, frozenset[str]] = {}
        self.taken = 0

    def holds(self, key: SessionKey, secret: str) -> bool:
        """Whether a secret came to a session with what a thread of this key took along."""
        return secret in self._brought.get(key, frozenset())

    def watch(
        self,
        name: str,
        key: SessionKey,
        changed: Changed,
        *,
        sessions: Mapping[SessionKey, Session],
        transcripts: Mapping[SessionId, ShadowTranscript],
        text: str,
    ) -> None:
        """Look at a commit called `name`, before the shadow follows it; `text` is what its message says."""
        if name == "begin_turn" and key not in sessions:
            self._check_begin(key, changed.change, transcripts, text=text)
        elif changed.change.forked:
            self._findings.report("KEY-18", f"{key} takes lines along in {name}, where it does not begin")

    def follow(self, key: SessionKey, transcript: ShadowTranscript | None) -> None:
        """A session has this current transcript now, None for none."""
        state: tuple[str, ...] | None = ()
        if transcript is not None:
            # Of a turn that waits for a tool a part is taken.
            whole = tuple(entry.id for entry in transcript.branch(transcript.leaf_id))
            state = None if transcript.open_calls else whole
        self._states.setdefault(key, []).append((self._clock.monotonic(), state))

    def _check_begin(
        self,
        key: SessionKey,
        change: SessionChange,
        transcripts: Mapping[SessionId, ShadowTranscript],
        *,
        text: str,
    ) -> None:
        parent_key = SessionKey(key.rpartition(":thread:")[0])
        if change.forked:
            self._check_copy(key, parent_key, change, transcripts)
        is_shut = any(one.decision.kind == "fork" and one.decision.outcome == "shut" for one in change.decisions)
        if parent_key and not is_shut and not text.startswith(_FRESH_STARTS):
            taken, states = tuple(entry.id for entry in change.forked), self._find_states(parent_key)
            is_known = None in states or taken in states
            self._findings.require(is_known, "KEY-18", f"{key} began with {taken} and not with one of {states}")

    def _find_states(self, key: SessionKey) -> list[tuple[str, ...] | None]:
        """The branches that a session had a short while ago and since."""
        since_s = self._clock.monotonic() - REST_S
        known = self._states.get(key, [])
        first = max((at for at, (when_s, _) in enumerate(known) if when_s < since_s), default=None)
        return [*(() if first is not None else ((),)), *(state for _, state in known[first or 0 :])]

    def _check_copy(
        self,
        key: SessionKey,
        parent_key: SessionKey,
        change: SessionChange,
        transcripts: Mapping[SessionId, ShadowTranscript],
    ) -> None:
        self.taken += 1
        named = SessionId(change.open.parent_session or "") if change.open is not None else SessionId("")
        source = transcripts.get(named)
        is_above = source is not None and source.key == parent_key
        self._findings.require(is_above, "KEY-18", f"{key} took lines of {named}, which is not above it")
        there = source.branch(change.forked[-1].id) if source is not None else []
        self._findings.require(
            there == list(change.forked), "KEY-18", f"{key} began with lines that do not stand so in {named}"
        )
        # What was said in a group without addressing the agent stands beside the words of whoever did (ACT-7).
        secrets = {secret for entry in change.forked for secret in find_marks(str(entry), "s")}
        self._brought[key] = self._brought.get(key, frozenset()) | secrets
