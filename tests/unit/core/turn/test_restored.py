"""A deleted session comes back as it was, used just now, with the right life as the current one (LOSS-8)."""

from __future__ import annotations

from dataclasses import replace

from instar.core.model.entry import Header
from instar.core.model.ids import AgentId, Instant, SessionId
from instar.core.model.keeping import ArchivedTranscript
from instar.core.model.session import Naming, Overrides
from instar.core.turn.restored import build_restored_session, order_archives
from tests.builders.store import KEY, NOW, build_message, build_session

MAIN = AgentId("main")
LATER = Instant(NOW + 1000)


def archive(session_id: str, *, row_id: str | None = None) -> ArchivedTranscript:
    return ArchivedTranscript(
        path=f"{session_id}.zst",
        header=Header(id=SessionId(session_id), timestamp=NOW),
        entries=(build_message(1, None),),
        session=None if row_id is None else build_session(session_id=row_id),
    )


def ids(archives):
    return [one.header.id for one in archives]


def test_the_life_that_was_current_is_stored_first():
    found = [archive("a", row_id="b"), archive("b", row_id="b"), archive("c", row_id="b")]
    assert ids(order_archives(found)) == ["b", "a", "c"]


def test_of_several_deletions_the_newest_says_which_life_was_current():
    found = [archive("a", row_id="a"), archive("b", row_id="b")]
    assert ids(order_archives(found)) == ["b", "a"]


def test_without_a_row_the_newest_archive_counts():
    assert ids(order_archives([archive("a"), archive("b")])) == ["b", "a"]


def test_what_was_set_comes_back_but_for_the_label():
    one = archive("b", row_id="b")
    row = replace(one.session, naming=Naming(label="tea", subject="Garden"), overrides=Overrides(thinking_level="high"))
    session = build_restored_session(replace(one, session=row), key=KEY, agent_id=MAIN, now=LATER)
    assert session.overrides.thinking_level == "high"
    assert (session.naming.label, session.naming.subject) == (None, "Garden")


def test_it_counts_as_used_just_now_so_that_nothing_takes_it_again():
    session = build_restored_session(archive("b", row_id="b"), key=KEY, agent_id=MAIN, now=LATER)
    lifecycle = session.lifecycle
    assert {lifecycle.started_at, lifecycle.last_interaction_at, lifecycle.updated_at} == {LATER}


def test_an_older_life_gets_its_own_id_and_an_archive_without_a_row_is_read_from_its_words():
    assert build_restored_session(archive("a", row_id="b"), key=KEY, agent_id=MAIN, now=LATER).session_id == "a"
    assert build_restored_session(archive("a"), key=KEY, agent_id=MAIN, now=LATER).key == KEY
