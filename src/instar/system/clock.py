"""The host's clock and time zone; the only place that reads them (COMPAT-10).

The zone is found once, when the clock is built: a daily reset at 04:00 means 04:00 where the gateway runs, and must
not move because something else in the process changed the environment.
"""

from __future__ import annotations

import asyncio
import os
import struct
import time
from collections.abc import Mapping
from datetime import UTC, tzinfo
from io import BytesIO
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from instar.core.model.ids import Instant
from instar.errors import ConfigError

__all__ = ["SystemClock", "find_host_zone"]

LOCALTIME = Path("/etc/localtime")
TIMEZONE_NAME = Path("/etc/timezone")


class SystemClock:
    """Keeps `instar.ports.clock.Clock`. `zone` replaces the host's, for people who want daily resets elsewhere."""

    def __init__(self, zone: tzinfo | None = None) -> None:
        self._zone = find_host_zone(os.environ) if zone is None else zone

    def now(self) -> Instant:
        """The wall clock, epoch milliseconds UTC."""
        return Instant(time.time_ns() // 1_000_000)

    def monotonic(self) -> float:
        """Seconds since some moment; never goes back."""
        return time.monotonic()

    def zone(self) -> tzinfo:
        """The host's time zone, as found when the clock was built."""
        return self._zone

    async def sleep(self, seconds: float) -> None:
        """Wait that long; zero or less lets other tasks run once."""
        await asyncio.sleep(max(seconds, 0.0))


def find_host_zone(
    environ: Mapping[str, str], *, localtime: Path = LOCALTIME, timezone_name: Path = TIMEZONE_NAME
) -> tzinfo:
    """The host's zone: ``TZ`` if set, else what `localtime` is, else UTC. Its ``str()`` is the IANA name if it has one.

    An empty ``TZ`` is UTC, as in C. A ``TZ`` that is neither a zone, a file nor a POSIX rule raises `ConfigError`:
    quietly resetting sessions by UTC would be worse than not starting.
    """
    named = environ.get("TZ")
    if named is not None:
        return _parse_tz(named)
    try:
        # The first link is what an administrator chose; further ones are aliases inside the zone database.
        target = str(localtime.parent / localtime.readlink())
    except OSError:
        target = ""
    zone = _load_named(target.rpartition("/zoneinfo/")[2]) if "/zoneinfo/" in target else None
    if zone is None and not target:
        zone = _load_named(_read_line(timezone_name))
    if zone is None and localtime.is_file():
        zone = _load_file(localtime)
    return UTC if zone is None else zone


def _parse_tz(value: str) -> tzinfo:
    """A value of ``TZ`` as tzset(3) reads it: a name, a path, a colon before either, or a POSIX rule."""
    text = value.removeprefix(":").strip()
    if not text:
        return UTC
    zone = _load_file(Path(text)) if text.startswith("/") else _load_named(text) or _parse_posix(text)
    if zone is None:
        raise ConfigError(
            f"Cannot tell the time zone from TZ={value!r}",
            why="there is no zone of that name, no such zone file, and it is no POSIX rule either",
            fix="Set TZ to a name like Europe/Berlin, or leave it unset to use the host's zone.",
        )
    return zone


def _load_named(name: str) -> ZoneInfo | None:
    """The zone of an IANA name, without the database's ``posix/`` and ``right/`` folders; None if there is none."""
    plain = name.removeprefix("posix/").removeprefix("right/")
    if not plain:
        return None
    try:
        return ZoneInfo(plain)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return None


def _load_file(path: Path) -> ZoneInfo | None:
    """The zone of a compiled file; its name is the part below ``zoneinfo/`` if there is one, else the path."""
    folder, _, name = str(path).rpartition("/zoneinfo/")
    try:
        with path.open("rb") as file:
            return ZoneInfo.from_file(file, key=name if folder else str(path))
    except (ValueError, OSError, struct.error):
        return None


def _parse_posix(rule: str) -> ZoneInfo | None:
    """The zone of a rule like ``CET-1CEST,M3.5.0,M10.5.0/3`` (POSIX.1, section 8.3); None if it is none.

    zoneinfo reads such rules only at the end of a compiled zone file (RFC 9636, section 3.3), so one is made
    around the rule: no transitions, one local time type that the rule replaces.
    """
    header = struct.pack(">4sc15x6l", b"TZif", b"2", 0, 0, 0, 0, 1, 1)
    body = struct.pack(">lbb", 0, 0, 0) + b"\0"
    try:
        data = (header + body) * 2 + b"\n" + rule.encode("ascii") + b"\n"
        return ZoneInfo.from_file(BytesIO(data), key=rule)
    except ValueError:
        return None


def _read_line(path: Path) -> str:
    """The first line of a small file, or nothing."""
    try:
        return path.read_text(encoding="utf-8").partition("\n")[0].strip()
    except (OSError, UnicodeDecodeError):
        return ""
