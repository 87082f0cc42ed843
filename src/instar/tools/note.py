"""``write`` as a silent turn has it: add to today's note, and to nothing else (FLUSH-4, MEM-3).

The model names the note or leaves that to the tool. Any other file is refused with the name of the right one. What is
there already stays: notes only grow, so that neither a model nor two turns at once can lose what a person wrote.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from datetime import date
from typing import Final

from instar.core.context.notes import NOTES_LIMIT_CHARS, choose_note
from instar.core.model.entry import TextBlock
from instar.core.model.ids import AgentId
from instar.errors import InvalidRequest
from instar.ports.tool import ToolContext, ToolOutput, ToolSpec

__all__ = ["AppendNote", "NoteTool"]

_SPEC: Final = ToolSpec(
    name="write",
    description=(
        "Adds text to today's note, memory/YYYY-MM-DD.md in your workspace. What stands there already is kept. Write "
        "Markdown that will still make sense to you when this conversation is gone."
    ),
    parameters={
        "type": "object",
        "properties": {
            "content": {"type": "string", "description": "The text to add."},
            "path": {
                "type": "string",
                "description": "memory/YYYY-MM-DD[-subject].md of today; leave it out for the note without a subject.",
            },
        },
        "required": ["content"],
        "additionalProperties": False,
    },
    # It reaches one kind of file of the workspace, and a sandbox that shows less of that has no silent turn (FLUSH-3).
    touches_host=False,
)

AppendNote = Callable[[AgentId, str, str], Awaitable[None]]
"""Adds a text to a note of an agent, by its name in the folder of notes. Raises `InvalidRequest`."""


class NoteTool:
    """Keeps `instar.ports.tool.Tool`. `today` is the date where the gateway runs."""

    def __init__(self, append: AppendNote, *, today: Callable[[], date]) -> None:
        self._append = append
        self._today = today

    @property
    def spec(self) -> ToolSpec:
        """What the model is told of it."""
        return _SPEC

    async def call(self, context: ToolContext, arguments: Mapping[str, object]) -> ToolOutput:
        """Add to the note; what cannot be done comes back as an error that says what can."""
        content, path = arguments.get("content"), arguments.get("path", "")
        if not isinstance(content, str) or not content.strip():
            return _failed("Nothing was written: content must be text that is not blank.")
        text = content.strip()
        if len(text) > NOTES_LIMIT_CHARS:
            return _failed(
                f"Nothing was written: {len(text)} characters are more than the {NOTES_LIMIT_CHARS} of a note."
            )
        today = self._today()
        name = choose_note(path, today=today) if isinstance(path, str) else None
        if name is None:
            return _failed(
                f"Nothing was written: the only notes to write now are memory/{today.isoformat()}[-subject].md."
            )
        try:
            await self._append(context.agent_id, name, text)
        except InvalidRequest as error:
            return _failed(f"{error.what}: {error.why}.")
        return ToolOutput(
            content=(TextBlock(text=f"Added {len(text)} characters to memory/{name}."),),
            details={"path": f"memory/{name}", "chars": len(text)},
        )


def _failed(text: str) -> ToolOutput:
    return ToolOutput(content=(TextBlock(text=text),), is_error=True)
