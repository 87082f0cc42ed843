"""The log: one line per event, no secret, a limit on the file, and no way to stop a gateway."""

from __future__ import annotations

import io
import json
import stat
import threading
from collections.abc import Mapping
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from instar.core.policy.redaction import build_redactor
from instar.system import log_events
from instar.system.log import ConsoleSink, FileSink, LogSettings, build_log, open_log
from instar.system.log_events import LOG_LINES_LOST
from instar.testing.clock import ManualClock
from instar.testing.log import build_memory_log


def read(path: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_an_event_has_a_time_a_level_a_name_and_its_fields() -> None:
    log, sink = build_memory_log(clock=ManualClock(5_000))
    log.bind(session_key="agent:main:main").info("turn_started", turn_id="t1", ms=12)
    assert sink.events == [
        {
            "at": 5_000,
            "level": "info",
            "event": "turn_started",
            "session_key": "agent:main:main",
            "turn_id": "t1",
            "ms": 12,
        }
    ]


def test_a_field_cannot_pass_for_the_time_or_the_level() -> None:
    log, sink = build_memory_log(clock=ManualClock(5_000))
    log.info("turn_started", at=1, level="critical")
    assert (sink.events[0]["at"], sink.events[0]["level"]) == (5_000, "info")


def test_secrets_are_gone_before_anything_is_written() -> None:
    log, sink = build_memory_log(secrets=["configured-value"])
    log.info("turn_started", api_key="k", note="the configured-value", url="https://me:pw123@host/")
    try:
        raise ValueError("Authorization: Bearer abcdefgh12345678")
    except ValueError:
        log.exception("turn_failed")
    told = json.dumps(sink.events)
    assert "configured-value" not in told
    assert "pw123" not in told
    assert "abcdefgh12345678" not in told
    assert sink.events[0]["api_key"] == "[redacted]"
    assert sink.events[0]["note"] == "the [redacted]"


def test_an_exception_comes_with_its_traceback() -> None:
    log, sink = build_memory_log()
    try:
        raise ValueError("no luck")
    except ValueError as error:
        log.exception("turn_failed", turn_id="t1")
        log.warning("turn_failed", exc_info=error)
    first, second = sink.events
    assert first["level"] == "error"
    for event in (first, second):
        assert str(event["exception"]).startswith("Traceback")
        assert str(event["exception"]).endswith("ValueError: no luck")


def test_events_below_the_level_are_not_written() -> None:
    stream = io.StringIO()
    clock = ManualClock()
    log = build_log([ConsoleSink(stream, clock=clock)], level="warning", clock=clock, redactor=build_redactor())
    log.debug("a")
    log.info("b")
    log.warning("c")
    log.error("d")
    log.critical("e")
    assert [line.split()[2] for line in stream.getvalue().splitlines()] == ["c", "d", "e"]


def test_the_console_shows_local_time_and_quotes_what_needs_it() -> None:
    stream = io.StringIO()
    clock = ManualClock(1_767_225_600_120, zone=ZoneInfo("Europe/Berlin"))
    log = build_log([ConsoleSink(stream, clock=clock)], level="info", clock=clock, redactor=build_redactor())
    log.warning("turn_failed", key="agent:main:main", why="two words", empty="", evil="\x1b[2Jx\ny", n=3)
    assert stream.getvalue() == (
        '01:00:00.120 warning  turn_failed key=agent:main:main why="two words" empty="" evil="\\u001b[2Jx\\ny" n=3\n'
    )


def test_the_console_has_colours_only_on_a_terminal() -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    stream, clock = Terminal(), ManualClock()
    log = build_log([ConsoleSink(stream, clock=clock)], level="info", clock=clock, redactor=build_redactor())
    log.error("turn_failed")
    log.info("turn_started")
    red, plain = stream.getvalue().splitlines()
    assert red.startswith("\x1b[31m")
    assert red.endswith("\x1b[0m")
    assert "\x1b" not in plain


def test_the_console_prints_a_traceback_below_its_line() -> None:
    stream, clock = io.StringIO(), ManualClock()
    log = build_log([ConsoleSink(stream, clock=clock)], level="info", clock=clock, redactor=build_redactor())
    try:
        raise ValueError("no luck")
    except ValueError:
        log.exception("turn_failed")
    assert stream.getvalue().splitlines()[1] == "Traceback (most recent call last):"


def test_json_on_the_console_is_one_object_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    handle = open_log(LogSettings(console="json"), clock=ManualClock(7), redactor=build_redactor())
    handle.log.info("turn_started", name="ü\n")
    handle.close()
    assert json.loads(capsys.readouterr().err) == {"at": 7, "level": "info", "event": "turn_started", "name": "ü\n"}


def test_the_file_is_private_and_holds_json_lines(tmp_path: Path) -> None:
    path = tmp_path / "new" / "gateway.log"
    handle = open_log(LogSettings(console="off", file=path), clock=ManualClock(7), redactor=build_redactor())
    handle.log.info("turn_started", name="ü", odd=Path("/x"), lone="\ud800")
    handle.close()
    handle.close()
    assert read(path)[0]["name"] == "ü"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_closed_log_drops_lines(tmp_path: Path) -> None:
    path = tmp_path / "gateway.log"
    handle = open_log(LogSettings(console="off", file=path), clock=ManualClock(), redactor=build_redactor())
    handle.log.info("before")
    handle.close()
    handle.log.info("after")
    assert [each["event"] for each in read(path)] == ["before"]


def test_a_full_file_is_set_aside_and_only_so_many_are_kept(tmp_path: Path) -> None:
    path = tmp_path / "gateway.log"
    settings = LogSettings(console="off", file=path, file_max_bytes=100, keep_files=2)
    handle = open_log(settings, clock=ManualClock(7), redactor=build_redactor())
    for number in range(9):
        handle.log.info("event", number=number, filler="x" * 20)  # about 70 bytes each: one per file
    handle.close()
    assert sorted(each.name for each in tmp_path.iterdir()) == ["gateway.log", "gateway.log.1", "gateway.log.2"]
    newest_first = [path, tmp_path / "gateway.log.1", tmp_path / "gateway.log.2"]
    assert [[each["number"] for each in read(file)] for file in newest_first] == [[8], [7], [6]]


def test_a_log_goes_on_where_it_ended_and_may_keep_nothing(tmp_path: Path) -> None:
    path = tmp_path / "gateway.log"
    settings = LogSettings(console="off", file=path, file_max_bytes=150, keep_files=0)
    for number in range(3):
        handle = open_log(settings, clock=ManualClock(7), redactor=build_redactor())
        handle.log.info("event", number=number, filler="x" * 20)
        handle.close()
    assert [each["number"] for each in read(path)] == [2]
    assert list(tmp_path.iterdir()) == [path]


def test_a_line_larger_than_the_limit_is_written_whole(tmp_path: Path) -> None:
    path = tmp_path / "gateway.log"
    settings = LogSettings(console="off", file=path, file_max_bytes=100)
    handle = open_log(settings, clock=ManualClock(7), redactor=build_redactor())
    handle.log.info("event", filler="x" * 500)
    handle.close()
    assert len(str(read(path)[0]["filler"])) == 500


def test_lines_that_could_not_be_written_are_counted_and_told_later() -> None:
    class FullDisk:
        def __init__(self) -> None:
            self.is_full = True
            self.written: list[Mapping[str, object]] = []

        def write(self, event: Mapping[str, object]) -> None:
            if self.is_full:
                raise OSError(28, "No space left on device")
            self.written.append(event)

        def close(self) -> None: ...

    disk, clock = FullDisk(), ManualClock(7)
    log = build_log([disk], level="info", clock=clock, redactor=build_redactor())
    log.info("one")
    log.info("two")
    disk.is_full = False
    log.info("three")
    log.info("four")
    assert [each["event"] for each in disk.written] == [LOG_LINES_LOST, "three", "four"]
    assert disk.written[0]["count"] == 2


def test_a_file_that_cannot_be_opened_does_not_stop_anybody(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("a file, not a folder")
    settings = LogSettings(console="off", file=tmp_path / "taken" / "gateway.log")
    handle = open_log(settings, clock=ManualClock(), redactor=build_redactor())
    handle.log.info("event")
    handle.close()


def test_lines_of_many_threads_never_mix(tmp_path: Path) -> None:
    path = tmp_path / "gateway.log"
    settings = LogSettings(console="off", file=path, file_max_bytes=20_000, keep_files=50)
    handle = open_log(settings, clock=ManualClock(7), redactor=build_redactor())

    def write(worker: int) -> None:
        for number in range(100):
            handle.log.info("event", worker=worker, number=number)

    threads = [threading.Thread(target=write, args=(worker,)) for worker in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    handle.close()
    lines = [line for file in tmp_path.iterdir() for line in read(file)]
    assert sorted((line["worker"], line["number"]) for line in lines) == [(w, n) for w in range(8) for n in range(100)]


def test_event_names_are_constants_and_each_is_used_once() -> None:
    names = {name: value for name, value in vars(log_events).items() if name.isupper()}
    assert all(value == name.lower() for name, value in names.items())


def test_writing_to_a_closed_stream_stops_nobody() -> None:
    stream, clock = io.StringIO(), ManualClock()
    log = build_log([ConsoleSink(stream, clock=clock)], level="info", clock=clock, redactor=build_redactor())
    stream.close()
    log.info("event")


def test_a_file_sink_of_its_own_appends(tmp_path: Path) -> None:
    sink = FileSink(tmp_path / "x.log", max_bytes=1000, keep_files=1)
    sink.write({"a": 1})
    sink.write({"a": 2})
    sink.close()
    assert read(tmp_path / "x.log") == [{"a": 1}, {"a": 2}]
