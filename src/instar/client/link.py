"""One lasting connection to a gateway: requests and their answers, events in order, and its restoration.

Theory of operation. One task reads. A response goes to whoever asked; an event goes to every stream, with a `Gap`
before it when its number is not the next one. When the connection breaks, every open request fails with
`GatewayUnreachable`, the streams hear `Lost`, and the task tries to connect again, at first at once and then more and
more slowly, wherever the gateway is by then: a restart may have given it another port. Whoever asks while there is
no connection waits for one as long as its request may take.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Final, Self

from instar.client.discovery import GatewayAddress
from instar.client.events import ClientEvent, EventStream, Gap, Lost, Restored, ServerEvent
from instar.client.wire import (
    Payload,
    build_connect,
    build_request,
    find_other,
    parse_frame,
    parse_refusal,
    unreachable,
)
from instar.errors import GatewayUnreachable, InstarError, Unavailable
from instar.ports.clock import Clock

if TYPE_CHECKING:
    from websockets.asyncio.client import ClientConnection

__all__ = ["Link"]

_PAUSES_S: Final = (0.1, 0.25, 0.5, 1.0, 2.0, 5.0)
"""Between attempts to connect again; the last one is repeated. A gateway of this machine is back within a second."""

_CLOSED: Final = "This client is closed"


class Link:
    """The connection of one client. Enter it to connect; `find` is asked for the gateway's place at each attempt."""

    def __init__(
        self,
        find: Callable[[], tuple[GatewayAddress, ...]],
        *,
        clock: Clock,
        client_id: str,
        mode: str,
        caps: tuple[str, ...] = (),
        timeout_s: float = 10.0,
        reconnects: bool = True,
    ) -> None:
        self._find = find
        self._clock = clock
        self._client_id = client_id
        self._mode = mode
        self._caps = caps
        self._timeout_s = timeout_s
        self._reconnects = reconnects
        self._socket: ClientConnection | None = None
        self._is_up = asyncio.Event()
        self._is_over = False
        self._waiting: dict[str, asyncio.Future[Payload]] = {}
        self._streams: list[EventStream] = []
        self._group = asyncio.TaskGroup()
        self._task: asyncio.Task[None] | None = None
        self._asked = 0
        self._next_seq: int | None = None
        self._kept: list[tuple[str, Mapping[str, object]]] = []
        self.hello: Payload = {}
        self.address: GatewayAddress | None = None

    # --- life ---------------------------------------------------------------------------------------------------------

    async def __aenter__(self) -> Self:
        """Connect. Raises `GatewayUnreachable`, `Forbidden` (a wrong secret), `Unavailable` (it is no gateway)."""
        socket = await self._open()
        await self._group.__aenter__()
        self._task = self._group.create_task(self._live(socket))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close; requests that wait fail, streams end."""
        self._is_over = True
        if self._task is not None:
            self._task.cancel()
        if self._socket is not None:
            await self._socket.close()
        self._drop("the client closes")
        for stream in self._streams:
            stream.end()
        await self._group.__aexit__(None, None, None)

    async def _live(self, socket: ClientConnection) -> None:
        """Read, and connect again when that ends, until the client closes."""
        while True:
            reason = await self._read(socket)
            self._drop(reason)
            if not self._reconnects:
                self._is_over = True
                self._publish(Lost(reason=reason, is_last=True))
                for stream in self._streams:
                    stream.end()
                return
            self._publish(Lost(reason=reason))
            socket = await self._restore()
            self._publish(Restored(hello=self.hello))

    async def _restore(self) -> ClientConnection:
        """A new connection, whenever there is a gateway again."""
        attempt = 0
        while True:
            await self._clock.sleep(_PAUSES_S[min(attempt, len(_PAUSES_S) - 1)])
            attempt += 1
            try:
                return await self._open()
            except InstarError:
                # A gateway that starts answers nothing, then perhaps another secret: all of it may pass.
                continue

    def _drop(self, reason: str) -> None:
        """Take the connection for lost: every request that waits for an answer fails."""
        self._is_up.clear()
        self._socket = None
        waiting, self._waiting = self._waiting, {}
        for future in waiting.values():
            if not future.done():
                future.set_exception(_lost(reason))

    # --- opening ------------------------------------------------------------------------------------------------------

    async def _open(self) -> ClientConnection:
        """Connect to the first place that answers, and greet."""
        from websockets.asyncio.client import connect
        from websockets.exceptions import WebSocketException

        places = self._find()
        why = "nobody listens"
        refusal: GatewayUnreachable | None = None
        for address in places:
            try:
                socket = await connect(
                    address.url, max_size=None, compression=None, open_timeout=self._timeout_s, proxy=None
                )
            except OSError as error:
                why = _reason(error)
                continue
            except WebSocketException as error:
                raise Unavailable(
                    f"What answers at {address.url} is no gateway", why=str(error), fix="Check the address."
                ) from None
            try:
                await self._greet(socket, address)
            except GatewayUnreachable as error:
                await socket.close()
                refusal = error
                continue
            except BaseException:
                await socket.close()
                raise
            return socket
        raise refusal or unreachable(places, why)

    async def _greet(self, socket: ClientConnection, address: GatewayAddress) -> None:
        """Wait for the challenge, connect, and ask again for what was asked to be kept (GW-4)."""
        from websockets.exceptions import ConnectionClosed

        params = build_connect(address, client_id=self._client_id, mode=self._mode, caps=self._caps)
        try:
            async with asyncio.timeout(self._timeout_s):
                while parse_frame(await socket.recv()).get("event") != "connect.challenge":
                    continue
                await socket.send(build_request("connect", "connect", params))
                while (answer := parse_frame(await socket.recv())).get("id") != "connect":
                    continue
                if not answer.get("ok"):
                    raise parse_refusal(answer.get("error") or {})
                hello = answer.get("payload") or {}
                other = find_other(address, hello)
                if other is not None:
                    raise other
                for number, (method, kept) in enumerate(self._kept):
                    await socket.send(build_request(f"kept-{number}", method, kept))
        except ConnectionClosed as error:
            raise _lost(str(error)) from None
        except TimeoutError:
            raise unreachable((address,), f"it did not greet within {self._timeout_s:g} s") from None
        self.hello = hello
        self.address = address
        self._next_seq = None
        self._socket = socket
        self._is_up.set()

    # --- reading ------------------------------------------------------------------------------------------------------

    async def _read(self, socket: ClientConnection) -> str:
        """Hand out what comes until the connection ends; why it ended."""
        from websockets.exceptions import ConnectionClosed

        try:
            while True:
                self._take(parse_frame(await socket.recv()))
        except ConnectionClosed as error:
            return str(error)
        except Unavailable as error:
            await socket.close()
            return str(error)

    def _take(self, frame: Payload) -> None:
        match frame.get("type"):
            case "res":
                future = self._waiting.pop(str(frame.get("id")), None)
                if future is not None and not future.done():
                    _settle(future, frame)
            case "event":
                seq = frame.get("seq")
                if isinstance(seq, int):
                    if self._next_seq is not None and seq != self._next_seq:
                        self._publish(Gap())
                    self._next_seq = seq + 1
                self._publish(ServerEvent(name=str(frame.get("event")), payload=frame.get("payload") or {}))
            case _:
                pass  # a kind of frame of a later protocol

    # --- what programs use --------------------------------------------------------------------------------------------

    @property
    def is_up(self) -> bool:
        """Whether there is a connection now."""
        return self._is_up.is_set()

    def events(self) -> EventStream:
        """What happens from now on."""
        stream = EventStream(self._forget)
        if self._is_over:
            stream.end()
        self._streams.append(stream)
        return stream

    async def call(
        self, method: str, params: Mapping[str, object] | None = None, *, timeout_s: float | None = None
    ) -> Payload:
        """The payload of a request, which waits for a connection where there is none.

        Raises what the gateway answers as one of `instar.errors`, and `GatewayUnreachable` when no answer came in
        time or the connection broke: the request may have been carried out or not.
        """
        if self._is_over:
            raise GatewayUnreachable(_CLOSED, fix="Open another one.")
        self._asked += 1
        request_id = str(self._asked)
        limit = self._timeout_s if timeout_s is None else timeout_s
        try:
            async with asyncio.timeout(limit):
                await self._is_up.wait()
                return await self._ask(request_id, build_request(request_id, method, params))
        except TimeoutError:
            raise unreachable(self._find(), f"no answer to {method} within {limit:g} s") from None
        finally:
            self._waiting.pop(request_id, None)

    async def keep(self, method: str, params: Mapping[str, object]) -> Payload:
        """As `call`, and asked again after each reconnect: for subscriptions."""
        answer = await self.call(method, params)
        if (method, params) not in self._kept:
            self._kept.append((method, params))
        return answer

    async def _ask(self, request_id: str, text: str) -> Payload:
        from websockets.exceptions import ConnectionClosed

        socket = self._socket
        if socket is None:
            raise _lost("it broke just now")
        future: asyncio.Future[Payload] = asyncio.get_running_loop().create_future()
        self._waiting[request_id] = future
        try:
            await socket.send(text)
        except ConnectionClosed as error:
            # The reader may have told the future already, and nobody will ask it any more.
            future.cancel() or future.exception()
            raise _lost(str(error)) from None
        return await future

    def _publish(self, event: ClientEvent) -> None:
        for stream in self._streams:
            stream.put(event)

    def _forget(self, stream: EventStream) -> None:
        if stream in self._streams:
            self._streams.remove(stream)


def _settle(future: asyncio.Future[Payload], frame: Payload) -> None:
    if frame.get("ok"):
        payload = frame.get("payload")
        future.set_result(payload if isinstance(payload, dict) else {})
    else:
        future.set_exception(parse_refusal(frame.get("error") or {}))


def _reason(error: OSError) -> str:
    """Why a connection could not be made, as the system says it."""
    if isinstance(error, TimeoutError):
        return "it does not answer"
    return (os.strerror(error.errno) if error.errno else str(error)).lower()


def _lost(reason: str) -> GatewayUnreachable:
    return GatewayUnreachable(
        "The connection to the gateway broke", why=reason, fix="Ask again; start the gateway with `instar gateway`."
    )
