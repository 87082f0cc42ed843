"""Complaints of providers about prompts that are too large."""

import pytest

from instar.core.context.overflow import is_overflow_text


@pytest.mark.parametrize(
    "text",
    [
        "413 request_too_large",
        "Context length exceeded",
        "This model's maximum context length is 128000 tokens",
        "prompt is too long: 212000 tokens > 200000 maximum",
        "Input exceeds model context window",
        "Context overflow: try again",
        "input exceeds the maximum number of tokens",
        "The input token count exceeds the maximum number of input tokens allowed",
        "Input is too long for the model",
        "Request exceeds the maximum size",
        "request size exceeds the model's context window",
        "Request size exceeds model context length",
        "HTTP 413: payload too large",
    ],
)
def test_overflow_is_recognised(text):
    assert is_overflow_text(text)
    assert is_overflow_text(text.upper())


@pytest.mark.parametrize(
    "text",
    [
        "",
        "rate limit exceeded",
        "request size exceeds the upload limit",
        "413 unauthorised",
        "the file is too large",
        "Model context window too small (4096 tokens). Minimum is 16000.",
        "context overflow: the context window of this model is 4096, the minimum is 16000",
        "context overflow: this model's window is too small",
    ],
)
def test_other_complaints_are_no_overflow(text):
    assert not is_overflow_text(text)
