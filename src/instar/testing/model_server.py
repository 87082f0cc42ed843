"""A local server that speaks the wire formats of model providers, for tests and for trying Instar without a key.

It is a real HTTP server on 127.0.0.1, in a thread of its own, written on plain asyncio streams: tests need to break
connections in ways that a web framework protects one from. It answers from a `Script` (`instar.testing.script`),
records what it was asked, and refuses what a real provider refuses: calls without results, illegal roles, no text::

    with ModelServer(play("Hello.")) as server:
        settings = parse_models({"models": {"providers": {"mine": {"baseUrl": server.openai_url}}}}, environ={})

By hand: ``python -m instar.testing.model_server --port 8080 --script tool``.
"""

from __future__ import annotations

import asyncio
import inspect
import json
import socket
import struct
import threading
from collections.abc import Mapping
from types import TracebackType
from typing import Self

import click

from instar.errors import InvariantBroken
from instar.testing.script import (
    Asked,
    Fault,
    Recorded,
    Reply,
    Script,
    echo_script,
    finish_reply,
    slow_script,
    tool_script,
)
from instar.testing.wire.anthropic import AnthropicMessages
from instar.testing.wire.dialect import Dialect, Failure, dump
from instar.testing.wire.google import GoogleGenerate
from instar.testing.wire.openai import OpenAICompletions
from instar.testing.wire.responses import OpenAIResponses

__all__ = ["ModelServer", "count_prompt"]

_DIALECTS: Mapping[str, Dialect] = {
    "/chat/completions": OpenAICompletions(),
    "/responses": OpenAIResponses(),
    "/messages": AnthropicMessages(),
    ":generateContent": GoogleGenerate(),
    ":streamGenerateContent": GoogleGenerate(),
}

_REASONS: Mapping[int, str] = {200: "OK", 400: "Bad Request", 401: "Unauthorized", 404: "Not Found", 429: "Too Many"}

MAX_BODY_BYTES = 64 * 1024 * 1024
CHARACTERS_PER_TOKEN = 4


class _Reset(Exception):
    """A signal of this module: the script wants the connection broken."""


