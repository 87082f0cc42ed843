"""A setting with the place it came from (WHY-6, RESOLVE-5).

Several rooms resolve settings over layers; each says which layer won, so that `/status` can tell it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, Literal, TypeVar

__all__ = ["Layer", "Setting", "SettingSource", "pick_setting"]

SettingSource = Literal["inline", "session", "channel", "type", "agent", "config", "default"]
"""Who said so: the message itself, the session's entry, the channel (or one of its groups), the chat type, the
agent, the configuration as a whole, or nobody."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting(Generic[T]):
    """An effective value and its `source`."""

    value: T
    source: SettingSource


Layer = tuple[SettingSource, T | None]
"""One layer's word; None means that the layer is silent."""


def pick_setting(*layers: Layer[T], default: T) -> Setting[T]:
    """The value of the first layer that says something, else `default`. Layers stand with the strongest first."""
    for source, value in layers:
        if value is not None:
            return Setting(value=value, source=source)
    return Setting(value=default, source="default")
