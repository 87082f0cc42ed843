"""Identifiers that a summary must not lose or bend (COMPACT-14).

A model that summarises likes to round: a hash becomes "the commit", a port "the usual one". Whoever goes on with the
work needs them as they were, so those of the latest turns are looked for in the finished summary.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Final

from instar.core.model.entry import AnyMessage, AssistantMessage, ToolCall, UserMessage
from instar.core.transcript.repair import PlacedMessage
from instar.core.transcript.text import message_text

__all__ = ["IDENTIFIER_LIMIT", "LATEST_TURNS", "extract_identifiers", "find_missing"]

IDENTIFIER_LIMIT: Final = 12
"""How many are asked for at most: a longer list makes the summary worse instead of better."""

LATEST_TURNS: Final = 3
"""The turns that are looked at, from the end of the summarised part."""

# What a dotted word must end in to count: a file or a host. Without the list every `self.name` in a program would be
# one, and a summary that rightly leaves it out would be refused.
_ENDINGS: Final = (
    "py|pyi|ipynb|tsx?|jsx?|mjs|cjs|jsonl?|json5|md|mdx|rst|txt|toml|ya?ml|ini|cfg|conf|env|lock|sh|bash|zsh|ps1|sql"
    "|html?|s?css|less|vue|svelte|go|rs|c|h|cc|cpp|hpp|java|kt|swift|rb|php|cs|lua|pl|ex|exs|erl|hs|scala|clj|dart|tf"
    "|csv|tsv|xml|svg|png|jpe?g|gif|webp|ico|mp[34]|wav|ogg|webm|mov|pdf|docx?|xlsx?|pptx?|odt|ods|epub|zip|tar|t?gz"
    "|bz2|xz|zst|7z|log|db|sqlite3?|bak|diff|patch|service|socket|timer|pem|crt|key|pub|asc|sig|wasm|so|dll|exe|iso"
    "|com|org|net|edu|gov|io|dev|app|ai|cloud|info|co|uk|de|fr|nl|eu|us|ch|at|jp|cn|in|br|local|internal|lan|home|test"
    "|example|onion|me|tv"
)

_IDENTIFIER: Final = re.compile(
    rf"""
      https?://[^\s<>"'`()\[\]{{}}|]+                                # addresses
    | \b[0-9A-Fa-f]{{8}}-[0-9A-Fa-f]{{4}}-[0-9A-Fa-f-]{{9,40}}\b       # UUIDs
    | \b(?=[0-9A-Fa-f]*[0-9])[0-9A-Fa-f]{{8,64}}\b                   # hashes and hexadecimal ids
    | \b(?:[0-9]{{1,3}}\.){{3}}[0-9]{{1,3}}(?::[0-9]{{2,5}})?\b         # IP addresses, with or without a port
    | \b(?=[0-9.-]*[A-Za-z_])[\w-]{{1,63}}(?:\.[\w-]{{1,63}}){{0,8}}:[0-9]{{2,5}}\b   # host and port
    | (?<![\w/.:])~?(?:/[\w.@+-]{{1,100}}){{2,20}}                    # paths from a root
    | \b(?![A-Z][a-z]{{1,12}}\.js\b)                                # Node.js is a name
      [\w@+-]{{1,100}}(?:[./][\w@+-]{{1,100}}){{0,20}}\.(?:{_ENDINGS})\b   # file and host names
    | \b[A-Z][A-Z0-9]{{1,9}}-[0-9]{{1,8}}\b                          # tickets
    | (?<![\w&])\#[0-9]{{1,8}}\b                                    # numbered issues
    | \b[0-9]{{6,20}}\b                                             # long numbers
    """,
    re.VERBOSE,
)

_ARGUMENT_CHARS: Final = 300

_SCAN_CHARS: Final = 20_000
"""How much of one message is looked at; the end of a long one is nearest to what comes next."""


def extract_identifiers(messages: Sequence[PlacedMessage]) -> tuple[str, ...]:
    """The newest identifiers in the words and tool calls of the latest turns, newest first.

    Tool results are left out: they are full of identifiers that nobody spoke of.
    """
    found: dict[str, None] = {}
    for message in _latest(messages):
        for match in reversed(_IDENTIFIER.findall(_words(message)[-_SCAN_CHARS:])):
            found.setdefault(match.rstrip(".,;:!?-"), None)
            if len(found) == IDENTIFIER_LIMIT:
                return tuple(found)
    return tuple(found)


def _latest(messages: Sequence[PlacedMessage]) -> list[AnyMessage]:
    """The messages of the latest turns, newest first."""
    latest: list[AnyMessage] = []
    turns = 0
    for placed in reversed(messages):
        latest.append(placed.message)
        turns += isinstance(placed.message, UserMessage)
        if turns == LATEST_TURNS:
            break
    return latest


def _words(message: AnyMessage) -> str:
    if isinstance(message, UserMessage):
        return message_text(message)
    if not isinstance(message, AssistantMessage):
        return ""
    return "\n".join([message_text(message), *_arguments(message)])


def _arguments(message: AssistantMessage) -> Iterator[str]:
    """The short texts among the arguments of the calls: paths and commands, not what a file was filled with."""
    for block in message.content:
        if isinstance(block, ToolCall):
            for value in block.arguments.values():
                if isinstance(value, str) and len(value) <= _ARGUMENT_CHARS:
                    yield value


def find_missing(summary: str, identifiers: Sequence[str]) -> tuple[str, ...]:
    """The identifiers that are not in the summary as they were; only the case of letters may differ."""
    folded = summary.casefold()
    return tuple(identifier for identifier in identifiers if identifier.casefold() not in folded)
