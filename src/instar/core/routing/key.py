"""Making session keys: derive one for a chat, build one for a source, canonicalise what somebody typed (KEY-1…22).

What belongs here: every place where a key is joined. Taking keys apart is in `grammar`, whose public names pass
through this module, so that others import from one place. The invariant: what is made here is canonical, parses
back to the same parts, and belongs to one conversation only, whatever ids strangers choose (see `segment`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

from instar.core.model.ids import AgentId, ChannelName, SessionKey
from instar.core.model.message import ChatType
from instar.core.routing.grammar import (
    DEFAULT_MAIN_KEY,
    GLOBAL_KEY,
    KIND_WORDS,
    SEGMENT_WORDS,
    UNKNOWN_KEY,
    ParsedKey,
    ToolKind,
    cut_thread,
    find_kind,
    has_agent,
    is_group_key,
    is_incognito_key,
    is_main_key,
    is_reserved_word,
    is_thread_key,
    parent_key,
    parse_key,
    row_kind,
    split_key,
    strip_agent,
    tool_kind,
)
from instar.core.routing.identity import NO_LINKS, IdentityGroup, Links, person_segment, resolve_sharing_person
from instar.core.routing.normalize import (
    KNOWN_CHANNELS,
    normalize_account_id,
    normalize_agent_id,
    normalize_channel,
    normalize_peer,
    normalize_thread_id,
)
from instar.core.routing.segment import escape_id, escape_invisible, escape_word, mark_word

__all__ = [
    "DEFAULT_MAIN_KEY",
    "DmScope",
    "GroupScope",
    "KeySettings",
    "ParsedKey",
    "Place",
    "Scope",
    "SourceKind",
    "ToolKind",
    "build_source_key",
    "canonical_key",
    "derive_place",
    "derive_session_key",
    "is_group_key",
    "is_incognito_key",
    "is_main_key",
    "is_reserved_word",
    "is_thread_key",
    "main_session_key",
    "parent_key",
    "parse_key",
    "respell_key",
    "respell_key_prefix",
    "row_kind",
    "short_key",
    "strip_agent",
    "tool_kind",
]

Scope = Literal["per-sender", "global"]
DmScope = Literal["main", "per-peer", "per-channel-peer", "per-account-channel-peer"]
GroupScope = Literal["per-group", "main"]
SourceKind = Literal["cron", "hook", "node", "subagent", "acp", "dashboard", "explicit"]
"""What a key can belong to beside people and groups."""

_KEY_MAX_BYTES: Final = 2048
"""Longer than any key that can be derived, shorter than what a PostgreSQL index takes (2,704 bytes)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KeySettings:
    """What key derivation needs of the configuration (CFG-4, CFG-5).

    `known_channels` are those of NORM-3 and the configured ones; `numbers` maps hidden WhatsApp ids to phone
    numbers (NORM-5).
    """

    scope: Scope = "per-sender"
    dm_scope: DmScope = "main"
    group_scope: GroupScope = "per-group"
    main_key: str = DEFAULT_MAIN_KEY
    links: Links = NO_LINKS
    known_channels: frozenset[str] = KNOWN_CHANNELS
    numbers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a message belongs: its key and the facts and rule that gave it.

    `peer_id` is the id as it stands in keys, empty if there was none. `person` is the linked person whose session
    this is; None if no link took part. `is_isolated` says that the session belongs to this one person.
    """

    key: SessionKey
    peer_id: str
    person: IdentityGroup | None
    is_isolated: bool
    rule: str


def derive_session_key(
    settings: KeySettings,
    *,
    agent_id: str,
    channel: str,
    kind: ChatType,
    peer_id: str,
    account_id: str | None = None,
    thread_id: str | None = None,
    dm_scope: DmScope | None = None,
    group_scope: GroupScope | None = None,
) -> SessionKey:
    """The one key of a chat (KEY-2…12, LINK-6). `dm_scope` and `group_scope` are a binding's, None without one."""
    return derive_place(
        settings,
        agent_id=agent_id,
        channel=channel,
        kind=kind,
        peer_id=peer_id,
        account_id=account_id,
        thread_id=thread_id,
        dm_scope=dm_scope,
        group_scope=group_scope,
    ).key


