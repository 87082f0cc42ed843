"""`channels.<name>` and `commands`: who may write and who may give commands (LEAK-2, CMD-35)."""

from __future__ import annotations

from collections.abc import Mapping

from instar.config.read import read_object, read_text, read_text_list
from instar.config.sections.channels import find_channel, known_channels
from instar.core.model.ids import ChannelName
from instar.core.policy.access import AccessPolicy, AccessSettings, build_allow_list, parse_access_policy
from instar.core.routing.normalize import NO_NUMBERS, normalize_channel
from instar.errors import ConfigError

__all__ = ["parse_access"]


def parse_access(
    root: Mapping[str, object], *, channel: ChannelName, numbers: Mapping[str, str] = NO_NUMBERS
) -> AccessSettings:
    """Who may write on `channel`, of a whole configuration whose aliases are applied.

    OpenClaw's `dm: {policy, allowFrom}` is read where `dmPolicy` and `allowFrom` are absent. `numbers` maps hidden
    WhatsApp ids to phone numbers. Raises ConfigError for a word that is no policy: guessing would let people in.
    """
    path, fields = find_channel(root, channel)
    dm = read_object(fields.get("dm"), f"{path}.dm")
    commands = read_object(root.get("commands"), "commands")
    allow_from = read_text_list(fields.get("allowFrom"), f"{path}.allowFrom")
    if fields.get("allowFrom") is None:
        allow_from = read_text_list(dm.get("allowFrom"), f"{path}.dm.allowFrom")
    lists = {
        "allow_from": allow_from,
        "group_allow_from": read_text_list(fields.get("groupAllowFrom"), f"{path}.groupAllowFrom"),
        "command_allow_from": _read_command_list(commands.get("allowFrom"), channel),
        "owner_allow_from": read_text_list(commands.get("ownerAllowFrom"), "commands.ownerAllowFrom"),
    }
    known = known_channels(root)
    built = {
        name: build_allow_list(entries, channel=channel, known_channels=known, numbers=numbers)
        for name, entries in lists.items()
    }
    own_policy = _read_policy(fields.get("dmPolicy"), f"{path}.dmPolicy")
    return AccessSettings(
        channel=channel,
        path=path,
        dm_policy=own_policy or _read_policy(dm.get("policy"), f"{path}.dm.policy") or "pairing",
        group_policy=_read_policy(fields.get("groupPolicy"), f"{path}.groupPolicy") or "pairing",
        numbers=numbers,
        **built,
    )


def _read_policy(value: object, path: str) -> AccessPolicy | None:
    word = read_text(value, path)
    policy = parse_access_policy(word)
    if word is not None and policy is None:
        raise ConfigError(
            "No such policy",
            why=f'it is "{word}"',
            fix='Write "pairing", "allowlist", "open" or "off".',
            path=path,
        )
    return policy


def _read_command_list(value: object, channel: ChannelName) -> tuple[str, ...]:
    """`commands.allowFrom`: a list for all channels, or an object of lists by channel, with ``*`` for all."""
    path = "commands.allowFrom"
    if not isinstance(value, Mapping):
        return read_text_list(value, path)
    names = [name for name in value if name.strip() == "*" or normalize_channel(name) == channel]
    return tuple(each for name in names for each in read_text_list(value[name], f"{path}.{name}"))
