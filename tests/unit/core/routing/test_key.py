"""Keys derived, built and canonicalised (KEY-2…15), and the laws that keep them apart."""

from __future__ import annotations

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from instar.core.model.ids import ChannelName
from instar.core.routing.identity import IdentityGroup, build_links
from instar.core.routing.key import (
    KeySettings,
    build_source_key,
    canonical_key,
    derive_place,
    derive_session_key,
    is_incognito_key,
    main_session_key,
    parent_key,
    parse_key,
    short_key,
)
from instar.core.routing.normalize import KNOWN_CHANNELS, normalize_peer
from instar.core.routing.segment import escape_id

SCOPES = ["per-peer", "per-channel-peer", "per-account-channel-peer"]
ALICE = build_links((IdentityGroup(name="Alice", ids=("telegram:1", "discord:2")),), known_channels=KNOWN_CHANNELS)

WORDS = [
    ":",
    "thread",
    "topic",
    "direct",
    "group",
    "channel",
    "dm",
    "room",
    "cron",
    "hook",
    "node-",
    "subagent",
    "agent",
    "main",
    "global",
    "unknown",
    "incognito-",
    "irc",
    "tg:",
    "alice",
    "%3a",
    "%",
    "%~",
    "../",
    "\x00",
    "\u202e",
    "\u200b",
    "\ud800",
    " ",
    "A",
    "5",
]
HOSTILE = st.lists(st.sampled_from(WORDS), min_size=1, max_size=7).map("".join) | st.text(min_size=1, max_size=12)
NAMES = st.sampled_from(
    ["telegram", "irc", "matrix", "cron", "direct", "thread", "node-x", "agent", "global", "a:b", "group"]
)


def derive(**parts: object) -> str:
    asked = {"agent_id": "main", "channel": "irc", "kind": "direct", "peer_id": "bob", **parts}
    return derive_session_key(asked.pop("settings", KeySettings(dm_scope="per-channel-peer")), **asked)


def canonical(text: str, *, hint: str | None = None, **settings: object) -> str | None:
    return canonical_key(text, KeySettings(**settings), default_agent="main", channel_hint=hint)


def test_a_missing_channel_is_written_unknown():
    assert derive(channel="") == "agent:main:unknown:direct:bob"


def test_the_threads_of_a_group_that_belongs_to_main_go_to_main_too():
    assert derive(kind="group", thread_id="5", group_scope="main") == "agent:main:main"


def test_a_binding_brings_a_group_back_from_main():
    settings = KeySettings(group_scope="main")
    assert derive(settings=settings, kind="group", group_scope="per-group") == "agent:main:irc:group:bob"


@pytest.mark.parametrize(
    ("override", "expected"),
    [("main", "agent:main:main"), ("per-peer", "agent:main:direct:bob"), (None, "agent:main:irc:direct:bob")],
)
def test_a_binding_may_override_the_scope_of_its_people(override, expected):
    assert derive(dm_scope=override) == expected


def test_a_thread_of_the_main_session_is_a_session_of_its_own():
    assert derive(settings=KeySettings(), thread_id="0") == "agent:main:main:thread:0"
    assert derive(settings=KeySettings(scope="global"), thread_id=" ") == "global"


def test_only_a_telegram_group_has_topics():
    assert derive(channel="tg", kind="group", thread_id="7") == "agent:main:telegram:group:bob:topic:7"
    assert derive(channel="telegram", kind="direct", thread_id="7") == "agent:main:telegram:direct:bob:thread:7"
    assert derive(channel="telegram", kind="channel", thread_id="7") == "agent:main:telegram:channel:bob:thread:7"


def test_global_scope_leaves_groups_and_isolated_people_alone():
    settings = KeySettings(scope="global", dm_scope="per-peer")
    assert derive(settings=settings) == "agent:main:direct:bob"
    assert derive(settings=settings, kind="group") == "agent:main:irc:group:bob"
    assert derive(settings=settings, kind="group", group_scope="main") == "global"


