"""Sentences about where tools run, and why one did not (TYPE-4…8)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from instar.core.explain.facts import Facts

__all__ = ["tell_tool"]

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
