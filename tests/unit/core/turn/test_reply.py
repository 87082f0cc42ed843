"""What is owed to whom after an answer (LOSS-2, LOSS-5, LOSS-7, SEND-*, FLUSH-6)."""

from __future__ import annotations

from dataclasses import replace
from itertools import count

import pytest

from instar.core.lifecycle.reset import NOTICE_FIELD
from instar.core.model.change import TurnOptions
from instar.core.model.ids import AccountId, ChannelName, DeliveryId, SessionKey, TurnId
from instar.core.model.message import Target
from instar.core.model.session import Delivery, Origin, Overrides
from instar.core.policy.send import SendMatch, SendPolicy, SendRule
from instar.core.queue.lane import Dropped
from instar.core.routing.identity import IdentityGroup, build_links
from instar.core.turn.reply import (
    ReplySettings,
    can_share_reply,
    plan_command_reply,
    plan_expiry,
    plan_reply,
    read_owed_notice,
)
from tests.builders.turns import build_item, build_session

ALLOW = ReplySettings(send_policy=SendPolicy(), main_key="main", text_max_chars=lambda _: None)
T1 = TurnId("t1")


def drawing():
    numbers = count(1)
    return lambda: DeliveryId(f"d{next(numbers)}")


def reply(text="hi", *items, session=None, settings=ALLOW, **more):
    return plan_reply(
        text,
        items or (build_item(),),
        session=session or build_session(),
        turn_id=T1,
        settings=settings,
        draw=drawing(),
        **more,
    )


def by_rpc(item, *, deliver=False):
    """The item as a client would have sent it."""
    submission = replace(
        item.submission, session_key=SessionKey("agent:main:main"), options=TurnOptions(deliver=deliver)
    )
    return replace(item, submission=submission)


def target(to="42", *, channel="telegram", thread=None, chat_type="direct", reply_to=None):
    return Target(
        channel=ChannelName(channel),
        account_id=AccountId("default"),
        to=to,
        chat_type=chat_type,
        thread_id=thread,
        reply_to_id=reply_to,
    )


# --- answers ----------------------------------------------------------------------------------------------------------


def test_an_answer_goes_back_to_where_the_message_came_from():
    planned = reply("hi")
    (owed,) = planned.deliveries
    assert (owed.delivery_id, owed.target, owed.text, owed.turn_id) == ("d1", target(), "hi", "t1")
    assert (owed.state, planned.will_be_heard, planned.silent) == ("pending", True, False)
    (noted,) = planned.decisions
    assert (noted.decision.outcome, noted.inbound_id) == ("allow", "in1")


def test_in_a_group_it_refers_to_the_message():
    (owed,) = reply("hi", build_item(chat_type="group", chat_id="club")).deliveries
    assert owed.target == target("club", chat_type="group", reply_to="m1")


def test_no_words_owe_nothing():
    assert reply("  \n").deliveries == ()
    assert not reply("").will_be_heard


def test_the_newest_message_that_came_from_somewhere_says_where_the_answer_goes():
    ann, bob = build_item(chat_id="ann"), build_item(number=2, chat_id="bob")
    assert reply("hi", ann, bob).deliveries[0].target.to == "bob"
    planned = reply("hi", ann, by_rpc(bob))
    assert planned.deliveries[0].target.to == "ann"
    assert planned.decisions[0].inbound_id == "in1"


def test_a_client_that_listens_itself_is_owed_nothing():
    planned = reply("hi", by_rpc(build_item()))
    assert (planned.deliveries, planned.decisions) == ((), ())


def test_a_client_may_ask_for_delivery_to_the_last_place():
    route = Delivery(channel=ChannelName("slack"), to="U1")
    (owed,) = reply(
        "hi", by_rpc(build_item(), deliver=True), session=replace(build_session(), delivery=route)
    ).deliveries
    assert owed.target == target("U1", channel="slack")
    assert reply("hi", by_rpc(build_item(), deliver=True)).deliveries == ()


