"""Recorded traffic and the rules it is replayed under, in few words."""

from __future__ import annotations

from dataclasses import dataclass, field
from zoneinfo import ZoneInfo

from instar.core.explain.replay import Account, Replayed, replay_traffic
from instar.core.explain.traffic import TrafficRecord
from instar.core.lifecycle.reset import ResetSettings
from instar.core.model.ids import AgentId, ChannelName, Instant
from instar.core.model.message import ChatType
from instar.core.model.pairing import PairingFacts
from instar.core.policy.access import AccessPolicy, AccessSettings
from instar.core.policy.activation import ActivationMode, ActivationSettings
from instar.core.policy.send import SendPolicy
from instar.core.queue.settings import QueueConfig
from instar.core.routing.key import DmScope, KeySettings
from instar.core.routing.route import RoutingSettings

UTC = ZoneInfo("UTC")
TELEGRAM = ChannelName("telegram")
HOUR, DAY = 3_600_000, 86_400_000
START = 1_772_539_200_000
"""Noon of 2026-03-03, UTC."""


@dataclass(frozen=True)
class Rules:
    """A configuration as a replay asks for it."""

    routing: RoutingSettings = field(default_factory=RoutingSettings)
    reset: ResetSettings = field(default_factory=ResetSettings)
    queue: QueueConfig = field(default_factory=QueueConfig)
    send: SendPolicy = field(default_factory=SendPolicy)
    dm_policy: AccessPolicy = "open"
    group_policy: AccessPolicy = "open"
    group_mode: ActivationMode | None = None

    def access(self, channel: ChannelName) -> AccessSettings:
        return AccessSettings(channel=channel, dm_policy=self.dm_policy, group_policy=self.group_policy)

    def activation(self, channel: ChannelName, agent_id: AgentId) -> ActivationSettings:
        return ActivationSettings(channel=self.group_mode)


def scoped(scope: DmScope) -> Rules:
    """Rules under a dmScope."""
    return Rules(routing=RoutingSettings(keys=KeySettings(dm_scope=scope)))


def record(
    after: int = 0,
    sender: str = "ann",
    *,
    channel: ChannelName = TELEGRAM,
    chat_type: ChatType = "direct",
    chat_id: str | None = None,
    size_chars: int = 40,
    **fields: object,
) -> TrafficRecord:
    """A direct message `after` milliseconds from the start."""
    return TrafficRecord(
        at=Instant(START + after),
        channel=channel,
        chat_type=chat_type,
        chat_id=sender if chat_id is None else chat_id,
        sender_id=sender,
        size_chars=size_chars,
        **fields,  # type: ignore[arg-type]  # a test names what it varies
    )


def group(after: int = 0, sender: str = "ann", **fields: object) -> TrafficRecord:
    """A message in the group -1."""
    return record(after, sender, chat_type="group", chat_id="-1", **fields)  # type: ignore[arg-type]  # as above


def replay(
    *traffic: TrafficRecord, rules: Rules | None = None, pairing: dict[Account, PairingFacts] | None = None
) -> tuple[Replayed, ...]:
    """What became of the traffic."""
    return replay_traffic(traffic, rules or Rules(), zone=UTC, pairing=pairing)
