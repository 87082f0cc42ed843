"""Names for the strings and numbers that identify things.

Each is a ``NewType``: free at run time, told apart by the type checker. A value of one of these types
is already canonical; text typed by a person becomes one only through `instar.core.routing`.
"""

from __future__ import annotations

from typing import NewType

__all__ = [
    "AccountId",
    "AgentId",
    "ChannelName",
    "DeliveryId",
    "EntryId",
    "InboundId",
    "Instant",
    "SessionId",
    "SessionKey",
    "TurnId",
]

SessionKey = NewType("SessionKey", str)
"""The place of a conversation: ``agent:main:telegram:direct:42``. Stays through resets (KEY-1, KEY-2)."""

SessionId = NewType("SessionId", str)
"""One life of a session key, a UUID v4. Each reset draws a new one (RESET-22)."""

EntryId = NewType("EntryId", str)
"""One line of a transcript: eight hexadecimal characters, unique in its transcript (TRANS-3)."""

AgentId = NewType("AgentId", str)
"""An agent, as NORM-1 writes it."""

AccountId = NewType("AccountId", str)
"""One login of a channel (two Telegram bots are two accounts), as NORM-1 writes it; ``default`` if unnamed."""

ChannelName = NewType("ChannelName", str)
"""A channel as it stands in keys: lower case, aliases resolved (NORM-2)."""

TurnId = NewType("TurnId", str)
"""One run of the agent for one or more messages. Clients know it as ``runId``."""

InboundId = NewType("InboundId", str)
"""One accepted message."""

DeliveryId = NewType("DeliveryId", str)
"""One reply that is owed to a channel (LOSS-5)."""

Instant = NewType("Instant", int)
"""A moment in epoch milliseconds, UTC. There is no naive time in Instar (COMPAT-9, docs/decisions)."""
