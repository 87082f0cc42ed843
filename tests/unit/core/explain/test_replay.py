"""What recorded traffic would have become under a configuration (WHY-4)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from instar.core.explain.replay import Replayed, replay_traffic
from instar.core.lifecycle.reset import ResetRule, ResetSettings
from instar.core.model.ids import AccountId, ChannelName, SessionKey
from instar.core.model.pairing import PairingFacts
from instar.core.policy.send import SendMatch, SendPolicy, SendRule
from instar.core.queue.settings import QueueConfig
from instar.core.routing.identity import IdentityGroup, build_links
from instar.core.routing.key import KeySettings
from instar.core.routing.route import RoutingSettings
from tests.builders.traffic import DAY, HOUR, TELEGRAM, UTC, Rules, group, record, replay


def test_a_first_message_begins_a_session_and_is_answered():
    (one,) = replay(record())
    assert one == Replayed(
        record=record(),
        session_key=SessionKey("agent:main:main"),
        person="telegram:ann",
        fate="answered",
        began="first",
        is_sent=True,
        context_tokens=10,
    )
    assert one.is_heard


def test_records_are_taken_in_the_order_of_their_times_and_told_in_the_given_order():
    late, early = replay(record(HOUR), record(0))
    assert (early.began, late.began) == ("first", None)


def test_strangers_are_refused_unless_they_were_approved():
    rules = Rules(dm_policy="pairing")
    (refused,) = replay(record(), rules=rules)
    assert (refused.fate, refused.reason, refused.is_heard) == ("refused", "not_paired", False)
    known = PairingFacts(people=frozenset({"ann"}))
    (paired,) = replay(record(), rules=rules, pairing={(TELEGRAM, AccountId("default")): known})
    assert paired.fate == "answered"


def test_a_person_is_counted_once_under_a_hidden_id_and_the_phone_number():
    rules = Rules(routing=RoutingSettings(keys=KeySettings(numbers={"99@lid": "+491701234567"})))
    whatsapp = ChannelName("whatsapp")
    told = replay(record(0, "99@lid", channel=whatsapp), record(1, "+491701234567", channel=whatsapp), rules=rules)
    assert [one.person for one in told] == ["whatsapp:+491701234567"] * 2


def test_a_group_message_that_is_not_addressed_is_only_observed():
    silent, spoken = replay(group(), group(HOUR, is_addressed=True))
    assert (silent.fate, silent.reason) == ("observed", "activation_mention")
    assert (spoken.fate, spoken.began) == ("answered", "first")


def test_a_source_that_names_its_session_passes_the_door():
    key = SessionKey("agent:main:cron:x")
    (one,) = replay(record(session_key=key), rules=Rules(dm_policy="off"))
    assert (one.fate, one.session_key) == ("answered", key)


def test_a_command_is_done_without_a_model():
    first, second = replay(record(), record(HOUR, is_command=True))
    assert (first.fate, second.fate, second.is_heard) == ("answered", "command", True)
    (alone,) = replay(record(is_command=True))
    assert (alone.fate, alone.began) == ("command", None)


def test_a_session_starts_over_by_the_day_by_idleness_and_by_command():
    daily = [one.began for one in replay(record(), record(HOUR), record(DAY))]
    assert daily == ["first", None, "daily"]
    idle = Rules(reset=ResetSettings(base=ResetRule(mode="idle", idle_s=1800)))
    assert [one.began for one in replay(record(), record(HOUR), rules=idle)] == ["first", "idle"]
    asked = replay(record(), record(HOUR, is_command=True, resets=True))
    assert [one.began for one in asked] == ["first", "command"]


def test_a_thread_has_the_policy_of_threads():
    rules = Rules(reset=ResetSettings(by_type={"thread": ResetRule(mode="idle", idle_s=60)}))
    told = replay(record(thread_id="1"), record(HOUR, thread_id="1"), rules=rules)
    assert [one.began for one in told] == ["first", "idle"]


def test_what_the_model_sees_grows_and_begins_anew_with_a_life():
    told = replay(record(reply_chars=60), record(HOUR), record(DAY))
    assert [one.context_tokens for one in told] == [10, 35, 10]


def busy(mode, **fields):
    return Rules(queue=QueueConfig(mode=mode, **fields))


FOUR = [record(0, turn_ms=10_000), record(1000), record(2000), record(60_000)]


@pytest.mark.parametrize(
    ("rules", "fates"),
    [
        (busy("steer"), ["answered", "merged", "merged", "answered"]),
        (busy("followup"), ["answered", "answered", "answered", "answered"]),
        (busy("collect"), ["answered", "answered", "merged", "answered"]),
        (busy("interrupt"), ["answered", "answered", "answered", "answered"]),
        (busy("fanout"), ["answered", "answered", "answered", "answered"]),
        (busy("followup", cap=1, drop="old"), ["answered", "expired", "answered", "answered"]),
        (busy("followup", cap=1, drop="new"), ["answered", "answered", "expired", "answered"]),
    ],
)
def test_messages_that_come_during_a_turn_obey_the_queue(rules, fates):
    assert [one.fate for one in replay(*FOUR, rules=rules)] == fates


def test_a_message_that_waited_meets_the_session_of_its_turn_and_not_of_its_arrival():
    rules = Rules(queue=QueueConfig(mode="followup"), reset=ResetSettings(base=ResetRule(mode="idle", idle_s=5)))
    told = replay(record(0, turn_ms=10_000), record(1000, turn_ms=0), rules=rules)
    assert [one.began for one in told] == ["first", "idle"]


def test_a_reset_during_a_turn_ends_it():
    told = replay(record(0, turn_ms=10_000), record(1000, is_command=True, resets=True))
    assert [(one.fate, one.began) for one in told] == [("answered", "first"), ("answered", "command")]


def test_what_waited_for_a_turn_waits_for_quiet_too():
    told = replay(record(0, turn_ms=10_000), record(9_900), record(10_300), rules=busy("collect"))
    assert [one.fate for one in told] == ["answered", "answered", "merged"]


def test_two_messages_of_the_same_moment_are_both_answered():
    assert [one.fate for one in replay(record(turn_ms=1000), record(turn_ms=1000))] == ["answered", "merged"]


SENDERS = st.sampled_from(["ann", "bob", "eve"])
TRAFFIC = st.lists(
    st.builds(record, st.integers(0, 3 * DAY), SENDERS, turn_ms=st.integers(0, 5000), resets=st.booleans())
    | st.builds(group, st.integers(0, 3 * DAY), SENDERS, is_addressed=st.booleans(), is_command=st.booleans()),
    max_size=12,
)
MODES = st.sampled_from(["steer", "followup", "collect", "interrupt", "fanout", "steer-backlog"])


@given(TRAFFIC, MODES, st.sampled_from(["main", "per-peer", "per-channel-peer"]))
def test_every_record_ends_once_and_the_same_rules_always_tell_the_same(traffic, mode, scope):
    rules = Rules(queue=QueueConfig(mode=mode, cap=2), routing=RoutingSettings(keys=KeySettings(dm_scope=scope)))
    told = replay_traffic(traffic, rules, zone=UTC)
    assert [one.record for one in told] == traffic
    assert told == replay_traffic(traffic, rules, zone=UTC)
    assert all(one.reason for one in told if one.fate in {"refused", "observed", "expired"})


# --- what a session brings along --------------------------------------------------------------------------------------

DISCORD = ChannelName("discord")
ANN = build_links(
    [IdentityGroup(name="ann", ids=("telegram:ann", "discord:77"))], known_channels=frozenset({TELEGRAM, DISCORD})
)


def linked(**more) -> Rules:
    """Rules under which ann is reached on two channels."""
    return Rules(routing=RoutingSettings(keys=KeySettings(dm_scope="per-peer", links=ANN)), **more)


NOT_ON_DISCORD = SendPolicy(rules=(SendRule(action="deny", match=SendMatch(channel="discord"), name="no discord"),))


def test_a_docked_session_is_answered_where_its_person_asked_for():
    """DOCK-7, SEND-4: what may leave on the other channel decides, until it is docked back."""
    dock, home = record(HOUR, is_command=True, docks=DISCORD), record(3 * HOUR, is_command=True, docks=TELEGRAM)
    told = replay(record(), dock, record(2 * HOUR), home, record(4 * HOUR), rules=linked(send=NOT_ON_DISCORD))
    assert [one.is_sent for one in told] == [True, True, False, False, True]
    assert [one.fate for one in told] == ["answered", "command", "answered", "command", "answered"]


def test_a_dock_that_cannot_be_moves_nothing():
    asked = [record(), record(1, is_command=True, docks=DISCORD), record(HOUR)]
    assert [one.is_sent for one in replay(*asked, rules=Rules(send=NOT_ON_DISCORD))] == [True] * 3
    before_the_first = [record(is_command=True, docks=DISCORD), record(HOUR)]
    assert [one.is_sent for one in replay(*before_the_first, rules=linked(send=NOT_ON_DISCORD))] == [True] * 2


def test_a_dock_is_for_the_one_who_asked_for_it():
    """LEAK-4: whoever shares the session is answered where they wrote, and a client that names it is no person."""
    key = SessionKey("agent:main:main")
    shared = Rules(routing=RoutingSettings(keys=KeySettings(links=ANN)), send=NOT_ON_DISCORD)
    told = replay(
        record(),
        record(1, is_command=True, docks=DISCORD),
        record(HOUR),
        record(2 * HOUR, "bob"),
        record(3 * HOUR, session_key=key),
        rules=shared,
    )
    assert [one.session_key for one in told] == [key] * 5
    assert [one.is_sent for one in told] == [True, True, False, True, True]


def test_a_session_of_a_providers_own_program_is_cut_by_an_explicit_policy_only():
    """RESET-27"""
    owned = [record(0, is_provider_owned=True), record(2 * DAY, is_provider_owned=True), record(4 * DAY)]
    assert [one.began for one in replay(*owned)] == ["first", None, None]
    assert [one.began for one in replay(*owned, record(6 * DAY))][-1] == "daily"
    explicit = Rules(reset=ResetSettings(base=ResetRule(mode="daily")))
    assert [one.began for one in replay(*owned, rules=explicit)] == ["first", "daily", "daily"]
