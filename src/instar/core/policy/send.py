"""May something be delivered from this session to a channel? The single gate on the way out (SEND-1…13).

What belongs here: the decision for a session, what it means for each kind of delivery, and the words of `/send`. What
does not: where a reply goes (`instar.core.delivery.route`). A denied turn may still run; it is written down and stays
inside (SEND-11).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

from instar.core.model.decision import Decision
from instar.core.model.ids import ChannelName
from instar.core.model.message import ChatType
from instar.core.model.session import SessionType
from instar.core.routing.key import DEFAULT_MAIN_KEY, parse_key, respell_key, respell_key_prefix, strip_agent
from instar.core.routing.normalize import normalize_channel, normalize_chat_type

__all__ = [
    "ALLOW_ALL",
    "Egress",
    "EgressKind",
    "SendCommand",
    "SendDecision",
    "SendFacts",
    "SendMatch",
    "SendPolicy",
    "SendRule",
    "SendVerdict",
    "build_blocked_match",
    "decide_egress",
    "decide_send",
    "parse_send_command",
    "parse_send_verdict",
]

SendVerdict = Literal["allow", "deny"]

SendCommand = Literal["allow", "deny", "inherit", "usage"]
"""What `/send` asks for; `usage` when its word is missing or unknown (SEND-10)."""

EgressKind = Literal["reply", "announcement", "cron", "hook", "notice", "command_reply", "requested"]
"""What wants to leave. `requested` is a delivery that a caller asked for in so many words (SEND-11)."""

_COMMAND_WORDS: Final[Mapping[str, SendCommand]] = {
    "on": "allow",
    "allow": "allow",
    "off": "deny",
    "deny": "deny",
    "inherit": "inherit",
    "default": "inherit",
    "reset": "inherit",
}

_BLOCKED_PREFIXES: Final[Mapping[str, str]] = {
    "cron": "cron:",
    "hook": "hook:",
    "hooks": "hook:",
    "webhook": "hook:",
    "webhooks": "hook:",
    "subagent": "subagent:",
    "acp": "acp:",
    "node": "node-",
}

# What a key says about the chat (SEND-5). Under the global scope the global session is everybody's main one (KEY-10).
_TYPE_OF_KEY: Final[Mapping[SessionType, ChatType]] = {
    "main": "direct",
    "global": "direct",
    "direct": "direct",
    "group": "group",
    "channel": "channel",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class SendMatch:
    """What a rule looks at; None matches everything (SEND-3). Texts are lower case.

    `chat_type` is a type of NORM-9, or a word that is none and so never matches. `key_prefix` is compared with the
    key with and without its agent, `raw_key_prefix` with the whole key only (SEND-6, SEND-7).
    """

    channel: str | None = None
    chat_type: str | None = None
    key_prefix: str | None = None
    raw_key_prefix: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SendRule:
    """One rule; `name` is its place in the configuration, for explanations."""

    action: SendVerdict
    match: SendMatch = SendMatch()
    name: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SendPolicy:
    """`session.sendPolicy`. `default` None: the configuration has no word for sessions that no rule matches."""

    rules: tuple[SendRule, ...] = ()
    default: SendVerdict | None = None


ALLOW_ALL: Final = SendPolicy()
"""Nothing is configured: everything may leave."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SendFacts:
    """One session. Texts may be in any spelling; empty or None means not known.

    `channel` and `chat_type` are what the delivery itself says and win over the entry (SEND-4, SEND-5). `override` is
    the entry's `sendPolicy`.
    """

    key: str = ""
    override: str | None = None
    channel: str | None = None
    chat_type: str | None = None
    entry_channel: str | None = None
    entry_last_channel: str | None = None
    entry_chat_type: str | None = None
    main_key: str = DEFAULT_MAIN_KEY


