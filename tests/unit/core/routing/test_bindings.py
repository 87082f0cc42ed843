"""Which agent answers (KEY-20, KEY-21)."""

from __future__ import annotations

import pytest

from instar.core.routing.bindings import NO_BINDINGS, Binding, BindingFacts, build_bindings, resolve_agent

AGENTS = frozenset({"main", "a", "b", "c"})


def bind(agent_id: str, **asks: object) -> Binding:
    return Binding(agent_id=agent_id, **{"channel": "discord", **asks})


def facts(**said: object) -> BindingFacts:
    return BindingFacts(**{"channel": "discord", "account_id": "default", "kind": "channel", "peer_id": "7", **said})


def choose(*bindings: Binding, agents: frozenset[str] = AGENTS, **said: object) -> tuple[str, str]:
    match = resolve_agent(build_bindings(bindings, agents=agents, default_agent="main"), facts(**said))
    return match.agent_id, match.rank


LADDER = [
    ("peer", {"peer_kind": "channel", "peer_id": "7"}),
    ("parent peer", {"peer_kind": "channel", "peer_id": "70"}),
    ("any peer", {"peer_kind": "channel", "peer_id": "*"}),
    ("roles", {"guild_id": "g", "roles": frozenset({"admin"})}),
    ("guild", {"guild_id": "g"}),
    ("team", {"team_id": "g"}),
    ("account", {}),
    ("channel", {"account_id": "*"}),
]
SAID = {"parent_id": "70", "space_id": "g", "roles": frozenset({"admin", "user"})}


@pytest.mark.parametrize("at", range(len(LADDER) - 1))
def test_the_more_particular_binding_wins_wherever_it_stands(at):
    (rank, asks), (_, weaker) = LADDER[at], LADDER[at + 1]
    assert choose(bind("a", **weaker), bind("b", **asks), **SAID) == ("b", rank)
    assert choose(bind("b", **asks), bind("a", **weaker), **SAID) == ("b", rank)


def test_the_last_rung_matches_alone():
    assert choose(bind("a", account_id="*"), account_id="biz") == ("a", "channel")


def test_within_a_rank_the_first_one_wins():
    assert choose(bind("a"), bind("b")) == ("a", "account")


@pytest.mark.parametrize(
    "asks",
    [
        {"channel": "slack"},
        {"account_id": "biz"},
        {"peer_kind": "group", "peer_id": "7"},
        {"peer_kind": "group", "peer_id": "*"},
        {"peer_kind": "channel", "peer_id": "8"},
        {"peer_kind": "channel"},
        {"guild_id": "h"},
        {"team_id": "h"},
        {"roles": frozenset({"owner"})},
        {"peer_id": "7", "guild_id": "h"},
        {"peer_id": "7", "account_id": "biz"},
    ],
)
def test_everything_a_binding_asks_for_must_match(asks):
    assert choose(bind("a", **asks), **SAID) == ("main", "default")


def test_a_binding_without_a_kind_takes_the_id_of_any_kind():
    assert choose(bind("a", peer_id="7"), kind="direct") == ("a", "peer")


def test_a_binding_without_an_account_is_for_the_default_account_only():
    assert choose(bind("a"), account_id="biz") == ("main", "default")
    assert choose(bind("a", account_id="biz"), account_id="biz") == ("a", "account")


def test_an_agent_that_is_not_in_the_list_falls_back_to_the_default_one():
    match = resolve_agent(
        build_bindings((bind("ghost", dm_scope="per-peer"),), agents=AGENTS, default_agent="a"), facts()
    )
    assert (match.agent_id, match.rule) == ("a", "KEY-21")
    assert match.binding is not None
    assert match.binding.dm_scope == "per-peer"


def test_without_a_list_of_agents_every_agent_counts():
    assert choose(bind("ghost"), agents=frozenset()) == ("ghost", "account")


def test_without_bindings_the_default_agent_answers():
    match = resolve_agent(NO_BINDINGS, facts())
    assert (match.agent_id, match.binding, match.rule) == ("main", None, "KEY-20")
