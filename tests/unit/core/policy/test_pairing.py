"""The life of a pairing code (LEAK-2)."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from instar.core.model.ids import AccountId, ChannelName, DeliveryId, Instant, SessionKey
from instar.core.model.message import Target
from instar.core.model.pairing import Pairing, PairingCode, PairingFacts, Pairings, Peer
from instar.core.policy.pairing import (
    CODE_ALPHABET,
    CODE_BYTES,
    build_code,
    build_facts,
    find_approved,
    find_waiting,
    list_alive,
    parse_code,
    plan_approval,
    plan_rejection,
    plan_revocation,
    tell_approval,
    tell_code,
)

NOW = Instant(10_000_000)
TELEGRAM = ChannelName("telegram")
MAIN = AccountId("default")
OWN = SessionKey("agent:main:telegram:default:direct:7")


def peer(peer_id="7", *, channel=TELEGRAM, account=MAIN, kind="direct"):
    return Peer(channel=channel, account_id=account, kind=kind, peer_id=peer_id)


def code(text="ABCD2345", *, of=None, expires_at=NOW + 1, created_at=NOW - 1):
    of = of or peer()
    return PairingCode(
        code=text,
        peer=of,
        session_key=OWN,
        target=Target(channel=of.channel, account_id=of.account_id, to=of.peer_id, chat_type="direct"),
        created_at=Instant(created_at),
        told_at=Instant(created_at),
        expires_at=Instant(expires_at),
        name="Ann",
    )


def pairing(of=None):
    return Pairing(peer=of or peer(), session_key=OWN, approved_at=NOW, approved_by="operator")


# --- codes ------------------------------------------------------------------------------------------------------------


@given(st.binary(min_size=CODE_BYTES, max_size=CODE_BYTES))
def test_a_code_is_eight_characters_that_nobody_mistakes_and_reads_back(drawn):
    text = build_code(drawn)
    assert re.fullmatch("[A-HJ-NP-Z2-9]{8}", text)
    digits = [CODE_ALPHABET.index(letter) for letter in reversed(text)]
    number = 0
    for digit in digits:
        number = number * 32 + digit
    assert number.to_bytes(CODE_BYTES, "big") == drawn


@pytest.mark.parametrize("typed", ["ABCD2345", "abcd2345", " ABCD-2345 ", "ab cd 23 45", "abcd 2345\n"])
def test_a_code_may_be_typed_in_any_way(typed):
    assert parse_code(typed) == "ABCD2345"


def test_only_a_code_that_waits_is_found():
    waiting = Pairings(waiting=(code(), code("EXPD2345", expires_at=NOW), code("EFGH2345", of=peer("8"))))
    assert find_waiting(waiting, "efgh-2345", now=NOW) == waiting.waiting[2]
    assert find_waiting(waiting, "EXPD2345", now=NOW) is None
    assert find_waiting(waiting, "", now=NOW) is None


def test_a_code_does_not_last_longer_because_the_clock_was_set_back():
    told = Pairings(waiting=(code(created_at=NOW, expires_at=NOW + 3_600_000),))
    assert find_waiting(told, "ABCD2345", now=NOW - 60_000) is not None
    assert find_waiting(told, "ABCD2345", now=NOW - 60_001) is None


def test_codes_are_listed_in_the_order_they_were_told():
    early, late = code("EARLY234", created_at=1), code("LATE2345", created_at=2, of=peer("8"))
    assert list_alive(Pairings(waiting=(late, early)), now=NOW) == (early, late)


def test_a_stranger_reads_what_to_do():
    assert "`instar pairing approve ABCD2345`" in tell_code("ABCD2345", kind="direct")
    assert "pairing code of this group is ABCD2345" in tell_code("ABCD2345", kind="group")
    assert tell_approval("direct").startswith("You were let in.")
    assert tell_approval("group").startswith("This group was let in.")


# --- the owner's word -------------------------------------------------------------------------------------------------


def test_an_approval_is_kept_with_who_said_so_and_owes_the_news():
    change = plan_approval(code(), who="alice", now=NOW, delivery_id=DeliveryId("d"))
    assert change.approve == Pairing(peer=peer(), session_key=OWN, approved_at=NOW, approved_by="alice", name="Ann")
    assert (change.remove_code, change.session_key) == ("ABCD2345", OWN)
    (news,) = change.deliveries
    assert (news.delivery_id, news.target, news.text) == ("d", code().target, tell_approval("direct"))
    (noted,) = change.decisions
    assert (noted.decision.kind, noted.decision.outcome, noted.decision.rule) == ("access", "approved", "LEAK-2")
    assert noted.who == "alice"
    assert "7" not in noted.decision.inputs.values()


def test_where_nobody_can_be_told_nothing_is_owed():
    assert plan_approval(code(), who="alice", now=NOW, delivery_id=None).deliveries == ()


def test_a_rejection_removes_the_code_and_tells_nobody():
    change = plan_rejection(code(), who="alice")
    assert (change.remove_code, change.approve, change.revoke, change.deliveries) == ("ABCD2345", None, None, ())
    assert [noted.decision.outcome for noted in change.decisions] == ["rejected"]


def test_a_revocation_takes_the_approval_back():
    change = plan_revocation(pairing(), who="alice")
    assert (change.revoke, change.approve, change.remove_code) == (peer(), None, None)
    assert [noted.decision.outcome for noted in change.decisions] == ["revoked"]


def test_an_approved_peer_is_found_by_id_channel_and_account():
    slack = pairing(peer("U7", channel=ChannelName("slack")))
    second = pairing(peer("u7", channel=ChannelName("slack"), account=AccountId("b")))
    all_three = Pairings(approved=(pairing(), slack, second))
    assert find_approved(all_three, " u7 ", channel=None, account_id=None) == (slack, second)
    assert find_approved(all_three, "U7", channel=ChannelName("slack"), account_id=AccountId("b")) == (second,)
    assert find_approved(all_three, "7", channel=ChannelName("slack"), account_id=None) == ()


def test_approvals_are_sorted_by_account():
    group = replace(peer("-100"), kind="group")
    other = peer("9", account=AccountId("b"))
    facts = build_facts(Pairings(approved=tuple(pairing(one) for one in (peer(), group, other))))
    assert facts == {
        (TELEGRAM, MAIN): PairingFacts(people=frozenset({"7"}), groups=frozenset({"-100"})),
        (TELEGRAM, AccountId("b")): PairingFacts(people=frozenset({"9"})),
    }
