"""What the first turn of a thread needs of the session that the thread hangs under (KEY-18).

It is loaded only where a thread has no session yet, and the door of the parent is kept until the turn has begun: an
erasure or a deletion of the parent comes before, and then nothing is taken, or after, and finds the fork.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from typing import Final

from instar.core.model.change import InboxItem
from instar.core.model.entry import AnyEntry
from instar.core.model.ids import SessionId, SessionKey
from instar.core.model.session import Session
from instar.core.policy.command_kinds import Reset
from instar.core.routing.key import parent_key
from instar.core.turn.fork import ThreadParent, find_obstacle, is_too_large
from instar.core.turn.recover import find_open_calls
from instar.errors import NotFound
from instar.gateway.doors import Visit
from instar.gateway.turn_services import TurnServices

__all__ = ["look_at_parent"]

FIRST_LINES: Final = 500
"""How many lines are read at first. A branch that is too large is mostly known by its newest lines."""

RUNNING_MAX: Final = 200
"""Among how many of the newest messages of the parent a running one is looked for."""


@asynccontextmanager
async def look_at_parent(
    services: TurnServices, key: SessionKey, item: InboxItem, *, command: Reset | None
) -> AsyncIterator[ThreadParent | None]:
    """The parent of a thread whose first message this is, while the turn begins; None where nothing is to be taken."""
    above = parent_key(key) if command is None else None
    if above is None or await _load(services, key) is not None:
        yield None
        return
    with services.doors.looking_in(Visit(key=None, source=above)) as is_open:
        yield await _load_parent(services, key, above, owner=item.acceptance.owner, is_open=is_open)


async def _load(services: TurnServices, key: SessionKey) -> Session | None:
    return await services.insist(partial(services.parts.store.load_session, key))


async def _load_parent(
    services: TurnServices, key: SessionKey, above: SessionKey, *, owner: str | None, is_open: bool
) -> ThreadParent | None:
    session = await _load(services, above)
    if session is None:
        return None
    if not is_open:
        return ThreadParent(key=above, session_id=session.session_id, obstacle="shut")
    keys = services.parts.config().routing.keys
    obstacle = find_obstacle(
        key, above, owner=owner, parent_owner=session.owner, links=keys.links, main_key=keys.main_key
    )
    if obstacle is not None:
        return ThreadParent(key=above, session_id=session.session_id, obstacle=obstacle)
    lines = await _load_lines(services, session.session_id)
    has_open = bool(find_open_calls(lines))
    is_running = has_open and await _is_running(services, above)
    if has_open and not is_running:
        # The turn that had called may have ended between both questions.
        lines = await _load_lines(services, session.session_id)
    return ThreadParent(key=above, session_id=session.session_id, lines=lines, is_running=is_running)


async def _is_running(services: TurnServices, key: SessionKey) -> bool:
    rows = await services.insist(partial(services.parts.store.load_inbox, session_key=key, limit=RUNNING_MAX))
    return any(row.state == "running" for row in rows)


async def _load_lines(services: TurnServices, session_id: SessionId) -> tuple[AnyEntry, ...]:
    """The active branch as it is at one moment; of one that is too large as much of the end as shows it."""
    limit = FIRST_LINES
    while True:
        question = partial(services.parts.store.load_entries, session_id, limit=limit)
        try:
            page = await services.insist(question)
        except NotFound:
            return ()
        lines = tuple(stored.entry for stored in page.entries)
        if not page.has_more or is_too_large(lines):
            return lines
        limit *= 4
