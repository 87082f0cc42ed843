"""How far each run is, for callers who wait for one (`agent.wait`, a repeated `chat.send`).

Memory answers for runs of this process; what ended before it began is in the inbox rows. The newest
`ENDED_KEPT` ends are remembered, older ones are asked of the store.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import OrderedDict

from instar.core.model.change import InboxItem
from instar.core.model.event import CommandAnswered, Event, RunEnded, RunStarted
from instar.core.model.ids import ChannelName, TurnId
from instar.core.model.view import RunState, RunStatus
from instar.core.routing.normalize import DEFAULT_ACCOUNT
from instar.core.routing.principal import build_message_id
from instar.gateway.waiting import within
from instar.ports.clock import Clock
from instar.ports.store import Store

__all__ = ["Runs"]

ENDED_KEPT = 2_000

_OPEN = frozenset({"waiting", "running"})

_STOPS = frozenset({"abort", "compact", "delete", "interrupt", "reset", "stop"})
"""Why a turn was stopped, as the rows of its messages say."""

_CLIENTS = ChannelName("webchat")
"""Where messages of clients come from; their message id is made of the run id that the client was told."""

_STATUS_OF_END: dict[str, RunStatus] = {"final": "ok", "error": "error", "aborted": "aborted"}


class Runs:
    """The runs of one gateway; feed it every event by `follow`."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._known: OrderedDict[TurnId, RunState] = OrderedDict()
        self._waiters: dict[TurnId, list[asyncio.Event]] = {}

    def follow(self, event: Event) -> None:
        """Take note of a run's start or end."""
        match event:
            case RunStarted():
                self._note(
                    RunState(run_id=event.turn_id, status="running", session_key=event.session_key, started_at=event.at)
                )
            case RunEnded():
                for run_id in (event.turn_id, *event.also):
                    self._note(
                        RunState(
                            run_id=run_id,
                            status=_STATUS_OF_END[event.state],
                            session_key=event.session_key,
                            started_at=event.started_at,
                            ended_at=event.at,
                            error=event.error,
                        )
                    )
            case CommandAnswered():
                self._note(
                    RunState(
                        run_id=event.turn_id,
                        status="ok",
                        session_key=event.session_key,
                        started_at=event.at,
                        ended_at=event.at,
                    )
                )
            case _:
                pass

    async def state(self, run_id: TurnId, *, principal: str | None = None) -> RunState | None:
        """How far the run is; None for an id that nobody accepted. `principal` is whose client asks."""
        return self._known.get(run_id) or await self._ask_store(run_id, principal)

    async def wait(self, run_id: TurnId, *, timeout_s: float, principal: str | None = None) -> RunState | None:
        """The state once the run has ended, or as it is when the time is over."""
        state = await self.state(run_id, principal=principal)
        # While the store was asked, the run may have gone on.
        state = self._known.get(run_id, state)
        if state is None or state.status not in _OPEN or timeout_s <= 0:
            return state
        ended = asyncio.Event()
        waiting = self._waiters.setdefault(run_id, [])
        waiting.append(ended)
        try:
            with contextlib.suppress(TimeoutError):
                await within(self._clock, timeout_s, _wait(ended))
        finally:
            waiting.remove(ended)
            if not waiting:
                self._waiters.pop(run_id, None)
        return await self.state(run_id, principal=principal)

    async def _ask_store(self, run_id: TurnId, principal: str | None) -> RunState | None:
        """What the rows tell of a run. A message that was merged into another turn is found by its own name."""
        rows = await self._store.load_inbox(turn_id=run_id)
        item = next((row for row in rows if row.submission.run_id == run_id), rows[0] if rows else None)
        if item is None:
            message_id = build_message_id(principal, run_id)
            found = await self._store.find_message(channel=_CLIENTS, account_id=DEFAULT_ACCOUNT, message_id=message_id)
            item = found if found is not None and found.submission.run_id == run_id else None
        if item is None:
            return None
        if item.state != "merged" or item.turn_id is None:
            return _from_inbox(run_id, item)
        turn = await self._store.load_inbox(turn_id=item.turn_id)
        leading = next((row for row in turn if row.state != "merged"), item)
        return _from_inbox(run_id, leading)

    def _note(self, state: RunState) -> None:
        self._known[state.run_id] = state
        self._known.move_to_end(state.run_id)
        while len(self._known) > ENDED_KEPT:
            self._known.popitem(last=False)
        if state.status not in _OPEN:
            for ended in self._waiters.get(state.run_id, ()):
                ended.set()


async def _wait(event: asyncio.Event) -> None:
    await event.wait()


def _from_inbox(run_id: TurnId, item: InboxItem) -> RunState:
    """The state that the row of a message tells of the run that answers it."""
    status: RunStatus
    if item.state in ("waiting", "running"):
        status = "waiting" if item.state == "waiting" else "running"
    elif item.reason == "internal":
        status = "error"
    elif item.state == "expired" or item.reason in _STOPS:
        status = "aborted"
    else:
        status = "error" if item.reason else "ok"
    return RunState(
        run_id=run_id,
        status=status,
        session_key=item.acceptance.session_key,
        started_at=item.received_at,
        ended_at=item.ended_at,
        error=item.reason if status == "error" else None,
    )
