"""`session.reset…` in every accepted spelling (RESET-1…9, X-1…X-5, X-27, LOSS-7).

An object is read field by field; in one object the canonical name beats the alias. What the rules call ignored is
ignored; a value of a wrong type is an error that names its path (CFG-6).
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Final

from instar.config.read import join_path, read_bool, read_number, read_object, read_text
from instar.core.lifecycle.reset import ResetMode, ResetRule, ResetSettings, ResetType
from instar.core.model.ids import ChannelName
from instar.core.routing.normalize import normalize_channel

__all__ = ["MODES", "parse_reset", "parse_reset_time"]

MODES: Final[Mapping[str, ResetMode]] = {
    "daily": "daily",
    "idle": "idle",
    "none": "none",
    "manual": "none",
    "off": "none",
}
"""Every word for a mode, in small letters."""

# Canonical names stand after their alias, so that they win.
_TYPES: Final[Mapping[str, ResetType]] = {"dm": "direct", "direct": "direct", "group": "group", "thread": "thread"}

_LONGEST_S: Final = 100 * 365 * 86_400
"""A longer window is cut to a hundred years: its end would lie beyond what calendars and databases can write."""

_TIME: Final = re.compile(r"([0-9]{1,2})(?::([0-9]{2}))?")


def parse_reset(root: Mapping[str, object]) -> ResetSettings:
    """The reset settings of a whole configuration whose aliases are applied.

    Raises ConfigError, with the path of the setting, for a value of a wrong type.
    """
    session = read_object(root.get("session"), "session")
    base = session.get("reset")
    return ResetSettings(
        by_channel=_parse_channels(session.get("resetByChannel")),
        by_type=_parse_types(session.get("resetByType")),
        base=None if base is None else _parse_rule(base, "session.reset"),
        flat=_parse_flat(session),
    )


def _parse_channels(value: object) -> Mapping[ChannelName, ResetRule]:
    """One rule per channel, by its one name; where two spellings name one channel, its own name counts (NORM-2)."""
    path = "session.resetByChannel"
    found: dict[ChannelName, ResetRule] = {}
    fields = read_object(value, path)
    # Own names last: they overwrite their aliases.
    for name in sorted(fields, key=lambda name: name == normalize_channel(name)):
        if fields[name] is not None:
            found[normalize_channel(name)] = _parse_rule(fields[name], join_path(path, name))
    return found


def _parse_types(value: object) -> Mapping[ResetType, ResetRule] | None:
    """One rule per type; `direct` beats `dm` (X-5). Unknown types are left to the lint. None if there is no object."""
    if value is None:
        return None
    path = "session.resetByType"
    fields = read_object(value, path)
    named = {name: fields[name] for name in _TYPES if fields.get(name) is not None}
    return {_TYPES[name]: _parse_rule(rule, f"{path}.{name}") for name, rule in named.items()}


def _parse_flat(session: Mapping[str, object]) -> ResetRule | None:
    """The rule that the single fields form (RESET-7), None when none of them says anything."""
    fields = {name: session[name] for name in ("resetTime", "idleTimeout", "idleMinutes") if name in session}
    rule = _parse_rule(fields, "session")
    return None if rule == ResetRule() else rule


def _parse_rule(value: object, path: str) -> ResetRule:
    fields = read_object(value, path)
    time = parse_reset_time(fields.get("resetTime"))
    mode = MODES.get((read_text(fields.get("mode"), f"{path}.mode") or "").lower())
    hour = _read_clamped(fields.get("atHour"), f"{path}.atHour", most=23)
    minute = _read_clamped(fields.get("atMinute"), f"{path}.atMinute", most=59)
    if hour is None and time is not None:
        hour = time[0]
        minute = time[1] if minute is None else minute
    quiet_minutes = read_number(fields.get("quietMinutes"), f"{path}.quietMinutes")
    return ResetRule(
        mode="daily" if mode is None and time is not None else mode,
        at_hour=hour,
        at_minute=minute,
        idle_s=_parse_idle(fields),
        quiet_s=None if quiet_minutes is None else _window_s(quiet_minutes, unit_s=60),
        notify=read_bool(fields.get("notify"), f"{path}.notify"),
    )


def parse_reset_time(value: object) -> tuple[int, int] | None:
    """Hour and minute of ``"4"``, ``"4:30"``, ``"04:30"``; None for anything else (RESET-3, RESET-4)."""
    match = _TIME.fullmatch(value.strip()) if isinstance(value, str) else None
    if match is None:
        return None
    hour, minute = int(match[1]), int(match[2] or 0)
    return (hour, minute) if hour < 24 and minute < 60 else None


def _parse_idle(fields: Mapping[str, object]) -> int | None:
    """The idle window in seconds, 0 for a test that is off, None where nothing usable is said (RESET-5, RESET-6)."""
    minutes = _number(fields.get("idleMinutes"))
    if minutes is not None:
        return _window_s(minutes, unit_s=60)
    seconds = _number(fields.get("idleTimeout"))
    return None if seconds is None else _window_s(seconds, unit_s=1)


def _window_s(number: float, *, unit_s: int) -> int:
    """Whole units as seconds, none for a negative number, a hundred years at most."""
    return min(max(0, math.floor(number)) * unit_s, _LONGEST_S)


def _read_clamped(value: object, path: str, *, most: int) -> int | None:
    """`value` floored and brought between 0 and `most` (RESET-4)."""
    number = read_number(value, path)
    return None if number is None else math.floor(min(max(number, 0), most))


def _number(value: object) -> int | float | None:
    """`value` if it is a finite number, else None: here what is no number is ignored (RESET-5)."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return None
    return value
