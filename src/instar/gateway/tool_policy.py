"""Which tools a turn may use, and whether each may run (TYPE-5, TYPE-6, TYPE-8, TYPE-9).

A tool that the lists leave out is neither told to the model nor run. One that must run in a sandbox which cannot start
is told and fails with a clear sentence when it is called: it never falls back to the host.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from instar.config.config import Config
from instar.core.model.change import InboxItem, Noted
from instar.core.model.decision import Decision
from instar.core.model.entry import TextBlock
from instar.core.model.ids import AgentId, SessionKey
from instar.core.model.session import Session
from instar.core.policy.spawn import decide_spawned_tool
from instar.core.policy.tools import (
    Speaker,
    ToolPlacing,
    build_refused_text,
    decide_elevation,
    decide_tool_place,
    resolve_policy_key,
)
from instar.gateway.levels import find_level
from instar.gateway.sandboxing import SANDBOX_AVAILABLE, resolve_parent_tools, resolve_sandboxing
from instar.ports.tool import Tool, ToolContext, ToolOutput, ToolSpec

__all__ = ["choose_tools", "foresee_tools"]


def choose_tools(
    config: Config, tools: Mapping[str, Tool], session: Session, *, item: InboxItem | None
) -> Mapping[str, Tool]:
    """The tools that pass the lists of the session's channel or group, its agent and all agents.

    `item` is the message that the turn answers, None for one that nobody's message began: a stranger in the main
    session is not given the rights of its owner.
    """
    if not tools:
        return tools
    keys, agent_id = config.routing.keys, session.agent_id
    speaker = _speaker_of(item) if item is not None else None
    policy_key = resolve_policy_key(session.key, agent_id=agent_id, keys=keys, speaker=speaker)
    # A session that is spoken to in several channels and groups is held to the lists of the one that speaks now.
    spoken = speaker.channel if speaker is not None else session.origin.channel
    group_id = speaker.group_id if speaker is not None else None
    sandboxing = resolve_sandboxing(
        config, agent_id, session.key, session, channel=spoken, group_id=group_id, policy_key=policy_key
    )
    settings = config.tools(agent_id, spoken, sandboxing.group_id)
    above = resolve_parent_tools(config, session) or settings
    elevated = decide_elevation(
        find_level(config, "elevatedLevel", session, agent_id, item.submission if item is not None else None).value,
        is_owner=item is not None and (item.acceptance.is_owner or item.submission.is_owner),
    )
    chosen: dict[str, Tool] = {}
    for name, tool in tools.items():
        if not decide_spawned_tool(name, settings, above, sandboxed=sandboxing.decided.value).allowed:
            continue
        placing = decide_tool_place(
            sandboxing.decided,
            touches_host=tool.spec.touches_host,
            sandbox_available=SANDBOX_AVAILABLE,
            elevated=elevated,
        )
        if placing.place == "refuse":
            tool = _Refused(  # noqa: PLW2901 - the tool stands there all the same, and says why it does not run
                spec=tool.spec,
                text=build_refused_text(name, sandboxing.settings),
                decision=placing.as_decision(name),
            )
        chosen[name] = tool
    return chosen


def foresee_tools(
    config: Config, agent_id: AgentId, key: SessionKey, session: Session | None, *, speaker: Speaker, elevated: str
) -> ToolPlacing:
    """Where a tool that touches the host would run in a turn that answers `speaker` (WHY-3).

    `elevated` is the level that would hold for it.
    """
    policy_key = resolve_policy_key(key, agent_id=agent_id, keys=config.routing.keys, speaker=speaker)
    found = resolve_sandboxing(
        config, agent_id, key, session, channel=speaker.channel, group_id=speaker.group_id, policy_key=policy_key
    )
    return decide_tool_place(
        found.decided,
        touches_host=True,
        sandbox_available=SANDBOX_AVAILABLE,
        elevated=decide_elevation(elevated, is_owner=speaker.is_owner),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Refused:
    """Stands for a tool that may not run where it would (TYPE-8): its calls fail and say so."""

    spec: ToolSpec
    text: str
    decision: Decision

    async def call(
        self,
        context: ToolContext,
        arguments: Mapping[str, object],  # noqa: ARG002 - nothing is run
    ) -> ToolOutput:
        """The sentence, as an error."""
        noted = Noted(decision=self.decision, turn_id=context.turn_id)
        return ToolOutput(content=(TextBlock(text=self.text),), is_error=True, decisions=(noted,))


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
        chat_id=inbound.chat.id,
    )
