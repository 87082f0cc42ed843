"""Hostile frames on the WebSocket: good requests with odd values, good text damaged, and bytes that are no frames.

Every request that can be read gets an answer, none of them a defect; the gateway lives on and does not grow.
"""

from __future__ import annotations

import contextlib
import json
import random
import socket
import time
from collections import Counter
from typing import Any, Final

import pytest
from websockets.exceptions import ConnectionClosed, InvalidHandshake
from websockets.sync.client import ClientConnection, connect

from instar.client.frames import encode_frame
from instar.protocol.methods import METHODS
from tests.builders.wire import build_connect
from tests.flow.test_wire_fuzz import draw_params
from tests.fuzz.conftest import Watched

LEFT_OUT: Final = {"backup.create"}
"""It writes a file each time, and a fuzzer asks for thousands."""

ODD: Final = (
    "\x00", "\ud800", "\u202e", "\\", '"', "{", "}", "[", "]", ":", ",", "e999", "-", "NaN", "\n", "\ufeff",
    "' OR 1=1--", "../" * 20, "A" * 70_000, "[" * 5_000, "😀" * 99, "null", "1e400", "9" * 400, "%s%n", "${HOME}",
    "\x1b[2J",
)  # fmt: skip

CONNECTION_FRAMES: Final = 200
"""Frames on one connection before the next one is opened."""


def damage(rng: random.Random, text: str) -> str:
    """The text with one to three small wounds."""
    for _ in range(rng.randrange(1, 4)):
        at = rng.randrange(len(text) + 1)
        end = min(len(text), at + rng.randrange(0, 12))
        match rng.randrange(4):
            case 0:
                text = text[:at] + text[end:]
            case 1:
                text = text[:at] + rng.choice(ODD) + text[at:]
            case 2:
                text = text[:at] + text[at:end] * rng.randrange(2, 5) + text[end:]
            case _:
                text = text[:at] + rng.choice(ODD) + text[end:]
    return text


def draw_request(rng: random.Random, number: int) -> str:
    """A request as the table describes it, its values odd."""
    method = rng.choice([one for name, one in METHODS.items() if name not in LEFT_OUT])
    params = draw_params(rng, method)
    frame: dict[str, Any] = {"type": "req", "id": f"r{number}", "method": method.name, "params": params}
    if rng.random() < 0.05:
        frame[rng.choice(["type", "id", "method", "params", "more"])] = rng.choice([None, 7, [], {}, "", "x" * 999])
    return json.dumps(frame)


def draw_bytes(rng: random.Random) -> bytes:
    """Something that is no good frame: unmasked, with reserved bits, too long, cut, or noise."""
    body = rng.randbytes(rng.choice([0, 1, 125, 126, 200]))
    good = encode_frame(rng.choice([0, 1, 2, 3, 8, 9, 10, 11, 15]), body, rng.randbytes(4))
    match rng.randrange(5):
        case 0:
            return bytes([good[0] ^ (1 << rng.randrange(8)), good[1] ^ (1 << rng.randrange(8)), *good[2:]])
        case 1:
            return bytes([0x81, 0xFF]) + rng.randbytes(8) + rng.randbytes(40)  # a length of exabytes
        case 2:
            return good[: rng.randrange(len(good) + 1)]
        case 3:
            return rng.randbytes(rng.randrange(1, 300))
        case _:
            return good


KINDS = ("requests", "damaged", "refused", "greetings", "noise")
"""What a run has to have said and heard."""


