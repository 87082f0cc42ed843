"""Sentences about what holds in a place: where tools run, why one did not, and which levels (TYPE-4…8, RESOLVE-5)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from instar.core.explain.facts import Facts

__all__ = ["tell_level", "tell_tool"]

_LAYERS: Final[Mapping[str, str]] = {
    "session": "the session's own `sandboxMode`",
    "channel": "the channel's configuration",
    "agent": "the agent's configuration",
    "config": "the configuration for all agents",
    "default": "the default",
}


def tell_tool(facts: Facts) -> str:
    """Where a tool, or the tools of a session, run and who said so."""
    tool, layer = facts.word("tool"), _LAYERS.get(facts.word("source"), "the configuration")
    what, runs = (f"The tool {tool}", "runs") if tool else ("Tools that touch the host", "run")
    elevated = facts.word("elevated", "off")
    match facts.outcome:
        case "refuse":
            not_run = "was not run" if tool else "fail"
            return f"{what} {not_run}: {layer} asks for a sandbox, and it cannot start here."
        case "sandbox":
            return f"{what} {runs} in the sandbox, as {layer} says."
        case _ if elevated != "off":
            return (
                f"{what} {runs} on the host although {layer} asks for a sandbox: an owner set elevated to {elevated}."
            )
        case _:
            return f"{what} {runs} on the host, as {layer} says."


_LEVELS: Final[Mapping[str, str]] = {
    "thinkingLevel": "Thinking",
    "verboseLevel": "Verbose",
    "reasoningLevel": "Reasoning",
    "elevatedLevel": "Elevated",
    "responseUsage": "The line about tokens",
}


def tell_level(facts: Facts) -> str:
    """Which level holds for an answer, and who said so."""
    layer = "the session" if facts.word("source") == "session" else _LAYERS.get(facts.word("source"), "the message")
    return f"{_LEVELS.get(facts.word('setting'), 'A level')} is {facts.word('value', 'off')}, as {layer} says."