@pytest.mark.parametrize("scope", SCOPES)
def test_a_linked_person_has_one_session_on_all_channels(scope):
    settings = KeySettings(dm_scope=scope, links=ALICE)
    keys = {
        derive(settings=settings, channel=channel, peer_id=peer)
        for channel, peer in [("telegram", "1"), ("discord", "2")]
    }
    assert keys == {"agent:main:direct:alice"}


def test_links_do_not_count_in_groups_and_under_main():
    assert derive(settings=KeySettings(links=ALICE), channel="telegram", peer_id="1") == "agent:main:main"
    settings = KeySettings(links=ALICE, dm_scope="per-peer")
    assert derive(settings=settings, channel="telegram", peer_id="1", kind="group") == "agent:main:telegram:group:1"


def test_a_stranger_who_takes_a_linked_persons_name_stays_a_stranger():
    settings = KeySettings(dm_scope="per-peer", links=ALICE)
    assert derive(settings=settings, peer_id="Alice") == "agent:main:direct:%~alice"
    assert derive(settings=settings, peer_id="bob") == "agent:main:direct:bob"


@pytest.mark.parametrize(
    ("asked", "rule"),
    [
        ({}, "KEY-2"),
        ({"dm_scope": "per-peer"}, "KEY-6"),
        ({"dm_scope": "main"}, "KEY-6"),
        ({"settings": KeySettings()}, "KEY-2"),
        ({"settings": KeySettings(scope="global")}, "KEY-10"),
        ({"peer_id": " "}, "KEY-7"),
        ({"kind": "group"}, "KEY-4"),
        ({"kind": "group", "peer_id": ""}, "KEY-7"),
        ({"kind": "group", "group_scope": "main"}, "KEY-5"),
        ({"settings": KeySettings(dm_scope="per-peer", links=ALICE), "channel": "discord", "peer_id": "2"}, "LINK-6"),
    ],
)
def test_a_place_tells_the_rule_that_gave_it(asked, rule):
    facts = {"agent_id": "main", "channel": "irc", "kind": "direct", "peer_id": "bob", **asked}
    place = derive_place(facts.pop("settings", KeySettings(dm_scope="per-channel-peer")), **facts)
    assert place.rule == rule


def test_a_place_tells_whose_it_is():
    settings = KeySettings(dm_scope="per-peer", links=ALICE)
    place = derive_place(settings, agent_id="main", channel="discord", kind="direct", peer_id="2", thread_id="9")
    assert (place.key, place.peer_id, place.is_isolated) == ("agent:main:direct:alice:thread:9", "2", True)
    assert place.person is not None
    assert place.person.name == "Alice"


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("cron", "agent:main:cron:job-1"),
        ("hook", "agent:main:hook:job-1"),
        ("node", "agent:main:node-job-1"),
        ("subagent", "agent:main:subagent:job-1"),
        ("acp", "agent:main:acp:job-1"),
        ("dashboard", "agent:main:dashboard:job-1"),
        ("explicit", "agent:main:explicit:job-1"),
    ],
)
def test_sources_that_are_not_people_have_keys_of_their_own(kind, expected):
    assert build_source_key("Main", kind, " Job-1 ") == expected


def test_one_run_of_a_job_may_have_its_own_key():
    assert build_source_key("main", "cron", "j", run_id="R1") == "agent:main:cron:j:run:r1"


