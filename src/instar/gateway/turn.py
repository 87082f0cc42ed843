"""One turn: begin, loop, finish (design, section 2).

The loop is ours and not an agent framework's, because it must commit between two requests, take steered messages at
the boundaries, and be stoppable at every await on the outside world. The order of awaits is always the same: commit,
then ask; ask, then commit. No transaction is open while a model or a tool is awaited (LOSS-3).

A turn that is cut off at any await goes on with ``run(resume=True)`` from its last committed entry (LOSS-4).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import replace

import structlog

from instar.core.context.tokens import estimate_message, sum_usage
from instar.core.lifecycle.freshness import StaleReason
from instar.core.model.change import Changed, InboxItem, Noted, SessionChange, SessionFacts
from instar.core.model.entry import AssistantMessage, TextBlock, ToolCall
from instar.core.model.ids import InboundId, Instant, SessionKey, TurnId
from instar.core.model.session import Session
from instar.core.policy.command_kinds import Reset
from instar.core.queue.mode import Next
from instar.core.routing.key import parse_key
from instar.core.turn.begin import Begun, plan_begin
from instar.core.turn.ends import build_aborted_message, build_error_message, plan_ends
from instar.core.turn.entries import build_user_entries
from instar.core.turn.recover import INTERRUPTED_TEXT, find_open_calls, plan_resume
from instar.core.turn.reply import Reply, plan_reply
from instar.core.turn.steps import ModelCall, plan_answer, plan_steer, plan_tool_result
from instar.errors import InvariantBroken, ModelError, ModelOverflow
from instar.gateway.outside import Outside, Stopped
from instar.gateway.room import LazyPrompt, Room
from instar.gateway.tool_calls import call_tool
from instar.gateway.turn_news import RunEnd, TurnNews
from instar.gateway.turn_services import TurnServices
from instar.gateway.warm import WarmContext
from instar.ports.runner import Finished, ModelRequest, ModelSpec, Restarted, TextDelta
from instar.ports.tool import ToolContext, ToolOutput

__all__ = ["Turn"]

MAX_REQUESTS = 200
"""Model requests in one turn. A model that still calls tools after this many is going in circles."""

OVERFLOW_RETRIES = 3
"""How often a prompt that was too large is compacted and asked again (COMPACT-4)."""

TURN_TIMEOUT_S = 600.0
"""The longest one model request may take; a caller may ask for less."""

_INTERRUPTED = ToolOutput(content=(TextBlock(text=INTERRUPTED_TEXT),), is_error=True)

log = structlog.get_logger(__name__)


class Turn:
    """One turn of one session. `run` once; again with ``resume=True`` after the store refused it for a while."""

    def __init__(
        self,
        services: TurnServices,
        key: SessionKey,
        items: Sequence[InboxItem],
        *,
        turn_id: TurnId,
        warm: WarmContext,
        tell_taken: Callable[[tuple[InboundId, ...]], None],
        command: Reset | None = None,
        queued: Next | None = None,
    ) -> None:
        self.key = key
        self.turn_id = turn_id
        self.items = tuple(items)
        self.agent_id = items[0].acceptance.agent_id
        self.has_begun = False
        self._services = services
        self._warm = warm
        self._tell_taken = tell_taken
        self._command = command
        self._queued = queued
        self._news = TurnNews(services, key, agent_id=self.agent_id, turn_id=turn_id)
        self._outside = Outside(services.clock)
        self._offered: deque[InboxItem] = deque()
        self._merged: list[InboxItem] = []
        self._is_open = True
        self._partial = ""
        self._has_replied = False
        self._has_ended = False
        self._bytes = 0
        self._prompt: LazyPrompt | None = None
        self._room = Room(services=services, warm=warm, outside=self._outside, turn_id=turn_id)
        self._session: Session | None = None
        self._begun: Begun | None = None

    # --- from the lane ------------------------------------------------------------------------------------------------

    @property
    def is_stopping(self) -> bool:
        """Whether somebody asked the turn to end."""
        return self._outside.cause is not None

    def offer(self, item: InboxItem) -> None:
        """Offer a message to be taken at the next boundary (QUEUE-3); one that is not taken waits in its lane."""
        if self._is_open:
            self._offered.append(item)

    def stop(self, cause: str) -> None:
        """End the turn at once: what is awaited outside is cancelled, what was said so far is kept."""
        self._outside.stop(cause)

    # --- the turn -----------------------------------------------------------------------------------------------------

    async def run(self, *, resume: bool = False) -> None:
        """Begin (or go on), loop until there is an answer, finish. Raises `StoreError` when the store refuses."""
        await (self._resume() if resume else self._begin())
        self.has_begun = True
        try:
            await self._loop()
        except Stopped:
            # After the finish only a compaction is left to stop: the turn itself has ended, and nothing was stored.
            if not self._has_ended:
                await self._finish_stopped()
        except ModelError as error:
            log.warning("model_failed", session_key=self.key, turn_id=self.turn_id, code=error.code)
            await self._finish_failed(error.code, str(error))

    async def fail(self, sentence: str) -> None:
        """End the turn after a defect of ours, so that its sender is told and the session stays usable."""
        if self.has_begun:
            await self._finish_failed("internal", sentence)

    async def _begin(self) -> None:
        now = self._services.clock.now()
        settings = self._services.begin_settings(self.key, self.items[-1])
        draws = self._services.draw_begin(len(self.items))

        def decide(facts: SessionFacts) -> SessionChange:
            self._begun = plan_begin(
                facts,
                self.items,
                turn_id=self.turn_id,
                settings=settings,
                draws=draws,
                command=self._command,
                queued=self._queued,
            )
            return self._begun.change

        await self._change("begin_turn", decide, now=now)
        self._news.started(self._require_session(), reason=self._begun.reason if self._begun else None)

    async def _resume(self) -> None:
        """Go on after a cut: tool calls that were running are told to have been interrupted, never run again."""
        self._news.resumed()
        self._partial = ""
        await self._change("resume_turn", lambda facts: plan_resume(facts, self.items, turn_id=self.turn_id))
        await self._warm.load(self._require_session().session_id)
        await self._close_open_calls()

    async def _loop(self) -> None:
        await self._room.before(self._require_session(), self._model(), transcript_bytes=self._bytes)
        for _ in range(MAX_REQUESTS):
            model = self._model()
            answer = await self._ask_until_it_fits(model)
            calls = [block for block in answer.message.content if isinstance(block, ToolCall)]
            if calls:
                await self._commit_answer(answer, model)
                for call in calls:
                    await self._run_tool(call)
            elif self._offered:
                await self._commit_answer(answer, model)
            else:
                self._is_open = False
                message, took = self._settle(answer, model)
                await self._close("finish_turn", message, call=took, reply=self._plan_reply(message), state="final")
                await self._room.after(self._require_session(), model)
                return
            await self._take_offered()
        await self._finish_failed("too_many_steps", f"The agent did not come to an end in {MAX_REQUESTS} steps.")

    # --- asking the model ---------------------------------------------------------------------------------------------

    async def _ask(self, model: ModelSpec) -> Finished:
        """One model request, streamed. Raises `ModelError`, or `Stopped` when somebody stops the turn."""
        services = self._services
        self._news.phase("preparing_context")
        session = self._require_session()
        await self._warm.load(session.session_id)
        options = self.items[-1].submission.options
        system = await services.parts.texts.load(self.agent_id, session)
        peer_id = parse_key(self.key).peer_id or ""
        self._prompt = self._room.prompt(session, model, system=system, peer_id=peer_id)
        asked_s = TURN_TIMEOUT_S if options.timeout_ms is None else options.timeout_ms / 1000
        request = ModelRequest(
            session_key=self.key,
            turn_id=self.turn_id,
            model=model,
            system=system,
            messages=self._prompt,
            tools=services.tool_specs(),
            thinking=options.thinking or session.overrides.thinking_level,
            timeout_s=min(TURN_TIMEOUT_S, asked_s),
            fallbacks=services.fallbacks_of(model, self.agent_id),
        )
        self._news.phase("starting_model")
        self._partial = ""
        return await self._outside.wait(self._stream(request))

    async def _ask_until_it_fits(self, model: ModelSpec) -> Finished:
        """Ask; when the provider finds the prompt too large, compact and ask again, a few times (COMPACT-4)."""
        for _ in range(OVERFLOW_RETRIES):
            try:
                return await self._ask(model)
            except ModelOverflow as error:
                self._news.phase("compacting")
                done = await self._room.after_overflow(self._require_session(), model)
                if done.status != "compacted":
                    raise _with_way_out(error) from error
        try:
            return await self._ask(model)
        except ModelOverflow as error:
            raise _with_way_out(error) from error

    def _model(self) -> ModelSpec:
        """The model of this turn's requests as things stand now."""
        return self._services.resolve_model(self._require_session(), self.items[-1].submission.options.model)

    async def _stream(self, request: ModelRequest) -> Finished:
        runner = self._services.parts.runner
        async for event in runner.run(request):
            if isinstance(event, TextDelta):
                self._partial += event.text
                self._news.delta(self._partial, event.text)
            elif isinstance(event, Restarted):
                self._partial = ""
            elif isinstance(event, Finished):
                return event
        raise InvariantBroken("a runner ends with Finished", why=f"{runner.name} just stopped")

    def _settle(self, answer: Finished, model: ModelSpec) -> tuple[AssistantMessage, ModelCall]:
        """The answer with its time, and what it took."""
        message = replace(answer.message, timestamp=self._services.clock.now())
        last = self.items[-1]
        call = ModelCall(
            agent_id=self.agent_id,
            provider=message.provider,
            model=message.model,
            usage=message.usage,
            context_tokens=sum_usage(message.usage) or self._warm.view.context.tokens + estimate_message(message),
            window_tokens=model.context_window,
            cost_usd=answer.cost_usd,
            principal=last.submission.principal or last.acceptance.owner,
        )
        return message, call

    # --- tools and steering -------------------------------------------------------------------------------------------

    async def _run_tool(self, call: ToolCall) -> None:
        self._news.tool_started(call)
        context = ToolContext(session_key=self.key, agent_id=self.agent_id, turn_id=self.turn_id, call_id=call.id)
        output = await self._outside.wait(call_tool(self._services.parts.tools, call, context))
        await self._commit_result(call, output)

    async def _commit_result(self, call: ToolCall, output: ToolOutput) -> None:
        session_id = self._require_session().session_id
        entry_id = self._services.ids.entry_id()
        await self._change(
            "append_tool_result",
            lambda facts: plan_tool_result(
                facts,
                call,
                session_id=session_id,
                entry_id=entry_id,
                content=output.content,
                is_error=output.is_error,
                details=output.details,
            ),
        )
        self._news.tool_ended(call, output)

    async def _close_open_calls(self) -> None:
        """Give every call that will not run, or did not come back, a result that says so."""
        for call in find_open_calls(self._warm.entries):
            await self._commit_result(call, _INTERRUPTED)

    async def _take_offered(self) -> None:
        """Put offered messages into the turn, in the order they came."""
        if not self._offered:
            return
        session_id = self._require_session().session_id
        items = tuple(self._offered)
        entry_ids = [self._services.ids.entry_id() for _ in items]
        entries = build_user_entries(items, entry_ids, now=self._services.clock.now())
        await self._change(
            "steer_turn",
            lambda facts: plan_steer(facts, items, entries, session_id=session_id, turn_id=self.turn_id),
        )
        for _ in items:
            self._offered.popleft()
        self._merged.extend(items)
        self._tell_taken(tuple(item.inbound_id for item in items))

    # --- committing answers -------------------------------------------------------------------------------------------

    async def _commit_answer(self, answer: Finished, model: ModelSpec) -> None:
        """Commit an answer after which the turn goes on; its words are owed to the person at once."""
        message, call = self._settle(answer, model)
        reply = self._plan_reply(message)
        decisions = (*self._prompt_decisions(), *reply.decisions)
        session_id = self._require_session().session_id
        entry_id = self._services.ids.entry_id()
        await self._change(
            "append_answer",
            lambda facts: plan_answer(
                facts,
                message,
                session_id=session_id,
                entry_id=entry_id,
                turn_id=self.turn_id,
                call=call,
                deliveries=reply.deliveries,
                decisions=decisions,
            ),
        )

    async def _finish_stopped(self) -> None:
        """Keep what was said so far, marked as aborted, and end the messages of the turn."""
        self._is_open = False
        await self._close_open_calls()
        message = build_aborted_message(self._partial, now=self._services.clock.now())
        cause = self._outside.cause
        await self._close("abort_turn", message, call=None, reply=Reply(), state="aborted", reason=cause)

    async def _finish_failed(self, code: str, sentence: str) -> None:
        """Tell the person in a clear sentence, keep the failure in the transcript, and leave the session usable."""
        self._is_open = False
        await self._close_open_calls()
        now: Instant = self._services.clock.now()
        message = build_error_message(sentence, partial=self._partial, now=now)
        reply = self._plan_reply(build_error_message("", partial=sentence, now=now))
        await self._close("fail_turn", message, call=None, reply=reply, state="error", reason=code, error=sentence)

    async def _close(
        self,
        name: str,
        message: AssistantMessage,
        *,
        call: ModelCall | None,
        reply: Reply,
        state: RunEnd,
        reason: str | None = None,
        error: str | None = None,
    ) -> None:
        """The last commit of the turn, then the news of it."""
        decisions = (*self._prompt_decisions(), *reply.decisions)
        session_id = self._require_session().session_id
        entry_id = self._services.ids.entry_id()
        await self._change(
            name,
            lambda facts: plan_answer(
                facts,
                message,
                session_id=session_id,
                entry_id=entry_id,
                turn_id=self.turn_id,
                call=call,
                deliveries=reply.deliveries,
                decisions=decisions,
                ended=plan_ends(self.items, self.turn_id, reason=reason),
                aborted=state == "aborted",
            ),
        )
        self._has_ended = True
        self._news.ended(
            self._require_session(),
            message,
            state=state,
            items=(*self.items, *self._merged),
            silent=reply.silent,
            error=error,
        )

    def _plan_reply(self, message: AssistantMessage) -> Reply:
        """What the words of an answer owe; the line about an automatic reset goes with the first of them (LOSS-7)."""
        stale: StaleReason | None = self._begun.stale if self._begun and not self._has_replied else None
        self._has_replied = True
        last = self.items[-1]
        planned = self._prompt.planned if self._prompt else None
        return plan_reply(
            "\n".join(block.text for block in message.content if isinstance(block, TextBlock)),
            (*self.items, *self._merged),
            session=self._require_session(),
            turn_id=self.turn_id,
            settings=self._services.reply_settings(
                stale, self.key, last.submission.inbound.channel, truncated=planned is not None and planned.truncated
            ),
            draw=self._services.ids.delivery_id,
        )

    def _prompt_decisions(self) -> tuple[Noted, ...]:
        """What was left out of the last request, and why (WHY-1); told once."""
        planned = self._prompt.planned if self._prompt else None
        self._prompt = None
        decisions = planned.decisions if planned else ()
        return tuple(
            Noted(decision=one, inbound_id=self.items[0].inbound_id, turn_id=self.turn_id) for one in decisions
        )

    # --- small parts --------------------------------------------------------------------------------------------------

    async def _change(
        self, name: str, decide: Callable[[SessionFacts], SessionChange], *, now: Instant | None = None
    ) -> Changed:
        """One transaction of the turn; the warm context follows it, and listeners hear of its messages."""
        changed = await self._services.change(name, self.key, decide, now=now)
        self._session = changed.session
        self._bytes = changed.transcript.bytes if changed.transcript else self._bytes
        self._warm.follow(changed)
        self._services.tell_messages(self.agent_id, changed, turn_id=self.turn_id)
        return changed

    def _require_session(self) -> Session:
        if self._session is None:
            raise InvariantBroken("a turn has a session once it has begun", why=self.key)
        return self._session


def _with_way_out(error: ModelOverflow) -> ModelOverflow:
    """The same failure, with what a person can do about it (COMPACT-4)."""
    return ModelOverflow(
        error.what,
        why=error.why,
        fix="Try again, shorten the conversation with /compact, or begin a new one with /new.",
        provider=error.provider,
        model=error.model,
    )
