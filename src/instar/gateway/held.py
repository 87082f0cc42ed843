"""Every setting that holds for a session, with the place it came from (WHY-6, RESOLVE-5)."""

from __future__ import annotations

from collections.abc import Mapping

from instar.config.config import Config
from instar.core.lifecycle.reset import ResetPolicy, resolve_session_type
from instar.core.model.change import Submission
from instar.core.model.ids import AgentId, SessionKey
from instar.core.model.message import ChatType
from instar.core.model.session import Overrides, Session
from instar.core.model.setting import Setting
from instar.core.policy.activation import resolve_activation
from instar.core.policy.patch import clamp_thinking
from instar.core.policy.resolve import effective_settings, reset_source
from instar.core.policy.send import SendDecision
from instar.core.queue.settings import QueueSettings
from instar.core.routing.key import is_group_key, parse_key
from instar.gateway.levels import setting_layers
from instar.gateway.sandboxing import resolve_sandboxing

__all__ = ["held_settings"]

_NO_OVERRIDES = Overrides()


def held_settings(
    config: Config,
    session: Session | None,
    agent_id: AgentId,
    key: SessionKey,
    *,
    model: str,
    queue: QueueSettings,
    send: SendDecision,
    policy: ResetPolicy,
    supports_xhigh: bool,
    submission: Submission | None = None,
) -> Mapping[str, Setting[object]]:
    """The settings by their names in files; `model`, `queue`, `send` and `policy` have been resolved already.

    `submission` is the message that asks, if one does: its channel's settings hold. A directive inside a message holds
    for that message alone, so none is told here.
    """
    main_key = config.routing.keys.main_key
    parsed = parse_key(key, main_key=main_key)
    overrides = session.overrides if session else _NO_OVERRIDES
    channel = session.origin.channel if session else None
    chat_type: ChatType = (session.origin.chat_type if session else None) or (
        "group" if is_group_key(key) else "direct"
    )
    group_id = parsed.peer_id or ""
    found = effective_settings(
        setting_layers(config, session, agent_id, submission),
        queue=queue,
        activation=resolve_activation(
            config.activation(channel, agent_id),
            chat_type=chat_type,
            group_id=group_id,
            override=overrides.group_activation,
        ),
        send=send,
        sandbox=resolve_sandboxing(config, agent_id, key, session).decided,
        reset=Setting(
            value=policy,
            source=reset_source(config.reset, resolve_session_type(key, session, None), channel or parsed.channel),
        ),
    )
    # A model that was chosen and is no longer configured gives way, and so does a level that the model does not know:
    # what is told is what will be asked.
    thinking = found["thinkingLevel"]
    level = clamp_thinking(str(thinking.value), supports_xhigh=supports_xhigh)
    return {
        **found,
        "model": Setting(value=model, source=found["model"].source),
        "thinkingLevel": Setting(value=level, source=thinking.source),
    }
