"""`channels`: which there are, of which type, and each one's object, whatever spelling its name has (NORM-2, NORM-3).

Who may write and when a message wakes the agent are read by `access` and `activation`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from instar.config.read import join_path, read_bool, read_object, read_secret, read_text
from instar.core.model.ids import ChannelName
from instar.core.routing.key import is_reserved_word
from instar.core.routing.normalize import KNOWN_CHANNELS, normalize_channel
from instar.errors import ConfigError

__all__ = ["ChannelSettings", "find_channel", "known_channels", "parse_channels"]

_BRIDGE: Final = "bridge"
_DEFAULTS: Final = "defaults"
"""OpenClaw keeps settings for all channels under this name; it is no channel."""

_GOOD_NAME: Final = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelSettings:
    """One configured channel. `type` says which adapter runs it; for a built-in one it is the channel's own name.

    `path` is where it stands in the configuration. `token` is the secret of a bridge, or of a platform that needs
    just one. `raw` is the whole object, for the adapter's own settings; `accounts` are its logins by name.
    """

    name: ChannelName
    type: str
    path: str
    enabled: bool = True
    token: str | None = field(default=None, repr=False)
    accounts: Mapping[str, Mapping[str, object]] = field(default_factory=dict)
    raw: Mapping[str, object] = field(default_factory=dict, repr=False)


def parse_channels(root: Mapping[str, object], *, env: Mapping[str, str]) -> Mapping[ChannelName, ChannelSettings]:
    """The configured channels by name, in order, of a whole configuration whose aliases are applied.

    Raises ConfigError for a chosen name that could be mistaken for a part of session keys, and for a bridge without a
    token. A channel of a type that nobody knows is no error: another gateway may have it.
    """
    found: dict[ChannelName, ChannelSettings] = {}
    for written, path, raw in _configured(root):
        channel = _parse_channel(written, path, raw, env=env)
        if channel.name in found:
            raise ConfigError(
                "The channel is configured twice",
                why=f'"{written}" is another word for "{channel.name}"',
                fix="Keep one of them.",
                path=path,
            )
        found[channel.name] = channel
    return found


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
    channels = read_object(root.get("channels"), "channels")
    return KNOWN_CHANNELS | {normalize_channel(name) for name in channels if name.strip() and name != _DEFAULTS}


def _configured(root: Mapping[str, object]) -> Iterator[tuple[str, str, Mapping[str, object]]]:
    """Name as written, path and object of each channel."""
    for name, value in read_object(root.get("channels"), "channels").items():
        if name != _DEFAULTS:
            path = join_path("channels", name)
            yield name, path, read_object(value, path)


def _parse_channel(written: str, path: str, raw: Mapping[str, object], *, env: Mapping[str, str]) -> ChannelSettings:
    name = normalize_channel(written)
    kind = (read_text(raw.get("type"), f"{path}.type") or name).lower()
    token = read_secret(raw.get("token"), f"{path}.token", env=env)
    if kind != name:
        _check_name(written, path)
    if kind == _BRIDGE and token is None:
        raise ConfigError(
            f'The bridge "{written}" has no token',
            why="whoever reaches its address could write as anybody",
            fix='Add token: "…" or token: "${NAME}" and set that variable.',
            path=f"{path}.token",
        )
    accounts = read_object(raw.get("accounts"), f"{path}.accounts")
    enabled = read_bool(raw.get("enabled"), f"{path}.enabled")
    return ChannelSettings(
        name=name,
        type=kind,
        path=path,
        enabled=enabled is not False,
        token=token,
        accounts={each: read_object(value, join_path(f"{path}.accounts", each)) for each, value in accounts.items()},
        raw=raw,
    )


def _check_name(written: str, path: str) -> None:
    """A name that somebody chose stands in keys and in an address: it has to be a plain word of its own."""
    if normalize_channel(written) != written or not _GOOD_NAME.fullmatch(written):
        raise ConfigError(
            f"A channel cannot be called {written!r}",
            why="its name stands in session keys and in its address",
            fix="Take lower-case letters, digits, - and _, and no other word for a known channel.",
            path=path,
        )
    if is_reserved_word(written):
        raise ConfigError(
            f'A channel cannot be called "{written}"',
            why="the word means something else in session keys",
            fix=f'Give it another name, for example "my-{written}".',
            path=path,
        )
