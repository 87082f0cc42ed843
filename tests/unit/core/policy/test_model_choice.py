"""Which model a few words mean (CMD-5, CMD-6)."""

from __future__ import annotations

import pytest

from instar.core.model.session import Overrides
from instar.core.policy.model_choice import ModelNames, apply_model_choice, find_model, require_model, take_model
from instar.errors import InvalidRequest

NAMES = ModelNames(
    allowed=(
        "anthropic/claude-sonnet-4-5",
        "anthropic/claude-opus-4-5",
        "openai/GPT-5.2",
        "openai/gpt-5.2-mini",
        "google/gemini-3-pro",
        "minimax/m2.1",
        "router/openai/o3",
        "router/gemini-3-pro",
    ),
    aliases={"opus": "anthropic/claude-opus-4-5", "Quick-Fox": "openai/gpt-5.2", "ghost": "nobody/none"},
    default="anthropic/claude-sonnet-4-5",
)


@pytest.mark.parametrize(
    ("word", "model"),
    [
        ("OPUS", "anthropic/claude-opus-4-5"),
        ("quick-fox", "openai/GPT-5.2"),
        ("openai/gpt-5.2", "openai/GPT-5.2"),
        ("m2.1", "minimax/m2.1"),
        ("openai/o3", "router/openai/o3"),
        ("gemini-3-pro", None),
        ("ghost", None),
        ("claude", None),
        ("anthropic/claude-haiku", None),
    ],
)
def test_an_exact_name_is_an_alias_a_full_name_or_an_id_of_one_provider(word, model):
    assert find_model(word, NAMES) == model


@pytest.mark.parametrize(
    ("text", "model", "used"),
    [
        ("openai gpt-5.2 go", "openai/GPT-5.2", 2),
        ("anthropic opus", "anthropic/claude-opus-4-5", 2),
        ("openai mini write", "openai/gpt-5.2-mini", 2),
        ("openai 5 write", "openai/GPT-5.2", 2),
        ("openai fox", "openai/GPT-5.2", 2),
        ("anthropic is a name", "anthropic/claude-sonnet-4-5", 1),
        ("minimax summarise", "minimax/m2.1", 1),
        ("opus go on", "anthropic/claude-opus-4-5", 1),
        ("openai/mini go", "openai/gpt-5.2-mini", 1),
        ("gemini-3-pro", "google/gemini-3-pro", 1),
        ("claude", "anthropic/claude-sonnet-4-5", 1),
        ("sonnet hi", "anthropic/claude-sonnet-4-5", 1),
        ("k-fox go", None, 0),
        ("ck-fox go", "openai/GPT-5.2", 1),
        ("hello there", None, 0),
        ("nobody/none", None, 0),
        ("google/", None, 0),
        ("mini", None, 0),
        ("summarise the plan", None, 0),
        ("", None, 0),
    ],
)
def test_words_that_mean_a_model_are_taken_and_others_are_text(text, model, used):
    expected = None if model is None else (model, used)
    assert take_model(text.split(), NAMES) == expected


def test_a_request_names_an_allowed_model_or_is_refused():
    known = NAMES.allowed[0]
    assert require_model(f" {known} ", NAMES, field="model") == known
    with pytest.raises(InvalidRequest, match="model not allowed: nosuch"):
        require_model("nosuch", NAMES, field="model")


def test_a_guess_prefers_the_default_then_the_shorter_id_then_the_order():
    assert take_model(["openai", "gpt"], NAMES) == ("openai/GPT-5.2", 2)
    tie = ModelNames(allowed=("a/model-1", "b/model-2"))
    assert take_model(["model-"], tie) == ("a/model-1", 1)
    assert take_model(["model-"], ModelNames(allowed=tie.allowed, default="b/model-2")) == ("b/model-2", 1)


def test_without_a_list_nothing_is_a_model():
    assert take_model(["opus"], ModelNames(aliases={"opus": "anthropic/claude-opus-4-5"})) is None
    assert find_model("opus", ModelNames(aliases={"opus": "anthropic/claude-opus-4-5"})) is None


def test_a_chosen_model_becomes_the_override_and_auth_goes():
    old = Overrides(auth_profile_override="work", auth_profile_override_source="user", thinking_level="high")
    chosen = apply_model_choice(old, "router/openai/o3", default=NAMES.default)
    assert chosen == Overrides(provider_override="router", model_override="openai/o3", thinking_level="high")


def test_choosing_the_default_clears_the_override():
    old = Overrides(provider_override="openai", model_override="gpt-5.2")
    assert apply_model_choice(old, "anthropic/claude-sonnet-4-5", default=NAMES.default) == Overrides()
