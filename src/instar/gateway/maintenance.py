"""Carrying out maintenance: load the rows, plan, archive, remove, record (MAINT-*, LOSS-8).

The plan is a value that can be shown and refused; here it is carried out row by row. A transcript is archived and the
archive verified before its rows go. Work that has begun since the plan was made is looked at again: a session that
runs now, or was used or pinned since, is left alone. One plan is made and carried out at a time: a second one beside it
would take what is just being removed for active work, and remove the next ones in its place. What cannot be carried out
(a disk that is full, a file in the way of an archive) keeps neither the next step nor the next store from its turn.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Mapping, Sequence
from dataclasses import asdict, replace
from typing import TypeVar

import structlog

from instar.core.lifecycle.maintenance import (
    CleanupOptions,
    MaintenanceFacts,
    MaintenanceRow,
    PlannedStep,
    Trigger,
    high_water_count,
    is_as_planned,
    is_model_locked,
    plan_maintenance,
)
from instar.core.lifecycle.maintenance_disk import DiskFacts, plan_disk
from instar.core.lifecycle.maintenance_report import MaintenanceReport, MaintenanceWarning, build_warning
from instar.core.model.change import Noted, SessionChange, SessionFacts
from instar.core.model.event import Event, SessionChanged
from instar.core.model.ids import AgentId, SessionKey
from instar.core.model.query import SessionQuery
from instar.core.model.session import Session
from instar.core.routing.key import parse_key
from instar.errors import StoreError, Unavailable
from instar.gateway.lane import LaneBook
from instar.gateway.parts import GatewayParts
from instar.gateway.turn_services import TurnServices
from instar.gateway.waiting import within

__all__ = ["Maintenance"]

T = TypeVar("T")

INTERVAL_S = 3600.0
"""How often a running gateway looks after its store."""

GROWTH_PAUSE_S = 60.0
"""How long it leaves a store alone that it has just cut back: a plan reads every row."""

FAILED_STEPS_MAX = 10
"""After so many steps that failed a plan is given up: it is the disk then, not the sessions."""

log = structlog.get_logger(__name__)


class Maintenance:
    """The maintenance of one gateway's store."""

    def __init__(self, parts: GatewayParts, services: TurnServices, lanes: LaneBook) -> None:
        self._parts = parts
        self._services = services
        self._lanes = lanes
        self._disk = parts.disk
        self._alone = asyncio.Lock()
        self._has_grown = asyncio.Event()
        self._grown: dict[AgentId, int] = {}
        self._counts: dict[AgentId, int] = {}
        services.events.subscribe(self._hear)

    async def run_forever(self) -> None:
        """Look after every agent's store now and then, and when one has grown past its cap (MAINT-9); never raises."""
        clock = self._parts.clock
        due = clock.monotonic() + INTERVAL_S
        while True:
            try:
                await within(clock, max(0.0, due - clock.monotonic()), self._has_grown.wait())
            except TimeoutError:
                due = clock.monotonic() + INTERVAL_S
                for agent in self._parts.config().agents.all:
                    await self._look_after(agent.id)
                await self.prune_states()
                continue
            self._has_grown.clear()
            over = [agent_id for agent_id in tuple(self._grown) if await self._is_over(agent_id)]
            for agent_id in over:
                await self._look_after(agent_id)
            if over:
                await clock.sleep(GROWTH_PAUSE_S)

    def _hear(self, event: Event) -> None:
        if isinstance(event, SessionChanged) and event.reason == "create":
            self._grown[event.agent_id] = self._grown.get(event.agent_id, 0) + 1
            self._has_grown.set()

    async def _is_over(self, agent_id: AgentId) -> bool:
        """Whether an agent's store has grown past the mark where an ordinary write cuts it back (MAINT-9).

        Only a store that is to be cut is counted, and only when it may have come so far.
        """
        settings, grown = self._parts.config().maintenance, self._grown.pop(agent_id, 0)
        if settings.mode != "enforce":
            return False
        mark, known = high_water_count(settings.max_entries), self._counts.get(agent_id)
        if known is None or known + grown >= mark:
            query = SessionQuery(agent_id=agent_id, archived=None, include_global=True, include_unknown=True, limit=1)
            counted = await _guarded(self._parts.store.list_sessions(query), "maintenance_failed", agent_id=agent_id)
            if counted is None:
                return False
            known, grown = counted.total, 0
        self._counts[agent_id] = known + grown
        return known + grown >= mark

    async def _look_after(self, agent_id: AgentId) -> None:
        await _guarded(self.clean(agent_id, trigger="write"), "maintenance_failed", agent_id=agent_id)

    async def prune_states(self) -> int:
        """Forget what state logs keep no longer; how many events went (STATE-2). Versions stay. Never raises."""
        pruned = 0
        while count := await _guarded(self._parts.store.states.prune(self._parts.clock.now()), "state_log_not_pruned"):
            pruned += count
        if pruned:
            log.info("state_log_pruned", events=pruned)
        return pruned

    async def clean(
        self,
        agent_id: AgentId,
        *,
        trigger: Trigger,
        active_key: SessionKey | None = None,
        options: CleanupOptions | None = None,
    ) -> MaintenanceReport:
        """Plan, and carry out what the plan says is enforced. Waits while another plan is carried out.

        Raises `StoreError`, once everything else is done, when sessions could not be removed; `Unavailable` when the
        gateway stops meanwhile; OSError when the files cannot be looked at.
        """
        async with self._alone:
            return await self._clean(agent_id, trigger=trigger, active_key=active_key, options=options)

    async def _clean(
        self, agent_id: AgentId, *, trigger: Trigger, active_key: SessionKey | None, options: CleanupOptions | None
    ) -> MaintenanceReport:
        config = self._parts.config()
        sessions = await self._load(agent_id)
        # Without a gateway there are no lanes yet; what they will take at its next start is work as well.
        admitted = await self._parts.store.load_open_keys()
        rows = [await self._row(session, with_transcript=options is not None) for session in sessions]
        facts = MaintenanceFacts(
            rows=tuple(replace(row, is_active=row.is_active or row.key in admitted) for row in rows),
            now=self._parts.clock.now(),
            trigger=trigger,
            active_key=active_key,
            main_key=config.routing.keys.main_key,
            dm_scope=config.routing.keys.dm_scope,
            options=options or CleanupOptions(),
        )
        plan = plan_maintenance(config.maintenance, facts)
        plan, disk = plan_disk(plan, config.maintenance, facts, await self._measure(agent_id, facts.rows))
        report = MaintenanceReport(
            agent_id=agent_id, plan=plan, disk=disk, before_count=len(sessions), dry_run=trigger == "dry-run"
        )
        if not plan.enforced or report.dry_run:
            if not report.dry_run:
                _warn(report, build_warning(report, config.maintenance, facts))
            return report
        applied, failed = await self._carry_out_all(plan.changes, {row.key: row for row in facts.rows})
        removed = await self._disk.remove(agent_id, disk.files)
        given = await self._parts.store.give_back()
        log.info(
            "maintenance_done",
            agent_id=agent_id,
            sessions=applied,
            failed=len(failed),
            files=removed,
            bytes_given_back=given,
        )
        if failed:
            raise StoreError(
                f"Maintenance could not remove all sessions of agent {agent_id} that were due",
                why=f"{len(failed)} of {len(plan.changes)} failed, the first because of this: {failed[0]}",
                fix="Mend that; what is left is tried again every hour. `instar doctor` looks at the files.",
            )
        return replace(report, applied_count=applied + removed)

    async def _measure(self, agent_id: AgentId, rows: Sequence[MaintenanceRow]) -> DiskFacts:
        """What an agent's sessions take: their files, and their transcripts in the database (MAINT-16)."""
        files = await self._disk.measure(agent_id)
        stored = sum(row.size_bytes for row in rows) // self._copies
        return replace(files, used_bytes=files.used_bytes + stored)

    @property
    def _copies(self) -> int:
        """How often a transcript lies on the disk: in the database, and with a mirror as a file of about its size."""
        return 1 if self._parts.config().store.mirror == "off" else 2

    async def _load(self, agent_id: AgentId) -> tuple[Session, ...]:
        query = SessionQuery(agent_id=agent_id, archived=None, include_global=True, include_unknown=True, limit=None)
        return (await self._parts.store.list_sessions(query)).sessions

    async def _row(self, session: Session, *, with_transcript: bool) -> MaintenanceRow:
        """A session as the plan sees it; transcripts are read only where a fix or a bound of the disk needs them."""
        lane = self._lanes.find(session.key)
        has_transcript, size = True, 0
        if with_transcript or self._parts.config().maintenance.max_disk_bytes is not None:
            heads = await self._parts.store.load_transcripts(session.key)
            size = sum(head.bytes for head in heads) * self._copies
            has_transcript = any(head.session_id == session.session_id and head.next_seq > 1 for head in heads)
        lifecycle = session.lifecycle
        return MaintenanceRow(
            key=session.key,
            session_id=session.session_id,
            updated_at=lifecycle.updated_at,
            last_interaction_at=lifecycle.last_interaction_at,
            chat_type=session.origin.chat_type,
            archived_at=lifecycle.archived_at,
            pinned_at=lifecycle.pinned_at,
            is_model_locked=is_model_locked(session),
            is_active=lane is not None and not lane.is_idle,
            has_transcript=has_transcript,
            size_bytes=size,
        )

    async def _carry_out_all(
        self, steps: Sequence[PlannedStep], rows: Mapping[SessionKey, MaintenanceRow]
    ) -> tuple[int, list[Exception]]:
        """How many steps changed something, and why others failed; one that fails leaves its session as it was."""
        applied, failed = 0, list[Exception]()
        for step in steps:
            try:
                applied += await self._carry_out(step, rows[step.key])
            except (StoreError, OSError) as error:
                log.error("session_not_removed", session_key=step.key, action=step.action, error=str(error))
                failed.append(error)
                if len(failed) == FAILED_STEPS_MAX:
                    break
        return applied, failed

    async def _carry_out(self, step: PlannedStep, planned: MaintenanceRow) -> int:
        """One step; 0 when the session is at work by now, or not as it was when the step was planned."""
        if not self._lanes.is_open:
            # A gateway that was never started holds the store alone, and nothing runs in it (CLI-28).
            return await self._carry_out_now(step, planned)
        async with self._services.doors.shut(step.key):
            lane = self._lanes.find(step.key)
            if lane is not None and not lane.is_idle:
                return 0
            return await self._lanes.get(step.key).perform(lambda: self._carry_out_now(step, planned))

    async def _carry_out_now(self, step: PlannedStep, planned: MaintenanceRow) -> int:
        """One step, while nothing runs in the session and no message can come."""
        session = await self._parts.store.load_session(step.key)
        if session is None or not is_as_planned(planned, await self._row(session, with_transcript=False)):
            return 0
        if step.action == "archive-dashboard":
            await self._services.change("archive_session", step.key, lambda facts: _archive(facts, step))
            return 1
        store = self._parts.store
        for head in await store.load_transcripts(step.key):
            if head.next_seq > 1:
                await self._parts.archiver.archive(head)
        removed = await store.delete_session(
            step.key, now=self._parts.clock.now(), decisions=(step.as_decision(),), keep_transcripts=False
        )
        agent_id = parse_key(step.key).agent_id or self._parts.config().agents.default_id
        self._services.tell_deleted(step.key, agent_id, owner=session.owner)
        return int(removed)


def _warn(report: MaintenanceReport, warning: MaintenanceWarning | None) -> None:
    """Say in the log what would go, and which of it is in use (MAINT-11)."""
    if warning is not None:
        log.warning("maintenance_would_remove", agent_id=report.agent_id, **asdict(warning))


async def _guarded(job: Awaitable[T], event: str, **facts: object) -> T | None:
    """What a job returns; None when something kept it from its end, which is logged and keeps no other job (LOSS-10).

    It is a job boundary (style, section 6).
    """
    try:
        return await job
    except (StoreError, Unavailable, OSError) as error:
        # `Unavailable`: the gateway stops meanwhile, or a lane cannot write what it owes.
        log.error(event, error=str(error), **facts)
    except Exception:
        log.exception(event, **facts)
    return None


def _archive(facts: SessionFacts, step: PlannedStep) -> SessionChange:
    """A dashboard session nobody used for long is put away, not deleted (MAINT-18)."""
    session = facts.session
    if session is None:
        return SessionChange()
    lifecycle = replace(session.lifecycle, archived_at=facts.now, pinned_at=None)
    return SessionChange(session=replace(session, lifecycle=lifecycle), decisions=(Noted(decision=step.as_decision()),))
