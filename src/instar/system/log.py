"""The log: structured events to standard error and to a file of JSON lines, without secrets (LEAK-12).

Each line of the file is one JSON object: ``at`` (epoch milliseconds), ``level``, ``event``, then the fields. The file
is renamed to ``<name>.1`` (that to ``.2``, and so on) before a line would make it larger than its limit, so no line is
ever cut. What cannot be written (disk full) is dropped and counted, and the count is written as soon as there is room
again: a log must not stop a gateway.

structlog is imported only when a log is opened: it costs a quarter of a second, and the command line needs none.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import traceback
from collections.abc import Callable, Mapping, MutableMapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Literal, Protocol, TextIO

from instar.core.policy.redaction import Redactor
from instar.ports.clock import Clock
from instar.ports.log import Log
from instar.system.log_events import LOG_LINES_LOST

__all__ = ["ConsoleSink", "FileSink", "LogHandle", "LogLevel", "LogSettings", "Sink", "build_log", "open_log"]

LogLevel = Literal["debug", "info", "warning", "error", "critical"]
_LEVELS: Mapping[LogLevel, int] = {"debug": 10, "info": 20, "warning": 30, "error": 40, "critical": 50}

FILE_MODE = 0o600
"""The log names people and sessions: nobody else on the host reads it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LogSettings:
    """Where the log goes. `console` is what standard error gets; `file` None writes no file.

    `file_max_bytes` is the size at which a file is set aside, `keep_files` how many of those stay.
    """

    level: LogLevel = "info"
    console: Literal["text", "json", "off"] = "text"
    file: Path | None = None
    file_max_bytes: int = 10 * 1024 * 1024
    keep_files: int = 3


