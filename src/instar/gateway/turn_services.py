"""What turns, commands and operations share: one way to write, one way to tell.

`change` is the only door to the store for whatever happens inside a session: it carries the fence. `tell_*` turns
what was committed into events; they are called after the commit and never before.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial
from typing import Any, TypeVar

import structlog

from instar.core.context.compaction import CompactionSettings, list_summary_refs
from instar.core.context.tokens import estimate_chars, json_chars
from instar.core.lifecycle.freshness import StaleReason
from instar.core.lifecycle.notice import build_reset_notice
from instar.core.model.change import Changed, InboxItem, SessionChange, SessionFacts, Submission
from instar.core.model.entry import MessageEntry
from instar.core.model.event import Event, MessageStored, RunEnded, SessionChanged
from instar.core.model.ids import AgentId, ChannelName, Instant, SessionId, SessionKey, TurnId
from instar.core.model.query import SpendingQuery
from instar.core.model.session import Session
from instar.core.policy.command_kinds import Reset
from instar.core.policy.levels import require_xhigh
from instar.core.policy.model_choice import ModelNames, require_model
from instar.core.routing.key import is_group_key, is_main_key
from instar.core.turn.begin import BeginDraws, BeginSettings
from instar.core.turn.entries import build_group_context
from instar.core.turn.recover import read_steered
from instar.core.turn.reply import ReplySettings
from instar.errors import FenceLost, InvariantBroken, StoreError
from instar.gateway.doors import Doors
from instar.gateway.events import EventHub
from instar.gateway.outbox import Outbox
from instar.gateway.parts import GatewayParts
from instar.gateway.settings import begin_settings, reset_policy
from instar.gateway.spending import SpendingBook
from instar.ports.clock import Clock
from instar.ports.ids import IdSource
from instar.ports.runner import ModelSpec
from instar.ports.tool import ToolSpec

__all__ = ["TurnServices"]

log = structlog.get_logger(__name__)

STORE_PAUSE_S = 2.0
"""Rest before what the store refused (a full disk) is tried again."""

TAKEN_MAX = 200
"""The most messages that a turn which goes on after a cut reads back as its own."""

T = TypeVar("T")


@dataclass(slots=True, kw_only=True)
class TurnServices:
    """Shared by all turns of one gateway. `fence` is set once, when the gateway has recovered."""

    parts: GatewayParts
    events: EventHub
    outbox: Outbox
    fence: int | None = None
    group: asyncio.TaskGroup | None = None
    spending: SpendingBook = field(init=False)
    doors: Doors = field(init=False)
    _tool_tokens: int | None = None

    def __post_init__(self) -> None:
        """Begin to count what is spent, with all doors open."""
        self.doors = Doors(self.parts.clock)
        self.spending = SpendingBook(self.parts)

    @property
    def clock(self) -> Clock:
        """Time."""
        return self.parts.clock

    @property
    def ids(self) -> IdSource:
        """Fresh ids."""
        return self.parts.ids

    async def change(
        self,
        name: str,
        key: SessionKey,
        decide: Callable[[SessionFacts], SessionChange],
        *,
        now: Instant | None = None,
        spending: Sequence[SpendingQuery] = (),
    ) -> Changed:
        """One transaction under this gateway's fence, in which `spending` is asked of the ledger.

        Raises `FenceLost` and every other `StoreError`.
        """
        at = self.clock.now() if now is None else now
        store = self.parts.store
        changed = await store.change(name, key, now=at, fence=self.fence, decide=decide, spending=spending)
        for channel in {delivery.target.channel for delivery in changed.change.deliveries}:
            self.outbox.wake(channel)
        return changed

    async def insist(self, work: Callable[[], Awaitable[T]]) -> T:
        """The result of `work`, which asks or writes the store; one that refuses for a while only makes it late.

        Nothing of a refused write was stored, so it may be repeated; a full disk then costs time and no words. It
        goes on until the store gives in or the caller is cancelled. Raises `FenceLost`: that one lasts.
        """
        while True:
            try:
                return await work()
            except FenceLost:
                raise
            except StoreError as error:
                log.error("store_refused", error=str(error), again_in_s=STORE_PAUSE_S)
                await self.clock.sleep(STORE_PAUSE_S)

    # --- asking -------------------------------------------------------------------------------------------------------

    async def load_contexts(self, key: SessionKey, items: Sequence[InboxItem]) -> tuple[str, ...]:
        """What was said in the group before each message and shown to no turn yet (ACT-7); empty outside groups."""
        if not is_group_key(key) and all(item.submission.inbound.chat.type == "direct" for item in items):
            return ()
        contexts, after_seq = [], 0
        for item in items:
            settings = self.parts.config().activation(item.submission.inbound.channel, item.acceptance.agent_id)
            question = partial(
                self.parts.store.load_observed,
                key,
                after_seq=after_seq,
                before_seq=item.seq,
                limit=settings.history_limit,
            )
            contexts.append(build_group_context(await self.insist(question)))
            after_seq = item.seq
        return tuple(contexts)

    async def load_taken(self, key: SessionKey, turn_id: TurnId) -> tuple[list[InboxItem], list[InboxItem]]:
        """The messages that a turn has taken beside its own: those that were merged into it, and these together with
        those that also wait for a turn of their own (QUEUE-7).
        """
        store = self.parts.store
        rows = await self.insist(lambda: store.load_inbox(turn_id=turn_id, limit=TAKEN_MAX))
        newest = await self.insist(lambda: store.load_inbox(session_key=key, limit=TAKEN_MAX))
        # A client chooses its run's id, so a message elsewhere may carry the same one.
        merged = [row for row in rows if row.state == "merged" and row.acceptance.session_key == key]
        return merged, [*merged, *(row for row in newest if row.ended_at is None and read_steered(row) == turn_id)]

    def begin_settings(self, key: SessionKey, item: InboxItem) -> BeginSettings:
        """What the begin of a turn depends on."""
        agent_id = item.acceptance.agent_id
        named = item.submission.session_key is not None
        return begin_settings(
            self.parts.config(),
            key,
            agent_id=agent_id,
            channel=None if named else item.submission.inbound.channel,
            zone=self.clock.zone(),
            default_model=self.model_names(agent_id).default,
        )

    async def with_notes(self, settings: BeginSettings, key: SessionKey, command: Reset | None) -> BeginSettings:
        """`settings` with what a bare reset of the agent's main session brings along (CMD-10)."""
        config = self.parts.config()
        is_bare = command is not None and not command.remainder
        if not is_bare or not config.memory.enabled or not is_main_key(key, main_key=config.routing.keys.main_key):
            return settings
        today = datetime.fromtimestamp(self.clock.now() / 1000, self.clock.zone()).date()
        return replace(settings, notes=await self.parts.texts.load_notes(settings.agent_id, today))

    def draw_begin(self, count: int) -> BeginDraws:
        """The ids that a begin for so many messages may need."""
        return BeginDraws(session_id=self.ids.session_id(), entry_ids=tuple(self.ids.entry_id() for _ in range(count)))

    def reply_settings(
        self, stale: StaleReason | None, session: Session, submission: Submission, *, lines: Sequence[str] = ()
    ) -> ReplySettings:
        """What a reply to a message depends on; `stale` is why the session started over just now, None if it did not.

        `lines` say how the answer came about, and stand in front of it, too.
        """
        config = self.parts.config()
        channel = None if submission.session_key is not None else submission.inbound.channel
        policy = reset_policy(config, session.key, channel, session=session, submission=submission)
        notice = build_reset_notice(stale, policy=policy) if stale else None
        return ReplySettings(
            send_policy=config.send,
            main_key=config.routing.keys.main_key,
            text_max_chars=self.text_limit,
            links=config.routing.keys.links,
            notice=notice,
            lines=tuple(lines),
        )

    def text_limit(self, channel: str) -> int | None:
        """The longest text of a channel, None without a limit."""
        found = self.parts.channels.get(ChannelName(channel))
        return found.capabilities.text_max_chars if found else None

    def model_names(self, agent_id: AgentId) -> ModelNames:
        """The models a person may name for an agent."""
        return self.parts.models.names(agent_id)

    def resolve_model(self, session: Session, asked: str | None) -> ModelSpec:
        """The model of a request: asked for this turn, chosen for the session, else the agent's (RESOLVE-5).

        A choice that is no longer configured gives way to the agent's own model.
        """
        models = self.parts.models
        overrides = session.overrides
        chosen = f"{overrides.provider_override}/{overrides.model_override}" if overrides.model_override else None
        for ref in (asked, chosen):
            spec = models.resolve(ref) if ref else None
            if spec is not None:
                return spec
        return models.default_of(session.agent_id)

    async def check_asked(self, submission: Submission, key: SessionKey, agent_id: AgentId) -> None:
        """Raises `InvalidRequest` for a message that asks for a model that may not be chosen, as a patch of its session
        would (PATCH-5), and for one that asks for ``xhigh`` of a model without it (PATCH-6).
        """
        models, options = self.parts.models, submission.options
        if options.model:
            require_model(options.model, self.model_names(agent_id), field="model")
        if options.thinking != "xhigh":
            return
        session = await self.parts.store.load_session(key)
        asked = models.resolve(options.model) if options.model else None
        model = asked or (self.resolve_model(session, None) if session else models.default_of(agent_id))
        require_xhigh(options.thinking, is_known=model.ref in models.xhigh_models(), field="thinking")

    def fallbacks_of(self, model: ModelSpec, agent_id: AgentId) -> tuple[ModelSpec, ...]:
        """The models that may stand in: those of the agent, unless a person chose another model than the agent's."""
        models = self.parts.models
        return models.fallbacks_of(agent_id) if model.ref == models.default_of(agent_id).ref else ()

    def compaction_settings(self, agent_id: AgentId) -> CompactionSettings:
        """When and how an agent's sessions are compacted (COMPACT-1)."""
        return self.parts.config().compaction.get(agent_id)

    def summary_model(self, settings: CompactionSettings, own: ModelSpec) -> ModelSpec:
        """The model that writes summaries: the configured one, else the session's own."""
        found = map(self.parts.models.resolve, list_summary_refs(settings, own_id=own.id))
        return next((spec for spec in found if spec is not None), own)

    def tool_tokens(self) -> int:
        """The estimate of what the tools take of a window."""
        if self._tool_tokens is None:
            chars = sum(len(one.name) + len(one.description) + json_chars(one.parameters) for one in self.tool_specs())
            self._tool_tokens = estimate_chars(chars)
        return self._tool_tokens

    def tool_specs(self) -> tuple[ToolSpec, ...]:
        """What the model is told of the tools."""
        return tuple(tool.spec for tool in self.parts.tools.values())

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Let work go on in the gateway's own task group; its failure is logged and stops nobody else."""
        if self.group is None:
            raise InvariantBroken("work is spawned between a gateway's start and its end")
        self.group.create_task(_logged(work))

    # --- telling ------------------------------------------------------------------------------------------------------

    def publish(self, event: Event) -> None:
        """Tell every listener."""
        self.events.publish(event)

    def tell_session(self, session: Session, reason: str, *, turn_id: TurnId | None = None) -> None:
        """Say that a session's row changed, and why (RESET-30)."""
        self.publish(
            SessionChanged(
                session_key=session.key,
                agent_id=session.agent_id,
                reason=reason,
                at=self.clock.now(),
                session=session,
                turn_id=turn_id,
            )
        )

    def tell_messages(self, agent_id: AgentId, changed: Changed, *, turn_id: TurnId | None = None) -> None:
        """Say which messages a change has put into the transcript."""
        head = changed.transcript
        if head is None or changed.change.held_by is not None:
            return
        first = head.next_seq - len(changed.change.entries)
        for place, entry in enumerate(changed.change.entries):
            if isinstance(entry, MessageEntry):
                self.publish(
                    MessageStored(
                        session_key=head.key,
                        session_id=head.session_id,
                        agent_id=agent_id,
                        entry=entry,
                        seq=first + place,
                        turn_id=turn_id,
                    )
                )

    def tell_expired(self, item: InboxItem, session_id: SessionId, *, error: str | None = None) -> None:
        """Say to the caller of a message that it will get no turn; `session_id` is empty where there is none.

        `error` says that a defect of ours is the reason.
        """
        acceptance = item.acceptance
        self.publish(
            RunEnded(
                session_key=acceptance.session_key,
                session_id=session_id,
                agent_id=acceptance.agent_id,
                turn_id=item.submission.run_id or item.turn_id or TurnId(item.inbound_id),
                state="aborted" if error is None else "error",
                at=self.clock.now(),
                started_at=item.received_at,
                error=error,
            )
        )

    def tell_deleted(self, key: SessionKey, agent_id: AgentId, *, owner: str | None = None) -> None:
        """Say that a session is gone, and whose it was."""
        self.publish(
            SessionChanged(session_key=key, agent_id=agent_id, reason="delete", at=self.clock.now(), owner=owner)
        )


async def _logged(work: Coroutine[Any, Any, None]) -> None:
    """A job boundary (style, section 6): what a background job raises is logged, and the gateway goes on."""
    try:
        await work
    except Exception:
        log.exception("background_job_failed")
