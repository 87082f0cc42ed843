import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from instar.core.model.fields import SESSION_FIELDS, format_session, parse_session, rename_old_fields
from instar.core.model.ids import AccountId, AgentId, ChannelName, Instant, SessionId, SessionKey
from instar.core.model.session import Counters, Delivery, Lifecycle, Naming, Origin, Overrides, Session


def session(**groups) -> Session:
    return Session(
        key=SessionKey("agent:main:telegram:direct:42"),
        agent_id=AgentId("main"),
        session_id=SessionId("s1"),
        **groups,
    )


def test_a_new_session_shows_its_id_and_its_counters_and_nothing_that_is_not_set():
    entry = format_session(session())
    assert entry["sessionId"] == "s1"
    assert entry["totalTokens"] == 0
    assert None not in entry.values()
    assert not {"label", "origin", "deliveryContext", "thinkingLevel"} & entry.keys()


def test_where_replies_go_stands_in_both_spellings():
    where = Delivery(channel=ChannelName("telegram"), to="42", account_id=AccountId("work"), thread_id="7")
    entry = format_session(session(delivery=where))
    assert entry["deliveryContext"] == {"channel": "telegram", "to": "42", "accountId": "work", "threadId": "7"}
    assert [entry[name] for name in ("lastChannel", "lastTo", "lastAccountId", "lastThreadId")] == [
        "telegram",
        "42",
        "work",
        "7",
    ]


def test_the_origin_is_told_in_the_platforms_spelling():
    entry = format_session(session(origin=Origin(from_id="Ann#1", to_id="Bot", provider="slack", chat_type="group")))
    assert entry["origin"] == {"provider": "slack", "chatType": "group", "from": "Ann#1", "to": "Bot"}
    assert entry["chatType"] == "group"


def test_what_this_build_does_not_know_is_put_back_and_never_wins():
    entry = format_session(session(extra={"shoe": 44, "sessionId": "stale"}))
    assert (entry["shoe"], entry["sessionId"]) == (44, "s1")


def test_the_number_of_resets_is_told_as_text():
    assert format_session(session(lifecycle=Lifecycle(revision=3)))["lifecycleRevision"] == "3"


def test_every_stored_attribute_has_a_name_on_the_wire():
    nested = {
        f"{group}.{one.name}"
        for group, kind in {
            "lifecycle": Lifecycle,
            "naming": Naming,
            "overrides": Overrides,
            "counters": Counters,
        }.items()
        for one in dataclasses.fields(kind)
    }
    told_otherwise = {"lifecycle.revision", "naming.first_words"}
    assert nested - told_otherwise <= set(SESSION_FIELDS.values())


def test_instants_are_epoch_milliseconds():
    assert format_session(session(lifecycle=Lifecycle(updated_at=Instant(1_773_144_000_000))))["updatedAt"] == (
        1_773_144_000_000
    )


# --- reading ----------------------------------------------------------------------------------------------------------

KEY = SessionKey("agent:main:telegram:direct:42")
FULL = {
    "sessionId": "s1",
    "sessionStartedAt": 1_773_144_000_000,
    "updatedAt": 1_773_144_000_001,
    "label": "holiday",
    "chatType": "direct",
    "channel": "telegram",
    "origin": {"provider": "telegram", "from": "Ann#1", "threadId": "7"},
    "lastChannel": "telegram",
    "lastTo": "42",
    "thinkingLevel": "high",
    "sandboxMode": True,
    "queueCap": 3,
    "inputTokens": 12,
    "systemSent": True,
    "lifecycleRevision": "2",
    "skillsSnapshot": {"a": 1},
}


def parse(entry) -> Session:
    found = parse_session(entry, key=KEY, agent_id=AgentId("main"))
    assert found is not None
    return found


def test_an_entry_is_read_into_its_groups():
    read = parse(FULL)
    assert read.lifecycle == Lifecycle(
        started_at=Instant(1_773_144_000_000), updated_at=Instant(1_773_144_000_001), revision=2
    )
    assert read.naming == Naming(label="holiday")
    assert read.origin == Origin(
        chat_type="direct", channel=ChannelName("telegram"), provider="telegram", from_id="Ann#1", thread_id="7"
    )
    assert read.delivery == Delivery(channel=ChannelName("telegram"), to="42")
    assert read.overrides == Overrides(thinking_level="high", sandbox_mode=True, queue_cap=3)
    assert read.counters == Counters(input_tokens=12, system_sent=True)
    assert read.extra == {"skillsSnapshot": {"a": 1}}


