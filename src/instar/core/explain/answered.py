"""What may be shown around an answer on a channel: thoughts in front of it, its tokens behind (CMD-28, PATCH-7)."""

from __future__ import annotations

from instar.core.explain.status import format_count
from instar.core.model.entry import AssistantMessage, ThinkingBlock

__all__ = ["format_thoughts", "format_usage"]


def format_thoughts(answer: AssistantMessage) -> str | None:
    """The thoughts of an answer as a quotation, None for one without."""
    thoughts = "\n\n".join(
        block.thinking.strip()
        for block in answer.content
        if isinstance(block, ThinkingBlock) and block.thinking.strip()
    )
    if not thoughts:
        return None
    quoted = "\n".join(f"> {line}".rstrip() for line in thoughts.splitlines())
    return f"Thoughts:\n{quoted}"


def format_usage(answer: AssistantMessage, level: str | None) -> str | None:
    """The line under an answer: its tokens, with ``full`` also model and price; None where nobody wants it."""
    if level not in {"tokens", "full"}:
        return None
    usage = answer.usage
    counted = usage.input + usage.cache_read + usage.cache_write
    told = [f"{format_count(counted)} tokens in, {format_count(usage.output)} out"]
    if level == "full":
        if usage.cache_read:
            told.append(f"{format_count(usage.cache_read)} of them cached")
        if usage.cost.total:
            told.append(f"${usage.cost.total:.4f}")
        told.append(f"{answer.provider}/{answer.model}")
    return f"({' · '.join(told)})"
