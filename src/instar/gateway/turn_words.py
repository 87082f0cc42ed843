"""What the people behind a turn are told: its answers, and lines beside them about how they came about.

Lines for a channel are put in front of the next words that leave for it, or sent by themselves where no words follow;
they are in no transcript. Clients get each line as an event.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

from instar.core.context.outcome import Compacted
from instar.core.explain.compacted import build_end_notice, build_start_notice
from instar.core.model.change import InboxItem, Noted, SessionChange
from instar.core.model.decision import Decision
from instar.core.model.session import Session
from instar.core.turn.reply import Reply, plan_reply, read_owed_notice
from instar.core.turn.standin import build_stand_in_line, describe_stand_in, with_stand_in
from instar.gateway.room import LazyPrompt
from instar.gateway.turn_news import TurnNews
from instar.gateway.turn_services import TurnServices
from instar.ports.runner import Finished, ModelSpec

__all__ = ["TurnWords"]

_TRUNCATED: Final = (
    "(The conversation is longer than the model can see; this answer knows only its newest part. /compact)"
)
"""In front of an answer that was given without the older part of the conversation (LOSS-9)."""


@dataclass(slots=True, kw_only=True)
class TurnWords:
    """The words of one turn. `items` are all messages that it answers, `session` its session, as things stand."""

    services: TurnServices
    news: TurnNews
    items: Callable[[], Sequence[InboxItem]]
    session: Callable[[], Session]
    prompt: LazyPrompt | None = None
    _notes: tuple[str, ...] = ()
    _noted: list[str] = field(default_factory=list)
    _decided: list[Decision] = field(default_factory=list)

    def hear(self, answer: Finished, model: ModelSpec) -> None:
        """Note how an answer of a model came about, and tell clients what is new of it."""
        self._notes = answer.notes
        decision = describe_stand_in(answer.message, asked=model.ref, notes=answer.notes)
        if decision is not None:
            self._decided.append(decision)
        for line in self._lines():
            if line not in self._noted:
                self._noted.append(line)
                self.news.note(line)

    def decide(self, decision: Decision) -> None:
        """Remember a decision for the next commit."""
        self._decided.append(decision)

    def take_decisions(self) -> tuple[Noted, ...]:
        """What was decided since the last commit, and what was left out of the last request, and why (WHY-1)."""
        planned = self.prompt.planned if self.prompt is not None else None
        decided = (*(planned.decisions if planned else ()), *self._decided)
        self.prompt, self._decided = None, []
        inbound_id = self.items()[0].inbound_id
        return tuple(Noted(decision=one, inbound_id=inbound_id, turn_id=self.news.turn_id) for one in decided)

    def plan(self, text: str) -> Reply:
        """What the words of an answer owe; the line about an automatic reset goes with the first of them (LOSS-7)."""
        session, items = self.session(), self.items()
        stale = read_owed_notice(session)
        channel = items[0].submission.inbound.channel
        return plan_reply(
            text,
            items,
            session=session,
            turn_id=self.news.turn_id,
            settings=self.services.reply_settings(stale, session.key, channel, lines=self._lines()),
            draw=self.services.ids.delivery_id,
        )

    def remember(self, change: SessionChange, *, was_told: bool) -> SessionChange:
        """The change of an answer, with what its person now knows of the model that gave it."""
        # Whoever wrote through a client was told by the event.
        by_client = all(item.submission.session_key is not None for item in self.items())
        return with_stand_in(change, self._notes, was_told=was_told or by_client)

    def _lines(self) -> list[str]:
        planned = self.prompt.planned if self.prompt is not None else None
        stand_in = build_stand_in_line(self.session(), self._notes)
        truncated = _TRUNCATED if planned is not None and planned.truncated else None
        return [line for line in (stand_in, truncated) if line]

    # --- compactions (COMPACT-23) -------------------------------------------------------------------------------------

    async def compaction_begins(self) -> None:
        """A model is about to be asked for a summary."""
        self.news.phase("compacting")
        session = self.session()
        await self._tell(build_start_notice(session.overrides.verbose_level, count=session.counters.compaction_count))

    async def compaction_ended(self, outcome: Compacted) -> None:
        """What came of it."""
        session = self.session()
        notify = self.services.compaction_settings(session.agent_id).notify_user
        await self._tell(build_end_notice(outcome, session.overrides.verbose_level, notify_user=notify))

    async def _tell(self, line: str | None) -> None:
        """Send a line by itself, as far as the session may send."""
        if line is None:
            return
        session = self.session()
        reply = plan_reply(
            line,
            self.items(),
            session=session,
            turn_id=self.news.turn_id,
            settings=self.services.reply_settings(None, session.key, self.items()[0].submission.inbound.channel),
            draw=self.services.ids.delivery_id,
            kind="notice",
        )
        change = SessionChange(deliveries=reply.deliveries)
        services = self.services
        if reply.deliveries:
            await services.insist(lambda: services.change("tell_notice", session.key, lambda _facts: change))
        self.news.note(line)
