"""Which models there are, and which one is meant (CFG-13).

The built-in table knows windows and prices of common models; the configuration may override every number and add
models of its own. It is a convenience and no gate: a provider may be asked for a model that no table knows.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from instar.config.sections.models import ModelSettings, ModelsSettings, ProviderSettings
from instar.core.context.heartbeat import AuthKind
from instar.core.policy.model_choice import ModelNames, find_model
from instar.errors import ModelNotFound
from instar.ports.runner import ModelSpec
from instar.runners.echo import ECHO_MODEL

__all__ = [
    "CATALOGUE",
    "CATALOGUE_DATE",
    "CatalogueModel",
    "build_model_names",
    "list_models",
    "resolve_choice",
    "resolve_model",
    "supports_xhigh",
]

CATALOGUE_DATE: Final = "2026-11-20"
"""When the numbers below were last compared with what the providers publish."""

MILLION: Final = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class CatalogueModel:
    """One row of the table. `context_window` is tokens; `price` is as `instar.runners.pricing` reads it."""

    id: str
    context_window: int
    price: Mapping[str, float] = field(default_factory=dict)
    reasoning: bool = True
    xhigh: bool = False
    input_kinds: tuple[str, ...] = ("text", "image")


def _row(
    model_id: str,
    window: int,
    *prices: float,  # input, output, cache read and, where writing costs extra, cache write
    long_from: int = 0,
    long: Sequence[float] = (),
    reasoning: bool = True,
    xhigh: bool = False,
    images: bool = True,
) -> CatalogueModel:
    names = ("input", "output", "cacheRead", "cacheWrite")
    price = dict(zip(names, prices, strict=False))
    if long_from:
        price |= {f"long{name[0].upper()}{name[1:]}": each for name, each in zip(names, long, strict=False)}
        price["longFrom"] = long_from
    return CatalogueModel(
        id=model_id,
        context_window=window,
        price=price,
        reasoning=reasoning,
        xhigh=xhigh,
        input_kinds=("text", "image") if images else ("text",),
    )


CATALOGUE: Final[Mapping[str, tuple[CatalogueModel, ...]]] = {
    "anthropic": (
        _row("claude-sonnet-5-5", MILLION, 2, 10, 0.1, 2.5, xhigh=True),
        _row("claude-opus-5-5", MILLION, 4, 20, 0.2, 5, xhigh=True),
        _row("claude-haiku-5-5", MILLION, 0.1, 0.5, 0.01, 0.125, long_from=100_000, long=(0.5, 2.5, 0.05, 0.625)),
        _row("claude-fable-5-2", MILLION, 8, 40, 0.2, 10, xhigh=True),
        _row("claude-sonnet-5", MILLION, 2, 10, 0.2, 2.5, xhigh=True),
        _row("claude-opus-5", MILLION, 5, 25, 0.5, 6.25, xhigh=True),
        _row("claude-opus-4-8", MILLION, 5, 25, 0.5, 6.25, xhigh=True),
        _row("claude-opus-4-7", MILLION, 5, 25, 0.5, 6.25, xhigh=True),
        _row("claude-opus-4-6", MILLION, 5, 25, 0.5, 6.25, xhigh=True),
        _row("claude-sonnet-4-6", MILLION, 3, 15, 0.3, 3.75, xhigh=True),
        _row("claude-opus-4-5", 200_000, 5, 25, 0.5, 6.25),
        _row("claude-sonnet-4-5", 200_000, 3, 15, 0.3, 3.75),
        _row("claude-haiku-4-5", 200_000, 1, 5, 0.1, 1.25),
        _row("claude-opus-4-1", 200_000, 15, 75, 1.5, 18.75),
    ),
    "openai": (
        _row("gpt-6.1-sol", 1_050_000, 2, 10, 0.1, 2.5, long_from=272_000, long=(4, 15, 0.2, 5), xhigh=True),
        _row("gpt-6.1-terra", 1_050_000, 1, 5, 0.05, 1.25, long_from=272_000, long=(2, 7.5, 0.1, 2.5), xhigh=True),
        _row("gpt-6-astra", 1_050_000, 10, 50, 1, 12.5, long_from=272_000, long=(20, 75, 2, 25), xhigh=True),
        _row("gpt-6-luna", 1_050_000, 0.1, 0.5, 0.01, 0.125, long_from=272_000, long=(0.2, 0.75, 0.02, 0.25)),
        _row("gpt-5.6-sol", 1_050_000, 4, 20, 0.4, 5, long_from=272_000, long=(8, 30, 0.8, 10), xhigh=True),
        _row("gpt-5.6-terra", 1_050_000, 2, 12, 0.2, 2.5, long_from=272_000, long=(4, 18, 0.4, 5), xhigh=True),
        _row("gpt-5.6-luna", 1_050_000, 0.2, 1.2, 0.02, 0.25, long_from=272_000, long=(0.4, 1.8, 0.04, 0.5)),
        _row("gpt-5.5", MILLION, 5, 30, 0.5, long_from=272_000, long=(10, 45, 1), xhigh=True),
        _row("gpt-5.4", 1_050_000, 2.5, 15, 0.25, long_from=272_000, long=(5, 22.5, 0.5), xhigh=True),
        _row("gpt-5.4-mini", 400_000, 0.75, 4.5, 0.075, xhigh=True),
        _row("gpt-5.2", 400_000, 1.75, 14, 0.175, xhigh=True),
        _row("gpt-5.1", 400_000, 1.25, 10, 0.125),
        _row("gpt-5", 400_000, 1.25, 10, 0.125),
        _row("gpt-5-mini", 400_000, 0.25, 2, 0.025),
        _row("gpt-4.1", MILLION, 2, 8, 0.5, reasoning=False),
        _row("gpt-4.1-mini", MILLION, 0.4, 1.6, 0.1, reasoning=False),
        _row("gpt-4o", 128_000, 2.5, 10, 1.25, reasoning=False),
        _row("gpt-4o-mini", 128_000, 0.15, 0.6, 0.075, reasoning=False),
        _row("o3", 200_000, 2, 8, 0.5),
        _row("o4-mini", 200_000, 1.1, 4.4, 0.275),
    ),
    "google": (
        _row("gemini-3.8-flash", MILLION, 1.5, 7.5, 0.15),
        _row("gemini-4-argon", 1_048_576, 4, 20, 0.2),
        _row("gemini-3.5-flash-lite", MILLION, 0.3, 2.5, 0.03),
        _row("gemini-3.1-pro-preview", 1_048_576, 2, 12, 0.2, long_from=200_000, long=(4, 18, 0.4)),
        _row("gemini-3.1-flash-lite", MILLION, 0.25, 1.5, 0.025),
        _row("gemini-2.5-pro", 1_048_576, 1.25, 10, 0.125, long_from=200_000, long=(2.5, 15, 0.25)),
        _row("gemini-2.5-flash", 1_048_576, 0.3, 2.5, 0.03),
    ),
    "openrouter": (
        _row("anthropic/claude-sonnet-5.5", MILLION, 2, 10, 0.1, 2.5, xhigh=True),
        _row("anthropic/claude-opus-5.5", MILLION, 4, 20, 0.2, 5, xhigh=True),
        _row("openai/gpt-6.1-sol", 1_050_000, 2, 10, 0.1, 2.5, long_from=272_000, long=(4, 15, 0.2, 5), xhigh=True),
        _row("google/gemini-3.8-flash", 1_048_576, 0.75, 3.75, 0.075),
        _row("deepseek/deepseek-v4-pro-0813", 1_048_576, 0.66, 1.98, 0.022, images=False),
        _row("deepseek/deepseek-v4.1-flash", 1_048_576, 0.21, 0.84, 0.0042, images=False),
    ),
}
"""The first row of a provider is its default. Dollars per million tokens: input, output, cache read, cache write."""


def list_models(settings: ModelsSettings) -> tuple[ModelSpec, ...]:
    """Every model of every provider that is there, in order: configured ones first, then those of the table."""
    return tuple(spec for provider in settings.providers.values() for spec in _models_of(provider, settings))


def build_model_names(settings: ModelsSettings, *, primary: str | None = None) -> ModelNames:
    """What a person may choose from (CMD-5, PATCH-5), with `primary` (a reference or an alias) as the default."""
    default = resolve_model(settings, primary)
    refs = [spec.ref for spec in list_models(settings)]
    aliases: dict[str, str] = {}
    if settings.allowed is not None:
        refs = [each.ref for each in settings.allowed]
        aliases = {each.alias: each.ref for each in settings.allowed if each.alias}
    if default is ECHO_MODEL:
        return ModelNames(allowed=tuple(refs), aliases=aliases, default=None)
    if default.ref.lower() not in map(str.lower, refs):
        refs.insert(0, default.ref)  # what runs when nobody chose may always be chosen
    return ModelNames(allowed=tuple(refs), aliases=aliases, default=default.ref)


def resolve_model(settings: ModelsSettings, wanted: str | None) -> ModelSpec:
    """The model that `wanted` means: an alias, ``provider/model``, or an id that only one provider has.

    None is the default: the first model of the first provider, or the echo when there is no provider at all.
    Raises `ModelNotFound` for a provider that is not there, or a name that fits nothing.
    """
    if wanted is None or wanted.strip().lower() == ECHO_MODEL.ref:
        return _first_model(settings)
    ref = _resolve_ref(settings, wanted.strip())
    name, _, model_id = ref.partition("/")
    provider = settings.providers.get(name.lower())
    if provider is None:
        raise _not_there(settings, wanted)
    return _build_spec(provider, _configured(provider, model_id) or ModelSettings(id=model_id), settings)


def resolve_choice(
    settings: ModelsSettings, *, primary: str | None, fallbacks: Sequence[str] = ()
) -> tuple[ModelSpec, ...]:
    """The model to ask and those to fall back to, in order and without repeats.

    A fallback that cannot be resolved is left out: it must not keep the primary from answering.
    """
    found = [resolve_model(settings, primary)]
    for each in fallbacks:
        try:
            spec = resolve_model(settings, each)
        except ModelNotFound:
            continue
        if spec.ref not in {other.ref for other in found}:
            found.append(spec)
    return tuple(found)


def supports_xhigh(spec: ModelSpec) -> bool:
    """Whether the model knows the thinking level `xhigh` (PATCH-6); a model that no table knows does not."""
    row = _find_row(spec.provider, spec.id)
    return row is not None and row.xhigh


def _first_model(settings: ModelsSettings) -> ModelSpec:
    for provider in settings.providers.values():
        models = _models_of(provider, settings)
        if models:
            return models[0]
    return ECHO_MODEL


def _models_of(provider: ProviderSettings, settings: ModelsSettings) -> tuple[ModelSpec, ...]:
    configured = [_build_spec(provider, model, settings) for model in provider.models]
    known = {spec.id.lower() for spec in configured}
    rows = [row for row in CATALOGUE.get(provider.name, ()) if row.id not in known]
    return (*configured, *(_build_spec(provider, ModelSettings(id=row.id), settings) for row in rows))


def _configured(provider: ProviderSettings, model_id: str) -> ModelSettings | None:
    wanted = model_id.lower()
    return next((model for model in provider.models if model.id.lower() == wanted), None)


def _build_spec(provider: ProviderSettings, model: ModelSettings, settings: ModelsSettings) -> ModelSpec:
    """The model with what its provider, the configuration and the table say; the configuration wins.

    A window that neither knows is ``agents.defaults.contextTokens`` (PRUNE-6).
    """
    row = _find_row(provider.name, model.id)
    reasoning = model.reasoning if model.reasoning is not None else bool(row and row.reasoning)
    return ModelSpec(
        provider=provider.name,
        id=model.id,
        api=provider.api,
        name=model.name or model.id,
        context_window=model.context_window or (row.context_window if row else None) or settings.default_window,
        max_output=model.max_tokens,
        reasoning=reasoning,
        input_kinds=model.input_kinds or (row.input_kinds if row else ("text",)),
        price=model.cost or (row.price if row else {}),
        auth=_auth_of(provider),
    )


_SUBSCRIBED: Final = "sk-ant-oat"
"""Begins every token that Anthropic gives for a subscription; its keys begin with ``sk-ant-api``."""


def _auth_of(provider: ProviderSettings) -> AuthKind:
    if provider.api_key is None:
        return "none"
    return "oauth" if provider.api_key.startswith(_SUBSCRIBED) else "api-key"


_DATED = re.compile(r"-(?:\d{8}|\d{4}-\d{2}-\d{2}|latest)$")


def _find_row(provider: str, model_id: str) -> CatalogueModel | None:
    """The row of a model; a dated name has that of its family, ``vendor/model`` of a router that of the vendor."""
    wanted = _DATED.sub("", model_id.lower())
    found = next((row for row in CATALOGUE.get(provider, ()) if row.id == wanted), None)
    vendor, slash, rest = wanted.partition("/")
    if found is None and slash:
        spelled = {rest, rest.replace(".", "-")}
        found = next((row for row in CATALOGUE.get(vendor, ()) if row.id in spelled), None)
    return found


def _resolve_ref(settings: ModelsSettings, wanted: str) -> str:
    aliases = {each.alias: each.ref for each in settings.allowed or () if each.alias}
    refs = tuple(spec.ref for spec in list_models(settings))
    by_alias = next((ref for alias, ref in aliases.items() if alias.lower() == wanted.lower()), None)
    if by_alias is not None:
        return by_alias
    found = find_model(wanted, ModelNames(allowed=refs))
    if found is None and "/" not in wanted:
        raise _not_there(settings, wanted)
    return found or wanted


def _not_there(settings: ModelsSettings, wanted: str) -> ModelNotFound:
    refs = [spec.ref for spec in list_models(settings)]
    near = difflib.get_close_matches(wanted.lower(), refs, n=3, cutoff=0.5)
    provider, slash, _ = wanted.partition("/")
    why = (
        f'there is no provider "{provider}"; those that are there: {", ".join(settings.providers) or "none"}'
        if slash
        else "no provider that is set up has it, or several have"
    )
    fix = f"Perhaps you meant {' or '.join(near)}." if near else "Set a key for it, or add it under models.providers."
    return ModelNotFound(
        f'There is no model "{wanted}"', why=why, fix=fix, provider=provider if slash else "", model=wanted
    )
