"""The gateway: owns the lanes and everything that runs, from start to drain (design, section 2).

`submit` is the one door for messages, whatever their source: decide, commit, acknowledge, hand to the lane. What
happens then happens in lanes. Start-up takes over what a crash left (LOSS-4); stop lets running turns end within a
limit and leaves the rest for the next start.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from itertools import groupby
from types import TracebackType
from typing import Self

import structlog

from instar.core.explain.status import StatusFacts
from instar.core.model.change import Acceptance, AcceptFacts, Acknowledgement, InboxItem, Submission
from instar.core.model.event import ShuttingDown
from instar.core.model.ids import ChannelName, DeliveryId, SessionKey, TurnId
from instar.core.model.message import Inbound
from instar.core.model.query import Recovered, SessionQuery
from instar.core.model.view import GatewayFacts, GatewayStatus, RunState
from instar.core.turn.door import Address, decide_acceptance, find_door_peer, resolve_address
from instar.errors import ChannelError, InvalidRequest, Unavailable
from instar.gateway.commands import Commands
from instar.gateway.devices import DeviceDesk
from instar.gateway.doors import Visit
from instar.gateway.events import EventHub
from instar.gateway.incognito import require_begun
from instar.gateway.keeping import Keeping
from instar.gateway.lanes import Lanes
from instar.gateway.maintenance import Maintenance
from instar.gateway.outbox import Outbox
from instar.gateway.owners import Owners
from instar.gateway.pairing import PairingDesk
from instar.gateway.parts import GatewayParts
from instar.gateway.people import People
from instar.gateway.runs import Runs
from instar.gateway.sessions import Sessions
from instar.gateway.settings import door_settings
from instar.gateway.status import build_facts, load_status
from instar.gateway.status_text import load_status_facts
from instar.gateway.tokens import Tokens
from instar.gateway.turn_services import TurnServices
from instar.gateway.upkeep import Upkeep
from instar.gateway.waiting import within
from instar.ports.channel import Channel, ChannelContext, Receipt

__all__ = ["Gateway"]

DRAIN_S = 10.0
"""How long a stop lets running turns end by themselves."""

log = structlog.get_logger(__name__)


class Gateway:
    """One running gateway. Use it as an async context manager: entering starts it, leaving drains and stops it."""

    def __init__(self, parts: GatewayParts) -> None:
        self._parts = parts
        self._group = asyncio.TaskGroup()
        self._is_draining = False
        self._upkeep_tasks: tuple[asyncio.Task[None], ...] = ()
        self._channel_errors: dict[ChannelName, str] = {}
        self._started_at = parts.clock.now()
        self.events = EventHub()
        self.runs = Runs(parts.store, parts.clock)
        self.events.subscribe(self.runs.follow)
        self.outbox = Outbox(parts.store, parts.clock, parts.channels, parts.config().delivery)
        self._services = TurnServices(parts=parts, events=self.events, outbox=self.outbox)
        self.lanes = Lanes(parts, self._services)
        self.sessions = Sessions(parts, self._services, self.lanes)
        self.maintenance = Maintenance(parts, self._services, self.lanes)
        self.upkeep = Upkeep(parts, self._services, self.lanes, self.maintenance)
        self.keeping = Keeping(parts, self._services, self.lanes)
        self.pairing = PairingDesk(parts, self._services)
        self.owners = Owners(parts, self._services.doors, self.sessions.beginnings)
        self.events.subscribe(self.owners.follow)
        self.tokens = Tokens(
            parts.store.tokens, parts.clock, parts.ids, self.events.publish, doors=self._services.doors
        )
        self.devices = DeviceDesk(
            parts.store.devices, self.tokens, clock=parts.clock, ids=parts.ids, publish=self.events.publish
        )
        self.people = People(parts, self._services, self.lanes, self.tokens)
        self._commands = Commands(parts, self._services, self.sessions, self.lanes, pairing=self.pairing)

    # --- life ---------------------------------------------------------------------------------------------------------

    async def __aenter__(self) -> Self:
        """Recover, then start lanes, outbox and channels, in this order."""
        await self._group.__aenter__()
        self._services.group = self._group
        self.lanes.open(self._group, self._commands)
        try:
            recovered = await self._parts.store.recover(self._parts.clock.now())
            self._services.fence = recovered.fence
            await self.people.open()
            self._take_up(recovered)
            await self.outbox.start(recovered.unknown, self._group)
            for channel in self._parts.channels.values():
                await self._start_channel(channel)
            self._upkeep_tasks = (
                self._group.create_task(self.maintenance.run_forever(), name="maintenance"),
                self._group.create_task(self.people.run_forever(), name="erasures"),
            )
        except BaseException as error:
            await self.__aexit__(type(error), error, error.__traceback__)
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop taking messages, let turns end for a while, cut the rest; they go on at the next start."""
        await self.stop("shutdown")
        await self._group.__aexit__(None, None, None)

    async def stop(self, reason: str) -> None:
        """Drain and stop; may be called twice.

        Channels go last: what the last turns say still leaves through them. Their messages are refused meanwhile, with
        the request to send them again.
        """
        if self._is_draining:
            return
        self._is_draining = True
        self.events.publish(ShuttingDown(reason=reason))
        await self._drain()
        await self.lanes.stop()
        await self.outbox.stop()
        for channel in self._parts.channels.values():
            await channel.stop()
        self._end_upkeep()
        await self._parts.runner.close()

    def _end_upkeep(self) -> None:
        for task in self._upkeep_tasks:
            task.cancel()

    async def drop(self) -> None:
        """Let everything fall as a crash would: no drain, no goodbye. The rows say what is left to do (LOSS-4)."""
        self._is_draining = True
        await self.lanes.stop()
        await self.outbox.stop()
        self._end_upkeep()
        await self._group.__aexit__(None, None, None)

    async def _drain(self) -> None:
        """Begin no more turns, let those that run come to their end, and what they said leave."""
        clock = self._parts.clock
        for lane in self.lanes:
            lane.drain()
        running = [task for lane in self.lanes for task in lane.tasks]
        try:
            if running:
                await within(clock, DRAIN_S, _all_done(running))
            await within(clock, DRAIN_S, self.outbox.drain())
        except TimeoutError:
            turns = sum(len(lane.active_turn_ids) for lane in self.lanes)
            log.warning("drain_cut", turns=turns)

    def _take_up(self, recovered: Recovered) -> None:
        """Hand interrupted turns and waiting messages to their lanes, in arrival order (LOSS-4)."""

        def turn_of(item: InboxItem) -> tuple[SessionKey, TurnId]:
            return item.acceptance.session_key, item.turn_id or TurnId(item.inbound_id)

        def key_of(item: InboxItem) -> SessionKey:
            return item.acceptance.session_key

        for key, items in groupby(sorted(recovered.left_out, key=lambda item: (key_of(item), item.seq)), key_of):
            self.lanes.get(key).recall(tuple(items))
        for (key, _turn_id), items in groupby(
            sorted(recovered.running, key=lambda item: (*turn_of(item), item.seq)), turn_of
        ):
            self.lanes.get(key).resume(tuple(items))
        for item in recovered.waiting:
            self.lanes.get(item.acceptance.session_key).offer(item)
        if recovered.running or recovered.waiting:
            log.info("recovered", running=len(recovered.running), waiting=len(recovered.waiting))

    async def _start_channel(self, channel: Channel) -> None:
        name = channel.name

        async def accept(inbound: Inbound) -> Acknowledgement:
            return await self.submit(Submission(inbound=inbound))

        async def settle(delivery_id: DeliveryId, receipt: Receipt) -> bool:
            return await self.outbox.settle(name, delivery_id, receipt)

        context = ChannelContext(
            accept=accept,
            claim=lambda limit: self.outbox.claim(name, limit),
            settle=settle,
            wait=lambda seconds: self.outbox.wait(name, seconds),
            report_members=self.owners.report_members,
        )
        try:
            await channel.start(context)
        except ChannelError as error:
            # One channel that cannot connect must not keep the others silent; `status` says so.
            self._channel_errors[name] = self._parts.redactor.text(str(error))
            log.error("channel_not_started", channel=name, error=str(error))

    # --- the door -----------------------------------------------------------------------------------------------------

    async def submit(self, submission: Submission) -> Acknowledgement:
        """Commit a message and answer what its sender is told (LOSS-1); the lane takes it from there.

        The same (channel, account, message id) gets the first answer again and runs nothing. Raises `Unavailable`
        while the gateway stops or the sender is being erased, `InvalidRequest` where a model is asked for that may not
        be chosen or lacks the level, or there is no incognito session of the key, and any `StoreError`; then nothing
        was stored.
        """
        if self._is_draining:
            raise Unavailable(
                "The gateway is stopping", fix="Send the message again in a moment.", retry_after_ms=2_000
            )
        parts = self._parts
        config = parts.config()
        inbound_id = parts.ids.inbound_id()
        address = resolve_address(config.routing, submission, default_agent=config.agents.default_id)
        await self._require_takable(submission, address)
        inbound = submission.inbound
        settings = door_settings(
            config,
            inbound.channel,
            agent_id=address.agent_id,
            names=self._services.model_names(address.agent_id),
            is_group=inbound.chat.type != "direct",
        )
        peer = find_door_peer(submission, address, settings)
        draw = self.pairing.draw(peer, submission, address)
        decided: list[Acceptance] = []

        def decide(facts: AcceptFacts) -> Acceptance:
            # May be asked again when a commit has to be repeated: the last answer is the one that holds.
            decided[:] = (
                decide_acceptance(facts, submission, address, settings, draw=draw, draw_id=parts.ids.delivery_id),
            )
            return decided[0]

        visit = Visit(submission=submission, key=address.session_key, owner=address.owner)
        async with self._services.doors.passing(visit):
            acknowledgement, item = await parts.store.accept(
                submission,
                inbound_id=inbound_id,
                now=parts.clock.now(),
                key=address.session_key,
                decide=decide,
                pairing=peer,
            )
            if item is not None and not self._is_draining:
                self.lanes.get(item.acceptance.session_key).offer(item)
                # Read in full by `answer_inline`; hardly any message has the word.
                if "/status" in inbound.text.lower():
                    self._services.spawn(self._commands.answer_inline(item))
        if acknowledgement.status == "refused":
            # A refusal may owe its sender a sentence.
            self.outbox.wake(inbound.channel)
            for acceptance in decided:
                self.pairing.announce(acceptance)
        return acknowledgement

    async def _require_takable(self, submission: Submission, address: Address) -> None:
        """Raises `InvalidRequest` as `submit` says, but not for what was taken before: its answer holds (LOSS-1)."""
        inbound = submission.inbound
        try:
            await require_begun(self._parts.store, address.session_key, field="sessionKey")
            await self._services.check_asked(submission, address.session_key, address.agent_id)
        except InvalidRequest:
            known = await self._parts.store.find_message(
                channel=inbound.channel, account_id=inbound.account_id, message_id=inbound.message_id
            )
            if known is None:
                raise

    async def run_state(self, run_id: TurnId, *, principal: str | None = None) -> RunState | None:
        """How far a run is; None when the id was never accepted."""
        return await self.runs.state(run_id, principal=principal)

    async def wait_run(self, run_id: TurnId, *, timeout_ms: int, principal: str | None = None) -> RunState | None:
        """As `run_state`, but waits up to so long for the run to end."""
        return await self.runs.wait(run_id, timeout_s=timeout_ms / 1000, principal=principal)

    # --- what it is ---------------------------------------------------------------------------------------------------

    def facts(self) -> GatewayFacts:
        """What the gateway is: version, defaults, agents, models, commands."""
        return build_facts(self._parts, started_at=self._started_at)

    async def status_facts(self, key: SessionKey) -> StatusFacts:
        """How one session stands (STATUS-1…6)."""
        return await load_status_facts(self._parts, self._services, self.lanes, key)

    async def status(self, *, recent: int = 10, owner_in: tuple[str, ...] | None = None) -> GatewayStatus:
        """What is going on, with the most recently used sessions; with `owner_in` of what a principal sees only."""
        query = SessionQuery(limit=recent, owner_in=owner_in)
        return await load_status(self._parts, self.lanes, self.sessions, self._channel_errors, query=query)


async def _all_done(tasks: Sequence[asyncio.Task[None]]) -> None:
    """Return once every task is done, however it ended; being cancelled leaves them alone."""
    await asyncio.wait(tasks)
