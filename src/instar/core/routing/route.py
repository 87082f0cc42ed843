"""Where one message goes: agent, session, person, owner, and the decisions that say why (WHY-1, WHY-3).

What belongs here: putting the answers of `bindings`, `identity` and `key` together for an `Inbound`. What does
not: whether the message is admitted (policy). An adapter has no say in the key beyond who and where (LEAK-1).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from instar.core.model.decision import Decision, InputValue
from instar.core.model.ids import AgentId, SessionKey
from instar.core.model.message import ChatType, Inbound
from instar.core.model.session import SessionType
from instar.core.routing.bindings import NO_BINDINGS, BindingFacts, BindingMatch, Bindings, resolve_agent
from instar.core.routing.identity import person_segment, resolve_person
from instar.core.routing.key import KeySettings, Place, derive_place, parent_key, parse_key
from instar.core.routing.normalize import normalize_account_id, normalize_channel, normalize_peer
from instar.core.routing.principal import peer_name

__all__ = ["Route", "RoutingSettings", "route"]

_TOLD_CHARS: Final = 80
"""How much of an id a decision repeats: it is read by people, never matched."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RoutingSettings:
    """What routing needs of the configuration."""

    keys: KeySettings = field(default_factory=KeySettings)
    bindings: Bindings = NO_BINDINGS


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """The answer for one message.

    `parent_key` is the chat a thread hangs under, None outside threads (KEY-17). `peer_id` is the other person,
    group or room as keys write it, empty if unknown. `person` is the linked identity of a direct chat's sender,
    shared session or not; None if there is none. `owner` is the principal that a new session belongs to: the
    person's name, or ``<channel>:<peer>``; None for groups and for the main session (LEAK-4). `member` is the sender as
    members of the group are noted, None where the session is not the group's own. `decisions` tell which rules chose.
    """

    agent_id: AgentId
    session_key: SessionKey
    parent_key: SessionKey | None
    session_type: SessionType
    chat_type: ChatType
    peer_id: str
    person: str | None
    owner: str | None
    member: str | None
    decisions: tuple[Decision, ...]


def route(settings: RoutingSettings, inbound: Inbound) -> Route:
    """The agent, session and owner of `inbound`. The same message always gives the same route (KEY-12).

    A thread with an id of its own (`Chat.parent_id`) is a thread of the chat that it hangs under (KEY-2).
    """
    chat = inbound.chat
    is_child = chat.parent_id is not None and chat.parent_id != chat.id
    home_id = chat.parent_id if is_child and chat.parent_id is not None else _chat_id(inbound)
    match = resolve_agent(settings.bindings, _facts(settings.keys, inbound))
    place = derive_place(
        settings.keys,
        agent_id=match.agent_id,
        channel=inbound.channel,
        kind=chat.type,
        peer_id=home_id,
        account_id=inbound.account_id,
        thread_id=chat.thread_id or (chat.id if is_child else None),
        dm_scope=match.binding.dm_scope if match.binding else None,
        group_scope=match.binding.group_scope if match.binding else None,
    )
    person = _person(settings.keys, inbound) if chat.type == "direct" else None
    session_type = parse_key(place.key, main_key=settings.keys.main_key).type
    return Route(
        agent_id=match.agent_id,
        session_key=place.key,
        parent_key=parent_key(place.key),
        session_type=session_type,
        chat_type=chat.type,
        peer_id=place.peer_id,
        person=person,
        owner=(person or f"{normalize_channel(inbound.channel)}:{place.peer_id}") if place.is_isolated else None,
        member=_member(settings.keys, inbound) if session_type in {"group", "channel"} else None,
        decisions=_tell(inbound, match, place, person=person),
    )


def _chat_id(inbound: Inbound) -> str:
    """The other side: the chat, or in a direct chat without an id of its own the sender."""
    chat = inbound.chat
    return chat.id if chat.type != "direct" or chat.id.strip() else inbound.sender.id


def _facts(keys: KeySettings, inbound: Inbound) -> BindingFacts:
    chat = inbound.chat
    channel = normalize_channel(inbound.channel)
    return BindingFacts(
        channel=channel,
        account_id=normalize_account_id(inbound.account_id),
        kind=chat.type,
        peer_id=normalize_peer(channel, kind=chat.type, peer_id=_chat_id(inbound), numbers=keys.numbers),
        parent_id=normalize_peer(channel, kind=chat.type, peer_id=chat.parent_id) if chat.parent_id else None,
        space_id=chat.space_id.strip().lower() if chat.space_id else None,
        roles=frozenset(role.strip().lower() for role in inbound.sender.roles),
    )


def _person(keys: KeySettings, inbound: Inbound) -> str | None:
    if not keys.links.groups:
        return None
    channel = normalize_channel(inbound.channel)
    peer_id = normalize_peer(channel, kind="direct", peer_id=_chat_id(inbound), numbers=keys.numbers)
    group = resolve_person(keys.links, channel=channel, peer_id=peer_id)
    return None if group is None else person_segment(group.name)


def _member(keys: KeySettings, inbound: Inbound) -> str | None:
    return peer_name(inbound.channel, inbound.sender.id, keys.links) or None


def _tell(inbound: Inbound, match: BindingMatch, place: Place, *, person: str | None) -> tuple[Decision, ...]:
    """The decision for the key, and before it one for the agent where a binding chose it."""
    inputs: dict[str, InputValue] = {
        "agent": match.agent_id,
        "channel": inbound.channel,
        "account": inbound.account_id,
        "chat": inbound.chat.type,
        "peer": place.peer_id[:_TOLD_CHARS],
    }
    if inbound.chat.thread_id is not None:
        inputs["thread"] = inbound.chat.thread_id[:_TOLD_CHARS]
    if person is not None:
        inputs["person"] = person[:_TOLD_CHARS]
    key = Decision(kind="route", outcome=place.key, rule=place.rule, inputs=inputs)
    if match.binding is None:
        return (key,)
    agent = {"agent": match.agent_id, "asked": match.binding.agent_id, "match": match.rank}
    return Decision(kind="route", outcome=f"agent {match.agent_id}", rule=match.rule, inputs=agent), key
