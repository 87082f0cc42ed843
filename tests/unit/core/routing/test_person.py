"""Whom an operator means, and what is theirs (LEAK-11)."""

from __future__ import annotations

import pytest

from instar.core.model.change import Submission
from instar.core.model.ids import AccountId, ChannelName
from instar.core.model.message import Chat, Inbound, Sender
from instar.core.model.people import Person, PersonId
from instar.core.routing.identity import IdentityGroup, build_links
from instar.core.routing.person import PersonTest, name_person, resolve_person_named

TELEGRAM, SIGNAL = ChannelName("telegram"), ChannelName("signal")
LINKS = build_links(
    (
        IdentityGroup(name="Alice", ids=("telegram:42", "signal:+49 171 555", "ali@example.org")),
        IdentityGroup(name="Bob", ids=("telegram:43",), shared=False),
    ),
    known_channels=frozenset({"telegram", "signal"}),
)
ALICE = {PersonId(channel=TELEGRAM, peer_id="42"), PersonId(channel=SIGNAL, peer_id="+49171555")}


@pytest.mark.parametrize("text", ["Alice", "alice", "telegram:42", "tg:42", "signal:+49171555", "ali@example.org"])
def test_any_name_of_a_linked_person_means_all_their_ids(text):
    person = resolve_person_named(text, LINKS)
    assert person is not None
    assert person.name == "Alice"
    assert set(person.ids) == ALICE | {PersonId(channel=None, peer_id="ali@example.org")}
    assert person.principals == {"alice", "telegram:42", "signal:+49171555"}


def test_a_person_whose_session_is_not_shared_is_one_person_all_the_same():
    person = resolve_person_named("telegram:43", LINKS)
    assert person is not None
    assert person.name == "Bob"


def test_an_id_of_nobody_else_is_a_person_and_a_bare_word_a_principal():
    stranger = resolve_person_named("Telegram:77", LINKS)
    assert stranger == Person(
        name="telegram:77",
        ids=(PersonId(channel=TELEGRAM, peer_id="77"),),
        principals=frozenset({"telegram:77"}),
    )
    assert resolve_person_named("new:Q1", LINKS) == Person(
        name="new:q1", ids=(PersonId(channel=ChannelName("new"), peer_id="q1"),), principals=frozenset({"new:q1"})
    )
    assert resolve_person_named("carol", LINKS) == Person(name="carol", principals=frozenset({"carol"}))
    assert resolve_person_named("  ", LINKS) is None
    assert name_person(TELEGRAM, "42", LINKS).name == "Alice"


def build_test(text: str) -> PersonTest:
    person = resolve_person_named(text, LINKS)
    assert person is not None
    return PersonTest(person=person, links=LINKS)


def test_ids_are_compared_in_any_spelling_and_on_their_own_channel():
    test = build_test("alice")
    assert test.is_id("tg", "telegram:42")
    assert test.is_id("tg", "telegram:42")
    assert test.is_id("signal", "+49 (171) 555")
    assert test.is_id("matrix", "ALI@example.org")
    assert not test.is_id("matrix", "42")
    assert not test.is_id("telegram", "")


def test_principals_are_names_and_ids():
    test = build_test("alice")
    assert test.is_principal(" ALICE ")
    assert test.is_principal("telegram:42")
    assert test.is_principal("tg:42")
    assert not test.is_principal("telegram:43")
    assert not test.is_principal("bob")
    assert not test.is_principal(None)


def submission(sender: str, *, chat: str = "room", kind: str = "group", principal: str | None = None) -> Submission:
    inbound = Inbound(
        channel=TELEGRAM,
        account_id=AccountId("default"),
        message_id="1",
        chat=Chat(type=kind, id=chat),
        sender=Sender(id=sender),
        text="x",
    )
    return Submission(inbound=inbound, principal=principal)


def test_a_message_is_theirs_by_sender_principal_or_the_other_side_of_a_direct_chat():
    test = build_test("alice")
    assert test.wrote(submission("42"))
    assert test.wrote(submission("operator", principal="alice"))
    assert test.wrote(submission("", chat="42", kind="direct"))
    assert not test.wrote(submission("43", chat="42"))
    assert not test.wrote(submission("43", chat="43", kind="direct"))


@pytest.mark.parametrize(
    ("key", "owner", "is_theirs"),
    [
        ("agent:main:main", "alice", True),
        ("agent:main:telegram:direct:42", None, True),
        ("agent:main:telegram:direct:42", "somebody", True),
        ("agent:main:matrix:direct:ali@example.org", None, True),
        ("agent:main:telegram:direct:43", None, False),
        ("agent:main:direct:alice", None, True),
        ("agent:main:direct:42", None, True),
        ("agent:main:direct:42", "somebody", False),
        ("agent:main:direct:43", None, False),
        ("agent:main:telegram:group:42", None, False),
        ("agent:main:main", None, False),
    ],
)
def test_a_session_is_theirs_by_its_owner_or_by_a_key_that_names_them(key, owner, is_theirs):
    assert build_test("alice").owns(key, owner) is is_theirs
