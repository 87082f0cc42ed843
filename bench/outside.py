"""A gateway and a model as processes of their own, and a client of the wire that costs little itself."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from bench.harness import Options, child_environment

__all__ = ["TOKEN", "GatewayProcess", "WireClient", "open_client", "open_gateway", "open_model", "start_gateway"]

TOKEN = "a-token-of-the-benchmarks-that-opens-nothing-else"  # noqa: S105 - it opens the gateway that is measured
SCOPES = ("operator.read", "operator.write", "operator.admin")

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder().decode


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewayProcess:
    """A gateway that answers at `url`; `started_at` is the monotonic second at which its process began."""

    process: subprocess.Popen[str]
    url: str
    started_at: float


def start_gateway(options: Options, state: Path, config: Mapping[str, object]) -> GatewayProcess:
    """Start a gateway on a state directory and wait for its ready line."""
    path = state.parent / f"{state.name}.json5"
    path.write_bytes(_encode(config))
    command = [sys.executable, "-m", "instar", "gateway", "run", "--port", "0", "--token", TOKEN, "--config", str(path)]
    environment = {**child_environment(options.folder), "INSTAR_STATE_DIR": str(state)}
    started_at = time.monotonic()
    process = subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, cwd=options.folder
    )
    line = process.stdout.readline() if process.stdout else ""
    if "ready at " not in line:
        process.kill()
        raise RuntimeError(f"the gateway did not start: {' '.join(command)}")
    url = line.split("ready at ")[1].split()[0].replace("http://", "ws://")
    return GatewayProcess(process=process, url=url, started_at=started_at)


@contextmanager
def open_gateway(options: Options, state: Path, config: Mapping[str, object]) -> Iterator[GatewayProcess]:
    """A gateway inside the block; it ends cleanly, so that its state can be started again."""
    gateway = start_gateway(options, state, config)
    try:
        yield gateway
    finally:
        gateway.process.terminate()
        gateway.process.wait(timeout=60)


@contextmanager
def open_model(options: Options) -> Iterator[str]:
    """A model that answers at once, behind HTTP; its address without a path."""
    command = [sys.executable, "-m", "instar.testing.model_server", "--seconds", "600"]
    with subprocess.Popen(
        command, env=child_environment(options.folder), stdout=subprocess.PIPE, text=True, cwd=options.folder
    ) as server:
        try:
            line = server.stdout.readline() if server.stdout else ""
            yield line.split("OpenAI ")[1].split("/v1")[0]
        finally:
            server.kill()


class WireClient:
    """One connection. Calls may overlap; of the events only the ends of runs are looked at."""

    def __init__(self, socket: ClientConnection) -> None:
        self._socket = socket
        self._ids = itertools.count()
        self._answers: dict[str, asyncio.Future[Mapping[str, Any]]] = {}  # Any: JSON
        self._ends: dict[str, asyncio.Future[str]] = {}

    async def call(self, method: str, params: Mapping[str, object] | None = None) -> Mapping[str, Any]:
        """The payload of a call that succeeds. `Any`: JSON."""
        name = f"r{next(self._ids)}"
        answer = self._answers[name] = asyncio.get_running_loop().create_future()
        await self._socket.send(_encode({"type": "req", "id": name, "method": method, "params": params or {}}).decode())
        frame = await answer
        if not frame["ok"]:
            raise RuntimeError(f"{method} was refused: {frame['error']}")
        payload: Mapping[str, Any] = frame.get("payload") or {}
        return payload

    async def take_turn(self, key: str, message: str, run_id: str) -> None:
        """Send a message and wait for the event that ends its run."""
        end = self._ends[run_id] = asyncio.get_running_loop().create_future()
        await self.call("chat.send", {"sessionKey": key, "message": message, "idempotencyKey": run_id})
        state = await end
        if state != "final":
            raise RuntimeError(f"the turn {run_id} ended as {state}")

    async def listen(self) -> None:
        """Read frames until the connection closes; what is still waited for then fails."""
        with contextlib.suppress(ConnectionClosed):
            async for text in self._socket:
                self._take(_decode(text))
        left: list[asyncio.Future[Any]] = [*self._answers.values(), *self._ends.values()]
        for waiting in left:
            if not waiting.done():
                waiting.set_exception(RuntimeError("the connection was closed"))

    def _take(self, frame: Mapping[str, Any]) -> None:
        if frame["type"] == "res":
            self._answers.pop(frame["id"]).set_result(frame)
        elif frame.get("event") == "chat":
            payload = frame["payload"]
            if payload["state"] in {"final", "error", "aborted"} and payload["runId"] in self._ends:
                self._ends.pop(payload["runId"]).set_result(payload["state"])


@asynccontextmanager
async def open_client(url: str) -> AsyncIterator[WireClient]:
    """A client that has connected."""
    async with connect(url, max_size=None, compression=None) as socket:
        await socket.recv()
        client = WireClient(socket)
        listening = asyncio.create_task(client.listen())
        told = {"id": "gateway-client", "version": "1.0", "platform": "linux", "mode": "backend"}
        asked = {"role": "operator", "scopes": SCOPES, "client": told, "auth": {"token": TOKEN}}
        await client.call("connect", {"minProtocol": 4, "maxProtocol": 4, **asked})
        try:
            yield client
        finally:
            listening.cancel()
            await asyncio.gather(listening, return_exceptions=True)
