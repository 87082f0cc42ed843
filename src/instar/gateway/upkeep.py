"""Looking after sessions: compact, resume, export, clean up; what was spent, and what would become of a message.

Nothing here begins a turn. What one person changes of a session stands in `instar.gateway.sessions`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from functools import partial

from instar.core.context.outcome import Compacted
from instar.core.explain.replay import ReplayRules
from instar.core.explain.simulate import SimulationReport, simulate_change
from instar.core.explain.traffic import TrafficRecord
from instar.core.lifecycle.maintenance import CleanupOptions, Trigger
from instar.core.lifecycle.maintenance_report import MaintenanceReport
from instar.core.model.ids import AgentId, Instant, SessionId, SessionKey
from instar.core.model.message import Inbound
from instar.core.model.query import UsageRow
from instar.core.model.view import ForeseenMessage
from instar.core.policy.budget import BudgetState
from instar.core.policy.pairing import build_facts
from instar.gateway.compaction_run import CompactionRun, take_outcome
from instar.gateway.doors import Visit
from instar.gateway.export import ExportFormat, export_session
from instar.gateway.foresee import foresee_message
from instar.gateway.lane import LaneBook
from instar.gateway.maintenance import Maintenance
from instar.gateway.parts import GatewayParts
from instar.gateway.revival import resume_session
from instar.gateway.traffic import load_traffic
from instar.gateway.turn_services import TurnServices

__all__ = ["Upkeep"]


class Upkeep:
    """The upkeep of one gateway's sessions."""

    def __init__(self, parts: GatewayParts, services: TurnServices, lanes: LaneBook, maintenance: Maintenance) -> None:
        self._maintenance = maintenance
        self._parts = parts
        self._services = services
        self._lanes = lanes

    async def compact(
        self,
        key: SessionKey,
        *,
        who: str,
        instructions: str = "",
        keep_lines: int | None = None,
        undo: bool = False,
    ) -> Compacted:
        """Compact a session, or take its newest compaction back; a running turn is stopped first (COMPACT-20)."""
        async with self._services.doors.passing(Visit(key=key)):
            run = CompactionRun(
                self._services,
                key,
                self._lanes.warm(key),
                instructions=instructions,
                keep_lines=keep_lines,
                undo=undo,
                who=who,
            )
            await self._lanes.get(key).compact(run)
        return await take_outcome(run)

    async def resume(self, key: SessionKey, which: str, *, who: str) -> SessionId:
        """Make a closed transcript current again (LOSS-6). Raises `NotFound`, `InvalidRequest`."""
        async with self._services.doors.passing(Visit(key=key)):
            head = await self._lanes.get(key).perform(
                lambda: resume_session(self._parts, self._services, key, which, who=who), cause="reset"
            )
            self._lanes.warm(key).forget()
        return head.session_id

    async def export(
        self,
        key: SessionKey,
        *,
        form: ExportFormat,
        raw: bool = False,
        session_id: SessionId | None = None,
        all_branches: bool = False,
        is_owner: bool = True,
    ) -> str:
        """A session as a document (CLI-20); `session_id` names a closed life of it. Raises `NotFound`.

        Secrets are taken out first, unless `raw` asks for them.
        """
        parts = self._parts
        return await export_session(
            parts.store,
            key,
            form=form,
            session_id=session_id,
            all_branches=all_branches,
            redactor=None if raw else parts.redactor,
            agent_id=parts.config().agents.default_id,
            now=parts.clock.now(),
            is_owner=is_owner,
        )

    async def clean(
        self,
        agent_id: AgentId | None,
        *,
        all_agents: bool,
        trigger: Trigger,
        active_key: SessionKey | None,
        options: CleanupOptions,
    ) -> tuple[MaintenanceReport, ...]:
        """Maintenance of one agent's store, the default one's, or all (RPC-10); one report for each."""
        agents = self._parts.config().agents
        chosen = [agent.id for agent in agents.all] if all_agents else [agent_id or agents.default_id]
        return tuple(
            [
                await self._maintenance.clean(one, trigger=trigger, active_key=active_key, options=options)
                for one in chosen
            ]
        )

    async def simulate(
        self, rules: ReplayRules, *, since: Instant, traffic: Sequence[TrafficRecord] | None
    ) -> SimulationReport:
        """What other rules would have made of the traffic: of what is on record since a moment, or of `traffic`
        (WHY-4). Nothing is sent, nothing stored.
        """
        records = await load_traffic(self._parts, since=since) if traffic is None else traffic
        today, zone = self._parts.config(), self._parts.clock.zone()
        pairing = build_facts(await self._parts.store.load_pairings())
        return await asyncio.to_thread(partial(simulate_change, records, today, rules, zone=zone, pairing=pairing))

    async def foresee(self, inbound: Inbound) -> ForeseenMessage:
        """What would become of a message of a channel (WHY-3); nothing is sent, nothing stored. Raises `NotFound`."""
        return await foresee_message(self._parts, inbound)

    async def usage(
        self, key: SessionKey | None, *, since: Instant | None, owner_in: Sequence[str] | None = None
    ) -> tuple[UsageRow, ...]:
        """What was spent, by agent, provider and model (RPC-12); a deleted session's share stays (LOSS-11)."""
        return await self._parts.store.sum_usage(session_key=key, since=since, owner_in=owner_in)

    async def budgets(self) -> tuple[BudgetState, ...]:
        """How each budget stands, with a forecast (COST-2)."""
        return await self._services.spending.list_budgets()
