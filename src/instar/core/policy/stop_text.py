"""What a person is told after `/stop` (CMD-26)."""

from __future__ import annotations

__all__ = ["tell_stop"]


def tell_stop(*, stopped: bool, sub_agents: int, busy: int) -> str:
    """The answer to `/stop`: whether something of the session itself was stopped, and how many of its sub-agents.

    `busy` counts sub-agents that did not stop in time.
    """
    if sub_agents and stopped:
        told = f"Stopped, with {_counted(sub_agents)}."
    elif sub_agents:
        told = f"Stopped {_counted(sub_agents)}."
    else:
        told = "Stopped." if stopped or busy else "Nothing was running."
    return f"{told} {_counted(busy)} did not stop in time; try again." if busy else told


def _counted(number: int) -> str:
    return "1 sub-agent" if number == 1 else f"{number} sub-agents"
