"""Fan-out of events to subscribers, with limits.

Publishing never waits and never fails: a subscriber is a plain function called in the event loop, and one that
raises is logged and dropped, since an observer must not be able to stop a turn. Whoever needs a queue keeps one of
its own with a limit of its own (a socket closes slow clients, GW-7).
"""

from __future__ import annotations

from collections.abc import Callable

import structlog

from instar.core.model.event import Event

__all__ = ["EventHub", "Subscriber"]

Subscriber = Callable[[Event], None]
"""Takes one event; must not block."""

log = structlog.get_logger(__name__)


class EventHub:
    """Subscribers of one gateway."""

    def __init__(self) -> None:
        self._subscribers: dict[int, Subscriber] = {}
        self._next = 0

    def subscribe(self, subscriber: Subscriber) -> Callable[[], None]:
        """Call `subscriber` for every event from now on; the returned function ends that and may be called twice."""
        token = self._next
        self._next += 1
        self._subscribers[token] = subscriber
        return lambda: self._subscribers.pop(token, None) and None

    def publish(self, event: Event) -> None:
        """Tell every subscriber, in the order they came."""
        for token, subscriber in list(self._subscribers.items()):
            try:
                subscriber(event)
            except Exception:
                # A job boundary (style, section 6): one broken observer must not stop the turn that it observes.
                self._subscribers.pop(token, None)
                log.exception("subscriber_dropped", event_type=type(event).__name__)
