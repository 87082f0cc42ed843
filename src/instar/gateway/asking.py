"""One model request of a turn: what is asked, heard as it is streamed, and asked again when it does not fit."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from instar.core.context.tokens import estimate_message, sum_usage
from instar.core.context.view import ContextView
from instar.core.model.change import InboxItem
from instar.core.model.entry import AssistantMessage
from instar.core.model.ids import AgentId, SessionKey, TurnId
from instar.core.model.session import Session
from instar.core.policy.levels import parse_thinking
from instar.core.policy.patch import clamp_thinking
from instar.core.turn.steps import ModelCall
from instar.errors import InvariantBroken, ModelOverflow, ModelUnavailable
from instar.gateway.levels import find_level
from instar.gateway.outside import Outside
from instar.gateway.room import LazyPrompt, Room, with_way_out
from instar.gateway.tool_policy import choose_tools
from instar.gateway.turn_news import TurnNews
from instar.gateway.turn_services import TurnServices
from instar.gateway.turn_words import TurnWords
from instar.gateway.warm import WarmContext
from instar.ports.runner import Finished, ModelRequest, ModelSpec, Restarted, TextDelta
from instar.ports.tool import Tool

__all__ = ["Asking"]

OVERFLOW_RETRIES = 3
"""How often a prompt that was too large is compacted and asked again (COMPACT-4)."""

TURN_TIMEOUT_S = 600.0
"""The longest one model request may take; a caller may ask for less."""

RUNNER_GRACE_S = 5.0
"""How much later than its time a runner may end before it is cut: its own error says more than ours would."""


@dataclass(slots=True, kw_only=True)
class Asking:
    """Asks the model for one turn, whose newest message is `item`. `partial` is what was said so far of the answer
    under way; `warm` is what the model sees of the session, `seen` what of it the newest request was made of: lines
    that others write while a model answers (a pin, an injected one) are no part of what it was asked.
    """

    services: TurnServices
    key: SessionKey
    turn_id: TurnId
    agent_id: AgentId
    item: InboxItem
    warm: WarmContext
    room: Room
    outside: Outside
    news: TurnNews
    words: TurnWords
    session: Callable[[], Session]
    partial: str = ""
    seen: ContextView = field(default_factory=ContextView)

    def model(self) -> ModelSpec:
        """The model of this turn's requests as things stand now."""
        return self.services.resolve_model(self.session(), self.item.submission.options.model)

    def tools(self) -> Mapping[str, Tool]:
        """The tools that this turn may use as things stand now (TYPE-9)."""
        parts = self.services.parts
        return choose_tools(parts.config(), parts.tools, self.session(), item=self.item)

    async def ask_until_it_fits(self, model: ModelSpec) -> Finished:
        """Ask; when the provider finds the prompt too large, compact and ask again, a few times (COMPACT-4).

        Raises `ModelError`, or `Stopped` when somebody stops the turn.
        """
        for _ in range(OVERFLOW_RETRIES):
            try:
                return await self._ask(model)
            except ModelOverflow as error:
                if not await self.room.after_overflow(self.session(), self._refusing(error, model)):
                    raise with_way_out(error) from error
        try:
            return await self._ask(model)
        except ModelOverflow as error:
            raise with_way_out(error) from error

    def _refusing(self, error: ModelOverflow, model: ModelSpec) -> ModelSpec:
        """The model that refused a prompt, whose window counts then: the one asked for, or one that stood in."""
        asked = (model, *self.services.fallbacks_of(model, self.agent_id))
        return next((one for one in asked if (one.provider, one.id) == (error.provider, error.model)), model)

    async def _ask(self, model: ModelSpec) -> Finished:
        services = self.services
        self.news.phase("preparing_context")
        session = self.session()
        self.seen = await services.insist(lambda: self.warm.load(session.session_id))
        options = self.item.submission.options
        system = await services.parts.texts.load(self.agent_id, session)
        asked_s = TURN_TIMEOUT_S if options.timeout_ms is None else options.timeout_ms / 1000
        request = ModelRequest(
            session_key=self.key,
            turn_id=self.turn_id,
            model=model,
            system=system,
            messages=self._plan(model, system),
            tools=tuple(tool.spec for tool in self.tools().values()),
            thinking=self._thinking(session, model),
            timeout_s=min(TURN_TIMEOUT_S, asked_s),
            fallbacks=services.fallbacks_of(model, self.agent_id),
            messages_for=lambda stand_in: self._plan(stand_in, system),
        )
        self.news.phase("starting_model")
        self.partial = ""
        try:
            return await self.outside.wait(self._stream(request), timeout_s=request.timeout_s + RUNNER_GRACE_S)
        except TimeoutError:
            raise ModelUnavailable(
                "The model gave no answer in time",
                why=f"it was still silent after {request.timeout_s:.0f} seconds",
                fix="Try again; if it stays, choose another model with /model.",
                provider=model.provider,
                model=model.id,
            ) from None

    def _thinking(self, session: Session, model: ModelSpec) -> str | None:
        """The level to think at, as far as the model knows it (RESOLVE-5, PATCH-6).

        None where nobody says anything, which leaves it to the provider, and for a word that is no level, which older
        versions stored: a turn must not fail for it.
        """
        held = find_level(self.services.parts.config(), "thinkingLevel", session, self.agent_id, self.item.submission)
        word = parse_thinking(held.value) if held.source != "default" else None
        supports_xhigh = model.ref in self.services.parts.models.xhigh_models()
        return clamp_thinking(word.level if word else None, supports_xhigh=supports_xhigh)

    def _plan(self, model: ModelSpec, system: str) -> LazyPrompt:
        """What a model gets to see, in its own window; what is told of the answer is told of the newest plan."""
        submission = self.item.submission
        prompt = self.room.prompt(self.session(), model, view=self.seen, system=system, submission=submission)
        self.words.prompt = prompt
        return prompt

    async def _stream(self, request: ModelRequest) -> Finished:
        runner = self.services.parts.runner
        async with contextlib.aclosing(runner.run(request)) as events:
            async for event in events:
                if isinstance(event, TextDelta):
                    self.partial += event.text
                    self.news.delta(self.partial, event.text)
                elif isinstance(event, Restarted):
                    self.partial = ""
                elif isinstance(event, Finished):
                    return event
        raise InvariantBroken("a runner ends with Finished", why=f"{runner.name} just stopped")

    def settle(self, answer: Finished, model: ModelSpec) -> tuple[AssistantMessage, ModelCall]:
        """The answer with its time, and what it took."""
        self.words.hear(answer, model)
        message = replace(answer.message, timestamp=self.services.clock.now())
        call = ModelCall(
            agent_id=self.agent_id,
            provider=message.provider,
            model=message.model,
            usage=message.usage,
            context_tokens=sum_usage(message.usage) or self.seen.context.tokens + estimate_message(message),
            window_tokens=model.context_window,
            cost_usd=answer.cost_usd,
            principal=self.item.submission.principal or self.item.acceptance.owner,
            channel=self.item.submission.inbound.channel,
        )
        return message, call
