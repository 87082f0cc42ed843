"""An answer on the screen as it comes: words, tools, breaks of the connection, its end.

Pieces may come twice, come late, or begin anew; what is shown is always the words of the answer, once and in order.
"""

from __future__ import annotations

from typing import TextIO

from instar.cli.terminal import clean, paint
from instar.client.talk import ChatUpdate

__all__ = ["Screen"]


class Screen:
    """Writes to `out`; notes go to `notes`, so that a pipe gets the words alone."""

    def __init__(self, out: TextIO, notes: TextIO, *, colour: bool = False) -> None:
        self._out = out
        self._notes = notes
        self._colour = colour
        self._shown = ""
        self._is_line_open = False

    def show(self, update: ChatUpdate) -> None:
        """Show one piece of an answer."""
        match update.kind:
            case "delta":
                self._advance(update.text, restarts=update.restarts)
            case "tool":
                self._tell_tool(update)
            case "note":
                self.note(update.text)
            case "waiting":
                self.note("The connection to the gateway is lost; the answer is shown when it is back.")
                self._shown = ""
            case "final":
                self._advance(update.text, restarts=False)
                self.end_line()
            case "aborted":
                self._advance(update.text, restarts=False)
                self.note("Stopped.")
            case "error":
                self.note(update.error or "The turn failed; the gateway gave no reason.", is_error=True)

    def begin(self) -> None:
        """An answer to another message begins."""
        self.end_line()
        self._shown = ""

    def note(self, text: str, *, is_error: bool = False) -> None:
        """Something beside the words."""
        self.end_line()
        style = "red" if is_error else "dim"
        self._notes.write(paint(f"[{clean(text)}]", style, on=self._colour) + "\n")
        self._notes.flush()

    def end_line(self) -> None:
        """Begin a new line if one is open."""
        if self._is_line_open:
            self._write("\n")
            self._out.flush()

    def _tell_tool(self, update: ChatUpdate) -> None:
        if not update.is_done:
            self.note(f"tool {update.tool}")
        elif update.is_error:
            self.note(f"tool {update.tool} failed", is_error=True)
        self._shown = ""

    def _advance(self, text: str, *, restarts: bool) -> None:
        """Show what is new in `text`, of which `_shown` may be the beginning."""
        if not text:
            return
        if restarts or not text.startswith(self._shown):
            self.end_line()
            self._shown = ""
        self._write(clean(text[len(self._shown) :], lines=True))
        self._shown = text
        self._out.flush()

    def _write(self, text: str) -> None:
        if text:
            self._out.write(text)
            self._is_line_open = not text.endswith("\n")
