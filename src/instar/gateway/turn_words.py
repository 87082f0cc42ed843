"""What the people behind a turn are told: its answers, and lines beside them about how they came about.

Lines for a channel are put in front of the next words that leave for it, or sent by themselves where no words follow;
they are in no transcript. Clients get each line as an event.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from instar.core.context.outcome import Compacted
from instar.core.explain.answered import format_thoughts, format_usage
from instar.core.explain.compacted import build_end_notice, build_start_notice
from instar.core.model.change import InboxItem, Noted, SessionChange
from instar.core.model.decision import Decision
from instar.core.model.entry import AssistantMessage
from instar.core.model.session import Session
from instar.core.policy.resolve import LevelField
from instar.core.turn.reply import Reply, plan_reply, read_owed_notice
from instar.core.turn.standin import build_stand_in_event, build_stand_in_line, describe_stand_in, with_stand_in
from instar.gateway.context_text import with_report
from instar.gateway.levels import find_level
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
        for line in self._with_truncated(build_stand_in_event(self.session(), self._notes)):
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

    def plan(self, text: str, answer: AssistantMessage | None = None) -> Reply:
        """What words owe; the line about an automatic reset goes with the first of them (LOSS-7).

        `answer` is the model's message that they are from, None for words of the gateway's own.
        """
        session, items = self.session(), self.items()
        lines = self._with_truncated(build_stand_in_line(session, self._notes))
        settings = self.services.reply_settings(read_owed_notice(session), session, items[0].submission, lines=lines)
        if answer is not None:
            settings = replace(settings, thoughts=self._thoughts(answer), footer=self._footer(answer))
        return plan_reply(
            text,
            items,
            session=session,
            turn_id=self.news.turn_id,
            settings=settings,
            draw=self.services.ids.delivery_id,
        )

    def _thoughts(self, answer: AssistantMessage) -> str | None:
        return format_thoughts(answer) if self._level("reasoningLevel") in {"on", "stream"} else None

    def _footer(self, answer: AssistantMessage) -> str | None:
        return format_usage(answer, self._level("responseUsage"))

    def _level(self, name: LevelField) -> str:
        """What holds for the newest of the messages (RESOLVE-5)."""
        session, newest = self.session(), self.items()[-1].submission
        return find_level(self.services.parts.config(), name, session, session.agent_id, newest).value

    def remember(self, change: SessionChange, *, was_told: bool) -> SessionChange:
        """The change of an answer, with what people know now of the model that gave it, and what that was told."""
        # Whoever wrote through a client was told by the event; the chats of the session were not.
        by_client = all(item.submission.session_key is not None for item in self.items())
        told = with_stand_in(change, self._notes, was_told=was_told, by_event=by_client)
        return with_report(self.services, told)

    def _with_truncated(self, stand_in: str | None) -> list[str]:
        """The line about a model that stands in and the one about a prompt that was cut, as far as they are due."""
        planned = self.prompt.planned if self.prompt is not None else None
        truncated = _TRUNCATED if planned is not None and planned.truncated else None
        return [line for line in (stand_in, truncated) if line]

    # --- compactions (COMPACT-23) -------------------------------------------------------------------------------------

    async def compaction_begins(self) -> None:
        """A model is about to be asked for a summary."""
        self.news.phase("compacting")
        count = self.session().counters.compaction_count
        await self._tell(build_start_notice(self._level("verboseLevel"), count=count))

    async def compaction_ended(self, outcome: Compacted) -> None:
        """What came of it."""
        notify = self.services.compaction_settings(self.session().agent_id).notify_user
        await self._tell(build_end_notice(outcome, self._level("verboseLevel"), notify_user=notify))

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
            settings=self.services.reply_settings(None, session, self.items()[0].submission),
            draw=self.services.ids.delivery_id,
            kind="notice",
        )
        change = SessionChange(deliveries=reply.deliveries)
        services = self.services
        if reply.deliveries:
            await services.insist(lambda: services.change("tell_notice", session.key, lambda _facts: change))
        self.news.note(line)
