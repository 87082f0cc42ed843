"""What recorded traffic would have become under a configuration, by the decisions alone (WHY-4).

What belongs here: sending records through routing, access, activation, queue, freshness and send policy, in the order
of their times. What does not: comparing two such replays (`simulate`). Nothing is sent, nothing stored.

Theory of operation. Each session has a lane and a life: the lane is the queue's own state machine, driven by the times
of the records and by how long each answer took; the life is when it began and was last used. Between two records of a
session its lane is moved forward event by event: a turn ends, a quiet time is over. A message that steers is taken as
soon as it is offered, since nobody recorded the boundaries of the turn. A dock command moves the answers of its
session as it would under the configuration; whether the other channel was connected nobody recorded.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import tzinfo
from typing import Final, Literal, Protocol

from instar.core.delivery.route import DockFacts, decide_dock, holds_dock
from instar.core.explain.traffic import TrafficRecord, build_inbound
from instar.core.lifecycle.freshness import decide_freshness
from instar.core.lifecycle.reset import ResetSettings, resolve_reset_policy, resolve_reset_type
from instar.core.model.ids import AccountId, AgentId, ChannelName, InboundId, Instant, SessionId, SessionKey, TurnId
from instar.core.model.message import Target
from instar.core.model.pairing import PairingFacts
from instar.core.model.session import Delivery, Lifecycle, Overrides, Session
from instar.core.policy.access import NO_PAIRING, AccessFacts, AccessSettings, decide_access
from instar.core.policy.activation import ActivationFacts, ActivationSettings, decide_activation
from instar.core.policy.send import SendFacts, SendPolicy, decide_send
from instar.core.queue.lane import (
    IDLE_LANE,
    LaneMessage,
    LaneRun,
    LaneState,
    apply_ended,
    apply_started,
    apply_taken,
)
from instar.core.queue.mode import apply_arrival, apply_next, decide_arrival, decide_next
from instar.core.queue.settings import QueueConfig, resolve_queue_settings
from instar.core.routing.normalize import normalize_channel, normalize_peer
from instar.core.routing.route import RoutingSettings, route

__all__ = ["Account", "Began", "Fate", "ReplayRules", "Replayed", "replay_traffic"]

Fate = Literal["answered", "merged", "observed", "refused", "expired", "command"]
"""How a message would have ended (LOSS-2)."""

Account = tuple[ChannelName, AccountId]
"""One account of a channel: approvals hold there and nowhere else."""

Began = Literal["first", "daily", "idle", "command"]
"""Why a life of a session would have begun with a message."""

_CHARS_PER_TOKEN: Final = 4
"""The estimate of TRANS-18."""

_FOREVER: Final = Instant(2**62)


class ReplayRules(Protocol):
    """What a replay asks of a configuration."""

    @property
    def routing(self) -> RoutingSettings:
        """Where messages go."""
        ...

    @property
    def reset(self) -> ResetSettings:
        """When sessions start over."""
        ...

    @property
    def queue(self) -> QueueConfig:
        """What happens to messages during a turn."""
        ...

    @property
    def send(self) -> SendPolicy:
        """Which sessions may send."""
        ...

    def access(self, channel: ChannelName) -> AccessSettings:
        """Who may write on a channel."""
        ...

    def activation(self, channel: ChannelName, agent_id: AgentId) -> ActivationSettings:
        """When a message on a channel wakes an agent."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Replayed:
    """What became of one record.

    `person` is its sender as ``<channel>:<peer>``. `reason` is a code for messages without an answer of their own.
    `began` is set where a life of the session began with it. `is_sent` says that the answer would have left.
    `context_tokens` estimates what the model would have seen, 0 for messages that began no turn.
    """

    record: TrafficRecord
    session_key: SessionKey
    person: str
    fate: Fate
    reason: str | None = None
    began: Began | None = None
    is_sent: bool = False
    context_tokens: int = 0

    @property
    def is_heard(self) -> bool:
        """Whether the person would have got an answer that takes the message in."""
        return self.fate in {"answered", "merged", "command"} and self.is_sent


def replay_traffic(
    traffic: Sequence[TrafficRecord],
    rules: ReplayRules,
    *,
    zone: tzinfo,
    pairing: Mapping[Account, PairingFacts] | None = None,
) -> tuple[Replayed, ...]:
    """What each record would have become, in the order of `traffic`.

    `zone` is the host's zone; `pairing` holds approved people and groups by channel and account.
    """
    replay = _Replay(rules=rules, zone=zone, pairing=pairing or {})
    for at in sorted(range(len(traffic)), key=lambda index: traffic[index].at):
        replay.take(InboundId(str(at)), traffic[at])
    for session in replay.sessions.values():
        session.advance(_FOREVER)
    return tuple(replay.done[InboundId(str(at))] for at in range(len(traffic)))