class Sink(Protocol):
    """Where finished events go. `write` may raise OSError; then the event counts as lost."""

    def write(self, event: Mapping[str, object]) -> None:
        """Write one event, redacted already."""
        ...

    def close(self) -> None:
        """Let go of the file. May be called twice."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class LogHandle:
    """An open log and the way to close it."""

    log: Log
    sinks: Sequence[Sink]

    def close(self) -> None:
        """Close every sink. May be called twice; lines written afterwards are dropped."""
        for sink in self.sinks:
            sink.close()


def open_log(settings: LogSettings, *, clock: Clock, redactor: Redactor, is_default: bool = False) -> LogHandle:
    """Open the sinks that `settings` asks for. What a file cannot take is lost and counted, see the top."""
    sinks: list[Sink] = []
    if settings.console != "off":
        sinks.append(ConsoleSink(sys.stderr, clock=clock, as_json=settings.console == "json"))
    if settings.file is not None:
        sinks.append(FileSink(settings.file, max_bytes=settings.file_max_bytes, keep_files=settings.keep_files))
    log = build_log(sinks, level=settings.level, clock=clock, redactor=redactor, is_default=is_default)
    return LogHandle(log=log, sinks=sinks)


def build_log(
    sinks: Sequence[Sink], *, level: LogLevel, clock: Clock, redactor: Redactor, is_default: bool = False
) -> Log:
    """A log that writes to `sinks`; events below `level` cost next to nothing.

    With `is_default` the loggers that modules get by name (``structlog.get_logger``) write there too. Only a program
    does that, once; a library must not decide where its host's log goes.
    """
    import structlog  # noqa: PLC0415 - see the top: only whoever opens a log pays for it

    writer = _Writer(sinks, clock)

    def finish(_: object, method: str, event: MutableMapping[str, object]) -> str:
        writer.write(method, event, redactor)
        raise structlog.DropEvent

    wrapper = structlog.make_filtering_bound_logger(_LEVELS[level])
    if is_default:
        structlog.configure(processors=[finish], wrapper_class=wrapper, cache_logger_on_first_use=False)
    log: Log = structlog.wrap_logger(None, processors=[finish], wrapper_class=wrapper, cache_logger_on_first_use=True)
    return log


class _Writer:
    """Makes a finished event of what was logged, and remembers how many could not be written, per sink."""

    def __init__(self, sinks: Sequence[Sink], clock: Clock) -> None:
        self._sinks = sinks
        self._clock = clock
        self._lost = [0] * len(sinks)
        self._lock = threading.Lock()

    def write(self, method: str, fields: MutableMapping[str, object], redactor: Redactor) -> None:
        event = fields.pop("event", "")
        error = _take_exception(fields)
        level = "error" if method == "exception" else method
        if error:
            fields["exception"] = error
        finished: dict[str, object] = {"at": self._clock.now(), "level": level, "event": event}
        for name, value in redactor.fields(fields).items():
            finished.setdefault(name, value)
        with self._lock:
            for index, sink in enumerate(self._sinks):
                self._write_to(index, sink, finished)

    def _write_to(self, index: int, sink: Sink, event: Mapping[str, object]) -> None:
        try:
            if self._lost[index]:
                sink.write({"at": event["at"], "level": "error", "event": LOG_LINES_LOST, "count": self._lost[index]})
                self._lost[index] = 0
            sink.write(event)
        except (OSError, ValueError):  # ValueError: standard error was closed by whoever started us
            self._lost[index] += 1


class FileSink:
    """A file of JSON lines that is set aside at `max_bytes`; `keep_files` older ones stay beside it."""

    def __init__(self, path: Path, *, max_bytes: int, keep_files: int) -> None:
        self._path = path
        self._max_bytes = max_bytes
        self._keep_files = keep_files
        self._descriptor: int | None = None
        self._size = 0
        self._is_closed = False

    def write(self, event: Mapping[str, object]) -> None:
        """Append one line in a single system call, so that lines never mix and readers never see half of one."""
        if self._is_closed:
            return
        line = (json.dumps(event, ensure_ascii=False, separators=(",", ":"), default=str) + "\n").encode(
            errors="replace"
        )
        if self._descriptor is None:
            self._open()
        if self._size and self._size + len(line) > self._max_bytes:
            self._set_aside()
        if self._descriptor is not None:
            self._size += os.write(self._descriptor, line)

    def close(self) -> None:
        """Close the file."""
        self._is_closed = True
        self._let_go()

    def _open(self) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, FILE_MODE)
        self._size = os.fstat(self._descriptor).st_size

    def _let_go(self) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def _set_aside(self) -> None:
        self._let_go()
        for number in range(self._keep_files, 0, -1):
            older = self._path.with_name(f"{self._path.name}.{number}")
            newer = self._path.with_name(f"{self._path.name}.{number - 1}") if number > 1 else self._path
            if newer.exists():
                newer.replace(older)
        if not self._keep_files:
            self._path.unlink(missing_ok=True)
        self._open()


class ConsoleSink:
    """Standard error, for a person: ``14:03:07.120 warning turn_failed session_key=agent:main:main``; or JSON lines."""

    def __init__(self, stream: TextIO, *, clock: Clock, as_json: bool = False) -> None:
        self._stream = stream
        self._render: Callable[[Mapping[str, object]], str] = (
            _render_json if as_json else lambda event: _render_text(event, clock, is_coloured=stream.isatty())
        )

    def write(self, event: Mapping[str, object]) -> None:
        """One line; a traceback follows on lines of its own."""
        self._stream.write(self._render(event) + "\n")
        self._stream.flush()

    def close(self) -> None:
        """Nothing: the stream belongs to the process."""


_COLOURS: Mapping[str, str] = {"debug": "\x1b[2m", "warning": "\x1b[33m", "error": "\x1b[31m", "critical": "\x1b[1;31m"}
_PLAIN = "\x1b[0m"


def _render_json(event: Mapping[str, object]) -> str:
    return json.dumps(event, ensure_ascii=True, separators=(",", ":"), default=str)


def _render_text(event: Mapping[str, object], clock: Clock, *, is_coloured: bool) -> str:
    at, level = event["at"], str(event["level"])
    moment = datetime.fromtimestamp(at / 1000, tz=clock.zone()) if isinstance(at, int) else None
    time = moment.isoformat(timespec="milliseconds")[11:23] if moment else ""
    fields = " ".join(
        f"{name}={_render_value(value)}"
        for name, value in event.items()
        if name not in {"at", "level", "event", "exception"}
    )
    line = f"{time} {level:<8} {event['event']} {fields}".rstrip()
    if is_coloured and level in _COLOURS:
        line = f"{_COLOURS[level]}{line}{_PLAIN}"
    return f"{line}\n{event['exception']}" if "exception" in event else line


def _render_value(value: object) -> str:
    """Bare where that can be read back, else as JSON: control characters and line breaks never reach a terminal."""
    if isinstance(value, str) and value and value.isprintable() and not any(sign in value for sign in " \"'="):
        return value
    return (
        json.dumps(value, ensure_ascii=False, default=str) if _is_printable(value) else json.dumps(value, default=str)
    )


def _is_printable(value: object) -> bool:
    return not isinstance(value, str) or value.isprintable()


def _take_exception(fields: MutableMapping[str, object]) -> str:
    """The traceback of ``exc_info`` (taken out of `fields`), the empty string without one."""
    info = fields.pop("exc_info", None)
    if info is True:
        info = sys.exc_info()
    if isinstance(info, BaseException):
        info = (type(info), info, info.__traceback__)
    match info:
        case (type() as kind, BaseException() as error, (TracebackType() | None) as trace):
            return "".join(traceback.format_exception(kind, error, trace)).rstrip()
        case _:
            return ""
