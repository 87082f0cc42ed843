"""A gateway as a process of its own: started by the command that people type, spoken to over HTTP, killed at will."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from http.client import RemoteDisconnected
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from instar.client.blocking import BlockingClient
from instar.client.discovery import GatewayAddress
from instar.testing.script import Asked, Reply, echo_script

__all__ = ["TOKEN", "Answer", "GatewayProcess", "HeldModel", "build_process_config", "run_instar", "wait_until"]

TOKEN = "a-token-for-bridges-of-tests"
START_S = 60.0
"""A start takes half a second; a machine that is busy with other tests takes twenty times as long."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What an HTTP request was answered."""

    status: int
    body: Any
    headers: Mapping[str, str]


def build_process_config(
    *, model_url: str = "", channels: Mapping[str, object] | None = None, **root: object
) -> dict[str, object]:
    """A bridge named telegram that lets everybody in, each with a session of their own; a model if it has a url."""
    bridge = {"type": "bridge", "token": TOKEN, "dmPolicy": "open", "groupPolicy": "open"}
    models = {"baseUrl": model_url, "apiKey": "k", "api": "openai-completions", "models": [{"id": "test"}]}
    return {
        "session": {"dmScope": "per-channel-peer"},
        "messages": {"queue": {"debounceMs": 0}},
        "channels": {"telegram": bridge} if channels is None else dict(channels),
        **(
            {"models": {"providers": {"mine": models}}, "agents": {"defaults": {"model": "mine/test"}}}
            if model_url
            else {}
        ),
        **root,
    }


def run_instar(
    *args: str,
    state_dir: Path,
    timeout_s: float = START_S,
    stdin: str | None = None,
    env: Mapping[str, str] | None = None,
) -> subprocess.CompletedProcess[str]:
    """One command of the command line, to its end."""
    return subprocess.run(
        [sys.executable, "-m", "instar", *args],
        env={**os.environ, "INSTAR_STATE_DIR": str(state_dir), **(env or {})},
        input=stdin,
        capture_output=True,
        text=True,
        timeout=timeout_s,
        check=False,
    )


def wait_until(is_so: Callable[[], bool], *, timeout_s: float = START_S) -> None:
    """Return once it is so. Raises `AssertionError` when it is not in time."""
    deadline = time.monotonic() + timeout_s
    while not is_so():
        assert time.monotonic() < deadline, f"it did not happen within {timeout_s:g} s"
        time.sleep(0.02)


class HeldModel:
    """A script that echoes, and stands still in the middle of its first answer to `word`; `reached` says that it does.

    As a process that is to be killed needs it: the answer is half out, and will never be whole.
    """

    def __init__(self, word: str) -> None:
        self.reached = threading.Event()
        self._word = word

    def __call__(self, asked: Asked) -> Reply:
        """What it says."""
        reply = echo_script(asked)
        is_held = asked.last_user_text == self._word and not self.reached.is_set()
        return replace(reply, chunks=8, before_chunk=self._hold) if is_held else reply

    async def _hold(self, index: int) -> None:
        if index == 3:
            self.reached.set()
            await asyncio.get_running_loop().create_future()


