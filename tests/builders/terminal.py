"""A program at a terminal of its own: what it shows is read, keys are pressed."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import signal
import struct
import sys
import termios
import time
from collections.abc import Mapping
from types import TracebackType
from typing import Self

__all__ = ["Terminal"]

WAIT_S = 60.0
_ORDERS = re.compile(r"\x1b\][^\x07]*\x07|\x1b[\[(][0-9;?]*[a-zA-Z]|\x1b[=>]|\r")
"""What a program tells the terminal to do instead of to show."""

_WHERE = b"\x1b[6n"
"""The question where the cursor is, which every terminal answers."""


class Terminal:
    """``python -m instar`` with these arguments at a terminal; `shown` is all it has shown so far, as plain text."""

    def __init__(self, *args: str, env: Mapping[str, str]) -> None:
        self._args = args
        self._env = {**os.environ, "TERM": "xterm", **env}
        self._raw = b""
        self._seen = 0
        self._pid = 0
        self._screen = -1

    def __enter__(self) -> Self:
        """Start it."""
        self._pid, self._screen = pty.fork()
        if self._pid == 0:
            os.execve(sys.executable, [sys.executable, "-m", "instar", *self._args], self._env)  # noqa: S606 - no shell
        fcntl.ioctl(self._screen, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 200, 0, 0))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End it."""
        if self._pid:
            os.kill(self._pid, signal.SIGKILL)
            os.waitpid(self._pid, 0)
        os.close(self._screen)

    @property
    def shown(self) -> str:
        """What was shown, without orders to the terminal."""
        return _ORDERS.sub("", self._raw.decode("utf-8", "replace"))

    def type(self, text: str) -> None:
        """Press keys; ``\\r`` is Enter, ``\\x03`` Ctrl-C, ``\\x04`` Ctrl-D."""
        os.write(self._screen, text.encode())

    def wait_for(self, text: str) -> None:
        """Wait until a text is shown after the one that was waited for last. Raises `AssertionError` otherwise."""
        deadline = time.monotonic() + WAIT_S
        while (at := self.shown.find(text, self._seen)) < 0:
            assert time.monotonic() < deadline, f"{text!r} was not shown, but:\n{self.shown[self._seen :]}"
            self._read(0.05)
        self._seen = at + len(text)

    def wait(self) -> int:
        """Wait for its end; the exit code."""
        deadline = time.monotonic() + WAIT_S
        while True:
            done, status = os.waitpid(self._pid, os.WNOHANG)
            if done:
                self._pid = 0
                return os.waitstatus_to_exitcode(status)
            assert time.monotonic() < deadline, f"it did not end; it showed:\n{self.shown}"
            self._read(0.05)

    def _read(self, seconds: float) -> None:
        readable, _, _ = select.select([self._screen], [], [], seconds)
        if readable:
            try:
                data = os.read(self._screen, 65536)
            except OSError:
                time.sleep(seconds)  # the program has closed its side; its end is near
                return
            self._raw += data
            if _WHERE in data:
                os.write(self._screen, b"\x1b[1;1R")
