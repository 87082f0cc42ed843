"""Who somebody is as rows and keys name them: principals, owners of places, members of groups (LEAK-4).

What belongs here: the spellings that have to agree, so that what a person owns is found by their name. A person has a
linked name, or is a peer on a channel, ``<channel>:<peer>`` as session keys write it; a token's holder who is neither
writes from ``webchat:<name>``. What does not: whether somebody may do something (policy).

The invariant: no name of one person is ever a name of another, unless the configuration links them.
"""

from __future__ import annotations

from typing import Final

from instar.core.model.ids import ChannelName, SessionKey
from instar.core.routing.grammar import DEFAULT_MAIN_KEY, parse_key
from instar.core.routing.identity import IdentityGroup, Links, parse_link_id, person_segment, resolve_person
from instar.core.routing.key import KeySettings, derive_session_key
from instar.core.routing.normalize import normalize_channel, normalize_peer
from instar.core.routing.segment import escape_id

__all__ = ["build_message_id", "derive_home", "peer_name", "principal_names", "resolve_place_owner"]

_WEB: Final = ChannelName("webchat")
"""Where people write who come with a token; no channel of the configuration may be called so."""

_ALONE: Final = frozenset({"main", "global", "unknown", "group", "channel", "cron", "hook", "node"})
"""Kinds of places that belong to nobody in particular: the admin's, or a group's."""


def peer_name(channel: ChannelName, peer_id: str, links: Links) -> str:
    """How rows name a peer of a channel, whatever spelling `peer_id` has; empty for no peer."""
    name = normalize_channel(channel)
    plain = escape_id(normalize_peer(name, kind="direct", peer_id=peer_id, numbers=links.numbers))
    return f"{name}:{plain}" if plain else ""


def build_message_id(principal: str | None, idempotency_key: str) -> str:
    """The id that a client's message has by its idempotency key: each person has keys of their own (LEAK-4, LOSS-1).

    Keys of clients without a principal stand as they are. No principal holds the sign between both parts.
    """
    return idempotency_key if principal is None else f"{principal}\x1f{idempotency_key}"


def principal_names(principal: str, links: Links) -> frozenset[str]:
    """Every name under which rows know the holder of a token: theirs, and each id that is linked to them."""
    given = principal.strip().lower()
    if not given:
        return frozenset()
    segment = person_segment(given)
    group = next((group for group in links.groups if person_segment(group.name) == segment), None)
    link = parse_link_id(given, links.known_channels)
    if group is None and link.channel is not None:
        plain = normalize_peer(link.channel, kind="direct", peer_id=link.peer_id, numbers=links.numbers)
        group = resolve_person(links, channel=link.channel, peer_id=plain)
        own = {peer_name(link.channel, link.peer_id, links)}
    else:
        own = {segment, f"{_WEB}:{segment}"}
    return frozenset((own | _linked_names(group, links)) - {""})


def _linked_names(group: IdentityGroup | None, links: Links) -> set[str]:
    if group is None:
        return set()
    names = {person_segment(group.name), f"{_WEB}:{person_segment(group.name)}"}
    for text in group.ids:
        link = parse_link_id(text, links.known_channels)
        channels = links.known_channels if link.channel is None else (link.channel,)
        names |= {peer_name(ChannelName(channel), link.peer_id, links) for channel in channels}
    return names


def resolve_place_owner(
    key: SessionKey, links: Links, *, principal: str | None = None, main_key: str = DEFAULT_MAIN_KEY
) -> str | None:
    """Whom a place belongs to by its key alone, else `principal`, who opens it; None for shared places.

    Whatever somebody does first in another's place, it stays the other's: nobody takes a key before its owner comes.
    """
    parts = parse_key(key, main_key=main_key)
    if parts.type in _ALONE:
        return None
    if parts.type == "direct" and parts.peer_id:
        if parts.channel is not None:
            return f"{parts.channel}:{parts.peer_id}"
        return parts.peer_id if parts.peer_id in links.names else None
    return principal


def derive_home(settings: KeySettings, principal: str, *, agent_id: str) -> SessionKey:
    """The session that ``main`` means for the holder of a token: their own direct session with the agent.

    A linked person whose session is shared has that one. Everybody else has one of their own for their name, or for
    their id on its channel: also under `dmScope` main, whose session is the admin's, and under `per-peer`, where a
    name could be somebody's id elsewhere.
    """
    given = principal.strip().lower()
    segment = person_segment(given)
    link = parse_link_id(given, settings.links.known_channels)
    group = next((one for one in settings.links.groups if one.shared and person_segment(one.name) == segment), None)
    if group is not None and group.ids:
        link = parse_link_id(group.ids[0], settings.links.known_channels)
    return derive_session_key(
        settings,
        agent_id=agent_id,
        channel=link.channel or _WEB,
        kind="direct",
        peer_id=link.peer_id,
        dm_scope="per-channel-peer",
    )
