"""The first transaction of a turn: whose life of the session it is, and what is written (LOSS-3, RESET-*, CMD-1…8)."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC

import pytest

from instar.core.context.envelope import read_envelope
from instar.core.lifecycle.reset import NOTICE_FIELD, ResetPolicy
from instar.core.model.change import TurnOptions
from instar.core.model.entry import CustomMessageEntry
from instar.core.model.ids import AgentId, ChannelName, EntryId, InboundId, Instant, SessionId, SessionKey, TurnId
from instar.core.model.session import Counters, Naming, Overrides
from instar.core.model.state import WaitingNotice
from instar.core.policy.command_kinds import Reset
from instar.core.queue.mode import Next
from instar.core.turn.begin import GREETING_TYPE, BeginDraws, BeginSettings, plan_begin, will_start_over
from instar.core.turn.fork import ThreadParent
from tests.builders.transcripts import Branch
from tests.builders.turns import NOW, SESSION_ID, build_facts, build_item, build_session

HOUR = 3_600_000
T1 = TurnId("t1")
NEW = SessionId("22222222-2222-4222-8222-222222222222")
POLICY = ResetPolicy(mode="idle", at_hour=4, at_minute=0, idle_s=3600, quiet_s=0, notify=True, explicit=True)
SETTINGS = BeginSettings(
    agent_id=AgentId("main"), policy=POLICY, zone=UTC, cwd="/home/agent", default_model="test/small"
)
DRAWS = BeginDraws(session_id=NEW, entry_ids=(EntryId("e1"), EntryId("e2"), EntryId("e3")))


def begin(facts, *items, settings=SETTINGS, **more):
    items = items or (build_item(),)
    draws = replace(DRAWS, entry_ids=DRAWS.entry_ids[: len(items)])
    return plan_begin(facts, items, turn_id=T1, settings=settings, draws=draws, **more)


def aged(hours, **fields):
    """A session that was last used so long ago."""
    return replace(build_session(started_at=Instant(NOW - hours * HOUR)), **fields)


def decided(begun):
    return [(noted.decision.kind, noted.decision.outcome, noted.decision.rule) for noted in begun.change.decisions]


# --- a session's first message ----------------------------------------------------------------------------------------


def test_the_first_message_of_a_key_makes_its_session():
    begun = begin(build_facts(), build_item("hello there"))
    change = begun.change
    assert begun.reason == "create"
    assert (change.close, change.open.id, change.open.cwd, change.open.timestamp) == (None, NEW, "/home/agent", NOW)
    session = change.session
    assert (session.session_id, session.agent_id, session.owner) == (NEW, "main", "telegram:42")
    assert (session.lifecycle.started_at, session.lifecycle.created_at, session.lifecycle.revision) == (NOW, NOW, 0)
    assert (session.naming.first_words, session.delivery.to, session.origin.label) == ("hello there", "42", "Ann")
    assert [(entry.id, entry.parent_id) for entry in change.entries] == [("e1", None)]
    assert [(move.inbound_id, move.state, move.turn_id) for move in change.inbox] == [("in1", "running", "t1")]
    assert decided(begun) == [("freshness", "new", "RESET-17")]
    assert change.decisions[0].turn_id == "t1"


def test_a_first_message_that_asks_for_a_reset_has_the_model_it_names():
    begun = begin(build_facts(), command=Reset(trigger="/new", model="test/large", remainder="hi"))
    assert begun.change.session.overrides.model_override == "large"
    assert decided(begun) == [("freshness", "new", "RESET-17")]


# --- a thread's first message ----------------------------------------------------------------------------------------


def above(*words):
    tree = Branch()
    for word in words:
        tree.user(word)
    return ThreadParent(key=SessionKey("agent:main:telegram:direct:42"), session_id=SESSION_ID, lines=tree.entries)


def test_a_new_thread_opens_with_what_its_parent_holds_and_then_its_own_line():
    begun = begin(build_facts(), build_item("and here?"), parent=above("one", "two"))
    change = begun.change
    assert (change.open.id, change.open.parent_session, change.session.origin.forked_from) == (
        NEW,
        SESSION_ID,
        SESSION_ID,
    )
    assert [entry.id for entry in change.forked] == ["e0", "e1"]
    assert [(entry.id, entry.parent_id) for entry in change.entries] == [("e1", "e1")]
    assert change.session.naming.first_words == "and here?"
    assert decided(begun) == [("freshness", "new", "RESET-17"), ("fork", "copied", "KEY-18")]


def test_a_thread_that_may_take_nothing_begins_empty_and_says_so():
    begun = begin(build_facts(), parent=replace(above("one"), obstacle="not_shared"))
    change = begun.change
    assert (change.open.parent_session, change.session.origin.forked_from, change.forked) == (None, None, ())
    assert [(entry.id, entry.parent_id) for entry in change.entries] == [("e1", None)]
    assert decided(begun) == [("freshness", "new", "RESET-17"), ("fork", "not_shared", "KEY-18")]


@pytest.mark.parametrize("parent", [None, above()])
def test_a_thread_with_nothing_above_begins_like_any_session(parent):
    begun = begin(build_facts(), parent=parent)
    assert (begun.change.open.parent_session, begun.change.forked) == (None, ())
    assert decided(begun) == [("freshness", "new", "RESET-17")]


def test_a_thread_that_has_begun_takes_nothing_more_not_even_in_a_new_life():
    for session, command in ((aged(0), None), (aged(2), None), (aged(0), Reset(trigger="/new", remainder="hi"))):
        begun = begin(build_facts(session, leaf="e9"), command=command, parent=above("one"))
        assert begun.change.forked == ()
        assert begun.change.open is None or begun.change.open.parent_session is None
        assert "fork" not in [kind for kind, _, _ in decided(begun)]


def test_whoever_asks_for_a_fresh_start_in_a_new_thread_gets_one():
    begun = begin(build_facts(), command=Reset(trigger="/new", remainder="hi"), parent=above("one"))
    assert (begun.change.forked, begun.change.open.parent_session) == ((), None)


# --- asked before it begins -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("hours", [None, 0, 2])
@pytest.mark.parametrize("mode", [None, "soft", "new-session"])
@pytest.mark.parametrize("alone", [True, False])
@pytest.mark.parametrize("shown", [None, SESSION_ID])
def test_what_is_foreseen_of_a_new_life_is_what_the_begin_does(hours, mode, alone, shown):
    facts = build_facts() if hours is None else build_facts(aged(hours), leaf="e9")
    item = build_item()
    items = (replace(item, submission=replace(item.submission, shown_session_id=shown)),)
    command = None if mode is None else Reset(trigger="/reset", mode=mode, remainder="hi")

    begun = begin(facts, *items, command=command, alone=alone)

    foreseen = will_start_over(facts, items, SETTINGS, command=command, alone=alone)
    assert foreseen == (begun.change.session.session_id == NEW)


# --- a session that goes on -------------------------------------------------------------------------------------------


def test_a_fresh_session_goes_on_below_its_leaf():
    facts = build_facts(build_session(), leaf="e9", now=Instant(NOW + 5))
    begun = begin(facts, build_item(), build_item(number=2))
    change = begun.change
    assert (begun.reason, change.open, change.close) == (None, None, None)
    assert [entry.parent_id for entry in change.entries] == ["e9", "e1"]
    assert change.session.session_id == SESSION_ID
    assert change.session.lifecycle.last_interaction_at == NOW + 5
    (decision,) = change.decisions
    assert decision.decision.outcome == "fresh"
    assert decision.decision.inputs["idle_expires_at"] == NOW + HOUR


@pytest.mark.parametrize(("known", "title"), [(None, "hello there"), ("earlier words", "earlier words")])
def test_the_first_message_names_a_life_that_began_without_one(known, title):
    session = replace(build_session(), naming=Naming(first_words=known))
    change = begin(build_facts(session), build_item("hello there"), build_item("more", number=2)).change
    assert change.session.naming.first_words == title


def test_a_session_without_a_transcript_gets_one_of_its_own_id():
    facts = replace(build_facts(build_session()), transcript=None)
    change = begin(facts).change
    assert (change.open.id, change.close, change.entries[0].parent_id) == (SESSION_ID, None, None)


def test_input_that_no_person_wrote_is_no_interaction():
    facts = build_facts(build_session(), leaf="e9", now=Instant(NOW + 5))
    system = build_item(options=TurnOptions(system=True))
    assert begin(facts, system).change.session.lifecycle.last_interaction_at == NOW
    assert begin(facts, system, build_item(number=2)).change.session.lifecycle.last_interaction_at == NOW + 5
    assert begin(facts, system).change.session.lifecycle.updated_at == NOW + 5


def test_messages_of_others_leave_the_route_of_a_session_alone_that_belongs_to_one():
    settings = replace(SETTINGS, pinned_sender="42")
    facts = build_facts(build_session(), leaf="e9")
    assert begin(facts, build_item(sender="7", chat_id="7"), settings=settings).change.session.delivery.to is None
    assert begin(facts, build_item(), settings=settings).change.session.delivery.to == "42"


# --- a session that has become stale ----------------------------------------------------------------------------------


def test_a_stale_session_starts_over_and_owes_its_person_a_notice():
    old = aged(2, counters=Counters(input_tokens=9), overrides=Overrides(thinking_level="high"))
    begun = begin(build_facts(old, leaf="e9"))
    change = begun.change
    assert (begun.reason, change.close, change.open.id) == ("idle", "idle", NEW)
    session = change.session
    assert (session.session_id, session.counters.input_tokens) == (NEW, 0)
    assert session.overrides.thinking_level == "high"
    assert session.extra == {NOTICE_FIELD: "idle"}
    assert session.naming.first_words == "hello"
    assert change.entries[0].parent_id is None
    (decision,) = change.decisions
    assert (decision.decision.outcome, decision.decision.rule) == ("idle", "RESET-15")
    assert decision.decision.inputs["idle_s"] == 3600


def test_a_stale_session_without_a_transcript_has_nothing_to_close():
    facts = replace(build_facts(aged(2)), transcript=None)
    begun = begin(facts)
    assert (begun.reason, begun.change.close, begun.change.open.id) == ("idle", None, NEW)


def test_no_session_is_rolled_under_the_feet_of_a_turn_that_runs():
    begun = begin(build_facts(aged(2), leaf="e9"), alone=False)
    assert (begun.reason, begun.change.session.session_id) == (None, SESSION_ID)
    assert decided(begun) == [("freshness", "fresh", "QUEUE-9")]


@pytest.mark.parametrize("shown", [SESSION_ID, "another"])
def test_a_client_keeps_the_session_it_was_showing(shown):
    item = build_item()
    item = replace(item, submission=replace(item.submission, shown_session_id=shown))
    begun = begin(build_facts(aged(2), leaf="e9"), item)
    assert (begun.reason is None) == (shown == SESSION_ID)


def test_a_session_that_a_provider_keeps_is_not_cut_by_the_default():
    old = aged(2, extra={"cliSessionIds": {"claude": "x"}})
    facts = build_facts(old, leaf="e9")
    assert begin(facts, settings=replace(SETTINGS, policy=replace(POLICY, explicit=False))).reason is None
    assert begin(facts).reason == "idle"


@pytest.mark.parametrize("kind", ["direct", "thread"])
def test_the_policy_is_that_of_the_place_where_the_message_was_written(kind):
    item = build_item()
    if kind == "thread":
        inbound = item.submission.inbound
        inbound = replace(inbound, chat=replace(inbound.chat, thread_id="7"))
        item = replace(item, submission=replace(item.submission, inbound=inbound))
    facts = build_facts(aged(2), leaf="e9")
    settings = replace(SETTINGS, policies={"thread": ResetPolicy(mode="none", explicit=True)})
    starts_over = kind == "direct"
    assert will_start_over(facts, [item], settings) is starts_over
    begun = begin(facts, item, settings=settings)
    assert begun.reason == ("idle" if starts_over else None)
    inputs = begun.change.decisions[0].decision.inputs
    assert inputs["mode"] == (POLICY.mode if starts_over else "none")


# --- resets by command ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("trigger", "reason"), [("/new", "new"), ("/NEW", "new"), ("/reset", "reset"), ("/go", "reset")]
)
def test_a_command_starts_over_whatever_the_age(trigger, reason):
    old = replace(build_session(), extra={NOTICE_FIELD: "daily"})
    begun = begin(build_facts(old, leaf="e9"), command=Reset(trigger=trigger, remainder="tell me"))
    change = begun.change
    assert (begun.reason, change.close, change.open.id) == (reason, reason, NEW)
    assert change.entries[0].message.content == "tell me"
    assert change.session.extra == {}
    assert change.session.naming.first_words == "tell me"
    assert decided(begun) == [("reset", reason, "CMD-8")]


def test_a_bare_reset_is_a_prompt_for_a_greeting_that_people_do_not_see():
    begun = begin(build_facts(build_session(), leaf="e9"), command=Reset(trigger="/new"))
    (entry,) = begun.change.entries
    assert isinstance(entry, CustomMessageEntry)
    assert (entry.custom_type, entry.display) == (GREETING_TYPE, False)
    assert "fresh start" in str(entry.content)
    assert "now run as" not in str(entry.content)
    assert begun.change.session.naming.first_words is None


def test_a_bare_soft_reset_is_greeted_as_what_it_is():
    def prompt(session):
        begun = begin(
            build_facts(session, leaf="e9" if session else None), command=Reset(trigger="/reset", mode="soft")
        )
        return str(begun.change.entries[0].content)

    assert "soft reset" in prompt(build_session())
    assert "fresh start" not in prompt(build_session())
    # Where nothing was said yet there is nothing that could stay.
    assert "fresh start" in prompt(None)


def test_a_greeting_names_a_model_that_is_not_the_default():
    def prompt(model):
        begun = begin(build_facts(build_session(), leaf="e9"), command=Reset(trigger="/new", model=model))
        return str(begun.change.entries[0].content)

    assert "now run as test/large" in prompt("test/large")
    assert "now run as" not in prompt("test/small")


@pytest.mark.parametrize(("remainder", "are_told"), [("", True), ("what now?", False)], ids=["bare", "with a prompt"])
def test_notes_come_along_at_a_bare_reset_and_at_no_other(remainder, are_told):
    command = Reset(trigger="/new", remainder=remainder)
    noted = replace(SETTINGS, notes="# Notes of today and yesterday")
    begun = begin(build_facts(build_session(), leaf="e9"), command=command, settings=noted)
    assert ("Notes of today" in str(begun.change.entries[0])) is are_told


def test_choosing_the_default_model_clears_the_choice():
    old = replace(build_session(), overrides=Overrides(provider_override="test", model_override="large"))
    facts = build_facts(old, leaf="e9")
    chosen = begin(facts, command=Reset(trigger="/new", model="test/small", remainder="x")).change.session
    kept = begin(facts, command=Reset(trigger="/new", remainder="x")).change.session
    assert (chosen.overrides.model_override, kept.overrides.model_override) == (None, "large")


def test_a_soft_reset_keeps_id_and_transcript():
    old = replace(build_session(), counters=Counters(system_sent=True), extra={"cliSessionIds": {}})
    begun = begin(build_facts(old, leaf="e9"), command=Reset(trigger="/reset", mode="soft", remainder="go on"))
    change = begun.change
    assert (begun.reason, change.close, change.open) == (None, None, None)
    assert (change.session.session_id, change.session.counters.system_sent, change.session.extra) == (
        SESSION_ID,
        False,
        {},
    )
    assert change.entries[0].parent_id == "e9"
    assert decided(begun) == [("reset", "soft", "CMD-8")]


# --- what stands before the words -------------------------------------------------------------------------------------


def context_of(entry):
    envelope = read_envelope(entry.message)
    return envelope.context if envelope else ""


def test_what_was_said_in_the_group_goes_with_the_message():
    group = {"chat_type": "group", "chat_id": "club"}
    items = build_item(**group), build_item(number=2, **group)
    entries = begin(build_facts(), *items, contexts=("Bob: a", "Bob: b")).change.entries
    assert [context_of(entry) for entry in entries] == ["Bob: a", "Bob: b"]
    remainder = begin(
        build_facts(), build_item(**group), contexts=("Bob: a",), command=Reset(trigger="/new", remainder="x")
    )
    assert context_of(remainder.change.entries[0]) == "Bob: a"


def test_what_fell_to_a_full_queue_is_told_before_the_first_message_and_on_record():
    queued = Next(action="run", rule="QUEUE-4", dropped_ids=(InboundId("in9"),), dropped_lines=("lost",))
    items = build_item(), build_item(number=2)
    begun = begin(build_facts(), *items, queued=queued)
    first, second = (context_of(entry) for entry in begun.change.entries)
    assert first.startswith("1 earlier message was left out")
    assert second == ""
    assert begun.change.shown == ("in9",)
    assert decided(begun)[1] == ("queue", "run", "QUEUE-4")
    both = begin(build_facts(), build_item(), queued=queued, contexts=("Bob: a",))
    assert context_of(both.change.entries[0]).endswith("- lost\n\nBob: a")


def test_a_message_for_a_named_session_leaves_its_route_alone():
    item = build_item(channel="webchat")
    item = replace(item, submission=replace(item.submission, session_key=SessionKey("agent:main:main")))
    session = begin(build_facts(build_session(), leaf="e9"), item).change.session
    assert session.delivery.channel is None
    assert session.origin.channel != ChannelName("webchat")


# --- what other sessions hear, and what this one is told --------------------------------------------------------------

MAIN = SessionKey("agent:main:main")
NOTICE = WaitingNotice(about=SessionKey("agent:main:telegram:group:1"), text="Session 1 has changed.")


def test_a_turn_begins_with_what_other_sessions_have_changed():
    facts = replace(build_facts(build_session(), leaf="e9"), notices=(NOTICE, replace(NOTICE, text="So has 2.")))
    queued = Next(action="run", rule="QUEUE-4", dropped_ids=(InboundId("in9"),))
    begun = begin(facts, contexts=("Bob: hi",), queued=queued)
    assert read_envelope(begun.change.entries[0].message).context == (
        "Session 1 has changed.\nSo has 2.\n\n1 earlier message was left out, because too many were waiting.\n\nBob: hi"
    )
    assert begun.change.told == facts.notices


def test_notices_for_a_life_that_is_over_are_not_told():
    stale = replace(build_facts(aged(2), leaf="e9"), notices=(NOTICE,))
    assert begin(stale).change.told == ()
    assert read_envelope(begin(stale).change.entries[0].message) is None


def test_a_greeting_leaves_notices_for_the_next_turn():
    facts = replace(build_facts(build_session(), leaf="e9"), notices=(NOTICE,))
    soft = Reset(trigger="/reset", mode="soft", remainder="")
    assert begin(facts, command=soft).change.told == ()
    assert begin(facts, command=replace(soft, remainder="go on")).change.told == (NOTICE,)


def test_messages_of_people_are_news_and_let_the_main_session_watch_a_group():
    group = replace(SETTINGS, group_main=MAIN)
    (note,) = begin(build_facts(), build_item(), build_item(number=2), settings=group).change.states
    assert (note.kind, note.watchers) == ("human_direct_message", (MAIN,))
    assert begin(build_facts()).change.states[0].watchers == ()
    system = build_item(options=TurnOptions(system=True))
    assert begin(build_facts(), system, settings=group).change.states == ()
