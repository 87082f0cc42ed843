"""From the whole configuration to the small settings that decisions take (style, section 5).

The only place of the gateway that knows how the configuration is laid out.
"""

from __future__ import annotations

from datetime import tzinfo
from typing import Final

from instar.config.config import Config
from instar.core.context.system import build_group_intro
from instar.core.lifecycle.reset import ResetPolicy, ResetType, resolve_reset_policy, resolve_session_type
from instar.core.model.change import Submission
from instar.core.model.ids import AgentId, ChannelName, SessionKey
from instar.core.model.session import Session
from instar.core.policy.activation import resolve_activation
from instar.core.policy.commands import CommandContext
from instar.core.policy.model_choice import ModelNames
from instar.core.routing.key import is_group_key, is_main_key, main_session_key, parse_key
from instar.core.routing.normalize import normalize_peer
from instar.core.turn.begin import BeginSettings
from instar.core.turn.door import DoorSettings

__all__ = [
    "begin_settings",
    "command_context",
    "dm_user_turns",
    "door_settings",
    "group_intro",
    "reset_policy",
]

_PLACES: Final[tuple[ResetType, ...]] = ("direct", "group", "thread")
"""Every kind of place that a policy may be for (RESET-11)."""


def door_settings(
    config: Config, channel: ChannelName, *, agent_id: AgentId, names: ModelNames, is_group: bool
) -> DoorSettings:
    """What decides over a message of a channel for an agent."""
    return DoorSettings(
        access=config.access(channel),
        activation=config.activation(channel, agent_id),
        commands=command_context(config, agent_id, names, is_group=is_group),
        send_policy=config.send,
        main_key=config.routing.keys.main_key,
        links=config.routing.keys.links,
    )


def command_context(config: Config, agent_id: AgentId, names: ModelNames, *, is_group: bool) -> CommandContext:
    """What reading a command depends on."""
    return CommandContext(
        is_group=is_group,
        mention_patterns=config.mention_patterns(agent_id) if is_group else (),
        triggers=config.reset_triggers,
        models=names,
        channels=config.dock_channels,
    )


def reset_policy(
    config: Config,
    key: SessionKey,
    channel: ChannelName | None,
    *,
    session: Session | None,
    submission: Submission | None = None,
) -> ResetPolicy:
    """When the session of a key starts over, for a message or, without one, as its row stands (RESET-8, RESET-11)."""
    parsed = parse_key(key, main_key=config.routing.keys.main_key)
    kind = resolve_session_type(key, session, submission)
    return resolve_reset_policy(config.reset, kind, channel or parsed.channel)


def dm_user_turns(config: Config, session: Session, submission: Submission) -> int | None:
    """How many user turns are sent with a message of a direct chat, None for no limit or elsewhere (HIST-6).

    The person is who wrote the message, since a key names nobody in a session that is shared, and the link in that of
    a linked person. A message that names its session counts as one of the person whom the key names.
    """
    if submission.session_key is not None:
        channel, chat_type = session.origin.channel, session.origin.chat_type
        peer_id = parse_key(session.key).peer_id or ""
    else:
        inbound = submission.inbound
        channel, chat_type, numbers = inbound.channel, inbound.chat.type, config.routing.keys.numbers
        peer_id = normalize_peer(inbound.channel, kind="direct", peer_id=inbound.sender.id, numbers=numbers)
    return config.dm_history.get(channel, peer_id) if chat_type == "direct" and channel is not None else None


def group_intro(config: Config, session: Session) -> str:
    """What the agent is told of the group that a session is in; empty elsewhere (CMD-24)."""
    channel = session.origin.channel
    if channel is None or not is_group_key(session.key):
        return ""
    found = resolve_activation(
        config.activation(channel, session.agent_id),
        chat_type=session.origin.chat_type or "group",
        group_id=parse_key(session.key).peer_id or "",
        override=session.overrides.group_activation,
    )
    title = session.naming.subject or session.naming.group_channel or ""
    return build_group_intro(channel=channel, title=title, mode=found.value)


def begin_settings(
    config: Config,
    key: SessionKey,
    *,
    agent_id: AgentId,
    channel: ChannelName | None,
    zone: tzinfo,
    default_model: str | None,
) -> BeginSettings:
    """What the begin of a turn depends on; `channel` is the one the message came through."""
    is_main = is_main_key(key, main_key=config.routing.keys.main_key)
    told_by = channel or parse_key(key, main_key=config.routing.keys.main_key).channel
    return BeginSettings(
        agent_id=agent_id,
        policy=reset_policy(config, key, channel, session=None),
        policies={kind: resolve_reset_policy(config.reset, kind, told_by) for kind in _PLACES},
        zone=zone,
        cwd=config.workspace(agent_id),
        default_model=default_model,
        pinned_sender=_only_sender(config, channel) if is_main and channel else None,
        numbers=config.routing.keys.numbers,
        group_main=main_session_key(config.routing.keys, agent_id) if is_group_key(key) else None,
    )


def _only_sender(config: Config, channel: ChannelName) -> str | None:
    """The one person whom the allow-list of a channel names, None if it names nobody, several or everybody."""
    listed = config.access(channel).allow_from
    return next(iter(listed.people)) if len(listed.people) == 1 and not listed.everybody else None
