"""Scopes, links and bindings in every accepted spelling (CFG-4, CFG-5, CFG-11, KEY-3, KEY-11, LINK-1…5)."""

from __future__ import annotations

import pytest

from instar.config.aliases import apply_aliases
from instar.config.sections.routing import parse_identity_links, parse_routing
from instar.core.routing.bindings import Binding
from instar.core.routing.key import derive_session_key
from instar.errors import ConfigError


def parse(raw: dict):
    return parse_routing(apply_aliases(raw))


def bindings(*items: object, **more: object) -> list[Binding]:
    found = parse({"bindings": list(items), **more}).bindings.by_channel
    return [binding for each in found.values() for binding in each]


def test_nothing_set_is_the_default():
    keys = parse({}).keys
    assert (keys.scope, keys.dm_scope, keys.group_scope, keys.main_key) == ("per-sender", "main", "per-group", "main")


@pytest.mark.parametrize("raw", [{"dmScope": "per-peer"}, {"session": {"dmScope": "per-peer"}}])
def test_the_scope_may_be_bare_or_nested(raw):
    assert parse(raw).keys.dm_scope == "per-peer"


@pytest.mark.parametrize(
    ("session", "path"),
    [
        ({"dmScope": "Main"}, "session.dmScope"),
        ({"dmScope": 5}, "session.dmScope"),
        ({"scope": "everyone"}, "session.scope"),
        ({"groupScope": "none"}, "session.groupScope"),
        ({"mainKey": 5}, "session.mainKey"),
        ({"mainKey": "a:b"}, "session.mainKey"),
        ({"mainKey": "cron"}, "session.mainKey"),
        ({"mainKey": "Global"}, "session.mainKey"),
        ({"mainKey": "incognito-x"}, "session.mainKey"),
        ({"mainKey": "a\u202eb"}, "session.mainKey"),
        ({"identityLinks": "alice"}, "session.identityLinks"),
        ([], "session"),
    ],
)
def test_an_unknown_scope_or_an_ambiguous_main_key_is_an_error(session, path):
    with pytest.raises(ConfigError) as caught:
        parse({"session": session})
    assert caught.value.path == path


@pytest.mark.parametrize(("text", "expected"), [("  Home ", "home"), ("", "main"), ("MAIN", "main"), (None, "main")])
def test_the_main_key_is_trimmed_and_lower_case(text, expected):
    assert parse({"session": {"mainKey": text}}).keys.main_key == expected


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (None, []),
        ({"Alice": ["telegram:1", " ", 5, None, "irc:2 "]}, [("Alice", ("telegram:1", "irc:2"), True)]),
        ({" bob ": {"ids": ["1"], "sharedSession": False}}, [("bob", ("1",), False)]),
        ({"bob": {"ids": ["1"], "sharedSession": 0}}, [("bob", ("1",), True)]),
        ({"": ["1"], "x": "1", "y": {"ids": "1"}, "z": None}, []),
        ([{"ids": ["tg:5 x", "2"]}], [("link-tg-5-x", ("tg:5 x", "2"), True)]),
        ([{"ids": [5, "B_c"], "name": " "}], [("link-b_c", ("B_c",), True)]),
        ([{"ids": ["1"], "name": 7}], [("link-1", ("1",), True)]),
        ([{"ids": []}, {"name": "x"}, "telegram:1", ["telegram:1"], None], []),
        ([{"ids": [], "name": "x"}], [("x", (), True)]),
    ],
)
def test_links_are_read_in_every_form_and_what_is_no_link_is_skipped(raw, expected):
    assert [(group.name, group.ids, group.shared) for group in parse_identity_links(raw)] == expected


def test_a_configured_channel_is_a_prefix_of_links():
    raw = {
        "channels": {"Pigeon": {}, "defaults": {}, " ": {}},
        "session": {"dmScope": "per-peer", "identityLinks": {"al": ["pigeon:5"]}},
    }
    keys = parse(raw).keys
    assert "pigeon" in keys.known_channels
    assert "defaults" not in keys.known_channels
    assert (
        derive_session_key(keys, agent_id="main", channel="pigeon", kind="direct", peer_id="5")
        == "agent:main:direct:al"
    )


def test_numbers_of_hidden_whatsapp_ids_are_read():
    raw = {"channels": {"whatsapp": {"lidNumbers": {"77@LID": "+1 555", "88@lid": " "}}}, "dmScope": "per-channel-peer"}
    keys = parse(raw).keys
    key = derive_session_key(keys, agent_id="main", channel="whatsapp", kind="direct", peer_id="77:3@lid")
    assert key == "agent:main:whatsapp:direct:+1555"
    assert keys.numbers == {"77@lid": "+1 555"}


def test_a_binding_is_read_with_everything_it_asks_for():
    (found,) = bindings(
        {
            "agentId": "Work Agent",
            "match": {
                "channel": "TG",
                "accountId": "Biz 1",
                "peer": {"kind": "room", "id": "telegram:-100"},
                "guildId": 5,
                "teamId": " T1 ",
                "roles": ["Admin", 7],
            },
            "session": {"dmScope": "per-peer", "groupScope": "main"},
        }
    )
    assert found == Binding(
        agent_id="work-agent",
        channel="telegram",
        account_id="biz-1",
        peer_kind="channel",
        peer_id="-100",
        guild_id="5",
        team_id="t1",
        roles=frozenset({"admin", "7"}),
        dm_scope="per-peer",
        group_scope="main",
    )


@pytest.mark.parametrize(("account", "expected"), [(None, "default"), ("*", "*"), (" ", "default"), (5, "5")])
def test_the_account_of_a_binding_is_the_default_one_or_any(account, expected):
    (found,) = bindings({"match": {"channel": "irc", "accountId": account}})
    assert found.account_id == expected


def test_a_peer_may_be_any_or_of_any_kind():
    found = bindings(
        {"match": {"channel": "irc", "peer": {"kind": "dm", "id": "*"}}},
        {"match": {"channel": "whatsapp", "peer": {"kind": "direct", "id": "1 555"}}},
        {"match": {"channel": "irc", "peer": {"id": -5}}},
    )
    assert {(each.peer_kind, each.peer_id) for each in found} == {("direct", "*"), ("direct", "+1555"), (None, "-5")}


def test_a_binding_that_can_match_nothing_is_left_out():
    assert bindings({}, None, {"match": {}}, {"match": {"channel": "irc", "peer": {"kind": "group"}}}) == []


def test_a_binding_without_an_agent_is_for_the_default_one():
    (found,) = bindings({"match": {"channel": "irc"}}, agents={"list": [{"id": "a"}]})
    assert found.agent_id == "a"


def test_only_listed_agents_may_be_named_where_there_is_a_list():
    assert parse({}).bindings.agents == frozenset()
    assert parse({"agents": {"list": [{"id": "a"}]}}).bindings.agents == {"a"}


@pytest.mark.parametrize(
    ("item", "path"),
    [
        (5, "bindings[0]"),
        ({"match": []}, "bindings[0].match"),
        ({"match": {"channel": 5}}, "bindings[0].match.channel"),
        ({"match": {"channel": "irc", "peer": {"kind": "crowd", "id": "1"}}}, "bindings[0].match.peer.kind"),
        ({"match": {"channel": "irc"}, "session": {"dmScope": "x"}}, "bindings[0].session.dmScope"),
        ({"match": {"channel": "irc", "roles": "admin"}}, "bindings[0].match.roles"),
    ],
)
def test_a_binding_that_makes_no_sense_is_told_by_its_path(item, path):
    with pytest.raises(ConfigError) as caught:
        bindings(item)
    assert caught.value.path == path