@pytest.mark.parametrize(
    ("text", "settings", "expected"),
    [
        (":: :", {}, None),
        ("", {}, None),
        ("agent:work", {}, "agent:main:agent:work"),
        ("agent:Work Agent:MAIN", {"main_key": "home"}, "agent:work-agent:home"),
        ("agent:work:main", {"scope": "global"}, "global"),
        ("home", {"main_key": "home", "scope": "global"}, "global"),
        ("main:thread:5", {"main_key": "home"}, "agent:main:home:thread:5"),
        ("unknown", {}, "unknown"),
        ("GLOBAL:thread:5", {}, "global:thread:5"),
        ("global:x", {}, "agent:main:global:x"),
        ("node:ios", {}, "agent:main:node-ios"),
        ("node", {}, "agent:main:node"),
        ("dm:bob", {}, "agent:main:direct:bob"),
        ("dm", {}, "agent:main:dm"),
        ("agent:main:irc:acc:dm:bob", {}, "agent:main:irc:acc:direct:bob"),
        ("agent:main:irc:room:dm:x", {}, "agent:main:irc:channel:dm:x"),
        ("agent:main:direct:dm:x", {}, "agent:main:direct:dm:x"),
        ("cron:dm:x", {}, "agent:main:cron:dm:x"),
        ("hook:room:x", {}, "agent:main:hook:room:x"),
        ("tg:Telegram:5", {"dm_scope": "per-peer"}, "agent:main:tg:telegram:5"),
        ("tg:5", {"dm_scope": "per-channel-peer"}, "agent:main:telegram:direct:5"),
        ("discord:2", {"dm_scope": "per-channel-peer", "links": ALICE}, "agent:main:direct:alice"),
        ("pigeon:5", {"dm_scope": "per-peer"}, "agent:main:pigeon:5"),
        ("pigeon:5", {"dm_scope": "per-peer", "known_channels": frozenset({"pigeon"})}, "agent:main:direct:5"),
        ("cron:5", {"dm_scope": "per-peer", "known_channels": frozenset({"cron"})}, "agent:main:cron:5"),
        ("telegram:group", {"dm_scope": "per-peer"}, "agent:main:telegram:group"),
        ("group:-55", {}, "agent:main:group:-55"),
        ("a\x00b:c", {}, "agent:main:a%00b:c"),
        ("\u200b", {}, "agent:main:%e2%80%8b"),
        ("x" * 3000, {}, None),
    ],
)
def test_a_typed_key_means_a_stored_one(text, settings, expected):
    assert canonical(text, **settings) == expected


def test_a_bare_group_belongs_to_the_channel_at_hand():
    assert canonical("group:-55", hint="TG") == "agent:main:telegram:group:-55"
    assert canonical("agent:work:group:-55", hint="irc") == "agent:work:irc:group:-55"
    assert canonical("group", hint="irc") == "agent:main:group"
    assert canonical("direct:bob", hint="irc") == "agent:main:direct:bob"


def test_the_short_form_is_an_address():
    text = short_key("Telegram", "telegram:5")
    assert text == "telegram:5"
    assert canonical(text, dm_scope="per-channel-peer") == derive(channel="telegram", peer_id="5")
    assert short_key("", " ") == "unknown:default"


def test_the_main_session_follows_the_settings():
    assert main_session_key(KeySettings(main_key="home"), "Work") == "agent:work:home"
    assert main_session_key(KeySettings(scope="global"), "Work") == "global"


# ---------------------------------------------------------------- laws

chats = st.fixed_dictionaries(
    {
        "channel": NAMES,
        "kind": st.sampled_from(["direct", "group", "channel"]),
        "peer_id": HOSTILE,
        "account_id": st.sampled_from(["default", "biz", "direct", "thread", "group"]),
        "thread_id": st.none() | HOSTILE,
    }
)


def identity_of(settings: KeySettings, chat: dict) -> tuple[object, ...]:
    """What makes a chat this chat and no other, in its normal spelling."""
    channel = chat["channel"]
    peer_id = normalize_peer(ChannelName(channel), kind=chat["kind"], peer_id=chat["peer_id"])
    thread = (chat["thread_id"] or "").strip(" \t\n\r\x0b\x0c").lower() or None
    account = chat["account_id"] if chat["kind"] == "direct" and settings.dm_scope.startswith("per-account") else None
    return channel, account, chat["kind"], peer_id, thread


