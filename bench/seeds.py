"""Stores of a given size, made once per run and copied for each table that writes.

A session is as a first turn over a chat leaves it: its row, and a transcript of two messages of some forty words. They
are put in by the store's own transactions, many to a commit.
"""

from __future__ import annotations

import random
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

from bench.harness import Options
from instar.config.config import parse_config
from instar.config.sections.store import DATABASE_NAME
from instar.core.model.change import SessionChange
from instar.core.model.entry import (
    ZERO_USAGE,
    AnyEntry,
    AnyMessage,
    AssistantMessage,
    Header,
    MessageEntry,
    TextBlock,
    UserMessage,
)
from instar.core.model.ids import AccountId, AgentId, ChannelName, EntryId, Instant, SessionId, SessionKey
from instar.core.model.session import Counters, Delivery, Lifecycle, Naming, Origin, Session
from instar.stores.change import change_session
from instar.stores.mirror import Mirror
from instar.stores.mirror_places import MirrorPlaces
from instar.stores.sqlite import SqliteStore
from instar.stores.transaction import Transaction
from instar.system.clock import SystemClock

__all__ = ["DATABASE", "build_entries", "build_session", "copy_store", "fill_transcript", "open_state", "seed_key"]

DATABASE = DATABASE_NAME
"""The name of the database in a state directory."""

CHUNK = 500
"""Sessions put in with one commit."""

_WORDS = [
    "the",
    "plan",
    "for",
    "tomorrow",
    "is",
    "to",
    "bring",
    "two",
    "boxes",
    "of",
    "fruit",
    "and",
    "the",
    "long",
    "list",
    "that",
    "Ann",
    "wrote",
    "on",
    "Monday",
]
_NOW = SystemClock().now()


def seed_key(number: int) -> SessionKey:
    """The key of a seeded session."""
    return SessionKey(f"agent:main:telegram:direct:{number:06d}")


def seed_id(number: int) -> SessionId:
    """The session id of a seeded session, formed like a UUID."""
    return SessionId(f"{number:08x}-0000-4000-8000-000000000000")


def build_words(number: int, count: int = 40) -> str:
    """Some words, other ones for each number."""
    draw = random.Random(number)
    return " ".join(draw.choice(_WORDS) for _ in range(count))


def build_session(number: int) -> Session:
    """A session as it is after a turn; the higher its number, the longer ago."""
    at = Instant(_NOW - 1_000 * number)
    peer, channel, account = f"{number:06d}", ChannelName("telegram"), AccountId("default")
    return Session(
        key=seed_key(number),
        agent_id=AgentId("main"),
        session_id=seed_id(number),
        owner=f"telegram:{peer}",
        lifecycle=Lifecycle(started_at=at, last_interaction_at=at, updated_at=at, last_activity_at=at, created_at=at),
        naming=Naming(first_words=build_words(number)),
        origin=Origin(chat_type="direct", channel=channel, label=f"Person {number}", provider="telegram", from_id=peer),
        delivery=Delivery(channel=channel, to=peer, account_id=account),
        counters=Counters(
            input_tokens=900, output_tokens=120, total_tokens=1_020, model_provider="bench", model="m", system_sent=True
        ),
    )


def build_entries(count: int, *, first: int = 0, at: int = _NOW) -> Iterator[AnyEntry]:
    """Messages of a person and of an assistant in turns, each hung on the one before."""
    for number in range(first, first + count):
        words, when = build_words(number), Instant(at)
        message: AnyMessage = UserMessage(content=words, timestamp=when)
        if number % 2:
            message = AssistantMessage(
                content=(TextBlock(text=words),),
                api="openai-completions",
                provider="bench",
                model="m",
                usage=ZERO_USAGE,
                stop_reason="stop",
                timestamp=when,
            )
        parent = EntryId(f"{number - 1:08x}") if number else None
        yield MessageEntry(id=EntryId(f"{number:08x}"), parent_id=parent, timestamp=when, message=message)


async def copy_store(options: Options, sessions: int, folder: Path) -> Path:
    """A fresh copy of the store with so many sessions, as the database of the state directory `folder`."""
    return _copy(await _open_template(options, sessions), folder)


def _copy(template: Path, folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return Path(shutil.copyfile(template, folder / DATABASE))


async def _open_template(options: Options, sessions: int) -> Path:
    """The store with so many sessions, made if there is none: on top of the largest smaller one."""
    seeds = options.folder / "seeds"
    path = seeds / f"{sessions}.sqlite"
    if path.exists():
        return path
    seeds.mkdir(parents=True, exist_ok=True)
    growing = seeds / "growing" / DATABASE
    growing.parent.mkdir(exist_ok=True)
    made = [int(file.stem) for file in seeds.glob("*.sqlite")]
    below = max((count for count in made if count < sessions), default=0)
    if below:
        shutil.copyfile(seeds / f"{below}.sqlite", growing)
    store = SqliteStore(growing, reserve_bytes=0)
    await store.open()
    for start in range(below, sessions, CHUNK):
        await store.engine.write(lambda tx, start=start: _add(tx, range(start, min(start + CHUNK, sessions))))
    await store.close()
    growing.rename(path)
    return path


def _add(tx: Transaction, numbers: Sequence[int]) -> None:
    for number in numbers:
        session = build_session(number)
        at = session.lifecycle.updated_at or Instant(0)
        change = SessionChange(
            session=session,
            open=Header(id=session.session_id, timestamp=at, cwd="/home"),
            entries=tuple(build_entries(2, at=at)),
        )
        change_session(tx, session.key, now=at, fence=None, decide=lambda _, change=change: change)


async def fill_transcript(store: SqliteStore, key: SessionKey, *, session_id: SessionId, entries: int) -> None:
    """Give a new session a transcript of so many messages."""
    await store_transcript(store, key, session_id=session_id, entries=list(build_entries(entries)))


async def store_transcript(
    store: SqliteStore, key: SessionKey, *, session_id: SessionId, entries: Sequence[AnyEntry]
) -> None:
    """Store a new session with a transcript."""
    at = _NOW
    session = Session(
        key=key,
        agent_id=AgentId("main"),
        session_id=session_id,
        lifecycle=Lifecycle(started_at=at, last_interaction_at=at, updated_at=at, created_at=at),
    )
    start = SessionChange(session=session, open=Header(id=session_id, timestamp=at, cwd="/home"))
    await store.change("seed", key, now=at, fence=None, decide=lambda _: start)
    for first in range(0, len(entries), 1_000):
        grown = SessionChange(entries=tuple(entries[first : first + 1_000]))
        await store.change("seed", key, now=at, fence=None, decide=lambda _, grown=grown: grown)


async def open_state(options: Options, sessions: int) -> Path:
    """A state directory with so many sessions, as a gateway that ran on it left it: files and search index are level.

    Made once per run and shared by tables; what they do to it adds a few sessions.
    """
    state = options.folder / f"state-{sessions}"
    if not state.exists():
        path = await copy_store(options, sessions, state)
        await _bring_level(path, state)
    return state


async def _bring_level(path: Path, state: Path) -> None:
    store = SqliteStore(path, reserve_bytes=0)
    await store.open()
    while not await store.search_index.catch_up():
        pass
    config = parse_config({}, env={}, state_dir=state, home=state)
    mirror = Mirror(store, MirrorPlaces.of(config), clock=SystemClock())
    mirror.start()
    await mirror.rebuild()
    await mirror.close()
    await store.close()
