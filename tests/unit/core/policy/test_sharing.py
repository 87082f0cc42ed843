"""What an owner is warned of when somebody is let in (LEAK-2, CMD-35)."""

from __future__ import annotations

import pytest

from instar.core.model.ids import AccountId, ChannelName, Instant, SessionKey
from instar.core.model.pairing import Pairing, Pairings, Peer
from instar.core.policy.access import AccessSettings, build_allow_list
from instar.core.policy.sharing import Admitted, find_admitted, find_sharers, tell_owners, tell_sharing
from instar.core.routing.identity import IdentityGroup, build_links
from instar.core.routing.key import KeySettings
from instar.core.routing.route import RoutingSettings

TELEGRAM = ChannelName("telegram")
SLACK = ChannelName("slack")
MAIN = AccountId("default")
SHARED = RoutingSettings()
APART = RoutingSettings(keys=KeySettings(dm_scope="per-channel-peer"))


def peer(peer_id, *, channel=TELEGRAM, kind="direct"):
    return Peer(channel=channel, account_id=MAIN, kind=kind, peer_id=peer_id)


ANN, BOB, EVE = peer("ann"), peer("bob"), peer("eve", channel=SLACK)


def approved(*peers):
    return Pairings(
        approved=tuple(
            Pairing(peer=one, session_key=SessionKey("k"), approved_at=Instant(0), approved_by="operator")
            for one in peers
        )
    )


def channel(name=TELEGRAM, *, policy="pairing", allow=()):
    return AccessSettings(channel=name, dm_policy=policy, allow_from=build_allow_list(allow, channel=name))


def test_everybody_who_may_write_directly_counts_whoever_let_them_in():
    channels = [channel(allow=["bob", "ann"]), channel(SLACK, policy="off", allow=["mallory"])]
    admitted = find_admitted(approved(ANN, EVE, peer("-100", kind="group")), channels, beside=ANN)
    assert admitted == Admitted(people=(EVE, BOB))


@pytest.mark.parametrize(
    ("settings", "everybody"),
    [
        (channel(policy="open"), True),
        (channel(allow=["*"]), True),
        (channel(policy="off", allow=["*"]), False),
        (channel(), False),
    ],
)
def test_a_channel_may_let_in_whoever_comes(settings, everybody):
    assert find_admitted(Pairings(), [settings], beside=ANN).everybody is everybody


def test_two_people_share_the_main_session_and_a_link_makes_two_ids_one_person():
    assert find_sharers(SHARED, ANN, [BOB, EVE]) == (BOB, EVE)
    assert find_sharers(APART, ANN, [BOB, EVE]) == ()
    links = build_links(
        (IdentityGroup(name="ann", ids=("telegram:ann", "slack:eve")),), known_channels=KeySettings().known_channels
    )
    linked = RoutingSettings(keys=KeySettings(links=links))
    assert find_sharers(linked, ANN, [BOB, EVE]) == (BOB,)


def test_the_warning_names_who_shares_and_the_command_that_ends_it():
    warning = tell_sharing(SHARED, ANN, Admitted(people=(BOB,)))
    assert warning.startswith("telegram:ann and telegram:bob share one conversation (agent:main:main)")
    assert warning.endswith("instar config set session.dmScope per-channel-peer")
    assert "telegram:bob and 1 other share" in tell_sharing(SHARED, ANN, Admitted(people=(BOB, EVE)))
    third = peer("carl")
    assert "telegram:bob and 2 others share" in tell_sharing(SHARED, ANN, Admitted(people=(BOB, EVE, third)))


def test_nobody_is_warned_without_need():
    assert tell_sharing(SHARED, ANN, Admitted()) == ""
    assert tell_sharing(APART, ANN, Admitted(people=(BOB,), everybody=True)) == ""
    assert tell_sharing(SHARED, peer("-100", kind="group"), Admitted(people=(BOB,))) == ""


def test_an_open_channel_is_company_too():
    assert "whoever else writes" in tell_sharing(SHARED, ANN, Admitted(everybody=True))


def test_the_second_approval_says_that_both_are_owners_unless_owners_are_named():
    assert "commands.ownerAllowFrom" in tell_owners(channel(), ANN, Admitted(people=(BOB,)))
    assert tell_owners(channel(), ANN, Admitted()) == ""
    assert tell_owners(channel(), peer("-100", kind="group"), Admitted(people=(BOB,))) == ""
    named = AccessSettings(channel=TELEGRAM, owner_allow_from=build_allow_list(["me"], channel=TELEGRAM))
    assert tell_owners(named, ANN, Admitted(people=(BOB,))) == ""
