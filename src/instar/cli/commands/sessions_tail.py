"""`instar sessions tail`: how a session goes on, without what is said in it (CLI-9)."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Iterator

import click

from instar.cli.connect import Source, address_finder, find_session, open_source
from instar.cli.options import GatewayFlags, Whole, gateway_options
from instar.cli.render import format_moment
from instar.cli.terminal import clean, say
from instar.client.client import GatewayClient
from instar.client.events import ServerEvent
from instar.client.talk import message_text
from instar.client.wire import Payload
from instar.errors import NotFound
from instar.system.ids import SystemIds

__all__ = ["command", "list_progress", "tell_event"]


@click.command("tail")
@click.option("--session-key", metavar="SESSION", help="The session.  [default: one that runs, else the newest]")
@click.option("--tail", "count", type=Whole(1, 1000), metavar="N", default=80, show_default=True, help="Lines.")
@click.option("--follow", "-f", is_flag=True, help="Go on until Ctrl-C.")
@gateway_options
def command(*, flags: GatewayFlags, session_key: str | None, count: int, follow: bool) -> None:
    """Show the progress of a session: who wrote how much, which tools ran. No words, no arguments, no results."""
    with open_source(flags) as source:
        key = find_session(source, session_key) if session_key else _choose(source)
        history = source.call("chat.history", {"sessionKey": key, "limit": count})
        is_live = source.is_gateway
    say(f"Session {clean(key)}")
    for line in list(list_progress(history.get("messages", [])))[-count:]:
        say(line)
    if follow and is_live:
        gc.enable()
        asyncio.run(_follow(flags, key))


def _choose(source: Source) -> str:
    """A session that runs, else the one that was used last."""
    rows = source.call("sessions.list", {"limit": 50})["sessions"]
    if not rows:
        raise NotFound("There is no session yet", fix="Talk to the agent with `instar chat`.")
    running = [row for row in rows if row.get("activeRunIds")]
    newest = max(running or rows, key=lambda row: row.get("updatedAt") or 0)
    return str(newest["key"])


def list_progress(messages: list[Payload]) -> Iterator[str]:
    """One line for each message and tool call, with sizes in place of words."""
    for message in messages:
        at, role = format_moment(message.get("timestamp")), message.get("role")
        size = len(message_text(message))
        if role == "toolResult":
            state = "failed" if message.get("isError") else "done"
            yield f"{at}  tool {clean(str(message.get('toolName', '')))} {state} ({size} characters)"
            continue
        if role == "user":
            yield f"{at}  message ({size} characters)"
        elif message.get("errorMessage"):
            yield f"{at}  turn failed"
        elif size:
            yield f"{at}  answer of {clean(str(message.get('model', '')))} ({size} characters)"
        content = message.get("content")
        for block in content if isinstance(content, list) else ():
            if isinstance(block, dict) and block.get("type") == "toolCall":
                yield f"{at}  tool {clean(str(block.get('name', '')))} called"


async def _follow(flags: GatewayFlags, key: str) -> None:
    ids = SystemIds()
    find = address_finder(flags)
    async with GatewayClient(find, client_id="cli", mode="cli", timeout_s=flags.timeout_s, ids=ids) as client:
        with client.events() as events:
            async for event in events:
                if isinstance(event, ServerEvent) and event.payload.get("sessionKey") == key:
                    line = tell_event(event.name, event.payload)
                    if line:
                        say(line)


def tell_event(name: str, payload: Payload) -> str:
    """An event of a run as a line; empty for those that say nothing of its progress."""
    if name != "agent":
        return ""
    data, at = payload.get("data") or {}, format_moment(payload.get("ts"))
    match payload.get("stream"), data.get("phase"):
        case "lifecycle", "start":
            return f"{at}  turn began"
        case "lifecycle", "end" | "error" as phase:
            state = "failed" if phase == "error" else "was stopped" if data.get("aborted") else "ended"
            return f"{at}  turn {state}"
        case "tool", "start":
            return f"{at}  tool {clean(str(data.get('name', '')))} called"
        case "tool", "result":
            return f"{at}  tool {clean(str(data.get('name', '')))} {'failed' if data.get('isError') else 'done'}"
        case "run_status", str() as phase:
            return f"{at}  {clean(phase.replace('_', ' '))}"
        case _:
            return ""
