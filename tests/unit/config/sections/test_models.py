"""CFG-13: providers, models, prices, aliases and keys."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from instar.config.sections.models import AllowedModel, ModelsSettings, parse_models
from instar.errors import ConfigError


def parse(root: Mapping[str, object], **environ: str) -> ModelsSettings:
    return parse_models(root, environ=environ)


def provider(**fields: object) -> dict[str, object]:
    return {"models": {"providers": {"mine": {"baseUrl": "http://127.0.0.1:1/v1/", **fields}}}}


def test_nothing_configured_is_no_provider_at_all() -> None:
    assert parse({}) == ModelsSettings(providers={}, allowed=None)


def test_a_provider_speaks_chat_completions_unless_it_says_otherwise() -> None:
    mine = parse(provider()).providers["mine"]
    assert (mine.api, mine.base_url, mine.api_key) == ("openai-completions", "http://127.0.0.1:1/v1", None)
    assert parse(provider(api="anthropic-messages")).providers["mine"].api == "anthropic-messages"


def test_models_are_read_whole_or_as_a_bare_id() -> None:
    full = {
        "id": "m-1",
        "name": "Em",
        "contextWindow": 32768,
        "maxTokens": 4096,
        "reasoning": True,
        "input": ["text", "image"],
        "cost": {"input": 1, "output": 2.5, "cacheRead": 0, "cacheWrite": None},
    }
    first, second = parse(provider(models=[full, "m-2"])).providers["mine"].models
    assert (first.id, first.name, first.context_window, first.max_tokens) == ("m-1", "Em", 32768, 4096)
    assert (first.reasoning, first.input_kinds) == (True, ("text", "image"))
    assert first.cost == {"input": 1.0, "output": 2.5, "cacheRead": 0.0}
    assert (second.id, second.context_window, second.cost) == ("m-2", None, {})


def test_keys_of_the_environment_switch_on_the_built_in_providers() -> None:
    settings = parse({}, OPENAI_API_KEY="o", ANTHROPIC_API_KEY="a", GEMINI_API_KEY="g", OPENROUTER_API_KEY="r")
    assert list(settings.providers) == ["anthropic", "openai", "google", "openrouter"]
    assert settings.providers["openrouter"].base_url == "https://openrouter.ai/api/v1"
    assert settings.providers["google"].api == "google-generative-ai"
    assert settings.providers["openai"].key_source == "OPENAI_API_KEY"


def test_a_blank_key_switches_nothing_on() -> None:
    assert parse({}, OPENAI_API_KEY="  ").providers == {}


def test_a_key_goes_to_the_address_that_stands_beside_it() -> None:
    settings = parse({}, OPENAI_API_KEY="o", OPENAI_BASE_URL="http://127.0.0.1:9/v1/")
    assert settings.providers["openai"].base_url == "http://127.0.0.1:9/v1"


def test_a_configured_built_in_provider_takes_the_rest_from_the_table_and_the_environment() -> None:
    root = {"models": {"providers": {"OpenAI": {"models": ["gpt-5.2"]}}}}
    openai = parse(root, OPENAI_API_KEY="o").providers["openai"]
    assert (openai.api, openai.base_url, openai.api_key) == ("openai-completions", "https://api.openai.com/v1", "o")
    assert parse(root).providers["openai"].api_key is None
    assert parse(root).providers["openai"].key_source == "OPENAI_API_KEY"


def test_a_provider_of_the_same_machine_needs_neither_key_nor_address() -> None:
    ollama = parse({"models": {"providers": {"ollama": {}}}}, OLLAMA="x").providers["ollama"]
    assert (ollama.base_url, ollama.api_key) == ("http://127.0.0.1:11434/v1", None)


@pytest.mark.parametrize("written", ["${MY_KEY}", {"source": "env", "id": "MY_KEY"}, {"id": "MY_KEY"}])
def test_a_key_may_come_from_a_variable(written: object) -> None:
    mine = parse(provider(apiKey=written), MY_KEY=" secret ").providers["mine"]
    assert (mine.api_key, mine.key_source) == ("secret", "MY_KEY")
    assert parse(provider(apiKey=written)).providers["mine"].api_key is None


def test_a_key_may_stand_in_the_file() -> None:
    mine = parse(provider(apiKey="secret")).providers["mine"]
    assert (mine.api_key, mine.key_source) == ("secret", "models.providers.mine.apiKey")


def test_headers_are_sent_along_and_count_as_secrets() -> None:
    settings = parse(provider(apiKey="secret-key", headers={"X-Team": "team-a", "X-None": ""}))
    assert settings.providers["mine"].headers == {"X-Team": "team-a"}
    assert settings.secrets == ("secret-key", "team-a")


def test_no_secret_shows_when_settings_are_printed() -> None:
    assert "secret" not in repr(parse(provider(apiKey="secret", headers={"X": "secret"})))


def test_the_allowed_list_keeps_its_order_and_its_aliases() -> None:
    root = {"agents": {"defaults": {"models": {"a/b": {"alias": "fast"}, " c/d/e ": None, "f/g": {}}}}}
    assert parse(root).allowed == (
        AllowedModel(ref="a/b", alias="fast"),
        AllowedModel(ref="c/d/e"),
        AllowedModel(ref="f/g"),
    )


@pytest.mark.parametrize(
    ("root", "path"),
    [
        ({"models": []}, "models"),
        ({"models": {"providers": {"mine": {}}}}, "models.providers.mine.baseUrl"),
        ({"models": {"providers": {"mine": "x"}}}, "models.providers.mine"),
        (provider(models=[{}]), "models.providers.mine.models[0]"),
        (provider(models=[{"id": "m", "contextWindow": 0}]), "models.providers.mine.models[0].contextWindow"),
        (provider(models=[{"id": "m", "cost": {"output": -1}}]), "models.providers.mine.models[0].cost.output"),
        (provider(apiKey={"source": "vault", "id": "x"}), "models.providers.mine.apiKey"),
        (provider(apiKey=7), "models.providers.mine.apiKey"),
        ({"agents": {"defaults": {"models": ["a/b"]}}}, "agents.defaults.models"),
        ({"agents": {"defaults": {"models": {"a/b": "fast"}}}}, 'agents.defaults.models["a/b"]'),
    ],
)
def test_what_cannot_be_meant_is_refused_with_its_place(root: Mapping[str, object], path: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse(root)
    assert caught.value.path == path
    assert caught.value.fix


def test_a_key_without_a_variable_name_is_no_key() -> None:
    assert parse(provider(apiKey={"source": "env"})).providers["mine"].api_key is None
