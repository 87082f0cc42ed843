"""Messages, sessions and transcripts for tests of turns, with everything that does not matter filled in."""

from __future__ import annotations

from dataclasses import replace

from instar.core.model.change import Acceptance, InboxItem, SessionFacts, Submission, TranscriptHead, TurnOptions
from instar.core.model.entry import Header
from instar.core.model.ids import (
    AccountId,
    AgentId,
    ChannelName,
    EntryId,
    InboundId,
    Instant,
    SessionId,
    SessionKey,
    TurnId,
)
from instar.core.model.message import Chat, ChatType, Inbound, Sender
from instar.core.model.session import Lifecycle, Session

__all__ = ["KEY", "NOW", "SESSION_ID", "build_facts", "build_item", "build_session"]

NOW = Instant(1_773_144_000_000)  # 2026-03-10T12:00:00Z
KEY = SessionKey("agent:main:telegram:direct:42")
SESSION_ID = SessionId("11111111-1111-4111-8111-111111111111")


def build_item(
    text: str = "hello",
    *,
    number: int = 1,
    channel: str = "telegram",
    chat_type: ChatType = "direct",
    chat_id: str = "42",
    sender: str = "42",
    name: str | None = "Ann",
    thread_id: str | None = None,
    key: SessionKey = KEY,
    turn_id: str | None = None,
    options: TurnOptions | None = None,
    authorised: bool = True,
) -> InboxItem:
    """An accepted message; `number` makes its ids differ from another's."""
    inbound = Inbound(
        channel=ChannelName(channel),
        account_id=AccountId("default"),
        message_id=f"m{number}",
        chat=Chat(type=chat_type, id=chat_id, thread_id=thread_id),
        sender=Sender(id=sender, name=name),
        text=text,
    )
    return InboxItem(
        inbound_id=InboundId(f"in{number}"),
        seq=number,
        submission=Submission(inbound=inbound, options=options or TurnOptions()),
        acceptance=Acceptance(
            status="accepted", session_key=key, agent_id=AgentId("main"), authorised=authorised, owner="telegram:42"
        ),
        received_at=NOW,
        turn_id=None if turn_id is None else TurnId(turn_id),
    )


def build_session(*, started_at: Instant = NOW, key: SessionKey = KEY) -> Session:
    """A session that began and was last used at `started_at`."""
    return Session(
        key=key,
        agent_id=AgentId("main"),
        session_id=SESSION_ID,
        lifecycle=Lifecycle(started_at=started_at, last_interaction_at=started_at, updated_at=started_at),
    )


def build_facts(session: Session | None = None, *, leaf: str | None = None, now: Instant = NOW) -> SessionFacts:
    """Facts about `session` with a transcript whose leaf is `leaf`; both None for a key nobody has used."""
    head = None
    if session is not None:
        head = TranscriptHead(
            session_id=session.session_id,
            key=session.key,
            header=Header(id=session.session_id, timestamp=session.lifecycle.started_at),
            began_at=session.lifecycle.started_at or NOW,
            leaf_id=None if leaf is None else EntryId(leaf),
            next_seq=1 if leaf is None else 2,
        )
    key = KEY if session is None else session.key
    return replace(SessionFacts(key=key, now=now), session=session, transcript=head)
