"""Operations on a session as a whole: compact, undo, resume, export, usage (RPC-9, RPC-11, RPC-12, LOSS-6, LOSS-9)."""

from __future__ import annotations

import json
from typing import Literal

from instar.core.context.outcome import Compacted
from instar.core.lifecycle.maintenance import CleanupOptions, Trigger
from instar.core.lifecycle.maintenance_report import MaintenanceReport
from instar.core.lifecycle.title import derive_title
from instar.core.model.fields import format_session
from instar.core.model.ids import AgentId, Instant, SessionId, SessionKey
from instar.core.model.query import UsageRow
from instar.core.model.session import Session
from instar.core.policy.redaction import Redactor
from instar.core.transcript.export import SessionExport, build_document, build_lines, render_html, render_markdown
from instar.errors import NotFound
from instar.gateway.compaction_run import CompactionRun
from instar.gateway.lane import LaneBook
from instar.gateway.maintenance import Maintenance
from instar.gateway.parts import GatewayParts
from instar.gateway.revival import resume_session
from instar.gateway.turn_services import TurnServices

__all__ = ["ExportFormat", "Upkeep"]

ExportFormat = Literal["json", "jsonl", "markdown", "html"]


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
        run = CompactionRun(
            self._services,
            key,
            self._lanes.warm(key),
            instructions=instructions,
            keep_lines=keep_lines,
            undo=undo,
            who=who,
        )
        self._lanes.get(key).compact(run)
        return await run.done

    async def resume(self, key: SessionKey, which: str, *, who: str) -> SessionId:
        """Make a closed transcript current again (LOSS-6). Raises `NotFound`, `InvalidRequest`."""
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
    ) -> str:
        """A session as a document (CLI-20); `session_id` names a closed life of it. Raises `NotFound`.

        Secrets are taken out first, unless `raw` asks for them.
        """
        session = await self._parts.store.load_session(key)
        wanted = session_id or (session.session_id if session else None)
        if wanted is None:
            raise NotFound(f"There is no session {key}", fix="List the sessions with `instar sessions list`.")
        load = self._parts.store.load_all_entries if all_branches else self._parts.store.load_entries
        page = await load(wanted)
        export = SessionExport(
            key=key,
            session_id=wanted,
            agent_id=session.agent_id if session else self._parts.config().agents.default_id,
            exported_at=self._parts.clock.now(),
            header=page.head.header,
            entries=tuple(stored.entry for stored in page.entries),
            row=format_session(session) if session else {},
            title=_title(session, key),
        )
        return _render(export, form, None if raw else self._parts.redactor)

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

    async def usage(self, key: SessionKey | None, *, since: Instant | None) -> tuple[UsageRow, ...]:
        """What was spent, by agent, provider and model (RPC-12); a deleted session's share stays (LOSS-11)."""
        return await self._parts.store.sum_usage(session_key=key, since=since)


def _title(session: Session | None, key: SessionKey) -> str:
    return derive_title(session) if session is not None else key


def _render(export: SessionExport, form: ExportFormat, redactor: Redactor | None) -> str:
    if form == "markdown":
        text = render_markdown(export)
        return redactor.text(text) if redactor else text
    if form == "html":
        text = render_html(export)
        return redactor.text(text) if redactor else text
    if form == "jsonl":
        lines = (_clean(line, redactor) for line in build_lines(export.header, export.entries))
        return "".join(f"{json.dumps(line, ensure_ascii=False)}\n" for line in lines)
    return json.dumps(_clean(build_document(export), redactor), ensure_ascii=False, indent=2)


def _clean(document: dict[str, object], redactor: Redactor | None) -> object:
    return document if redactor is None else redactor.value(document)
