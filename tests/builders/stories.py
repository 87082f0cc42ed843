"""A whole gateway for stories: short ways to speak, and to read what became of it."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import ParamSpec

from instar.core.model.change import Acknowledgement, Submission, TurnOptions
from instar.core.model.decision import RecordedDecision
from instar.core.model.entry import (
    AnyEntry,
    AssistantMessage,
    CustomMessageEntry,
    MessageEntry,
    ToolCall,
    ToolResultMessage,
    UserMessage,
)
from instar.core.model.event import Event
from instar.core.model.ids import AccountId, ChannelName, Instant, SessionId, SessionKey, TurnId
from instar.core.model.message import Chat, Inbound, Sender
from instar.core.model.query import DecisionQuery
from instar.core.transcript.text import message_text
from instar.testing.gateway import GatewayInMemory
from instar.testing.script import Asked, Reply, Script

__all__ = [
    "DIRECT",
    "Gate",
    "Listener",
    "ask",
    "at",
    "build_config",
    "play_story",
    "read_decisions",
    "read_inbox",
    "read_lines",
    "sent_texts",
    "story",
    "then",
    "until",
]

DIRECT = SessionKey("agent:main:telegram:direct:ann")
"""Where ann's direct messages on telegram go in these stories."""

TURNS, PAUSES, PAUSE_S = 10_000, 6_000, 0.005
"""How long `until` waits: so many turns of the loop, then so many pauses, half a minute at least."""

P = ParamSpec("P")


def build_config(
    *, session: Mapping[str, object] | None = None, channels: Sequence[str] = ("telegram",), **root: object
) -> dict[str, object]:
    """A configuration that lets everybody in, gives everybody a session of their own, and waits for nobody."""
    bridge = {"type": "bridge", "token": "t", "dmPolicy": "open", "groupPolicy": "open"}
    return {
        "channels": {name: dict(bridge) for name in channels},
        "session": {"dmScope": "per-channel-peer", **(session or {})},
        "messages": {"queue": {"debounceMs": 0}},
        **root,
    }


def story(test: Callable[P, Awaitable[None]]) -> Callable[P, None]:
    """A test that is a coroutine, run in a loop of its own; what a task of it raises unheard fails it."""

    @functools.wraps(test)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        play_story(test(*args, **kwargs))

    return run


def play_story(work: Awaitable[None]) -> None:
    """Run it, and fail when a task was lost."""
    lost: list[dict[str, object]] = []

    async def played() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _loop, context: lost.append(context))
        await work

    asyncio.run(played())
    assert not lost, lost


def at(text: str) -> Instant:
    """``2026-03-10 12:00`` in UTC."""
    return Instant(round(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1000))


class Gate:
    """Holds a model or a tool back: ``Reply(text="…", before_chunk=gate)``. Open it once `reached` is set."""

    def __init__(self) -> None:
        self.reached = asyncio.Event()
        self.opened = asyncio.Event()

    async def __call__(self, index: int = 0) -> None:
        """Say that somebody is here, wait until it is opened."""
        self.reached.set()
        await self.opened.wait()

    def open(self) -> None:
        """Let everybody pass, now and later."""
        self.opened.set()


def then(*scripts: Script) -> Script:
    """The first script answers the first request, and so on; the last one all that come later."""
    waiting = list(scripts)

    def script(asked: Asked) -> Reply | Awaitable[Reply]:
        chosen = waiting.pop(0) if len(waiting) > 1 else waiting[0]
        return chosen(asked)

    return script


async def until(condition: Callable[[], bool]) -> None:
    """Let the gateway work until something is so; fails when it never comes.

    What the loop does alone is so after some turns of it. What a thread does takes as long as a busy disk pleases.
    """
    for turn in range(TURNS + PAUSES):
        if condition():
            return
        await asyncio.sleep(0 if turn < TURNS else PAUSE_S)
    raise AssertionError("it never came to that")


class Listener:
    """Keeps every event from now on."""

    def __init__(self, world: GatewayInMemory) -> None:
        self.events: list[Event] = []
        world.gateway.events.subscribe(self.events.append)


async def ask(
    world: GatewayInMemory,
    text: str,
    *,
    key: SessionKey = DIRECT,
    run_id: str = "run-1",
    options: TurnOptions | None = None,
    shown: str | None = None,
) -> Acknowledgement:
    """What a client does with `chat.send`."""
    inbound = Inbound(
        channel=ChannelName("webchat"),
        account_id=AccountId("default"),
        message_id=run_id,
        chat=Chat(type="direct", id="operator"),
        sender=Sender(id="operator"),
        text=text,
        mentioned=True,
    )
    submission = Submission(
        inbound=inbound,
        session_key=key,
        may_command=True,
        is_owner=True,
        options=options or TurnOptions(),
        run_id=TurnId(run_id),
        shown_session_id=shown,
    )
    return await world.gateway.submit(submission)


async def read_lines(world: GatewayInMemory, key: str = DIRECT, *, session_id: SessionId | None = None) -> list[str]:
    """The transcript of a session, one line an entry: ``user: hello``, ``assistant: hi``, ``look → seen``."""
    if session_id is None:
        session = await world.store.load_session(SessionKey(key))
        if session is None:
            return []
        session_id = session.session_id
    page = await world.store.load_all_entries(session_id)
    return [_show(stored.entry) for stored in page.entries]


def _show(entry: AnyEntry) -> str:
    match entry:
        case MessageEntry(message=UserMessage() as message):
            return f"user: {message_text(message)}"
        case MessageEntry(message=AssistantMessage() as message):
            calls = "".join(f" [{block.name}]" for block in message.content if isinstance(block, ToolCall))
            mark = "" if message.stop_reason in {"stop", "toolUse"} else f" ({message.stop_reason})"
            return f"assistant{mark}: {(message_text(message) + calls).strip()}".rstrip()
        case MessageEntry(message=ToolResultMessage() as message):
            return f"{message.tool_name} → {'error: ' if message.is_error else ''}{message_text(message)}"
        case CustomMessageEntry():
            return f"({entry.custom_type})"
        case _:
            return f"({type(entry).__name__})"


async def read_inbox(world: GatewayInMemory, key: str = DIRECT) -> list[tuple[str, str, str | None]]:
    """The messages of a session in order: text, state, reason."""
    rows = await world.store.load_inbox(session_key=SessionKey(key), limit=1000)
    return [(row.submission.inbound.text, row.state, row.reason) for row in rows]


async def read_decisions(
    world: GatewayInMemory, key: str | None = DIRECT, *, kind: str | None = None
) -> list[RecordedDecision]:
    """The decisions of a session, oldest first."""
    query = DecisionQuery(session_key=None if key is None else SessionKey(key), kind=kind, limit=1000)
    return list(reversed(await world.store.load_decisions(query)))


def sent_texts(world: GatewayInMemory, channel: str = "telegram", *, to: str | None = None) -> list[str]:
    """What left through a channel, to one chat or to all."""
    return [sent.text for sent in world.channel(channel).sent if to is None or sent.target.to == to]
