"""The shape of session keys: taking one apart, and what can be read from it (KEY-1, KEY-2, KEY-16, KEY-17).

What belongs here: everything that looks inside a key. What does not: making one (`key`, which is also the door
that others import from). A key is ``agent:<agentId>:<rest>``, or ``global`` or ``unknown``. The rest is one of::

    <mainKey>                              the main session
    direct:<peer>                          a person, whatever the channel
    <channel>:direct:<peer>                a person on one channel
    <channel>:<account>:direct:<peer>      a person on one account of a channel
    <channel>:group:<id>                   a group
    <channel>:channel:<id>                 a room
    cron:<id>  hook:<id>  node-<id>  subagent:<id>  acp:<id>       sources that are not people
    dashboard:<id>  explicit:<id>          threads opened by hand, probe runs

followed by ``:thread:<id>`` or, for a Telegram forum, ``:topic:<id>``. The kind word is looked for in these places
only, from left to right, and the thread part is cut at the last marker; `segment` writes ids so that neither can be
forged by one. So what `key.derive_session_key` joins, `parse_key` takes apart again.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

from instar.core.model.ids import AccountId, AgentId, ChannelName, SessionKey
from instar.core.model.message import ChatType
from instar.core.model.session import RowKind, SessionType
from instar.core.routing.segment import MARKERS

__all__ = [
    "DEFAULT_MAIN_KEY",
    "GLOBAL_KEY",
    "INCOGNITO_PREFIX",
    "KIND_WORDS",
    "SEGMENT_WORDS",
    "SOURCE_WORDS",
    "UNKNOWN_KEY",
    "ParsedKey",
    "ToolKind",
    "cut_thread",
    "find_kind",
    "has_agent",
    "is_group_key",
    "is_incognito_key",
    "is_main_key",
    "is_reserved_word",
    "is_thread_key",
    "parent_key",
    "parse_key",
    "row_kind",
    "split_key",
    "strip_agent",
    "tool_kind",
]

DEFAULT_MAIN_KEY: Final = "main"
GLOBAL_KEY: Final = "global"
UNKNOWN_KEY: Final = "unknown"
_NODE: Final = "node-"
INCOGNITO_PREFIX: Final = "incognito-"

KIND_WORDS: Final[Mapping[str, ChatType]] = {
    "direct": "direct",
    "dm": "direct",
    "group": "group",
    "channel": "channel",
    "room": "channel",
}
"""The words that tell the kind of a chat, with the one that is stored (X-6, NORM-9)."""

SOURCE_WORDS: Final[Mapping[str, SessionType]] = {
    "cron": "cron",
    "hook": "hook",
    "node": "node",
    "subagent": "subagent",
    "acp": "acp",
    "dashboard": "other",
    "explicit": "other",
}
"""First segments of sources that are not chats, with the type that KEY-16 gives them."""

ToolKind = Literal["main", "group", "cron", "hook", "node", "other"]
"""How session tools sort sessions (SESSTOOL-2)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ParsedKey:
    """A key taken apart (KEY-16). Parts that a key lacks are None; ids stay as they are written in keys."""

    type: SessionType
    agent_id: AgentId | None = None
    channel: ChannelName | None = None
    account_id: AccountId | None = None
    peer_id: str | None = None
    thread_id: str | None = None


def parse_key(key: str, *, main_key: str = DEFAULT_MAIN_KEY) -> ParsedKey:
    """The parts of `key`, in older spellings too; type ``other`` if it fits no shape (KEY-16)."""
    parts = split_key(key)
    if has_agent(parts):
        rest, thread_id = cut_thread(parts[2:])
        if rest in ([DEFAULT_MAIN_KEY], [main_key]):
            return ParsedKey(type="main", agent_id=AgentId(parts[1]), thread_id=thread_id)
        return _parse_rest(rest, agent_id=AgentId(parts[1]), thread_id=thread_id)
    rest, thread_id = cut_thread(parts)
    match rest:
        case ["global"]:
            return ParsedKey(type="global", thread_id=thread_id)
        case ["unknown"]:
            return ParsedKey(type="unknown", thread_id=thread_id)
        case [word] if word in {DEFAULT_MAIN_KEY, main_key}:
            return ParsedKey(type="main", thread_id=thread_id)
        case _:
            return _parse_rest(rest, agent_id=None, thread_id=thread_id)


def parent_key(key: str) -> SessionKey | None:
    """The key of the chat that a thread hangs under; None if `key` is no thread (KEY-17)."""
    parts = split_key(key)
    address = parts[:2] if has_agent(parts) else []
    base, thread_id = cut_thread(parts[len(address) :])
    return None if thread_id is None else SessionKey(":".join([*address, *base]))


def strip_agent(key: str) -> str:
    """`key` without its ``agent:<id>:``, as people write it in rules (SEND-6)."""
    parts = key.split(":", 2)
    return parts[2] if len(parts) == 3 and parts[0] == "agent" else key


