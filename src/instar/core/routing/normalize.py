"""How ids of platforms are written inside keys: agents, accounts, channels, people, groups, threads (NORM-1…9).

What belongs here: one spelling for one thing, so that the same person is found again however a platform
writes the id. What does not: joining the parts to a key (`key`), and which of several ids are one person
(`identity`). The invariant: every function here gives its own result back unchanged.

Letters are compared in lower case because the sources do so (NORM-8). Two people whose ids differ in case
only, which no known platform hands out today, would therefore be one.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final, Literal, assert_never

from instar.core.model.ids import AccountId, AgentId, ChannelName
from instar.core.model.message import ChatType

__all__ = [
    "CHAT_WORDS",
    "DEFAULT_ACCOUNT",
    "DEFAULT_AGENT",
    "KNOWN_CHANNELS",
    "NO_NUMBERS",
    "Spelling",
    "channel_spelling",
    "normalize_account_id",
    "normalize_agent_id",
    "normalize_channel",
    "normalize_chat_type",
    "normalize_peer",
    "normalize_thread_id",
]

DEFAULT_AGENT: Final = AgentId("main")
DEFAULT_ACCOUNT: Final = AccountId("default")

KNOWN_CHANNELS: Final = frozenset(
    {
        "telegram",
        "whatsapp",
        "discord",
        "googlechat",
        "slack",
        "signal",
        "imessage",
        "msteams",
        "matrix",
        "mattermost",
        "line",
        "irc",
        "nostr",
        "sms",
        "zalo",
        "feishu",
        "webchat",
    }
)
"""Channels that are known without being configured (NORM-3)."""

NO_NUMBERS: Final[Mapping[str, str]] = {}
"""No WhatsApp hidden ids are known."""

Spelling = Literal["whatsapp", "phone", "plain"]
"""How a channel writes people: WhatsApp ids, phone numbers or handles, anything else (NORM-5, 7, 8)."""

_ALIASES: Final = {"imsg": "imessage", "gchat": "googlechat", "google-chat": "googlechat", "tg": "telegram"}
_PREFIXES: Final = {
    name: (f"{name}:", *(f"{alias}:" for alias, target in _ALIASES.items() if target == name))
    for name in _ALIASES.values()
}
_CHAT_TYPES: Final[Mapping[str, ChatType]] = {
    "direct": "direct",
    "dm": "direct",
    "group": "group",
    "channel": "channel",
    "room": "channel",
}
CHAT_WORDS: Final = tuple(_CHAT_TYPES)
"""Every word that names a chat type, `dm` and `room` among them (NORM-9)."""
_SPELLINGS: Final[Mapping[str, Spelling]] = {
    "whatsapp": "whatsapp",
    "signal": "phone",
    "sms": "phone",
    "imessage": "phone",
}

# Only ASCII blanks are trimmed from ids. Other invisible characters stay part of the id and are made visible
# by `segment.escape_id`: trimming them would let "5" and "5<zero-width space>" share a session.
_BLANKS: Final = " \t\n\r\x0b\x0c"

_GOOD_ID: Final = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}").fullmatch
_BAD_RUN: Final = re.compile(r"[^a-z0-9_-]+")
_WHATSAPP_USER: Final = re.compile(r"([0-9]+)(?::[0-9]+)?@(?:s\.whatsapp\.net|hosted)").fullmatch
_WHATSAPP_HIDDEN: Final = re.compile(r"([0-9]+)(?::[0-9]+)?@lid").fullmatch
_NOT_DIGIT: Final = re.compile(r"[^0-9]+")
_PHONE: Final = re.compile(r"\+?[0-9\s().-]{7,}").fullmatch


def normalize_agent_id(text: str | None) -> AgentId:
    """The agent id as it stands in keys; ``main`` if nothing is left of it (NORM-1)."""
    return AgentId(_normalize_name(text) or DEFAULT_AGENT)


def normalize_account_id(text: str | None) -> AccountId:
    """The account id as it stands in keys; ``default`` if nothing is left of it (NORM-1)."""
    return AccountId(_normalize_name(text) or DEFAULT_ACCOUNT)


def normalize_channel(text: str | None) -> ChannelName:
    """The channel's one name, lower case; empty if there was none. Unknown names pass through (NORM-2)."""
    name = (text or "").strip().lower()
    return ChannelName(_ALIASES.get(name, name))


def normalize_chat_type(word: str | None) -> ChatType | None:
    """The chat type that `word` names, ``dm`` and ``room`` included; None for any other word (NORM-9)."""
    return _CHAT_TYPES.get((word or "").strip().lower())


def channel_spelling(channel: ChannelName) -> Spelling:
    """How `channel` writes people, which decides how their ids are compared."""
    return _SPELLINGS.get(channel, "plain")


def normalize_peer(
    channel: ChannelName, *, kind: ChatType, peer_id: str, numbers: Mapping[str, str] = NO_NUMBERS
) -> str:
    """One spelling for a person, group or room of `channel`; empty if there is no id (NORM-4…8).

    `numbers` maps hidden WhatsApp ids (``…@lid``, lower case) to phone numbers, where they are known.
    An id that consists of nothing but the channel's prefix is kept: it is somebody, so it must not
    fall to the main session as a missing id does (KEY-7).
    """
    text = peer_id.strip(_BLANKS).lower()
    if ":" in text:
        text = _strip_channel(channel, text)
    if kind != "direct":
        return text
    match channel_spelling(channel):
        case "whatsapp":
            return _normalize_whatsapp(text, numbers)
        case "phone":
            return _plus_digits(text) if _PHONE(text) else text
        case "plain":
            return text
        case unknown:
            assert_never(unknown)


def normalize_thread_id(text: str | None) -> str | None:
    """The thread id as it stands in keys; None for a blank one. ``0`` is an id (KEY-9)."""
    return (text or "").strip(_BLANKS).lower() or None


def _normalize_name(text: str | None) -> str:
    name = (text or "").strip().lower()
    if _GOOD_ID(name):
        return name
    return _BAD_RUN.sub("-", name).strip("-")[:64]


def _strip_channel(channel: ChannelName, text: str) -> str:
    """`text` without the channel's own name, or an alias of it, in front, however often it stands there (NORM-4)."""
    prefixes = _PREFIXES.get(channel) or (f"{channel}:",)
    rest = text
    while rest.startswith(prefixes):
        rest = rest.partition(":")[2].strip(_BLANKS)
    return rest or text


def _normalize_whatsapp(text: str, numbers: Mapping[str, str]) -> str:
    if "@" not in text:
        return _plus_digits(text)
    if found := _WHATSAPP_USER(text):
        return f"+{found[1]}"
    if found := _WHATSAPP_HIDDEN(text):
        number = numbers.get(text) or numbers.get(f"{found[1]}@lid")
        return _plus_digits(number) if number else text
    return text


def _plus_digits(text: str) -> str:
    """``+`` and the ASCII digits of `text`; `text` itself if it has none."""
    digits = _NOT_DIGIT.sub("", text)
    return f"+{digits}" if digits else text
