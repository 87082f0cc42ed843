"""Whether a provider's words mean that the prompt does not fit the window (COMPACT-4, COMPACT-5)."""

from __future__ import annotations

import re
from typing import Final

__all__ = ["is_overflow_text"]

_PHRASES: Final = (
    "request_too_large",
    "context length exceeded",
    "context_length_exceeded",
    "maximum context length",
    "prompt is too long",
    "exceeds model context window",
    "context overflow",
    "input exceeds the maximum number of tokens",
    "input token count exceeds the maximum number of input tokens",
    "input is too long for the model",
    "request exceeds the maximum size",
    "exceed_context_size",  # llama.cpp
    "exceeds the available context size",  # llama.cpp
)

_TOO_SMALL: Final = re.compile(r"(?:context )?window[^.]{0,40}\btoo small\b")
"""A model that is not fit for the work at all: compacting does not mend that."""


def is_overflow_text(text: str) -> bool:
    """Whether `text` (status, code and message of a failure, case ignored) complains of too large a prompt."""
    words = text.lower()
    if _TOO_SMALL.search(words):
        return False
    if any(phrase in words for phrase in _PHRASES):
        return True
    if "request size exceeds" in words:
        return "context window" in words or "context length" in words
    return bool(re.search(r"\b413\b", words)) and "too large" in words