def is_main_key(key: str, *, main_key: str = DEFAULT_MAIN_KEY) -> bool:
    """Whether `key` is an agent's main session or the global one. Threads of it are not."""
    parsed = parse_key(key, main_key=main_key)
    return parsed.type in {"main", "global"} and parsed.thread_id is None


def is_thread_key(key: str) -> bool:
    """Whether `key` is a thread or topic of another (RESET-11)."""
    return parent_key(key) is not None


def is_group_key(key: str) -> bool:
    """Whether the kind word of `key` says group or room, in older spellings too (RESET-11, ENTRY-10)."""
    parts = split_key(key)
    rest = parts[2:] if has_agent(parts) else parts
    at = find_kind(rest)
    return at is not None and KIND_WORDS[rest[at]] != "direct"


def is_incognito_key(key: str) -> bool:
    """Whether `key` names a session that lives in memory only (KEY-22). No id of a platform can bring this about."""
    return strip_agent(key).startswith((INCOGNITO_PREFIX, f"dashboard:{INCOGNITO_PREFIX}"))


def is_reserved_word(name: str) -> bool:
    """Whether a channel or main key called `name` could be taken for another part of a key."""
    return name in SEGMENT_WORDS or name in {DEFAULT_MAIN_KEY, GLOBAL_KEY, UNKNOWN_KEY, "webchat"}


def tool_kind(key: str, *, main_key: str = DEFAULT_MAIN_KEY) -> ToolKind:
    """How session tools sort `key` (SESSTOOL-1, SESSTOOL-2). The global session is shown as main.

    It waits for the tools that list sessions.
    """
    parsed = parse_key(key, main_key=main_key)
    match parsed.type:
        case "main" | "global" if parsed.thread_id is None:
            return "main"
        case "group" | "channel":
            return "group"
        case "cron" | "hook" | "node":
            return parsed.type
        case _:
            return "other"


def row_kind(key: str, *, chat_type: ChatType | None = None) -> RowKind:
    """How lists sort a session (ENTRY-10). `chat_type` is what its row says, None if it says nothing."""
    if key == GLOBAL_KEY:
        return "global"
    if key == UNKNOWN_KEY:
        return "unknown"
    return "group" if chat_type in {"group", "channel"} or is_group_key(key) else "direct"


# ---------------------------------------------------------------- for `key` and this module only


class _SegmentWords:
    """Words that a channel or account segment may not be, since they would be read as another part of the key."""

    _words = frozenset({*KIND_WORDS, *SOURCE_WORDS, *MARKERS, "agent"})

    def __contains__(self, word: object) -> bool:
        return word in self._words or (isinstance(word, str) and word.startswith((_NODE, INCOGNITO_PREFIX)))


SEGMENT_WORDS: Final = _SegmentWords()


def split_key(text: str) -> list[str]:
    """The segments of `text`, lower case, without empty and blank ones (KEY-1). Blanks inside a segment stay."""
    parts = [part for part in text.lower().split(":") if part and not part.isspace()]
    if parts:
        parts[0], parts[-1] = parts[0].lstrip(), parts[-1].rstrip()
    return parts


def has_agent(parts: list[str]) -> bool:
    """Whether a key of these segments names its agent."""
    return len(parts) >= 3 and parts[0] == "agent"


def find_kind(rest: list[str]) -> int | None:
    """Where the kind word of a chat stands: first, after the channel, or after channel and account (KEY-14)."""
    if not rest or rest[0] in SOURCE_WORDS or rest[0].startswith(_NODE):
        return None
    return next((at for at, part in enumerate(rest[:3]) if part in KIND_WORDS and at + 1 < len(rest)), None)


def cut_thread(rest: list[str]) -> tuple[list[str], str | None]:
    """`rest` without its thread part, and the thread id: cut at the last marker with something on both sides."""
    for at in range(len(rest) - 2, 0, -1):
        if rest[at] in MARKERS:
            return rest[:at], ":".join(rest[at + 1 :])
    return rest, None


def _parse_rest(rest: list[str], *, agent_id: AgentId | None, thread_id: str | None) -> ParsedKey:
    """A key that is neither main, global nor unknown."""
    first = rest[0] if rest else ""
    if first.startswith(_NODE) and (node_id := ":".join(rest)[len(_NODE) :]):
        return ParsedKey(type="node", agent_id=agent_id, peer_id=node_id, thread_id=thread_id)
    if first in SOURCE_WORDS and len(rest) > 1:
        kind = SOURCE_WORDS[first]
        source_id = None if kind == "other" else ":".join(rest[1:])
        return ParsedKey(type=kind, agent_id=agent_id, peer_id=source_id, thread_id=thread_id)
    at = find_kind(rest)
    if at is None or (at != 1 and KIND_WORDS[rest[at]] != "direct"):
        return ParsedKey(type="other", agent_id=agent_id, thread_id=thread_id)
    return ParsedKey(
        type=KIND_WORDS[rest[at]],
        agent_id=agent_id,
        channel=ChannelName(rest[0]) if at > 0 else None,
        account_id=AccountId(rest[1]) if at > 1 else None,
        peer_id=":".join(rest[at + 1 :]),
        thread_id=thread_id,
    )
