"""What `/model` says (CMD-28)."""

from __future__ import annotations

from instar.core.policy.model_choice import ModelNames
from instar.core.policy.model_text import describe_models, describe_unknown_model

NAMES = ModelNames(
    allowed=("openai/gpt-6", "anthropic/claude-opus-5"),
    aliases={"opus": "anthropic/claude-opus-5"},
    default="openai/gpt-6",
)
MANY = ModelNames(allowed=tuple(f"p/m{number}" for number in range(23)))


def test_the_model_is_named_with_who_chose_it_and_the_others():
    assert describe_models(NAMES, current="openai/gpt-6", is_chosen=False) == (
        "Model: openai/gpt-6 (the default)\n/model <name> chooses another: anthropic/claude-opus-5 (opus)"
    )
    alone = ModelNames(allowed=("p/m",))
    assert describe_models(alone, current="p/m", is_chosen=True) == "Model: p/m (chosen for this session)"


def test_a_near_name_is_offered():
    assert "Did you mean anthropic/claude-opus-5?" in describe_unknown_model("claude-opus", NAMES)
    assert "Did you mean anthropic/claude-opus-5?" in describe_unknown_model("Opsu", NAMES)
    assert "Did you mean" not in describe_unknown_model("xyz", NAMES)


def test_a_long_catalogue_is_cut_and_an_empty_one_says_what_to_do():
    assert describe_unknown_model("xyz", MANY).endswith("p/m19, and 3 more")
    assert "models.providers" in describe_unknown_model("xyz", ModelNames())
