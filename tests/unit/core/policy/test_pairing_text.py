"""What an owner reads about who may write (LEAK-2)."""

from __future__ import annotations

from dataclasses import replace

from instar.core.model.ids import AccountId, ChannelName, Instant, SessionKey
from instar.core.model.message import Target
from instar.core.model.pairing import Admission, Pairing, PairingCode, Pairings, Peer
from instar.core.policy.pairing_text import name_peer, tell_admission, tell_pairings

NOW = Instant(1_000_000)
ANN = Peer(channel=ChannelName("telegram"), account_id=AccountId("default"), kind="direct", peer_id="42")
CLUB = replace(ANN, kind="group", peer_id="-100")
CODE = PairingCode(
    code="ABCD2345",
    peer=ANN,
    session_key=SessionKey("k"),
    target=Target(channel=ANN.channel, account_id=ANN.account_id, to="42", chat_type="direct"),
    created_at=NOW,
    told_at=NOW,
    expires_at=Instant(NOW + 61_000),
    name="Ann",
)


def approved(peer, number=0, name=""):
    return Pairing(
        peer=replace(peer, peer_id=f"{peer.peer_id}{number or ''}"),
        session_key=SessionKey("k"),
        approved_at=Instant(number),
        approved_by="operator",
        name=name,
    )


def test_where_there_is_nobody_it_says_so():
    assert tell_pairings(Pairings(), now=NOW) == "Nobody waits.\nNobody was approved yet."


def test_codes_are_listed_with_the_time_that_is_left_and_approvals_newest_first():
    known = Pairings(waiting=(CODE, replace(CODE, expires_at=NOW)), approved=(approved(ANN, 1), approved(CLUB, 2)))
    assert tell_pairings(known, now=NOW) == (
        "Waiting:\nABCD2345: telegram:42 (Ann), 2 min left\nABCD2345: telegram:42 (Ann), 1 min left\n"
        "Approved:\nThe group telegram:-1002\ntelegram:421"
    )


def test_a_long_list_ends_with_how_many_more_there_are():
    known = Pairings(approved=tuple(approved(ANN, number) for number in range(1, 34)))
    assert tell_pairings(known, now=NOW).endswith("\ntelegram:424\nand 3 more")


def test_an_approval_is_told_with_its_warnings():
    admission = Admission(pairing=approved(ANN, name="Ann"), told=True, warnings=("Careful.",))
    assert tell_admission(admission) == "telegram:42 (Ann) may write now, and is told so.\nCareful."
    assert tell_admission(replace(admission, told=False, warnings=())) == "telegram:42 (Ann) may write now."
    assert name_peer(CLUB, "") == "The group telegram:-100"
