"""What a wire format must know to be served, and the checks that all of them share."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from instar.testing.script import Asked, Fault, Reply, Spoken

__all__ = ["Dialect", "Failure", "Frame", "check_pairs", "dump", "read_objects", "read_text"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """A piece of a stream. `chunk` counts those that carry text of the answer, from 0; None for all others."""

    data: bytes
    chunk: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """An HTTP answer that is no success."""

    status: int
    body: Mapping[str, object]
    headers: Mapping[str, str] = field(default_factory=dict)


class Dialect(Protocol):
    """One wire format."""

    def parse(self, body: Mapping[str, object]) -> Asked:
        """The request as a script sees it."""
        ...

    def check(self, body: Mapping[str, object], asked: Asked) -> str | None:
        """Why a real provider would refuse the request; None if it would not."""
        ...

    def stream(self, reply: Reply, asked: Asked, body: Mapping[str, object]) -> Iterator[Frame]:
        """The answer in pieces, up to and with its proper end."""
        ...

    def whole(self, reply: Reply, asked: Asked) -> Mapping[str, object]:
        """The answer in one piece."""
        ...

    def fail(self, fault: Fault, asked: Asked) -> Failure:
        """A failure before the answer began."""
        ...

    def fail_inside(self, fault: Fault, asked: Asked) -> bytes:
        """A failure in the middle of a stream."""
        ...


def check_pairs(spoken: tuple[Spoken, ...]) -> str | None:
    """Why calls and results do not belong together; None if they do: each call is answered once, at once."""
    waiting: list[str] = []
    seen: set[str] = set()
    for each in spoken:
        if each.role == "tool":
            if each.call_id not in waiting:
                return f"tool result {each.call_id!r} answers no call of the message before it"
            waiting.remove(each.call_id)
            continue
        if waiting:
            return f"tool calls without a result: {', '.join(waiting)}"
        waiting = [call.id for call in each.calls]
        repeated = seen.intersection(waiting) or len(set(waiting)) != len(waiting)
        if repeated:
            return f"tool call ids must be unique: {', '.join(waiting)}"
        seen.update(waiting)
    return f"tool calls without a result: {', '.join(waiting)}" if waiting else None


def read_objects(value: object) -> list[Mapping[str, object]]:
    """The objects of a list; nothing for anything else."""
    return [each for each in value if isinstance(each, Mapping)] if isinstance(value, list) else []


def read_text(content: object) -> str:
    """The text of a content: a string, or the text parts of a list."""
    if isinstance(content, str):
        return content
    return "\n".join(str(part.get("text", "")) for part in read_objects(content) if part.get("type") == "text")


def dump(value: object) -> str:
    """Compact JSON."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
