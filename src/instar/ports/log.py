"""A log, as the rooms that act see it. Events are constant names plus fields."""

from __future__ import annotations

from typing import Protocol

__all__ = ["Log"]


class Log(Protocol):
    """Writes one line per event. Never raises, never holds message text, never shows a secret (LEAK-12)."""

    def debug(self, event: str, **fields: object) -> None:
        """Something for whoever reads the code beside the log."""
        ...

    def info(self, event: str, **fields: object) -> None:
        """Something that is meant to happen."""
        ...

    def warning(self, event: str, **fields: object) -> None:
        """Something to look at when there is time."""
        ...

    def error(self, event: str, **fields: object) -> None:
        """Something that failed and was told to somebody."""
        ...

    def critical(self, event: str, **fields: object) -> None:
        """Something that must be put right now."""
        ...

    def exception(self, event: str, **fields: object) -> None:
        """An error with the traceback of the exception that is being caught; for the three boundaries (style, 6)."""
        ...

    def bind(self, **fields: object) -> Log:
        """A log whose every line also carries these fields."""
        ...
