"""CFG-13: which models there are and which one is meant."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date

import pytest

from instar.config.sections.models import ModelsSettings, parse_models
from instar.core.policy.model_choice import take_model
from instar.errors import ConfigError, ModelNotFound
from instar.runners.catalog import (
    CATALOGUE,
    CATALOGUE_DATE,
    build_model_names,
    list_models,
    resolve_choice,
    resolve_model,
    supports_xhigh,
)
from instar.runners.echo import ECHO_MODEL

NOTHING = parse_models({}, environ={})


def settings(providers: Mapping[str, object] | None = None, allowed: object = None, **environ: str) -> ModelsSettings:
    root = {"models": {"providers": providers or {}}, "agents": {"defaults": {"models": allowed}}}
    return parse_models(root, environ=environ)


OWN = {"own": {"baseUrl": "http://127.0.0.1:1/v1", "models": ["Llama-3", {"id": "qwen", "contextWindow": 32768}]}}


def test_without_a_provider_the_echo_answers() -> None:
    assert resolve_model(NOTHING, None) is ECHO_MODEL
    assert list_models(NOTHING) == ()
    assert build_model_names(NOTHING).default is None


def test_a_key_alone_gives_that_providers_first_model() -> None:
    assert resolve_model(settings(OPENAI_API_KEY="k"), None).ref == f"openai/{CATALOGUE['openai'][0].id}"
    assert resolve_model(settings(ANTHROPIC_API_KEY="a", OPENAI_API_KEY="o"), None).provider == "anthropic"


def test_a_configured_provider_comes_before_the_keys() -> None:
    assert resolve_model(settings(OWN, OPENAI_API_KEY="k"), None).ref == "own/Llama-3"


def test_a_provider_without_any_model_leaves_the_echo_as_default_but_can_be_asked() -> None:
    bare = settings({"own": {"baseUrl": "http://127.0.0.1:1/v1"}})
    assert resolve_model(bare, None) is ECHO_MODEL
    assert resolve_model(bare, "own/anything").ref == "own/anything"


@pytest.mark.parametrize(
    ("wanted", "ref"),
    [
        ("own/Llama-3", "own/Llama-3"),
        ("OWN/llama-3", "own/Llama-3"),
        ("llama-3", "own/Llama-3"),
        ("fast", "own/qwen"),
        ("FAST", "own/qwen"),
        ("own/not-in-the-list", "own/not-in-the-list"),
        ("openrouter/anthropic/claude-sonnet-5.5", "openrouter/anthropic/claude-sonnet-5.5"),
        (" own/qwen ", "own/qwen"),
    ],
)
def test_a_model_is_found_by_reference_alias_or_its_own_id(wanted: str, ref: str) -> None:
    here = settings(OWN, {"own/qwen": {"alias": "fast"}}, OPENROUTER_API_KEY="k")
    assert resolve_model(here, wanted).ref == ref


def test_an_id_that_two_providers_have_is_not_guessed() -> None:
    two = {
        "a": {"baseUrl": "http://127.0.0.1:1", "models": ["m"]},
        "b": {"baseUrl": "http://127.0.0.1:2", "models": ["m"]},
    }
    with pytest.raises(ModelNotFound):
        resolve_model(settings(two), "m")
    assert resolve_model(settings(two), "b/m").provider == "b"


def test_a_name_that_fits_nothing_is_refused_with_the_nearest_ones() -> None:
    with pytest.raises(ModelNotFound) as caught:
        resolve_model(settings(OPENAI_API_KEY="k"), "opena/gpt-5.2")
    assert "openai/gpt-5.2" in caught.value.fix
    with pytest.raises(ModelNotFound, match="there is no provider"):
        resolve_model(NOTHING, "openai/gpt-5.2")
    with pytest.raises(ModelNotFound, match="no provider that is set up has it"):
        resolve_model(NOTHING, "gpt-5.2")


def test_the_table_knows_windows_and_prices_and_the_configuration_wins() -> None:
    plain = resolve_model(settings(ANTHROPIC_API_KEY="k"), "anthropic/claude-sonnet-4-5")
    assert (plain.context_window, plain.price["input"], plain.reasoning) == (200_000, 3, True)
    assert plain.input_kinds == ("text", "image")
    own = {
        "id": "claude-sonnet-4-5",
        "contextWindow": 1000,
        "cost": {"input": 9},
        "reasoning": False,
        "input": ["text"],
    }
    mine = resolve_model(settings({"anthropic": {"models": [own]}}), "anthropic/claude-sonnet-4-5")
    assert (mine.context_window, mine.price, mine.reasoning) == (1000, {"input": 9.0}, False)
    assert mine.input_kinds == ("text",)


@pytest.mark.parametrize(
    "ref",
    [
        "anthropic/claude-sonnet-4-5-20250929",
        "anthropic/Claude-Sonnet-4-5",
        "anthropic/claude-sonnet-4-5-latest",
        "openrouter/anthropic/claude-sonnet-4.5",
    ],
)
def test_a_dated_or_routed_name_has_the_numbers_of_its_family(ref: str) -> None:
    here = settings(ANTHROPIC_API_KEY="a", OPENROUTER_API_KEY="o")
    assert resolve_model(here, ref).context_window == 200_000


def test_an_unknown_model_has_no_numbers_and_no_eyes() -> None:
    spec = resolve_model(settings(OWN), "own/Llama-3")
    assert (spec.context_window, spec.price, spec.reasoning, spec.input_kinds) == (None, {}, False, ("text",))


def test_a_window_that_nobody_knows_is_the_configured_one() -> None:
    root = {
        "models": {"providers": {**OWN, "anthropic": {"apiKey": "k"}}},
        "agents": {"defaults": {"contextTokens": 32_000.9}},
    }
    here = parse_models(root, environ={})
    assert resolve_model(here, "own/Llama-3").context_window == 32_000
    assert resolve_model(here, "anthropic/claude-sonnet-4-5").context_window == 200_000
    assert [spec.context_window for spec in list_models(here) if spec.provider == "own"] == [32_000, 32_768]


@pytest.mark.parametrize("window", [0, -1, "many", True])
def test_a_window_that_is_no_number_of_tokens_is_refused_by_name(window: object) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_models({"agents": {"defaults": {"contextTokens": window}}}, environ={})
    assert caught.value.path == "agents.defaults.contextTokens"


@pytest.mark.parametrize(
    ("key", "auth"), [("sk-ant-api03-x", "api-key"), ("sk-ant-oat01-x", "oauth"), ("k", "api-key"), (None, "none")]
)
def test_a_model_says_how_its_provider_knows_who_asks(key: str | None, auth: str) -> None:
    here = settings({"anthropic": {"apiKey": key}})
    assert resolve_model(here, "anthropic/claude-sonnet-4-5").auth == auth
    assert ECHO_MODEL.auth == "none"


def test_a_configured_model_is_not_listed_twice() -> None:
    here = settings({"openai": {"models": ["gpt-5.2"]}}, OPENAI_API_KEY="k")
    refs = [spec.ref for spec in list_models(here)]
    assert refs[0] == "openai/gpt-5.2"
    assert len(refs) == len(set(refs))


def test_the_allowed_list_is_what_a_person_may_choose_from() -> None:
    here = settings(OWN, {"own/qwen": {"alias": "fast"}})
    names = build_model_names(here, primary="own/qwen")
    assert (names.allowed, names.default) == (("own/qwen",), "own/qwen")
    assert take_model(["fast", "hello"], names) == ("own/qwen", 1)


def test_the_default_may_be_chosen_even_where_the_list_forgot_it() -> None:
    names = build_model_names(settings(OWN, {"own/qwen": {}}), primary="own/Llama-3")
    assert names.allowed == ("own/Llama-3", "own/qwen")


def test_without_a_list_everything_may_be_chosen() -> None:
    names = build_model_names(settings(OWN))
    assert names.allowed == ("own/Llama-3", "own/qwen")
    assert names.default == "own/Llama-3"


def test_fallbacks_come_in_order_without_repeats_and_without_those_that_are_not_there() -> None:
    chosen = resolve_choice(settings(OWN), primary="own/qwen", fallbacks=["own/qwen", "nobody/x", "llama-3"])
    assert [spec.ref for spec in chosen] == ["own/qwen", "own/Llama-3"]


def test_the_highest_thinking_level_is_for_those_that_know_it() -> None:
    here = settings(OWN, ANTHROPIC_API_KEY="k")
    assert supports_xhigh(resolve_model(here, "anthropic/claude-opus-5-5"))
    assert not supports_xhigh(resolve_model(here, "anthropic/claude-haiku-4-5"))
    assert not supports_xhigh(resolve_model(here, "own/qwen"))


def test_the_table_is_dated_and_consistent() -> None:
    assert date.fromisoformat(CATALOGUE_DATE)
    for rows in CATALOGUE.values():
        assert len({row.id for row in rows}) == len(rows)
        for row in rows:
            assert row.id == row.id.lower()
            assert 8_000 <= row.context_window <= 4_000_000
            assert 0 < row.price["cacheRead"] < row.price["input"] < row.price["output"]
            longs = {name for name in row.price if name.startswith("long")}
            assert not longs or {"longFrom", "longInput", "longOutput"} <= longs
