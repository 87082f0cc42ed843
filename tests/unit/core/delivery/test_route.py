"""Where a reply goes (ENTRY-3, ENTRY-14, DOCK-1…8)."""

from __future__ import annotations

from dataclasses import replace

import pytest

from instar.core.delivery.route import (
    DockFacts,
    apply_inbound_route,
    build_reply_target,
    decide_dock,
    decide_reply_route,
    holds_dock,
    is_pinned_to_another,
    resolve_last_target,
    resolve_route,
)
from instar.core.model.change import Submission
from instar.core.model.ids import AccountId, AgentId, ChannelName, SessionId, SessionKey
from instar.core.model.message import Chat, Inbound, Sender, Target
from instar.core.model.session import Delivery, Naming, Origin, Session
from instar.core.routing.identity import IdentityGroup, build_links
from tests.builders.turns import build_item

TELEGRAM, DISCORD, SLACK = (ChannelName(name) for name in ("telegram", "discord", "slack"))
DEFAULT = AccountId("default")


def session(**fields):
    return Session(key=SessionKey("agent:main:main"), agent_id=AgentId("main"), session_id=SessionId("s"), **fields)


def inbound(chat=None, *, channel=TELEGRAM, sender="U7", name=None, **fields):
    return Inbound(
        channel=channel,
        account_id=DEFAULT,
        message_id="m",
        chat=chat or Chat(type="direct", id="U7"),
        sender=Sender(id=sender, name=name),
        text="hi",
        **fields,
    )


def submit(message=None, **fields):
    return Submission(inbound=message or inbound(), **fields)


GROUP = Chat(type="group", id="-100", title="Friends", thread_id="9")
ROOM = Chat(type="channel", id="C1", title="general", space_id="S1")


# --- the place of a message -------------------------------------------------------------------------------------------


def test_a_message_is_answered_where_it_came_from_unless_its_source_named_the_session():
    row = build_item()
    named = replace(row, submission=replace(row.submission, session_key=SessionKey("agent:main:main")))
    assert resolve_route(row) == build_reply_target(row.submission.inbound)
    assert resolve_route(named) is None


def test_an_answer_goes_to_the_chat_and_thread_of_its_message():
    assert build_reply_target(inbound(GROUP)) == Target(
        channel=TELEGRAM, account_id=DEFAULT, to="-100", chat_type="group", thread_id="9"
    )


def test_in_a_direct_chat_without_an_id_it_goes_to_the_sender():
    assert build_reply_target(inbound(Chat(type="direct", id=" "))).to == "U7"


# --- the route of a session -------------------------------------------------------------------------------------------


def test_a_message_moves_the_route_and_the_origin_in_the_spelling_of_its_platform():
    after = apply_inbound_route(session(), submit(inbound(name="Ann")))
    assert after.delivery == Delivery(channel=TELEGRAM, to="U7", account_id=DEFAULT)
    assert after.origin == Origin(
        chat_type="direct",
        channel=TELEGRAM,
        label="Ann",
        provider="telegram",
        surface="telegram",
        from_id="U7",
        to_id="U7",
        account_id=DEFAULT,
    )
    assert after.naming == Naming()


def test_a_group_message_names_the_group():
    after = apply_inbound_route(session(), submit(inbound(GROUP)))
    assert (after.origin.group_id, after.origin.label, after.origin.thread_id) == ("-100", "Friends", "9")
    assert after.naming.subject == "Friends"


def test_a_room_message_names_the_room_and_its_space():
    after = apply_inbound_route(session(), submit(inbound(ROOM)))
    assert (after.naming.group_channel, after.naming.space) == ("general", "S1")


def test_a_name_that_is_missing_today_does_not_erase_yesterdays():
    known = session(naming=Naming(subject="Friends"), origin=Origin(label="Friends"))
    after = apply_inbound_route(known, submit(inbound(replace(GROUP, title=None))))
    assert (after.naming.subject, after.origin.label) == ("Friends", "Friends")


def test_a_route_applied_twice_is_applied_once():
    once = apply_inbound_route(session(), submit(inbound(GROUP)))
    assert apply_inbound_route(once, submit(inbound(GROUP))) == once


