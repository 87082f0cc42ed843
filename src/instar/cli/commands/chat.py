"""`instar chat`: a conversation with a session from a terminal or a pipe (CLI-16, issue "The command line")."""

from __future__ import annotations

import asyncio
import gc
import os
import sys
from pathlib import Path
from typing import Final

import click

from instar.cli.connect import address_finder
from instar.cli.conversation import Conversation
from instar.cli.options import GatewayFlags, gateway_options, json_option
from instar.cli.screen import Screen
from instar.cli.terminal import print_json, say, shows_colour
from instar.cli.typing_in import LineSource, PipedLines, Prompt
from instar.client.client import GatewayClient
from instar.client.talk import ChatUpdate
from instar.config.paths import resolve_state_dir
from instar.core.model.ids import AgentId
from instar.core.policy.resolve import require_agent
from instar.errors import InstarError, InvalidRequest
from instar.system.ids import SystemIds

__all__ = ["begin_incognito", "command", "find_key", "tell_end"]

RECALLED: Final = 4
"""Messages of before that are shown when a conversation is taken up at a terminal."""

LEAVE: Final = frozenset({"/quit", "/exit"})
"""Lines that end the conversation here and are not sent."""


@click.command("chat")
@click.option("--session", "session", metavar="KEY", help="The session; a key, a label or an id.  [default: main]")
@click.option("--agent", metavar="ID", help="The main session of this agent.")
@click.option("--incognito", is_flag=True, help="A new session that is never written to a disk.")
@click.option("--message", "-m", metavar="TEXT", help="Send this one message, show the answer, end.")
@click.option("--thinking", metavar="LEVEL", help="How hard the model thinks, for what is sent here.")
@json_option
@gateway_options
def command(
    *,
    flags: GatewayFlags,
    session: str | None,
    agent: str | None,
    message: str | None,
    thinking: str | None,
    incognito: bool,
    as_json: bool,
) -> int:
    """Talk to an agent; every line is a message.

    Lines that begin with a slash are chat commands (/new, /status, /help). Ctrl-C stops the running turn, twice
    leaves, as do Ctrl-D and /quit. Without a terminal the lines of standard input are sent one after the other.

    With --incognito the session is in the gateway's memory alone: it ends with the gateway, or with `sessions delete`.
    """
    if session and agent:
        raise click.UsageError("--session cannot be joined with --agent.")
    if session and incognito:
        raise click.UsageError("--session cannot be joined with --incognito, which begins a session of its own.")
    if as_json and message is None:
        raise click.UsageError("--json needs --message.")
    if message is not None and not message.strip():
        raise InvalidRequest("There is no message", why="it is empty", fix="Say --message TEXT.")
    gc.enable()
    ids = SystemIds()

    async def talk() -> int:
        find = address_finder(flags)
        async with GatewayClient(find, client_id="cli", mode="cli", timeout_s=flags.timeout_s, ids=ids) as client:
            key = await (begin_incognito(client, agent) if incognito else find_key(client, session, agent))
            screen = Screen(sys.stderr if as_json else sys.stdout, sys.stderr, colour=shows_colour())
            conversation = Conversation(client, key, screen=screen, ids=ids, thinking=thinking)
            if message is not None:
                return tell_end(await conversation.send(message), key=key, as_json=as_json)
            if sys.stdin.isatty() and sys.stdout.isatty():
                return await _talk_at_terminal(client, conversation, screen, is_kept=not incognito)
            return await _talk_through_pipe(conversation)

    try:
        return asyncio.run(talk())
    except KeyboardInterrupt:
        # Between two prompts the terminal makes a signal of Ctrl-C. Who presses it there means to leave.
        if message is None and sys.stdin.isatty():
            return 0
        raise


async def find_key(client: GatewayClient, session: str | None, agent: str | None) -> str:
    """The key of the session that is meant; one that does not exist yet is made by the first message.

    Raises `InvalidRequest` for an agent that is not configured.
    """
    defaults = client.hello.get("snapshot", {}).get("sessionDefaults", {})
    if agent:
        known = await client.call("agents.list", {})
        require_agent(AgentId(agent.lower()), [AgentId(str(row["id"])) for row in known["agents"]])
        return f"agent:{agent}:{defaults.get('mainKey', 'main')}"
    if not session:
        return client.main_session_key
    for name in ("key", "label", "sessionId"):
        try:
            found = await client.call("sessions.resolve", {name: session, "allowMissing": True})
        except InstarError:
            if name == "sessionId" or ":" in session:
                raise
            continue
        if found.get("ok"):
            return str(found["key"])
    return session


async def begin_incognito(client: GatewayClient, agent: str | None) -> str:
    """The key of a new session that is never written to a disk (KEY-22)."""
    begun = await client.call("sessions.create", {"incognito": True} | ({"agentId": agent} if agent else {}))
    return str(begun["key"])


def tell_end(end: ChatUpdate | None, *, key: str, as_json: bool) -> int:
    """The exit code of one message; with ``--json`` its end is printed."""
    if as_json:
        print_json(
            {
                "ok": end is not None and end.kind == "final",
                "sessionKey": key,
                "runId": None if end is None else end.run_id,
                "status": "left" if end is None else end.kind,
                "text": "" if end is None else end.text,
                "error": (end.error or None) if end is not None else None,
                "usage": None if end is None else end.usage,
            }
        )
    return 0 if end is not None and end.kind == "final" else 1


async def _talk_through_pipe(conversation: Conversation) -> int:
    """Send line after line, each when the one before is answered; 1 when any of them failed."""
    lines: LineSource = PipedLines(sys.stdin.fileno())
    code = 0
    while (line := await lines.next_line()) is not None:
        text = line.strip()
        if not text:
            continue
        if text in LEAVE:
            break
        end = await conversation.send(text)
        if end is None:
            return 1
        code = max(code, int(end.kind == "error"))
    return code


async def _talk_at_terminal(client: GatewayClient, conversation: Conversation, screen: Screen, *, is_kept: bool) -> int:
    """Prompt, send, show, until the person leaves; what they type is kept for the next time where `is_kept`."""
    say(f"Session {conversation.key}. /help lists commands, Ctrl-D leaves.")
    state_dir = resolve_state_dir(os.environ, home=Path.home()) if is_kept else None
    prompt = Prompt(state_dir, commands=await _command_names(client))
    with client.events() as events:
        running = await conversation.recall(limit=RECALLED)
        if running:
            screen.note("An answer is on its way; it is shown when it comes.")
        was_interrupted = False
        while True:
            overhearing = asyncio.create_task(conversation.overhear(events))
            try:
                line = await prompt.next_line()
            except KeyboardInterrupt:
                if was_interrupted:
                    return 0
                was_interrupted = True
                screen.note("Ctrl-C again leaves.")
                continue
            finally:
                overhearing.cancel()
            was_interrupted = False
            if line is None or line.strip() in LEAVE:
                return 0
            if line.strip() and await conversation.send(line) is None:
                return 0


async def _command_names(client: GatewayClient) -> list[str]:
    """The chat commands, for Tab."""
    listed = await client.call("commands.list")
    return sorted({str(alias) for one in listed.get("commands", []) for alias in one.get("textAliases", [])})
