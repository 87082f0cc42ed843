"""A deleted session that comes back from its archives: its row, and which of its lives is the current one (LOSS-8)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from instar.core.model.ids import AgentId, Instant, SessionKey
from instar.core.model.keeping import ArchivedTranscript
from instar.core.model.session import Session
from instar.core.turn.imported import build_imported_session

__all__ = ["build_restored_session", "order_archives"]


def order_archives(archives: Sequence[ArchivedTranscript]) -> tuple[ArchivedTranscript, ...]:
    """The archives in the order in which they are stored: the life that was current when the session went comes first.

    Several deletions may have left archives; the newest one's row says which life that is. `archives` are oldest first.
    """
    rows = [archive.session for archive in archives if archive.session is not None]
    current = rows[-1].session_id if rows else archives[-1].header.id
    return tuple(sorted(archives, key=lambda archive: archive.header.id != current))


def build_restored_session(archive: ArchivedTranscript, *, key: SessionKey, agent_id: AgentId, now: Instant) -> Session:
    """The session as it was, used just now: else the next message would reset it, and maintenance take it again."""
    row = archive.session
    built = build_imported_session(archive.header, archive.entries, key=key, agent_id=agent_id)
    session = built if row is None else replace(row, key=key, agent_id=agent_id, session_id=archive.header.id)
    lifecycle = replace(
        session.lifecycle,
        started_at=now,
        last_interaction_at=now,
        updated_at=now,
        revision=session.lifecycle.revision + 1,
    )
    # Another session may carry the label by now, and labels are unique (ENTRY-1).
    return replace(session, lifecycle=lifecycle, naming=replace(session.naming, label=None))
