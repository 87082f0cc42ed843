"""The files of an agent's workspace: its system text (TRANS-21), its notes (FLUSH-4, CMD-10), exports (CMD-31).

Files are looked at before each request and read again only when they changed, so that a person may edit them while
the gateway runs. Reading happens off the event loop. A file that cannot be read counts as missing and is logged: the
agent answers without it.
"""

from __future__ import annotations

import asyncio
import errno
import os
import stat
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import structlog

from instar.core.context.notes import SEALED_NOTE, build_notes_text, choose_notes
from instar.core.context.system import FILE_LIMIT_CHARS, WORKSPACE_FILES, SystemText, build_system_text
from instar.core.model.ids import AgentId
from instar.core.model.session import Session
from instar.errors import InvalidRequest
from instar.system.files import make_private_folder, sync_folder

__all__ = ["NOTE_MAX_BYTES", "OpenNote", "SealNote", "WorkspaceExports", "WorkspaceNotes", "WorkspaceTexts"]

log = structlog.get_logger(__name__)

_READ_MAX_BYTES = 4 * (FILE_LIMIT_CHARS + 1)
"""A character takes at most four bytes; what lies behind the limit is never told, so it is not read."""


NOTE_MAX_BYTES = 1024 * 1024
"""The largest note: a day of writing fills a small part of it, and an agent in a loop stops here."""


SealNote = Callable[[AgentId, str, str], str]
"""A paragraph of an agent's note of a name as it is kept encrypted: one line."""

OpenNote = Callable[[str, str], str | None]
"""The paragraph of a line of the note of a name; None where it cannot be opened."""


@dataclass(frozen=True, slots=True)
class _Stamp:
    """Which state of a workspace a text was made from: size and time of each file, None for a missing one."""

    files: tuple[tuple[int, int] | None, ...]
    prompt: str | None


class WorkspaceTexts:
    """System texts by agent. `workspace_of` names the folder of an agent, `prompt_of` its configured prompt, `intro_of`
    what is told beside them of the session's place, empty if nothing is; `open_note` reads notes that are encrypted.
    """

    def __init__(
        self,
        *,
        workspace_of: Callable[[AgentId], Path],
        prompt_of: Callable[[AgentId], str | None],
        intro_of: Callable[[Session], str] = lambda _: "",
        open_note: OpenNote | None = None,
    ) -> None:
        self._intro_of = intro_of
        self._open_note = open_note
        self._workspace_of = workspace_of
        self._prompt_of = prompt_of
        self._known: dict[AgentId, tuple[_Stamp, SystemText]] = {}

    async def load(self, agent_id: AgentId, session: Session) -> str:
        """The text for a request of this agent in this session."""
        text, intro = (await self.report(agent_id)).text, self._intro_of(session)
        return f"{text}\n\n{intro}" if intro else text

    def is_writable(self, agent_id: AgentId) -> bool:
        """Whether files may be made in the agent's folder; of one that is not there yet, where it would be made."""
        folder = self._workspace_of(agent_id)
        nearest = next((place for place in (folder, *folder.parents) if place.exists()), None)
        return nearest is not None and nearest.is_dir() and os.access(nearest, os.W_OK | os.X_OK)

    def last_report(self, agent_id: AgentId) -> SystemText | None:
        """The text as it was loaded last, None if it was not."""
        known = self._known.get(agent_id)
        return None if known is None else known[1]

    async def load_notes(self, agent_id: AgentId, today: date) -> str:
        """The notes of today and yesterday (CMD-10); a note that cannot be read is logged and left out."""
        return await asyncio.to_thread(_read_notes, self._workspace_of(agent_id) / "memory", today, self._open_note)

    async def report(self, agent_id: AgentId) -> SystemText:
        """The text with a report of its files (STATUS-10)."""
        folder, prompt = self._workspace_of(agent_id), self._prompt_of(agent_id)
        stamp = _Stamp(tuple(_stat(folder / name) for name in WORKSPACE_FILES), prompt)
        known = self._known.get(agent_id)
        if known is not None and known[0] == stamp:
            return known[1]
        built = await asyncio.to_thread(_read, folder, prompt)
        self._known[agent_id] = stamp, built
        return built


