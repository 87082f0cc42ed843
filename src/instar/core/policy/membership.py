"""Who is still in a group, by the settings and approvals of today (LEAK-4, LEAK-2).

What belongs here: whether somebody who was in a group would be admitted there now. What does not: who has written
there and whom its channel lists, which the store keeps. A group that was switched off, taken from a list or shut out is
nobody's to read any more, whoever once wrote in it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from instar.core.model.ids import ChannelName, Instant, SessionKey
from instar.core.model.pairing import PairingFacts, Pairings
from instar.core.policy.access import AccessFacts, AccessSettings, decide_access
from instar.core.routing.grammar import parse_key

__all__ = ["approved_groups", "is_admitted_member", "list_shut_out"]


def approved_groups(pairings: Pairings, channel: ChannelName) -> PairingFacts:
    """The groups of a channel that were approved, by whichever account: keys of groups name none."""
    peers = (one.peer for one in pairings.approved)
    return PairingFacts(
        groups=frozenset(one.peer_id for one in peers if one.kind == "group" and one.channel == channel)
    )


def is_admitted_member(
    settings: AccessSettings, key: SessionKey, person: str, *, pairing: PairingFacts, now: Instant
) -> bool:
    """Whether `person`, ``<channel>:<peer>``, might write in the group of a key today. `settings` are its channel's."""
    peer_id = person.removeprefix(f"{settings.channel}:")
    facts = AccessFacts(chat_type="group", sender_id=peer_id, chat_id=parse_key(key).peer_id or "", is_addressed=False)
    return decide_access(settings, facts, now=now, pairing=pairing).admitted


def list_shut_out(
    members: Iterable[tuple[SessionKey, str]],
    access: Callable[[ChannelName], AccessSettings],
    pairings: Pairings,
    *,
    now: Instant,
) -> Iterator[tuple[SessionKey, str]]:
    """Those of the members of groups, each a key and a person, who are in it no more."""
    for key, person in members:
        channel = parse_key(key).channel or ChannelName("")
        settings, pairing = access(channel), approved_groups(pairings, channel)
        if not is_admitted_member(settings, key, person, pairing=pairing, now=now):
            yield key, person
