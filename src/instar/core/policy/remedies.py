"""What a person can paste to be rid of a finding: words, then commands on lines of their own (AUDIT-1).

What belongs here: how a remedy is written, and the commands for what the lint of the configuration noticed. What does
not: the findings themselves. Every line that begins with ``instar`` or ``chmod`` is a command as a shell takes it.
"""

from __future__ import annotations

import re
import shlex
from typing import Final

from instar.core.policy.audit_facts import Noticed

__all__ = ["DRAWN", "build_remedy", "build_set", "build_unset"]

DRAWN: Final = '"$(openssl rand -hex 32)"'
"""A value that the shell draws: a secret must not come from this page."""

_SET: Final = {
    "open-main": ("session.dmScope", "per-channel-peer"),
    "peers-of-many-channels": ("session.dmScope", "per-channel-peer"),
    "open-group-main": ("session.groupScope", "per-group"),
}
"""Findings that one setting ends, whatever is written elsewhere."""

_WORDS_ONLY: Final = frozenset({"key-beside-store"})
"""Findings that no command of ours ends: a file has to be moved to a place that its owner knows."""

_BINDING: Final = re.compile(r"bindings\[\d+\]")


def build_set(path: str, value: str) -> str:
    """The command that gives a setting a value."""
    written = value if value == DRAWN else shlex.quote(value)
    return f"instar config set {shlex.quote(path)} {written}"


def build_unset(path: str) -> str:
    """The command that takes a setting out."""
    return f"instar config unset {shlex.quote(path)}"


def build_remedy(one: Noticed) -> str:
    """What to do about something that the lint noticed."""
    if one.code in _WORDS_ONLY or not one.path:
        return one.fix
    if one.code in _SET:
        return "\n".join([one.fix, build_set(*_SET[one.code])])
    if one.code == "empty-allowlist":
        return "\n".join([one.fix, build_set(f"{one.path.removesuffix('.allowFrom')}.dmPolicy", "pairing")])
    binding = _BINDING.match(one.path)
    take_out = ["To take it out:", build_unset(binding[0] if binding else one.path)]
    return "\n".join([one.fix, *take_out] if one.fix else take_out)