class WorkspaceNotes:
    """An agent's notes: files in the folder `memory` of its workspace that only grow.

    With `seal` they are kept encrypted, in files of their own: what a person writes there by hand stays as it is.
    """

    def __init__(self, *, workspace_of: Callable[[AgentId], Path], seal: SealNote | None = None) -> None:
        self._workspace_of = workspace_of
        self._seal = seal

    async def append(self, agent_id: AgentId, name: str, text: str) -> None:
        """Put `text` behind what the note `name` holds, as a paragraph of its own; all of it or nothing.

        Raises `InvalidRequest` where it cannot be written, or would lie outside.
        """
        try:
            await asyncio.to_thread(self._append, agent_id, name, text)
        except OSError as error:
            why = error.strerror or type(error).__name__
            raise InvalidRequest(f"The note memory/{name} cannot be written", why=why, field="path") from None

    def _append(self, agent_id: AgentId, name: str, text: str) -> None:
        if self._seal is not None:
            name, text = f"{name}{SEALED_NOTE}", self._seal(agent_id, name, text)
        _append(self._workspace_of(agent_id), name, text)


class WorkspaceExports:
    """Files that people ask for, written into the workspace of an agent (CMD-31)."""

    def __init__(self, *, workspace_of: Callable[[AgentId], Path]) -> None:
        self._workspace_of = workspace_of

    async def write(self, agent_id: AgentId, path: str, text: str) -> str:
        """Write a new file; its whole path. Raises `InvalidRequest` for one that is there, or lies outside."""
        folder = self._workspace_of(agent_id)
        try:
            return str(await asyncio.to_thread(_write_new, folder, path, text))
        except FileExistsError:
            what = f"There is a file {path} already, or one in its way"
            raise InvalidRequest(what, fix="Name another one.", field="path") from None
        except OSError as error:
            why = error.strerror or type(error).__name__
            raise InvalidRequest(f"The file {path} cannot be written", why=why, field="path") from None


def _write_new(folder: Path, path: str, text: str) -> Path:
    """The file, readable by its owner alone. A link on the way must not lead outside (LEAK-8)."""
    file = folder / path
    if not file.resolve().is_relative_to(folder.resolve()):
        raise OSError(errno.EPERM, "it leads out of the workspace")
    file.parent.mkdir(parents=True, exist_ok=True)
    with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as out:
        out.write(text)
    return file


def _append(folder: Path, name: str, text: str) -> None:
    """Grow a note. A person may edit it meanwhile, so it is never written anew; what fails half-way is taken back."""
    notes = folder / "memory"
    make_private_folder(notes)
    if not notes.resolve().is_relative_to(folder.resolve()):
        raise OSError(errno.EPERM, "it leads out of the workspace")
    # A link in the place of a note is not followed, and a pipe is not waited for.
    flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    descriptor = os.open(notes / name, flags, 0o600)
    try:
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode):
            raise OSError(errno.EPERM, "it is no ordinary file")
        added = (f"\n{text}\n" if found.st_size else f"{text}\n").encode()
        if found.st_size + len(added) > NOTE_MAX_BYTES:
            raise OSError(errno.EFBIG, f"it would be larger than {NOTE_MAX_BYTES} bytes")
        try:
            if os.write(descriptor, added) != len(added):
                raise OSError(errno.ENOSPC, "the disk is full")
            os.fsync(descriptor)
        except OSError:
            os.ftruncate(descriptor, found.st_size)
            raise
    finally:
        os.close(descriptor)
    sync_folder(notes)


def _stat(path: Path) -> tuple[int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_size, found.st_mtime_ns


def _read(folder: Path, prompt: str | None) -> SystemText:
    return build_system_text(prompt, [(name, _read_file(folder / name)) for name in WORKSPACE_FILES])


def _read_notes(folder: Path, today: date, open_note: OpenNote | None) -> str:
    try:
        names = [path.name for path in folder.iterdir()]
    except OSError:
        return ""
    return build_notes_text([(name, _read_note(folder / name, open_note)) for name in choose_notes(names, today=today)])


def _read_note(path: Path, open_note: OpenNote | None) -> str:
    if not path.name.endswith(SEALED_NOTE):
        return _read_file(path) or ""
    if open_note is None:
        return ""
    lines = (_read_file(path, most=NOTE_MAX_BYTES) or "").splitlines()
    opened = [open_note(line, path.name.removesuffix(SEALED_NOTE)) for line in lines if line]
    if None in opened:
        log.warning("workspace_file_unreadable", path=str(path), error="its key is not in the key ring")
    return "\n\n".join(text for text in opened if text is not None)


def _read_file(path: Path, *, most: int = _READ_MAX_BYTES) -> str | None:
    try:
        with path.open("rb") as file:
            return file.read(most).decode("utf-8", errors="replace")
    except FileNotFoundError:
        return None
    except OSError as error:
        log.warning("workspace_file_unreadable", path=str(path), error=str(error))
        return None
