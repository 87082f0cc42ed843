"""A gateway in memory that keeps the port of the API: sessions are dictionaries, the agent says what it is told to.

It stands in for the real one where the wire itself is tested: frames, limits, gates, events. `say` sets the answer;
`hold` keeps runs from ending until `release`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal

from instar.core.context.outcome import Compacted
from instar.core.delivery.redo import RedoAction
from instar.core.explain.replay import ReplayRules
from instar.core.explain.simulate import SimulationReport
from instar.core.explain.status import StatusFacts
from instar.core.lifecycle.maintenance_report import MaintenanceReport
from instar.core.model.caller import Caller
from instar.core.model.change import Acknowledgement, DeliveryState, InboxItem, Noted, Submission, TranscriptHead
from instar.core.model.entry import AssistantMessage, MessageEntry, TextBlock, Usage, UserMessage
from instar.core.model.event import (
    AssistantDelta,
    Event,
    MessageStored,
    RunEnded,
    RunPhase,
    RunStarted,
    SessionChanged,
)
from instar.core.model.ids import (
    AccountId,
    AgentId,
    ChannelName,
    DeliveryId,
    EntryId,
    InboundId,
    Instant,
    SessionId,
    SessionKey,
    TurnId,
)
from instar.core.model.keeping import ImportedTranscript, RestoredSession, StoredBackup
from instar.core.model.message import Inbound, Outbound, Target
from instar.core.model.query import (
    DecisionQuery,
    DeliveryRow,
    SearchPage,
    SearchQuery,
    SessionQuery,
    StoredEntry,
    UsageRow,
)
from instar.core.model.session import Counters, Lifecycle, Naming, Overrides, Session
from instar.core.model.state import ChangesSince
from instar.core.model.token import Token
from instar.core.model.view import (
    AgentFacts,
    CommandFacts,
    DeletedSession,
    ForeseenMessage,
    GatewayFacts,
    GatewayStatus,
    History,
    ModelFacts,
    NewSession,
    RunState,
    SessionListing,
    SessionRef,
    SessionView,
    ToldDecision,
)
from instar.core.policy.budget import BudgetState
from instar.core.policy.ownership import SessionOwnership, Touch, decide_touch, owns
from instar.core.routing.key import KeySettings, canonical_key
from instar.errors import InvalidRequest, NotFound, Unavailable
from instar.gateway.devices import DeviceDesk
from instar.gateway.doors import Doors
from instar.gateway.tokens import Tokens
from instar.system.clock import SystemClock
from instar.system.ids import SystemIds
from instar.testing.ids import SequenceIds
from tests.builders.fake_doors import FakePairing, MemoryDevices
from tests.builders.fake_people import FakePeople

__all__ = ["FakeGateway", "FakeOwners", "MemoryTokens"]

NOW = Instant(1_773_144_000_000)
MAIN = AgentId("main")


class _Events:
    def __init__(self) -> None:
        self.subscribers: list[Callable[[Event], None]] = []

    def subscribe(self, subscriber: Callable[[Event], None]) -> Callable[[], None]:
        self.subscribers.append(subscriber)
        return lambda: self.subscribers.remove(subscriber) if subscriber in self.subscribers else None

    def publish(self, event: Event) -> None:
        for subscriber in list(self.subscribers):
            subscriber(event)


class MemoryTokens:
    """Keeps `instar.ports.tokens.TokenStore`."""

    def __init__(self) -> None:
        self.rows: dict[str, Token] = {}

    async def save(self, token: Token, *, token_hash: str, noted: Noted) -> None:
        self.rows[token_hash] = token

    async def find(self, token_hash: str) -> Token | None:
        return self.rows.get(token_hash)

    async def list(self) -> tuple[Token, ...]:
        return tuple(reversed(self.rows.values()))

    async def note_use(self, token_id: str, *, now: Instant) -> None:
        self._change(token_id, lambda token: replace(token, last_used_at=now))

    async def revoke(self, token_id: str, *, now: Instant, noted: Noted) -> Token | None:
        return self._change(token_id, lambda token: replace(token, revoked_at=now))

    def _change(self, token_id: str, change: Callable[[Token], Token]) -> Token | None:
        for digest, token in self.rows.items():
            if token.id == token_id:
                self.rows[digest] = change(token)
                return self.rows[digest]
        return None


class FakeOwners:
    """Keeps `instar.api.port.OwnersPort`: sessions are their owners' by the row alone, and groups have nobody."""

    def __init__(self, rows: Mapping[SessionKey, Session]) -> None:
        self._rows = rows

    def names(self, caller: Caller) -> frozenset[str] | None:
        return None if owns(caller) else frozenset({caller.principal or ""})

    def home(self, caller: Caller, agent_id: AgentId | None) -> SessionKey:
        return SessionKey(f"agent:{agent_id or MAIN}:webchat:direct:{caller.principal}")

    async def touches(
        self, callers: Sequence[Caller], keys: Sequence[SessionKey]
    ) -> Mapping[SessionKey, Sequence[Touch]]:
        owners = {key: self._rows[key].owner if key in self._rows else None for key in keys}
        return {key: [decide_touch(one, SessionOwnership(owner=owners[key])) for one in callers] for key in keys}

    def may_command(self, caller: Caller, key: SessionKey, touch: Touch) -> bool:
        return touch.allowed