@given(chats, st.sampled_from(["per-channel-peer", "per-account-channel-peer"]))
def test_a_derived_key_parses_back_to_its_parts(chat, scope):
    settings = KeySettings(dm_scope=scope)
    channel, account, kind, peer_id, thread = identity_of(settings, chat)
    assume(peer_id)
    parsed = parse_key(derive_session_key(settings, agent_id="main", **chat))
    assert parsed.type == kind
    assert parsed.peer_id == escape_id(peer_id)
    assert parsed.thread_id == (None if thread is None else escape_id(thread))
    assert parsed.agent_id == "main"
    assert channel.replace(":", "%3a") in {parsed.channel, (parsed.channel or "").removeprefix("%~")}
    assert (parsed.account_id or "").removeprefix("%~") == (account or "")


@given(chats, chats, st.sampled_from(["per-channel-peer", "per-account-channel-peer"]))
def test_two_chats_never_share_a_key(one, two, scope):
    settings = KeySettings(dm_scope=scope)
    same = identity_of(settings, one) == identity_of(settings, two)
    assume(identity_of(settings, one)[3] and identity_of(settings, two)[3])
    keys = [derive_session_key(settings, agent_id="main", **chat) for chat in (one, two)]
    assert (keys[0] == keys[1]) == same


@given(HOSTILE, HOSTILE)
def test_under_per_peer_only_the_same_id_shares_a_key(one, two):
    settings = KeySettings(dm_scope="per-peer", links=ALICE)
    ids = [normalize_peer(ChannelName("irc"), kind="direct", peer_id=text) for text in (one, two)]
    assume(all(ids))
    keys = [derive(settings=settings, peer_id=text) for text in (one, two)]
    assert (keys[0] == keys[1]) == (ids[0] == ids[1])
    assert "agent:main:direct:alice" not in keys
    assert "agent:main:main" not in keys


@given(chats, st.sampled_from(["main", *SCOPES]), st.sampled_from(["per-sender", "global"]))
def test_a_derived_key_is_canonical_and_stays_so(chat, dm_scope, scope):
    settings = KeySettings(dm_scope=dm_scope, scope=scope, main_key="home", links=ALICE)
    key = derive_session_key(settings, agent_id="main", **chat)
    assert key == derive_session_key(settings, agent_id="main", **chat)
    assert canonical_key(key, settings, default_agent="other") == key
    assert not is_incognito_key(key)


@given(chats)
def test_the_parent_of_a_thread_is_the_key_of_its_chat(chat):
    settings = KeySettings(dm_scope="per-channel-peer")
    without = derive_session_key(settings, agent_id="main", **{**chat, "thread_id": None})
    within = derive_session_key(settings, agent_id="main", **{**chat, "thread_id": "t"})
    assert parent_key(within) == without
    assert parent_key(without) is None


@given(
    HOSTILE, st.sampled_from(["per-sender", "global"]), st.sampled_from(["main", *SCOPES]), st.none() | st.just("irc")
)
def test_canonicalising_twice_changes_nothing(text, scope, dm_scope, hint):
    settings = KeySettings(scope=scope, dm_scope=dm_scope, main_key="home", links=ALICE)
    once = canonical_key(text, settings, default_agent="work", channel_hint=hint)
    if once is not None:
        assert canonical_key(once, settings, default_agent="other") == once
        assert once == once.lower()
        assert "::" not in once


@given(st.text(min_size=1000, max_size=1100), st.text(min_size=1000, max_size=1100))
def test_long_ids_fit_an_index(peer_id, thread_id):
    settings = KeySettings(dm_scope="per-account-channel-peer")
    key = derive_session_key(
        settings,
        agent_id="a" * 99,
        channel="c" * 999,
        kind="direct",
        peer_id=peer_id,
        account_id="b" * 99,
        thread_id=thread_id,
    )
    assert len(key.encode()) <= 2048
