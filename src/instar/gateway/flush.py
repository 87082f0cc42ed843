"""The silent turn in which an agent writes down what it must not forget, before its context is summarised (FLUSH-*).

It runs before a person's turn, so that the person's words stay the newest that the model answers. Its lines are in the
transcript like any other; nothing of it is delivered. Whatever comes of it, it runs once for each compaction: a
provider that fails must not be asked for notes again with every message.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Final

import structlog

from instar.core.context.flush import FlushPrompts
from instar.core.context.tokens import estimate_message, sum_usage
from instar.core.model.change import Changed, Noted, SessionChange, SessionFacts, Submission
from instar.core.model.decision import Decision
from instar.core.model.entry import AssistantMessage, CustomMessageEntry, ToolCall
from instar.core.model.ids import TurnId
from instar.core.model.session import Session
from instar.core.turn.steps import ModelCall, hang_entries, plan_answer, require_session, touch_updated
from instar.errors import ModelError
from instar.gateway.note_tools import choose_note_tools, is_note_written
from instar.gateway.outside import Outside, Stopped, take_answer
from instar.gateway.room import Room
from instar.gateway.tool_calls import INTERRUPTED, call_tool, plan_result
from instar.gateway.turn_services import TurnServices
from instar.gateway.warm import WarmContext
from instar.ports.runner import ModelRequest, ModelSpec
from instar.ports.tool import Tool, ToolContext, ToolOutput

__all__ = ["FLUSH_TYPE", "FlushRun"]

FLUSH_TYPE: Final = "instar.flush"
"""`customType` of the prompt of a flush."""

_REQUESTS_MAX: Final = 20
"""Model requests in one flush; notes take a handful of tool calls."""

_TIMEOUT_S: Final = 120.0
"""The longest one request may take: a person waits for the turn behind it."""

log = structlog.get_logger(__name__)


@dataclass(slots=True, kw_only=True)
class FlushRun:
    """One flush of a session. `run` once; `outside` lets somebody stop it. `submission` is what is answered next."""

    services: TurnServices
    session: Session
    model: ModelSpec
    warm: WarmContext
    outside: Outside
    turn_id: TurnId
    submission: Submission
    _open_calls: list[ToolCall] = field(default_factory=list)
    _notes: int = 0

    async def run(self, prompts: FlushPrompts, decision: Decision) -> None:
        """Ask for notes, run what they need, and note that it was done. Raises nothing of the model or its tools."""
        outcome = "flushed"
        try:
            await self._begin(prompts.prompt, decision)
            await self._loop(prompts.system)
        except Stopped:
            outcome = "stopped"
        except (ModelError, TimeoutError) as error:
            outcome = "failed"
            log.warning("flush_failed", session_key=self.session.key, error=str(error))
        for call in tuple(self._open_calls):
            await self._commit_result(call, INTERRUPTED)
        await self._end(outcome)

    async def _begin(self, prompt: str, decision: Decision) -> None:
        entry = CustomMessageEntry(
            id=self.services.ids.entry_id(),
            parent_id=None,
            timestamp=self.services.clock.now(),
            custom_type=FLUSH_TYPE,
            content=prompt,
            display=False,
        )

        def decide(facts: SessionFacts) -> SessionChange:
            session = require_session(facts, self.session.session_id)
            leaf = facts.transcript.leaf_id if facts.transcript else None
            return SessionChange(
                session=touch_updated(session, facts.now),
                entries=hang_entries((entry,), leaf),
                decisions=(Noted(decision=decision, turn_id=self.turn_id),),
            )

        await self._change("begin_flush", decide)

    async def _loop(self, system: str) -> None:
        agent_text = await self.services.parts.texts.load(self.session.agent_id, self.session)
        for _ in range(_REQUESTS_MAX):
            message = await self._ask(f"{agent_text}\n\n{system}")
            calls = [block for block in message.content if isinstance(block, ToolCall)]
            self._open_calls = list(calls)
            if not calls:
                return
            for call in calls:
                context = ToolContext(
                    session_key=self.session.key,
                    agent_id=self.session.agent_id,
                    turn_id=self.turn_id,
                    call_id=call.id,
                )
                output = await self.outside.wait(call_tool(self._tools(), call, context, clock=self.services.clock))
                await self._commit_result(call, output)
                self._notes += is_note_written(call, output)

    def _tools(self) -> Mapping[str, Tool]:
        """The tools of the session, and the one for notes (TYPE-9)."""
        return choose_note_tools(self.services.parts, self.session)

    async def _ask(self, system: str) -> AssistantMessage:
        """One request; its answer, committed."""
        services, session = self.services, self.session
        view = await services.insist(lambda: self.warm.load(session.session_id))
        room = Room(services=services, warm=self.warm, outside=self.outside, turn_id=self.turn_id)
        request = ModelRequest(
            session_key=session.key,
            turn_id=self.turn_id,
            model=self.model,
            system=system,
            messages=room.prompt(session, self.model, view=view, system=system, submission=self.submission),
            tools=tuple(tool.spec for tool in self._tools().values()),
            timeout_s=_TIMEOUT_S,
        )
        finished = await self.outside.wait(take_answer(services.parts.runner, request), timeout_s=_TIMEOUT_S)
        message = replace(finished.message, timestamp=services.clock.now())
        took = ModelCall(
            agent_id=session.agent_id,
            provider=message.provider,
            model=message.model,
            usage=message.usage,
            context_tokens=sum_usage(message.usage) or view.context.tokens + estimate_message(message),
            window_tokens=self.model.context_window,
            cost_usd=finished.cost_usd,
            principal=session.owner,
            channel=session.origin.channel,
            purpose="flush",
        )
        entry_id = services.ids.entry_id()
        await self._change(
            "append_flush",
            lambda facts: plan_answer(
                facts, message, session_id=session.session_id, entry_id=entry_id, turn_id=self.turn_id, call=took
            ),
        )
        return message

    async def _commit_result(self, call: ToolCall, output: ToolOutput) -> None:
        entry_id = self.services.ids.entry_id()
        await self._change(
            "append_tool_result",
            lambda facts: plan_result(facts, call, output, session_id=self.session.session_id, entry_id=entry_id),
        )
        self._open_calls.remove(call)

    async def _end(self, outcome: str) -> None:
        """Note that this cycle has had its flush (FLUSH-5)."""
        decision = Decision(kind="flush", outcome=outcome, rule="FLUSH-5", inputs={"notes": self._notes})
        noted = Noted(decision=decision, turn_id=self.turn_id)

        def decide(facts: SessionFacts) -> SessionChange:
            session = require_session(facts, self.session.session_id)
            counters = replace(
                session.counters,
                memory_flush_at=facts.now,
                memory_flush_compaction_count=session.counters.compaction_count,
            )
            return SessionChange(session=replace(session, counters=counters), decisions=(noted,))

        await self._change("end_flush", decide)

    async def _change(self, name: str, decide: Callable[[SessionFacts], SessionChange]) -> Changed:
        changed = await self.services.insist(lambda: self.services.change(name, self.session.key, decide))
        if changed.session is not None:
            self.session = changed.session
        self.warm.follow(changed)
        return changed
