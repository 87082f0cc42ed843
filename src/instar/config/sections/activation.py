"""When a message wakes the agent: `channels.<c>`, `session.activationByType`, mention patterns (ACT-2…5, ACT-7)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from instar.config.read import join_path, read_bool, read_object, read_text, read_text_list, read_whole
from instar.config.sections.agents import parse_agents
from instar.config.sections.channels import find_channel
from instar.core.model.ids import AgentId, ChannelName
from instar.core.model.message import ChatType
from instar.core.policy.activation import (
    DEFAULT_HISTORY_LIMIT,
    ActivationMode,
    ActivationSettings,
    build_name_patterns,
    parse_activation_mode,
)
from instar.core.routing.normalize import normalize_chat_type, normalize_peer
from instar.errors import ConfigError

__all__ = ["parse_activation"]

_EVERY_GROUP: Final = "*"


def parse_activation(
    root: Mapping[str, object], *, channel: ChannelName, agent_id: AgentId | None = None
) -> ActivationSettings:
    """When a message on `channel` wakes `agent_id`, None for the default agent.

    Takes a whole configuration whose aliases are applied. Raises ConfigError for a word that is no mode.
    """
    path, fields = find_channel(root, channel)
    messages = read_object(read_object(root.get("messages"), "messages").get("groupChat"), "messages.groupChat")
    own_limit = read_whole(fields.get("historyLimit"), f"{path}.historyLimit")
    limit = (
        own_limit
        if own_limit is not None
        else read_whole(messages.get("historyLimit"), "messages.groupChat.historyLimit")
    )
    return ActivationSettings(
        groups=_read_groups(fields, channel, path=path),
        channel=_read_mode(fields, path=path),
        by_type=_read_types(read_object(root.get("session"), "session")),
        mention_patterns=_read_patterns(root, messages, agent_id=agent_id),
        history_limit=DEFAULT_HISTORY_LIMIT if limit is None else limit,
    )


def _read_mode(fields: Mapping[str, object], *, path: str) -> ActivationMode | None:
    """`activation`, else `requireMention` in its meaning: true is mention, false is always (ACT-3)."""
    mode = _parse_mode(fields.get("activation"), f"{path}.activation")
    required = read_bool(fields.get("requireMention"), f"{path}.requireMention")
    if mode is not None or required is None:
        return mode
    return "mention" if required else "always"


def _read_groups(fields: Mapping[str, object], channel: ChannelName, *, path: str) -> Mapping[str, ActivationMode]:
    found: dict[str, ActivationMode] = {}
    for name, item in read_object(fields.get("groups"), f"{path}.groups").items():
        place = join_path(f"{path}.groups", name)
        mode = _read_mode(read_object(item, place), path=place)
        if mode is not None:
            key = name.strip()
            found[key if key == _EVERY_GROUP else normalize_peer(channel, kind="group", peer_id=key)] = mode
    return found


def _read_types(session: Mapping[str, object]) -> Mapping[ChatType, ActivationMode]:
    """One mode per chat type; the type's own name beats its alias (NORM-9). Unknown types are left to the lint."""
    path = "session.activationByType"
    found: dict[ChatType, ActivationMode] = {}
    fields = read_object(session.get("activationByType"), path)
    for name in sorted(fields, key=lambda name: normalize_chat_type(name) == name):
        chat_type = normalize_chat_type(name)
        mode = _parse_mode(fields[name], f"{path}.{name}")
        if chat_type is not None and mode is not None:
            found[chat_type] = mode
    return found


def _read_patterns(
    root: Mapping[str, object], messages: Mapping[str, object], *, agent_id: AgentId | None
) -> tuple[str, ...]:
    agents = parse_agents(root)
    agent = agents.get(agent_id or agents.default_id)
    general = read_text_list(messages.get("mentionPatterns"), "messages.groupChat.mentionPatterns")
    return agent.mention_patterns or general or build_name_patterns(agent.name, agent.emoji)


def _parse_mode(value: object, path: str) -> ActivationMode | None:
    word = read_text(value, path)
    mode = parse_activation_mode(word)
    if word is not None and mode is None:
        raise ConfigError(
            "No such activation mode",
            why=f'it is "{word}"',
            fix='Write "always", "mention" or "command".',
            path=path,
        )
    return mode
