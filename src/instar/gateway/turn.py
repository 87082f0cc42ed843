"""One turn: begin, loop, finish (design, section 2).

The loop is ours and not an agent framework's, because it must commit between two requests, take steered messages at
the boundaries, and be stoppable at every await on the outside world. The order of awaits is always the same: commit,
then ask; ask, then commit. No transaction is open while a model or a tool is awaited (LOSS-3).

A turn that is cut off at any await goes on with ``run(resume=True)`` from its last committed entry (LOSS-4).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import structlog

from instar.core.delivery.route import resolve_route
from instar.core.delivery.silent import is_silent
from instar.core.lifecycle.awareness import note_run_end
from instar.core.model.change import Changed, InboxItem, SessionChange, SessionFacts
from instar.core.model.entry import AnyEntry, AssistantMessage, ToolCall
from instar.core.model.ids import Instant, SessionKey, TurnId
from instar.core.model.message import Target
from instar.core.model.query import SpendingQuery
from instar.core.model.session import Session
from instar.core.policy.command_kinds import Reset
from instar.core.queue.mode import Next
from instar.core.transcript.text import message_text
from instar.core.turn.begin import Begun, plan_begin
from instar.core.turn.ends import build_aborted_message, build_error_message, plan_ends, plan_given
from instar.core.turn.entries import build_user_entries
from instar.core.turn.recover import find_given_answer, find_open_calls, plan_resume
from instar.core.turn.reply import Reply, can_share_reply
from instar.core.turn.steps import ModelCall, plan_answer, plan_finish, plan_steer
from instar.core.turn.wordless import WORDLESS, describe_wordless, tell_wordless
from instar.errors import InvariantBroken, ModelError
from instar.gateway.asking import Asking
from instar.gateway.forking import look_at_parent
from instar.gateway.lane_ports import SteeredMail
from instar.gateway.outside import Outside, Stopped
from instar.gateway.room import Room
from instar.gateway.run_lines import RunLines
from instar.gateway.tool_calls import INTERRUPTED, SKIPPED, call_tool, plan_result
from instar.gateway.turn_budget import TurnBudget
from instar.gateway.turn_news import RunEnd, TurnNews
from instar.gateway.turn_services import TurnServices
from instar.gateway.turn_words import TurnWords
from instar.gateway.warm import WarmContext
from instar.ports.runner import Finished, ModelSpec
from instar.ports.tool import ToolContext, ToolOutput

__all__ = ["Turn"]

MAX_REQUESTS = 200
"""Model requests in one turn. A model that still calls tools after this many is going in circles."""

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
        steered: SteeredMail,
        budget: TurnBudget,
        command: Reset | None = None,
        queued: Next | None = None,
        alone: bool = True,
        held: bool = False,
    ) -> None:
        self.key = key
        self.turn_id = turn_id
        self.agent_id = items[0].acceptance.agent_id
        self._items = tuple(items)
        self._services = services
        self._lines = RunLines(services, key, agent_id=self.agent_id, turn_id=turn_id, shared=warm, held=held)
        self._warm = self._lines.warm
        self._steered = steered
        self._budget = budget
        self._command = command
        self._queued = queued
        self._alone = alone
        self._news = TurnNews(services, key, agent_id=self.agent_id, turn_id=turn_id)
        self._outside = Outside(services.clock)
        self._taking: tuple[InboxItem, ...] = ()
        self._merged: list[InboxItem] = []
        self._heard: list[InboxItem] = []
        self._is_open = True
        self._open_calls: list[ToolCall] = []
        self._has_answered = False
        self._has_ended = False
        self._words = TurnWords(
            services=services,
            news=self._news,
            items=lambda: (*self._items, *self._heard),
            session=self._require_session,
        )
        self._room = Room(
            services=services,
            warm=self._warm,
            outside=self._outside,
            turn_id=turn_id,
            news=self._words,
            whole=warm if held else None,
        )
        self._asking = Asking(
            services=services,
            key=key,
            turn_id=turn_id,
            agent_id=self.agent_id,
            item=self._items[-1],
            warm=self._warm,
            room=self._room,
            outside=self._outside,
            news=self._news,
            words=self._words,
            session=self._require_session,
        )
        self._session: Session | None = None
        self._begun: Begun | None = None

    # --- from the lane ------------------------------------------------------------------------------------------------

    @property
    def items(self) -> tuple[InboxItem, ...]:
        """The messages of the turn that have not ended yet."""
        return () if self._has_ended else (*self._items, *self._taking)

    def takes(self, route: Target | None) -> bool:
        """Whether a message that came by `route` may be put into this turn at its next boundary (QUEUE-3)."""
        routes = (resolve_route(item) for item in (*self._items, *self._heard))
        return self._is_open and self._outside.cause is None and can_share_reply(tuple(routes), route)

    def owns(self, run_id: TurnId) -> bool:
        """Whether the caller of one of its messages was told this id."""
        return any(item.submission.run_id == run_id for item in (*self._items, *self._merged))

    def stop(self, cause: str) -> None:
        """End the turn at once: what is awaited outside is cancelled, what was said so far is kept."""
        self._outside.stop(cause)

    # --- the turn -----------------------------------------------------------------------------------------------------

    async def run(self, *, resume: bool) -> None:
        """Begin (or go on), loop until there is an answer, finish. A store that refuses only makes it late.

        Raises `BudgetMoved` where it may not begin after all: nothing was written, and it may be run again.
        """
        try:
            given = await (self._resume() if resume else self._begin())
            if given is None or self._steered.has_steered(self.turn_id):
                await self._loop()
            else:
                await self._finish_given(given)
        except Stopped:
            # After the finish only a compaction is left to stop: the turn itself has ended, and nothing was stored.
            if not self._has_ended:
                await self._finish_stopped()
        except ModelError as error:
            log.warning("model_failed", session_key=self.key, turn_id=self.turn_id, code=error.code)
            await self._finish_failed(error.code, str(error))

    async def fail(self, sentence: str) -> None:
        """End the turn after a defect of ours, so that its sender is told and the session stays usable.

        Does nothing for one that has not begun or has ended; `items` says what is left to end then.
        """
        if self._session is not None and not self._has_ended:
            await self._finish_failed("internal", sentence)

    async def _begin(self) -> None:
        services = self._services
        settings = await services.with_notes(
            services.begin_settings(self.key, self._items[-1]), self.key, self._command
        )
        draws = services.draw_begin(len(self._items))
        contexts = await services.load_contexts(self.key, self._items)

        async with look_at_parent(services, self.key, self._items[0], command=self._command) as parent:

            def decide(facts: SessionFacts) -> SessionChange:
                self._budget.admit(facts, settings)
                self._begun = plan_begin(
                    facts,
                    self._items,
                    turn_id=self.turn_id,
                    settings=settings,
                    draws=draws,
                    command=self._command,
                    queued=self._queued,
                    contexts=contexts,
                    alone=self._alone,
                    parent=parent,
                )
                return self._begun.change

            await self._change("begin_turn", decide, spending=self._budget.questions)
        self._steered.confirm_begun(self.turn_id)
        self._news.started(self._require_session(), reason=self._begun.reason if self._begun else None)

    async def _resume(self) -> AssistantMessage | None:
        """Go on after a cut; the lane has told the tool calls that were running to have been interrupted.

        An answer that was committed before the cut is given back: nobody is asked for it twice.
        """
        services = self._services
        self._news.resumed()
        await self._change("resume_turn", lambda facts: plan_resume(facts, self._items, turn_id=self.turn_id))
        self._merged, self._heard = await services.load_taken(self.key, self.turn_id)
        session_id = self._require_session().session_id
        await services.insist(lambda: self._warm.load(session_id))
        if self._lines.held:
            self._open_calls = list(find_open_calls(await services.insist(self._load_held)))
            await self._close_open_calls()
        given = find_given_answer(self._warm.entries, self._items)
        self._has_answered = given is not None
        return given

    async def _loop(self) -> None:
        await self._take_steered()
        await self._room.before(self._require_session(), self._asking.model())
        for _ in range(MAX_REQUESTS):
            model = self._asking.model()
            answer = await self._asking.ask_until_it_fits(model)
            calls = [block for block in answer.message.content if isinstance(block, ToolCall)]
            if calls:
                await self._commit_answer(answer, model, calls)
                await self._run_tools(calls)
            elif self._steered.has_steered(self.turn_id):
                await self._commit_answer(answer, model)
            else:
                await self._finish(answer, model)
                await self._room.after(self._require_session(), model)
                return
            await self._take_steered()
        await self._finish_failed("too_many_steps", f"The agent did not come to an end in {MAX_REQUESTS} steps.")

    # --- tools and steering -------------------------------------------------------------------------------------------

    async def _run_tools(self, calls: Sequence[ToolCall]) -> None:
        """Run the calls one after the other. When somebody writes meanwhile, those not begun are not run (QUEUE-3)."""
        for place, call in enumerate(calls):
            if place and self._steered.has_steered(self.turn_id):
                await self._commit_result(call, SKIPPED)
            else:
                await self._run_tool(call)

    async def _run_tool(self, call: ToolCall) -> None:
        self._news.tool_started(call)
        context = ToolContext(session_key=self.key, agent_id=self.agent_id, turn_id=self.turn_id, call_id=call.id)
        output = await self._outside.wait(call_tool(self._asking.tools(), call, context, clock=self._services.clock))
        await self._commit_result(call, output)

    async def _commit_result(self, call: ToolCall, output: ToolOutput) -> None:
        session_id = self._require_session().session_id
        entry_id = self._services.ids.entry_id()
        await self._change(
            "append_tool_result",
            lambda facts: plan_result(facts, call, output, session_id=session_id, entry_id=entry_id),
        )
        self._open_calls.remove(call)
        self._news.tool_ended(call, output)

    async def _close_open_calls(self) -> None:
        """Give every call that will not run, or did not come back, a result that says so."""
        for call in tuple(self._open_calls):
            await self._commit_result(call, INTERRUPTED)

    async def _take_steered(self) -> None:
        """Put messages that steer into the turn, in the order they came."""
        items, staying = self._steered.take_steered(self.turn_id)
        if not items:
            return
        self._taking = tuple(item for item in items if item.inbound_id not in staying)
        session_id = self._require_session().session_id
        contexts = await self._services.load_contexts(self.key, items)
        entry_ids = [self._services.ids.entry_id() for _ in items]
        entries = build_user_entries(items, entry_ids, now=self._services.clock.now(), contexts=contexts)
        answered = self._items[:1] if self._has_answered else ()
        await self._change(
            "steer_turn",
            lambda facts: plan_steer(
                facts,
                items,
                entries,
                session_id=session_id,
                turn_id=self.turn_id,
                staying=staying,
                answered=answered,
            ),
        )
        self._steered.confirm_steered(self.turn_id)
        # One that also waits for a turn of its own is answered here all the same: a full queue may drop it yet.
        self._merged, self._heard = [*self._merged, *self._taking], [*self._heard, *items]
        self._taking, self._has_answered = (), False

    # --- committing answers -------------------------------------------------------------------------------------------

    async def _commit_answer(self, answer: Finished, model: ModelSpec, calls: Sequence[ToolCall] = ()) -> None:
        """Commit an answer after which the turn goes on; its words are owed to the person at once."""
        message, call = self._asking.settle(answer, model)
        reply = self._words.plan(message_text(message), message)
        decisions = (*self._words.take_decisions(), *reply.decisions)
        session_id = self._require_session().session_id
        entry_id = self._services.ids.entry_id()

        def decide(facts: SessionFacts) -> SessionChange:
            change = plan_answer(
                facts,
                message,
                session_id=session_id,
                entry_id=entry_id,
                turn_id=self.turn_id,
                call=call,
                deliveries=reply.owed_in(facts.session),
                ended=() if calls else plan_given(self._items, self.turn_id, entry_id),
                decisions=decisions,
                has_told_reset=reply.will_be_heard,
            )
            return self._words.remember(change, was_told=reply.will_be_heard)

        await self._change("append_answer", decide)
        self._open_calls, self._has_answered = list(calls), not calls
        # What was said is in the transcript now: a stop must not keep it a second time.
        self._asking.partial = ""

    async def _finish(self, answer: Finished, model: ModelSpec) -> None:
        """Commit the last answer; one without a word is told of in a sentence (LOSS-2)."""
        self._is_open = False
        message, took = self._asking.settle(answer, model)
        missing = tell_wordless(message, (*self._items, *self._heard), self._asking.seen.newest_first())
        if missing is None:
            reply = self._words.plan(message_text(message), message)
            await self._close("finish_turn", message, call=took, reply=reply, state="final")
            return
        log.warning("answer_without_words", session_key=self.key, turn_id=self.turn_id, model=model.ref)
        self._words.decide(describe_wordless(message))
        message = replace(message, stop_reason="error", error_message=missing)
        reply = self._words.plan(missing)
        await self._close("finish_turn", message, call=took, reply=reply, state="error", reason=WORDLESS, error=missing)

    async def _finish_given(self, message: AssistantMessage) -> None:
        """End a turn that was cut off after its last answer had been committed (LOSS-4)."""
        self._is_open = False
        session_id = self._require_session().session_id
        ended = plan_ends(self._items, self.turn_id)
        await self._change(
            "finish_turn", lambda facts: plan_finish(facts, session_id=session_id, ended=ended), last=True
        )
        self._end(message, state="final", silent=is_silent(message_text(message)), error=None)

    async def _finish_stopped(self) -> None:
        """Keep what was said so far, marked as aborted, and end the messages of the turn."""
        self._is_open = False
        await self._close_open_calls()
        message = build_aborted_message(self._asking.partial, now=self._services.clock.now())
        cause = self._outside.cause
        await self._close("abort_turn", message, call=None, reply=Reply(), state="aborted", reason=cause)

    async def _finish_failed(self, code: str, sentence: str) -> None:
        """Tell the person in a clear sentence, keep the failure in the transcript, and leave the session usable."""
        self._is_open = False
        await self._close_open_calls()
        now: Instant = self._services.clock.now()
        message = build_error_message(sentence, partial=self._asking.partial, now=now)
        reply = self._words.plan(sentence)
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
        decisions = (*self._words.take_decisions(), *reply.decisions)
        session_id = self._require_session().session_id
        entry_id = self._services.ids.entry_id()

        def decide(facts: SessionFacts) -> SessionChange:
            change = plan_answer(
                facts,
                message,
                session_id=session_id,
                entry_id=entry_id,
                turn_id=self.turn_id,
                call=call,
                deliveries=reply.owed_in(facts.session),
                decisions=decisions,
                ended=plan_ends((*self._items, *self._taking), self.turn_id, reason=reason),
                aborted=state == "aborted",
                has_told_reset=reply.will_be_heard,
                states=note_run_end(failed=state != "final", reason=reason),
            )
            return change if call is None else self._words.remember(change, was_told=reply.will_be_heard)

        await self._change(name, decide, last=True)
        self._end(message, state=state, silent=reply.silent, error=error)

    def _end(self, message: AssistantMessage, *, state: RunEnd, silent: bool, error: str | None) -> None:
        """The turn is over: every caller of its messages hears of it, once."""
        self._has_ended = True
        self._news.ended(
            self._require_session(),
            message,
            state=state,
            items=(*self._items, *self._taking, *self._merged),
            silent=silent,
            error=error,
        )

    # --- small parts --------------------------------------------------------------------------------------------------

    async def _change(
        self,
        name: str,
        decide: Callable[[SessionFacts], SessionChange],
        *,
        last: bool = False,
        spending: Sequence[SpendingQuery] = (),
    ) -> Changed:
        """One transaction of the turn, with `last` the one that ends it."""
        changed = await self._lines.write(name, decide, last=last, spending=spending)
        self._session = changed.session
        return changed

    async def _load_held(self) -> tuple[AnyEntry, ...]:
        return await self._services.parts.store.load_held(self.turn_id)

    def _require_session(self) -> Session:
        if self._session is None:
            raise InvariantBroken("a turn has a session once it has begun", why=self.key)
        return self._session
