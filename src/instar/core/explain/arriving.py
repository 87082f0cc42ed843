"""Sentences about a message on its way in and out: route, access, activation, queue, command, send, deliver."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from instar.core.explain.facts import Facts

__all__ = [
    "tell_access",
    "tell_activation",
    "tell_command",
    "tell_deliver",
    "tell_queue",
    "tell_route",
    "tell_send",
]

_ACCESS_REASONS: Final[Mapping[str, str]] = {
    "open": "everybody may write here",
    "allowlisted": "an allow-list names them",
    "paired": "the owner approved them",
    "not_paired": "nobody approved them yet",
    "not_allowlisted": "no allow-list names them",
    "dms_off": "direct messages are switched off on this channel",
    "groups_off": "groups are switched off on this channel",
    "anothers_session": "its session was begun by somebody else, whose id has the same name as an identity link",
}
_PAIRING_STEPS: Final[Mapping[str, str]] = {
    "offer": " They were told a pairing code.",
    "repeat": " They were told their pairing code once more; it still waits for the owner.",
    "waits": " The pairing code they were told still waits for the owner.",
    "full": " No code was given out, since too many wait already.",
}

_APPROVALS: Final[Mapping[str, str]] = {
    "approved": "approved",
    "rejected": "rejected",
    "revoked": "shut out again",
    "made": "made",
}

_LAYERS: Final[Mapping[str, str]] = {
    "inline": "the message itself",
    "session": "the session",
    "channel": "the channel's configuration",
    "type": "the configuration for this type of chat",
    "agent": "the agent's configuration",
    "config": "the configuration",
    "default": "default",
}

_ARRIVALS: Final[Mapping[str, str]] = {
    "start": "The message started a turn at once",
    "steer": "The message was handed to the turn that was running",
    "wait": "The message waited, since a turn was running",
    "collect": "The message waited to be answered together with others",
    "interrupt": "The message stopped the turn that was running",
    "fanout": "The message started a turn of its own beside the one that was running",
    "refuse": "The message was refused by a full queue",
    "command": "The message was a command and did not wait",
    "duplicate": "The same message was known already and is answered once",
    "run": "The waiting messages became a turn",
    "blocked": "The waiting messages wait for the running turn to end",
    "idle": "Nothing waited",
    "mode": "What is written while a turn runs goes the way of the queue",
}

_COMMANDS: Final[Mapping[str, str]] = {
    "run": "The command {name} was answered.",
    "swallow": "The command {name} was not carried out and not answered: its sender may not give it.",
    "text": "{name} was taken as ordinary text: its sender may not give commands.",
    "place": "The command {name} has no place in a direct chat.",
    "injected": "A line that no model wrote was added by {who}.",
    "docked": "Replies go to {target} from now on.",
    "undocked": "Replies go back to {target}.",
    "not_direct": "Replies were not moved to {target}: that works in direct chats only.",
    "sender_unknown": "Replies were not moved to {target}: the sender is not known.",
    "not_linked": "Replies were not moved to {target}: no identity link names this person there.",
    "no_session": "Replies were not moved to {target}: there is no session yet.",
    "already_there": "Replies go to {target} already.",
}

_DELIVERIES: Final[Mapping[str, str]] = {
    "sent": "The reply was sent",
    "failed": "The reply could not be sent",
    "try_again": "The reply could not be sent and is tried again",
    "send_again": "It was not known whether the reply had been sent, so it was sent again",
    "held": "It is not known whether the reply was sent, so it is held until somebody decides",
    "suppressed": "The reply was kept back",
    "dropped": "The reply was dropped by a person",
    "expired": "The reply waited too long and was dropped",
    "nowhere": "The reply stayed inside: the session has no route to a channel",
}
_ROUTES: Final[Mapping[str, str]] = {
    "docked": "the session is docked there",
    "others_dock": "the session is docked for somebody else, and whoever wrote is answered where they wrote",
    "message": "the message came from there",
    "last": "the last message came from there",
}


def tell_route(facts: Facts) -> str:
    """Which agent answers, or which session a message belongs to and why."""
    agent, asked = facts.word("agent", "the agent"), facts.word("asked")
    if facts.outcome.startswith("agent "):
        if asked and asked != agent:
            return f"A binding asks for agent {asked}, which is not configured, so {agent} answers."
        return f"Agent {agent} answers: a binding matched by {facts.word('match', 'its conditions')}."
    chat, channel = facts.word("chat", "message"), facts.word("channel", "no channel")
    where = f"This {chat} chat on {channel}" if chat != "message" else f"This message on {channel}"
    person = facts.word("person")
    match facts.rule:
        case "LINK-6" if person:
            return f"{where} is with the linked person {person}, whose session is {facts.outcome}."
        case "KEY-5":
            return f"{where} shares the main session {facts.outcome}, as `groupScope` says."
        case "KEY-7":
            return f"{where} names nobody, so it belongs to {facts.outcome}."
        case "KEY-10":
            return f"{where} belongs to the one session of the global scope."
        case "KEY-14":
            return f"The caller named the session {facts.outcome}."
        case _:
            return f"{where} belongs to the session {facts.outcome}."


def tell_access(facts: Facts) -> str:
    """Whether the sender may write here, and what became of a stranger."""
    reason = _ACCESS_REASONS.get(facts.word("reason"), facts.word("reason", "no reason was recorded"))
    if facts.outcome == "admitted":
        return f"The sender may write here: {reason}."
    if facts.outcome in _APPROVALS:
        return _tell_approval(facts)
    return f"The message was refused: {reason}.{_PAIRING_STEPS.get(facts.word('pairing'), '')}"


def _tell_approval(facts: Facts) -> str:
    """What the owner said about a person, a group, a device or a token."""
    chat, said = facts.word("chat"), _APPROVALS[facts.outcome]
    if chat == "token":
        scopes = facts.word("scopes")
        what = f"made with the scopes {scopes}" if scopes else "taken back"
        return f"The token {facts.word('id', 'without an id')} was {what} by {facts.who}."
    if chat == "device":
        return f"The device {facts.word('device', 'without a name')} was {said} by {facts.who}."
    who = "group" if chat == "group" else "person"
    return f"The {who} was {said} on {facts.word('channel', 'a channel')} by {facts.who}."


def tell_activation(facts: Facts) -> str:
    """Whether the message woke the agent."""
    mode = facts.word("mode", "unknown")
    layer = _LAYERS.get(facts.word("source"), facts.word("source", "nobody"))
    setting = f"activation is `{mode}` (set by {layer})" if layer != "default" else f"activation is `{mode}` by default"
    if facts.outcome != "wakes":
        lack = "mentions only others" if facts.word("others") else "did not call for one"
        return f"No reply: {setting} and the message {lack}; it is kept as context."
    if facts.word("command"):
        return "The message woke the agent: it is a command."
    addressed = facts.word("addressed")
    how = {"mention": "it mentions the agent", "pattern": "it names the agent", "reply": "it answers the agent"}
    return f"The message woke the agent: {how.get(addressed, setting)}."


def tell_queue(facts: Facts) -> str:
    """What became of a message, or of those that waited, while the session was busy."""
    sentence = _ARRIVALS.get(facts.outcome, f"The queue answered {facts.outcome}")
    mode = facts.word("mode")
    if mode:
        sentence += f" (queue mode `{mode}`)"
    messages, dropped = facts.number("messages"), facts.number("dropped")
    if messages is not None and messages > 1:
        sentence += f"; it holds {messages} messages"
    if dropped:
        sentence += f"; {dropped} older ones were dropped"
    return f"{sentence}."


def tell_command(facts: Facts) -> str:
    """What became of a chat command."""
    template = _COMMANDS.get(facts.outcome)
    name = facts.word("command", "command")
    if template is None:
        return f"The command {name} ended with {facts.outcome}{facts.details(without={'command'})}."
    return template.format(name=name, who=facts.who, target=facts.word("target", "another channel"))


def tell_send(facts: Facts) -> str:
    """Whether the session may send, and who said so."""
    matched = facts.word("matched")
    by = {
        "session": "`/send` set it for this session",
        "deny_rule": f"the rule {matched} denies it" if matched else "a rule denies it",
        "allow_rule": f"the rule {matched} allows it" if matched else "a rule allows it",
        "config": "`sendPolicy.default` says so",
        "default": "no rule speaks against it",
    }.get(facts.word("source"), "the send policy says so")
    if facts.outcome == "deny":
        return f"The reply was not sent to the channel: {by}. It is in the transcript."
    return f"The session may send: {by}."


def tell_deliver(facts: Facts) -> str:
    """Where a reply goes, or what became of it."""
    known = _DELIVERIES.get(facts.outcome)
    if known is not None:
        attempt, reason = facts.number("attempt"), facts.word("reason")
        sentence = f"{known} (attempt {attempt})" if attempt is not None and attempt > 1 else known
        return f"{sentence}: {reason}." if reason else f"{sentence}."
    why = _ROUTES.get(facts.word("source"))
    return f"The reply goes to {facts.outcome}: {why}." if why else f"The reply goes to {facts.outcome}."
