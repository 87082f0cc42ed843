"""Chat commands that set a field of the session, as the patch they stand for (CMD-23…25, CMD-28).

One spelling of each rule: what a word means and whether it may be stored is decided by `patch`, for a chat command and
for `sessions.patch` alike.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from instar.core.policy.command_kinds import (
    Activation,
    Command,
    Elevated,
    Inline,
    Model,
    Queue,
    Reasoning,
    Send,
    Think,
    UsageMode,
    Verbose,
)

__all__ = ["CommandPatch", "build_command_patch"]


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandPatch:
    """What a command sets. `fields` empty: it only shows, or was not understood; `usage` then says how it is used.

    `shown` are the fields that the answer tells, in wire spelling.
    """

    fields: Mapping[str, object]
    shown: tuple[str, ...]
    usage: str = ""


def build_command_patch(command: Command) -> CommandPatch | None:
    """The patch of a command, None for commands that set nothing."""
    match command:
        case Inline():
            return _join(command)
        case Send():
            value = None if command.setting == "inherit" else command.setting
            fields = {} if command.setting is None else {"sendPolicy": value}
            return CommandPatch(fields=fields, shown=("sendPolicy",), usage="/send on|off|inherit")
        case Activation():
            return _word("groupActivation", command.mode, command.given, usage="/activation mention|always|command")
        case Queue():
            return _queue(command)
        case Model():
            return _word("model", command.model, command.given, usage="/model <provider/model or alias>")
        case Think():
            return _think(command)
        case Verbose():
            return _word("verboseLevel", command.level, command.given, usage="/verbose on|full|off")
        case Reasoning():
            return _word("reasoningLevel", command.level, command.given, usage="/reasoning on|stream|off")
        case Elevated():
            return _word("elevatedLevel", command.level, command.given, usage="/elevated on|ask|full|off")
        case UsageMode():
            return _word("responseUsage", command.level, command.given, usage="/usage tokens|full|off")
        case _:
            return None


def _word(field: str, value: str | None, given: str, *, usage: str) -> CommandPatch:
    """A command with one word: set, shown when nothing was given, explained when the word means nothing."""
    if value is not None:
        return CommandPatch(fields={field: value}, shown=(field,))
    return CommandPatch(fields={}, shown=(field,), usage=usage if given else "")


def _think(command: Think) -> CommandPatch:
    found = _word("thinkingLevel", command.level, command.given, usage="/think off|minimal|low|medium|high|xhigh")
    if command.reasoning is None or command.level is None:
        return found
    return CommandPatch(
        fields={**found.fields, "reasoningLevel": command.reasoning}, shown=("thinkingLevel", "reasoningLevel")
    )


def _queue(command: Queue) -> CommandPatch:
    directive = command.directive
    shown = ("queueMode", "queueDebounceMs", "queueCap", "queueDrop")
    if directive.rest or directive.problem:
        usage = "/queue steer|followup|collect|interrupt|fanout|steer-backlog|default [debounce:2s cap:20 drop:old]"
        return CommandPatch(fields={}, shown=shown, usage=usage)
    said = {
        "queueMode": directive.mode,
        "queueDebounceMs": directive.debounce_ms,
        "queueCap": directive.cap,
        "queueDrop": directive.drop,
    }
    if directive.reset:
        return CommandPatch(fields=said, shown=shown)
    return CommandPatch(fields={name: value for name, value in said.items() if value is not None}, shown=shown)


def _join(command: Inline) -> CommandPatch:
    """Several directives and nothing else are stored, as each alone would be."""
    parts = [part for one in command.directives if (part := build_command_patch(one)) is not None]
    fields = {name: value for part in parts for name, value in part.fields.items()}
    shown = tuple(dict.fromkeys(name for part in parts for name in part.shown))
    return CommandPatch(fields=fields, shown=shown, usage="; ".join(part.usage for part in parts if part.usage))
