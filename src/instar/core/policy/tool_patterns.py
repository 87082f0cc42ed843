"""Which tools a list of patterns names (PRUNE-16, TYPE-9)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

__all__ = ["ToolPatterns", "allows_tool"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolPatterns:
    """Patterns of tool names; None where nobody gave a list, which is the same as an empty one."""

    allow: tuple[str, ...] | None = None
    deny: tuple[str, ...] | None = None


def allows_tool(patterns: ToolPatterns, name: str) -> bool:
    """Whether the patterns let a tool through: not denied, and allowed if anything is.

    In a pattern `*` stands for any run of characters, every other character for itself; case and surrounding blanks
    do not matter, blank patterns name nothing.
    """
    if _matches(patterns.deny or (), name):
        return False
    allow = [pattern for pattern in patterns.allow or () if pattern.strip()]
    return not allow or _matches(allow, name)


def _matches(patterns: Sequence[str], name: str) -> bool:
    plain = name.strip().lower()
    return any(_to_regex(pattern).fullmatch(plain) for pattern in patterns if pattern.strip())


def _to_regex(pattern: str) -> re.Pattern[str]:
    # Runs of stars count as one: more of them would only make a hostile pattern slow.
    parts = re.sub(r"\*+", "*", pattern.strip().lower()).split("*")
    return re.compile(".*".join(map(re.escape, parts)), re.DOTALL)
