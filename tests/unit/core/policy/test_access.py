"""Who may write, who may give commands, who is an owner (LEAK-2, CMD-35)."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from instar.core.model.ids import AccountId, ChannelName, Instant, SessionKey
from instar.core.model.message import Target
from instar.core.model.pairing import PairingCode, PairingFacts, Peer
from instar.core.policy.access import (
    NOBODY,
    PAIRING_MAX_WAITING,
    PAIRING_REPEAT_MS,
    AccessFacts,
    AccessSettings,
    build_allow_list,
    decide_access,
    find_pairing_peer,
    is_named_owner,
    parse_access_policy,
)

NOW = Instant(1_000_000)
TELEGRAM = ChannelName("telegram")


def listed(*entries, channel=TELEGRAM, **fields):
    return build_allow_list(entries, channel=channel, **fields)


def settings(channel=TELEGRAM, **fields):
    lists = {
        name: listed(*value, channel=channel) if isinstance(value, list) else value for name, value in fields.items()
    }
    return AccessSettings(channel=channel, **lists)


def direct(sender="7"):
    return AccessFacts(chat_type="direct", sender_id=sender, chat_id=sender)


def in_group(sender="7", group="-100", *, addressed=True):
    return AccessFacts(chat_type="group", sender_id=sender, chat_id=group, is_addressed=addressed)


def decide(given_settings, facts, *, pairing=None):
    if pairing is None:
        return decide_access(given_settings, facts, now=NOW)
    return decide_access(given_settings, facts, now=NOW, pairing=pairing)


@pytest.mark.parametrize(
    ("word", "policy"),
    [
        ("pairing", "pairing"),
        (" Allowlist ", "allowlist"),
        ("OPEN", "open"),
        ("off", "off"),
        ("disabled", "off"),
        ("public", None),
        ("", None),
        (None, None),
        (True, None),
    ],
)
def test_policies_are_words(word, policy):
    assert parse_access_policy(word) == policy


# --- direct chats -----------------------------------------------------------------------------------------------------


def test_a_stranger_waits_by_default_and_is_told_which_setting_admits_them():
    access = decide(settings(), direct("42"))
    assert (access.admitted, access.reason, access.rule) == (False, "not_paired", "LEAK-2")
    assert access.hint == 'To admit this sender, add "42" to channels.telegram.allowFrom.'
    assert (access.authorised_for_commands, access.is_owner, access.pairing) == (False, False, "none")


def test_the_hint_names_the_channel_as_it_is_configured():
    access = decide(settings(path="channels.TG"), direct("42"))
    assert "channels.TG.allowFrom" in access.hint


def test_a_hint_repeats_only_the_beginning_of_a_hostile_id():
    assert len(decide(settings(), direct("9" * 10_000)).hint) < 200


def test_a_hint_for_nobody_names_the_list_alone():
    assert decide(settings(), direct("")).hint == "To admit this sender, fill channels.telegram.allowFrom."


@pytest.mark.parametrize("policy", ["pairing", "allowlist", "open"])
def test_a_listed_sender_is_admitted_may_command_and_owns(policy):
    access = decide(settings(dm_policy=policy, allow_from=["7"]), direct())
    assert (access.admitted, access.reason) == (True, "allowlisted")
    assert (access.authorised_for_commands, access.is_owner) == (True, True)


@pytest.mark.parametrize("allow_from", [[], ["*"]])
def test_open_admits_everybody_with_or_without_a_star_and_makes_nobody_owner(allow_from):
    access = decide(settings(dm_policy="open", allow_from=allow_from), direct())
    assert (access.admitted, access.authorised_for_commands, access.is_owner) == (True, True, False)


def test_a_star_in_the_list_admits_everybody_and_makes_nobody_owner():
    access = decide(settings(dm_policy="allowlist", allow_from=["*"]), direct())
    assert (access.admitted, access.reason, access.is_owner) == (True, "allowlisted", False)


def test_an_allow_list_refuses_who_is_not_on_it():
    access = decide(settings(dm_policy="allowlist", allow_from=["8"]), direct())
    assert (access.admitted, access.reason) == (False, "not_allowlisted")
    assert "channels.telegram.allowFrom" in access.hint


def test_off_refuses_even_listed_senders():
    access = decide(settings(dm_policy="off", allow_from=["7"]), direct())
    assert (access.admitted, access.reason) == (False, "dms_off")
    assert access.hint == 'Set channels.telegram.dmPolicy to "allowlist" and add "7" to channels.telegram.allowFrom.'


# --- how ids compare --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("channel", "entry", "sender"),
    [
        ("telegram", "tg:7", "7"),
        ("telegram", "telegram:7", "7"),
        ("slack", " U0ABC ", "u0abc"),
        ("whatsapp", "+1 555 123-4567", "15551234567@s.whatsapp.net"),
        ("signal", "+1 (555) 1234567", "+15551234567"),
    ],
)
def test_ids_compare_as_keys_spell_them(channel, entry, sender):
    name = ChannelName(channel)
    assert decide(settings(name, dm_policy="allowlist", allow_from=[entry]), direct(sender)).admitted


@pytest.mark.parametrize(
    ("channel", "entry", "sender"),
    [("whatsapp", "telegram:15551234567", "+15551234567"), ("discord", "telegram:7", "7"), ("irc", "", "")],
)
def test_an_id_of_another_channel_names_nobody_here(channel, entry, sender):
    name = ChannelName(channel)
    assert not decide(settings(name, dm_policy="allowlist", allow_from=[entry]), direct(sender)).admitted


def test_a_hidden_whatsapp_id_compares_by_its_number():
    name = ChannelName("whatsapp")
    numbers = {"99@lid": "+15551234567"}
    rules = AccessSettings(
        channel=name,
        dm_policy="allowlist",
        allow_from=build_allow_list(["+15551234567"], channel=name, numbers=numbers),
        numbers=numbers,
    )
    assert decide(rules, direct("99@lid")).admitted


def test_a_configured_channel_counts_as_a_prefix():
    entries = build_allow_list(["desk:7"], channel=ChannelName("irc"), known_channels=frozenset({"irc", "desk"}))
    assert entries.people == frozenset()
    assert entries.is_given


def test_an_empty_list_is_not_given():
    assert build_allow_list([" "], channel=TELEGRAM) == NOBODY


# --- owners -----------------------------------------------------------------------------------------------------------


def test_a_list_of_owners_is_the_only_word_on_owners():
    rules = settings(allow_from=["7", "8"], owner_allow_from=["8"])
    assert not decide(rules, direct("7")).is_owner
    assert decide(rules, direct("8")).is_owner


def test_a_star_makes_no_owner():
    assert not decide(settings(allow_from=["7"], owner_allow_from=["*"]), direct("7")).is_owner


def test_a_list_of_owners_elsewhere_still_is_a_list():
    rules = settings(allow_from=["7"], owner_allow_from=["discord:7"])
    assert not decide(rules, direct("7")).is_owner


def test_a_listed_owner_owns_in_groups_too_and_an_allowed_sender_does_not():
    rules = settings(group_policy="open", allow_from=["7"])
    assert not decide(rules, in_group("7")).is_owner
    assert decide(settings(group_policy="open", owner_allow_from=["7"]), in_group("7")).is_owner


# --- groups -----------------------------------------------------------------------------------------------------------


def test_an_unknown_group_waits_by_default():
    access = decide(settings(), in_group(group="-100"))
    assert (access.admitted, access.reason) == (False, "not_paired")
    assert access.hint == 'To admit this sender, add "-100" to channels.telegram.groupAllowFrom.'


@pytest.mark.parametrize("entry", ["-100", "7", "*", "telegram:-100"])
def test_a_group_list_names_groups_or_senders(entry):
    access = decide(settings(group_policy="allowlist", group_allow_from=[entry]), in_group())
    assert (access.admitted, access.reason) == (True, "allowlisted")


def test_the_list_for_direct_chats_opens_no_group():
    access = decide(settings(group_policy="allowlist", allow_from=["7"]), in_group())
    assert (access.admitted, access.reason) == (False, "not_allowlisted")


def test_groups_can_be_open_or_off():
    assert decide(settings(group_policy="open"), in_group()).reason == "open"
    access = decide(settings(group_policy="off", group_allow_from=["*"]), in_group())
    assert (access.reason, access.hint.split(" to ")[0]) == ("groups_off", "Set channels.telegram.groupPolicy")


def test_a_room_obeys_the_policy_of_groups():
    facts = AccessFacts(chat_type="channel", sender_id="7", chat_id="general")
    assert decide(settings(dm_policy="open"), facts).reason == "not_paired"
    assert decide(settings(group_allow_from=["General"]), facts).admitted


@pytest.mark.parametrize(
    "lists",
    [
        {"group_allow_from": ["7"]},
        {"allow_from": ["7"]},
        {"command_allow_from": ["7"]},
        {"owner_allow_from": ["7"]},
        {"command_allow_from": ["*"]},
    ],
)
def test_in_a_group_a_listed_sender_may_command(lists):
    assert decide(settings(group_policy="open", **lists), in_group()).authorised_for_commands


@pytest.mark.parametrize("lists", [{}, {"group_allow_from": ["-100"]}])
def test_being_in_an_admitted_group_does_not_suffice_for_commands(lists):
    access = decide(settings(group_policy="open", **lists), in_group())
    assert (access.admitted, access.authorised_for_commands) == (True, False)


# --- pairing ----------------------------------------------------------------------------------------------------------


ACCOUNT = AccountId("default")


def code(peer, *, kind="direct", expires_at=NOW + 1, told_at=NOW - PAIRING_REPEAT_MS):
    return PairingCode(
        peer=Peer(channel=TELEGRAM, account_id=ACCOUNT, kind=kind, peer_id=peer),
        session_key=SessionKey("k"),
        target=Target(channel=TELEGRAM, account_id=ACCOUNT, to=peer, chat_type="direct"),
        code="ABCD2345",
        created_at=Instant(0),
        told_at=Instant(told_at),
        expires_at=Instant(expires_at),
    )


def test_an_approved_person_is_admitted_and_owns_their_direct_chat():
    access = decide(settings(), direct(), pairing=PairingFacts(people=frozenset({"7"})))
    assert (access.admitted, access.reason, access.is_owner) == (True, "paired", True)


def test_an_approval_does_not_count_under_an_allow_list():
    pairing = PairingFacts(people=frozenset({"7"}), groups=frozenset({"-100"}))
    assert decide(settings(dm_policy="allowlist"), direct(), pairing=pairing).reason == "not_allowlisted"
    assert decide(settings(group_policy="allowlist"), in_group(), pairing=pairing).reason == "not_allowlisted"


def test_an_approved_group_is_admitted_without_commands():
    access = decide(settings(), in_group(), pairing=PairingFacts(groups=frozenset({"-100"})))
    assert (access.admitted, access.reason, access.authorised_for_commands) == (True, "paired", False)


def test_an_unknown_sender_is_offered_a_code():
    access = decide(settings(), direct(), pairing=PairingFacts(enabled=True))
    assert (access.admitted, access.reason, access.pairing) == (False, "not_paired", "offer")


def test_a_sender_whose_code_waits_is_told_the_same_one():
    access = decide(settings(), direct(), pairing=PairingFacts(enabled=True, waiting=(code("7"),)))
    assert (access.pairing, access.waiting) == ("repeat", code("7"))


@pytest.mark.parametrize(
    ("told_at", "step"),
    [(NOW, "waits"), (NOW - PAIRING_REPEAT_MS + 1, "waits"), (NOW - PAIRING_REPEAT_MS, "repeat"), (NOW + 5, "repeat")],
)
def test_a_code_is_told_again_only_after_a_while(told_at, step):
    waiting = (code("7", told_at=told_at),)
    access = decide(settings(), direct(), pairing=PairingFacts(enabled=True, waiting=waiting))
    assert (access.pairing, access.waiting) == (step, waiting[0])


def test_a_group_is_told_its_code_once_while_it_waits():
    waiting = (code("-100", kind="group", told_at=0),)
    access = decide(settings(), in_group(), pairing=PairingFacts(enabled=True, waiting=waiting))
    assert (access.pairing, access.waiting) == ("waits", waiting[0])


def test_an_expired_code_is_replaced():
    pairing = PairingFacts(enabled=True, waiting=(code("7", expires_at=NOW),))
    assert decide(settings(), direct(), pairing=pairing).pairing == "offer"


def test_a_code_from_before_the_clock_was_set_back_is_replaced_and_takes_no_place():
    later = NOW + 86_400_000
    codes = (code(str(number), told_at=later, expires_at=later + 1) for number in range(7, 11))
    waiting = tuple(replace(one, created_at=Instant(later)) for one in codes)
    assert decide(settings(), direct(), pairing=PairingFacts(enabled=True, waiting=waiting)).pairing == "offer"


def test_at_most_three_codes_wait_on_a_channel():
    waiting = tuple(code(str(number)) for number in range(100, 100 + PAIRING_MAX_WAITING))
    assert decide(settings(), direct(), pairing=PairingFacts(enabled=True, waiting=waiting)).pairing == "full"
    assert decide(settings(), direct("100"), pairing=PairingFacts(enabled=True, waiting=waiting)).pairing == "repeat"


def test_the_codes_of_all_accounts_of_a_channel_count_and_only_those_that_hold():
    codes = tuple(code(str(number)) for number in range(100, 100 + PAIRING_MAX_WAITING))
    shared = PairingFacts(enabled=True, waiting=codes[:1], elsewhere=codes[1:])
    assert decide(settings(), direct(), pairing=shared).pairing == "full"
    assert decide(settings(), direct("101"), pairing=shared).pairing == "full"
    over = replace(shared, elsewhere=tuple(replace(one, expires_at=NOW) for one in codes[1:]))
    assert decide(settings(), direct(), pairing=over).pairing == "offer"


def test_nobody_is_offered_no_code():
    assert decide(settings(), direct(""), pairing=PairingFacts(enabled=True)).pairing == "none"


def test_a_group_is_offered_a_code_only_when_the_agent_is_addressed():
    pairing = PairingFacts(enabled=True)
    assert decide(settings(), in_group(addressed=False), pairing=pairing).pairing == "none"
    assert decide(settings(), in_group(), pairing=pairing).pairing == "offer"


def test_the_code_of_a_group_is_not_the_code_of_a_person_with_that_id():
    waiting = (code("-100", kind="direct"),)
    assert decide(settings(), in_group(), pairing=PairingFacts(enabled=True, waiting=waiting)).pairing == "offer"


@pytest.mark.parametrize(
    ("policies", "facts", "peer"),
    [
        ({}, direct("7"), ("direct", "7")),
        ({}, in_group(), ("group", "-100")),
        ({"dm_policy": "open"}, direct("7"), ("direct", "7")),
        ({"dm_policy": "allowlist"}, direct("7"), ("direct", "7")),
        ({"dm_policy": "off"}, direct("7"), None),
        ({"group_policy": "open"}, in_group(), None),
        ({"group_policy": "off"}, in_group(), None),
        ({}, direct(" "), None),
    ],
)
def test_an_approval_is_looked_up_where_it_can_count(policies, facts, peer):
    found = find_pairing_peer(settings(**policies), facts, account_id=ACCOUNT)
    assert (None if found is None else (found.kind, found.peer_id)) == peer


def test_an_approval_makes_nobody_a_named_owner():
    named = settings(owner_allow_from=["telegram:7", "*"])
    assert is_named_owner(named, " 7 ")
    assert not is_named_owner(named, "8")
    assert not is_named_owner(settings(), "7")


def test_with_owners_named_an_approved_person_is_none_of_them():
    known = PairingFacts(people=frozenset({"7"}))
    access = decide(settings(owner_allow_from=["8"]), direct(), pairing=known)
    assert (access.admitted, access.authorised_for_commands, access.is_owner) == (True, True, False)


def test_an_approved_person_owns_nothing_in_a_group():
    known = PairingFacts(people=frozenset({"7"}), groups=frozenset({"-100"}))
    assert not decide(settings(), in_group(), pairing=known).is_owner


# --- laws -------------------------------------------------------------------------------------------------------------

IDS = st.sampled_from(["7", "8", "*", "-100", "telegram:7", ""])


@given(
    policies=st.tuples(*[st.sampled_from(["pairing", "allowlist", "open", "off"])] * 2),
    lists=st.fixed_dictionaries(
        {
            name: st.lists(IDS, max_size=3)
            for name in ("allow_from", "group_allow_from", "command_allow_from", "owner_allow_from")
        }
    ),
    facts=st.builds(
        AccessFacts,
        chat_type=st.sampled_from(["direct", "group", "channel"]),
        sender_id=st.sampled_from(["7", "8", "9", ""]),
        chat_id=st.sampled_from(["-100", "-200", ""]),
    ),
)
def test_who_is_refused_may_nothing_and_a_refusal_says_how_to_mend_it(policies, lists, facts):
    rules = settings(dm_policy=policies[0], group_policy=policies[1], **lists)
    access = decide(rules, facts)
    if access.admitted:
        assert access.hint == ""
    else:
        assert not access.authorised_for_commands
        assert not access.is_owner
        assert "channels.telegram." in access.hint


def test_a_decision_is_recorded_without_ids():
    facts = direct("42")
    record = decide(settings(), facts).as_decision(facts)
    assert (record.kind, record.outcome, record.rule) == ("access", "refused", "LEAK-2")
    assert record.inputs == {
        "reason": "not_paired",
        "chat": "direct",
        "authorised": False,
        "owner": False,
        "pairing": "none",
    }
    admitted = decide(settings(dm_policy="open"), facts)
    assert admitted.as_decision(facts).outcome == "admitted"