def test_a_source_that_names_the_session_is_no_place_to_answer_to():
    before = session(delivery=Delivery(channel=DISCORD, to="D1", account_id=DEFAULT))
    assert apply_inbound_route(before, submit(session_key=SessionKey("agent:main:main"))) == before


def test_a_docked_route_is_not_moved_by_messages():
    docked = Delivery(channel=DISCORD, to="D1", account_id=DEFAULT, docked=True)
    after = apply_inbound_route(session(delivery=docked), submit())
    assert after.delivery == docked
    assert after.origin.channel == TELEGRAM


def test_a_stranger_does_not_move_the_route_of_a_session_pinned_to_one_person():
    before = session(delivery=Delivery(channel=TELEGRAM, to="U1", account_id=DEFAULT))
    after = apply_inbound_route(before, submit(), pinned_sender="U1")
    assert after.delivery == before.delivery
    assert after.origin.from_id == "U7"
    assert apply_inbound_route(before, submit(), pinned_sender="tg:u7").delivery.to == "U7"


def test_the_person_a_session_is_pinned_to_is_known_by_a_hidden_id_too():
    message = inbound(Chat(type="direct", id="99@lid"), channel=ChannelName("whatsapp"), sender="99@LID")
    after = apply_inbound_route(
        session(), submit(message), pinned_sender="+491701234567", numbers={"99@lid": "+491701234567"}
    )
    assert after.delivery.to == "99@lid"
    assert apply_inbound_route(session(), submit(message), pinned_sender="+491701234567").delivery.to is None


def test_groups_are_never_pinned():
    assert not is_pinned_to_another(inbound(GROUP), "U1")
    assert not is_pinned_to_another(inbound(), None)


# --- the way back -----------------------------------------------------------------------------------------------------


def test_a_session_without_a_route_has_no_target():
    assert resolve_last_target(session()) is None
    assert resolve_last_target(session(delivery=Delivery(channel=TELEGRAM))) is None


def test_the_last_route_is_a_target():
    found = resolve_last_target(apply_inbound_route(session(), submit(inbound(GROUP))))
    assert found == Target(channel=TELEGRAM, account_id=DEFAULT, to="-100", chat_type="group", thread_id="9")


def test_an_imported_route_without_account_and_type_leads_to_a_person_of_the_default_account():
    found = resolve_last_target(session(delivery=Delivery(channel=TELEGRAM, to="U7")))
    assert found == Target(channel=TELEGRAM, account_id=DEFAULT, to="U7", chat_type="direct")


HERE = build_reply_target(inbound())
DOCKED = session(
    delivery=Delivery(channel=DISCORD, to="D1", account_id=DEFAULT, docked=True), origin=Origin(chat_type="group")
)
ROUTED = session(delivery=Delivery(channel=SLACK, to="S1", account_id=DEFAULT))


@pytest.mark.parametrize(
    ("state", "here", "to", "source", "rule"),
    [
        (DOCKED, HERE, "D1", "docked", "DOCK-7"),
        (DOCKED, None, "D1", "docked", "DOCK-7"),
        (ROUTED, HERE, "U7", "message", "ENTRY-3"),
        (ROUTED, None, "S1", "last", "ENTRY-3"),
        (None, HERE, "U7", "message", "ENTRY-3"),
        (session(), None, None, "none", "ENTRY-3"),
        (None, None, None, "none", "ENTRY-3"),
    ],
)
def test_a_reply_goes_to_the_dock_else_back_else_to_the_last_route(state, here, to, source, rule):
    route = decide_reply_route(state, here, is_dockers=True)
    assert (route.target.to if route.target else None, route.source, route.rule) == (to, source, rule)


def test_a_dock_is_for_nobody_elses_answers():
    route = decide_reply_route(DOCKED, HERE, is_dockers=False)
    assert (route.target, route.source, route.rule) == (HERE, "others_dock", "LEAK-4")
    assert decide_reply_route(DOCKED, None, is_dockers=False).source == "docked"