class FakeGateway:
    """Keeps `instar.api.port.GatewayPort`."""

    def __init__(self) -> None:
        self.ids = SequenceIds()
        self.events = _Events()
        self.sessions = _Sessions(self)
        self.upkeep = _NoUpkeep()
        self.keeping = _NoKeeping()
        self.pairing = FakePairing()
        self.people = FakePeople()
        doors = Doors(SystemClock())
        self.tokens = Tokens(MemoryTokens(), SystemClock(), SystemIds(), self.events.publish, doors=doors)
        self.devices = DeviceDesk(
            MemoryDevices(), self.tokens, clock=SystemClock(), ids=SystemIds(), publish=self.events.publish
        )
        self.rows: dict[SessionKey, Session] = {}
        self.owners = FakeOwners(self.rows)
        self.transcripts: dict[SessionId, list[StoredEntry]] = {}
        self.accepted: dict[str, Acknowledgement] = {}
        self.submissions: list[Submission] = []
        self.states: dict[TurnId, RunState] = {}
        self.refuse: str | None = None
        self.fail: Exception | None = None
        self.answer = "Hello from the gateway."
        self.chunks = 3
        self.chunk_pause_s = 0.0
        self._now = NOW
        self._tasks: set[asyncio.Task[None]] = set()
        self._may_end = asyncio.Event()
        self._may_end.set()

    # --- what tests say to it -----------------------------------------------------------------------------------------

    def hold(self) -> None:
        """Runs begin and do not end."""
        self._may_end.clear()

    def release(self) -> None:
        """Runs end."""
        self._may_end.set()

    def now(self) -> Instant:
        self._now = Instant(self._now + 1)
        return self._now

    # --- the port -----------------------------------------------------------------------------------------------------

    def facts(self) -> GatewayFacts:
        model = ModelFacts(provider="fake", id="fake-1", name="Fake 1", context_window=200_000, is_default=True)
        return GatewayFacts(
            version="0.1.0",
            started_at=NOW,
            default_agent_id=MAIN,
            main_key="main",
            main_session_key=SessionKey("agent:main:main"),
            scope="per-sender",
            store_path="/state/instar.sqlite",
            state_dir="/state",
            config_path="/state/instar.json5",
            model=model,
            models=(model,),
            agents=(AgentFacts(id=MAIN, name="Main", is_default=True, model="fake/fake-1"),),
            commands=(CommandFacts(name="/new", description="A new session", aliases=("/reset",)),),
        )

    async def status(self, *, recent: int = 10, owner_in: tuple[str, ...] | None = None) -> GatewayStatus:
        views = tuple(SessionView(session=session) for session in list(self.rows.values())[:recent])
        return GatewayStatus(sessions=len(self.rows), recent=views, store={"engine": "memory"})

    async def status_facts(self, key: SessionKey) -> StatusFacts:
        raise Unavailable("no status here")

    async def submit(self, submission: Submission) -> Acknowledgement:
        if self.fail is not None:
            raise self.fail
        message_id = submission.inbound.message_id
        if message_id in self.accepted:
            return replace(self.accepted[message_id], repeated=True)
        assert submission.session_key is not None
        self.submissions.append(submission)
        acknowledgement = Acknowledgement(
            inbound_id=InboundId(message_id),
            status="accepted" if self.refuse is None else "refused",
            session_key=submission.session_key,
            reason=self.refuse,
            turn_id=submission.run_id,
        )
        self.accepted[message_id] = acknowledgement
        if acknowledgement.status == "accepted":
            assert submission.run_id is not None
            self.states[submission.run_id] = RunState(run_id=submission.run_id, status="running")
            task = asyncio.get_running_loop().create_task(self._run(submission, submission.run_id))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        return acknowledgement

    async def run_state(self, run_id: TurnId, *, principal: str | None = None) -> RunState | None:
        return self.states.get(run_id)

    async def wait_run(self, run_id: TurnId, *, timeout_ms: int, principal: str | None = None) -> RunState | None:
        deadline = asyncio.get_running_loop().time() + timeout_ms / 1000
        while (state := self.states.get(run_id)) and state.status == "running":
            if asyncio.get_running_loop().time() >= deadline:
                break
            await asyncio.sleep(0.01)
        return state

    # --- a run --------------------------------------------------------------------------------------------------------

    async def _run(self, submission: Submission, run_id: TurnId) -> None:
        key = submission.session_key
        assert key is not None
        session = self.row(key)
        self.store(key, UserMessage(content=submission.inbound.text, timestamp=self.now()), run_id)
        # Any: three facts that every event of a run has, each of a type of its own
        names: dict[str, Any] = {"session_key": key, "agent_id": MAIN, "turn_id": run_id}
        started_at = self.now()
        publish = self.events.publish
        publish(RunPhase(**names, phase="preparing_context", at=started_at))
        publish(RunStarted(**names, session_id=session.session_id, at=started_at))
        publish(
            SessionChanged(
                session_key=key,
                agent_id=MAIN,
                reason="agent.run.started",
                at=started_at,
                session=session,
                turn_id=run_id,
                active_run_ids=(run_id,),
            )
        )
        publish(RunPhase(**names, phase="starting_model", at=self.now()))
        size = max(1, -(-len(self.answer) // self.chunks))
        for at in range(0, len(self.answer), size):
            text = self.answer[: at + size]
            publish(AssistantDelta(**names, text=text, delta=self.answer[at : at + size], at=self.now()))
            await asyncio.sleep(self.chunk_pause_s)
        await self._may_end.wait()
        if self.states[run_id].status == "aborted":
            return
        message = AssistantMessage(
            content=(TextBlock(text=self.answer),),
            api="fake",
            provider="fake",
            model="fake-1",
            usage=Usage(input=10, output=5, total_tokens=15),
            stop_reason="stop",
            timestamp=self.now(),
        )
        self.store(key, message, run_id)
        at_end = self.now()
        self.states[run_id] = RunState(
            run_id=run_id, status="ok", session_key=key, started_at=started_at, ended_at=at_end
        )
        publish(
            RunEnded(
                **names,
                session_id=session.session_id,
                state="final",
                at=at_end,
                started_at=started_at,
                message=message,
                usage=message.usage,
                stop_reason="stop",
            )
        )
        publish(
            SessionChanged(
                session_key=key, agent_id=MAIN, reason="agent.input.settled", at=at_end, session=self.row(key)
            )
        )

    def row(self, key: SessionKey) -> Session:
        """The session of a key, made if there is none."""
        if key not in self.rows:
            now = self.now()
            session_id = self.ids.session_id()
            self.rows[key] = Session(
                key=key,
                agent_id=MAIN,
                session_id=session_id,
                lifecycle=Lifecycle(started_at=now, updated_at=now, created_at=now),
                counters=Counters(model_provider="fake", model="fake-1"),
            )
            self.transcripts[session_id] = []
        return self.rows[key]

    def store(self, key: SessionKey, message: UserMessage | AssistantMessage, run_id: TurnId | None = None) -> EntryId:
        session = self.row(key)
        entries = self.transcripts[session.session_id]
        entry = MessageEntry(
            id=self.ids.entry_id(),
            parent_id=entries[-1].entry.id if entries else None,
            timestamp=self.now(),
            message=message,
        )
        entries.append(StoredEntry(seq=len(entries) + 1, entry=entry, tokens=1))
        self.events.publish(
            MessageStored(
                session_key=key,
                session_id=session.session_id,
                agent_id=MAIN,
                entry=entry,
                seq=len(entries),
                turn_id=run_id,
            )
        )
        return entry.id


class _Sessions:
    def __init__(self, gateway: FakeGateway) -> None:
        self._gateway = gateway

    def canonical_key(self, text: str, *, agent_id: AgentId | None = None, channel: str | None = None) -> SessionKey:
        key = canonical_key(text, KeySettings(), default_agent=agent_id or MAIN, channel_hint=channel)
        if key is None:
            raise InvalidRequest("A session key must not be empty", field="key")
        return key

    def view(self, key: SessionKey) -> SessionView:
        active = tuple(run for run, state in self._gateway.states.items() if state.status == "running")
        return SessionView(session=self._gateway.row(key), active_run_ids=active)

    async def list(self, query: SessionQuery, *, titles: bool, last_messages: bool) -> SessionListing:
        found = [key for key in self._gateway.rows if not query.search or query.search in key]
        end = None if query.limit is None else query.offset + query.limit
        views = (self.view(key) for key in found[query.offset : end])
        if titles:
            views = (replace(view, derived_title="A title") for view in views)
        if last_messages:
            views = (replace(view, last_message="Last words") for view in views)
        return SessionListing(sessions=tuple(views), total=len(found))

    async def describe(self, key: SessionKey, *, titles: bool = False) -> SessionView | None:
        return self.view(key) if key in self._gateway.rows else None

    async def changes(self, asker: SessionKey, key: SessionKey, *, since: int) -> ChangesSince | None:
        return ChangesSince(state_version=since) if key in self._gateway.rows else None

    async def history(self, key: SessionKey, *, limit: int, before_seq: int | None = None) -> History:
        session = self._gateway.rows.get(key)
        if session is None:
            return History(key=key)
        entries = self._gateway.transcripts[session.session_id]
        return History(
            key=key,
            session=self.view(key),
            session_id=session.session_id,
            entries=tuple(entries[-limit:]),
            has_more=len(entries) > limit,
            total=len(entries),
        )

    async def search(self, query: SearchQuery) -> SearchPage:
        return SearchPage()

    async def resolve(self, ref: SessionRef) -> tuple[SessionKey, ...]:
        return tuple(
            key
            for key, session in self._gateway.rows.items()
            if key == ref.key
            or (ref.session_id and session.session_id == ref.session_id)
            or (ref.label and session.naming.label == ref.label)
        )

    async def explain(self, query: DecisionQuery) -> tuple[ToldDecision, ...]:
        return ()

    async def find_messages(self, name: str) -> tuple[InboxItem, ...]:
        return ()

    async def transcripts(self, key: SessionKey) -> tuple[TranscriptHead, ...]:
        return ()

    async def create(self, new: NewSession, *, who: str) -> SessionView:
        key = new.key or SessionKey(f"agent:main:dashboard:{self._gateway.ids.session_id()}")
        self._gateway.row(key)
        return await self.patch(key, {"label": new.label} if new.label else {}, who=who)

    async def reset(self, key: SessionKey, *, reason: Literal["reset", "new"], who: str) -> SessionView:
        old = self._gateway.row(key)
        session_id = self._gateway.ids.session_id()
        self._gateway.transcripts[session_id] = []
        lifecycle = replace(old.lifecycle, revision=old.lifecycle.revision + 1)
        self._gateway.rows[key] = replace(old, session_id=SessionId(session_id), lifecycle=lifecycle)
        self._told(key, reason)
        return self.view(key)

    async def delete(self, key: SessionKey, *, delete_transcript: bool, who: str) -> DeletedSession:
        if key == "agent:main:main":
            raise InvalidRequest(f"Cannot delete the main session ({key}).")
        row = self._gateway.rows.pop(key, None)
        if row is not None:
            self._gateway.events.publish(
                SessionChanged(session_key=key, agent_id=MAIN, reason="delete", at=self._gateway.now())
            )
        return DeletedSession(key=key, deleted=row is not None)

    async def patch(self, key: SessionKey, fields: Mapping[str, object], *, who: str) -> SessionView:
        session = self._gateway.row(key)
        label, level = fields.get("label"), fields.get("thinkingLevel")
        if isinstance(label, str) and any(one.naming.label == label for one in self._gateway.rows.values()):
            raise InvalidRequest(f"label already in use: {label}", field="label")
        if "label" in fields:
            session = replace(session, naming=Naming(label=label if isinstance(label, str) else None))
        if isinstance(level, str):
            session = replace(session, overrides=Overrides(thinking_level=level))
        self._gateway.rows[key] = session
        self._told(key, "patch")
        return self.view(key)

    async def inject(self, key: SessionKey, message: str, *, label: str | None, who: str) -> EntryId:
        if key not in self._gateway.rows:
            raise NotFound(f"No session {key}")
        return self._gateway.store(key, UserMessage(content=message, timestamp=self._gateway.now()))

    async def abort(self, key: SessionKey, run_id: TurnId | None, *, who: str) -> tuple[TurnId, ...]:
        states = self._gateway.states
        stopped = tuple(run for run, state in states.items() if state.status == "running" and run_id in {None, run})
        for run in stopped:
            at = self._gateway.now()
            states[run] = RunState(run_id=run, status="aborted", session_key=key, started_at=at, ended_at=at)
            self._gateway.events.publish(
                RunEnded(
                    session_key=key,
                    session_id=self._gateway.row(key).session_id,
                    agent_id=MAIN,
                    turn_id=run,
                    state="aborted",
                    at=at,
                    started_at=at,
                    stop_reason="aborted",
                )
            )
        self._gateway.release()
        return stopped

    def _told(self, key: SessionKey, reason: str) -> None:
        self._gateway.events.publish(
            SessionChanged(
                session_key=key, agent_id=MAIN, reason=reason, at=self._gateway.now(), session=self._gateway.row(key)
            )
        )


class _NoUpkeep:
    """Looking after sessions is tested with the real gateway; here every wish is refused."""

    async def compact(self, key: SessionKey, **wish: object) -> Compacted:
        raise Unavailable("no upkeep here")

    async def resume(self, key: SessionKey, which: str, *, who: str) -> SessionId:
        raise Unavailable("no upkeep here")

    async def export(self, key: SessionKey, **wish: object) -> str:
        raise Unavailable("no upkeep here")

    async def usage(
        self, key: SessionKey | None, *, since: Instant | None, owner_in: Sequence[str] | None = None
    ) -> tuple[UsageRow, ...]:
        return ()

    async def budgets(self) -> tuple[BudgetState, ...]:
        return ()

    async def simulate(self, rules: ReplayRules, **wish: object) -> SimulationReport:
        raise Unavailable("no upkeep here")

    async def foresee(self, inbound: Inbound) -> ForeseenMessage:
        raise Unavailable("no upkeep here")

    async def clean(self, agent_id: AgentId | None, **wish: object) -> tuple[MaintenanceReport, ...]:
        raise Unavailable("no upkeep here")


class _NoKeeping:
    """Backups, replies in doubt and archives are tested with the real gateway; here every wish is granted in words."""

    async def back_up(self, name: str | None) -> StoredBackup:
        return StoredBackup(path=name or "backup", size_bytes=0, files=0)

    async def deliveries(
        self, states: Sequence[DeliveryState], *, key: SessionKey | None, limit: int
    ) -> tuple[DeliveryRow, ...]:
        return ()

    async def redo(self, delivery_id: DeliveryId, action: RedoAction, *, who: str) -> DeliveryRow:
        target = Target(channel=ChannelName("telegram"), account_id=AccountId("default"), to="42", chat_type="direct")
        return DeliveryRow(
            outbound=Outbound(delivery_id=delivery_id, target=target, text=action, attempt=1),
            session_key=SessionKey("agent:main:main"),
            turn_id=None,
            state="unknown",
            hand_outs=1,
            created_at=NOW,
        )

    async def import_transcript(self, data: bytes, *, name: str, key: SessionKey | None) -> ImportedTranscript:
        return ImportedTranscript(
            key=key or SessionKey("agent:main:dashboard:x"),
            session_id=SessionId(name),
            stored=bool(data),
            entries=0,
            from_version=3,
        )

    async def restore(self, key: SessionKey | None, path: str | None, *, who: str) -> RestoredSession:
        return RestoredSession(key=key or SessionKey("agent:main:main"), session_ids=(), archives=())
