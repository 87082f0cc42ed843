"""Writes state directories of the January 2026 shape, with the damage that users report."""

from __future__ import annotations

import json
from hashlib import sha256
from pathlib import Path

import zstandard

__all__ = ["OpenClawState", "digest_tree", "message_line", "session_id", "transcript_lines"]

NOW_MS = 1_773_144_000_000
ISO = "2026-03-10T12:00:00.000Z"


def session_id(number: int) -> str:
    """A UUID that tells its number."""
    return f"{number:08x}-0000-4000-8000-000000000000"


def message_line(number: int, text: str, *, parent: int | None = None, role: str = "user", version: int = 3) -> str:
    """One line of a transcript."""
    message: dict[str, object] = {"role": role, "content": text, "timestamp": NOW_MS + number}
    if role == "assistant":
        message = {"role": role, "content": [{"type": "text", "text": text}], "api": "a", "provider": "p", "model": "m",
                   "stopReason": "stop", "timestamp": NOW_MS + number}  # fmt: skip
    line: dict[str, object] = {"type": "message", "timestamp": ISO, "message": message}
    if version > 1:
        line |= {"id": f"{number:08x}", "parentId": None if parent is None else f"{parent:08x}"}
    return json.dumps(line, ensure_ascii=False)


def transcript_lines(number: int, *texts: str, version: int = 3) -> list[str]:
    """A header and one message for each text; entry ids are those of the session's number."""
    header: dict[str, object] = {"type": "session", "id": session_id(number), "timestamp": ISO, "cwd": "/home/u"}
    lines = [json.dumps(header | ({"version": version} if version > 1 else {}))]
    base = number * 0x100
    for at, text in enumerate(texts):
        role = "assistant" if at % 2 else "user"
        lines.append(message_line(base + at, text, parent=base + at - 1 if at else None, role=role, version=version))
    return lines


class OpenClawState:
    """A state directory while it is written."""

    def __init__(self, root: Path, *, agent: str = "main") -> None:
        self.root = root
        self.sessions = root / "agents" / agent / "sessions"
        self.sessions.mkdir(parents=True)
        self.entries: dict[str, dict[str, object]] = {}

    def add(self, key: str, number: int, *texts: str, version: int = 3, **fields: object) -> Path:
        """An entry with its transcript."""
        self.entry(key, number, **fields)
        return self.transcript(f"{session_id(number)}.jsonl", transcript_lines(number, *texts, version=version))

    def entry(self, key: str, number: int, **fields: object) -> None:
        """An entry alone."""
        self.entries[key] = {"sessionId": session_id(number), "updatedAt": NOW_MS + number, **fields}

    def transcript(self, name: str, lines: list[str], *, tail: str = "\n") -> Path:
        """A file beside the index; one that ends in ``.zst`` is compressed."""
        path = self.sessions / name
        data = ("\n".join(lines) + tail).encode()
        path.write_bytes(zstandard.compress(data) if name.endswith(".zst") else data)
        return path

    def write_index(self, text: str | None = None) -> Path:
        """The index as its program writes it, or the given text."""
        path = self.sessions / "sessions.json"
        path.write_text(json.dumps(self.entries, indent=2) if text is None else text, encoding="utf-8")
        return path

    def file(self, name: str, text: str) -> Path:
        """Any other file."""
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return path


def digest_tree(root: Path) -> dict[str, tuple[str, int]]:
    """Content and time of every file below a folder, to see that nothing was changed."""
    return {
        path.relative_to(root).as_posix(): (sha256(path.read_bytes()).hexdigest(), path.lstat().st_mtime_ns)
        for path in sorted(root.rglob("*"))
        if path.is_file()
    }