def derive_place(
    settings: KeySettings,
    *,
    agent_id: str,
    channel: str,
    kind: ChatType,
    peer_id: str,
    account_id: str | None = None,
    thread_id: str | None = None,
    dm_scope: DmScope | None = None,
    group_scope: GroupScope | None = None,
) -> Place:
    """`derive_session_key` with what `instar explain` needs to tell why."""
    agent = normalize_agent_id(agent_id)
    name = normalize_channel(channel) or ChannelName(UNKNOWN_KEY)
    plain_id = normalize_peer(name, kind=kind, peer_id=peer_id, numbers=settings.numbers)
    if kind == "direct":
        place = _direct_place(settings, agent, name, plain_id, account_id=account_id, dm_scope=dm_scope)
    elif (group_scope or settings.group_scope) == "main":
        # The threads of such a group go to the main session too, so no suffix is put on (KEY-5).
        key = main_session_key(settings, agent)
        return Place(key=key, peer_id=escape_id(plain_id), person=None, is_isolated=False, rule="KEY-5")
    else:
        place = _group_place(agent, name, kind, plain_id)
    thread = normalize_thread_id(thread_id)
    if thread is None:
        return place
    marker = "topic" if name == "telegram" and kind == "group" else "thread"
    return Place(
        key=SessionKey(f"{place.key}:{marker}:{escape_id(thread)}"),
        peer_id=place.peer_id,
        person=place.person,
        is_isolated=place.is_isolated,
        rule=place.rule,
    )


def main_session_key(settings: KeySettings, agent_id: str) -> SessionKey:
    """The key of the agent's main session; ``global`` under the global scope (KEY-10, KEY-11)."""
    if settings.scope == "global":
        return SessionKey(GLOBAL_KEY)
    return SessionKey(f"agent:{normalize_agent_id(agent_id)}:{settings.main_key}")


def build_source_key(agent_id: str, kind: SourceKind, source_id: str, *, run_id: str | None = None) -> SessionKey:
    """The key of a cron job, webhook, node, sub-agent, ACP run, dashboard thread or probe (KEY-2).

    `run_id` names one run of a cron job that keeps its runs apart.
    """
    joint = "node-" if kind == "node" else f"{kind}:"
    run = f":run:{escape_id(run_id.lower())}" if run_id else ""
    return SessionKey(f"agent:{normalize_agent_id(agent_id)}:{joint}{escape_id(source_id.strip().lower())}{run}")


def canonical_key(
    text: str, settings: KeySettings, *, default_agent: str, channel_hint: str | None = None
) -> SessionKey | None:
    """The stored key that `text`, typed by a user, client or configuration, means; None if it is no key (KEY-14).

    `channel_hint` is the channel that a bare ``group:<id>`` belongs to; a word that names no known channel (``last``,
    say) is none. A canonical key comes back unchanged.
    """
    parts = split_key(escape_invisible(text.strip()))
    if not parts:
        return None
    key = _canonical(parts, settings, default_agent=default_agent, channel_hint=channel_hint)
    return key if len(key.encode()) <= _KEY_MAX_BYTES else None


def short_key(channel: str, account_id: str) -> str:
    """The short form ``<channel>:<peer>`` of the seeds, an address that `canonical_key` reads (KEY-13)."""
    name = normalize_channel(channel) or ChannelName(UNKNOWN_KEY)
    peer_id = normalize_peer(name, kind="direct", peer_id=account_id)
    return f"{_word(name)}:{escape_id(peer_id) or 'default'}"


def respell_key(key: str) -> str:
    """`key` with older kind words as they are stored; anything else of it stays as it is (X-6)."""
    parts = key.split(":")
    at = 2 if parts[0] == "agent" and len(parts) > 2 else 0
    return ":".join([*parts[:at], *_respell(parts[at:])])


def respell_key_prefix(prefix: str) -> str:
    """The beginning of a key, as a rule writes it, with older kind words as they are stored (SEND-6, X-6)."""
    return respell_key(f"{prefix}:").removesuffix(":")


# ---------------------------------------------------------------- parts of derive