class GatewayProcess:
    """A gateway below `folder`; enter it to start. `restart` after `kill` or `stop` begins again on the same state."""

    def __init__(self, folder: Path, config: Mapping[str, object], *, args: Sequence[str] = ()) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.state_dir = folder / "state"
        self.config_path = folder / "instar.json5"
        self.config_path.write_text(json.dumps(config), encoding="utf-8")
        self.ready_line = ""
        self._args = tuple(args)
        self._errors = folder / "stderr.txt"
        self._process: subprocess.Popen[str] | None = None

    def __enter__(self) -> Self:
        """Start it."""
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End it, whatever it is doing."""
        self.kill()

    @property
    def url(self) -> str:
        """``http://127.0.0.1:<port>``."""
        return str(self._running()["url"]).replace("ws://", "http://").rstrip("/")

    @property
    def pid(self) -> int:
        """The number of its process."""
        assert self._process is not None
        return self._process.pid

    @property
    def token(self) -> str:
        """The secret that the gateway wrote down for clients of this machine."""
        return str(self._running()["token"])

    @property
    def errors(self) -> str:
        """What it said on standard error, over all starts."""
        return self._errors.read_text(encoding="utf-8")

    def start(self) -> Self:
        """Start it and wait for its ready line. Raises `AssertionError` with what it said when it ends instead."""
        command = [sys.executable, "-m", "instar", "gateway", "--port", "0", "--config", str(self.config_path)]
        with self._errors.open("a", encoding="utf-8") as errors:
            self._process = subprocess.Popen(
                [*command, *self._args],
                env={**os.environ, "INSTAR_STATE_DIR": str(self.state_dir)},
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
            )
        assert self._process.stdout is not None
        self.ready_line = self._process.stdout.readline()
        assert "is ready at" in self.ready_line, self.errors
        return self

    def kill(self) -> None:
        """``kill -9``. May be called twice."""
        if self._process is not None:
            self._process.kill()
            self._end()

    def stop(self) -> int:
        """``kill``, and its exit code."""
        assert self._process is not None
        self._process.terminate()
        return self._end()

    def _end(self) -> int:
        assert self._process is not None
        code = self._process.wait(timeout=START_S)
        if self._process.stdout is not None:
            self._process.stdout.close()
        self._process = None
        return code

    def _running(self) -> Mapping[str, Any]:
        running: dict[str, Any] = json.loads((self.state_dir / "gateway.json").read_text(encoding="utf-8"))
        return running

    # --- speaking to it -----------------------------------------------------------------------------------------------

    def client(self) -> BlockingClient:
        """A client of its WebSocket."""
        url = self.url.replace("http://", "ws://")
        return BlockingClient((GatewayAddress(url=url, token=self.token),), timeout_s=START_S)

    def call(self, method: str, **params: object) -> Mapping[str, Any]:
        """The payload of one request, on a connection of its own."""
        with self.client() as client:
            return client.call(method, params)

    def request(
        self, method: str, path: str, body: object = None, *, token: str | None = TOKEN, raw: bytes | None = None
    ) -> Answer:
        """An HTTP request; a body that is not `raw` is sent as JSON."""
        data = raw if raw is not None or body is None else json.dumps(body).encode()
        headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        request = urllib.request.Request(f"{self.url}{path}", data=data, method=method, headers=headers)  # noqa: S310 - its own url
        try:
            with urllib.request.urlopen(request, timeout=START_S) as answer:  # noqa: S310 - the same
                return Answer(status=answer.status, body=json.loads(answer.read()), headers=dict(answer.headers))
        except urllib.error.HTTPError as error:
            with error:
                return Answer(status=error.code, body=json.loads(error.read()), headers=dict(error.headers))

    def post(self, text: str, *, message_id: str | int, channel: str = "telegram", **changes: object) -> Answer:
        """What a person says: ann in a direct chat, unless `changes` say otherwise."""
        body = {"messageId": message_id, "chat": {"type": "direct"}, "sender": {"id": "ann"}, "text": text, **changes}
        return self.request("POST", f"/channels/{channel}/inbound", body)

    def fetch(self, *, wait_s: float = 0, channel: str = "telegram") -> list[dict[str, Any]]:
        """The replies that have no receipt yet."""
        answer = self.request("GET", f"/channels/{channel}/outbound?wait={wait_s:g}&max=100")
        assert answer.status == 200, answer
        messages: list[dict[str, Any]] = answer.body["messages"]
        return messages

    def confirm(self, delivery_id: str, *, channel: str = "telegram", **receipt: object) -> Answer:
        """A receipt, ``sent`` unless it says otherwise."""
        return self.request(
            "POST", f"/channels/{channel}/outbound/{delivery_id}/receipt", {"status": "sent", **receipt}
        )

    def take(self, count: int, *, channel: str = "telegram", timeout_s: float = START_S) -> list[dict[str, Any]]:
        """Fetch and confirm replies until there were so many, in order."""
        taken: list[dict[str, Any]] = []
        deadline = time.monotonic() + timeout_s
        while len(taken) < count:
            assert time.monotonic() < deadline, f"{len(taken)} of {count} replies came within {timeout_s:g} s"
            for message in self.fetch(wait_s=1, channel=channel):
                self.confirm(message["deliveryId"], channel=channel)
                taken.append(message)
        return taken

    def said(self, key: str) -> list[tuple[str, str]]:
        """The words of a session, each with who said them."""
        messages = self.call("chat.history", sessionKey=key)["messages"]
        return [(message["role"], _text(message["content"])) for message in messages]

    def is_alive(self) -> bool:
        """Whether it answers."""
        try:
            return self.request("GET", "/healthz", token=None).status == 200
        except (urllib.error.URLError, RemoteDisconnected):
            return False


def _text(content: str | list[dict[str, Any]]) -> str:
    if isinstance(content, str):
        return content
    return "".join(block.get("text", "") for block in content)
