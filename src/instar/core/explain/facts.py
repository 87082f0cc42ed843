"""A recorded decision as sentences are built from it: its inputs in words, its times on the wall of the host.

Inputs are small and come from many rooms, some of them from platforms. So whatever is missing or of another type reads
as "not known", and text is brought into one short line before it stands in a sentence.
"""

from __future__ import annotations

import math
from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Final

from instar.core.lifecycle.notice import format_span
from instar.core.model.decision import InputValue, RecordedDecision

__all__ = ["Facts"]

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)

_SHOWN_CHARS: Final = 160
"""A session key of ordinary length fits; an id of ten thousand characters does not make the sentence unreadable."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """One decision and the zone its times are told in."""

    recorded: RecordedDecision
    zone: tzinfo

    @property
    def outcome(self) -> str:
        """The answer that was given, in one line."""
        return _clean(self.recorded.decision.outcome)

    @property
    def rule(self) -> str:
        """The id of the rule that gave it."""
        return self.recorded.decision.rule

    @property
    def who(self) -> str:
        """Who caused it; a plain phrase for the gateway itself."""
        who = _clean(self.recorded.who)
        return "the gateway" if who in {"", "gateway"} else who

    def word(self, name: str, default: str = "") -> str:
        """An input as text, `default` if it is not known or empty."""
        value = self._value(name)
        return default if value is None or value is False or value == "" else _show(value)

    def number(self, name: str) -> int | float | None:
        """An input that is a finite number, None for anything else."""
        value = self._value(name)
        if isinstance(value, bool) or not isinstance(value, int | float):
            return None
        return value if math.isfinite(value) else None

    def moment(self, name: str) -> str | None:
        """An instant as local date and time, ``2026-03-09 22:14``; None if it is not known."""
        value = self.number(name)
        if value is None:
            return None
        try:
            return f"{(_EPOCH + timedelta(milliseconds=value)).astimezone(self.zone):%Y-%m-%d %H:%M}"
        except (OverflowError, ValueError):
            return None

    def span(self, name: str) -> str | None:
        """A number of seconds in words; None if it is not known or not above zero."""
        value = self.number(name)
        return format_span(int(value)) if value is not None and value >= 1 else None

    def details(self, *, without: Collection[str] = ()) -> str:
        """The remaining inputs in brackets with a blank in front, empty if there are none."""
        shown = [
            f"{name.removesuffix('_at').replace('_', ' ')} {self._detail(name)}"
            for name, value in sorted(self.recorded.decision.inputs.items())
            if name not in without and value not in {None, ""}
        ]
        return f" ({', '.join(shown)})" if shown else ""

    def _detail(self, name: str) -> str:
        moment = self.moment(name) if name.endswith("_at") else None
        return moment or _show(self.recorded.decision.inputs[name])

    def _value(self, name: str) -> InputValue:
        return self.recorded.decision.inputs.get(name)


def _show(value: InputValue) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return _clean(str(value))


def _clean(text: str) -> str:
    """`text` in one line of visible characters, cut to a readable length."""
    visible = "".join(letter if letter.isprintable() else " " for letter in text[: _SHOWN_CHARS * 2])
    line = " ".join(visible.split())
    return line if len(line) <= _SHOWN_CHARS else f"{line[: _SHOWN_CHARS - 1]}…"
