"""What listeners hear of one turn, always after the commit that made it true."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from instar.core.model.change import InboxItem
from instar.core.model.entry import AssistantMessage, ToolCall
from instar.core.model.event import AssistantDelta, RunEnded, RunNote, RunPhase, RunStarted, ToolEnded, ToolStarted
from instar.core.model.ids import AgentId, Instant, SessionKey, TurnId
from instar.core.model.session import Session
from instar.gateway.turn_services import TurnServices
from instar.ports.tool import ToolOutput

__all__ = ["RunEnd", "TurnNews"]

RunEnd = Literal["final", "error", "aborted"]


class TurnNews:
    """The news of one turn."""

    def __init__(self, services: TurnServices, key: SessionKey, *, agent_id: AgentId, turn_id: TurnId) -> None:
        self._services = services
        self._key = key
        self._agent_id = agent_id
        self.turn_id = turn_id
        self._started_at = Instant(0)
        self._is_over = False

    def started(self, session: Session, *, reason: str | None) -> None:
        """The turn began; `reason` is why a new life of the session began with it, None if it goes on."""
        self._started_at = self._services.clock.now()
        self._services.publish(
            RunStarted(
                session_key=self._key,
                session_id=session.session_id,
                agent_id=self._agent_id,
                turn_id=self.turn_id,
                at=self._started_at,
            )
        )
        if reason is not None:
            self._services.tell_session(session, reason, turn_id=self.turn_id)
        self._services.tell_session(session, "agent.run.started", turn_id=self.turn_id)

    def resumed(self) -> None:
        """The turn goes on after a cut."""
        self._started_at = self._services.clock.now()

    def phase(self, phase: Literal["preparing_context", "starting_model", "compacting"]) -> None:
        """What the turn is busy with. What follows its end (a compaction) is nobody's progress any more."""
        if self._is_over:
            return
        self._services.publish(
            RunPhase(
                session_key=self._key,
                agent_id=self._agent_id,
                turn_id=self.turn_id,
                phase=phase,
                at=self._services.clock.now(),
            )
        )

    def note(self, text: str) -> None:
        """A line for people beside the answer."""
        self._services.publish(
            RunNote(
                session_key=self._key,
                agent_id=self._agent_id,
                turn_id=self.turn_id,
                text=text,
                at=self._services.clock.now(),
            )
        )

    def delta(self, text: str, delta: str) -> None:
        """More words in the making: `delta` is new, `text` all of this message so far."""
        self._services.publish(
            AssistantDelta(
                session_key=self._key,
                agent_id=self._agent_id,
                turn_id=self.turn_id,
                text=text,
                delta=delta,
                at=self._services.clock.now(),
            )
        )

    def tool_started(self, call: ToolCall) -> None:
        """A tool call begins."""
        self._services.publish(
            ToolStarted(
                session_key=self._key,
                agent_id=self._agent_id,
                turn_id=self.turn_id,
                call_id=call.id,
                name=call.name,
                at=self._services.clock.now(),
            )
        )

    def tool_ended(self, call: ToolCall, output: ToolOutput) -> None:
        """A tool call has ended and its result is committed."""
        self._services.publish(
            ToolEnded(
                session_key=self._key,
                agent_id=self._agent_id,
                turn_id=self.turn_id,
                call_id=call.id,
                name=call.name,
                is_error=output.is_error,
                at=self._services.clock.now(),
                content=output.content,
            )
        )

    def ended(
        self,
        session: Session,
        message: AssistantMessage,
        *,
        state: RunEnd,
        items: Sequence[InboxItem],
        silent: bool,
        error: str | None,
    ) -> None:
        """The turn is over, and with it every run id of `items`."""
        self._is_over = True
        told = (item.submission.run_id for item in items)
        others = (run_id for run_id in told if run_id is not None and run_id != self.turn_id)
        self._services.publish(
            RunEnded(
                session_key=self._key,
                session_id=session.session_id,
                agent_id=self._agent_id,
                turn_id=self.turn_id,
                state=state,
                at=self._services.clock.now(),
                started_at=self._started_at,
                message=None if silent or state == "error" else message,
                usage=message.usage if state == "final" else None,
                stop_reason=message.stop_reason,
                error=error,
                silent=silent,
                also=tuple(dict.fromkeys(others)),
            )
        )
        self._services.tell_session(session, "agent.input.settled", turn_id=self.turn_id)
