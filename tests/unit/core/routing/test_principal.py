"""Who somebody is as rows and keys name them (LEAK-4)."""

from __future__ import annotations

import pytest

from instar.core.routing.identity import NO_LINKS, IdentityGroup, build_links
from instar.core.routing.key import KeySettings
from instar.core.routing.principal import build_message_id, derive_home, peer_name, principal_names, resolve_place_owner

CHANNELS = frozenset({"telegram", "slack", "whatsapp"})
LINKS = build_links(
    (
        IdentityGroup(name="Alice", ids=("telegram:42", "slack:U7", "alice@home")),
        IdentityGroup(name="bob", ids=("telegram:43",), shared=False),
        IdentityGroup(name="nobody", ids=()),
    ),
    known_channels=CHANNELS,
)
HERS = {
    "alice",
    "webchat:alice",
    "telegram:42",
    "slack:u7",
    "telegram:alice@home",
    "slack:alice@home",
    "whatsapp:alice@home",
}


@pytest.mark.parametrize(
    ("principal", "names"),
    [
        pytest.param("alice", HERS, id="a linked person has all their ids"),
        pytest.param(" ALICE ", HERS, id="however they are written"),
        pytest.param("telegram:42", HERS, id="so has one of their ids"),
        pytest.param("slack:U7", HERS, id="in any spelling"),
        pytest.param("bob", {"bob", "webchat:bob", "telegram:43"}, id="also if the session is not shared"),
        pytest.param("carol", {"carol", "webchat:carol"}, id="an unlinked person has their name"),
        pytest.param("telegram:99", {"telegram:99"}, id="an unlinked id is itself"),
        pytest.param("irc:dan", {"irc%3adan", "webchat:irc%3adan"}, id="a channel nobody knows is part of a name"),
        pytest.param("nobody", {"nobody", "webchat:nobody"}, id="a person without ids"),
        pytest.param("  ", set(), id="nobody has no name"),
    ],
)
def test_a_principal_is_known_by_every_name_that_is_linked_to_it(principal, names):
    assert principal_names(principal, LINKS) == names


def test_no_name_is_two_peoples():
    seen: set[str] = set()
    for one in ("alice", "bob", "carol", "telegram:99", "telegram:alice"):
        names = principal_names(one, LINKS)
        assert not names & seen
        seen |= names


@pytest.mark.parametrize(
    ("channel", "peer", "name"),
    [
        ("telegram", " 42 ", "telegram:42"),
        ("Slack", "U7", "slack:u7"),
        ("telegram", "x:thread:2", "telegram:x:thread%3a2"),
        ("telegram", " ", ""),
    ],
)
def test_a_peer_is_named_as_session_keys_write_them(channel, peer, name):
    assert peer_name(channel, peer, NO_LINKS) == name


@pytest.mark.parametrize(
    ("key", "owner"),
    [
        ("agent:main:main", None),
        ("agent:main:work", None),
        ("global", None),
        ("agent:main:telegram:group:g1", None),
        ("agent:main:slack:channel:c1:thread:9", None),
        ("agent:main:cron:daily", None),
        ("agent:main:hook:x", None),
        ("agent:main:node-1", None),
        ("agent:main:telegram:direct:42", "telegram:42"),
        ("agent:main:telegram:bot2:direct:42:thread:7", "telegram:42"),
        ("agent:main:direct:alice", "alice"),
        ("agent:main:direct:bob", None),
        ("agent:main:direct:77", None),
        ("agent:main:dashboard:1", "carol"),
        ("agent:main:subagent:1", "carol"),
    ],
)
def test_a_place_belongs_to_whom_its_key_names_and_only_then_to_whoever_opens_it(key, owner):
    assert resolve_place_owner(key, LINKS, principal="carol", main_key="work") == owner


@pytest.mark.parametrize(
    ("scope", "principal", "home"),
    [
        ("main", "alice", "agent:main:direct:alice"),
        ("main", "telegram:42", "agent:main:direct:alice"),
        ("per-peer", "alice", "agent:main:direct:alice"),
        ("per-channel-peer", "Alice", "agent:main:direct:alice"),
        ("per-peer", "carol", "agent:main:webchat:direct:carol"),
        ("per-peer", "bob", "agent:main:webchat:direct:bob"),
        ("per-channel-peer", "telegram:99", "agent:main:telegram:direct:99"),
        ("per-channel-peer", "nobody", "agent:main:webchat:direct:nobody"),
    ],
)
def test_main_is_a_persons_own_session(scope, principal, home):
    settings = KeySettings(dm_scope=scope, links=LINKS, known_channels=CHANNELS)
    assert derive_home(settings, principal, agent_id="main") == home


def test_a_home_is_its_persons_by_its_key():
    for scope in ("main", "per-peer", "per-channel-peer", "per-account-channel-peer"):
        settings = KeySettings(dm_scope=scope, links=LINKS, known_channels=CHANNELS)
        for principal in ("alice", "telegram:42", "bob", "carol", "telegram:99"):
            home = derive_home(settings, principal, agent_id="main")
            assert resolve_place_owner(home, LINKS) in principal_names(principal, LINKS), (scope, principal)


def test_keys_of_two_people_are_two_messages():
    assert build_message_id(None, "1") == "1"
    assert len({build_message_id(name, key) for name, key in (("a", "b1"), ("ab", "1"), ("a", "1"), (None, "1"))}) == 4
