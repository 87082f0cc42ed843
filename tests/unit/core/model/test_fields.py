import dataclasses

from instar.core.model.fields import SESSION_FIELDS, format_session
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
