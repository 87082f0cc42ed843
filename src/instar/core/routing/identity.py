"""Identity links: many platform ids, one person (LINK-1…8, DOCK-3, DOCK-6).

What belongs here: finding the person behind an id, and a person's id on another channel. What does not: what
a link does to a key (`key`), and reading the spellings of the configuration (`instar.config.sections`).

Links are looked up for every direct message, so `build_links` does the splitting and spelling once. An id of
a link is ``<channel>:<peer>``, where the channel must be a known one, or a bare id that holds on every channel.
Bare ids are kept in each spelling a channel may use (`normalize.Spelling`), so that a lookup is two dictionary
reads whatever the number of links.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from instar.core.model.ids import ChannelName
from instar.core.routing.normalize import (
    NO_NUMBERS,
    Spelling,
    channel_spelling,
    normalize_channel,
    normalize_peer,
)
from instar.core.routing.segment import escape_word

__all__ = [
    "NO_LINKS",
    "IdentityGroup",
    "LinkId",
    "LinkTable",
    "Links",
    "are_one_person",
    "build_links",
    "parse_link_id",
    "person_segment",
    "resolve_dock_target",
    "resolve_person",
    "resolve_sharing_person",
]

_SPELLED_AS: Final[Mapping[Spelling, ChannelName]] = {
    "whatsapp": ChannelName("whatsapp"),
    "phone": ChannelName("signal"),
    "plain": ChannelName("*"),
}
"""For each spelling a channel that stands for all that use it; ``*`` is no channel's name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class IdentityGroup:
    """One person: `ids` as configured, in order. Without `shared` the ids serve docking only (LINK-3)."""

    name: str
    ids: tuple[str, ...]
    shared: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkId:
    """One id of a link. `channel` is None for a bare id; `peer_id` has the configured spelling (DOCK-6)."""

    channel: ChannelName | None
    peer_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkTable:
    """Where in the list of groups an id stands first: by channel and id, and by spelling and bare id."""

    by_channel: Mapping[tuple[ChannelName, str], int] = field(default_factory=dict)
    bare: Mapping[tuple[Spelling, str], int] = field(default_factory=dict)

    def find(self, channel: ChannelName, peer_id: str) -> int | None:
        """Where `peer_id`, in its normal spelling, stands first; None if nowhere."""
        exact = self.by_channel.get((channel, peer_id))
        bare = self.bare.get((channel_spelling(channel), peer_id))
        if exact is None or bare is None:
            return bare if exact is None else exact
        return min(exact, bare)


@dataclass(frozen=True, slots=True, kw_only=True)
class Links:
    """Identity groups ready to be looked up. Make one with `build_links`.

    `names` are the persons with a shared session, as `person_segment` writes them. `anyone` looks through all
    groups, `sharing` through those with a shared session.
    """

    groups: tuple[IdentityGroup, ...] = ()
    known_channels: frozenset[str] = frozenset()
    numbers: Mapping[str, str] = field(default_factory=dict)
    names: frozenset[str] = frozenset()
    anyone: LinkTable = field(default_factory=LinkTable)
    sharing: LinkTable = field(default_factory=LinkTable)


NO_LINKS: Final = Links()
"""Nobody is linked."""


def build_links(
    groups: tuple[IdentityGroup, ...],
    *,
    known_channels: frozenset[str],
    numbers: Mapping[str, str] = NO_NUMBERS,
) -> Links:
    """`groups` with their lookup tables. `known_channels` says which prefixes count (LINK-4)."""
    rows = [(at, group, parse_link_id(each, known_channels)) for at, group in enumerate(groups) for each in group.ids]
    return Links(
        groups=groups,
        known_channels=known_channels,
        numbers=numbers,
        names=frozenset(person_segment(group.name) for group in groups if group.shared),
        anyone=_build_table([(at, link) for at, _, link in rows], numbers),
        sharing=_build_table([(at, link) for at, group, link in rows if group.shared], numbers),
    )


def person_segment(name: str) -> str:
    """A linked person's name as it stands in keys and as a principal: lower case, one segment (LINK-6)."""
    return escape_word(name.strip().lower(), reserved=())


