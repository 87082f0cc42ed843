"""What the server under the gateway says goes into the gateway's log."""

from __future__ import annotations

import logging

import pytest
from structlog.testing import capture_logs

from instar.api.server_log import follow_server_log


def test_notes_about_strangers_are_for_debugging_and_defects_are_errors(capsys: pytest.CaptureFixture[str]) -> None:
    follow_server_log()
    follow_server_log()
    logger = logging.getLogger("uvicorn.error")
    with capture_logs() as lines:
        logger.warning("Invalid HTTP request received.")
        try:
            b"\xff".decode()
        except UnicodeDecodeError:
            logger.exception("Invalid UTF-8 sequence received from client.")
        try:
            raise RuntimeError("a defect")
        except RuntimeError:
            logger.exception("Exception in ASGI application")
    assert [(line["log_level"], line["event"]) for line in lines] == [
        ("debug", "server_note"),
        ("debug", "server_note"),
        ("error", "server_failed"),
    ]
    assert capsys.readouterr().err == ""