def test_a_docked_session_is_answered_where_it_is_docked():
    route = Delivery(channel=ChannelName("slack"), to="U1", docked=True)
    links = build_links(
        (IdentityGroup(name="ann", ids=("telegram:7", "slack:U1")),), known_channels=frozenset({"telegram", "slack"})
    )
    item = build_item(sender="7")
    planned = reply("hi", item, session=replace(build_session(), delivery=route), settings=replace(ALLOW, links=links))
    assert planned.deliveries[0].target.channel == "slack"
    assert planned.decisions[0].decision.rule == "DOCK-7"


def test_whoever_did_not_dock_a_session_is_answered_where_they_wrote():
    route = Delivery(channel=ChannelName("slack"), to="U1", docked=True)
    planned = reply("hi", session=replace(build_session(), delivery=route))
    assert planned.deliveries[0].target == target()
    assert (planned.decisions[0].decision.rule, planned.decisions[0].decision.inputs["source"]) == (
        "LEAK-4",
        "others_dock",
    )
    group = build_item(chat_type="group", chat_id="club")
    (owed,) = reply("hi", group, session=replace(build_session(), delivery=route)).deliveries
    assert owed.target.reply_to_id == group.submission.inbound.message_id


def test_silence_is_kept_back_and_noted():
    planned = reply("NO_REPLY")
    (owed,) = planned.deliveries
    assert (owed.state, owed.reason, planned.silent, planned.will_be_heard) == ("suppressed", "silent", True, False)
    assert (planned.decisions[0].decision.outcome, planned.decisions[0].decision.rule) == ("silent", "FLUSH-6")


def test_what_the_policy_denies_is_kept_back_in_one_piece():
    denied = replace(build_session(), overrides=Overrides(send_policy="deny"))
    settings = replace(ALLOW, text_max_chars=lambda _: 3, notice="New session.")
    planned = reply("a long answer", session=denied, settings=settings)
    (owed,) = planned.deliveries
    assert (owed.state, owed.text) == ("suppressed", "a long answer")
    assert owed.reason
    assert planned.decisions[0].decision.outcome == "deny"


def test_the_policy_is_asked_about_the_place_where_the_answer_goes():
    links = build_links(
        (IdentityGroup(name="ann", ids=("telegram:7", "slack:U1")),), known_channels=frozenset({"telegram", "slack"})
    )
    session = replace(
        build_session(),
        origin=Origin(channel=ChannelName("telegram")),
        delivery=Delivery(channel=ChannelName("slack"), to="U1", docked=True),
    )
    item = build_item(sender="7")
    for channel, state in (("slack", "suppressed"), ("telegram", "pending")):
        policy = SendPolicy(rules=(SendRule(action="deny", match=SendMatch(channel=channel)),))
        planned = reply("hi", item, session=session, settings=replace(ALLOW, links=links, send_policy=policy))
        (owed,) = planned.deliveries
        assert (owed.target.channel, owed.state) == ("slack", state)


def test_a_notice_stands_in_front_of_what_leaves_and_not_of_what_is_kept_back():
    noticed = replace(ALLOW, notice="New session.")
    assert reply("hi", settings=noticed).deliveries[0].text == "New session.\n\nhi"
    assert reply("NO_REPLY", settings=noticed).deliveries[0].text == "NO_REPLY"


def test_the_line_about_a_reset_is_owed_as_long_as_nobody_has_told_it():
    owing, told = replace(build_session(), extra={NOTICE_FIELD: "daily"}), build_session()
    planned = reply("hi", settings=replace(ALLOW, notice="New session.", lines=("(Another model answers.)",)))
    assert [one.text for one in planned.owed_in(owing)] == ["New session.\n(Another model answers.)\n\nhi"]
    for session in (told, None):
        assert [one.text for one in planned.owed_in(session)] == ["(Another model answers.)\n\nhi"]
    plain = reply("hi", settings=replace(ALLOW, lines=("(Another model answers.)",)))
    assert plain.owed_in(owing) == plain.owed_in(told) == plain.deliveries
    silent = reply("NO_REPLY", settings=replace(ALLOW, notice="New session."))
    assert silent.owed_in(told) == silent.deliveries


def test_a_long_answer_is_cut_to_the_pieces_a_channel_takes():
    limits = {"telegram": 16}
    planned = reply("first of these second of them third", settings=replace(ALLOW, text_max_chars=limits.get))
    assert [owed.text for owed in planned.deliveries] == ["first of these", "second of them", "third"]
    assert len({owed.delivery_id for owed in planned.deliveries}) == 3


