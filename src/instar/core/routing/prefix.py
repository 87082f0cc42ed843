"""Can any key begin so? For rules that name sessions by the beginning of their key (SEND-6, SEND-7, WHY-5, HOOK-6).

What belongs here: saying why a prefix can match nothing, in a sentence for people. What does not: matching it.
"""

from __future__ import annotations

from instar.core.routing.grammar import DEFAULT_MAIN_KEY, GLOBAL_KEY, KIND_WORDS, SOURCE_WORDS, UNKNOWN_KEY
from instar.core.routing.normalize import normalize_channel

__all__ = ["find_prefix_fault"]


def find_prefix_fault(
    prefix: str,
    *,
    is_whole: bool,
    known_channels: frozenset[str],
    agents: frozenset[str] = frozenset(),
    main_key: str = DEFAULT_MAIN_KEY,
) -> str | None:
    """Why no stored key begins with `prefix`; None if one can.

    With `is_whole` it is compared with whole keys only, else also with what follows ``agent:<id>:``. `agents` is empty
    where every agent counts. The last segment of a prefix may be the beginning of a word.
    """
    text = prefix.strip().lower()
    parts = text.split(":")
    if not text or "agent".startswith(text):
        return None
    if parts[0] == "agent" and len(parts) > 1:
        return _agent_fault(parts[1:], known_channels, agents, main_key)
    if is_whole:
        is_special = any(word.startswith(text) for word in (GLOBAL_KEY, UNKNOWN_KEY))
        return None if is_special else 'whole keys begin with "agent:"'
    return _rest_fault(parts, known_channels, main_key)


def _agent_fault(parts: list[str], known_channels: frozenset[str], agents: frozenset[str], main_key: str) -> str | None:
    """The fault of what follows ``agent:``."""
    agent_id, *rest = parts
    is_known = agent_id in agents if rest else any(each.startswith(agent_id) for each in agents)
    if agents and not is_known:
        return f'there is no agent "{agent_id}"'
    return _rest_fault(rest, known_channels, main_key) if rest else None


def _rest_fault(parts: list[str], known_channels: frozenset[str], main_key: str) -> str | None:
    """The fault of what follows the agent."""
    if not all(parts[:-1]):
        return "keys have no empty parts"
    first = parts[0]
    if first.startswith(("node-", "incognito-")):
        return None
    words = {*SOURCE_WORDS, *known_channels, "direct", main_key, GLOBAL_KEY, UNKNOWN_KEY, "node-", "incognito-"}
    if len(parts) == 1:
        return None if any(word.startswith(first) for word in words) else f'no key begins with "{first}"'
    if first == "node":
        return 'keys write "node-", not "node:"'
    if first in KIND_WORDS and first != "direct":
        stored = KIND_WORDS[first]
        return 'keys write "direct"' if stored == "direct" else f'the channel stands before "{stored}"'
    if first in words:
        return _kind_fault(parts) if first in known_channels else None
    own_name = normalize_channel(first)
    return f'keys write "{own_name}"' if own_name in known_channels else f'there is no channel "{first}"'


def _kind_fault(parts: list[str]) -> str | None:
    """The fault of what follows a channel: its kind word, or an account and then ``direct``."""
    kinds = [part for part in parts[1:3][: len(parts) - 2] if part in KIND_WORDS]
    kind = kinds[0] if kinds else ""
    return f'keys write "{KIND_WORDS[kind]}", not "{kind}"' if kind and KIND_WORDS[kind] != kind else None
