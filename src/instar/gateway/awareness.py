"""What a session may ask about changes in others (STATE-8, LEAK-4)."""

from __future__ import annotations

from instar.core.lifecycle.awareness import sees_changes
from instar.core.model.ids import SessionKey
from instar.core.model.state import ChangesSince
from instar.ports.store import Store

__all__ = ["load_changes"]


async def load_changes(store: Store, asker: SessionKey, target: SessionKey, since: int) -> ChangesSince | None:
    """The events of `target` after a version, as `asker` may see them; None where it may not, or there is no session.

    Asking moves no cursor.
    """
    session = await store.load_session(target)
    if session is None:
        return None
    is_watching = asker != target and await store.states.is_watching(asker, target)
    if not sees_changes(asker, target, spawned_by=session.origin.spawned_by, is_watching=is_watching):
        return None
    return await store.states.changes(target, since=since)
