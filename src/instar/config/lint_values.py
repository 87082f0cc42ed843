"""Values that a rule ignores or cuts to size: whoever wrote them should hear what holds instead (WHY-5).

What belongs here: values of the right type that mean nothing where they stand, such as an hour of 99 or a size in
"zb". The rules say that they are ignored and not refused, so that configurations of other programs stay usable
(RESET-4, RESET-5, MAINT-2, SEND-9). What does not: wrong types (`check`), settings compared with each other (`lint`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final, TypeGuard

from instar.config.config import Config
from instar.config.finding import Finding
from instar.config.read import join_path, type_name
from instar.config.sections.levels import find_level_words, is_level
from instar.config.sections.reset import MODES, parse_reset_time
from instar.core.model.quantity import parse_duration_ms, parse_size_bytes
from instar.core.policy.levels import THINKING_LEVELS
from instar.core.policy.resolve import LevelField
from instar.core.policy.send import parse_send_verdict

__all__ = ["lint_values"]

_DURATIONS: Final = ("pruneAfter", "preserveRecent", "archiveDashboardAfter", "resetArchiveRetention")
_SIZES: Final = ("maxDiskBytes", "highWaterBytes")
_LEVELS: Final[Mapping[LevelField, str]] = {
    "thinkingLevel": ", ".join(THINKING_LEVELS),
    "verboseLevel": "off, on, full",
    "reasoningLevel": "off, on, stream",
    "elevatedLevel": "off, on, ask, full",
    "responseUsage": "off, tokens, full",
}
_NEVER_OFF: Final = {"pruneAfter", "highWaterBytes"}
"""What zero cannot switch off: an age of zero would take everything, and an eviction ends somewhere."""


def lint_values(config: Config) -> Iterator[Finding]:
    """Everything in `config` that is written and does not hold, room by room."""
    session = _object(config.root.get("session"))
    yield from _lint_resets(session)
    yield from _lint_maintenance(_object(session.get("maintenance")))
    yield from _lint_send(session.get("sendPolicy"))
    yield from _lint_levels(config.root)


# ---------------------------------------------------------------- when sessions start over


def _lint_resets(session: Mapping[str, object]) -> Iterator[Finding]:
    flat = {name: session.get(name) for name in ("resetTime", "idleMinutes", "idleTimeout")}
    yield from _lint_reset(flat, "session")
    yield from _lint_reset(_object(session.get("reset")), "session.reset")
    for group in ("resetByType", "resetByChannel"):
        for name, rule in _object(session.get(group)).items():
            yield from _lint_reset(_object(rule), join_path(f"session.{group}", name))


def _lint_reset(rule: Mapping[str, object], path: str) -> Iterator[Finding]:
    mode, time = rule.get("mode"), rule.get("resetTime")
    if isinstance(mode, str) and mode.strip() and mode.strip().lower() not in MODES:
        yield _ignored(f"{path}.mode", mode, fix='Write "daily", "idle" or "none".')
    if time is not None and parse_reset_time(time) is None:
        yield _ignored(f"{path}.resetTime", time, fix='Write it like "04:30".')
    for name, most in (("atHour", 23), ("atMinute", 59)):
        number = rule.get(name)
        if _is_number(number) and not 0 <= number < most + 1:
            held = 0 if number < 0 else most
            yield _warning(
                "cut-value",
                f"{path}.{name}",
                what=f"{held} holds instead",
                why=f"it is {number}",
                fix=f"Write a number from 0 to {most}.",
            )
    for name in ("idleMinutes", "idleTimeout"):
        number = rule.get(name)
        if number is not None and not _is_number(number):
            yield _ignored(f"{path}.{name}", number, fix="Write a number, without quotes.")
        elif _is_number(number) and number < 0:
            yield _warning(
                "cut-value",
                f"{path}.{name}",
                what="Sessions never start over for being idle",
                why=f"it is {number}, which counts as 0",
                fix="Write a number from 1 on, or 0 where that is meant.",
            )


# ---------------------------------------------------------------- what is kept


def _lint_maintenance(fields: Mapping[str, object]) -> Iterator[Finding]:
    path = "session.maintenance"
    mode = fields.get("mode")
    if mode is not None and (not isinstance(mode, str) or mode.strip().lower() not in {"warn", "enforce"}):
        yield _ignored(f"{path}.mode", mode, fix='Write "warn" or "enforce".')
    for name in (*_DURATIONS, *_SIZES):
        value = fields.get(name)
        if value is None or (value is False and name not in _NEVER_OFF):
            continue
        is_size = name in _SIZES
        parsed = parse_size_bytes(value) if is_size else parse_duration_ms(value, bare_unit="d")
        if parsed is None or (parsed == 0 and name == "pruneAfter"):
            yield _ignored(f"{path}.{name}", value, fix='Write it like "10gb".' if is_size else 'Write it like "30d".')
    entries = fields.get("maxEntries")
    if entries is not None and not (_is_number(entries) and entries >= 1):
        yield _ignored(f"{path}.maxEntries", entries, fix="Write a number from 1 on.")


# ---------------------------------------------------------------- what may be sent


def _lint_send(policy: object) -> Iterator[Finding]:
    """A prohibition that is ignored looks like safety and is none, so these are critical."""
    path = "session.sendPolicy"
    if policy is None:
        return
    if not isinstance(policy, Mapping):
        yield _allows(path, policy, fix='Write {default: "deny"} or {rules: [ … ]}.')
        return
    default, rules = policy.get("default"), policy.get("rules")
    if default is not None and parse_send_verdict(default) is None:
        yield _allows(f"{path}.default", default, fix='Write "allow" or "deny".')
    if rules is not None and not isinstance(rules, list | tuple):
        yield _allows(f"{path}.rules", rules, fix="Write [ … ].")
        return
    for at, rule in enumerate(rules or ()):
        if not isinstance(rule, Mapping):
            yield _allows(f"{path}.rules[{at}]", rule, fix="Write { … }.")
        elif rule.get("action") is not None and parse_send_verdict(rule["action"]) is None:
            yield _allows(f"{path}.rules[{at}].action", rule["action"], fix='Write "allow" or "deny".')


# ---------------------------------------------------------------- levels


def _lint_levels(root: Mapping[str, object]) -> Iterator[Finding]:
    for path, level, word in find_level_words(root):
        if not is_level(level, word):
            yield _ignored(path, word, fix=f"Write one of {_LEVELS[level]}.")


# ---------------------------------------------------------------- words


def _object(value: object) -> Mapping[str, object]:
    return value if isinstance(value, Mapping) else {}


def _is_number(value: object) -> TypeGuard[int | float]:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _tell(value: object) -> str:
    return f'it is "{value}"' if isinstance(value, str) else f"it is {value if _is_number(value) else type_name(value)}"


def _ignored(path: str, value: object, *, fix: str) -> Finding:
    return _warning(
        "ignored-value", path, what="The value is ignored, as if it were not there", why=_tell(value), fix=fix
    )


def _allows(path: str, value: object, *, fix: str) -> Finding:
    what = "It is ignored, so it forbids nothing"
    return Finding(code="ignored-send-policy", severity="critical", path=path, what=what, why=_tell(value), fix=fix)


def _warning(code: str, path: str, *, what: str, why: str, fix: str) -> Finding:
    return Finding(code=code, severity="warning", path=path, what=what, why=why, fix=fix)
