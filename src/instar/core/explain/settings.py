"""Every setting that holds for a session with the place it came from, as lines and as fields (WHY-6).

What belongs here: settings put into words. What does not: resolving them (`instar.core.policy.resolve`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from instar.core.lifecycle.notice import format_span
from instar.core.lifecycle.reset import ResetPolicy
from instar.core.model.setting import Setting
from instar.core.policy.resolve import PLAIN_DEFAULTS

__all__ = ["build_setting_fields", "build_setting_lines", "describe_policy", "tell_fields"]

_NAMES: Final[Mapping[str, str]] = {
    "thinkingLevel": "thinking",
    "verboseLevel": "verbose",
    "reasoningLevel": "reasoning",
    "elevatedLevel": "elevated",
    "responseUsage": "usage line",
    "queueMode": "queue",
    "queueDebounceMs": "quiet time",
    "queueCap": "queue cap",
    "queueDrop": "queue drop",
    "groupActivation": "activation",
    "sendPolicy": "send",
    "sandboxMode": "sandbox",
    "contextPruning": "pruning",
    "heartbeatEveryMs": "heartbeat",
}
"""What people call the settings; others go by their own names."""


def build_setting_lines(settings: Mapping[str, Setting[object]]) -> tuple[str, ...]:
    """One line for each place that settings came from, in the order in which the places were met.

    ``From the session: thinking high, queue collect``
    """
    places: dict[str, list[str]] = {}
    for name, setting in settings.items():
        places.setdefault(setting.source, []).append(f"{_NAMES.get(name, name)} {_show(name, setting.value)}")
    return tuple(f"{_PLACES[source]}: {', '.join(told)}" for source, told in places.items())


def tell_fields(
    names: Sequence[str], entry: Mapping[str, object], *, held: Mapping[str, Setting[object]] | None = None
) -> str:
    """What a session's own fields say, one line for each name: ``Thinking: high``.

    What the session does not say is told as it holds, with its place: ``Thinking: low (from the channel)``. A name that
    is not in `held` holds by default.
    """

    def show(name: str) -> str:
        if entry.get(name) is not None:
            return str(entry[name])
        setting = (held or {}).get(name)
        if setting is not None and setting.value is not None and setting.source != "default":
            place = _PLACES[setting.source]
            return f"{setting.value} ({place[0].lower()}{place[1:]})"
        default = PLAIN_DEFAULTS.get(name)
        return "as configured" if default is None else f"{default} (the default)"

    return "\n".join(f"{_NAMES.get(name, name).capitalize()}: {show(name)}" for name in names)


def build_setting_fields(settings: Mapping[str, Setting[object]]) -> dict[str, object]:
    """The same by the names that files use: ``{name: {value, source}}``."""
    return {
        name: {
            "value": describe_policy(setting.value) if isinstance(setting.value, ResetPolicy) else setting.value,
            "source": setting.source,
        }
        for name, setting in settings.items()
    }


def describe_policy(policy: ResetPolicy) -> str:
    """When a session starts over by itself, in words."""
    if policy.mode == "none":
        return "never by itself"
    daily = f"daily at {policy.at_hour:02}:{policy.at_minute:02}" if policy.mode == "daily" else ""
    idle = f"after {format_span(policy.idle_s)} without a message" if policy.idle_s else ""
    return " or ".join(part for part in (daily, idle) if part) or "never by itself"


_PLACES: Final[Mapping[str, str]] = {
    "inline": "From the message",
    "session": "From the session",
    "channel": "From the channel",
    "type": "From the type of chat",
    "agent": "From the agent",
    "config": "From the configuration",
    "default": "Defaults",
}


def _show(name: str, value: object) -> str:
    match value:
        case ResetPolicy():
            return describe_policy(value)
        case bool():
            return "on" if value else "off"
        case None:
            return "none"
        case int() if name == "heartbeatEveryMs":
            # The interval is decided already; a line that hid that nothing runs by it would mislead.
            return f"every {format_span(max(1, value // 1000))} (none is run yet)" if value else "off"
        case _:
            return f"{value} ms" if name.endswith("Ms") else str(value)
