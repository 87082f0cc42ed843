"""Whether a sender may give a command, and what becomes of it otherwise (CMD-4, CMD-33, SEND-10, ACT-9).

Who is authorised and who is an owner was decided at the door (`instar.core.policy.access`); an operator's client brings
its own proof. Here stands which of the two a command asks for.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

from instar.core.model.decision import Decision
from instar.core.policy.command_kinds import (
    Activation,
    Command,
    Elevated,
    Export,
    Inline,
    Pairing,
    Reset,
    Send,
    Stop,
)

__all__ = ["CommandDecision", "Standing", "command_name", "decide_command", "required_standing"]

Standing = Literal["authorised", "owner", "named_owner"]
"""Whom a command obeys: who may give commands at all (CMD-4), owners only (CMD-35), or only those whom
`commands.ownerAllowFrom` names and operators that may administer: what reaches beyond the session (LEAK-5).
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandDecision:
    """What becomes of a command.

    `run` it, `swallow` it without a reply (the message ends `refused`), answer that it is in the wrong `place`, or take
    the message as ordinary `text`.
    """

    outcome: Literal["run", "swallow", "place", "text"]
    rule: str
    command: str

    def as_decision(self) -> Decision:
        """The record of this decision (WHY-1). It names the command and holds none of the text."""
        return Decision(kind="command", outcome=self.outcome, rule=self.rule, inputs={"command": self.command})


_NAMES: Final[Mapping[str, str]] = {"ContextReport": "context", "UsageMode": "usage"}

_RULES: Final[Mapping[str, str]] = {
    "reset": "CMD-8",
    "status": "CMD-20",
    "context": "CMD-21",
    "compact": "CMD-22",
    "send": "CMD-23",
    "activation": "CMD-24",
    "queue": "CMD-25",
    "stop": "CMD-26",
    "model": "CMD-28",
    "think": "CMD-28",
    "verbose": "CMD-28",
    "reasoning": "CMD-28",
    "elevated": "CMD-28",
    "usage": "CMD-28",
    "inline": "CMD-28",
    "dock": "CMD-29",
    "name": "CMD-30",
    "export": "CMD-31",
    "whoami": "CMD-32",
    "help": "CMD-32",
    "commands": "CMD-32",
    "why": "WHY-2",
    "resume": "LOSS-6",
    "pin": "LOSS-9",
    "pairing": "LEAK-2",
}
"""The rule that says what each command does."""


def required_standing(command: Command) -> Standing:
    """Whom the command obeys (CMD-20…35, LEAK-5).

    Elevated tools reach the host, so switching them on needs an owner; switching them off needs no more than a voice.
    Who was let in by an approval may not let in others, whoever else counts as an owner.
    """
    match command:
        case Pairing():
            return "named_owner"
        case Send() | Activation() | Export():
            return "owner"
        case Elevated():
            return "authorised" if command.level in {None, "off"} else "owner"
        case Inline():
            return "owner" if any(required_standing(each) == "owner" for each in command.directives) else "authorised"
        case _:
            return "authorised"


def decide_command(
    command: Command, *, is_authorised: bool, is_owner: bool, is_group: bool, is_named_owner: bool = False
) -> CommandDecision:
    """Whether the command runs for this sender in this place (CMD-4, CMD-33, SEND-10, ACT-9).

    An owner is authorised. A swallowed command gets no reply: it would tell a stranger what they may try.
    """
    name = command_name(command)
    standing = required_standing(command)
    is_allowed = is_named_owner if standing == "named_owner" else is_owner or (is_authorised and standing != "owner")
    if is_allowed:
        if isinstance(command, Activation) and not is_group:
            return CommandDecision(outcome="place", rule="ACT-9", command=name)
        rule = "CMD-27" if isinstance(command, Stop) and command.is_bare else _RULES[name]
        return CommandDecision(outcome="run", rule=rule, command=name)
    match command:
        case Reset():
            return CommandDecision(outcome="text", rule="CMD-4", command=name)
        case Stop(is_bare=True):
            return CommandDecision(outcome="text", rule="CMD-27", command=name)
        case Inline(at_start=False):
            return CommandDecision(outcome="text", rule="CMD-28", command=name)
        case Send():
            return CommandDecision(outcome="swallow", rule="SEND-10", command=name)
        case _:
            return CommandDecision(outcome="swallow", rule="CMD-33", command=name)


def command_name(command: Command) -> str:
    """The command's one name for records and sentences: ``reset``, ``compact``, ``inline`` …"""
    return _NAMES.get(type(command).__name__, type(command).__name__.lower())
