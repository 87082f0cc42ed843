"""A channel: a platform's messages in, replies out. It knows chats and people, and no sessions (LEAK-1)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from instar.core.model.change import Acknowledgement
from instar.core.model.ids import ChannelName, DeliveryId, Instant
from instar.core.model.message import Inbound, Outbound, Roster

__all__ = ["Capabilities", "Channel", "ChannelContext", "Receipt"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Capabilities:
    """What a platform can do, read by `core/delivery` and the outbox instead of the channel's name.

    `text_max_chars` is the longest message, None for no limit. `tells_repeats` means that sending the same delivery
    id again cannot reach a person twice. `pulls` means that the far side fetches replies itself (a bridge), so that
    the outbox does not push. `native_commands` says that the platform lists commands such as ``/dock-<channel>``
    (DOCK-1); it waits for a channel that registers them. `debounce_ms` is how long people of this platform pause
    between two parts of one thought; None leaves it to the configuration, which may also say otherwise for the channel
    (QUEUE-11).
    """

    text_max_chars: int | None = None
    tells_repeats: bool = False
    pulls: bool = False
    native_commands: bool = False
    debounce_ms: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """What became of a sending. `platform_id` is the platform's id of the message, where it gives one."""

    status: Literal["sent", "failed"]
    platform_id: str | None = None
    reason: str | None = None
    at: Instant | None = None


async def _keep_nothing(roster: Roster) -> None:
    """For whoever has no use for lists of members."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelContext:
    """What the gateway lends a channel; the only way a channel reaches it.

    `accept` commits a message and answers with what its sender may be told (LOSS-1). `claim` hands a pulling channel
    up to so many replies that wait, oldest first; each stays until `settle` records its receipt, which is False for
    a delivery that is not this channel's. `wait` returns when a reply may be waiting, or after so many seconds.
    `report_members` says who is in a group now, for platforms that can tell (LEAK-4).
    """

    accept: Callable[[Inbound], Awaitable[Acknowledgement]]
    claim: Callable[[int], Awaitable[Sequence[Outbound]]]
    settle: Callable[[DeliveryId, Receipt], Awaitable[bool]]
    wait: Callable[[float], Awaitable[None]]
    report_members: Callable[[Roster], Awaitable[None]] = _keep_nothing


class Channel(Protocol):
    """One configured channel."""

    @property
    def name(self) -> ChannelName:
        """The name in configuration and in every key."""
        ...

    @property
    def capabilities(self) -> Capabilities:
        """What the platform can do."""
        ...

    async def start(self, context: ChannelContext) -> None:
        """Connect and begin to hand messages over; returns once that works or raises `ChannelError`."""
        ...

    async def stop(self) -> None:
        """Stop taking messages and close. May be called twice."""
        ...

    async def send(self, outbound: Outbound) -> Receipt:
        """Send one reply. Raises `ChannelError`; a pulling channel is never asked."""
        ...
