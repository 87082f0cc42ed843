"""A conversation with one session from a terminal or a pipe: send, show, stop, wait for a gateway that is away.

What is typed goes to the session as it is; `/new` and the like are chat commands, which the gateway reads. While an
answer comes, Ctrl-C stops the turn; a second one leaves.
"""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Iterator
from contextlib import aclosing, contextmanager

from instar.cli.screen import Screen
from instar.client.client import GatewayClient
from instar.client.events import EventStream, Lost, Restored, ServerEvent
from instar.client.talk import ChatUpdate, message_text, read_update
from instar.client.wire import Payload
from instar.errors import InstarError
from instar.ports.ids import IdSource

__all__ = ["Conversation"]


class Conversation:
    """One session, as one person sees it."""

    def __init__(self, client: GatewayClient, key: str, *, screen: Screen, ids: IdSource, thinking: str | None) -> None:
        self._client = client
        self._key = key
        self._screen = screen
        self._ids = ids
        self._thinking = thinking
        self._own: set[str] = set()

    @property
    def key(self) -> str:
        """The session's key."""
        return self._key

    async def send(self, text: str) -> ChatUpdate | None:
        """Send a message and show its answer; its last piece, None when the person left before.

        Whoever leaves loses nothing: the gateway finishes the turn, and its end is shown by `overhear`.
        """
        run_id = self._ids.turn_id()
        self._own.add(run_id)
        self._screen.begin()
        showing = asyncio.ensure_future(self._show(text, run_id))
        with self._stopped_by_ctrl_c(showing, run_id):
            try:
                return await showing
            except asyncio.CancelledError:
                self._own.discard(run_id)
                return None

    async def _show(self, text: str, run_id: str) -> ChatUpdate:
        """Show every piece; the last one. What the gateway refuses is shown as the end."""
        last = ChatUpdate(kind="error", run_id=run_id, error="The connection ended before the answer did.")
        try:
            async with aclosing(
                self._client.chat_send(self._key, text, run_id=run_id, thinking=self._thinking)
            ) as pieces:
                async for update in pieces:
                    self._screen.show(update)
                    last = update
        except InstarError as error:
            last = ChatUpdate(kind="error", run_id=run_id, error=str(error))
            self._screen.show(last)
        return last

    @contextmanager
    def _stopped_by_ctrl_c(self, showing: asyncio.Future[ChatUpdate], run_id: str) -> Iterator[None]:
        """While inside, Ctrl-C stops the turn, and a second one stops the waiting."""
        loop = asyncio.get_running_loop()
        stopping: list[asyncio.Task[None]] = []

        def stop() -> None:
            if stopping:
                showing.cancel()
            else:
                self._screen.note("Stopping; Ctrl-C again leaves.")
                stopping.append(loop.create_task(self._stop(run_id)))

        loop.add_signal_handler(signal.SIGINT, stop)
        try:
            yield
        finally:
            loop.remove_signal_handler(signal.SIGINT)
            for task in stopping:
                task.cancel()

    async def _stop(self, run_id: str) -> None:
        try:
            await self._client.chat_abort(self._key, run_id=run_id)
        except InstarError as error:
            self._screen.note(str(error), is_error=True)

    # --- what others cause --------------------------------------------------------------------------------------------

    async def recall(self, *, limit: int) -> list[str]:
        """Show the last messages of the session; the ids of runs that go on."""
        history = await self._client.chat_history(self._key, limit=limit * 4)
        said = [message for message in history.get("messages", []) if message_text(message).strip()]
        for message in [one for one in said if one.get("role") in {"user", "assistant"}][-limit:]:
            self._screen.note(_shorten(message))
        info = history.get("sessionInfo") or {}
        return [str(run_id) for run_id in info.get("activeRunIds", [])]

    async def overhear(self, events: EventStream) -> None:
        """Show the ends of runs that nobody waits for here, and what becomes of the gateway, until cancelled."""
        is_away = False
        async for event in events:
            match event:
                case ServerEvent(payload={"sessionKey": self._key, "runId": str() as run_id}):
                    if run_id not in self._own:
                        self._tell_other(event.name, event.payload, run_id)
                case Lost() if not is_away and not self._client.is_up:  # else it was told while an answer came
                    is_away = True
                    self._screen.note("The gateway is away; it is waited for.")
                case Restored() if is_away:
                    is_away = False
                    self._screen.note("The gateway is back.")
                case _:
                    pass

    def _tell_other(self, name: str, payload: Payload, run_id: str) -> None:
        update = read_update(name, payload, run_id=run_id)
        if update is not None and update.is_end:
            self._screen.begin()
            self._screen.show(update)


def _shorten(message: Payload) -> str:
    who = "you" if message.get("role") == "user" else "agent"
    text = " ".join(message_text(message).split())
    return f"{who}: {text if len(text) <= 200 else text[:199] + '…'}"
