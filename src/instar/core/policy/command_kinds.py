"""Everything a chat command can ask for: a closed union of small values (CMD-1…35, LOSS-6, LOSS-9, WHY-2).

A value says what was asked, not whether it may be done (`decide_command`) nor how (the gateway). Where a word after the
command was not understood it stands in `given`, and the answer is how the command is used.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from instar.core.model.ids import ChannelName
from instar.core.policy.activation import ActivationMode
from instar.core.policy.levels import ElevatedLevel, ReasoningLevel, ThinkingLevel, UsageLevel, VerboseLevel
from instar.core.queue.settings import QueueDirective

__all__ = [
    "Activation",
    "Command",
    "Commands",
    "Compact",
    "ContextReport",
    "ContextSub",
    "Directive",
    "Dock",
    "Elevated",
    "Export",
    "Help",
    "Inline",
    "Model",
    "Name",
    "Pairing",
    "PairingWord",
    "Pin",
    "Queue",
    "Reasoning",
    "Reset",
    "ResetKind",
    "Resume",
    "Send",
    "SendSetting",
    "Status",
    "Stop",
    "Think",
    "UsageMode",
    "Verbose",
    "WhoAmI",
    "Why",
]

ContextSub = Literal["help", "list", "detail", "json"]
PairingWord = Literal["list", "approve", "reject", "revoke"]
ResetKind = Literal["new-session", "soft"]
SendSetting = Literal["allow", "deny", "inherit"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reset:
    """Start over (CMD-1…9). `soft` keeps session id and transcript. `trigger` is the configured word that matched.

    `model` is the model to go on with, None to leave it; `remainder` is the first prompt of the new session, empty for
    a bare reset.
    """

    trigger: str
    mode: ResetKind = "new-session"
    model: str | None = None
    remainder: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """`/status`: how the session stands (STATUS-1)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ContextReport:
    """`/context`: what fills the window. `sub` None means a word that is none of them (STATUS-14)."""

    sub: ContextSub | None = "help"
    given: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Compact:
    """`/compact [instructions]`, or `/compact undo` for dropping the newest compaction (COMPACT-20, LOSS-9)."""

    instructions: str = ""
    undo: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Send:
    """`/send on|off|inherit` (SEND-10). None asks how it is used."""

    setting: SendSetting | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Activation:
    """`/activation mention|always|command` (CMD-24). None asks how it is used."""

    mode: ActivationMode | None = None
    given: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Queue:
    """`/queue …` (QUEUE-12). `directive.rest` is a word that was not understood."""

    directive: QueueDirective


@dataclass(frozen=True, slots=True, kw_only=True)
class Stop:
    """`/stop`, or one of the bare words that mean the same (CMD-26, CMD-27). `is_bare` is True for the latter."""

    is_bare: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """`/model [name]`. `given` empty shows the model; `model` None with something given names no allowed model."""

    model: str | None = None
    given: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Think:
    """`/think [level]` (PATCH-6). `given` empty shows it. `reasoning` is set by the word `stream`."""

    level: ThinkingLevel | None = None
    reasoning: ReasoningLevel | None = None
    given: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verbose:
    """`/verbose [on|off|full]`. `given` empty shows it."""

    level: VerboseLevel | None = None
    given: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reasoning:
    """`/reasoning [on|off|stream]`. `given` empty shows it."""

    level: ReasoningLevel | None = None
    given: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Elevated:
    """`/elevated [on|off|ask|full]`. `given` empty shows it."""

    level: ElevatedLevel | None = None
    given: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class UsageMode:
    """`/usage [off|tokens|full]`. `given` empty shows it."""

    level: UsageLevel | None = None
    given: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Dock:
    """`/dock-<channel>`: replies go there from now on (DOCK-1)."""

    channel: ChannelName


@dataclass(frozen=True, slots=True, kw_only=True)
class Name:
    """`/name <title>` sets the display name; empty shows it (CMD-30)."""

    title: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Export:
    """`/export-session [path]`, `/export [path]` (CMD-31). Empty means a path of the gateway's choice."""

    path: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class WhoAmI:
    """`/whoami`: who the gateway takes the sender for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Help:
    """`/help`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Commands:
    """`/commands`: all of them, one line each."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Why:
    """`/why`: the reason for the last thing that happened in this session (WHY-2)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Resume:
    """`/resume [which]`: make a closed transcript current again, the last one if nothing is named (LOSS-6)."""

    which: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pairing:
    """`/pairing [list|approve CODE|reject CODE|revoke ID]` (LEAK-2). `verb` None asks how it is used."""

    verb: PairingWord | None = "list"
    argument: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pin:
    """`/pin [which]`: keep an entry verbatim through compactions, the last answer if nothing is named (LOSS-9)."""

    which: str = ""


Directive = Status | Model | Think | Verbose | Reasoning | Elevated | UsageMode | Queue
"""Commands that also work inside other text (CMD-28, STATUS-15, QUEUE-11)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Inline:
    """A message with directives in it. `text` is what is left for the agent.

    With text, the directives hold for this turn only. Without (several directives and nothing else), they are stored,
    as each alone would be. `at_start` says that the message began with one: then it is a command by CMD-33.
    """

    directives: tuple[Directive, ...]
    text: str
    at_start: bool


Command = (
    Reset
    | Directive
    | ContextReport
    | Compact
    | Send
    | Activation
    | Stop
    | Dock
    | Name
    | Export
    | WhoAmI
    | Help
    | Commands
    | Why
    | Pairing
    | Resume
    | Pin
    | Inline
)
