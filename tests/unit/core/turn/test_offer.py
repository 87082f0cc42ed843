"""What a stranger is told at the door, and which code is kept for it (LEAK-2)."""

from __future__ import annotations

from dataclasses import replace

import pytest

from instar.core.model.change import AcceptFacts
from instar.core.model.ids import AccountId, AgentId, ChannelName, DeliveryId, Instant, SessionKey
from instar.core.model.message import Chat, Sender
from instar.core.model.pairing import PairingCode, PairingDraw, PairingFacts, Peer
from instar.core.policy.access import PAIRING_CODE_TTL_MS, PAIRING_REPEAT_MS, AccessSettings
from instar.core.policy.activation import ActivationSettings
from instar.core.policy.commands import CommandContext
from instar.core.routing.route import RoutingSettings
from instar.core.turn.door import DoorSettings, decide_acceptance, find_door_peer, resolve_address
from tests.builders.turns import KEY, NOW, build_item

TELEGRAM = ChannelName("telegram")
MAIN = AccountId("default")
OWN = SessionKey("agent:main:telegram:default:direct:42")
DOOR = DoorSettings(access=AccessSettings(channel=TELEGRAM), activation=ActivationSettings(), commands=CommandContext())
ANN = Peer(channel=TELEGRAM, account_id=MAIN, kind="direct", peer_id="42")


def stranger(**chat):
    submission = build_item().submission
    inbound = replace(submission.inbound, sender=Sender(id="42", name="  Ann\n of Troy "))
    if chat:
        inbound = replace(inbound, chat=Chat(**chat), mentioned=True)
    return replace(submission, inbound=inbound)


def knock(submission, *, waiting=(), peer=ANN, draw=True):
    address = resolve_address(RoutingSettings(), submission, default_agent=AgentId("main"))
    drawn = PairingDraw(peer=peer, code="ABCD2345", delivery_id=DeliveryId("d"), session_key=OWN) if draw else None
    facts = AcceptFacts(
        inbound_id=build_item().inbound_id, now=NOW, pairing=PairingFacts(enabled=True, waiting=tuple(waiting))
    )
    return decide_acceptance(facts, submission, address, DOOR, draw=drawn)


def first_code() -> PairingCode:
    code = knock(stranger()).code
    assert code is not None
    return code


def test_a_stranger_is_told_a_code_that_lives_for_an_hour():
    acceptance = knock(stranger())
    assert (acceptance.status, acceptance.reason) == ("refused", "not_paired")
    code, (delivery,) = acceptance.code, acceptance.deliveries
    assert code is not None
    assert (code.code, code.peer, code.name, code.session_key) == ("ABCD2345", ANN, "Ann of Troy", OWN)
    assert (code.created_at, code.told_at, code.expires_at) == (NOW, NOW, NOW + PAIRING_CODE_TTL_MS)
    assert (delivery.delivery_id, delivery.target, delivery.state) == ("d", code.target, "pending")
    assert "ABCD2345" in delivery.text
    assert acceptance.decisions[-1].inputs["pairing"] == "offer"


def test_the_same_code_is_told_again_and_lives_no_longer():
    told_at = Instant(NOW - PAIRING_REPEAT_MS)
    old = replace(first_code(), code="EFGH2345", told_at=told_at, created_at=told_at, expires_at=Instant(NOW + 5))
    again = knock(stranger(), waiting=[old])
    assert again.code == replace(old, told_at=NOW)
    assert "EFGH2345" in again.deliveries[0].text


def test_who_was_told_a_moment_ago_hears_nothing():
    quiet = knock(stranger(), waiting=[first_code()])
    assert (quiet.code, quiet.deliveries) == (None, ())
    assert quiet.decisions[-1].inputs["pairing"] == "waits"


def test_without_a_draw_nobody_is_told_a_code():
    acceptance = knock(stranger(), draw=False)
    assert (acceptance.status, acceptance.code, acceptance.deliveries) == ("refused", None, ())


def test_a_group_is_named_by_its_title():
    group = Peer(channel=TELEGRAM, account_id=MAIN, kind="group", peer_id="g1")
    acceptance = knock(stranger(type="group", id="g1", title="Club"), peer=group)
    assert acceptance.code is not None
    assert (acceptance.code.peer, acceptance.code.name) == (group, "Club")
    assert "this group" in acceptance.deliveries[0].text
    unnamed = knock(stranger(type="group", id="g1"), peer=group)
    assert unnamed.code is not None
    assert unnamed.code.name == ""


def peer_of(submission):
    address = resolve_address(RoutingSettings(), submission, default_agent=AgentId("main"))
    return find_door_peer(submission, address, DOOR)


@pytest.mark.parametrize(
    ("submission", "peer"), [(stranger(), ANN), (replace(stranger(), session_key=KEY), None)], ids=["person", "rpc"]
)
def test_a_source_that_names_the_session_needs_no_approval(submission, peer):
    assert peer_of(submission) == peer
