"""Finding a channel's object under `channels`, whatever spelling its name has (NORM-2, NORM-3)."""

from __future__ import annotations

from collections.abc import Mapping

from instar.config.read import join_path, read_object
from instar.core.model.ids import ChannelName
from instar.core.routing.normalize import KNOWN_CHANNELS, normalize_channel

__all__ = ["find_channel", "known_channels"]


def find_channel(root: Mapping[str, object], channel: ChannelName) -> tuple[str, Mapping[str, object]]:
    """The path and the object of `channel`; the object is empty for a channel that is not configured.

    Where two spellings name one channel, its own name counts.
    """
    channels = read_object(root.get("channels"), "channels")
    names = [name for name in channels if normalize_channel(name) == channel]
    name = channel if channel in names or not names else names[0]
    path = join_path("channels", name)
    return path, read_object(channels.get(name), path)


def known_channels(root: Mapping[str, object]) -> frozenset[str]:
    """The channels that are known without being configured, and the configured ones (NORM-3)."""
    configured = read_object(root.get("channels"), "channels")
    return KNOWN_CHANNELS | {normalize_channel(name) for name in configured}
