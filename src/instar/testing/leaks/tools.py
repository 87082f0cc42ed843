"""The tools of this build, each in every script, and arguments for them drawn from their schemas.

A class of `instar.tools` that is a tool and not built here fails a test.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from instar.core.model.ids import AgentId
from instar.gateway.gateway import Gateway
from instar.ports.clock import Clock
from instar.ports.tool import Tool
from instar.system.workspace import SealNote, WorkspaceNotes
from instar.testing.simulate.dice import Dice
from instar.tools.note import NoteTool
from instar.tools.session_status import SessionStatusTool

__all__ = ["Tools", "draw_arguments"]


class Tools:
    """Every tool. `connect` gives them the gateway of each life."""

    def __init__(self, clock: Clock, folder_of: Callable[[AgentId], Path], *, seal: SealNote | None = None) -> None:
        self._status = SessionStatusTool()
        self.note = NoteTool(
            WorkspaceNotes(workspace_of=folder_of, seal=seal).append,
            today=lambda: datetime.fromtimestamp(clock.now() / 1000, clock.zone()).date(),
        )
        self.in_turns: dict[str, Tool] = {one.spec.name: one for one in (self._status,)}
        """Those of every turn; the one for notes is there in silent turns only."""
        self.by_name: dict[str, Tool] = {**self.in_turns, self.note.spec.name: self.note}

    def connect(self, gateway: Gateway) -> None:
        """From now on ask this gateway."""
        self._status.connect(
            gateway.status_facts, lambda asker, key, since: gateway.sessions.changes(asker, key, since=since)
        )


def draw_arguments(
    schema: Mapping[str, Any],  # a JSON schema, as deep as its author likes
    dice: Dice,
    draw_key: Callable[[], str],
    *,
    heard: str,
) -> dict[str, object]:
    """Arguments that fit a schema of type object: what names a session is drawn among those that are there, and what
    is a text repeats what was `heard`.
    """
    properties: Mapping[str, Mapping[str, Any]] = schema.get("properties", {})
    required = schema.get("required", ())
    return {
        name: _draw_value(name, one, dice, draw_key, heard=heard)
        for name, one in properties.items()
        if name in required or dice.chance(60)
    }


def _draw_value(
    name: str,
    schema: Mapping[str, Any],  # the same
    dice: Dice,
    draw_key: Callable[[], str],
    *,
    heard: str,
) -> object:
    if "enum" in schema:
        return dice.pick(schema["enum"])
    match schema.get("type", "string"):
        case "integer" | "number":
            return dice.pick([0, 1, 5, 100])
        case "boolean":
            return dice.chance(50)
        case "array":
            return [_draw_value(name, schema.get("items", {}), dice, draw_key, heard=heard)]
        case "object":
            return draw_arguments(schema, dice, draw_key, heard=heard)
        case _:
            return draw_key() if "session" in name.lower() or "key" in name.lower() else heard
