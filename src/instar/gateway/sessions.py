"""Operations on sessions that callers may ask for: list, describe, history, create, reset, delete, patch, inject.

The gate has been passed already (LEAK-5). Whatever must not run beside a turn goes through the session's lane; what
only reads, or adds a line at the leaf, does not. Whatever changes a session passes its door (`instar.gateway.doors`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Literal

from instar.core.explain.story import ask, tell
from instar.core.lifecycle.title import derive_title
from instar.core.model.change import Changed, InboxItem, Noted, SessionChange, TranscriptHead
from instar.core.model.decision import Decision
from instar.core.model.ids import AgentId, EntryId, SessionId, SessionKey, TurnId
from instar.core.model.query import DecisionQuery, SearchPage, SearchQuery, SessionQuery
from instar.core.model.session import Overrides, Session
from instar.core.model.state import ChangesSince
from instar.core.model.view import (
    DeletedSession,
    History,
    NewSession,
    SessionListing,
    SessionRef,
    SessionView,
    ToldDecision,
)
from instar.core.policy.levels import require_thinking, require_xhigh
from instar.core.policy.model_choice import apply_model_choice, require_model
from instar.core.policy.resolve import find_meant, require_agent
from instar.core.routing.grammar import is_incognito_key
from instar.core.routing.key import build_source_key, canonical_key, is_main_key, parse_key
from instar.core.routing.normalize import normalize_channel
from instar.core.routing.principal import resolve_place_owner
from instar.core.routing.reserved import build_incognito_key, check_parent
from instar.core.transcript.text import message_text
from instar.core.turn.operations import Creation, plan_create, plan_inject, plan_manual_reset
from instar.errors import InvalidRequest, InvariantBroken, NotFound
from instar.gateway.awareness import load_changes
from instar.gateway.doors import Visit
from instar.gateway.incognito import Beginnings, require_begun, require_room
from instar.gateway.lane import LaneBook
from instar.gateway.levels import find_level
from instar.gateway.parts import GatewayParts
from instar.gateway.patching import patch_session
from instar.gateway.search import search_messages
from instar.gateway.spawning import spawn_creation
from instar.gateway.sub_agents import stop_sub_agents
from instar.gateway.turn_services import TurnServices

__all__ = ["Sessions"]

LAST_MESSAGE_CHARS = 240
"""How much of the last message a list shows."""

MEANT_MAX = 10
"""So many messages of one name are looked at; platforms that count alike are few."""

LABEL_CHARS = 64
"""The longest label (ENTRY-1)."""


class Sessions:
    """The operations of one gateway."""

    def __init__(self, parts: GatewayParts, services: TurnServices, lanes: LaneBook) -> None:
        self._parts = parts
        self._services = services
        self._lanes = lanes
        self.beginnings = Beginnings()
        """With which credentials the incognito sessions began (KEY-22)."""

    # --- questions ----------------------------------------------------------------------------------------------------

    def canonical_key(self, text: str, *, agent_id: AgentId | None = None, channel: str | None = None) -> SessionKey:
        """The key that `text` means (KEY-14). Raises `InvalidRequest` for a text that can be no key."""
        config = self._parts.config()
        default = agent_id or config.agents.default_id
        key = canonical_key(text, config.routing.keys, default_agent=default, channel_hint=channel)
        if key is None:
            raise InvalidRequest(
                "A session key must not be empty", fix='Use "main" or a key of `sessions.list`.', field="key"
            )
        return key

    async def list(self, query: SessionQuery, *, titles: bool, last_messages: bool) -> SessionListing:
        """One page, in the order of RPC-32."""
        page = await self._parts.store.list_sessions(query)
        views = await self._views(page.sessions, title=titles, last_message=last_messages)
        return SessionListing(sessions=views, total=page.total)

    async def describe(self, key: SessionKey, *, titles: bool = False) -> SessionView | None:
        """One session, None when the key has none."""
        session = await self._parts.store.load_session(key)
        return None if session is None else await self._view(session, title=titles, last_message=titles)

    async def changes(self, asker: SessionKey, key: SessionKey, *, since: int) -> ChangesSince | None:
        """What happened in a session after a version, as another one may see it (STATE-8); None: nothing at all."""
        return await load_changes(self._parts.store, asker, key, since)

    async def history(self, key: SessionKey, *, limit: int, before_seq: int | None = None) -> History:
        """The newest messages of the current transcript; a key without a session gives an empty history."""
        session = await self._parts.store.load_session(key)
        if session is None:
            return History(key=key)
        page = await self._parts.store.load_entries(
            session.session_id, limit=limit, before_seq=before_seq, messages_only=True
        )
        return History(
            key=key,
            session=await self._view(session, title=False, last_message=False),
            session_id=session.session_id,
            entries=page.entries,
            has_more=page.has_more,
            total=page.head.message_count,
            thinking=find_level(self._parts.config(), "thinkingLevel", session, session.agent_id, None).value,
        )

    async def search(self, query: SearchQuery) -> SearchPage:
        """Messages in which all words occur, newest first, with excerpts that hold no secret (SEARCH-*)."""
        return await search_messages(self._parts.store, query, redactor=self._parts.redactor)

    async def resolve(self, ref: SessionRef) -> tuple[SessionKey, ...]:
        """Every key that the reference matches (RESOLVE-1…3)."""
        store = self._parts.store
        found: tuple[Session, ...]
        if ref.key is not None:
            one = await store.load_session(ref.key)
            found = () if one is None else (one,)
        elif ref.session_id is not None:
            found = await store.find_sessions(session_id_prefix=ref.session_id, owner_in=ref.owner_in)
        else:
            found = await store.find_sessions(label=ref.label, owner_in=ref.owner_in)
        return find_meant(ref, found)

    async def explain(self, query: DecisionQuery) -> tuple[ToldDecision, ...]:
        """What was decided and why, newest first, each with its sentence (WHY-2)."""
        zone = self._parts.clock.zone()
        rows = await self._parts.store.load_decisions(query)
        return tuple(ToldDecision(recorded=row, question=ask(row), sentence=tell(row, zone)) for row in rows)

    async def find_messages(self, name: str) -> tuple[InboxItem, ...]:
        """The newest messages that their platforms call `name`; ``telegram:17`` means one of that channel (WHY-2)."""
        store = self._parts.store
        found = await store.load_inbox(message_id=name, limit=MEANT_MAX)
        channel, _, rest = name.partition(":")
        if found or not rest:
            return found
        of_any = await store.load_inbox(message_id=rest, limit=MEANT_MAX)
        wanted = normalize_channel(channel)
        return tuple(item for item in of_any if item.submission.inbound.channel == wanted)

    async def transcripts(self, key: SessionKey) -> tuple[TranscriptHead, ...]:
        """Every life of a session, newest first; the current one is not closed (LOSS-6)."""
        return await self._parts.store.load_transcripts(key)

    async def _view(self, session: Session, *, title: bool, last_message: bool) -> SessionView:
        return (await self._views((session,), title=title, last_message=last_message))[0]

    async def _views(self, sessions: Sequence[Session], *, title: bool, last_message: bool) -> tuple[SessionView, ...]:
        """Sessions with what their rows do not hold; their versions are asked for all at once."""
        versions = await self._parts.store.states.versions([session.key for session in sessions])
        return tuple(
            [
                SessionView(
                    session=session,
                    active_run_ids=self._lanes.active_turn_ids(session.key),
                    derived_title=derive_title(session) if title else None,
                    last_message=await self._last_message(session.session_id) if last_message else None,
                    state_version=versions.get(session.key, 0),
                )
                for session in sessions
            ]
        )

    async def _last_message(self, session_id: SessionId) -> str | None:
        page = await self._parts.store.load_entries(session_id, limit=4, messages_only=True)
        for stored in reversed(page.entries):
            message = getattr(stored.entry, "message", None)
            text = message_text(message).strip() if message is not None else ""
            if text:
                return " ".join(text.split())[:LAST_MESSAGE_CHARS]
        return None

    # --- changes ------------------------------------------------------------------------------------------------------

    async def create(self, new: NewSession, *, who: str) -> SessionView:
        """Create a session (RPC-5).

        Raises `InvalidRequest` (label taken, unknown agent or model, a fork of nothing) and `NotFound` (parent).
        """
        parts = self._parts
        agents = parts.config().agents
        agent_id = new.agent_id or agents.default_id
        require_agent(agent_id, [agent.id for agent in agents.all])
        if new.fork and new.parent_key is None:
            raise InvalidRequest(
                "fork needs a parent",
                why="it copies what was said in another session",
                fix="Name that session as parentSessionKey, or leave fork out.",
                field="parentSessionKey",
            )
        keys = parts.config().routing.keys
        key = await self._choose_key(new, agent_id)
        owner = resolve_place_owner(key, keys.links, principal=new.owner, main_key=keys.main_key)
        async with self._services.doors.passing(Visit(key=key, owner=owner, source=new.parent_key)):
            label = await self._free_label(new.label, key)
            creation = Creation(
                agent_id=parse_key(key).agent_id or agent_id,
                session_id=parts.ids.session_id(),
                label=label,
                overrides=self._overrides_of(new, agent_id),
                parent_key=new.parent_key,
                owner=owner,
                cwd=parts.config().workspace(agent_id),
            )
            creation = await spawn_creation(parts, key, creation)
            if new.fork and new.parent_key is not None:
                creation = await self._fork(creation, new.parent_key)
            changed = await self._services.change(
                "create_session", key, lambda facts: plan_create(facts, creation, who=who)
            )
        if new.incognito:
            self.beginnings.note(key, new.began_with)
        return await self._told(changed, "create")

    async def reset(self, key: SessionKey, *, reason: Literal["reset", "new"], who: str) -> SessionView:
        """Close the transcript and begin another (RPC-7, RPC-34); a running turn is stopped first."""
        await require_begun(self._parts.store, key)
        parts = self._parts
        config = parts.config()
        agent_id = parse_key(key).agent_id or config.agents.default_id
        session_id = parts.ids.session_id()

        async def reset_now() -> Changed:
            return await self._services.change(
                "reset_session",
                key,
                lambda facts: plan_manual_reset(
                    facts,
                    session_id=session_id,
                    agent_id=agent_id,
                    reason=reason,
                    cwd=config.workspace(agent_id),
                    who=who,
                ),
            )

        async with self._services.doors.passing(Visit(key=key)):
            changed = await self._lanes.get(key).perform(reset_now, cause="reset")
        return await self._told(changed, reason)

    async def delete(self, key: SessionKey, *, delete_transcript: bool, who: str) -> DeletedSession:
        """Delete a session (RPC-35). Raises `InvalidRequest` for main and global keys, `Unavailable` if a run stays."""
        config = self._parts.config()
        if key == "global" or is_main_key(key, main_key=config.routing.keys.main_key):
            raise InvalidRequest(
                f"Cannot delete the main session ({key})",
                fix="Reset it instead: `instar sessions reset`.",
                field="key",
            )
        session = await self._parts.store.load_session(key)
        if session is None:
            return DeletedSession(key=key, deleted=False)
        async with self._services.doors.shut(key):
            await stop_sub_agents(self._parts, self._services, self._lanes, key, rule="RPC-35")
            archived = await self._lanes.get(key).perform(
                lambda: self._delete_now(key, delete_transcript=delete_transcript, who=who), cause="delete"
            )
        self._services.tell_deleted(key, session.agent_id, owner=session.owner)
        return DeletedSession(key=key, deleted=True, archived=archived)

    async def _delete_now(self, key: SessionKey, *, delete_transcript: bool, who: str) -> tuple[str, ...]:
        """Archive every transcript of the key, then remove the rows (LOSS-8).

        Transcripts that are to be kept stay where they are: what was not deleted has no archive that says so (RPC-35).
        Of a session in memory nothing is kept, and no file is written (KEY-22).
        """
        parts = self._parts
        is_incognito = is_incognito_key(key)
        heads = await parts.store.load_transcripts(key) if delete_transcript and not is_incognito else ()
        archived = tuple([await parts.archiver.archive(head) for head in heads if head.next_seq > 1])
        decision = Decision(
            kind="maintenance", outcome="deleted", rule="RPC-35", inputs={"who": who, "archives": len(archived)}
        )
        await parts.store.delete_session(
            key,
            now=parts.clock.now(),
            decisions=(decision,),
            keep_transcripts=not delete_transcript and not is_incognito,
        )
        return archived

    async def patch(self, key: SessionKey, fields: Mapping[str, object], *, who: str) -> SessionView:
        """Apply a patch in wire spelling, without ``key`` (PATCH-*). Raises `InvalidRequest`, `Unavailable`."""
        parent = fields.get("spawnedBy")
        visit = Visit(key=key, source=SessionKey(parent.strip()) if isinstance(parent, str) else None)
        async with self._services.doors.passing(visit):
            changed = await patch_session(self._parts, self._services, key, fields, who=who, is_admin=True)
        return await self._told(changed, "patch")

    async def inject(self, key: SessionKey, message: str, *, label: str | None, who: str) -> EntryId:
        """Append a line for people that no model wrote (RPC-18). Raises `NotFound`."""
        entry_id = self._parts.ids.entry_id()
        async with self._services.doors.passing(Visit(key=key)):
            changed = await self._services.change(
                "inject_message",
                key,
                lambda facts: plan_inject(facts, message, label=label, entry_id=entry_id, who=who),
            )
        if changed.session is not None:
            self._services.tell_messages(changed.session.agent_id, changed)
            self._services.tell_session(changed.session, "inject")
        return entry_id

    async def abort(self, key: SessionKey, run_id: TurnId | None, *, who: str) -> tuple[TurnId, ...]:
        """Stop the running turn (or only that run) and give the ids of the runs that were stopped (QUEUE-16)."""
        lane = self._lanes.find(key)
        ended = () if lane is None else await lane.abort("abort", run_id)
        if ended:
            decision = Decision(kind="queue", outcome="aborted", rule="QUEUE-16", inputs={"runs": len(ended)})
            noted = Noted(decision=decision, who=who)
            await self._services.change("note_abort", key, lambda _facts: SessionChange(decisions=(noted,)))
        return ended

    # --- parts --------------------------------------------------------------------------------------------------------

    async def _choose_key(self, new: NewSession, agent_id: AgentId) -> SessionKey:
        """The key of a new session: the one that is named, or one that is drawn."""
        store, drawn = self._parts.store, self._parts.ids.session_id
        if new.incognito and new.key is not None:
            raise InvalidRequest(
                "An incognito session takes no key", why="its key is drawn and says nothing", fix="Leave the key out."
            )
        if new.incognito:
            await require_room(store)
            await self.beginnings.forget_ended(store)
            return build_incognito_key(agent_id, drawn())
        key = new.key or build_source_key(agent_id, "dashboard", drawn())
        await require_begun(store, key)
        check_parent(key, new.parent_key)
        return key

    async def _free_label(self, label: str | None, key: SessionKey) -> str | None:
        text = label.strip() if label else ""
        if not text:
            return None
        if len(text) > LABEL_CHARS:
            raise InvalidRequest(f"A label has at most {LABEL_CHARS} characters", field="label")
        taken = [one for one in await self._parts.store.find_sessions(label=text) if one.key != key]
        if taken:
            raise InvalidRequest(
                f"label already in use: {text}", why=f"{taken[0].key} has it", fix="Choose another one.", field="label"
            )
        return text

    def _overrides_of(self, new: NewSession, agent_id: AgentId) -> Overrides:
        """The settings that a new session is given. Raises `InvalidRequest` (RPC-5, PATCH-6)."""
        names = self._services.model_names(agent_id)
        word = require_thinking(new.thinking_level, field="thinkingLevel") if new.thinking_level else None
        overrides = Overrides(thinking_level=word.level, reasoning_level=word.reasoning) if word else Overrides()
        if new.model is None:
            self._check_xhigh(overrides, names.default)
            return overrides
        model = require_model(new.model, names, field="model")
        self._check_xhigh(overrides, model)
        return apply_model_choice(overrides, model, default=names.default)

    def _check_xhigh(self, overrides: Overrides, model: str | None) -> None:
        is_known = model in self._parts.models.xhigh_models()
        require_xhigh(overrides.thinking_level, is_known=is_known, field="thinkingLevel")

    async def _fork(self, creation: Creation, parent_key: SessionKey) -> Creation:
        parent = await self._parts.store.load_session(parent_key)
        if parent is None:
            raise NotFound(f"There is no session {parent_key}", fix="List the sessions with `instar sessions list`.")
        page = await self._parts.store.load_entries(parent.session_id)
        return replace(
            creation,
            parent_session_id=parent.session_id,
            forked=tuple(stored.entry for stored in page.entries),
        )

    async def _told(self, changed: Changed, reason: str) -> SessionView:
        if changed.session is None:
            raise InvariantBroken("a created or reset session is there", why=reason)
        self._services.tell_session(changed.session, reason)
        return await self._view(changed.session, title=False, last_message=False)
