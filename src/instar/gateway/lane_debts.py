"""Rows that must follow what a lane has decided: messages that ended, decisions to note (LOSS-2, WHY-1).

A lane applies an answer in memory at once, and owes the rows that belong to it. They are written right afterwards, in
order; what the store refuses stays owed and is tried again after a rest. What is not written when the process ends is
still "waiting" in the rows, for the next start.

One row has to wait for another: a message that a turn took and that also waits for a turn of its own (QUEUE-7) may be
dropped before the turn has committed that it took it. Its end is written after that commit, or it would be refused.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

import structlog

from instar.core.model.change import InboxItem, Noted, SessionChange
from instar.core.model.ids import InboundId, Instant, SessionKey, TurnId
from instar.core.queue.lane import Dropped, LaneMessage
from instar.core.queue.mode import Arrival
from instar.errors import FenceLost, StoreError
from instar.gateway.lane_ports import LaneHost

__all__ = ["STORE_PAUSE_S", "Debts"]

STORE_PAUSE_S = 2.0
"""Rest before what the store refused (a full disk) is tried again."""

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class _Debt:
    """One write that is owed. `after` are messages whose taking has to be committed first."""

    write: Callable[[], Awaitable[None]]
    after: frozenset[InboundId] = frozenset()


class Debts:
    """What one lane owes to its rows. True while there is any."""

    def __init__(self, key: SessionKey, host: LaneHost) -> None:
        self._key = key
        self._host = host
        self._owed: deque[_Debt] = deque()
        self._taken_by: dict[InboundId, TurnId] = {}

    def __len__(self) -> int:
        return len(self._owed)

    def owe(self, write: Callable[[], Awaitable[None]]) -> None:
        """Owe a write."""
        self._owed.append(_Debt(write))

    def owe_ends(self, items: Sequence[InboxItem], dropped: Sequence[Dropped]) -> None:
        """Owe the ends of messages, each with its reason."""
        if items:
            after = frozenset(item.inbound_id for item in items)
            self._owed.append(_Debt(lambda: self._host.end_messages(self._key, items, dropped), after))

    def owe_note(self, item: InboxItem, message: LaneMessage, arrival: Arrival) -> None:
        """Owe the record of why a message that met a busy lane starts, waits or steers (WHY-1)."""
        noted = Noted(decision=arrival.as_decision(message.settings), inbound_id=item.inbound_id)
        change = SessionChange(decisions=(noted,))
        self.owe(lambda: self._host.record("note_queue", self._key, change))

    def owe_forgotten(self, before: Sequence[InboundId], after: Sequence[InboundId]) -> None:
        """Owe the note that nobody is told any more of messages that had fallen to a full queue (QUEUE-13)."""
        gone = tuple(one for one in before if one not in after)
        if gone:
            self.owe(lambda: self._host.record("forget_left_out", self._key, SessionChange(shown=gone)))

    def hold(self, inbound_id: InboundId, turn_id: TurnId) -> None:
        """Keep the end of a message back until its taking by a turn is confirmed."""
        self._taken_by[inbound_id] = turn_id

    def confirm(self, turn_id: TurnId) -> None:
        """What a turn took is committed, or never will be: the rows say which."""
        self._taken_by = {one: taker for one, taker in self._taken_by.items() if taker != turn_id}

    async def pay(self) -> Instant | None:
        """Write what is owed, in order; when the store refuses, the moment to try again."""
        while self._owed and not self._owed[0].after & self._taken_by.keys():
            try:
                await self._owed[0].write()
            except FenceLost as error:
                # A newer gateway has these rows: nothing of ours may be written any more.
                log.critical("lane_lost", session_key=self._key, error=str(error))
                self._owed.clear()
                return None
            except StoreError as error:
                log.error("lane_store_failed", session_key=self._key, owed=len(self._owed), error=str(error))
                return Instant(self._host.clock.now() + int(STORE_PAUSE_S * 1000))
            except Exception:
                # The lane boundary (style, section 6): the rest must be written all the same.
                log.exception("lane_failed", session_key=self._key)
            self._owed.popleft()
        return None
