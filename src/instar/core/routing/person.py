"""Whom an operator means, and what is theirs: ids, keys of sessions, messages (LEAK-11).

What belongs here: from what somebody typed to all ids of one person, and the tests by which rows are told to be
theirs. What does not: which rows there are (`instar.stores.erasing`). The invariant: two people never share an id, so
what is found for one is never another's.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from instar.core.model.change import Submission
from instar.core.model.ids import ChannelName
from instar.core.model.people import Person, PersonId
from instar.core.routing.grammar import parse_key
from instar.core.routing.identity import IdentityGroup, Links, parse_link_id, person_segment, resolve_person
from instar.core.routing.normalize import normalize_channel, normalize_peer
from instar.core.routing.segment import escape_id

__all__ = ["PersonTest", "name_person", "resolve_person_named"]


def resolve_person_named(text: str, links: Links) -> Person | None:
    """The person that `text` names: a linked person, one of their ids, any ``channel:peer``, or the principal of a
    token. None for an empty text.
    """
    wanted = text.strip()
    if not wanted:
        return None
    named = person_segment(wanted)
    for group in links.groups:
        if person_segment(group.name) == named:
            return _linked(group, links)
    link = parse_link_id(wanted, links.known_channels)
    if link.channel is None and ":" not in wanted:
        bare = next((group for group in links.groups if _has_bare(group, wanted, links)), None)
        return _linked(bare, links) if bare is not None else Person(name=wanted, principals=frozenset({named}))
    prefix, _, rest = wanted.partition(":")
    return name_person(link.channel or normalize_channel(prefix), link.peer_id if link.channel else rest, links)


def name_person(channel: ChannelName, peer_id: str, links: Links) -> Person:
    """The person behind an id of a channel, with every other id that is linked to it."""
    plain = normalize_peer(channel, kind="direct", peer_id=peer_id, numbers=links.numbers)
    group = resolve_person(links, channel=channel, peer_id=plain)
    if group is not None:
        return _linked(group, links)
    one = PersonId(channel=channel, peer_id=plain)
    return Person(name=f"{channel}:{plain}", ids=(one,), principals=frozenset(_principals(one)))


def _linked(group: IdentityGroup, links: Links) -> Person:
    ids = []
    for text in group.ids:
        link = parse_link_id(text, links.known_channels)
        spelled = link.channel or ChannelName("*")
        plain = normalize_peer(spelled, kind="direct", peer_id=link.peer_id, numbers=links.numbers)
        ids.append(PersonId(channel=link.channel, peer_id=plain))
    principals = {principal for one in ids for principal in _principals(one)}
    return Person(name=group.name, ids=tuple(ids), principals=frozenset({person_segment(group.name), *principals}))


def _has_bare(group: IdentityGroup, text: str, links: Links) -> bool:
    parsed = (parse_link_id(each, links.known_channels) for each in group.ids)
    return any(one.channel is None and one.peer_id.strip().lower() == text.lower() for one in parsed)


def _principals(one: PersonId) -> tuple[str, ...]:
    """The names that rows give an id; none for an id of every channel, which rows never name alone."""
    if one.channel is None:
        return ()
    return (f"{one.channel}:{escape_id(one.peer_id)}", f"{one.channel}:{one.peer_id}")


@dataclass(frozen=True, slots=True, kw_only=True)
class PersonTest:
    """Tells what is of one person. `links` says how ids are spelled; answers about ids are remembered."""

    person: Person
    links: Links
    _known: dict[tuple[str, str], bool] = field(default_factory=dict, repr=False, compare=False)

    def is_id(self, channel: str, peer_id: str) -> bool:
        """Whether an id of a channel, in whatever spelling, is theirs."""
        found = self._known.get((channel, peer_id))
        if found is None:
            found = self._known[channel, peer_id] = self._compare(normalize_channel(channel), peer_id)
        return found

    def _compare(self, channel: ChannelName, peer_id: str) -> bool:
        plain = self._spell(channel, peer_id)
        return bool(plain) and any(
            one.channel in {None, channel} and self._spell(channel, one.peer_id) == plain for one in self.person.ids
        )

    def _spell(self, channel: ChannelName, peer_id: str) -> str:
        return normalize_peer(channel, kind="direct", peer_id=peer_id, numbers=self.links.numbers)

    def is_principal(self, text: str | None) -> bool:
        """Whether a principal, an owner or a member is this person."""
        name = (text or "").strip().lower()
        if name in self.person.principals:
            return True
        channel, colon, peer_id = name.partition(":")
        return bool(colon) and self.is_id(channel, peer_id)

    def wrote(self, submission: Submission) -> bool:
        """Whether a message is theirs: by its sender, the other side of a direct chat, or who is answerable for it."""
        inbound = submission.inbound
        if self.is_id(inbound.channel, inbound.sender.id) or self.is_principal(submission.principal):
            return True
        return inbound.chat.type == "direct" and self.is_id(inbound.channel, inbound.chat.id)

    def owns(self, key: str, owner: str | None) -> bool:
        """Whether a session is theirs alone: by its owner, or by a key that names them."""
        if owner is not None and self.is_principal(owner):
            return True
        parts = parse_key(key)
        if parts.type != "direct" or not parts.peer_id:
            return False
        if parts.channel is not None:
            return any(
                one.channel in {None, parts.channel}
                and escape_id(self._spell(parts.channel, one.peer_id)) == parts.peer_id
                for one in self.person.ids
            )
        if owner is not None:
            return False
        return parts.peer_id in self.person.principals or any(
            escape_id(one.peer_id) == parts.peer_id for one in self.person.ids
        )