def test_a_docked_route_leads_to_a_person():
    assert decide_reply_route(DOCKED, HERE, is_dockers=True).target.chat_type == "direct"


def test_a_route_is_recorded_without_ids():
    there = decide_reply_route(ROUTED, HERE, is_dockers=False).as_decision()
    assert there.inputs == {"source": "message", "chat": "direct"}
    nowhere = decide_reply_route(None, None, is_dockers=False).as_decision()
    assert (nowhere.kind, nowhere.outcome, nowhere.inputs["chat"]) == ("deliver", "nowhere", None)


# --- docking ----------------------------------------------------------------------------------------------------------

LINKS = build_links(
    (IdentityGroup(name="ann", ids=("telegram:U7", "discord:D1", "bare"), shared=False),),
    known_channels=frozenset({"telegram", "discord", "slack"}),
)


CLUB = replace(session(), key=SessionKey("agent:main:telegram:group:club"))


def dock(state=None, *, target=DISCORD, **fields):
    facts = {"chat_type": "direct", "channel": TELEGRAM, "sender_id": "U7", "target_channel": target} | fields
    return decide_dock(state, DockFacts(**facts), LINKS)


@pytest.mark.parametrize(
    ("state", "message", "holds"),
    [
        (DOCKED, {}, True),
        (DOCKED, {"channel": DISCORD, "sender": "d1"}, True),
        (DOCKED, {"sender": "U8"}, False),
        (DOCKED, {"sender": " "}, False),
        (DOCKED, {"chat": GROUP}, False),
        (ROUTED, {}, False),
        (session(delivery=Delivery(channel=DISCORD, docked=True)), {}, False),
        (session(delivery=Delivery(to="D1", docked=True)), {}, False),
        (session(delivery=Delivery(channel=DISCORD, to=" ", docked=True)), {}, False),
    ],
)
def test_a_dock_holds_for_whoever_is_reached_there(state, message, holds):
    assert holds_dock(state, inbound(**message), LINKS) is holds


def test_docking_sends_answers_to_the_persons_place_on_the_other_channel():
    before = session(delivery=Delivery(channel=TELEGRAM, to="U7", account_id=DEFAULT, thread_id="3"))
    decided = dock(before)
    assert (decided.outcome, decided.rule) == ("docked", "DOCK-4")
    assert decided.delivery == Delivery(channel=DISCORD, to="D1", account_id=DEFAULT, docked=True)


def test_docking_names_the_account_that_sends():
    assert dock(session(), target_account=AccountId("work")).delivery.account_id == "work"


@pytest.mark.parametrize(
    ("state", "fields", "outcome", "rule"),
    [
        (session(), {"chat_type": "group"}, "not_direct", "DOCK-2"),
        (CLUB, {}, "not_direct", "DOCK-2"),
        (session(), {"sender_id": " "}, "sender_unknown", "DOCK-2"),
        (session(), {"sender_id": "U8"}, "not_linked", "DOCK-3"),
        (session(), {"target": SLACK}, "not_linked", "DOCK-3"),
        (None, {}, "no_session", "DOCK-2"),
        (DOCKED, {}, "already_there", "DOCK-2"),
    ],
)
def test_each_failure_has_its_own_answer_and_changes_nothing(state, fields, outcome, rule):
    decided = dock(state, **fields)
    assert (decided.outcome, decided.rule, decided.delivery) == (outcome, rule, None)


def test_docking_home_lets_the_route_follow_the_messages_again():
    decided = dock(DOCKED, target=TELEGRAM)
    assert (decided.outcome, decided.delivery.docked, decided.delivery.to) == ("undocked", False, "U7")
    assert dock(replace(DOCKED, delivery=decided.delivery), target=TELEGRAM).outcome == "already_there"


def test_a_dock_command_is_recorded_without_ids():
    facts = DockFacts(chat_type="direct", channel=TELEGRAM, sender_id="U7", target_channel=DISCORD)
    record = decide_dock(session(), facts, LINKS).as_decision(facts)
    assert (record.kind, record.outcome, record.inputs) == (
        "command",
        "docked",
        {"channel": "telegram", "target": "discord"},
    )
