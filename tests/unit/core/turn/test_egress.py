"""Where the answer of a session leaves, and what the send policy is asked about it (SEND-4, SEND-5, DOCK-7)."""

from __future__ import annotations

from dataclasses import replace

import pytest

from instar.core.delivery.route import ReplyRoute
from instar.core.model.change import TurnOptions
from instar.core.model.ids import AccountId, ChannelName, SessionKey
from instar.core.model.message import Target
from instar.core.model.session import Delivery, Origin, Overrides
from instar.core.policy.send import SendFacts, SendMatch, SendPolicy, SendRule, decide_send
from instar.core.routing.identity import NO_LINKS, IdentityGroup, build_links
from instar.core.turn.egress import build_send_facts, find_reply_route, find_usual_route
from tests.builders.turns import KEY, build_item, build_session

LINKS = build_links(
    (IdentityGroup(name="ann", ids=("telegram:42", "discord:A1")),),
    known_channels=frozenset({"telegram", "discord"}),
)
TELEGRAM, DISCORD = ChannelName("telegram"), ChannelName("discord")
TALKED = replace(
    build_session(),
    origin=Origin(channel=TELEGRAM, chat_type="direct"),
    delivery=Delivery(channel=TELEGRAM, to="42"),
    overrides=Overrides(send_policy="inherit"),
)
DOCKED = replace(TALKED, delivery=Delivery(channel=DISCORD, to="A1", docked=True))


def deny(**match) -> SendPolicy:
    return SendPolicy(rules=(SendRule(action="deny", match=SendMatch(**match), name="r"),))


def judge(policy, session, submission=None, *, key=KEY) -> str:
    way = find_usual_route(submission, session, LINKS)
    return decide_send(policy, build_send_facts(key, session, way, main_key="main")).verdict


def test_the_place_where_an_answer_goes_wins_over_the_one_where_the_session_was() -> None:
    mine = build_item().submission
    assert judge(deny(channel="discord"), DOCKED, mine) == "deny"
    assert judge(deny(channel="telegram"), DOCKED, mine) == "allow"
    assert judge(deny(channel="discord"), TALKED, mine) == "allow"
    group = build_item(chat_type="group", chat_id="club").submission
    assert judge(deny(chat_type="group"), TALKED, group) == "deny"
    assert judge(deny(chat_type="direct"), TALKED, group) == "allow"


def test_another_than_the_docker_is_judged_by_their_own_place() -> None:
    other = build_item(sender="7", chat_id="7").submission
    assert judge(deny(channel="discord"), DOCKED, other) == "allow"
    assert judge(deny(channel="telegram"), DOCKED, other) == "deny"


def test_whoever_asks_without_a_place_is_told_of_the_sessions_own_way() -> None:
    named = replace(build_item(channel="webchat").submission, session_key=KEY)
    assert find_reply_route(named, DOCKED, LINKS) is None
    for submission in (None, named):
        assert judge(deny(channel="discord"), DOCKED, submission) == "deny"
        assert judge(deny(channel="telegram"), TALKED, submission) == "deny"
        assert judge(deny(channel="webchat"), TALKED, submission) == "allow"


def test_a_session_nobody_has_used_is_judged_by_the_message_or_by_its_key() -> None:
    assert judge(deny(channel="slack"), None, build_item(channel="slack").submission) == "deny"
    assert judge(deny(channel="telegram"), None) == "deny"
    named = replace(build_item().submission, session_key=KEY, options=TurnOptions(deliver=True))
    assert find_reply_route(named, None, NO_LINKS) is None


@pytest.mark.parametrize(("said", "verdict"), [(None, "deny"), ("group", "deny"), ("direct", "allow")])
def test_the_type_of_a_remembered_place_is_what_the_row_says_else_the_key(said, verdict) -> None:
    club = SessionKey("agent:main:telegram:group:club")
    session = replace(TALKED, key=club, origin=Origin(chat_type=said), delivery=Delivery(channel=TELEGRAM, to="club"))
    assert judge(deny(chat_type="group"), session, key=club) == verdict


def test_all_that_is_known_is_asked() -> None:
    target = Target(channel=DISCORD, account_id=AccountId("default"), to="A1", chat_type="direct")
    session = replace(DOCKED, overrides=Overrides(send_policy="allow"))
    assert build_send_facts(
        KEY, session, ReplyRoute(target=target, rule="DOCK-7", source="docked"), main_key="home"
    ) == SendFacts(
        key=KEY,
        override="allow",
        channel="discord",
        chat_type="direct",
        entry_channel="telegram",
        entry_last_channel="discord",
        entry_chat_type="direct",
        main_key="home",
    )
    assert build_send_facts(KEY, None, None, main_key="main") == SendFacts(key=KEY)
