"""One HTTP request on a connection of its own, over plain streams: a sender must be able to hang up in the middle."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from typing import Final

from instar.testing.crash.process import TOKEN

__all__ = ["Unanswered", "ask"]

_ANSWER_S: Final = 30.0


class Unanswered(Exception):
    """Nobody knows what became of a request: no connection, no whole answer, or no patience."""


async def ask(
    port: int, method: str, path: str, body: object = None, *, hang_up: bool = False
) -> tuple[int, Mapping[str, object]]:
    """Status and JSON of the answer. With `hang_up` the request is sent and its answer not awaited.

    Raises `Unanswered`.
    """
    data = b"" if body is None else json.dumps(body).encode()
    head = f"{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {TOKEN}\r\nConnection: close\r\n"
    try:
        async with asyncio.timeout(_ANSWER_S):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            try:
                writer.write(f"{head}Content-Length: {len(data)}\r\n\r\n".encode() + data)
                await writer.drain()
                if hang_up:
                    raise Unanswered
                return _parse(await reader.read())
            finally:
                writer.close()
    except (OSError, EOFError, ValueError, TimeoutError) as error:
        raise Unanswered from error


def _parse(answer: bytes) -> tuple[int, Mapping[str, object]]:
    """Status and body. Raises ValueError for an answer that is not whole."""
    head, _, body = answer.partition(b"\r\n\r\n")
    status = int(head.split(b" ", 2)[1]) if head else 0
    value: Mapping[str, object] = json.loads(body)
    return status, value
