"""Writes state directories of the January 2026 shape, with the damage that users report."""

from __future__ import annotations

import json
import random
from hashlib import sha256
from pathlib import Path

import zstandard

__all__ = ["OpenClawState", "digest_tree", "draw_state", "message_line", "session_id", "transcript_lines"]

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


# --- drawn directories ------------------------------------------------------------------------------------------------

INDEX_DAMAGE = ("none", "empty", "zeroed", "cut", "missing", "an entry damaged", "comments")
FILE_DAMAGE = ("none", "half a last line", "nonsense between", "blank lines", "no last line end", "a line twice")


def draw_state(root: Path, seed: int) -> tuple[OpenClawState, set[str]]:
    """A directory with the damage that users report, drawn from a seed; and the words that must all come along."""
    draw = random.Random(seed)
    state, words = OpenClawState(root), set[str]()
    for number in range(1, draw.randint(4, 12)):
        texts = [f"words {number}.{place} " + "x" * draw.randint(0, 50) for place in range(draw.randint(1, 6))]
        words |= set(texts)
        lines = _damage_lines(transcript_lines(number, *texts, version=draw.choice([1, 2, 3])), draw)
        _put_file(state, number, lines, draw)
    if state.entries and draw.random() < 0.5:
        # Two keys for one session, and one key written in two ways.
        key, entry = draw.choice(sorted(state.entries.items()))
        state.entries[f"agent:main:telegram:dm:twin{seed}"] = {**entry, "updatedAt": 1}
        state.entries[key.upper().replace("AGENT:MAIN", "agent:main")] = {"sessionId": session_id(999), "updatedAt": 2}
    _damage_index(state, draw)
    for name in ("workspace/MEMORY.md", "workspace-bo/memory/2026-01-01.md", "cron/jobs.json"):
        if draw.random() < 0.5:
            state.file(name, draw.choice(["", "[]", "{", "tea"]))
    return state, words


def _put_file(state: OpenClawState, number: int, lines: list[str], draw: random.Random) -> None:
    """A transcript under an entry of the index, under none, or as an archive."""
    match draw.choice(["entry", "entry", "entry", "orphan", "reset", "deleted", "bak", "topic"]):
        case "orphan":
            state.transcript(f"{session_id(number)}.jsonl", lines, tail="")
        case "reset" | "deleted" | "bak" as reason:
            packed = draw.choice(["", ".zst"])
            state.transcript(f"{session_id(number)}.jsonl.{reason}.2026-01-10T12-00-0{number % 10}.000Z{packed}", lines)
        case "topic":
            state.entry(f"agent:main:telegram:group:-100:topic:{number}", number)
            state.transcript(f"{session_id(number)}-topic-{number}.jsonl", lines)
        case _:
            spelling = draw.choice(
                ["telegram:dm", "Telegram:Direct", "telegram:direct", "slack:group", "Slack:CHANNEL"]
            )
            fields: dict[str, object] = draw.choice(
                [{}, {"provider": "telegram"}, {"room": "#x", "label": f"l{number}"}, {"unheardOf": 1}]
            )
            state.entry(f"agent:main:{spelling}:{number}", number, **fields)
            state.transcript(f"{session_id(number)}.jsonl", lines)


def _damage_lines(lines: list[str], draw: random.Random) -> list[str]:
    place = draw.randint(1, len(lines))
    match draw.choice(FILE_DAMAGE):
        case "half a last line":
            return [*lines, '{"type":"message","id":"half']
        case "nonsense between":
            return [*lines[:place], "### \ufffd not JSON", *lines[place:]]
        case "blank lines":
            return [*lines[:place], "", "   ", *lines[place:]]
        case "a line twice" if '"id"' in lines[-1]:
            # A line without an id may be said twice; one with an id was written twice.
            return [*lines, lines[-1]]
        case _:
            return lines


def _damage_index(state: OpenClawState, draw: random.Random) -> None:
    text = json.dumps(state.entries, indent=2)
    match draw.choice(INDEX_DAMAGE):
        case "empty":
            state.write_index("")
        case "zeroed":
            state.write_index("\0" * len(text))
        case "cut":
            state.write_index(text[: draw.randint(1, len(text))])
        case "missing":
            pass
        case "an entry damaged":
            state.write_index(text.replace('"updatedAt":', '"updatedAt": oops', 1))
        case "comments":
            state.write_index("// mine\n" + text.replace("\n}", ",\n}"))
        case _:
            state.write_index(text)
