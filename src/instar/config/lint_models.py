"""Models that cannot be asked: a provider that is not there, a key that nobody set, an address that is none (WHY-5).

What belongs here: what the configuration and the environment tell by themselves. What does not: whether a provider
answers, and which models it has (`instar.runners`).
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Mapping
from typing import Final
from urllib.parse import urlsplit

from instar.config.config import Config
from instar.config.finding import Finding
from instar.config.read import join_path
from instar.config.sections.models import BUILT_IN_PROVIDERS, ModelsSettings

__all__ = ["lint_models"]

_VARIABLE: Final = re.compile(r"\$\{([A-Za-z_]\w*)\}")
_ECHO: Final = "instar"
"""The provider of the answer without a model; it may be chosen by its name."""


def lint_models(config: Config) -> Iterator[Finding]:
    """One finding for each model that is chosen and cannot be asked, and for each provider that cannot be reached."""
    yield from _lint_providers(config)
    yield from _lint_choices(config)
    yield from _lint_summaries(config)


def _lint_providers(config: Config) -> Iterator[Finding]:
    for written, raw in _object(_object(config.root.get("models")).get("providers")).items():
        provider = config.models.providers.get(written.strip().lower())
        path = join_path("models.providers", written)
        if provider is None:
            continue
        variable = _variable(_object(raw).get("apiKey"))
        if variable is not None and provider.api_key is None:
            yield _warning(
                "unset-variable",
                f"{path}.apiKey",
                what=f'The provider "{written}" has no key',
                why=f"{variable} is not set here",
                fix="Set it where the gateway is started.",
            )
        address = urlsplit(provider.base_url)
        if address.scheme not in {"http", "https"} or not address.netloc:
            yield _warning(
                "no-address",
                f"{path}.baseUrl",
                what=f'The provider "{written}" cannot be reached',
                why="its address is no URL",
                fix='Write it like "http://127.0.0.1:11434/v1".',
            )


def _lint_choices(config: Config) -> Iterator[Finding]:
    """Each name that is written once, where it is written."""
    for path, fields in _agent_objects(config):
        for place, ref in _refs(fields.get("model"), f"{path}.model"):
            why = _find_fault(ref.strip(), config.models)
            if why is not None:
                yield _warning(
                    "unknown-model",
                    place,
                    what=f'The model "{ref.strip()}" cannot be asked, so another answers or nobody does',
                    why=why[0],
                    fix=why[1],
                )


def _lint_summaries(config: Config) -> Iterator[Finding]:
    """A provider or model for summaries that cannot be asked (COMPACT-1): the session's own writes them then."""
    for path, fields in _agent_objects(config):
        said = _object(fields.get("compaction"))
        provider, model = said.get("provider"), said.get("model")
        if isinstance(provider, str) and provider.strip().lower() not in config.models.providers:
            yield _warning(
                "unknown-provider",
                f"{path}.compaction.provider",
                what=f'The provider "{provider.strip()}" writes no summaries; the session\'s own model does',
                why="there is no such provider here, and plugins that write summaries are not part of this build",
                fix="Name one of models.providers, or take it away.",
            )
        elif provider is None and isinstance(model, str):
            why = _find_fault(model.strip(), config.models)
            if why is not None:
                yield _warning(
                    "unknown-model",
                    f"{path}.compaction.model",
                    what=f'The model "{model.strip()}" writes no summaries; the session\'s own does',
                    why=why[0],
                    fix=why[1],
                )


def _agent_objects(config: Config) -> Iterator[tuple[str, Mapping[str, object]]]:
    """The defaults of all agents and each agent's own object, with the paths."""
    agents = _object(config.root.get("agents"))
    yield "agents.defaults", _object(agents.get("defaults"))
    listed = agents.get("list")
    for at, each in enumerate(listed if isinstance(listed, list) else ()):
        yield f"agents.list[{at}]", _object(each)
    for name, each in _object(agents.get("entries")).items():
        yield join_path("agents.entries", name), _object(each)


def _refs(value: object, path: str) -> Iterator[tuple[str, str]]:
    """The names in a choice of models, each with its place."""
    if isinstance(value, str):
        yield path, value
    primary, fallbacks = _object(value).get("primary"), _object(value).get("fallbacks")
    if isinstance(primary, str):
        yield f"{path}.primary", primary
    for at, each in enumerate(fallbacks if isinstance(fallbacks, list) else ()):
        if isinstance(each, str):
            yield f"{path}.fallbacks[{at}]", each


def _find_fault(ref: str, models: ModelsSettings) -> tuple[str, str] | None:
    """Why `ref` means no model, and what to do; None if it may mean one."""
    name, slash, _ = ref.lower().partition("/")
    known = {each.alias.lower() for each in models.allowed or () if each.alias}
    known |= {model.id.lower() for provider in models.providers.values() for model in provider.models}
    if not ref or ref.lower() in known or (slash and (name == _ECHO or name in models.providers)):
        return None
    if not slash:
        # The table of common models knows more names, for providers that are in it.
        if not models.providers.keys().isdisjoint(BUILT_IN_PROVIDERS):
            return None
        return "no provider that is set up has it", 'Write "provider/model".'
    built_in = BUILT_IN_PROVIDERS.get(name)
    if built_in is not None and built_in.key_variable:
        return f"{built_in.key_variable} is not set here", "Set it where the gateway is started."
    near = difflib.get_close_matches(name, [*models.providers, *BUILT_IN_PROVIDERS], n=1, cutoff=0.7)
    fix = f'Did you mean "{near[0]}"?' if near and near[0] != name else f"Add it as models.providers.{name}."
    return f'there is no provider "{name}"', fix


def _variable(value: object) -> str | None:
    """The variable that holds a key; None where the key is written there, or none is."""
    if isinstance(value, Mapping):
        named = value.get("id")
        return named if isinstance(named, str) else None
    found = _VARIABLE.fullmatch(value.strip()) if isinstance(value, str) else None
    return None if found is None else found[1]


def _object(value: object) -> Mapping[str, object]:
    return value if isinstance(value, Mapping) else {}


def _warning(code: str, path: str, *, what: str, why: str, fix: str) -> Finding:
    return Finding(code=code, severity="warning", path=path, what=what, why=why, fix=fix)
