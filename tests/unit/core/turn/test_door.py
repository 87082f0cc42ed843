"""The decision at the door: where a message goes, who may write, what wakes the agent (LOSS-1, SEND-11)."""

from __future__ import annotations

from dataclasses import replace

import pytest

from instar.core.model.change import AcceptFacts, Submission, TurnOptions
from instar.core.model.ids import AgentId, ChannelName, DeliveryId, SessionKey
from instar.core.model.session import Delivery, Origin, Overrides
from instar.core.policy.access import AccessSettings, build_allow_list
from instar.core.policy.activation import ActivationSettings
from instar.core.policy.commands import CommandContext
from instar.core.policy.send import SendMatch, SendPolicy, SendRule
from instar.core.routing.identity import IdentityGroup, build_links
from instar.core.routing.key import KeySettings
from instar.core.routing.route import RoutingSettings
from instar.core.turn.door import DoorSettings, decide_acceptance, resolve_address
from tests.builders.turns import KEY, NOW, build_item, build_session

ROUTING = RoutingSettings(keys=KeySettings(dm_scope="per-channel-peer"))
MAIN = AgentId("main")
DENY = SendPolicy(rules=(SendRule(action="deny", match=SendMatch(), name="none"),))


def settings(**access) -> DoorSettings:
    return DoorSettings(
        access=AccessSettings(channel="telegram", path="channels.telegram", **access),
        activation=ActivationSettings(),
        commands=CommandContext(),
    )


OPEN = settings(dm_policy="open", group_policy="open")


def accept(submission: Submission, door: DoorSettings = OPEN, *, session=None):
    address = resolve_address(ROUTING, submission, default_agent=MAIN)
    facts = AcceptFacts(inbound_id=build_item().inbound_id, now=NOW, session=session)
    return decide_acceptance(facts, submission, address, door)


def named(text: str = "hi", **changes) -> Submission:
    return replace(build_item(text).submission, session_key=KEY, **changes)


def test_a_direct_message_goes_to_its_persons_session() -> None:
    acceptance = accept(build_item().submission)
    assert (acceptance.status, acceptance.session_key, acceptance.agent_id) == ("accepted", KEY, "main")
    assert acceptance.owner == "telegram:42"
    assert [decision.kind for decision in acceptance.decisions] == ["route", "access", "activation"]


def test_a_stranger_is_refused_with_the_setting_that_would_admit_them() -> None:
    acceptance = accept(build_item().submission, settings(dm_policy="pairing"))
    assert (acceptance.status, acceptance.reason) == ("refused", "not_paired")
    assert "channels.telegram.allowFrom" in acceptance.hint
    assert [decision.kind for decision in acceptance.decisions] == ["route", "access"]


def test_a_group_message_that_does_not_call_the_agent_is_observed() -> None:
    group = build_item("lunch?", chat_type="group", chat_id="g1").submission
    acceptance = accept(group)
    assert (acceptance.status, acceptance.session_key) == ("observed", "agent:main:telegram:group:g1")
    assert acceptance.owner is None


def test_an_answer_to_what_the_agent_sent_in_the_group_wakes_it() -> None:
    group = build_item("and why?", chat_type="group", chat_id="g1").submission
    address = resolve_address(ROUTING, group, default_agent=MAIN)
    facts = AcceptFacts(inbound_id=build_item().inbound_id, now=NOW)
    assert decide_acceptance(facts, group, address, OPEN).status == "observed"
    acceptance = decide_acceptance(replace(facts, answers_agent=True), group, address, OPEN)
    assert acceptance.status == "accepted"
    assert acceptance.decisions[-1].inputs["addressed"] == "reply"
    told = replace(group, inbound=replace(group.inbound, reply_to_agent=True))
    assert decide_acceptance(facts, told, address, OPEN).status == "accepted"


def test_the_sessions_own_activation_wins() -> None:
    group = build_item("lunch?", chat_type="group", chat_id="g1").submission
    always = replace(build_session(), overrides=Overrides(group_activation="always"))
    assert accept(group, session=always).status == "accepted"


def test_a_command_of_an_authorised_sender_wakes_the_agent_in_a_group() -> None:
    listed = build_allow_list(["42"], channel="telegram", known_channels=frozenset({"telegram"}))
    group = build_item("/status", chat_type="group", chat_id="g1").submission
    known = accept(group, settings(group_policy="open", group_allow_from=listed))
    assert (known.status, known.authorised) == ("accepted", True)


def test_a_command_of_somebody_who_may_give_none_is_swallowed_and_no_context_of_the_group() -> None:
    stranger = accept(build_item("/status", chat_type="group", chat_id="g1").submission)
    assert (stranger.status, stranger.reason, stranger.hint) == ("refused", "not_authorised", "")
    assert [(one.kind, one.rule) for one in stranger.decisions][-1] == ("command", "CMD-33")
    for text in ("/new", "stop", "hello /think high", "/foo"):
        assert accept(build_item(text, chat_type="group", chat_id="g1").submission).status == "observed", text


