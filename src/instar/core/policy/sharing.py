"""Who shares a conversation with somebody who is let in, and what to say about it (LEAK-2).

What belongs here: the two warnings an owner gets at an approval. What does not: the approval itself, and the audit of
what is in the store already (LEAK-7). Where messages go is asked of the routing that will decide it, so a warning never
disagrees with what then happens.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from instar.core.model.ids import AccountId, ChannelName
from instar.core.model.message import Chat, Inbound, Sender
from instar.core.model.pairing import Pairings, Peer
from instar.core.policy.access import AccessSettings
from instar.core.routing.route import Route, RoutingSettings, route

__all__ = ["Admitted", "find_admitted", "find_sharers", "tell_owners", "tell_sharing"]

_ANY_ACCOUNT = AccountId("default")


@dataclass(frozen=True, slots=True, kw_only=True)
class Admitted:
    """The people who may write beside somebody. `everybody` says that some channel lets in whoever comes."""

    people: tuple[Peer, ...] = ()
    everybody: bool = False


def find_admitted(pairings: Pairings, channels: Iterable[AccessSettings], *, beside: Peer) -> Admitted:
    """Who may write directly, by an approval or by a list, beside one person."""
    people = [one.peer for one in pairings.approved if one.peer.kind == "direct"]
    everybody = False
    for settings in channels:
        everybody |= settings.dm_policy == "open" or (settings.allow_from.everybody and settings.dm_policy != "off")
        if settings.dm_policy == "off":
            continue
        people += [
            Peer(channel=settings.channel, account_id=_ANY_ACCOUNT, kind="direct", peer_id=each)
            for each in sorted(settings.allow_from.people)
        ]
    others = [one for one in people if (one.channel, one.peer_id) != (beside.channel, beside.peer_id)]
    return Admitted(people=tuple(dict.fromkeys(others)), everybody=everybody)


def find_sharers(settings: RoutingSettings, peer: Peer, others: Sequence[Peer]) -> tuple[Peer, ...]:
    """Those of `others` whose direct messages would stand in the same session, and who are other people.

    An identity link says that two ids are one person.
    """
    own = _route(settings, peer)
    found = {}
    for other in others:
        there = _route(settings, other)
        is_same_person = there.person is not None and there.person == own.person
        if there.session_key == own.session_key and not is_same_person:
            found[there.person or f"{other.channel}:{other.peer_id}"] = other
    return tuple(found.values())


def tell_sharing(settings: RoutingSettings, peer: Peer, admitted: Admitted) -> str:
    """The warning that somebody will share a conversation with others; empty where they will not."""
    if peer.kind != "direct":
        return ""
    sharers = find_sharers(settings, peer, admitted.people)
    own = _route(settings, peer)
    if not sharers and not (admitted.everybody and own.owner is None):
        return ""
    who = _name_others(sharers) if sharers else "whoever else writes"
    return (
        f"{peer.channel}:{peer.peer_id} and {who} share one conversation ({own.session_key}): what one of them says, "
        "the agent may repeat to the other. To give each person a conversation of their own: "
        "instar config set session.dmScope per-channel-peer"
    )


def tell_owners(settings: AccessSettings, peer: Peer, admitted: Admitted) -> str:
    """The warning that everybody who is approved counts as an owner (CMD-35); empty where owners are named."""
    if peer.kind != "direct" or settings.owner_allow_from.is_given or not admitted.people:
        return ""
    return (
        "Nobody is named in commands.ownerAllowFrom, so everybody who was approved counts as an owner in their direct "
        "chat. To name yourself alone, with your own channel and id: "
        f"instar config set commands.ownerAllowFrom '[\"{peer.channel}:ID\"]'"
    )


def _name_others(sharers: Sequence[Peer]) -> str:
    first = f"{sharers[0].channel}:{sharers[0].peer_id}"
    rest = len(sharers) - 1
    return first if not rest else f"{first} and {rest} other{'s' if rest > 1 else ''}"


def _route(settings: RoutingSettings, peer: Peer) -> Route:
    inbound = Inbound(
        channel=ChannelName(peer.channel),
        account_id=peer.account_id,
        message_id="",
        chat=Chat(type="direct", id=peer.peer_id),
        sender=Sender(id=peer.peer_id),
        text="",
    )
    return route(settings, inbound)
