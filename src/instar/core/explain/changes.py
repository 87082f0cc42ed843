"""What happened to a session, as text and as fields (STATE-8).

What belongs here: events of a log put into lines. What does not: who may ask for them, and the log itself. No line
holds words of a message, since no event does (STATE-1).
"""

from __future__ import annotations

from datetime import UTC, datetime, tzinfo

from instar.core.model.ids import SessionKey
from instar.core.model.state import ChangesSince, StateEvent

__all__ = ["build_changes_fields", "build_changes_lines"]


def build_changes_lines(key: SessionKey, found: ChangesSince, *, since: int, zone: tzinfo) -> str:
    """The events after a version as lines, oldest first; the last line says what to ask next."""
    lines = [f"Changes of {key} after version {since} (it is at {found.state_version} now):"]
    if found.history_gap:
        lines.append("(some older events are no longer kept)")
    lines += [_line(event, zone) for event in found.events] or ["(none)"]
    if found.has_more:
        lines.append(f"(more: ask again with changesSince {found.events[-1].sequence})")
    return "\n".join(lines)


def build_changes_fields(key: SessionKey, found: ChangesSince) -> dict[str, object]:
    """The same as fields; `historyGap` and `hasMore` stand there only where they are true."""
    return {
        "sessionKey": key,
        "stateVersion": found.state_version,
        "events": [
            {
                "sequence": event.sequence,
                "kind": event.kind,
                "actorType": event.actor_type,
                "summary": event.summary,
                "ts": event.at,
            }
            for event in found.events
        ],
        **({"historyGap": True} if found.history_gap else {}),
        **({"hasMore": True} if found.has_more else {}),
    }


def _line(event: StateEvent, zone: tzinfo) -> str:
    at = datetime.fromtimestamp(event.at / 1000, tz=UTC).astimezone(zone)
    return f"{event.sequence}. {at:%Y-%m-%d %H:%M} {event.kind} ({event.actor_type}): {event.summary}"
