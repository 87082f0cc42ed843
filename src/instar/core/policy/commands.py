"""Chat commands: what a message asks for (CMD-1…35).

Commands are `/word` at the start of the bare message, the configured reset triggers, and a few bare words that stop a
run. Parsing knows nothing of the sender: the same text is the same command for everybody. Whether this sender may give
it is decided afterwards (`command_rights`), so that an unauthorised command can be told from talk.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

from instar.core.model.ids import ChannelName
from instar.core.policy.activation import parse_activation_mode
from instar.core.policy.command_kinds import (
    Activation,
    Command,
    Commands,
    Compact,
    ContextReport,
    ContextSub,
    Dock,
    Export,
    Help,
    Inline,
    Name,
    Pairing,
    PairingWord,
    Pin,
    Reset,
    Resume,
    Send,
    Stop,
    WhoAmI,
    Why,
)
from instar.core.policy.command_text import strip_wrapping
from instar.core.policy.directives import DIRECTIVE_WORDS, read_directive, strip_inline_directives
from instar.core.policy.model_choice import ModelNames, take_model
from instar.core.policy.send import parse_send_command
from instar.core.routing.normalize import normalize_channel

__all__ = [
    "ABORT_WORDS",
    "DEFAULT_TRIGGERS",
    "DOCK_CHANNELS",
    "CommandContext",
    "parse_command",
    "parse_reset",
]

DEFAULT_TRIGGERS: Final = ("/new", "/reset")
"""What starts over where nobody configured other words (CMD-1)."""

DOCK_CHANNELS: Final = frozenset(map(ChannelName, ("discord", "mattermost", "slack", "telegram")))
"""Channels with native commands: docking there is always a command (DOCK-1)."""

ABORT_WORDS: Final = frozenset({"stop", "esc", "abort", "wait", "exit", "interrupt"})
"""Whole messages that stop the run (CMD-27)."""

_CONTEXT_SUBS: Final[Mapping[str, ContextSub]] = {
    "": "help",
    "help": "help",
    "list": "list",
    "show": "list",
    "detail": "detail",
    "deep": "detail",
    "json": "json",
}
_WORD: Final = re.compile(r"/([a-z][a-z0-9_-]*)(?:(:)|(?!\S))", re.IGNORECASE)
_COLON_WORDS: Final = DIRECTIVE_WORDS | {"compact"}
"""Commands that may be written with a colon after the word (CMD-22)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandContext:
    """What reading a command depends on beside its text.

    `triggers` are the configured reset words. `mention_patterns` are regular expressions, looked at in groups only.
    `channels` are those that `/dock-…` knows.
    """

    is_group: bool = False
    mention_patterns: tuple[str, ...] = ()
    triggers: tuple[str, ...] = DEFAULT_TRIGGERS
    models: ModelNames = field(default_factory=ModelNames)
    channels: frozenset[ChannelName] = DOCK_CHANNELS


def parse_command(text: str, context: CommandContext) -> Command | None:
    """What the message asks for; None for ordinary text."""
    bare = strip_wrapping(text, is_group=context.is_group, mention_patterns=context.mention_patterns)
    if not bare:
        return None
    reset = _parse_trigger(bare, context)
    if reset is not None:
        return reset
    if bare.lower() in ABORT_WORDS:
        return Stop(is_bare=True)
    found = _WORD.match(bare)
    if found is not None:
        word, arguments = found[1].lower(), bare[found.end() :].strip()
        if not found[2] or word in _COLON_WORDS:
            command = _parse_word(word, arguments, context)
            if command is not None:
                return command
    left, directives = strip_inline_directives(text, models=context.models)
    if not directives:
        return None
    at_start = found is not None and found[1].lower() in DIRECTIVE_WORDS
    return Inline(directives=directives, text=left, at_start=at_start)


def parse_reset(text: str, context: CommandContext) -> Reset | None:
    """The reset that the message asks for, None if it is none (CMD-1…3, CMD-5, CMD-8)."""
    bare = strip_wrapping(text, is_group=context.is_group, mention_patterns=context.mention_patterns)
    return _parse_trigger(bare, context)


def _parse_trigger(bare: str, context: CommandContext) -> Reset | None:
    lowered = bare.lower()
    # The longest first, so that "/new chat" is not taken for "/new" with a prompt.
    for trigger in sorted(context.triggers, key=len, reverse=True):
        word = " ".join(trigger.lower().split())
        if word and (lowered == word or lowered.startswith(f"{word} ")):
            # By words, not by length: lower case may be longer than what was written.
            rest = bare.split()[len(word.split()) :]
            return _build_reset(word, rest, context)
    return None


def _build_reset(trigger: str, rest: list[str], context: CommandContext) -> Reset:
    if trigger == "/reset" and rest and rest[0].lower() == "soft":
        return Reset(trigger=trigger, mode="soft", remainder=" ".join(rest[1:]))
    taken = take_model(rest, context.models)
    model, used = taken if taken is not None else (None, 0)
    return Reset(trigger=trigger, model=model, remainder=" ".join(rest[used:]))


def _parse_word(word: str, arguments: str, context: CommandContext) -> Command | None:
    """The command called `word`; None if there is none, or if it is a directive with other text behind it."""
    if word in DIRECTIVE_WORDS:
        return read_directive(word, arguments, models=context.models)
    if word.startswith(("dock-", "dock_")):
        channel = normalize_channel(word[len("dock-") :])
        return Dock(channel=channel) if channel in context.channels else None
    build = _COMMANDS.get(word)
    return None if build is None else build(arguments)


def _build_context(arguments: str) -> ContextReport:
    word = arguments.partition(" ")[0]
    return ContextReport(sub=_CONTEXT_SUBS.get(word.lower()), given=word)


def _build_compact(arguments: str) -> Compact:
    return Compact(undo=True) if arguments.lower() == "undo" else Compact(instructions=arguments)


def _build_send(arguments: str) -> Send | None:
    """None when more than one word follows: then the message is ordinary text."""
    setting = parse_send_command(f"/send {arguments}")
    return None if setting is None else Send(setting=None if setting == "usage" else setting)


def _build_activation(arguments: str) -> Activation:
    word = arguments.partition(" ")[0]
    return Activation(mode=parse_activation_mode(word), given=word)


_PAIRING_WORDS: Final[Mapping[str, PairingWord]] = {
    "": "list",
    "list": "list",
    "approve": "approve",
    "reject": "reject",
    "revoke": "revoke",
}


def _build_pairing(arguments: str) -> Pairing:
    """A code may be typed with blanks; the list takes no argument and every other word needs one."""
    word, _, rest = arguments.partition(" ")
    verb, argument = _PAIRING_WORDS.get(word.lower()), rest.strip()
    is_whole = verb is not None and (verb == "list") is not bool(argument)
    return Pairing(verb=verb, argument=argument) if is_whole else Pairing(verb=None)


_COMMANDS: Final[Mapping[str, Callable[[str], Command | None]]] = {
    "context": _build_context,
    "compact": _build_compact,
    "send": _build_send,
    "activation": _build_activation,
    "stop": lambda _: Stop(),
    "name": lambda title: Name(title=title),
    "export": lambda path: Export(path=path),
    "export-session": lambda path: Export(path=path),
    "whoami": lambda _: WhoAmI(),
    "help": lambda _: Help(),
    "commands": lambda _: Commands(),
    "why": lambda _: Why(),
    "pairing": _build_pairing,
    "resume": lambda which: Resume(which=which),
    "pin": lambda which: Pin(which=which),
}
