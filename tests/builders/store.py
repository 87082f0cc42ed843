"""Sessions, messages and entries for tests of the store, and the stores themselves."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import replace
from pathlib import Path

from instar.core.model.change import (
    Acceptance,
    AcceptFacts,
    AcceptStatus,
    Acknowledgement,
    Changed,
    CloseReason,
    InboxItem,
    NewDelivery,
    SessionChange,
    SessionFacts,
    Submission,
)
from instar.core.model.decision import Decision
from instar.core.model.entry import AnyEntry, CompactionEntry, Header, MessageEntry, UserMessage
from instar.core.model.ids import (
    AccountId,
    AgentId,
    ChannelName,
    DeliveryId,
    EntryId,
    InboundId,
    Instant,
    SessionId,
    SessionKey,
)
from instar.core.model.message import Attachment, Chat, Inbound, Sender, Target
from instar.core.model.session import Lifecycle, Session
from instar.stores.sealing.seals import Seals
from instar.stores.sqlite import SqliteStore, open_memory_store
from instar.stores.store import SessionStore

__all__ = [
    "KEY",
    "NOW",
    "OpenStore",
    "SessionTalk",
    "accept",
    "build_compaction",
    "build_decision",
    "build_delivery",
    "build_message",
    "build_session",
    "build_submission",
    "file_store",
    "memory_store",
    "sealed_store",
]

NOW = Instant(1_773_144_000_000)  # 2026-03-10T12:00:00Z
KEY = SessionKey("agent:main:telegram:direct:42")
SID = SessionId("11111111-1111-4111-8111-111111111111")

OpenStore = Callable[[], AbstractAsyncContextManager[SessionStore]]
"""Opens a store; opened again after it was closed, it is the same one."""


def file_store(path: Path) -> OpenStore:
    """A store in a file."""

    @asynccontextmanager
    async def opened() -> AsyncIterator[SessionStore]:
        store = SqliteStore(path, reserve_bytes=64 * 1024)
        await store.open()
        try:
            yield store
        finally:
            await store.close()

    return opened


def sealed_store(state_dir: Path, *, master: bytes = b"k" * 32) -> OpenStore:
    """A store in a file whose words are sealed."""

    @asynccontextmanager
    async def opened() -> AsyncIterator[SessionStore]:
        seals = Seals(state_dir / "keys.ring", master)
        store = SqliteStore(state_dir / "instar.db", reserve_bytes=64 * 1024, seals=seals)
        await store.open()
        try:
            yield store
        finally:
            await store.close()

    return opened


def memory_store() -> OpenStore:
    """The twin in memory."""
    store = open_memory_store()

    @asynccontextmanager
    async def opened() -> AsyncIterator[SessionStore]:
        await store.open()
        try:
            yield store
        finally:
            await store.close()

    return opened


def build_session(key: str = KEY, session_id: str = SID, *, updated_at: int = NOW) -> Session:
    """A session as it is after its first message."""
    at = Instant(updated_at)
    return Session(
        key=SessionKey(key),
        agent_id=AgentId(key.split(":")[1] if key.startswith("agent:") else "main"),
        session_id=SessionId(session_id),
        lifecycle=Lifecycle(started_at=at, last_interaction_at=at, updated_at=at),
    )


def build_message(number: int, parent: int | None, text: str = "hello") -> MessageEntry:
    """A user message; entries of one number have one id."""
    return MessageEntry(
        id=EntryId(f"{number:08x}"),
        parent_id=None if parent is None else EntryId(f"{parent:08x}"),
        timestamp=NOW,
        message=UserMessage(content=text, timestamp=NOW),
    )


def build_compaction(number: int, parent: int, *, kept: int) -> CompactionEntry:
    """A compaction that keeps everything from entry `kept` on."""
    return CompactionEntry(
        id=EntryId(f"{number:08x}"),
        parent_id=EntryId(f"{parent:08x}"),
        timestamp=NOW,
        summary="what was",
        first_kept_id=EntryId(f"{kept:08x}"),
        tokens_before=100,
    )


def build_decision(outcome: str = "yes") -> Decision:
    """A decision that does not matter."""
    return Decision(kind="route", outcome=outcome, rule="KEY-12", inputs={"channel": "telegram"})


def build_delivery(number: int, text: str = "hi", *, channel: str = "telegram") -> NewDelivery:
    """A reply that is owed."""
    target = Target(channel=ChannelName(channel), account_id=AccountId("default"), to="42", chat_type="direct")
    return NewDelivery(delivery_id=DeliveryId(f"d{number}"), target=target, text=text)


def build_submission(
    message_id: str = "m1",
    text: str = "hello",
    *,
    channel: str = "telegram",
    account: str = "default",
    attachments: Sequence[Attachment] = (),
) -> Submission:
    """A message at the door."""
    return Submission(
        inbound=Inbound(
            channel=ChannelName(channel),
            account_id=AccountId(account),
            message_id=message_id,
            chat=Chat(type="direct", id="42"),
            sender=Sender(id="42", name="Ann"),
            text=text,
            attachments=tuple(attachments),
        )
    )


async def accept(
    store: SessionStore,
    submission: Submission | None = None,
    *,
    inbound_id: str = "in1",
    key: SessionKey = KEY,
    status: AcceptStatus = "accepted",
    now: int = NOW,
    deliveries: Sequence[NewDelivery] = (),
) -> tuple[Acknowledgement, InboxItem | None]:
    """Put a message in, decided as told."""

    def decide(_: AcceptFacts) -> Acceptance:
        return Acceptance(
            status=status,
            session_key=key,
            agent_id=AgentId("main"),
            reason=None if status == "accepted" else "why",
            deliveries=tuple(deliveries),
            decisions=(build_decision(status),),
        )

    return await store.accept(
        submission or build_submission(),
        inbound_id=InboundId(inbound_id),
        now=Instant(now),
        key=key,
        decide=decide,
    )


class SessionTalk:
    """One session of a store, changed with few words."""

    def __init__(self, store: SessionStore, key: str = KEY, session_id: str = SID, *, fence: int | None = None) -> None:
        self.store = store
        self.key = SessionKey(key)
        self.session_id = SessionId(session_id)
        self.fence = fence

    async def change(
        self, decide: SessionChange | Callable[[SessionFacts], SessionChange], *, now: int = NOW
    ) -> Changed:
        """Carry out a change, or what `decide` answers."""
        answer = (lambda _: decide) if isinstance(decide, SessionChange) else decide
        return await self.store.change("test", self.key, now=Instant(now), fence=self.fence, decide=answer)

    async def begin(self, *entries: AnyEntry, updated_at: int = NOW) -> Changed:
        """Create the session and its transcript."""
        session = build_session(self.key, self.session_id, updated_at=updated_at)
        return await self.change(SessionChange(session=session, open=self.header(), entries=entries))

    async def append(self, *entries: AnyEntry) -> Changed:
        """Append entries."""
        return await self.change(SessionChange(entries=entries))

    async def reset(self, session_id: str, *, reason: CloseReason = "reset", now: int = NOW) -> Changed:
        """Close the transcript and open the next, or one that is there."""

        def decide(facts: SessionFacts) -> SessionChange:
            assert facts.session is not None
            session = replace(facts.session, session_id=SessionId(session_id))
            return SessionChange(session=session, close=reason, open=self.header(session_id))

        return await self.change(decide, now=now)

    async def edit(self, edit: Callable[[Session], Session]) -> Changed:
        """Change the session's row."""

        def decide(facts: SessionFacts) -> SessionChange:
            assert facts.session is not None
            return SessionChange(session=edit(facts.session))

        return await self.change(decide)

    async def numbers(self) -> list[int]:
        """The numbers of the entries of the active branch."""
        page = await self.store.load_entries(self.session_id)
        return [int(stored.entry.id, 16) for stored in page.entries]

    def header(self, session_id: str | None = None) -> Header:
        """The header of a transcript."""
        return Header(id=SessionId(session_id or self.session_id), timestamp=NOW, cwd="/home")