@dataclass(frozen=True, slots=True, kw_only=True)
class SendDecision:
    """The answer and who gave it. `matched` names the rule of the configuration that matched, if one did."""

    verdict: SendVerdict
    rule: str
    source: Literal["session", "deny_rule", "allow_rule", "config", "default"]
    matched: str | None = None

    @property
    def allowed(self) -> bool:
        """True for `allow`."""
        return self.verdict == "allow"

    def as_decision(self) -> Decision:
        """The record of this decision (WHY-1)."""
        return Decision(
            kind="send",
            outcome=self.verdict,
            rule=self.rule,
            inputs={"source": self.source, "matched": self.matched},
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Egress:
    """Whether one delivery leaves. `refuse` says that its caller must be told, instead of keeping it back silently."""

    deliver: bool
    rule: str
    refuse: bool = False
    reason: str | None = None


def decide_send(policy: SendPolicy, facts: SendFacts) -> SendDecision:
    """Whether this session may send: its own word, any deny rule, any allow rule, the default (SEND-1)."""
    override = parse_send_verdict(facts.override)
    if override is not None:
        return SendDecision(verdict=override, rule="SEND-2", source="session")
    view = _view(facts)
    matching = [rule for rule in policy.rules if _is_match(rule.match, view)]
    for rule in matching:
        if rule.action == "deny":
            return SendDecision(verdict="deny", rule="SEND-3", source="deny_rule", matched=rule.name)
    if matching:
        return SendDecision(verdict="allow", rule="SEND-3", source="allow_rule", matched=matching[0].name)
    if policy.default is not None:
        return SendDecision(verdict=policy.default, rule="SEND-1", source="config")
    return SendDecision(verdict="allow", rule="SEND-1", source="default")


def decide_egress(decision: SendDecision, kind: EgressKind) -> Egress:
    """Whether one delivery of a session leaves, given what the session may (SEND-11, SEND-12).

    Answers to chat commands always leave, so that `/send on` can be confirmed.
    """
    if kind == "command_reply":
        return Egress(deliver=True, rule="SEND-12")
    if decision.allowed:
        return Egress(deliver=True, rule=decision.rule)
    return Egress(deliver=False, rule="SEND-11", refuse=kind == "requested", reason="send_denied")


def parse_send_verdict(value: object) -> SendVerdict | None:
    """``allow`` or ``deny``, case and blanks ignored; None for anything else (SEND-2)."""
    if not isinstance(value, str):
        return None
    match value.strip().lower():
        case "allow":
            return "allow"
        case "deny":
            return "deny"
        case _:
            return None


def parse_send_command(text: str) -> SendCommand | None:
    """What a whole message asks of `/send`; None if it is no such command (SEND-10).

    With more than one word after it the message is ordinary text.
    """
    words = text.split()
    if not words or words[0].lower() != "/send" or len(words) > 2:
        return None
    return _COMMAND_WORDS.get(words[1].lower(), "usage") if len(words) == 2 else "usage"


def build_blocked_match(word: str) -> SendMatch:
    """What one word of `blocked: […]` matches (SEND-8, X-9)."""
    name = word.strip().lower()
    if name == "main":
        return SendMatch(chat_type="direct")
    chat_type = normalize_chat_type(name)
    if chat_type is not None:
        return SendMatch(chat_type=chat_type)
    if name in _BLOCKED_PREFIXES:
        return SendMatch(key_prefix=_BLOCKED_PREFIXES[name])
    if ":" in name:
        return SendMatch(key_prefix=name)
    return SendMatch(channel=normalize_channel(name))


@dataclass(frozen=True, slots=True, kw_only=True)
class _View:
    """A session as rules look at it."""

    key: str
    short_key: str
    channel: ChannelName | None
    chat_type: ChatType | None


def _view(facts: SendFacts) -> _View:
    key = respell_key(facts.key.strip().lower())
    parsed = parse_key(key, main_key=facts.main_key)
    channels = (facts.channel, facts.entry_channel, facts.entry_last_channel, parsed.channel)
    types = (normalize_chat_type(facts.chat_type), normalize_chat_type(facts.entry_chat_type))
    return _View(
        key=key,
        short_key=strip_agent(key),
        channel=next((name for name in map(normalize_channel, channels) if name), None),
        chat_type=next((each for each in types if each is not None), _TYPE_OF_KEY.get(parsed.type)),
    )


def _is_match(match: SendMatch, view: _View) -> bool:
    # Rules written before `dm` became `direct` still mean what they meant: a prohibition must not fall silent.
    prefix = None if match.key_prefix is None else respell_key_prefix(match.key_prefix)
    raw_prefix = None if match.raw_key_prefix is None else respell_key_prefix(match.raw_key_prefix)
    return (
        match.channel in {None, view.channel}
        and match.chat_type in {None, view.chat_type}
        and (prefix is None or view.key.startswith(prefix) or view.short_key.startswith(prefix))
        and (raw_prefix is None or view.key.startswith(raw_prefix))
    )
