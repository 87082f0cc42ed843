"""The system text: a prompt and the agent's own files (TRANS-21, STATUS-10)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

__all__ = [
    "FILE_LIMIT_CHARS",
    "WORKSPACE_FILES",
    "InjectedFile",
    "SystemText",
    "build_group_intro",
    "build_system_text",
]

FILE_LIMIT_CHARS: Final = 20_000
"""What of one file the model is told at most."""

WORKSPACE_FILES: Final = ("AGENTS.md", "SOUL.md", "USER.md")
"""The files of the workspace that are told, in this order."""

_TITLE_CHARS: Final = 80
"""What of a group's title is told."""

_DEFAULT_PROMPT: Final = (
    "You are a personal assistant. People write to you from chat apps, so answer briefly and plainly, in the"
    " language you are addressed in. Use your tools when they help, and say what you did. If there is nothing to"
    " say, answer with NO_REPLY and nothing else."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class InjectedFile:
    """How a file came into the system text; sizes are characters of the file and of what was told of it."""

    name: str
    state: Literal["OK", "TRUNCATED", "MISSING"]
    raw_chars: int
    injected_chars: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SystemText:
    """The text and a report of its files, in order."""

    text: str
    files: tuple[InjectedFile, ...]


def build_system_text(prompt: str | None, files: Sequence[tuple[str, str | None]]) -> SystemText:
    """The prompt (None or blank: the default), followed by each file under its name.

    `files` are names and texts, a text of None for a file that is not there.
    """
    parts = [prompt.strip() if prompt and prompt.strip() else _DEFAULT_PROMPT]
    reports: list[InjectedFile] = []
    for name, text in files:
        told = "" if text is None else _cut(name, text.strip())
        if told:
            parts.append(f"# {name}\n\n{told}")
        reports.append(_report(name, text, told))
    return SystemText(text="\n\n".join(parts), files=tuple(reports))


_MODES: Final[Mapping[str, str]] = {
    "always": "You hear every message. Answer only where you can add something; else answer with NO_REPLY.",
    "mention": "You are asked when somebody addresses you; what was said before stands in front of the message.",
    "command": "You are asked by commands only; what was said before stands in front of the message.",
}


def build_group_intro(*, channel: str, title: str, mode: str) -> str:
    """What an agent is told of the group it is in (CMD-24). It changes with the mode, so a new mode is told at once.

    `title` is what the platform calls the group: the word of strangers, so it is told in one short line.
    """
    name = " ".join(title.split())[:_TITLE_CHARS]
    place = f"This is the group “{name}” on {channel}." if name else f"This is a group on {channel}."
    return f"# Group\n\n{place} Several people write; each message says who. {_MODES.get(mode, '')}".rstrip()


def _cut(name: str, text: str) -> str:
    if len(text) <= FILE_LIMIT_CHARS:
        return text
    return f"{text[:FILE_LIMIT_CHARS]}\n[{name} is longer: {FILE_LIMIT_CHARS} of {len(text)} characters are shown]"


def _report(name: str, text: str | None, told: str) -> InjectedFile:
    if text is None:
        return InjectedFile(name=name, state="MISSING", raw_chars=0, injected_chars=0)
    cut = len(text.strip()) > FILE_LIMIT_CHARS
    return InjectedFile(name=name, state="TRUNCATED" if cut else "OK", raw_chars=len(text), injected_chars=len(told))
