"""The gateway as the process that people start: begun, awaited, killed, told to stop."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

__all__ = ["BRIDGES", "TOKEN", "Finished", "GatewayUnderFire", "ask_doctor", "build_config", "find_port", "run_beside"]

TOKEN: Final = "opens-the-gateway-and-its-bridges"  # noqa: S105 - of a gateway that lives for one run on this machine
BRIDGES: Final[Mapping[str, str]] = {"telegram": "followup", "slack": "collect", "discord": "steer"}
"""Bridges by name, each with a queue mode of its own: what waits behind a turn goes three different ways."""

_CAP: Final = 1000
"""So many messages may wait in a lane before any is given up (QUEUE-13): here none is, so that each can be counted."""

START_S: Final = 60.0
"""A start takes about a second; a busy machine with a slow disk takes longer, a gateway that hangs takes forever."""


def build_config(*, model_url: str) -> dict[str, object]:
    """A gateway that lets everybody in and forgets nobody: no resets, many turns at once."""
    bridge = {"type": "bridge", "token": TOKEN, "dmPolicy": "open", "groupPolicy": "open"}
    model = {"baseUrl": model_url, "apiKey": "k", "api": "openai-completions"}
    return {
        "gateway": {"auth": {"mode": "token", "token": TOKEN}},
        "session": {"dmScope": "per-channel-peer", "reset": {"mode": "off"}},
        "messages": {"queue": {"byChannel": dict(BRIDGES), "debounceMs": 0, "cap": _CAP}},
        "channels": {name: dict(bridge) for name in BRIDGES},
        "models": {"providers": {"mine": {**model, "models": [{"id": "test", "contextWindow": 1_000_000}]}}},
        "agents": {"defaults": {"model": "mine/test", "maxConcurrent": 16}},
    }


def find_port() -> int:
    """A port of this machine that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port: int = free.getsockname()[1]
        return port


class GatewayUnderFire:
    """One gateway on one state directory and one port, whatever happens to its process."""

    def __init__(self, folder: Path, config: Mapping[str, object], *, port: int) -> None:
        self.port = port
        self.state_dir = folder / "state"
        self.config_path = folder / "instar.json5"
        self.config_path.write_text(json.dumps(config), encoding="utf-8")
        self._errors = folder / "stderr.txt"
        self._process: asyncio.subprocess.Process | None = None

    @property
    def database(self) -> Path:
        """Its database file."""
        return self.state_dir / "instar.db"

    @property
    def errors(self) -> str:
        """What all processes said on standard error."""
        return self._errors.read_text(encoding="utf-8", errors="replace") if self._errors.is_file() else ""

    @property
    def is_alive(self) -> bool:
        """Whether its process runs."""
        return self._process is not None and self._process.returncode is None

    async def launch(self, *, sync_delay_ms: int = 0) -> None:
        """Begin a process; with a delay, every wait for the disk takes that much longer."""
        slow = [] if sync_delay_ms == 0 else ["instar.testing.crash.slow", str(sync_delay_ms)]
        command = [sys.executable, "-m", *(slow or ["instar"]), "gateway", "--port", str(self.port)]
        with self._errors.open("ab") as errors:
            self._process = await asyncio.create_subprocess_exec(
                *command,
                "--config",
                str(self.config_path),
                env={**os.environ, "INSTAR_STATE_DIR": str(self.state_dir)},
                stdout=asyncio.subprocess.PIPE,
                stderr=errors,
            )

    async def wait_ready(self, timeout_s: float = START_S) -> bool:
        """True once it says that it answers, False when it ended instead. Raises TimeoutError."""
        assert self._process is not None and self._process.stdout is not None  # noqa: S101, PT018 - launched before
        async with asyncio.timeout(timeout_s):
            return b"is ready at" in await self._process.stdout.readline()

    async def kill(self) -> None:
        """``kill -9``. May be called twice."""
        await self._end(signal.SIGKILL)

    async def stop(self) -> int:
        """Ask it to stop; its exit code. Raises TimeoutError."""
        return await self._end(signal.SIGTERM)

    async def wait_end(self, timeout_s: float = START_S) -> int:
        """Its exit code, once it has ended by itself. Raises TimeoutError."""
        assert self._process is not None  # noqa: S101 - launched before
        async with asyncio.timeout(timeout_s):
            return await self._process.wait()

    async def _end(self, how: signal.Signals) -> int:
        process = self._process
        if process is None:
            return 0
        if process.returncode is None:
            process.send_signal(how)
        async with asyncio.timeout(START_S):
            await process.wait()
        return process.returncode or 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Finished:
    """A command that has ended: its exit code, and what it said."""

    code: int
    output: str
    errors: str


async def run_beside(gateway: GatewayUnderFire, *args: str) -> Finished:
    """A command of the command line on the state directory of a gateway, to its end."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "instar", *args, "--config", str(gateway.config_path)),
        env={**os.environ, "INSTAR_STATE_DIR": str(gateway.state_dir)},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    output, errors = await process.communicate()
    return Finished(code=process.returncode or 0, output=output.decode(), errors=errors.decode())


async def ask_doctor(gateway: GatewayUnderFire) -> list[str]:
    """What `instar doctor` calls critical: words in danger or out of reach."""
    done = await run_beside(gateway, "doctor", "--json")
    try:
        found = json.loads(done.output)["findings"]
    except (ValueError, KeyError):
        return [f"the doctor cannot be understood: {done.output[-300:]}{done.errors[-300:]}"]
    return [f"the doctor says {one['code']}: {one['what']}" for one in found if one["severity"] == "critical"]
