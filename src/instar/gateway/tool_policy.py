"""Which tools a turn may use (TYPE-5, TYPE-6, TYPE-9): what is left out here is neither told to the model nor run."""

from __future__ import annotations

from collections.abc import Mapping

from instar.config.config import Config
from instar.core.model.change import InboxItem
from instar.core.model.session import Session
from instar.core.policy.tools import Speaker, decide_sandbox, decide_tool, resolve_policy_key
from instar.core.routing.key import is_group_key, parse_key
from instar.ports.tool import Tool

__all__ = ["choose_tools"]


def choose_tools(
    config: Config, tools: Mapping[str, Tool], session: Session, *, item: InboxItem | None
) -> Mapping[str, Tool]:
    """The tools that pass the lists of the session's channel or group, its agent and all agents.

    `item` is the message that the turn answers, None for one that nobody's message began: a stranger in the main
    session is not given the rights of its owner.
    """
    if not tools:
        return tools
    keys, agent_id, channel = config.routing.keys, session.agent_id, session.origin.channel
    group_id = (parse_key(session.key, main_key=keys.main_key).peer_id or "") if is_group_key(session.key) else ""
    speaker = _speaker_of(item) if item is not None else None
    policy_key = resolve_policy_key(session.key, agent_id=agent_id, keys=keys, speaker=speaker)
    # A session that is spoken to through several channels is held to the lists of the one that speaks now.
    spoken = speaker.channel if speaker is not None else channel
    sandboxed = decide_sandbox(
        config.sandbox(agent_id, spoken, group_id),
        policy_key=policy_key,
        main_key=keys.main_key,
        override=session.overrides.sandbox_mode,
    ).value
    settings = config.tools(agent_id, spoken, group_id)
    return {name: tool for name, tool in tools.items() if decide_tool(name, settings, sandboxed=sandboxed).allowed}


def _speaker_of(item: InboxItem) -> Speaker | None:
    """Whose message it is; None for input that no person wrote, and for a source that names the session itself."""
    submission = item.submission
    if submission.options.system or submission.session_key is not None:
        return None
    inbound = submission.inbound
    return Speaker(
        channel=inbound.channel,
        account_id=inbound.account_id,
        chat_type=inbound.chat.type,
        peer_id=inbound.sender.id,
        is_owner=item.acceptance.is_owner,
    )
