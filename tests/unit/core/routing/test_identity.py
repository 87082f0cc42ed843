"""Identity links: who is the same person (LINK-3…7), and where else to reach them (DOCK-3, DOCK-6)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from instar.core.model.ids import ChannelName
from instar.core.routing.identity import (
    NO_LINKS,
    IdentityGroup,
    LinkId,
    Links,
    are_one_person,
    build_links,
    parse_link_id,
    person_segment,
    resolve_dock_target,
    resolve_person,
    resolve_sharing_person,
)
from instar.core.routing.normalize import KNOWN_CHANNELS, normalize_peer


def group(name: str, *ids: str, shared: bool = True) -> IdentityGroup:
    return IdentityGroup(name=name, ids=ids, shared=shared)


def links(*groups: IdentityGroup, numbers: dict[str, str] | None = None) -> Links:
    return build_links(groups, known_channels=KNOWN_CHANNELS, numbers=numbers or {})


def sharing(found: Links, channel: str, peer_id: str) -> str | None:
    name = ChannelName(channel)
    person = resolve_sharing_person(found, channel=name, peer_id=normalize_peer(name, kind="direct", peer_id=peer_id))
    return None if person is None else person.name


def anyone(found: Links, channel: str, peer_id: str) -> str | None:
    person = resolve_person(found, channel=ChannelName(channel), peer_id=peer_id)
    return None if person is None else person.name


def dock(found: Links, source: str, peer_id: str, target: str) -> str | None:
    return resolve_dock_target(
        found, source_channel=ChannelName(source), source_peer_id=peer_id, target_channel=ChannelName(target)
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (" telegram: 5 ", LinkId(channel=ChannelName("telegram"), peer_id="5")),
        ("TG:AbC", LinkId(channel=ChannelName("telegram"), peer_id="AbC")),
        ("pigeon:5", LinkId(channel=None, peer_id="pigeon:5")),
        ("telegram", LinkId(channel=None, peer_id="telegram")),
        ("@a:example.org", LinkId(channel=None, peer_id="@a:example.org")),
        ("matrix:@a:example.org", LinkId(channel=ChannelName("matrix"), peer_id="@a:example.org")),
    ],
)
def test_only_known_channels_are_prefixes(text, expected):
    assert parse_link_id(text, KNOWN_CHANNELS) == expected


@pytest.mark.parametrize(
    ("channel", "peer_id"),
    [("whatsapp", "1555@s.whatsapp.net"), ("signal", "+1 555 000 11"), ("telegram", "x"), ("irc", "x")],
)
def test_a_bare_id_holds_on_every_channel_in_its_own_spelling(channel, peer_id):
    found = links(group("a", "1555"), group("b", "+155500011"), group("c", "X"))
    assert sharing(found, channel, peer_id) is not None


def test_a_bare_id_with_the_prefix_of_an_unknown_channel_is_found_there_and_elsewhere():
    found = links(group("a", "pigeon:5"))
    assert sharing(found, "pigeon", "5") == "a"
    assert sharing(found, "irc", "pigeon:5") == "a"
    assert sharing(found, "irc", "5") is None


def test_the_first_group_wins_whether_its_id_is_bare_or_not():
    assert sharing(links(group("a", "5"), group("b", "irc:5")), "irc", "5") == "a"
    assert sharing(links(group("a", "irc:5"), group("b", "5")), "irc", "5") == "a"


def test_routing_takes_the_first_group_with_a_shared_session():
    found = links(group("a", "irc:5", shared=False), group("b", "irc:5"))
    assert sharing(found, "irc", "5") == "b"
    assert anyone(found, "irc", "5") == "b"


def test_a_person_without_a_shared_session_is_still_a_person():
    found = links(group("a", "irc:5", shared=False))
    assert sharing(found, "irc", "5") is None
    assert anyone(found, "irc", "5") == "a"
    assert anyone(found, "irc", "6") is None


@pytest.mark.parametrize("peer_id", ["", "x"])
def test_nobody_is_linked_without_links_or_id(peer_id):
    assert anyone(NO_LINKS, "irc", peer_id) is None
    assert anyone(links(group("a", "irc:5")), "irc", "") is None
    assert sharing(links(group("a", "irc:")), "irc", "") is None


def test_hidden_whatsapp_ids_are_compared_as_the_numbers_they_stand_for():
    found = links(group("a", "whatsapp:77@lid"), numbers={"77@lid": "+1555"})
    assert sharing(found, "whatsapp", "+1555") == "a"


@pytest.mark.parametrize(("name", "segment"), [(" Alice ", "alice"), ("a:thread:b", "a%3athread%3ab"), ("é b", "é b")])
def test_a_persons_name_is_one_segment(name, segment):
    assert person_segment(name) == segment


def test_docking_finds_the_same_persons_id_in_its_own_spelling():
    found = links(group("a", "telegram:1", "slack:U123"))
    assert dock(found, "telegram", "1", "slack") == "U123"
    assert dock(found, "slack", "u123", "telegram") == "1"


def test_docking_tries_the_next_group_when_the_first_has_no_id_there():
    found = links(group("x", "irc:1"), group("a", "telegram:1"), group("b", "1", "discord:7", shared=False))
    assert dock(found, "telegram", "1", "discord") == "7"


def test_bare_ids_say_who_somebody_is_and_never_where_to_reach_them():
    found = links(group("a", "1", "2"))
    assert dock(found, "telegram", "1", "discord") is None
    assert dock(found, "telegram", "", "discord") is None


def test_an_empty_id_is_no_target():
    assert dock(links(group("a", "telegram:1", "discord:")), "telegram", "1", "discord") is None


IDS = st.sampled_from(
    ["telegram:1", "tg:1", "1", "whatsapp:1", "+1", "signal:+1234567", "+1234567", "1234567", "pigeon:1"]
)
GROUPS = st.lists(
    st.builds(lambda ids, shared: (tuple(ids), shared), st.lists(IDS, max_size=3), st.booleans()), max_size=4
)


@given(
    GROUPS,
    st.sampled_from(["telegram", "whatsapp", "signal", "pigeon", "irc"]),
    st.sampled_from(["1", "+1", "+1234567", "pigeon:1"]),
)
def test_the_tables_find_what_a_walk_through_all_groups_finds(drawn, channel, peer_id):
    groups = [IdentityGroup(name=str(at), ids=ids, shared=shared) for at, (ids, shared) in enumerate(drawn)]
    name = ChannelName(channel)
    plain = normalize_peer(name, kind="direct", peer_id=peer_id)

    def holds(each: IdentityGroup) -> bool:
        parsed = [parse_link_id(text, KNOWN_CHANNELS) for text in each.ids]
        return any(
            link.channel in {None, name} and normalize_peer(name, kind="direct", peer_id=link.peer_id) == plain
            for link in parsed
        )

    expected = next((each.name for each in groups if each.shared and holds(each)), None)
    assert sharing(links(*groups), channel, plain) == expected


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        (("telegram", "7"), ("telegram", "7"), True),
        (("telegram", "7"), ("discord", "d7"), True),
        (("slack", "everywhere"), ("discord", "d7"), True),
        (("telegram", "7"), ("discord", "d8"), False),
        (("telegram", "8"), ("discord", "d8"), False),
        (("telegram", ""), ("telegram", ""), False),
        (("telegram", "7"), ("discord", ""), False),
    ],
)
def test_two_addresses_are_one_person_where_one_group_holds_both(one, other, expected):
    found = links(group("ann", "telegram:7", "discord:D7", "everywhere", shared=False), group("bob", "discord:d8"))
    left, right = ((ChannelName(channel), peer_id) for channel, peer_id in (one, other))
    assert are_one_person(found, left, right) is expected
    assert are_one_person(found, right, left) is expected
