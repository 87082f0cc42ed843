"""COMPACT-5: what providers say when a prompt is too large."""

from __future__ import annotations

import pytest

from instar.core.context.overflow import is_overflow_text


@pytest.mark.parametrize(
    "text",
    [
        '{"type":"error","error":{"type":"request_too_large"}}',
        "Context length exceeded",
        "400 context_length_exceeded",
        "This model's maximum context length is 8192 tokens. However, you requested 9000 tokens",
        "prompt is too long: 212000 tokens > 200000 maximum",
        "The input exceeds model context window",
        "context overflow",
        "Input exceeds the maximum number of tokens allowed",
        "The input token count exceeds the maximum number of input tokens allowed (1048576).",
        "Input is too long for the model",
        "Request exceeds the maximum size",
        "Request size exceeds the model's context window",
        "request size exceeds context length",
        "413 Request Entity Too Large",
        "exceed_context_size_error",
        "the request exceeds the available context size, try increasing it",
    ],
)
def test_these_words_mean_that_the_prompt_is_too_large(text: str) -> None:
    assert is_overflow_text(text)
    assert is_overflow_text(text.upper())


@pytest.mark.parametrize(
    "text",
    [
        "",
        "rate limit reached",
        "Request too large for gpt-4o on tokens per min (TPM): Limit 30000, Requested 40000",
        "request size exceeds 20 MB",
        "413 payload",
        "the file is too large",
        "4130 is too large",
        "The model's context window is too small for this task: prompt is too long for it",
        "invalid api key",
    ],
)
def test_these_words_mean_something_else(text: str) -> None:
    assert not is_overflow_text(text)
