"""From the configuration to channels: each type is found by its name and built from its own settings (PY-3).

A type is an entry point of the group ``instar.channels``: a function that takes `ChannelSettings` and gives a
`Channel`. Those that come with Instar are found in the same way, by a table of the same form, so that they work from a
source tree as well.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from importlib.metadata import EntryPoint, entry_points
from typing import Final

import structlog

from instar.config.config import Config
from instar.config.sections.channels import ChannelSettings
from instar.core.model.ids import ChannelName
from instar.errors import ConfigError
from instar.ports.channel import Channel

__all__ = ["GROUP", "ChannelFactory", "build_channel", "build_channels", "find_factories"]

GROUP: Final = "instar.channels"

ChannelFactory = Callable[[ChannelSettings], Channel]
"""Builds one channel from its settings; connects to nothing. Raises `ConfigError` for settings it cannot use."""

_BUILT_IN: Final = (EntryPoint(name="bridge", value="instar.channels.bridge.adapter:build_bridge", group=GROUP),)

log = structlog.get_logger(__name__)


def find_factories(installed: Iterable[EntryPoint] | None = None) -> Mapping[str, EntryPoint]:
    """Every channel type by name, none of them imported. One that comes with Instar is never replaced by another."""
    others = entry_points(group=GROUP) if installed is None else installed
    return {each.name: each for each in (*others, *_BUILT_IN)}


def build_channels(config: Config) -> dict[ChannelName, Channel]:
    """The enabled channels by name, built and not yet started.

    A channel whose type this build does not have is left out and logged: a configuration may be shared with another
    gateway that has it. Raises `ConfigError` for settings that a channel cannot use.
    """
    factories = find_factories()
    built: dict[ChannelName, Channel] = {}
    for settings in config.channels.values():
        if not settings.enabled:
            continue
        if settings.type not in factories:
            log.warning("channel_type_missing", channel=settings.name, type=settings.type, path=settings.path)
            continue
        built[settings.name] = build_channel(settings, factories[settings.type])
    return built


def build_channel(settings: ChannelSettings, found: EntryPoint) -> Channel:
    """One channel. Raises `ConfigError` when its type cannot be loaded or refuses the settings."""
    try:
        factory: ChannelFactory = found.load()
    except (ImportError, AttributeError) as error:
        raise ConfigError(
            f'The channel type "{settings.type}" cannot be loaded',
            why=str(error),
            fix=f"Install what {found.value} needs, or set enabled: false.",
            path=settings.path,
        ) from error
    return factory(settings)
