"""Chat commands that need no model: read, allow, do, answer (CMD-20…35).

What a message asks for is parsed by `instar.core.policy.commands`, whether its sender may is decided by
`command_rights`; here is only the doing. A command acts on the sender's own session (LEAK-5). Its answer is always
delivered (SEND-12), and nothing of it is in the transcript.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace

from instar.core.context.system import WORKSPACE_FILES
from instar.core.explain.compacted import describe_outcome
from instar.core.explain.settings import tell_fields
from instar.core.explain.status import build_status_lines, hide_others_spending
from instar.core.explain.story import ask, tell
from instar.core.lifecycle.title import derive_title
from instar.core.model.change import InboxChange, InboxItem, Noted, SessionChange, SessionFacts
from instar.core.model.decision import Decision
from instar.core.model.event import CommandAnswered, RunNote
from instar.core.model.fields import format_session
from instar.core.model.ids import Instant, TurnId
from instar.core.model.query import DecisionQuery
from instar.core.model.session import Overrides
from instar.core.policy import command_kinds as kinds
from instar.core.policy.command_help import build_help
from instar.core.policy.command_patch import CommandPatch, build_command_patch
from instar.core.policy.command_rights import CommandDecision, command_name, decide_command
from instar.core.policy.commands import parse_command
from instar.core.policy.model_choice import ModelNames
from instar.core.policy.model_text import describe_models, describe_unknown_model
from instar.core.policy.resolve import resolve_plain_settings
from instar.core.policy.stop_text import tell_stop
from instar.core.queue.settings import describe_queue
from instar.core.routing.grammar import is_incognito_key
from instar.core.transcript.export_place import choose_export_place
from instar.core.turn.inline import apply_inline, asks_for_status
from instar.core.turn.reply import plan_command_reply
from instar.core.turn.steps import touch_updated
from instar.errors import InvalidRequest, InvariantBroken, NotFound, Unavailable
from instar.gateway.compaction_run import CompactionRun
from instar.gateway.context_text import describe_context
from instar.gateway.docking import dock_session
from instar.gateway.export import export_session
from instar.gateway.lane import LaneBook
from instar.gateway.levels import setting_layers
from instar.gateway.pairing import PairingDesk
from instar.gateway.pairing_command import answer_pairing, comes_from_named_owner
from instar.gateway.parts import GatewayParts
from instar.gateway.patching import patch_session
from instar.gateway.queueing import queue_settings
from instar.gateway.revival import pin_entry, resume_session
from instar.gateway.sessions import Sessions
from instar.gateway.settings import command_context
from instar.gateway.status_text import load_status_facts
from instar.gateway.sub_agents import stop_sub_agents
from instar.gateway.turn_services import TurnServices

__all__ = ["Commands"]

NAME_CHARS = 120
"""The longest display name; lists cut it further."""


class Commands:
    """The commands of one gateway."""

    def __init__(
        self,
        parts: GatewayParts,
        services: TurnServices,
        sessions: Sessions,
        lanes: LaneBook,
        *,
        pairing: PairingDesk,
    ) -> None:
        self._parts = parts
        self._services = services
        self._sessions = sessions
        self._lanes = lanes
        self._pairing = pairing

    # --- reading ------------------------------------------------------------------------------------------------------

    def read(self, item: InboxItem) -> tuple[kinds.Command, CommandDecision] | None:
        """What a message asks for and what becomes of it; None for ordinary text, also where only the sender's
        standing makes it so (CMD-4).
        """
        inbound = item.submission.inbound
        is_group = inbound.chat.type != "direct"
        agent_id = item.acceptance.agent_id
        context = command_context(
            self._parts.config(), agent_id, self._services.model_names(agent_id), is_group=is_group
        )
        command = parse_command(inbound.text, context)
        if command is None:
            return None
        decision = decide_command(
            command,
            is_authorised=item.acceptance.authorised,
            is_owner=item.acceptance.is_owner,
            is_group=is_group,
            is_named_owner=isinstance(command, kinds.Pairing) and comes_from_named_owner(self._parts, item),
        )
        return None if decision.outcome == "text" else (command, decision)

    def read_reset(self, item: InboxItem) -> kinds.Reset | None:
        """The reset a message asks for and may ask for; it runs as the begin of a turn (CMD-8)."""
        found = self.read(item)
        return found[0] if found is not None and isinstance(found[0], kinds.Reset) else None

    def recognises(self, item: InboxItem) -> bool:
        """Whether the message is done here, without a turn; directives inside other text are the turn's affair."""
        found = self.read(item)
        if found is None or isinstance(found[0], kinds.Reset):
            return False
        command, decision = found
        return decision.outcome == "swallow" or not (isinstance(command, kinds.Inline) and command.text.strip())

    def cut(self, item: InboxItem) -> InboxItem:
        """The message without the directives in its text, which hold for its turn (CMD-28)."""
        command = self.read_inline(item)
        return item if command is None else apply_inline(item, command)

    def read_inline(self, item: InboxItem) -> kinds.Inline | None:
        """The directives in the text of a message whose sender may give them, None without any."""
        if "/" not in item.submission.inbound.text:
            return None
        found = self.read(item)
        if found is None or not isinstance(found[0], kinds.Inline) or self.recognises(item):
            return None
        return found[0]

    async def answer_inline(self, item: InboxItem) -> None:
        """Answer a `/status` among other text at once; the rest of the message has its turn (STATUS-15)."""
        command = self.read_inline(item)
        if command is None or not asks_for_status(command):
            return
        key, services = item.acceptance.session_key, self._services
        text = await self._tell_status(item)
        limit = services.text_limit(item.submission.inbound.channel)
        deliveries = plan_command_reply(item, text, draw=services.ids.delivery_id, limit=limit)
        if deliveries:
            change = SessionChange(deliveries=deliveries)
            await services.insist(lambda: services.change("answer_inline", key, lambda _facts: change))
        services.publish(
            RunNote(
                session_key=key,
                agent_id=item.acceptance.agent_id,
                turn_id=item.turn_id or TurnId(item.inbound_id),
                text=text,
                at=services.clock.now(),
            )
        )

    # --- doing --------------------------------------------------------------------------------------------------------

    async def run(self, item: InboxItem) -> Callable[[], Awaitable[None]]:
        """Do the command of a message that `recognises` knows. What is returned ends the message and answers its
        sender; it may be called again while the store refuses. Raises `StoreError`: then nothing was done.
        """
        found = self.read(item)
        if found is None:
            raise InvariantBroken("a command is done as it was recognised", why=item.inbound_id)
        command, decision = found
        if decision.outcome == "swallow":
            return lambda: self._end(item, decision, text=None, state="refused")
        if isinstance(command, kinds.Compact) and decision.outcome == "run":
            return await self._compact(command, decision, item)
        if decision.outcome == "place":
            text = "This command is for groups only."
        else:
            try:
                text = await self._answer(command, item)
            except (InvalidRequest, NotFound, Unavailable) as error:
                text = str(error)
        return lambda: self._end(item, decision, text=text, state="command")

    async def _tell_status(self, item: InboxItem) -> str:
        key = item.acceptance.session_key
        facts = await load_status_facts(self._parts, self._services, self._lanes, key, item.submission)
        return build_status_lines(facts if item.acceptance.is_owner else hide_others_spending(facts))

    async def _answer(self, command: kinds.Command, item: InboxItem) -> str:
        match command:
            case kinds.Stop():
                return await self._stop(item)
            case kinds.Status():
                return await self._tell_status(item)
            case kinds.Help():
                return build_help(full=False)
            case kinds.Commands():
                return build_help(full=True)
            case kinds.WhoAmI():
                return _describe_sender(item)
            case kinds.Pairing():
                return await answer_pairing(self._parts, self._pairing, command, item, who=_who(item))
            case kinds.Why():
                return await self._why(item)
            case kinds.Resume():
                return await self._resume(command, item)
            case kinds.Pin():
                return await self._pin(command, item)
            case kinds.Dock():
                return await dock_session(self._parts, self._services, item, command.channel)
            case kinds.Name():
                return await self._name(command, item)
            case kinds.ContextReport():
                return await describe_context(self._services, item.acceptance.session_key, command)
            case kinds.Export():
                return await self._export(command, item)
            case kinds.Model(model=None):
                return await self._tell_models(command, item)
            case _:
                patch = build_command_patch(command)
                if patch is None:
                    raise InvariantBroken("every command is done", why=command_name(command))
                return await self._set(command, patch, item)

    async def _stop(self, item: InboxItem) -> str:
        key = item.acceptance.session_key
        try:
            stopped = await self._lanes.get(key).stop_from_inside("stop")
        except Unavailable:
            # Only its turn goes on. Where the gateway stops meanwhile nothing more is begun: the command is done anew.
            await stop_sub_agents(self._parts, self._services, self._lanes, key, rule="CMD-26")
            raise
        others = await stop_sub_agents(self._parts, self._services, self._lanes, key, rule="CMD-26")
        return tell_stop(stopped=bool(stopped), sub_agents=others.stopped, busy=others.busy)

    async def _compact(
        self, command: kinds.Compact, decision: CommandDecision, item: InboxItem
    ) -> Callable[[], Awaitable[None]]:
        """Start the compaction as a run of the lane; its outcome answers the command (COMPACT-20)."""
        key = item.acceptance.session_key
        run = CompactionRun(
            self._services,
            key,
            self._lanes.warm(key),
            instructions=command.instructions,
            undo=command.undo,
            who=_who(item),
        )
        try:
            await self._lanes.get(key).compact_from_inside(run)
        except Unavailable as error:
            text = str(error)
            return lambda: self._end(item, decision, text=text, state="command")
        self._services.spawn(self._end_compaction(run, decision, item, undo=command.undo))
        return _nothing

    async def _end_compaction(
        self, run: CompactionRun, decision: CommandDecision, item: InboxItem, *, undo: bool
    ) -> None:
        text = describe_outcome(await run.done, undo=undo)
        await self._services.insist(lambda: self._end(item, decision, text=text, state="command"))

    async def _resume(self, command: kinds.Resume, item: InboxItem) -> str:
        """Make a closed transcript current again (LOSS-6)."""
        key = item.acceptance.session_key
        lane = self._lanes.get(key)
        await lane.stop_from_inside("stop")
        head = await resume_session(self._parts, self._services, key, command.which, who=_who(item))
        self._lanes.warm(key).forget()
        return f"Session {head.session_id[:8]} goes on. What was current is closed; /resume brings it back."

    async def _pin(self, command: kinds.Pin, item: InboxItem) -> str:
        """Keep an entry word for word through compactions (LOSS-9)."""
        key = item.acceptance.session_key
        pinned = await pin_entry(self._parts, self._services, key, command.which, who=_who(item))
        self._lanes.warm(key).forget()
        return f"Pinned: {pinned}"

    async def _set(self, command: kinds.Command, patch: CommandPatch, item: InboxItem) -> str:
        """Store what a command sets, and say what holds now (CMD-23…28)."""
        key = item.acceptance.session_key
        if patch.usage and not patch.fields:
            return f"Usage: {patch.usage}"
        if patch.fields:
            changed = await patch_session(
                self._parts, self._services, key, patch.fields, who=_who(item), is_admin=item.acceptance.is_owner
            )
            session = changed.session
            if session is not None:
                self._services.tell_session(session, "patch")
        else:
            session = await self._parts.store.load_session(key)
        if isinstance(command, kinds.Queue):
            channel = item.submission.inbound.channel if item.submission.session_key is None else None
            overrides = session.overrides if session is not None else Overrides()
            return describe_queue(queue_settings(self._parts, channel, overrides))
        if isinstance(command, kinds.Model) and session is not None:
            current = self._services.resolve_model(session, None)
            own = self._parts.models.default_of(item.acceptance.agent_id)
            return describe_models(ModelNames(), current=current.ref, is_chosen=current.ref != own.ref)
        entry = format_session(session) if session is not None else {}
        layers = setting_layers(self._parts.config(), session, item.acceptance.agent_id, item.submission)
        return tell_fields(patch.shown, entry, held=resolve_plain_settings(layers))

    async def _tell_models(self, command: kinds.Model, item: InboxItem) -> str:
        """Which model answers, or why a word names none (CMD-28)."""
        names = self._services.model_names(item.acceptance.agent_id)
        if command.given:
            return describe_unknown_model(command.given, names)
        session = await self._parts.store.load_session(item.acceptance.session_key)
        own = self._parts.models.default_of(item.acceptance.agent_id)
        current = self._services.resolve_model(session, None) if session else own
        return describe_models(names, current=current.ref, is_chosen=current.ref != own.ref)

    async def _export(self, command: kinds.Export, item: InboxItem) -> str:
        """Write the session into the agent's workspace (CMD-31)."""
        parts, key = self._parts, item.acceptance.session_key
        session = await parts.store.load_session(key)
        if session is None:
            return "There is no session here yet."
        if is_incognito_key(key):
            return "This session is incognito: it is written to no file. `instar sessions export` gives it to a client."
        now = parts.clock.now()
        place = choose_export_place(command.path, session_id=session.session_id, now=now, told_files=WORKSPACE_FILES)
        if isinstance(place, str):
            raise InvalidRequest(f"The session cannot be written to {command.path[:80]}", why=place, field="path")
        text = await export_session(
            parts.store,
            key,
            form=place.form,
            session_id=None,
            all_branches=False,
            redactor=parts.redactor,
            agent_id=session.agent_id,
            now=now,
        )
        return f"Written: {await parts.exports.write(session.agent_id, place.path, text)}"

    async def _name(self, command: kinds.Name, item: InboxItem) -> str:
        """Set the display name, or show it (CMD-30)."""
        key = item.acceptance.session_key
        title = " ".join(command.title.split())[:NAME_CHARS]

        def decide(facts: SessionFacts) -> SessionChange:
            if facts.session is None or not title:
                return SessionChange()
            named = replace(facts.session, naming=replace(facts.session.naming, display_name=title))
            return SessionChange(session=touch_updated(named, facts.now))

        changed = await self._services.change("name_session", key, decide)
        if changed.session is None:
            return "There is no session here yet."
        if title:
            self._services.tell_session(changed.session, "patch")
        return f"This session is called {changed.session.naming.display_name or derive_title(changed.session)}."

    async def _why(self, item: InboxItem) -> str:
        """The newest decision that a person felt, as a sentence (WHY-2)."""
        rows = await self._parts.store.load_decisions(DecisionQuery(session_key=item.acceptance.session_key, limit=40))
        zone = self._services.clock.zone()
        felt = (row for row in rows if row.inbound_id != item.inbound_id and _is_felt(row.decision))
        newest = next(felt, None)
        if newest is None:
            return "Nothing has been decided here that would need a reason."
        return f"{ask(newest)} {tell(newest, zone)}"

    # --- ending -------------------------------------------------------------------------------------------------------

    async def _end(self, item: InboxItem, decision: CommandDecision, *, text: str | None, state: str) -> None:
        """End the message and owe its answer, in one change; a command done is interaction (RESET-19)."""
        key = item.acceptance.session_key
        limit = self._services.text_limit(item.submission.inbound.channel)
        deliveries = plan_command_reply(item, text, draw=self._services.ids.delivery_id, limit=limit)
        is_refused = state == "refused"

        def decide(facts: SessionFacts) -> SessionChange:
            session = None
            if facts.session is not None and not is_refused:
                touched = touch_updated(facts.session, facts.now)
                session = replace(touched, lifecycle=replace(touched.lifecycle, last_interaction_at=Instant(facts.now)))
            return SessionChange(
                session=session,
                inbox=(
                    InboxChange(
                        inbound_id=item.inbound_id,
                        state="refused" if is_refused else "command",
                        turn_id=item.turn_id,
                        reason="not_authorised" if is_refused else None,
                    ),
                ),
                deliveries=deliveries,
                decisions=(Noted(decision=decision.as_decision(), inbound_id=item.inbound_id),),
            )

        await self._services.change("end_command", key, decide)
        self._services.publish(
            CommandAnswered(
                session_key=key,
                agent_id=item.acceptance.agent_id,
                turn_id=item.turn_id or TurnId(item.inbound_id),
                text=text,
                at=self._services.clock.now(),
            )
        )


async def _nothing() -> None:
    """What is left to write of a command whose end comes later."""


def _who(item: InboxItem) -> str:
    """Who gave a command, for the record."""
    inbound = item.submission.inbound
    return item.submission.principal or item.acceptance.owner or f"{inbound.channel}:{inbound.sender.id}"


def _describe_sender(item: InboxItem) -> str:
    """Who the gateway takes the sender for (CMD-32)."""
    inbound, acceptance = item.submission.inbound, item.acceptance
    standing = "an owner" if acceptance.is_owner else "authorised" if acceptance.authorised else "a guest"
    lines = [
        f"You are {inbound.sender.name or inbound.sender.id} ({inbound.channel}:{inbound.sender.id}), {standing}.",
        f"Session: {acceptance.session_key}",
    ]
    if acceptance.owner:
        lines.append(f"Known as: {acceptance.owner}")
    return "\n".join(lines)


def _is_felt(decision: Decision) -> bool:
    """Whether a person notices the decision: what only went its usual way needs no reason."""
    usual = ("fresh", "admitted", "wakes", "allow", "sent", "start", "run")
    return decision.kind not in ("route", "flush") and decision.outcome not in usual
