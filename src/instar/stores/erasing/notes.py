"""An agent's notes without a person: pages of Markdown, and those that are kept encrypted line by line (LEAK-11)."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

from instar.core.context.notes import SEALED_NOTE
from instar.stores.sealing.cells import cell_key
from instar.stores.sealing.seals import Seals
from instar.system.files import replace_file

__all__ = ["drop_lines", "drop_sealed_lines", "is_sealed_note", "open_note_file", "renew_note"]


def is_sealed_note(path: Path) -> bool:
    """Whether a file is one of the notes that a gateway keeps encrypted."""
    return path.name.endswith(SEALED_NOTE)


def drop_lines(path: Path, needle: re.Pattern[bytes]) -> int:
    """Take out the lines of a page of notes that name or quote the person; how many."""
    lines = path.read_bytes().splitlines(keepends=True)
    kept = [line for line in lines if needle.search(line) is None]
    if len(kept) < len(lines):
        replace_file(path, kept)
    return len(lines) - len(kept)


def drop_sealed_lines(path: Path, needle: re.Pattern[bytes], seals: Seals) -> int:
    """As `drop_lines`, in a note that is kept encrypted; what cannot be opened stays, and nobody reads it."""
    dropped = 0

    def drop(text: str) -> str:
        nonlocal dropped
        lines = text.splitlines(keepends=True)
        kept = [line for line in lines if needle.search(line.encode("utf-8", "surrogatepass")) is None]
        dropped += len(lines) - len(kept)
        return "".join(kept)

    _rewrite(path, seals, drop, is_meant=lambda _: True)
    return dropped


def renew_note(path: Path, seals: Seals) -> None:
    """Seal anew what stands under a key that will be destroyed."""
    _rewrite(path, seals, lambda text: text, is_meant=lambda name: name in seals.doomed)


def open_note_file(path: Path, seals: Seals) -> None:
    """Put a sealed note in plain text behind the one of its name; it stays where a line of it cannot be opened.

    May run again.
    """
    name = path.name.removesuffix(SEALED_NOTE)
    opened = [seals.open_note(line, name=name) for line in path.read_text("utf-8").splitlines() if line]
    paragraphs = [text for text in opened if text is not None]
    if len(paragraphs) < len(opened):
        return
    target = path.with_name(name)
    known = target.read_bytes() if target.is_file() else b""
    added = "".join(f"\n{text}\n" for text in paragraphs).encode("utf-8", "surrogatepass")
    if not known.endswith(added):
        replace_file(target, [known + added])
    path.unlink()


def _rewrite(path: Path, seals: Seals, change: Callable[[str], str], *, is_meant: Callable[[str | None], bool]) -> None:
    """Change the paragraphs of a sealed note, under the newest key of whose it is; the file only if any is another."""
    name = path.name.removesuffix(SEALED_NOTE)
    lines = [line for line in path.read_text("utf-8", "surrogateescape").splitlines() if line]
    written = []
    for line in lines:
        text = seals.open_note(line, name=name) if is_meant(cell_key(line)) else None
        if text is None:
            written.append(line)
            continue
        changed = change(text)
        is_renewed = cell_key(line) in seals.doomed
        if changed != text or is_renewed:
            written += [seals.change_note(line, changed, name=name)] if changed.strip() else []
        else:
            written.append(line)
    if written != lines:
        replace_file(path, ["".join(f"{line}\n" for line in written).encode("utf-8", "surrogateescape")])