def parse_link_id(text: str, known_channels: frozenset[str]) -> LinkId:
    """`text` as ``<channel>:<peer>`` if the prefix is a known channel, else as a bare id (LINK-4)."""
    prefix, colon, rest = text.strip().partition(":")
    channel = normalize_channel(prefix)
    if colon and channel in known_channels:
        return LinkId(channel=channel, peer_id=rest.strip())
    return LinkId(channel=None, peer_id=text.strip())


def resolve_sharing_person(links: Links, *, channel: ChannelName, peer_id: str) -> IdentityGroup | None:
    """The first group with a shared session that holds `peer_id`, an id in its normal spelling (LINK-5, LINK-6)."""
    at = links.sharing.find(channel, peer_id) if links.groups and peer_id else None
    return None if at is None else links.groups[at]


def resolve_person(links: Links, *, channel: ChannelName, peer_id: str) -> IdentityGroup | None:
    """The person who `peer_id` belongs to, shared session or not; the one whose session is shared comes first."""
    if not links.groups or not peer_id:
        return None
    sharing = resolve_sharing_person(links, channel=channel, peer_id=peer_id)
    if sharing is not None:
        return sharing
    at = links.anyone.find(channel, peer_id)
    return None if at is None else links.groups[at]


def resolve_dock_target(
    links: Links, *, source_channel: ChannelName, source_peer_id: str, target_channel: ChannelName
) -> str | None:
    """The same person's id on `target_channel`, as configured; None if there is none (DOCK-3, DOCK-6).

    `source_peer_id` is an id in its normal spelling. Groups are tried in order: the first that holds the sender
    and has an id on the channel. Bare ids say who somebody is, never where to reach them.
    """
    if not source_peer_id:
        return None
    for group in links.groups:
        ids = [parse_link_id(each, links.known_channels) for each in group.ids]
        if any(_is_same(each, source_channel, source_peer_id, links.numbers) for each in ids):
            target = next((each.peer_id for each in ids if each.channel == target_channel and each.peer_id), None)
            if target is not None:
                return target
    return None


def are_one_person(links: Links, one: tuple[ChannelName, str], other: tuple[ChannelName, str]) -> bool:
    """Whether two addresses, each a channel and an id in its normal spelling, are the same or stand in one group."""
    if not one[1] or not other[1]:
        return False
    if one == other:
        return True
    for group in links.groups:
        ids = [parse_link_id(each, links.known_channels) for each in group.ids]
        if all(any(_is_same(each, *address, links.numbers) for each in ids) for address in (one, other)):
            return True
    return False


def _is_same(link: LinkId, channel: ChannelName, peer_id: str, numbers: Mapping[str, str]) -> bool:
    is_here = link.channel in {None, channel}
    return is_here and normalize_peer(channel, kind="direct", peer_id=link.peer_id, numbers=numbers) == peer_id


def _build_table(rows: list[tuple[int, LinkId]], numbers: Mapping[str, str]) -> LinkTable:
    by_channel: dict[tuple[ChannelName, str], int] = {}
    bare: dict[tuple[Spelling, str], int] = {}
    for at, link in rows:
        if link.channel is not None:
            peer_id = normalize_peer(link.channel, kind="direct", peer_id=link.peer_id, numbers=numbers)
            by_channel.setdefault((link.channel, peer_id), at)
            continue
        for spelling, channel in _SPELLED_AS.items():
            peer_id = normalize_peer(channel, kind="direct", peer_id=link.peer_id, numbers=numbers)
            bare.setdefault((spelling, peer_id), at)
        # On a channel that nobody configured, the id still loses that channel's prefix (NORM-4).
        prefix, colon, _ = link.peer_id.partition(":")
        if colon:
            channel = normalize_channel(prefix)
            peer_id = normalize_peer(channel, kind="direct", peer_id=link.peer_id, numbers=numbers)
            by_channel.setdefault((channel, peer_id), at)
    return LinkTable(by_channel=by_channel, bare=bare)
