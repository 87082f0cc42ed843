"""Scopes, identity links and bindings: the settings of `instar.core.routing` (CFG-4, CFG-5, CFG-11, LINK-1…5)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final, get_args

from instar.config.read import read_choice, read_id, read_list, read_object, read_text, read_text_list, wrong_type
from instar.config.sections.agents import parse_agents
from instar.config.sections.channels import known_channels
from instar.core.model.ids import AccountId, AgentId
from instar.core.model.message import ChatType
from instar.core.routing.bindings import ANY, Binding, Bindings, build_bindings
from instar.core.routing.identity import IdentityGroup, build_links
from instar.core.routing.key import DEFAULT_MAIN_KEY, DmScope, GroupScope, KeySettings, Scope, is_reserved_word
from instar.core.routing.normalize import (
    DEFAULT_ACCOUNT,
    normalize_account_id,
    normalize_agent_id,
    normalize_channel,
    normalize_chat_type,
    normalize_peer,
)
from instar.core.routing.route import RoutingSettings
from instar.errors import ConfigError

__all__ = ["parse_identity_links", "parse_numbers", "parse_routing"]

_SCOPES: Final[tuple[Scope, ...]] = get_args(Scope)
_DM_SCOPES: Final[tuple[DmScope, ...]] = get_args(DmScope)
_GROUP_SCOPES: Final[tuple[GroupScope, ...]] = get_args(GroupScope)

_NOT_IN_NAMES: Final = re.compile(r"[^a-z0-9_-]+")


def parse_routing(root: Mapping[str, object]) -> RoutingSettings:
    """The routing settings of a whole configuration whose aliases are applied.

    Raises ConfigError, with the path of the setting, for a value of a wrong type or an unknown scope (KEY-3).
    """
    return RoutingSettings(keys=_parse_keys(root), bindings=_parse_bindings(root))


def parse_identity_links(value: object) -> tuple[IdentityGroup, ...]:
    """The identity groups of either form, in order (LINK-1…3). What LINK-5 calls skipped is skipped."""
    if isinstance(value, Mapping):
        groups = [_parse_group(item, name=name) for name, item in value.items()]
    elif isinstance(value, list):
        groups = [_parse_group(item, name=None) for item in value if isinstance(item, Mapping)]
    elif value is None:
        groups = []
    else:
        raise wrong_type(
            "session.identityLinks", value, wanted="an object or a list", fix='Write { alice: ["telegram:1"] }.'
        )
    return tuple(group for group in groups if group is not None)


def _parse_keys(root: Mapping[str, object]) -> KeySettings:
    session = read_object(root.get("session"), "session")
    known = known_channels(root)
    numbers = parse_numbers(root)
    return KeySettings(
        scope=read_choice(session.get("scope"), "session.scope", words=_SCOPES) or "per-sender",
        dm_scope=read_choice(session.get("dmScope"), "session.dmScope", words=_DM_SCOPES) or "main",
        group_scope=read_choice(session.get("groupScope"), "session.groupScope", words=_GROUP_SCOPES) or "per-group",
        main_key=_parse_main_key(session.get("mainKey")),
        links=build_links(parse_identity_links(session.get("identityLinks")), known_channels=known, numbers=numbers),
        known_channels=known,
        numbers=numbers,
    )


def _parse_main_key(value: object) -> str:
    """``session.mainKey``, trimmed and in lower case (KEY-11)."""
    main_key = (read_text(value, "session.mainKey") or DEFAULT_MAIN_KEY).lower()
    if main_key != DEFAULT_MAIN_KEY and (":" in main_key or not main_key.isprintable() or is_reserved_word(main_key)):
        raise ConfigError(
            "The main key cannot be used",
            why=f"{main_key!r} means something else in session keys",
            fix='Write a plain word such as "home".',
            path="session.mainKey",
        )
    return main_key


def _parse_group(item: object, *, name: str | None) -> IdentityGroup | None:
    """One group from a list of ids or from ``{ids, sharedSession, name?}``; None if it names nobody."""
    fields = item if isinstance(item, Mapping) else {"ids": item}
    ids = fields.get("ids")
    if not isinstance(ids, list):
        return None
    texts = tuple(each.strip() for each in ids if isinstance(each, str) and each.strip())
    given = name if name is not None else fields.get("name")
    label = given.strip() if isinstance(given, str) else ""
    if not label and name is None and texts:
        label = f"link-{_NOT_IN_NAMES.sub('-', texts[0].lower())}"
    return IdentityGroup(name=label, ids=texts, shared=fields.get("sharedSession") is not False) if label else None


def parse_numbers(root: Mapping[str, object]) -> Mapping[str, str]:
    """``channels.whatsapp.lidNumbers``: hidden WhatsApp ids whose phone number is known (NORM-5)."""
    channels = read_object(root.get("channels"), "channels")
    path = "channels.whatsapp.lidNumbers"
    numbers = read_object(read_object(channels.get("whatsapp"), "channels.whatsapp").get("lidNumbers"), path)
    found = {name.strip().lower(): read_text(number, f"{path}.{name}") for name, number in numbers.items()}
    return {name: number for name, number in found.items() if number is not None}


def _parse_bindings(root: Mapping[str, object]) -> Bindings:
    agents = parse_agents(root)
    numbers = parse_numbers(root)
    parsed = (
        _parse_binding(item, path=f"bindings[{at}]", default_agent=agents.default_id, numbers=numbers)
        for at, item in enumerate(read_list(root.get("bindings"), "bindings"))
    )
    return build_bindings(
        tuple(binding for binding in parsed if binding is not None),
        agents=frozenset(agent.id for agent in agents.all) if agents.is_listed else frozenset(),
        default_agent=agents.default_id,
    )


def _parse_binding(item: object, *, path: str, default_agent: AgentId, numbers: Mapping[str, str]) -> Binding | None:
    """One binding; None if it names no channel or a peer without an id, and so can match nothing."""
    fields = read_object(item, path)
    match = read_object(fields.get("match"), f"{path}.match")
    peer = read_object(match.get("peer"), f"{path}.match.peer")
    session = read_object(fields.get("session"), f"{path}.session")
    channel = normalize_channel(read_text(match.get("channel"), f"{path}.match.channel"))
    kind = _parse_kind(peer.get("kind"), path=f"{path}.match.peer.kind")
    peer_id = read_id(peer.get("id"), f"{path}.match.peer.id")
    if not channel or (peer and peer_id is None):
        return None
    if peer_id not in {None, ANY}:
        peer_id = normalize_peer(channel, kind=kind or "group", peer_id=peer_id or "", numbers=numbers)
    account = read_id(match.get("accountId"), f"{path}.match.accountId")
    return Binding(
        agent_id=normalize_agent_id(read_text(fields.get("agentId"), f"{path}.agentId") or default_agent),
        channel=channel,
        account_id=AccountId(ANY) if account == ANY else normalize_account_id(account or DEFAULT_ACCOUNT),
        peer_kind=kind,
        peer_id=peer_id,
        guild_id=_lower(read_id(match.get("guildId"), f"{path}.match.guildId")),
        team_id=_lower(read_id(match.get("teamId"), f"{path}.match.teamId")),
        roles=frozenset(role.lower() for role in read_text_list(match.get("roles"), f"{path}.match.roles")),
        dm_scope=read_choice(session.get("dmScope"), f"{path}.session.dmScope", words=_DM_SCOPES),
        group_scope=read_choice(session.get("groupScope"), f"{path}.session.groupScope", words=_GROUP_SCOPES),
    )


def _parse_kind(value: object, *, path: str) -> ChatType | None:
    word = read_text(value, path)
    kind = normalize_chat_type(word)
    if word is not None and kind is None:
        fix = 'Write "direct", "group" or "channel".'
        raise ConfigError("The kind of peer is unknown", why=f'it is "{word}"', fix=fix, path=path)
    return kind


def _lower(text: str | None) -> str | None:
    return None if text is None else text.lower()
