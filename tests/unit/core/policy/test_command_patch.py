"""Chat commands as the patches they stand for (CMD-23…28)."""

from __future__ import annotations

import pytest

from instar.core.policy.command_patch import build_command_patch
from instar.core.policy.commands import CommandContext, parse_command
from instar.core.policy.model_choice import ModelNames

CONTEXT = CommandContext(models=ModelNames(allowed=("openai/gpt-5",), default="openai/gpt-5"))


@pytest.mark.parametrize(
    ("text", "fields"),
    [
        ("/send on", {"sendPolicy": "allow"}),
        ("/send off", {"sendPolicy": "deny"}),
        ("/send inherit", {"sendPolicy": None}),
        ("/activation always", {"groupActivation": "always"}),
        (
            "/queue collect debounce:2s cap:5 drop:old",
            {"queueMode": "collect", "queueDebounceMs": 2000, "queueCap": 5, "queueDrop": "old"},
        ),
        ("/queue fifo", {"queueMode": "followup"}),
        ("/queue default", {"queueMode": None, "queueDebounceMs": None, "queueCap": None, "queueDrop": None}),
        ("/model gpt-5", {"model": "openai/gpt-5"}),
        ("/think high", {"thinkingLevel": "high"}),
        ("/think stream", {"thinkingLevel": "low", "reasoningLevel": "stream"}),
        ("/verbose full", {"verboseLevel": "full"}),
        ("/reasoning stream", {"reasoningLevel": "stream"}),
        ("/elevated ask", {"elevatedLevel": "ask"}),
        ("/usage tokens", {"responseUsage": "tokens"}),
        ("/think low /verbose on", {"thinkingLevel": "low", "verboseLevel": "on"}),
    ],
)
def test_a_command_sets_the_field_it_stands_for(text, fields) -> None:
    command = parse_command(text, CONTEXT)
    assert command is not None
    patch = build_command_patch(command)
    assert patch is not None
    assert dict(patch.fields) == fields
    assert set(fields) <= set(patch.shown)


@pytest.mark.parametrize("text", ["/send", "/queue", "/model", "/think", "/verbose"])
def test_a_bare_command_sets_nothing_and_shows_the_field(text) -> None:
    patch = build_command_patch(parse_command(text, CONTEXT))
    assert patch.fields == {}
    assert patch.shown


@pytest.mark.parametrize(
    "text", ["/queue sideways", "/queue cap:none", "/think banana", "/model nothing-like-it", "/activation maybe"]
)
def test_a_word_that_means_nothing_is_answered_with_the_usage(text) -> None:
    patch = build_command_patch(parse_command(text, CONTEXT))
    assert patch.fields == {}
    assert patch.usage.startswith("/")


def test_commands_that_set_nothing_have_no_patch() -> None:
    assert build_command_patch(parse_command("/status", CONTEXT)) is None
