"""How often an agent's heartbeat is due (HEART-1, PRUNE-3).

What belongs here: the effective interval and who said so. What does not: running heartbeats. A provider that keeps a
prompt for an hour is asked at least once in that hour, so that the prompt stays in its cache; that is why the default
follows how Anthropic is paid.
"""

from __future__ import annotations

from typing import Final, Literal

from instar.core.context.pruning import is_anthropic
from instar.core.model.setting import Setting, pick_setting

__all__ = ["AuthKind", "resolve_heartbeat"]

AuthKind = Literal["api-key", "oauth", "none"]
"""How a provider knows who asks: a key that is paid by use, a token of a subscription, or not at all."""

_USUAL_MS: Final = 30 * 60_000
_SUBSCRIBED_MS: Final = 60 * 60_000


def resolve_heartbeat(
    agent_ms: int | None, config_ms: int | None, *, provider: str, model: str, auth: AuthKind
) -> Setting[int]:
    """Milliseconds between two heartbeats of an agent with this model; 0 means that there are none.

    `agent_ms` is the agent's own word, `config_ms` that for all agents, None where nobody said anything. Any value that
    is set is left alone; without one it is an hour for Anthropic with a token of a subscription, else half an hour.
    """
    is_subscribed = auth == "oauth" and is_anthropic(provider, model)
    return pick_setting(
        ("agent", agent_ms), ("config", config_ms), default=_SUBSCRIBED_MS if is_subscribed else _USUAL_MS
    )