class ModelServer:
    """The server; use it as a context manager. `script` may be changed at any time, `requests` grows in order.

    With `key` it refuses other keys. With `window_tokens` it refuses larger prompts, by its own estimate, as a provider
    with such a window would.
    """

    def __init__(
        self, script: Script = echo_script, *, port: int = 0, key: str | None = None, window_tokens: int | None = None
    ) -> None:
        self.script = script
        self.requests: list[Recorded] = []
        self.key = key
        self.window_tokens = window_tokens
        self.open_connections = 0
        self._port = port
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stopping: asyncio.Event | None = None
        self._thread: threading.Thread | None = None
        self._ready = threading.Event()
        self._failure: OSError | None = None

    # --- life ---------------------------------------------------------------------------------------------------------

    @property
    def url(self) -> str:
        """``http://127.0.0.1:<port>``."""
        return f"http://127.0.0.1:{self._port}"

    @property
    def openai_url(self) -> str:
        """The base address as clients of OpenAI want it."""
        return f"{self.url}/v1"

    @property
    def anthropic_url(self) -> str:
        """The base address as clients of Anthropic want it."""
        return self.url

    @property
    def google_url(self) -> str:
        """The base address as clients of Google want it."""
        return self.url

    def start(self) -> Self:
        """Listen; returns once the port is known. Raises OSError when the port is taken."""
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()), name="model-server", daemon=True)
        self._thread.start()
        self._ready.wait()
        if self._failure is not None:
            raise self._failure
        return self

    def stop(self) -> None:
        """Close every connection and end the thread. May be called twice."""
        if self._loop is not None and self._stopping is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._stopping.set)
        if self._thread is not None:
            self._thread.join()
            self._thread = None

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    async def _serve(self) -> None:
        self._loop, self._stopping = asyncio.get_running_loop(), asyncio.Event()
        try:
            server = await asyncio.start_server(self._connected, "127.0.0.1", self._port, limit=MAX_BODY_BYTES)
        except OSError as error:
            self._failure = error
            self._ready.set()
            return
        self._port = server.sockets[0].getsockname()[1]
        self._ready.set()
        await self._stopping.wait()
        server.close()
        for task in asyncio.all_tasks() - {asyncio.current_task()}:
            task.cancel()

    # --- one connection -----------------------------------------------------------------------------------------------

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.open_connections += 1
        # Small frames must leave at once: waiting for an acknowledgement would add 40 ms to each.
        writer.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            while await self._exchange(reader, writer):
                pass
        except _Reset:
            # No lingering: closing sends a reset instead of an orderly end.
            linger = struct.pack("ii", 1, 0)
            writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            writer.transport.abort()
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass  # the caller went away, or the server stops: nobody is left to be told
        finally:
            self.open_connections -= 1
            writer.close()

    async def _exchange(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """One request and its answer; False when the connection is at its end."""
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        except asyncio.IncompleteReadError:
            return False
        method, path, _ = head[0].split(" ", 2)
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:] if line)}
        raw = await reader.readexactly(int(headers.get("content-length", "0")))
        work = asyncio.create_task(self._answer(method, path.partition("?")[0], headers, raw, writer))
        gone = asyncio.create_task(_wait_until_gone(reader))
        try:
            await asyncio.wait({work, gone}, return_when=asyncio.FIRST_COMPLETED)
            if not work.done():
                self.requests[-1].was_cut_off = True
                return False
            return await work
        finally:
            for task in (work, gone):
                task.cancel()

    async def _answer(
        self, method: str, path: str, headers: Mapping[str, str], raw: bytes, writer: asyncio.StreamWriter
    ) -> bool:
        dialect = next((each for end, each in _DIALECTS.items() if path.endswith(end)), None)
        if method == "GET" and path.endswith("/models"):
            return await _send(writer, 200, {"object": "list", "data": [{"id": "test", "object": "model"}]})
        if method != "POST" or dialect is None:
            return await _send(writer, 404, {"error": {"message": f"no such page: {method} {path}"}})
        body = {**json.loads(raw), **_said_in_path(path)}
        asked = dialect.parse(body)
        recorded = Recorded(path=path, headers=headers, body=body, asked=asked)
        self.requests.append(recorded)
        refused = self._refuse(dialect, headers, body, asked)
        if refused is not None:
            recorded.was_refused = True
            return await _send(writer, refused.status, refused.body, refused.headers)
        told = self.script(asked)
        reply = finish_reply(await told if inspect.isawaitable(told) else told, asked)
        return await self._tell(reply, dialect, recorded, writer)

    def _refuse(
        self, dialect: Dialect, headers: Mapping[str, str], body: Mapping[str, object], asked: Asked
    ) -> Failure | None:
        named = headers.get("x-api-key") or headers.get("x-goog-api-key")
        given = named or headers.get("authorization", "").removeprefix("Bearer ")
        if self.key is not None and given != self.key:
            return dialect.fail(Fault(kind="auth"), asked)
        odd = dialect.check(body, asked)
        if odd is not None:
            return dialect.fail(Fault(kind="rejected", text=odd), asked)
        if self.window_tokens is not None and count_prompt(body, asked) > self.window_tokens:
            return dialect.fail(Fault(kind="overflow"), asked)
        return None

    async def _tell(self, reply: Reply, dialect: Dialect, recorded: Recorded, writer: asyncio.StreamWriter) -> bool:
        """Send the reply, streamed or whole, with the faults and pauses it asks for."""
        fault, asked = reply.fault, recorded.asked
        await asyncio.sleep(reply.delay_s)
        if fault is not None and fault.after_chunks is None and fault.kind != "cut":
            return await self._fail(fault, dialect, asked, writer)
        if not asked.is_streamed:
            return await _send(writer, 200, dialect.whole(reply, asked))
        writer.write(_head(200, {"content-type": "text/event-stream", "transfer-encoding": "chunked"}))
        for frame in dialect.stream(reply, asked, recorded.body):
            if frame.chunk is not None:
                if reply.before_chunk is not None:
                    await reply.before_chunk(frame.chunk)
                await asyncio.sleep(reply.pause_s if frame.chunk else 0)
                if fault is not None and fault.after_chunks == frame.chunk:
                    return await self._break_off(fault, dialect, asked, writer)
            elif fault is not None and _is_end(frame.data):
                return await self._break_off(fault, dialect, asked, writer)
            writer.write(_chunk(frame.data))
            await writer.drain()
        writer.write(_chunk(b""))
        await writer.drain()
        return True

    async def _fail(self, fault: Fault, dialect: Dialect, asked: Asked, writer: asyncio.StreamWriter) -> bool:
        if fault.kind == "reset":
            raise _Reset
        if fault.kind == "hang":
            await asyncio.get_running_loop().create_future()
        failure = dialect.fail(fault, asked)
        return await _send(writer, failure.status, failure.body, failure.headers)

    async def _break_off(self, fault: Fault, dialect: Dialect, asked: Asked, writer: asyncio.StreamWriter) -> bool:
        """Fail in the middle: the connection breaks, stalls, ends too early, or an error comes in the stream."""
        if fault.kind in {"reset", "hang"}:
            await writer.drain()
            return await self._fail(fault, dialect, asked, writer)
        if fault.kind != "cut":
            writer.write(_chunk(dialect.fail_inside(fault, asked)))
        writer.write(_chunk(b""))
        await writer.drain()
        return True


