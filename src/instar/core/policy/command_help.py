"""What `/help` and `/commands` say, one line for each command (CMD-32)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

__all__ = ["COMMAND_HELP", "CommandHelp", "build_help"]


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandHelp:
    """One command as people read it. `arguments` is its short grammar, empty if it takes none."""

    name: str
    description: str
    arguments: str = ""
    for_owner: bool = False


COMMAND_HELP: Final = (
    CommandHelp(name="new", arguments="[model] [message]", description="start a new session"),
    CommandHelp(name="reset", arguments="[soft] [message]", description="start over; soft keeps the transcript"),
    CommandHelp(name="status", description="model, tokens, context, queue and the next reset of this session"),
    CommandHelp(name="context", arguments="list|detail|json", description="what fills the context window"),
    CommandHelp(name="compact", arguments="[instructions]|undo", description="summarise the older part, or undo that"),
    CommandHelp(name="model", arguments="[name]", description="show or choose the model"),
    CommandHelp(name="think", arguments="<level>", description="how much the model thinks"),
    CommandHelp(name="verbose", arguments="on|full|off", description="how much is told of the work"),
    CommandHelp(name="reasoning", arguments="on|stream|off", description="whether thinking is shown"),
    CommandHelp(name="elevated", arguments="on|ask|full|off", description="tools on the host", for_owner=True),
    CommandHelp(name="usage", arguments="tokens|full|off", description="tokens under each answer"),
    CommandHelp(
        name="queue", arguments="<mode> [debounce: cap: drop:]", description="what messages do while a turn runs"
    ),
    CommandHelp(name="send", arguments="on|off|inherit", description="whether replies leave", for_owner=True),
    CommandHelp(
        name="activation",
        arguments="mention|always|command",
        description="what wakes the agent in a group",
        for_owner=True,
    ),
    CommandHelp(name="stop", description="stop the running turn and drop what waits"),
    CommandHelp(name="dock-<channel>", description="send replies to your place on another channel"),
    CommandHelp(name="name", arguments="[title]", description="show or set the name of this session"),
    CommandHelp(name="export", arguments="[path]", description="write this session to a file", for_owner=True),
    CommandHelp(
        name="pairing",
        arguments="list|approve CODE|reject CODE|revoke ID",
        description="who may write to the agent",
        for_owner=True,
    ),
    CommandHelp(name="resume", arguments="[session id]", description="make the last closed transcript current again"),
    CommandHelp(name="pin", arguments="[entry]", description="keep a message verbatim through compactions"),
    CommandHelp(name="why", description="the reason for the last thing that happened here"),
    CommandHelp(name="whoami", description="who the gateway takes you for"),
    CommandHelp(name="help", description="this list, shortened"),
    CommandHelp(name="commands", description="every command"),
)
"""Every command, in the order in which people need them."""

_SHORT: Final = frozenset({"new", "reset", "status", "model", "stop", "resume", "why", "commands"})


def build_help(*, full: bool) -> str:
    """The list as text: all commands, or those that are needed most."""
    chosen = [one for one in COMMAND_HELP if full or one.name in _SHORT]
    lines = [
        f"/{one.name}{' ' + one.arguments if one.arguments else ''}: {one.description}"
        f"{' (owner)' if one.for_owner else ''}"
        for one in chosen
    ]
    return "\n".join(lines)
