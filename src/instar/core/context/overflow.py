"""Whether a provider's complaint means that the prompt was too large (COMPACT-4, COMPACT-5)."""

from __future__ import annotations

import re
from typing import Final

__all__ = ["is_overflow_text"]

_PHRASES: Final = (
    "request_too_large",
    "context length exceeded",
    "maximum context length",
    "prompt is too long",
    "exceeds model context window",
    "context overflow",
    "input exceeds the maximum number of tokens",
    "input token count exceeds the maximum number of input tokens",
    "input is too long for the model",
    "request exceeds the maximum size",
)

_WINDOW_TOO_SMALL: Final = re.compile(r"context window[^.\n]{0,80}?(?:too small|minimum is)|window is too small")
"""A model whose window no prompt would fit: a shorter one does not help."""


def is_overflow_text(text: str) -> bool:
    """Whether the text of an error says that the prompt does not fit; case is ignored."""
    lower = text.lower()
    if _WINDOW_TOO_SMALL.search(lower):
        return False
    if any(phrase in lower for phrase in _PHRASES):
        return True
    if "request size exceeds" in lower and ("context window" in lower or "context length" in lower):
        return True
    return "413" in lower and "too large" in lower
