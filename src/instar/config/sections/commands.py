"""`session.resetTriggers`: the words that start over (CMD-1).

Who may give commands is in `instar.config.sections.access`.
"""

from __future__ import annotations

from collections.abc import Mapping

from instar.config.read import read_list, read_object, read_text_list
from instar.core.policy.commands import DEFAULT_TRIGGERS

__all__ = ["parse_commands", "parse_triggers"]


def parse_commands(root: Mapping[str, object]) -> tuple[str, ...]:
    """The reset triggers of a whole configuration whose aliases are applied. Raises ConfigError."""
    session = read_object(root.get("session"), "session")
    return parse_triggers(session.get("resetTriggers"), "session.resetTriggers")


def parse_triggers(value: object, path: str) -> tuple[str, ...]:
    """The words that start over: those listed, without blank ones; the built-in ones where nothing is listed.

    A list of blanks alone is a list: it leaves no trigger at all. Raises ConfigError if it is no list of texts.
    """
    return read_text_list(value, path) if read_list(value, path) else DEFAULT_TRIGGERS
