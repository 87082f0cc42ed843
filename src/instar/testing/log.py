"""A log that a test can read."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from instar.core.policy.redaction import build_redactor
from instar.ports.clock import Clock
from instar.ports.log import Log
from instar.system.log import build_log
from instar.testing.clock import ManualClock

__all__ = ["MemorySink", "build_memory_log"]


class MemorySink:
    """Keeps `instar.system.log.Sink`: every event as it would have been written."""

    def __init__(self) -> None:
        self.events: list[Mapping[str, object]] = []

    def write(self, event: Mapping[str, object]) -> None:
        """Keep it."""
        self.events.append(event)

    def close(self) -> None:
        """Nothing to let go of."""

    def named(self, event: str) -> list[Mapping[str, object]]:
        """The events of that name, in order."""
        return [each for each in self.events if each["event"] == event]


def build_memory_log(*, clock: Clock | None = None, secrets: Iterable[str] = ()) -> tuple[Log, MemorySink]:
    """A log of every level, and what was written to it."""
    sink = MemorySink()
    log = build_log([sink], level="debug", clock=clock or ManualClock(), redactor=build_redactor(secrets))
    return log, sink
