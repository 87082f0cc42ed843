"""The other session stores, in an environment of their own: `bench/peers.py` starts this and asks it for rounds.

A line on standard input is the name of a store and how often; the answer is a line with the seconds of each time, as
JSON. One time is: add one message, read the newest 20 back.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
import warnings
from collections.abc import Awaitable, Callable
from pathlib import Path

STORED = 200
READ_BACK = 20
WORDS = "Could you tell me what Ann wrote on the list for tomorrow, and whether the two boxes of fruit are on it?"


async def open_agents(folder: Path) -> Callable[[], Awaitable[int]]:
    """OpenAI Agents SDK: `SQLiteSession` on a file."""
    from agents import SQLiteSession  # noqa: PLC0415 - only one of them need be installed

    session = SQLiteSession("bench", folder / "agents.db")

    async def add_and_read() -> int:
        await session.add_items([{"role": "user", "content": WORDS}])
        return len(await session.get_items(limit=READ_BACK))

    return add_and_read


async def open_adk(folder: Path) -> Callable[[], Awaitable[int]]:
    """Google ADK: `DatabaseSessionService` on SQLite. The session is as the service hands it out."""
    from google.adk.events import Event  # noqa: PLC0415 - the same
    from google.adk.sessions import DatabaseSessionService  # noqa: PLC0415
    from google.adk.sessions.base_session_service import GetSessionConfig  # noqa: PLC0415
    from google.genai.types import Content, Part  # noqa: PLC0415

    service = DatabaseSessionService(db_url=f"sqlite+aiosqlite:///{folder / 'adk.db'}")
    name = {"app_name": "bench", "user_id": "ann"}
    made = await service.create_session(**name)
    held = [made]

    async def add_and_read() -> int:
        words = Content(role="user", parts=[Part(text=WORDS)])
        await service.append_event(held[0], Event(author="user", content=words))
        newest = GetSessionConfig(num_recent_events=READ_BACK)
        found = await service.get_session(**name, session_id=made.id, config=newest)
        held[0] = found
        return len(found.events)

    return add_and_read


async def main() -> None:
    """Answer until standard input ends."""
    warnings.simplefilter("ignore")
    folder = Path(sys.argv[1])
    opened: dict[str, Callable[[], Awaitable[int]]] = {}
    for line in sys.stdin:
        name, count = line.split()
        if name not in opened:
            opened[name] = await (open_agents if name == "agents" else open_adk)(folder)
            for _ in range(STORED):
                await opened[name]()
        taken = []
        for _ in range(int(count)):
            started = time.perf_counter()
            found = await opened[name]()
            taken.append(time.perf_counter() - started)
            if found != READ_BACK:
                raise RuntimeError(f"{name} gave {found} items")
        print(json.dumps(taken), flush=True)


if __name__ == "__main__":
    asyncio.run(main())
