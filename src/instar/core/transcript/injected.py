"""Assistant lines that no model wrote: injected text and mirrored deliveries (TRANS-15, TRANS-16)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from instar.core.model.entry import ZERO_USAGE, AnyMessage, AssistantMessage, TextBlock
from instar.core.model.ids import Instant

__all__ = ["build_injected_message", "build_mirror_message", "is_injected", "is_model_answer"]

_PROVIDER: Final = "openclaw"
"""The provider of lines without a model, as every reader of the format knows it."""


def build_injected_message(text: str, *, label: str | None, at: Instant) -> AssistantMessage:
    """The message of `chat.inject`: `text`, with ``[label]`` in a line of its own in front if there is one."""
    return _message(f"[{label}]\n\n{text}" if label else text, model="gateway-injected", stop="injected", at=at)


def build_mirror_message(text: str, *, file_names: Sequence[str] = (), at: Instant) -> AssistantMessage:
    """The message for text that was delivered without a model turn; media without text is named by its files.

    It waits for tools that send messages of their own (TRANS-15).
    """
    return _message(text.strip() or ", ".join(file_names), model="delivery-mirror", stop="stop", at=at)


def _message(text: str, *, model: str, stop: str, at: Instant) -> AssistantMessage:
    return AssistantMessage(
        content=(TextBlock(text=text),),
        api="openai-responses",
        provider=_PROVIDER,
        model=model,
        usage=ZERO_USAGE,
        stop_reason=stop,
        timestamp=at,
    )


def is_injected(message: AnyMessage) -> bool:
    """Whether an operator put a line in with `chat.inject`: it answers nobody (TRANS-16)."""
    return isinstance(message, AssistantMessage) and message.stop_reason == "injected"


def is_model_answer(message: AssistantMessage) -> bool:
    """Whether a provider was asked for this message; False for injected and mirrored lines."""
    return message.stop_reason != "injected" and message.provider != _PROVIDER and bool(message.model)