@pytest.mark.parametrize(
    ("extra", "owed"),
    [({NOTICE_FIELD: "daily"}, "daily"), ({NOTICE_FIELD: "idle"}, "idle"), ({NOTICE_FIELD: 7}, None), ({}, None)],
)
def test_a_session_knows_which_notice_it_owes(extra, owed):
    assert read_owed_notice(replace(build_session(), extra=extra)) == owed


# --- who shares an answer ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("routes", "route", "shared"),
    [
        ([], target(), True),
        ([target()], None, True),
        ([None], target(), True),
        ([target()], target(), True),
        ([target(reply_to="m1")], target(reply_to="m2"), True),
        ([target("ann")], target("bob"), False),
        ([target()], target(channel="slack"), False),
        ([target()], target(thread="7"), False),
        ([None, target("ann")], target("bob"), False),
    ],
)
def test_only_messages_of_one_place_share_an_answer(routes, route, shared):
    assert can_share_reply(routes, route) is shared


# --- commands ---------------------------------------------------------------------------------------------------------


def test_the_answer_to_a_command_goes_to_where_it_came_from():
    owed = plan_command_reply(build_item(turn_id="r1"), "first of these second", draw=drawing(), limit=16)
    assert [(one.text, one.target, one.turn_id) for one in owed] == [
        ("first of these", target(), "r1"),
        ("second", target(), "r1"),
    ]


def test_a_command_without_an_answer_or_from_a_client_owes_nothing():
    assert plan_command_reply(build_item(), None, draw=drawing(), limit=None) == ()
    assert plan_command_reply(by_rpc(build_item()), "done", draw=drawing(), limit=None) == ()


# --- messages that get no turn ----------------------------------------------------------------------------------------


def expire(*items, reason="stopped", merged=(), limit=None):
    dropped = {
        item.inbound_id: Dropped(id=item.inbound_id, reason=reason, merged_into=T1 if item in merged else None)
        for item in items
    }
    return plan_expiry(items, dropped, draw=drawing(), text_max_chars=lambda _: limit)


def test_a_message_that_gets_no_turn_ends_and_its_sender_is_told():
    change = expire(build_item("hello", turn_id="r1"))
    assert [(end.state, end.reason, end.turn_id) for end in change.inbox] == [("expired", "stopped", "r1")]
    assert [owed.text for owed in change.deliveries] == ["Your message “hello” was not answered: it was stopped."]
    (noted,) = change.decisions
    assert (noted.decision.outcome, noted.decision.rule, noted.decision.inputs) == (
        "expired",
        "LOSS-2",
        {"reason": "stopped"},
    )


def test_each_sender_in_each_place_is_told_once():
    items = [
        build_item("a", number=1, chat_type="group", chat_id="club", sender="ann"),
        build_item("b", number=2, chat_type="group", chat_id="club", sender="bob"),
        build_item("c", number=3, chat_type="group", chat_id="club", sender="ann"),
        build_item("d", number=4, chat_type="group", chat_id="club", sender="ann", thread_id="7"),
    ]
    change = expire(*items)
    assert len(change.inbox) == len(change.decisions) == 4
    assert sorted(owed.text for owed in change.deliveries) == [
        "2 of your messages were not answered: it was stopped.\n“a”\n“c”",
        "Your message “b” was not answered: it was stopped.",
        "Your message “d” was not answered: it was stopped.",
    ]


def test_one_that_a_turn_has_taken_ends_as_merged_into_it_and_nobody_is_told():
    item = build_item()
    change = expire(item, merged=(item,))
    assert [(end.state, end.turn_id, end.reason) for end in change.inbox] == [("merged", "t1", None)]
    assert (change.deliveries, change.decisions) == ((), ())


def test_a_client_is_told_by_its_events():
    change = expire(by_rpc(build_item()))
    assert len(change.inbox) == len(change.decisions) == 1
    assert change.deliveries == ()


def test_a_notice_keeps_to_the_limit_of_its_channel():
    change = expire(build_item("hello"), limit=20)
    assert len(change.deliveries) > 1
    assert all(len(owed.text) <= 20 for owed in change.deliveries)
