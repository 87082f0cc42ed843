"""What a connection asks to hear (RPC-13)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from instar.api.call import Call, Handler
from instar.errors import Unavailable

__all__ = ["HANDLERS"]


async def subscribe_all(call: Call) -> object:
    """`sessions.subscribe`: rows and messages of every session."""
    call.connection.follows_lists = True
    return {"subscribed": True}


async def subscribe_messages(call: Call) -> object:
    """`sessions.messages.subscribe`: messages of one session."""
    key = call.key("key")
    if not call.connection.follow(key):
        raise Unavailable(
            "This connection follows too many sessions", fix="Use sessions.subscribe, or end some with unsubscribe."
        )
    return {"subscribed": True, "key": key}


async def unsubscribe_messages(call: Call) -> object:
    """`sessions.messages.unsubscribe`. Unsubscribing twice changes nothing."""
    key = call.key("key")
    call.connection.followed_keys.discard(key)
    return {"subscribed": False, "key": key}


HANDLERS: Final[Mapping[str, Handler]] = {
    "sessions.subscribe": subscribe_all,
    "sessions.messages.subscribe": subscribe_messages,
    "sessions.messages.unsubscribe": unsubscribe_messages,
}
