"""What the server under the gateway says goes into the gateway's log."""

from __future__ import annotations

import logging

import pytest
import structlog
from structlog.testing import capture_logs

from instar.api import server_log
from instar.api.server_log import follow_server_log


@pytest.fixture
def plain_logs(monkeypatch: pytest.MonkeyPatch):
    """Logs without the level that another test may have set for its gateway."""
    before = structlog.get_config()
    structlog.reset_defaults()
    monkeypatch.setattr(server_log, "log", structlog.get_logger())
    yield
    structlog.configure(**before)


@pytest.mark.usefixtures("plain_logs")
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