@dataclass(slots=True, kw_only=True)
class _Session:
    """One session while traffic is replayed: its lane, its life, and the ends of its turns."""

    replay: _Replay
    key: SessionKey
    clock: Instant
    lane: LaneState = IDLE_LANE
    ends: dict[TurnId, Instant] = field(default_factory=dict)
    life: Lifecycle | None = None
    chars: int = 0
    delivery: Delivery = field(default_factory=Delivery)
    is_provider_owned: bool = False
    """Whether a provider kept the session on its side when it was last used."""

    @property
    def row(self) -> Session:
        """The session as decisions about its route look at it."""
        return Session(key=self.key, agent_id=AgentId(""), session_id=SessionId(""), delivery=self.delivery)

    def dock(self, record: TrafficRecord, target: ChannelName) -> None:
        """Answer the session where a command asked for it, if it may be (DOCK-2…7)."""
        facts = DockFacts(
            chat_type=record.chat_type,
            channel=normalize_channel(record.channel),
            sender_id=record.sender_id,
            target_channel=target,
        )
        decided = decide_dock(self.row if self.life else None, facts, self.replay.rules.routing.keys.links)
        self.delivery = decided.delivery or self.delivery

    def advance(self, until: Instant) -> None:
        """Let every turn end and begin that would have until then."""
        while True:
            decided = decide_next(self.lane, now=self.clock)
            if decided.action == "run":
                run = LaneRun(turn_id=TurnId(decided.ids[0]), fanout=decided.fanout)
                self.lane = apply_next(self.lane, decided, run)
                self.begin(run.turn_id, decided.ids)
                continue
            coming = [*self.ends.values()]
            if decided.wake_at is not None:
                coming.append(decided.wake_at)
            if not coming or min(coming) > until:
                return
            self.clock = max(self.clock, min(coming))
            for turn_id, end in list(self.ends.items()):
                if end <= self.clock:
                    self.end(turn_id)

    def end(self, turn_id: TurnId) -> None:
        """A turn ends, by itself or because it was interrupted."""
        self.ends.pop(turn_id, None)
        self.lane = apply_ended(self.lane, turn_id)

    def begin(self, turn_id: TurnId, ids: Sequence[InboundId]) -> None:
        """A turn begins with these messages."""
        done = self.replay.done
        head = done[ids[0]]
        began = self.renew(head.record)
        self.chars += sum(done[one].record.size_chars for one in ids)
        done[ids[0]] = replace(
            head, fate="answered", began=began, reason=None, context_tokens=-(-self.chars // _CHARS_PER_TOKEN)
        )
        for one in ids[1:]:
            done[one] = replace(done[one], fate="merged", reason=None)
        self.chars += head.record.reply_chars
        self.is_provider_owned = head.record.is_provider_owned
        self.ends[turn_id] = Instant(self.clock + head.record.turn_ms)

    def renew(self, record: TrafficRecord) -> Began | None:
        """Begin a new life if one is due; why, or None if the old one goes on."""
        began = self.find_beginning(record)
        if began is not None:
            self.life, self.chars = Lifecycle(started_at=self.clock), 0
        self.touch()
        return began

    def touch(self) -> None:
        """Somebody used the session (RESET-19); one without a life yet has nothing to be used."""
        if self.life is not None:
            self.life = replace(self.life, last_interaction_at=self.clock, updated_at=self.clock)

    def find_beginning(self, record: TrafficRecord) -> Began | None:
        """Why a life begins with this record, None if it does not (RESET-12…18)."""
        if self.life is None:
            return "first"
        if record.resets:
            return "command"
        kind = resolve_reset_type(
            self.key, is_group=record.chat_type != "direct", is_thread=record.thread_id is not None
        )
        policy = resolve_reset_policy(self.replay.rules.reset, kind, record.channel)
        found = decide_freshness(
            self.life,
            header_at=None,
            policy=policy,
            now=self.clock,
            zone=self.replay.zone,
            provider_owned=self.is_provider_owned,
        )
        return None if found.fresh else found.reason


@dataclass(slots=True, kw_only=True)
class _Replay:
    """A replay under way: the sessions so far, and what became of each record."""

    rules: ReplayRules
    zone: tzinfo
    pairing: Mapping[Account, PairingFacts]
    sessions: dict[SessionKey, _Session] = field(default_factory=dict)
    done: dict[InboundId, Replayed] = field(default_factory=dict)

    def take(self, name: InboundId, record: TrafficRecord) -> None:
        """One record arrives: door first, then its lane."""
        answer = self.ask_door(name, record)
        self.done[name] = answer
        if answer.fate != "answered":
            return
        session = self.sessions.get(answer.session_key)
        if session is None:
            session = _Session(replay=self, key=answer.session_key, clock=record.at)
            self.sessions[answer.session_key] = session
        session.advance(record.at)
        session.clock = max(session.clock, record.at)
        if record.is_command and not record.resets:
            if record.docks is not None:
                session.dock(record, record.docks)
            session.touch()
            self.done[name] = replace(answer, fate="command")
            return
        self.queue(name, record, session)

    def ask_door(self, name: InboundId, record: TrafficRecord) -> Replayed:
        """Where the record goes and whether it is admitted and wakes the agent; `answered` stands for both."""
        found = route(self.rules.routing, build_inbound(record, message_id=name))
        key = record.session_key or found.session_key
        numbers = self.rules.routing.keys.numbers
        person = normalize_peer(record.channel, kind="direct", peer_id=record.sender_id, numbers=numbers)
        answer = Replayed(
            record=record,
            session_key=key,
            person=f"{record.channel}:{person}",
            fate="answered",
            is_sent=decide_send(self.rules.send, self.find_way(name, record, key)).allowed,
        )
        if record.session_key is not None:
            return answer
        channel = normalize_channel(record.channel)
        access = decide_access(
            self.rules.access(channel),
            AccessFacts(
                chat_type=record.chat_type,
                sender_id=record.sender_id,
                chat_id=record.chat_id,
                is_addressed=record.is_addressed,
            ),
            now=record.at,
            pairing=self.pairing.get((channel, record.account_id), NO_PAIRING),
        )
        if not access.admitted:
            return replace(answer, fate="refused", reason=access.reason, is_sent=False)
        facts = ActivationFacts(
            chat_type=record.chat_type,
            group_id="" if record.chat_type == "direct" else found.peer_id,
            mentioned=record.is_addressed,
            is_command=record.is_command,
            may_command=access.authorised_for_commands,
        )
        activation = decide_activation(self.rules.activation(channel, found.agent_id), facts)
        if not activation.wakes:
            return replace(answer, fate="observed", reason=f"activation_{activation.mode}", is_sent=False)
        return answer

    def find_way(self, name: InboundId, record: TrafficRecord, key: SessionKey) -> SendFacts:
        """Where the answer would leave: where it came from, or where its sender docked the session (DOCK-7)."""
        session = self.sessions.get(key)
        if session is not None and record.session_key is None:
            row, inbound = session.row, build_inbound(record, message_id=name)
            if holds_dock(row, inbound, self.rules.routing.keys.links):
                return SendFacts(key=key, channel=row.delivery.channel, chat_type="direct")
        return SendFacts(key=key, channel=record.channel, chat_type=record.chat_type)

    def queue(self, name: InboundId, record: TrafficRecord, session: _Session) -> None:
        """The record meets its lane (QUEUE-1…17)."""
        settings = resolve_queue_settings(self.rules.queue, channel=record.channel, overrides=Overrides())
        message = LaneMessage(
            id=name,
            arrived_at=session.clock,
            settings=replace(settings, mode="interrupt") if record.resets else settings,
            route=Target(
                channel=record.channel,
                account_id=record.account_id,
                to=record.chat_id or record.sender_id,
                chat_type=record.chat_type,
                thread_id=record.thread_id,
            ),
        )
        arrival = decide_arrival(session.lane, message, now=session.clock)
        session.lane = apply_arrival(session.lane, message, arrival)
        for dropped in arrival.dropped:
            self.done[dropped.id] = replace(self.done[dropped.id], fate="expired", reason=dropped.reason)
        match arrival.action:
            case "start" | "fanout":
                run = LaneRun(turn_id=TurnId(name), fanout=arrival.action == "fanout")
                session.lane = apply_started(session.lane, run)
                session.begin(run.turn_id, (name,))
            case "refuse":
                self.done[name] = replace(self.done[name], fate="expired", reason=arrival.reason)
            case "steer":
                session.lane = apply_taken(session.lane, [name])
                session.chars += record.size_chars
                self.done[name] = replace(self.done[name], fate="merged")
            case _:
                for turn_id in arrival.abort:
                    session.end(turn_id)
