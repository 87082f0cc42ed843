"""What a session is told of changes in others (STATE-1…8)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from instar.core.lifecycle.awareness import (
    CHANGES_MAX,
    LOG_MAX_ROWS,
    LOG_TTL_MS,
    LogPruning,
    Watch,
    WatchNotice,
    apply_taken,
    build_notice_text,
    changes_since,
    decide_notice,
    decide_watchers,
    keep_watch,
    next_version,
    note_adopted,
    note_compacted,
    note_people,
    note_run_end,
    note_upstream_missing,
    open_watch,
    plan_log_pruning,
    sees_changes,
)
from instar.core.model.ids import Instant, SessionKey
from instar.core.model.state import ChangesSince, StateEvent

MAIN, GROUP, CHILD = (
    SessionKey(key) for key in ("agent:main:main", "agent:main:telegram:group:1", "agent:main:subagent:1")
)


def event(sequence=1, kind="human_direct_message", *, actor="ann", at=0):
    return StateEvent(sequence=sequence, kind=kind, actor_type="human", summary="", at=Instant(at), actor=actor)


INCOGNITO = SessionKey("agent:main:dashboard:incognito-1b9d")
WATCH = Watch(watcher=MAIN, target=GROUP)


def test_versions_only_rise():
    assert next_version(7) == 8


@pytest.mark.parametrize(
    ("target", "facts", "watchers"),
    [
        (CHILD, {"spawned_by": MAIN}, (MAIN,)),
        (GROUP, {"group_main": MAIN}, (MAIN,)),
        (GROUP, {"asked_by": [CHILD, CHILD, GROUP]}, (CHILD,)),
        (GROUP, {"spawned_by": MAIN, "group_main": MAIN, "asked_by": [CHILD]}, (MAIN, CHILD)),
        (MAIN, {"group_main": MAIN}, ()),
        (GROUP, {}, ()),
    ],
)
def test_parents_the_main_session_and_who_asked_watch(target, facts, watchers):
    assert decide_watchers(target, **facts) == watchers


def test_news_opens_a_notice_that_names_the_version_to_ask_from():
    watch = decide_notice(Watch(watcher=MAIN, target=GROUP, cursor=3), event(5))
    assert watch.notice == WatchNotice(since=3, version=5)
    text = build_notice_text(watch, watch.notice)
    assert GROUP in text
    assert "changesSince 3" in text


@pytest.mark.parametrize(
    "given_event",
    [event(kind="run_completed"), event(kind="compacted"), event(actor=MAIN), event(0)],
    ids=["only logged", "only logged too", "own change", "known already"],
)
def test_what_is_no_news_opens_no_notice(given_event):
    assert decide_notice(WATCH, given_event) == WATCH


def test_a_waiting_notice_stays_as_it_is():
    waiting = decide_notice(WATCH, event(1))
    assert decide_notice(waiting, event(2)) == waiting


def test_taking_a_notice_moves_the_cursor_and_later_news_opens_exactly_one():
    waiting = decide_notice(WATCH, event(1))
    assert apply_taken(waiting, []) == Watch(watcher=MAIN, target=GROUP, cursor=1)
    later = [event(1), event(2, "run_failed"), event(3), event(4)]
    taken = apply_taken(waiting, later)
    assert (taken.cursor, taken.notice) == (1, WatchNotice(since=1, version=4))


def test_without_a_notice_there_is_nothing_to_take():
    assert apply_taken(WATCH, [event(1)]) == WATCH


@pytest.mark.parametrize(
    ("change", "stays"),
    [
        ({"reset": MAIN}, False),
        ({"reset": GROUP}, True),
        ({"deleted": MAIN}, False),
        ({"deleted": GROUP}, False),
        ({"deleted": CHILD}, True),
    ],
)
def test_a_watch_ends_with_its_watcher_or_its_target(change, stays):
    assert keep_watch(WATCH, **change) is stays


LOG = [event(number) for number in range(5, 9)]


@pytest.mark.parametrize(
    ("since", "sequences", "gap"),
    [(8, [], False), (6, [7, 8], False), (4, [5, 6, 7, 8], False), (3, [5, 6, 7, 8], True), (0, [5, 6, 7, 8], True)],
)
def test_changes_since_a_version_tell_of_a_gap(since, sequences, gap):
    found = changes_since(LOG, since=since, state_version=8)
    assert ([one.sequence for one in found.events], found.history_gap) == (sequences, gap)


def test_a_log_that_was_forgotten_whole_is_a_gap():
    assert changes_since([], since=3, state_version=8) == ChangesSince(state_version=8, history_gap=True)
    assert changes_since([], since=0, state_version=0) == ChangesSince(state_version=0)


def test_one_answer_holds_at_most_200_events():
    log = [event(number) for number in range(1, CHANGES_MAX + 2)]
    found = changes_since(log, since=0, state_version=len(log))
    assert (len(found.events), found.has_more, found.events[0].sequence) == (CHANGES_MAX, True, 1)
    assert not changes_since(log, since=1, state_version=len(log)).has_more


def test_old_events_are_forgotten_and_those_beyond_the_number():
    now = Instant(LOG_TTL_MS + 10)
    assert plan_log_pruning(LOG_MAX_ROWS, now=now) == LogPruning(before_at=Instant(10), surplus=0)
    assert plan_log_pruning(LOG_MAX_ROWS + 2, now=now).surplus == 2


@pytest.mark.parametrize(
    ("asker", "target", "facts", "sees"),
    [
        (MAIN, MAIN, {}, True),
        (MAIN, CHILD, {"spawned_by": MAIN}, True),
        (MAIN, GROUP, {"is_watching": True}, True),
        (MAIN, GROUP, {}, False),
        (GROUP, CHILD, {"spawned_by": MAIN}, False),
        (INCOGNITO, INCOGNITO, {}, True),
        (MAIN, INCOGNITO, {"spawned_by": MAIN, "is_watching": True}, False),
    ],
)
def test_a_session_sees_changes_of_its_own_its_children_and_what_it_watches(asker, target, facts, sees):
    assert sees_changes(asker, target, **{"spawned_by": None, "is_watching": False, **facts}) is sees


# --- what is noted when -----------------------------------------------------------------------------------------------


def test_a_watch_that_begins_knows_of_nothing_after_its_version():
    watch = open_watch(MAIN, GROUP, version=4)
    assert decide_notice(watch, event(4)).notice is None
    assert decide_notice(watch, event(5)).notice == WatchNotice(since=4, version=5)


def test_messages_of_people_are_noted_by_number_and_not_by_word():
    assert note_people(0) == ()
    (one,) = note_people(1, watchers=[MAIN])
    assert (one.kind, one.actor_type, one.summary, one.watchers) == (
        "human_direct_message",
        "human",
        "A person wrote here.",
        (MAIN,),
    )
    assert note_people(3)[0].summary == "People wrote here, 3 messages."


@pytest.mark.parametrize(
    ("end", "kind", "summary"),
    [
        ({"failed": False, "reason": None}, "run_completed", "A turn was completed."),
        ({"failed": True, "reason": "stop"}, "run_failed", "A turn ended without an answer (stop)."),
    ],
)
def test_the_end_of_a_turn_is_noted_with_its_code(end, kind, summary):
    (note,) = note_run_end(**end)
    assert (note.kind, note.summary) == (kind, summary)


def test_a_parent_watches_what_it_gets_and_its_own_log_says_so():
    adopted, spawned = note_adopted(CHILD, parent=MAIN)
    assert (adopted.kind, adopted.session_key, adopted.watchers) == ("adopted", None, (MAIN,))
    assert (spawned.kind, spawned.session_key, spawned.watchers) == ("child_spawned", MAIN, ())


def test_compactions_and_missing_parents_are_noted():
    assert [note.kind for note in note_compacted()] == ["compacted"]
    missing = note_upstream_missing(CHILD, parent=MAIN)
    assert (missing.kind, missing.session_key) == ("upstream_missing", CHILD)


KINDS = st.sampled_from(["human_direct_message", "goal_changed", "run_completed", "child_spawned"])


@given(st.lists(st.tuples(KINDS, st.sampled_from(["ann", MAIN]), st.booleans()), max_size=20))
def test_every_news_is_told_and_never_twice(story):
    """Whatever comes in whatever order, asking from the notice's version shows each news at least once and in time."""
    watch, log, told = WATCH, [], 0
    for kind, actor, takes in story:
        log.append(event(next_version(len(log)), kind, actor=actor))
        watch = decide_notice(watch, log[-1])
        if takes and watch.notice is not None:
            assert watch.notice.since == watch.cursor >= told
            watch = apply_taken(watch, [one for one in log if one.sequence > watch.notice.version])
            told = watch.cursor
    waiting = [one for one in log if decide_notice(Watch(watcher=MAIN, target=GROUP, cursor=told), one).notice]
    assert bool(waiting) == (watch.notice is not None)