def test_an_entry_without_a_session_id_is_none():
    assert parse_session({"label": "x"}, key=KEY, agent_id=AgentId("main")) is None
    assert parse_session({"sessionId": 7}, key=KEY, agent_id=AgentId("main")) is None
    assert parse_session({"sessionId": ""}, key=KEY, agent_id=AgentId("main")) is None


def test_the_last_route_counts_before_the_delivery_context_which_fills_its_gaps():
    context = {"channel": "slack", "to": "C1", "accountId": "work"}
    read = parse({"sessionId": "s1", "lastChannel": "telegram", "lastTo": "42", "deliveryContext": context})
    assert read.delivery == Delivery(channel=ChannelName("telegram"), to="42", account_id=AccountId("work"))


@pytest.mark.parametrize(
    ("name", "raw"),
    [
        ("updatedAt", "yesterday"),
        ("updatedAt", True),
        ("updatedAt", 1.5),
        ("sandboxMode", "yes"),
        ("label", 7),
        ("chatType", "party"),
        ("chatType", ["direct"]),
        ("origin", "telegram"),
        ("deliveryContext", 3),
    ],
)
def test_a_field_of_another_kind_is_kept_as_it_is_and_written_back(name, raw):
    read = parse({"sessionId": "s1", name: raw})
    assert read.extra == {name: raw}
    assert format_session(read)[name] == raw


def test_numbers_are_read_as_programs_write_them():
    read = parse({"sessionId": "s1", "updatedAt": 5.0, "lastThreadId": 9, "origin": {"accountId": 3}})
    assert (read.lifecycle.updated_at, read.delivery.thread_id, read.origin.account_id) == (5, "9", "3")


@pytest.mark.parametrize(("raw", "revision"), [("7", 7), (7, 7), ("x", 0), (None, 0), (True, 0), ("²", 0)])
def test_the_number_of_resets_is_read_from_text_and_from_a_number(raw, revision):
    assert parse({"sessionId": "s1", "lifecycleRevision": raw}).lifecycle.revision == revision


def test_what_is_unknown_inside_origin_and_delivery_survives_beside_what_is_known():
    read = parse({"sessionId": "s1", "origin": {"from": "a", "star": 1}, "deliveryContext": {"moon": 2}})
    entry = format_session(read)
    assert entry["origin"] == {"from": "a", "star": 1}
    assert entry["deliveryContext"] == {"moon": 2}


def test_nothing_stands_for_nothing_and_the_mirrors_own_path_is_not_kept():
    read = parse(
        {"sessionId": "s1", "label": None, "shoe": None, "sessionFile": "/home/x.jsonl", "origin": {"to": None}}
    )
    assert read == parse({"sessionId": "s1"})
    assert not read.extra


def test_old_names_move_only_where_todays_name_is_absent():
    assert rename_old_fields({"provider": "tg", "lastProvider": "tg", "room": "general"}) == {
        "channel": "tg",
        "lastChannel": "tg",
        "groupChannel": "general",
    }
    kept = {"provider": "tg", "channel": "slack"}
    assert rename_old_fields(kept) == kept


_TEXTS = st.text(max_size=8)
_VALUES = (
    st.none() | st.booleans() | st.integers(0, 1 << 50) | _TEXTS | st.dictionaries(_TEXTS, st.integers(), max_size=3)
)
_ENTRIES = st.dictionaries(
    st.sampled_from([*SESSION_FIELDS, "origin", "deliveryContext", "shoe"]), _VALUES, max_size=12
)


@given(_ENTRIES)
def test_reading_what_was_written_changes_nothing_but_nonsense_in_fields_that_always_have_a_value(entry):
    first = parse({**entry, "sessionId": "s1"})
    second = parse(format_session(first))
    assert dataclasses.replace(second, extra=first.extra) == first
    assert parse(format_session(second)) == second