def test_directives_in_the_midst_of_talk_do_not_wake_the_agent() -> None:
    listed = build_allow_list(["42"], channel="telegram", known_channels=frozenset({"telegram"}))
    door = settings(group_policy="open", group_allow_from=listed)
    for text, status in (
        ("I would /think high about it", "observed"),
        ("/think high what is it?", "accepted"),
        ("and now /status please", "accepted"),
    ):
        assert accept(build_item(text, chat_type="group", chat_id="g1").submission, door).status == status, text


def test_a_source_that_names_the_session_is_not_asked_for_its_sender() -> None:
    acceptance = accept(named(may_command=True, is_owner=True, principal="ann"), settings(dm_policy="off"))
    assert (acceptance.status, acceptance.session_key) == ("accepted", KEY)
    assert (acceptance.authorised, acceptance.is_owner, acceptance.owner) == (True, True, "telegram:42")
    (route,) = acceptance.decisions
    assert (route.kind, route.rule) == ("route", "KEY-14")


def test_a_named_key_without_an_agent_belongs_to_the_default_one() -> None:
    address = resolve_address(ROUTING, replace(named(), session_key=SessionKey("global")), default_agent=MAIN)
    assert address.agent_id == "main"


@pytest.mark.parametrize("session", [None, build_session()])
def test_a_session_that_may_not_send_refuses_what_is_sent_to_it(session) -> None:
    acceptance = accept(named(), replace(OPEN, send_policy=DENY), session=session)
    assert (acceptance.status, acceptance.reason) == ("refused", "send_denied")
    assert [decision.kind for decision in acceptance.decisions] == ["route", "send"]


def test_a_command_passes_a_denied_session_so_that_it_can_be_allowed_again() -> None:
    denied = replace(OPEN, send_policy=DENY)
    assert accept(named("/send on", may_command=True), denied).status == "accepted"
    assert accept(named("/send on"), denied).status == "refused"
    assert accept(named("/think high /verbose on", may_command=True), denied).status == "accepted"
    assert accept(named("/think high what is it?", may_command=True), denied).status == "refused"


def test_the_gateways_own_messages_pass_a_denied_session() -> None:
    system = named(options=TurnOptions(system=True))
    assert accept(system, replace(OPEN, send_policy=DENY)).status == "accepted"


def test_a_session_that_another_began_is_not_entered_and_the_sender_is_told() -> None:
    links = build_links(
        (IdentityGroup(name="ann", ids=("telegram:42",)),), known_channels=frozenset({"telegram", "slack"})
    )
    routing = RoutingSettings(keys=KeySettings(dm_scope="per-peer", links=links))
    item = build_item("hello")
    address = resolve_address(routing, item.submission, default_agent=MAIN)
    door = replace(OPEN, links=links)

    def enter(owner: str, *draw_id):
        session = replace(build_session(), key=address.session_key, owner=owner)
        facts = AcceptFacts(inbound_id=item.inbound_id, now=NOW, session=session)
        return decide_acceptance(facts, item.submission, address, door, draw_id=draw_id[0] if draw_id else None)

    refused = enter("slack:ann", lambda: DeliveryId("d1"))
    assert (refused.status, refused.reason, refused.owner) == ("refused", "anothers_session", None)
    (told,) = refused.deliveries
    assert (told.target.to, told.delivery_id) == ("42", "d1")
    assert "slack" not in told.text
    assert address.session_key in refused.hint
    assert (refused.decisions[-1].rule, refused.decisions[-1].outcome) == ("LEAK-4", "refused")
    assert enter("slack:ann").deliveries == ()
    assert enter("telegram:42").status == "accepted"


@pytest.mark.parametrize(
    ("is_run", "deliver", "status"),
    [
        (True, False, "accepted"),
        (True, True, "refused"),
        (False, False, "refused"),
        (False, True, "refused"),
    ],
)
def test_a_run_whose_caller_takes_the_answer_passes_a_denied_session(is_run, deliver, status) -> None:
    options = TurnOptions(is_run=is_run, deliver=deliver)
    assert accept(named(options=options), replace(OPEN, send_policy=DENY)).status == status


def test_what_is_to_be_delivered_is_judged_by_the_place_where_it_goes() -> None:
    rule = SendRule(action="deny", match=SendMatch(channel="slack"), name="slack")
    door = replace(OPEN, send_policy=SendPolicy(rules=(rule,)))
    docked = replace(
        build_session(),
        origin=Origin(channel=ChannelName("telegram")),
        delivery=Delivery(channel=ChannelName("slack"), to="U1", docked=True),
    )
    assert accept(named(options=TurnOptions(deliver=True)), door, session=docked).reason == "send_denied"
    assert accept(named(), door, session=docked).status == "accepted"
