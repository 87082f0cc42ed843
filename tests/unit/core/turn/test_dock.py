"""What a dock command writes and says, for each way it can end (DOCK-2…8)."""

from __future__ import annotations

from dataclasses import replace

import pytest

from instar.core.model.ids import ChannelName
from instar.core.model.session import Delivery
from instar.core.routing.identity import IdentityGroup, build_links
from instar.core.turn.dock import plan_dock
from tests.builders.turns import build_facts, build_item, build_session

LINKS = build_links(
    (IdentityGroup(name="ann", ids=("telegram:42", "discord:AnnD")),),
    known_channels=frozenset({"telegram", "discord"}),
)
DISCORD = ChannelName("discord")
TELEGRAM = ChannelName("telegram")
DOCKED = Delivery(channel=DISCORD, to="AnnD", account_id="default", docked=True)


def dock(item, *, target=DISCORD, session=None, is_connected=True):
    return plan_dock(build_facts(session), item, target, links=LINKS, is_connected=is_connected)


def test_a_docked_session_keeps_everything_but_its_route():
    session = build_session()
    planned = dock(build_item(), session=session)
    assert replace(planned.change.session, delivery=session.delivery, lifecycle=session.lifecycle) == session
    assert planned.change.session.delivery == DOCKED
    assert [noted.decision.outcome for noted in planned.change.decisions] == ["docked"]
    assert planned.text == "From now on this session is answered on discord. /dock-telegram brings it back here."


def test_docking_home_follows_the_chat_as_the_platform_spells_it():
    session = replace(build_session(), delivery=DOCKED)
    planned = dock(build_item(chat_id="Chat-42", thread_id="7"), target=TELEGRAM, session=session)
    assert planned.change.session.delivery == Delivery(
        channel=TELEGRAM, to="Chat-42", account_id="default", thread_id="7"
    )


@pytest.mark.parametrize(
    ("item", "session", "outcome", "words"),
    [
        (build_item(chat_type="group"), build_session(), "not_direct", "Only a direct chat"),
        (build_item(sender=" "), build_session(), "sender_unknown", "does not say who you are"),
        (build_item(sender="43"), build_session(), "not_linked", "no place on discord"),
        (build_item(), None, "no_session", "no session here yet"),
        (build_item(), replace(build_session(), delivery=DOCKED), "already_there", "already answered on discord"),
    ],
)
def test_each_reason_changes_nothing_and_has_a_sentence_of_its_own(item, session, outcome, words):
    planned = dock(item, session=session)
    assert planned.change.session is None
    assert [noted.decision.outcome for noted in planned.change.decisions] == [outcome]
    assert words in planned.text


def test_nobody_is_docked_to_a_channel_that_does_not_run():
    planned = dock(build_item(), session=build_session(), is_connected=False)
    assert planned.change.session is None
    assert "not connected" in planned.text
