"""What happened to a session, as text and as fields (STATE-8)."""

from __future__ import annotations

from datetime import UTC

from instar.core.explain.changes import build_changes_fields, build_changes_lines
from instar.core.model.ids import Instant, SessionKey
from instar.core.model.state import ChangesSince, StateEvent

KEY = SessionKey("agent:main:telegram:group:1")
EVENT = StateEvent(
    sequence=7, kind="compacted", actor_type="system", summary="The context was compacted.", at=Instant(0)
)


def test_events_are_lines_with_their_time_and_kind():
    found = ChangesSince(state_version=9, events=(EVENT,), history_gap=True, has_more=True)
    assert build_changes_lines(KEY, found, since=2, zone=UTC).splitlines() == [
        f"Changes of {KEY} after version 2 (it is at 9 now):",
        "(some older events are no longer kept)",
        "7. 1970-01-01 00:00 compacted (system): The context was compacted.",
        "(more: ask again with changesSince 7)",
    ]
    fields = build_changes_fields(KEY, found)
    assert (fields["historyGap"], fields["hasMore"], fields["stateVersion"]) == (True, True, 9)


def test_nothing_new_is_said_so():
    found = ChangesSince(state_version=9)
    assert build_changes_lines(KEY, found, since=9, zone=UTC).endswith("(none)")
    assert build_changes_fields(KEY, found) == {"sessionKey": KEY, "stateVersion": 9, "events": []}
