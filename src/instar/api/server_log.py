"""What uvicorn says, in the gateway's own log instead of on standard error.

Strangers decide how much of it there is: each bad request and each frame that is no text is worth a line to uvicorn,
some a traceback. Such lines are for whoever debugs; a defect of the server is an error as everywhere.
"""

from __future__ import annotations

import logging
from typing import Final

import structlog

__all__ = ["follow_server_log"]

_NAME: Final = "uvicorn.error"

log = structlog.get_logger(__name__)


def follow_server_log() -> None:
    """Let uvicorn's lines go the way of ours from now on. May be called twice."""
    logger = logging.getLogger(_NAME)
    if not any(isinstance(handler, _Follower) for handler in logger.handlers):
        logger.addHandler(_Follower())
        logger.propagate = False


class _Follower(logging.Handler):
    """Writes each line as an event."""

    def emit(self, record: logging.LogRecord) -> None:
        """A line without an error, or about bytes that are no text, is a note; anything else is a defect."""
        error = record.exc_info[1] if record.exc_info else None
        if error is None or isinstance(error, UnicodeDecodeError):
            log.debug("server_note", text=record.getMessage())
        else:
            log.error("server_failed", text=record.getMessage(), exc_info=record.exc_info)
