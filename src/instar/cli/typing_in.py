"""What is typed or piped in, line by line: a terminal with line editing and history, or any pipe or file."""

from __future__ import annotations

import asyncio
import codecs
import os
import threading
from collections.abc import AsyncIterator
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol

from instar.system.files import create_private_file, make_private_folder

if TYPE_CHECKING:
    from prompt_toolkit import PromptSession
    from prompt_toolkit.history import FileHistory

__all__ = ["LineSource", "PipedLines", "Prompt"]

HISTORY_NAME: Final = "chat-history"

_CHUNK_BYTES: Final = 64 * 1024


class LineSource(Protocol):
    """Where lines come from."""

    async def next_line(self) -> str | None:
        """The next line without its end; None when nothing follows. Raises KeyboardInterrupt for Ctrl-C."""
        ...


class PipedLines:
    """Lines of a file descriptor that is no terminal, each as soon as it is there."""

    def __init__(self, descriptor: int) -> None:
        self._lines = self._read(descriptor)

    async def next_line(self) -> str | None:
        """The next line."""
        return await anext(self._lines, None)

    async def _read(self, descriptor: int) -> AsyncIterator[str]:
        """A thread reads, since a file cannot be waited for and a pipe may never end.

        It reads the descriptor itself: one that waits inside Python's own reader would not let the interpreter end.
        """
        chunks: asyncio.Queue[bytes] = asyncio.Queue()
        loop = asyncio.get_running_loop()

        def feed() -> None:
            chunk = b"?"
            while chunk:
                chunk = os.read(descriptor, _CHUNK_BYTES)
                try:
                    loop.call_soon_threadsafe(chunks.put_nowait, chunk)
                except RuntimeError:
                    return  # the loop has ended: nobody asks any more

        threading.Thread(target=feed, name="instar-stdin", daemon=True).start()
        decoder, rest = codecs.getincrementaldecoder("utf-8")("replace"), ""
        while chunk := await chunks.get():
            *lines, rest = (rest + decoder.decode(chunk)).split("\n")
            for line in lines:
                yield line.removesuffix("\r")
        rest += decoder.decode(b"", final=True)
        if rest:
            yield rest


class Prompt:
    """Lines typed at a terminal: arrows edit, the history is kept in the state directory, Tab completes commands.

    Without a state directory the history ends with the conversation.
    """

    def __init__(self, state_dir: Path | None, *, commands: list[str], label: str = "you> ") -> None:
        self._session = _open_session(state_dir, commands)
        self._label = label

    async def next_line(self) -> str | None:
        """The next line; None after Ctrl-D."""
        from prompt_toolkit.patch_stdout import patch_stdout

        try:
            with patch_stdout(raw=True):
                return await self._session.prompt_async(self._label)
        except EOFError:
            return None


def _open_session(state_dir: Path | None, commands: list[str]) -> PromptSession[str]:
    """A prompt of prompt_toolkit. Its history may hold what people wrote, so only its owner may read it."""
    from prompt_toolkit import PromptSession
    from prompt_toolkit.completion import WordCompleter
    from prompt_toolkit.history import InMemoryHistory

    history = None if state_dir is None else _open_history(state_dir)
    completer = WordCompleter(commands, sentence=True)
    return PromptSession(history=history or InMemoryHistory(), completer=completer, complete_while_typing=False)


def _open_history(state_dir: Path) -> FileHistory | None:
    """The lines of earlier conversations; None on a read-only disk, where those of this one can still be recalled."""
    from prompt_toolkit.history import FileHistory

    path = state_dir / HISTORY_NAME
    try:
        make_private_folder(state_dir)
        create_private_file(path)
    except OSError:
        return None
    return FileHistory(str(path))
