"""Providers and models (CFG-13): ``models.providers``, ``agents.defaults.models``, and the keys of the environment.

A provider is there when the configuration names it, or when the environment holds a key for a built-in one. A key
may be written in the file, or taken from the environment by ``"${NAME}"`` or ``{source: "env", id: "NAME"}``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from instar.config.read import (
    join_path,
    read_bool,
    read_list,
    read_number,
    read_object,
    read_text,
    read_text_list,
    read_whole,
    wrong_type,
)
from instar.config.sections.agents import agent_defaults
from instar.errors import ConfigError

__all__ = [
    "BUILT_IN_PROVIDERS",
    "AllowedModel",
    "BuiltInProvider",
    "ModelSettings",
    "ModelsSettings",
    "ProviderSettings",
    "parse_models",
]

DEFAULT_API: Final = "openai-completions"
"""What a provider speaks that does not say: nearly every server of models does."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BuiltInProvider:
    """A provider that needs nothing but a key: `key_variable` holds it, `url_variable` may name another address.

    `key_variable` is empty for one that runs on the same machine; it is there only when the configuration names it.
    """

    api: str
    base_url: str
    key_variable: str = ""
    url_variable: str = ""


BUILT_IN_PROVIDERS: Final[Mapping[str, BuiltInProvider]] = {
    "anthropic": BuiltInProvider(
        api="anthropic-messages",
        base_url="https://api.anthropic.com",
        key_variable="ANTHROPIC_API_KEY",
        url_variable="ANTHROPIC_BASE_URL",
    ),
    "openai": BuiltInProvider(
        api="openai-completions",
        base_url="https://api.openai.com/v1",
        key_variable="OPENAI_API_KEY",
        url_variable="OPENAI_BASE_URL",
    ),
    "google": BuiltInProvider(
        api="google-generative-ai",
        base_url="https://generativelanguage.googleapis.com",
        key_variable="GEMINI_API_KEY",
    ),
    "openrouter": BuiltInProvider(
        api="openai-completions", base_url="https://openrouter.ai/api/v1", key_variable="OPENROUTER_API_KEY"
    ),
    "ollama": BuiltInProvider(api="openai-completions", base_url="http://127.0.0.1:11434/v1"),
}
"""In the order in which a default model is looked for when several keys are set and no model is chosen."""

PRICE_NAMES: Final = ("input", "output", "cacheRead", "cacheWrite")


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelSettings:
    """A model as the configuration describes it; None where it does not, then the built-in catalogue may know.

    `cost` is in US dollars per million tokens, by the names `input`, `output`, `cacheRead`, `cacheWrite`.
    """

    id: str
    name: str | None = None
    context_window: int | None = None
    max_tokens: int | None = None
    reasoning: bool | None = None
    input_kinds: tuple[str, ...] = ()
    cost: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderSettings:
    """One provider. `api_key` None: there is none, which servers on the same machine do not mind.

    `key_source` says where the key comes from or should come from, for people: a variable or a setting.
    """

    name: str
    api: str
    base_url: str
    api_key: str | None = field(default=None, repr=False)
    key_source: str = ""
    models: tuple[ModelSettings, ...] = ()
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class AllowedModel:
    """A row of ``agents.defaults.models``: ``provider/model`` and the short name people may use for it."""

    ref: str
    alias: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelsSettings:
    """Every provider by name, in order: those of the configuration, then those that a key switched on.

    `allowed` None means that all configured and built-in models may be chosen. `default_window` are the tokens of a
    model whose window nobody knows, None if that is not said either.
    """

    providers: Mapping[str, ProviderSettings] = field(default_factory=dict)
    allowed: tuple[AllowedModel, ...] | None = None
    default_window: int | None = None

    @property
    def secrets(self) -> tuple[str, ...]:
        """Every key and header value, for the redactor (LEAK-12)."""
        keys = [provider.api_key for provider in self.providers.values() if provider.api_key]
        headers = [value for provider in self.providers.values() for value in provider.headers.values()]
        return (*keys, *headers)


def parse_models(root: Mapping[str, object], *, environ: Mapping[str, str]) -> ModelsSettings:
    """The providers and allowed models of a whole configuration whose aliases are applied."""
    section = read_object(root.get("models"), "models")
    configured = read_object(section.get("providers"), "models.providers")
    providers: dict[str, ProviderSettings] = {}
    for name, value in configured.items():
        provider = _parse_provider(name, value, environ=environ)
        providers[provider.name] = provider
    for name, built_in in BUILT_IN_PROVIDERS.items():
        key = environ.get(built_in.key_variable, "").strip() if built_in.key_variable else ""
        if key and name not in providers:
            providers[name] = ProviderSettings(
                name=name,
                api=built_in.api,
                base_url=_built_in_url(built_in, environ),
                api_key=key,
                key_source=built_in.key_variable,
            )
    window = read_whole(agent_defaults(root).get("contextTokens"), "agents.defaults.contextTokens", least=1)
    return ModelsSettings(providers=providers, allowed=_parse_allowed(root), default_window=window)


