"""Whose word counts for the levels of a turn: thinking, verbose, reasoning, elevated, usage (RESOLVE-4, RESOLVE-5).

What belongs here: which channel's settings hold, and laying a message, its session and the configuration over each
other. What does not: which layer wins (`instar.core.policy.resolve`).
"""

from __future__ import annotations

from collections.abc import Mapping

from instar.core.model.change import Submission, TurnOptions
from instar.core.model.ids import AgentId, ChannelName
from instar.core.model.session import Overrides, Session
from instar.core.policy.resolve import LevelDefaults, SettingLayers

__all__ = ["build_level_layers", "find_speaking_channel"]


def build_level_layers(
    defaults: LevelDefaults, session: Session | None, *, agent_id: AgentId, submission: Submission | None = None
) -> SettingLayers:
    """The layers of a turn that answers `submission`, or of none: then as its session stands."""
    channel = find_speaking_channel(session, submission)
    return SettingLayers(
        inline=_read_options(submission.options) if submission is not None else {},
        overrides=session.overrides if session is not None else Overrides(),
        channel=defaults.by_channel.get(channel, {}) if channel is not None else {},
        agent=defaults.by_agent.get(agent_id, {}),
        config=defaults.config,
    )


def find_speaking_channel(session: Session | None, submission: Submission | None) -> ChannelName | None:
    """The channel whose settings hold: the one that a message came through; else the session's own.

    Input that no person wrote, and what a client sends to a session that it names, came through no channel.
    """
    if submission is None or submission.options.system or submission.session_key is not None:
        return session.origin.channel if session is not None else None
    return submission.inbound.channel


def _read_options(options: TurnOptions) -> Mapping[str, object]:
    return {
        "thinkingLevel": options.thinking,
        "verboseLevel": options.verbose,
        "reasoningLevel": options.reasoning,
        "elevatedLevel": options.elevated,
        "responseUsage": options.usage,
    }