def count_prompt(body: Mapping[str, object], asked: Asked) -> int:
    """The tokens of a prompt by the server's own count: system text, words, calls with their arguments, tools."""
    said = sum(len(each.text) for each in asked.spoken)
    called = sum(len(each.name) + len(dump(each.arguments)) for spoken in asked.spoken for each in spoken.calls)
    tools = len(dump(body["tools"])) if body.get("tools") else 0
    return (len(asked.system) + said + called + tools) // CHARACTERS_PER_TOKEN


def _said_in_path(path: str) -> Mapping[str, object]:
    """What Google says in the path instead of the body: the model, and whether the answer is streamed."""
    model, _, verb = path.rpartition("/models/")[2].partition(":")
    return {"model": model, "stream": verb.startswith("stream")} if verb else {}


async def _wait_until_gone(reader: asyncio.StreamReader) -> None:
    """Return when the caller has closed the connection. It looks instead of reading: a next request must stay whole."""
    while not reader.at_eof() and reader.exception() is None:  # noqa: ASYNC110 - a stream tells nobody that it ended
        await asyncio.sleep(0.01)


def _is_end(data: bytes) -> bool:
    """Whether a frame begins the end of an answer: the finish reason, or what says that the message is over."""
    ends = (b"event: message_delta", b"event: response.completed", b"event: response.incomplete")
    return b'"finish_reason":"' in data or b'"finishReason":"' in data or data.startswith(ends)


async def _send(
    writer: asyncio.StreamWriter, status: int, body: Mapping[str, object], headers: Mapping[str, str] | None = None
) -> bool:
    data = dump(body).encode()
    told = {"content-type": "application/json", "content-length": str(len(data)), **(headers or {})}
    writer.write(_head(status, told) + data)
    await writer.drain()
    return True


def _head(status: int, headers: Mapping[str, str]) -> bytes:
    lines = [
        f"HTTP/1.1 {status} {_REASONS.get(status, 'Status')}",
        *(f"{name}: {text}" for name, text in headers.items()),
    ]
    return "\r\n".join([*lines, "", ""]).encode("latin-1")


def _chunk(data: bytes) -> bytes:
    return f"{len(data):x}\r\n".encode() + data + b"\r\n"


_SCRIPTS: Mapping[str, Script] = {"echo": echo_script, "tool": tool_script, "slow": slow_script}


@click.command()
@click.option("--port", default=0, show_default=True, help="Port on 127.0.0.1; 0 takes a free one.")
@click.option("--script", "name", type=click.Choice(list(_SCRIPTS)), default="echo", show_default=True)
@click.option("--seconds", type=float, default=None, help="Stop by itself after so long.")
def main(port: int, name: str, seconds: float | None) -> None:
    """A model server for manual trials, speaking OpenAI's and Anthropic's wire formats."""
    with ModelServer(_SCRIPTS[name], port=port) as server:
        click.echo(f"model server ready: OpenAI {server.openai_url}  Anthropic {server.anthropic_url}  (script {name})")
        thread = server._thread  # noqa: SLF001 - its own command
        if thread is None:
            raise InvariantBroken("a started model server has a thread")
        try:
            thread.join(seconds)
        except KeyboardInterrupt:
            click.echo("stopped")


if __name__ == "__main__":
    main()