class Fuzzer:
    """Sends, and checks what comes back."""

    def __init__(self, watched: Watched, rng: random.Random) -> None:
        self._url = watched.gateway.url.replace("http://", "ws://")
        self._host, port = watched.gateway.url.removeprefix("http://").rsplit(":", 1)
        self._port = int(port)
        self._token = watched.gateway.token
        self._rng = rng
        self.counted: Counter[str] = Counter()

    def talk(self) -> None:
        """One connection that connects well and then says odd things, until it is closed."""
        with connect(self._url, compression=None, max_size=None, open_timeout=60) as client:
            client.recv(timeout=60)
            hello = {
                "type": "req",
                "id": "c",
                "method": "connect",
                "params": build_connect(auth={"token": self._token}),
            }
            client.send(json.dumps(hello))
            self._drain(client, until="c")
            with contextlib.suppress(ConnectionClosed):
                for number in range(CONNECTION_FRAMES):
                    self._say(client, number)

    def _say(self, client: ClientConnection, number: int) -> None:
        request = draw_request(self._rng, number)
        kind = self._rng.random()
        if kind < 0.6:
            client.send(request)
            self.counted["requests"] += 1
            asked = json.loads(request)
            method = METHODS.get(str(asked.get("method")))
            if asked.get("id") == f"r{number}" and method is not None and not method.waits:
                self._drain(client, until=f"r{number}", asked=request)
            return
        if kind < 0.95:
            client.send(damage(self._rng, request).encode("utf-8", "replace").decode())
            self.counted["damaged"] += 1
        elif kind < 0.97:
            client.send([request[: len(request) // 2], request[len(request) // 2 :]])
            self.counted["in pieces"] += 1
        elif kind < 0.99:
            client.ping(self._rng.randbytes(20))
            self.counted["pings"] += 1
        else:
            client.send(self._rng.randbytes(50))
            self.counted["binary"] += 1

    def _drain(self, client: ClientConnection, *, until: str, asked: str = "connect") -> None:
        """Read up to the answer to a request; a frame that is no answer, or tells a defect, fails."""
        deadline = time.monotonic() + 60
        while True:
            left_s = deadline - time.monotonic()
            assert left_s > 0, f"no answer to {asked[:500]}"
            try:
                frame = json.loads(client.recv(timeout=left_s))
            except TimeoutError:
                continue
            if frame["type"] == "res" and not frame["ok"]:
                assert "internal error" not in frame["error"]["message"], frame
                self.counted["refused"] += 1
            if frame.get("id") == until:
                return

    def greet_badly(self) -> None:
        """A first frame that is no good `connect`."""
        with (
            contextlib.suppress(ConnectionClosed, InvalidHandshake),
            connect(self._url, compression=None, open_timeout=60) as client,
        ):
            client.recv(timeout=60)
            text = json.dumps({"type": "req", "id": "c", "method": "connect", "params": build_connect(auth=None)})
            client.send(damage(self._rng, text).encode("utf-8", "replace").decode())
            self.counted["greetings"] += 1
            with contextlib.suppress(TimeoutError):
                assert json.loads(client.recv(timeout=5))["ok"] is False

    def babble(self) -> None:
        """Bytes that are no frames, after a good upgrade or instead of one."""
        with contextlib.suppress(OSError), socket.create_connection((self._host, self._port), timeout=5) as raw:
            if self._rng.random() < 0.8:
                raw.sendall(
                    f"GET / HTTP/1.1\r\nHost: {self._host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n".encode()
                )
                raw.recv(4096)
            for _ in range(self._rng.randrange(1, 6)):
                raw.sendall(draw_bytes(self._rng))
                self.counted["noise"] += 1


@pytest.mark.timeout(900)
def test_no_frame_breaks_the_gateway(watched: Watched, fuzz_seconds: float, capsys: pytest.CaptureFixture[str]) -> None:
    rng = random.Random(20261120)
    fuzzer = Fuzzer(watched, rng)
    began = time.monotonic()
    # On a slow machine the time may be over before each kind was drawn.
    while time.monotonic() - began < fuzz_seconds or not all(fuzzer.counted[kind] for kind in KINDS):
        rng.choices([fuzzer.talk, fuzzer.greet_badly, fuzzer.babble], weights=[3, 2, 4])[0]()
        if not watched.is_warm and time.monotonic() - began > fuzz_seconds / 5:
            watched.warm()
    grown = watched.check()
    with capsys.disabled():
        print(f"\n{dict(fuzzer.counted)}, grown by {grown // 1024} KiB")  # noqa: T201
