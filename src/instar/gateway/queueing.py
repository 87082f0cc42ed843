"""How a session takes messages while it is busy, with what its channel itself prefers (QUEUE-11)."""

from __future__ import annotations

from instar.core.model.ids import ChannelName
from instar.core.model.session import Overrides
from instar.core.queue.settings import QueueDirective, QueueSettings, resolve_queue_settings
from instar.gateway.parts import GatewayParts

__all__ = ["queue_settings"]


def queue_settings(
    parts: GatewayParts, channel: ChannelName | None, overrides: Overrides, *, inline: QueueDirective | None = None
) -> QueueSettings:
    """The settings that hold for a message now. `channel` None is a source without one (RPC)."""
    running = parts.channels.get(channel) if channel is not None else None
    return resolve_queue_settings(
        parts.config().queue,
        channel=channel,
        overrides=overrides,
        inline=inline,
        channel_debounce_ms=running.capabilities.debounce_ms if running is not None else None,
    )