def _direct_place(
    settings: KeySettings,
    agent: AgentId,
    channel: ChannelName,
    plain_id: str,
    *,
    account_id: str | None,
    dm_scope: DmScope | None,
) -> Place:
    scope = dm_scope or settings.dm_scope
    if scope == "main" or not plain_id:
        key = main_session_key(settings, agent)
        rule = _main_rule(settings, is_overridden=dm_scope is not None, has_peer=bool(plain_id))
        return Place(key=key, peer_id=escape_id(plain_id), person=None, is_isolated=False, rule=rule)
    peer = escape_id(plain_id)
    person = resolve_sharing_person(settings.links, channel=channel, peer_id=plain_id)
    if person is not None:
        key = SessionKey(f"agent:{agent}:direct:{person_segment(person.name)}")
        return Place(key=key, peer_id=peer, person=person, is_isolated=True, rule="LINK-6")
    match scope:
        case "per-peer":
            rest = f"direct:{_apart_from_people(settings.links, peer)}"
        case "per-channel-peer":
            rest = f"{_word(channel)}:direct:{peer}"
        case _:  # per-account-channel-peer
            rest = f"{_word(channel)}:{_word(normalize_account_id(account_id))}:direct:{peer}"
    rule = "KEY-2" if dm_scope is None else "KEY-6"
    return Place(key=SessionKey(f"agent:{agent}:{rest}"), peer_id=peer, person=None, is_isolated=True, rule=rule)


def _main_rule(settings: KeySettings, *, is_overridden: bool, has_peer: bool) -> str:
    if not has_peer:
        return "KEY-7"
    if settings.scope == "global":
        return "KEY-10"
    return "KEY-6" if is_overridden else "KEY-2"


def _group_place(agent: AgentId, channel: ChannelName, kind: ChatType, plain_id: str) -> Place:
    peer = escape_id(plain_id)
    key = SessionKey(f"agent:{agent}:{_word(channel)}:{kind}:{peer or UNKNOWN_KEY}")
    return Place(key=key, peer_id=peer, person=None, is_isolated=False, rule="KEY-4" if peer else "KEY-7")


def _apart_from_people(links: Links, peer: str) -> str:
    """`peer`, marked if a linked person is called so: a stranger who takes that name must not get that session."""
    return mark_word(peer) if peer in links.names else peer


def _word(name: str) -> str:
    return escape_word(name, reserved=SEGMENT_WORDS)


# ---------------------------------------------------------------- parts of canonical


def _canonical(parts: list[str], settings: KeySettings, *, default_agent: str, channel_hint: str | None) -> SessionKey:
    is_full = has_agent(parts)
    agent_id = normalize_agent_id(parts[1] if is_full else default_agent)
    rest = parts[2:] if is_full else parts
    base, _ = cut_thread(rest)
    if not is_full and base in ([GLOBAL_KEY], [UNKNOWN_KEY]):
        return SessionKey(":".join(parts))
    if base in ([DEFAULT_MAIN_KEY], [settings.main_key]):
        suffix = rest[len(base) :]
        return SessionKey(":".join([main_session_key(settings, agent_id), *suffix]))
    if not is_full and len(rest) == 2 and _is_short(rest, settings):
        return derive_session_key(settings, agent_id=agent_id, channel=rest[0], kind="direct", peer_id=rest[1])
    rest = _rename_channel(_respell(rest))
    hint = normalize_channel(channel_hint)
    if hint in settings.known_channels and rest[0] == "group" and len(rest) > 1:
        rest = [_word(hint), *rest]
    return SessionKey(":".join(["agent", agent_id, *rest]))


def _is_short(rest: list[str], settings: KeySettings) -> bool:
    return (
        normalize_channel(rest[0]) in settings.known_channels
        and rest[0] not in SEGMENT_WORDS
        and rest[1] not in KIND_WORDS
    )


def _respell(rest: list[str]) -> list[str]:
    """`rest` with ``dm``, ``room`` and ``node:`` written as they are stored."""
    if rest[0] == "node" and len(rest) > 1:
        return [f"node-{rest[1]}", *rest[2:]]
    at = find_kind(rest)
    return rest if at is None else [*rest[:at], KIND_WORDS[rest[at]], *rest[at + 1 :]]


def _rename_channel(rest: list[str]) -> list[str]:
    """`rest` with the one name of its channel, where a kind word shows that it begins with one (NORM-2)."""
    return [normalize_channel(rest[0]), *rest[1:]] if find_kind(rest) else rest