def _parse_provider(written: str, value: object, *, environ: Mapping[str, str]) -> ProviderSettings:
    path = join_path("models.providers", written)
    name = written.strip().lower()
    raw = read_object(value, path)
    built_in = BUILT_IN_PROVIDERS.get(name)
    base_url = read_text(raw.get("baseUrl"), f"{path}.baseUrl")
    if base_url is None and built_in is not None:
        base_url = _built_in_url(built_in, environ)
    if base_url is None:
        raise ConfigError(
            f'The provider "{written}" has no address',
            why="it is not one of the built-in ones, which need none",
            fix='Add baseUrl, for example "http://127.0.0.1:11434/v1".',
            path=f"{path}.baseUrl",
        )
    key, source = _read_key(raw.get("apiKey"), f"{path}.apiKey", environ=environ)
    if key is None and not source and built_in is not None:
        key, source = environ.get(built_in.key_variable, "").strip() or None, built_in.key_variable
    return ProviderSettings(
        name=name,
        api=read_text(raw.get("api"), f"{path}.api") or (built_in.api if built_in else DEFAULT_API),
        base_url=base_url.rstrip("/"),
        api_key=key,
        key_source=source or f"{path}.apiKey",
        models=tuple(
            _parse_model(item, f"{path}.models[{at}]")
            for at, item in enumerate(read_list(raw.get("models"), f"{path}.models"))
        ),
        headers=_parse_headers(raw.get("headers"), f"{path}.headers"),
    )


def _built_in_url(provider: BuiltInProvider, environ: Mapping[str, str]) -> str:
    """Its address; the variable that its own tools read may name another, and then the key belongs there."""
    named = environ.get(provider.url_variable, "").strip() if provider.url_variable else ""
    return (named or provider.base_url).rstrip("/")


_VARIABLE: Final = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")


def _read_key(value: object, path: str, *, environ: Mapping[str, str]) -> tuple[str | None, str]:
    """The key and where it came from. A variable that is not set gives no key, and its name."""
    if isinstance(value, Mapping):
        if value.get("source", "env") != "env":
            raise ConfigError(
                "The key is kept where this build cannot read it",
                why='only the source "env" is known',
                fix='Write {source: "env", id: "NAME"} or "${NAME}".',
                path=path,
            )
        variable = read_text(value.get("id"), f"{path}.id") or ""
    else:
        text = read_text(value, path)
        if text is None:
            return None, ""
        found = _VARIABLE.fullmatch(text)
        if found is None:
            return text, path
        variable = found.group(1)
    return environ.get(variable, "").strip() or None, variable or path


def _parse_headers(value: object, path: str) -> Mapping[str, str]:
    headers = read_object(value, path)
    return {name: text for name, each in headers.items() if (text := read_text(each, join_path(path, name)))}


def _parse_model(value: object, path: str) -> ModelSettings:
    raw = {"id": value} if isinstance(value, str) else read_object(value, path)
    model_id = read_text(raw.get("id"), f"{path}.id")
    if model_id is None:
        raise ConfigError("A model has no id", fix='Add id: "…", as the provider spells it.', path=path)
    return ModelSettings(
        id=model_id,
        name=read_text(raw.get("name"), f"{path}.name"),
        context_window=read_whole(raw.get("contextWindow"), f"{path}.contextWindow", least=1),
        max_tokens=read_whole(raw.get("maxTokens"), f"{path}.maxTokens", least=1),
        reasoning=read_bool(raw.get("reasoning"), f"{path}.reasoning"),
        input_kinds=read_text_list(raw.get("input"), f"{path}.input"),
        cost=_parse_cost(raw.get("cost"), f"{path}.cost"),
    )


def _parse_cost(value: object, path: str) -> Mapping[str, float]:
    raw = read_object(value, path)
    prices = {name: read_number(raw.get(name), f"{path}.{name}") for name in PRICE_NAMES}
    negative = next((name for name, price in prices.items() if price is not None and price < 0), None)
    if negative is not None:
        raise ConfigError(
            "The price is negative", fix="Write US dollars per million tokens, from 0 on.", path=f"{path}.{negative}"
        )
    return {name: float(price) for name, price in prices.items() if price is not None}


def _parse_allowed(root: Mapping[str, object]) -> tuple[AllowedModel, ...] | None:
    path = "agents.defaults.models"
    value = agent_defaults(root).get("models")
    if value is None:
        return None
    if not isinstance(value, Mapping):
        raise wrong_type(path, value, wanted="an object", fix='Write {"provider/model": {alias: "…"}}.')
    return tuple(
        AllowedModel(
            ref=ref.strip(),
            alias=read_text(read_object(each, join_path(path, ref)).get("alias"), f"{join_path(path, ref)}.alias"),
        )
        for ref, each in value.items()
    )
