"""Which agent answers, and under which scopes: match order over bindings (KEY-20, KEY-21, KEY-5, KEY-6).

What belongs here: choosing one binding for a chat. What does not: the key that follows (`key`). A binding
belongs to exactly one rank, by the most particular thing it asks for; the lowest rank that matches wins, and
within a rank the one written first. Everything a binding asks for must match, whatever its rank.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

from instar.core.model.ids import AccountId, AgentId, ChannelName
from instar.core.model.message import ChatType
from instar.core.routing.key import DmScope, GroupScope
from instar.core.routing.normalize import DEFAULT_ACCOUNT, DEFAULT_AGENT

__all__ = [
    "NO_BINDINGS",
    "Binding",
    "BindingFacts",
    "BindingMatch",
    "Bindings",
    "Rank",
    "build_bindings",
    "resolve_agent",
]

Rank = Literal["peer", "parent peer", "any peer", "roles", "guild", "team", "account", "channel", "default"]
"""What made a binding match, the most particular first (KEY-20)."""

_RANKS: Final[tuple[Rank, ...]] = (
    "peer",
    "parent peer",
    "any peer",
    "roles",
    "guild",
    "team",
    "account",
    "channel",
    "default",
)

ANY: Final = "*"


@dataclass(frozen=True, slots=True, kw_only=True)
class Binding:
    """One configured binding; ids in their normal spelling, spaces and roles in lower case.

    `account_id` and `peer_id` may be ``*``. `account_id` is ``default`` where the configuration names none.
    None means that the binding does not ask. `peer_kind` None with a `peer_id` means any kind.
    """

    agent_id: AgentId
    channel: ChannelName
    account_id: AccountId = DEFAULT_ACCOUNT
    peer_kind: ChatType | None = None
    peer_id: str | None = None
    guild_id: str | None = None
    team_id: str | None = None
    roles: frozenset[str] = frozenset()
    dm_scope: DmScope | None = None
    group_scope: GroupScope | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class BindingFacts:
    """What a message says that bindings ask about, in the spelling of `Binding`.

    `parent_id` is the chat that a thread with an id of its own hangs under; `space_id` the guild or team.
    """

    channel: ChannelName
    account_id: AccountId
    kind: ChatType
    peer_id: str
    parent_id: str | None = None
    space_id: str | None = None
    roles: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Bindings:
    """All bindings by channel, in order, and the agents they may name. Make one with `build_bindings`.

    `agents` is empty where the configuration has no list of agents: then every agent id counts (KEY-21).
    """

    by_channel: Mapping[ChannelName, tuple[Binding, ...]] = field(default_factory=dict)
    agents: frozenset[AgentId] = frozenset()
    default_agent: AgentId = DEFAULT_AGENT


NO_BINDINGS: Final = Bindings()
"""Everything goes to the agent ``main``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BindingMatch:
    """The agent that answers. `binding` is None when none matched; `rule` says which rule chose."""

    agent_id: AgentId
    binding: Binding | None
    rank: Rank
    rule: str


def build_bindings(bindings: tuple[Binding, ...], *, agents: frozenset[AgentId], default_agent: AgentId) -> Bindings:
    """`bindings`, in their configured order, ready to be looked up."""
    by_channel: dict[ChannelName, tuple[Binding, ...]] = {}
    for binding in bindings:
        by_channel[binding.channel] = (*by_channel.get(binding.channel, ()), binding)
    return Bindings(by_channel=by_channel, agents=agents, default_agent=default_agent)


def resolve_agent(bindings: Bindings, facts: BindingFacts) -> BindingMatch:
    """The agent for a chat: that of the first matching binding of the lowest rank, else the default agent.

    A binding that names an agent which is not in the list of agents still lends its scopes, but the default
    agent answers (KEY-21).
    """
    best: Binding | None = None
    best_rank = len(_RANKS) - 1
    for binding in bindings.by_channel.get(facts.channel, ()):
        rank = _rank(binding, facts)
        if rank < best_rank:
            best, best_rank = binding, rank
    if best is None:
        return BindingMatch(agent_id=bindings.default_agent, binding=None, rank="default", rule="KEY-20")
    is_known = not bindings.agents or best.agent_id in bindings.agents
    return BindingMatch(
        agent_id=best.agent_id if is_known else bindings.default_agent,
        binding=best,
        rank=_RANKS[best_rank],
        rule="KEY-20" if is_known else "KEY-21",
    )


def _rank(binding: Binding, facts: BindingFacts) -> int:
    """The rank at which `binding` matches, that of ``default`` if it does not."""
    peer_rank = _peer_rank(binding, facts)
    is_match = (
        peer_rank is not None
        and binding.account_id in {ANY, facts.account_id}
        and binding.guild_id in {None, facts.space_id}
        and binding.team_id in {None, facts.space_id}
        and (not binding.roles or not binding.roles.isdisjoint(facts.roles))
    )
    return _RANKS.index(peer_rank) if is_match and peer_rank is not None else len(_RANKS) - 1


def _peer_rank(binding: Binding, facts: BindingFacts) -> Rank | None:
    """The rank by the most particular thing that `binding` asks for; None if it asks for another peer."""
    if binding.peer_kind is None and binding.peer_id is None:
        return _place_rank(binding)
    if binding.peer_kind not in {None, facts.kind}:
        return None
    if binding.peer_id == ANY:
        return "any peer"
    if binding.peer_id == facts.peer_id:
        return "peer"
    return "parent peer" if binding.peer_id is not None and binding.peer_id == facts.parent_id else None


def _place_rank(binding: Binding) -> Rank:
    if binding.roles:
        return "roles"
    if binding.guild_id is not None:
        return "guild"
    if binding.team_id is not None:
        return "team"
    return "channel" if binding.account_id == ANY else "account"
