"""Who is still in a group, by the settings and approvals of today (LEAK-4, LEAK-2)."""

from __future__ import annotations

import pytest

from instar.core.model.ids import AccountId, Instant, SessionKey
from instar.core.model.pairing import Pairing, Pairings, Peer
from instar.core.policy.access import AccessSettings, build_allow_list
from instar.core.policy.membership import approved_groups, is_admitted_member, list_shut_out

CLUB = SessionKey("agent:main:telegram:group:club")
TOPIC = SessionKey(f"{CLUB}:topic:5")
NOW = Instant(1)


def approval(peer_id, *, channel="telegram", kind="group"):
    peer = Peer(channel=channel, account_id=AccountId("work"), kind=kind, peer_id=peer_id)
    return Pairing(peer=peer, session_key=CLUB, approved_at=NOW, approved_by="owner")


APPROVED = Pairings(approved=(approval("club"), approval("bob", kind="direct"), approval("other", channel="slack")))


def settings(policy, *listed):
    entries = build_allow_list(listed, channel="telegram", known_channels=frozenset({"telegram"}))
    return AccessSettings(channel="telegram", group_policy=policy, group_allow_from=entries)


@pytest.mark.parametrize(
    ("access", "stays"),
    [
        (settings("open"), True),
        (settings("off", "club"), False),
        (settings("allowlist"), False),
        (settings("allowlist", "CLUB"), True),
        (settings("allowlist", "telegram:Bob"), True),
        (settings("allowlist", "ann"), False),
        (settings("pairing"), True),
    ],
)
@pytest.mark.parametrize("key", [CLUB, TOPIC])
def test_whoever_might_write_there_today_is_still_in_it(access, stays, key):
    pairing = approved_groups(APPROVED, "telegram")
    assert is_admitted_member(access, key, "telegram:bob", pairing=pairing, now=NOW) is stays


def test_approvals_of_people_and_of_other_channels_open_no_group():
    assert approved_groups(APPROVED, "telegram").groups == {"club"}
    assert approved_groups(APPROVED, "slack").groups == {"other"}


def test_of_many_members_those_are_told_who_are_out():
    access = {"telegram": settings("pairing"), "": settings("open")}
    members = [(CLUB, "telegram:bob"), (SessionKey("agent:main:telegram:group:x"), "telegram:bob")]
    odd = (SessionKey("agent:main:main"), "telegram:bob")
    assert list(list_shut_out([*members, odd], access.__getitem__, APPROVED, now=NOW)) == members[1:]
