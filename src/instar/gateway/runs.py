"""How far each run is, for callers who wait for one (`agent.wait`, a repeated `chat.send`).

Memory answers for runs of this process; what ended before it began is in the inbox rows. The newest
`ENDED_KEPT` ends are remembered, older ones are asked of the store.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Sequence

from instar.core.model.change import InboxItem
from instar.core.model.event import CommandAnswered, Event, RunEnded, RunStarted
from instar.core.model.ids import TurnId
from instar.core.model.view import RunState, RunStatus
from instar.ports.clock import Clock
from instar.ports.store import Store

__all__ = ["Runs"]

ENDED_KEPT = 2_000

_STATUS_OF_END: dict[str, RunStatus] = {"final": "ok", "error": "error", "aborted": "aborted"}


class Runs:
    """The runs of one gateway; feed it every event by `follow`."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._known: OrderedDict[TurnId, RunState] = OrderedDict()
        self._waiters: dict[TurnId, list[asyncio.Future[RunState]]] = {}

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

    async def state(self, run_id: TurnId) -> RunState | None:
        """How far the run is; None for an id that nobody accepted."""
        known = self._known.get(run_id)
        if known is not None:
            return known
        return _from_inbox(run_id, await self._store.load_inbox(turn_id=run_id))

    async def wait(self, run_id: TurnId, *, timeout_s: float) -> RunState | None:
        """The state once the run has ended, or as it is when the time is over."""
        state = await self.state(run_id)
        if state is None or state.status not in ("waiting", "running") or timeout_s <= 0:
            return state
        future: asyncio.Future[RunState] = asyncio.get_running_loop().create_future()
        self._waiters.setdefault(run_id, []).append(future)
        try:
            return await asyncio.wait_for(future, timeout_s)
        except TimeoutError:
            return await self.state(run_id)
        finally:
            waiting = self._waiters.get(run_id, [])
            if future in waiting:
                waiting.remove(future)
            if not waiting:
                self._waiters.pop(run_id, None)

    def _note(self, state: RunState) -> None:
        self._known[state.run_id] = state
        self._known.move_to_end(state.run_id)
        while len(self._known) > ENDED_KEPT:
            self._known.popitem(last=False)
        if state.status in ("waiting", "running"):
            return
        for future in self._waiters.pop(state.run_id, []):
            if not future.done():
                future.set_result(state)


def _from_inbox(run_id: TurnId, items: Sequence[InboxItem]) -> RunState | None:
    """The state that the inbox rows of a run tell; None without any."""
    if not items:
        return None
    item = items[0]
    status: RunStatus
    if item.state in ("waiting", "running"):
        status = "waiting" if item.state == "waiting" else "running"
    elif item.state == "expired" or item.reason in ("abort", "stop", "interrupt", "reset", "delete"):
        status = "aborted"
    elif item.reason:
        status = "error"
    else:
        status = "ok"
    return RunState(
        run_id=run_id,
        status=status,
        session_key=item.acceptance.session_key,
        started_at=item.received_at,
        ended_at=item.ended_at,
        error=item.reason if status == "error" else None,
    )
