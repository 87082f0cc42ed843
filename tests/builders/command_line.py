"""The command line, run in this process: how it ended and what it printed."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from instar.cli.main import run

__all__ = ["CommandLine", "ask", "build_command_line"]

CommandLine = Callable[..., tuple[int, str, str]]
"""Runs the words of a command line: its exit code, standard output and standard error."""


def build_command_line(
    state_dir: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> CommandLine:
    """The command line of somebody whose state lies in this folder."""
    monkeypatch.setenv("INSTAR_STATE_DIR", str(state_dir))

    def call(*words: object) -> tuple[int, str, str]:
        code = run([str(word) for word in words])
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return call


def ask(instar: CommandLine, *words: object, code: int = 0) -> Any:  # Any: every command has a document of its own
    """The JSON document of a command that ends with `code`."""
    found, out, err = instar(*words, "--json")
    assert found == code, err
    return json.loads(out)
