"""Does a message wake the agent, or is it kept as context (ACT-1…9)?

What belongs here: the mode of a chat and where it came from, whether a message is addressed to the agent, and the
decision over both. What does not: who may write (`instar.core.policy.access`) and storing the context.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final, Literal

from instar.core.model.decision import Decision
from instar.core.model.message import ChatType
from instar.core.model.setting import Setting, SettingSource, pick_setting

__all__ = [
    "DEFAULT_HISTORY_LIMIT",
    "Activation",
    "ActivationFacts",
    "ActivationMode",
    "ActivationSettings",
    "build_name_patterns",
    "decide_activation",
    "is_addressed",
    "parse_activation_mode",
    "resolve_activation",
]

ActivationMode = Literal["always", "mention", "command"]
"""Every message, only when addressed, or only commands (ACT-1)."""

AddressedBy = Literal["mention", "pattern", "reply"]
"""How a message is meant for the agent: the platform says so, its text matches, or it answers the agent."""

DEFAULT_HISTORY_LIMIT: Final = 50
"""How many messages that did not wake the agent a group keeps as context (ACT-7)."""

_MODES: Final[Mapping[str, ActivationMode]] = {"always": "always", "mention": "mention", "command": "command"}

_BUILT_IN: Final[Mapping[ChatType, ActivationMode]] = {"direct": "always", "group": "mention", "channel": "command"}

# Zero-width and direction marks, which some clients put around a name (ACT-5).
_ZERO_WIDTH: Final = re.compile("[\u00ad\u180e\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufeff]")


@dataclass(frozen=True, slots=True, kw_only=True)
class ActivationSettings:
    """What holds for one agent on one channel.

    `groups` is by group id in the spelling of keys, with ``*`` for every group; `channel` and `by_type` are silent
    where None or absent. `mention_patterns` are regular expressions. `history_limit` counts messages per group.
    """

    groups: Mapping[str, ActivationMode] = field(default_factory=dict)
    channel: ActivationMode | None = None
    by_type: Mapping[ChatType, ActivationMode] = field(default_factory=dict)
    mention_patterns: tuple[str, ...] = ()
    history_limit: int = DEFAULT_HISTORY_LIMIT


@dataclass(frozen=True, slots=True, kw_only=True)
class ActivationFacts:
    """One message. `mentioned` is None where the channel cannot tell (ACT-4).

    `group_id` is the group or room in the spelling of keys. `is_command` says that the text is a command that this
    gateway knows, `may_command` that its sender is authorised for commands.
    """

    chat_type: ChatType
    text: str = ""
    group_id: str = ""
    mentioned: bool | None = None
    mentions_others: bool = False
    reply_to_agent: bool = False
    is_command: bool = False
    may_command: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Activation:
    """The answer: `wakes` the agent, or is kept as context (ACT-7). `addressed_by` is None if it is not addressed."""

    wakes: bool
    mode: ActivationMode
    source: SettingSource
    rule: str
    addressed_by: AddressedBy | None = None
    only_others: bool = False
    """True when patterns were not tried, since the message mentions only others."""

    def as_decision(self, facts: ActivationFacts) -> Decision:
        """The record of this decision (WHY-1)."""
        return Decision(
            kind="activation",
            outcome="wakes" if self.wakes else "observed",
            rule=self.rule,
            inputs={
                "mode": self.mode,
                "source": self.source,
                "chat": facts.chat_type,
                "addressed": self.addressed_by,
                "others": self.only_others,
                "command": facts.is_command,
            },
        )


def parse_activation_mode(value: object) -> ActivationMode | None:
    """The mode that a word means, case and blanks ignored; None for anything else (ACT-1, PATCH-11)."""
    return _MODES.get(value.strip().lower()) if isinstance(value, str) else None


def resolve_activation(
    settings: ActivationSettings, *, chat_type: ChatType, group_id: str = "", override: str | None = None
) -> Setting[ActivationMode]:
    """The mode of a chat and the layer that said it (ACT-2, ACT-3). `override` is the session's `groupActivation`.

    A direct chat does not look at the channel: that a group needs a mention says nothing about a conversation of two.
    """
    by_type = settings.by_type.get(chat_type)
    own = parse_activation_mode(override)
    if chat_type == "direct":
        return pick_setting(("session", own), ("type", by_type), default=_BUILT_IN[chat_type])
    return pick_setting(
        ("session", own),
        ("channel", settings.groups.get(group_id) if group_id else None),
        ("channel", settings.groups.get("*")),
        ("channel", settings.channel),
        ("type", by_type),
        default=_BUILT_IN[chat_type],
    )


def is_addressed(facts: ActivationFacts, patterns: Sequence[str]) -> AddressedBy | None:
    """How the message is meant for the agent; None if it is not (ACT-4).

    Where the channel can tell and the message mentions only others, the text is not looked at: "@anna tell the bot"
    speaks to Anna.
    """
    if facts.mentioned:
        return "mention"
    if facts.reply_to_agent:
        return "reply"
    if _mentions_only_others(facts):
        return None
    text = _ZERO_WIDTH.sub("", facts.text)
    compiled = (_compile(pattern) for pattern in patterns)
    return "pattern" if any(pattern is not None and pattern.search(text) for pattern in compiled) else None


def decide_activation(
    settings: ActivationSettings, facts: ActivationFacts, *, override: str | None = None
) -> Activation:
    """Whether the message wakes the agent (ACT-1, ACT-6, ACT-7)."""
    mode = resolve_activation(settings, chat_type=facts.chat_type, group_id=facts.group_id, override=override)
    addressed_by = is_addressed(facts, settings.mention_patterns)
    if facts.is_command and facts.may_command:
        wakes, rule = True, "ACT-6"
    elif mode.value == "always":
        wakes, rule = True, "ACT-2" if facts.chat_type == "direct" else "ACT-1"
    elif mode.value == "mention":
        wakes, rule = addressed_by is not None, "ACT-4"
    else:
        wakes, rule = False, "ACT-1"
    return Activation(
        wakes=wakes,
        mode=mode.value,
        source=mode.source,
        rule=rule if wakes else "ACT-7",
        addressed_by=addressed_by,
        only_others=addressed_by is None and _mentions_only_others(facts),
    )


def _mentions_only_others(facts: ActivationFacts) -> bool:
    """Whether the channel can tell whom a message mentions, and the agent is not among them."""
    return facts.mentioned is False and facts.mentions_others


def build_name_patterns(name: str | None, emoji: str | None) -> tuple[str, ...]:
    """Mention patterns from an agent's name and emoji, for agents without configured ones (ACT-4).

    The name must stand as a word of its own where its script has such words; an `@` in front is allowed.
    """
    patterns = []
    words = (name or "").split()
    if words:
        left = r"(?<!\w)" if _has_word_edges(words[0][0]) else ""
        right = r"(?!\w)" if _has_word_edges(words[-1][-1]) else ""
        patterns.append(f"{left}@?" + r"\s+".join(re.escape(word) for word in words) + right)
    if emoji and emoji.strip():
        patterns.append(re.escape(emoji.strip()))
    return tuple(patterns)


def _has_word_edges(character: str) -> bool:
    """Whether words of this character's script are parted by blanks: not so in Chinese, Japanese, Thai and others."""
    return character.isalnum() and character < "\u0e00"


@lru_cache(maxsize=512)
def _compile(pattern: str) -> re.Pattern[str] | None:
    """The pattern, case ignored; None if it is no regular expression (ACT-5)."""
    try:
        return re.compile(pattern, re.IGNORECASE)
    except (re.error, OverflowError, RecursionError):
        return None
