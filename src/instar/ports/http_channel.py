"""A channel that is spoken to over HTTP, on the gateway's own port."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Protocol, runtime_checkable

from instar.core.model.ids import ChannelName

__all__ = ["AsgiApp", "HttpChannel"]

# Any: ASGI's scopes and messages are open dictionaries.
AsgiApp = Callable[
    [
        MutableMapping[str, Any],
        Callable[[], Awaitable[MutableMapping[str, Any]]],
        Callable[[MutableMapping[str, Any]], Awaitable[None]],
    ],
    Awaitable[None],
]
"""An ASGI application: scope, receive, send."""


@runtime_checkable
class HttpChannel(Protocol):
    """The part of a channel that answers HTTP requests. It checks its own token: the platform's, not the gateway's."""

    @property
    def name(self) -> ChannelName:
        """The name in configuration and in every key."""
        ...

    @property
    def http_app(self) -> AsgiApp:
        """What answers below ``/channels/<name>/``; the paths it sees begin after that."""
        ...
