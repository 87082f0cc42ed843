"""Which model a few words mean (CMD-5, CMD-6, PATCH-5).

Only allowed models count, so a word is never taken for a model that could not run. A command eats a word only when it
is sure enough: `find_model` knows exact names, `take_model` guesses too, in a fixed order, so that the same words mean
the same model on every machine.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from instar.core.model.session import Overrides
from instar.errors import InvalidRequest

__all__ = ["ModelNames", "apply_model_choice", "find_model", "require_model", "take_model"]

_GUESS_CHARS: Final = 6
"""A single word shorter than this is no guess, unless it is a provider: "hello" is text (CMD-5)."""

_PIECE_CHARS: Final = 3
"""A piece of a name shorter than this needs a digit ("5.2", "o3"): "a" stands in most names and is an article."""


_SHOWN_CHARS: Final = 60
"""So much of a word that is no model is repeated in the refusal."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelNames:
    """The models a person may choose: `provider/model` in the order of the configuration.

    `aliases` maps a short name to one of them; an alias of anything else counts for nothing. `default` is what runs
    when nobody chose, None when there is no model at all.
    """

    allowed: tuple[str, ...] = ()
    aliases: Mapping[str, str] = field(default_factory=dict)
    default: str | None = None


def find_model(word: str, names: ModelNames) -> str | None:
    """The model that `word` names exactly: an alias, `provider/model`, or an id that only one provider has."""
    wanted = word.lower()
    by_alias = next((model for alias, model in names.aliases.items() if alias.lower() == wanted), None)
    exact = _spelled(by_alias or wanted, names)
    if exact is not None:
        return exact
    same_id = [model for model in names.allowed if _id(model) == wanted]
    return same_id[0] if len({_provider(model) for model in same_id}) == 1 else None


def require_model(word: str, names: ModelNames, *, field: str) -> str:
    """As `find_model`, for a field of a request. Raises `InvalidRequest` for a word that names no allowed model."""
    model = find_model(word.strip(), names)
    if model is None:
        raise InvalidRequest(
            f"model not allowed: {word.strip()[:_SHOWN_CHARS]}",
            fix="`models.list` shows what may be chosen.",
            field=field,
        )
    return model


def take_model(words: Sequence[str], names: ModelNames) -> tuple[str, int] | None:
    """The model that the first one or two words mean, and how many words that took; None if they are text (CMD-5)."""
    if not words or not names.allowed:
        return None
    first = words[0].lower()
    own = [model for model in names.allowed if _provider(model) == first]
    if own and len(words) > 1:
        guess = _guess(words[1].lower(), own, names)
        if guess is not None:
            return guess, 2
    model = find_model(first, names) or _guess_inside(first, names)
    if model is None and (own or len(first) >= _GUESS_CHARS):
        model = _guess(first, names.allowed, names)
    return None if model is None else (model, 1)


def apply_model_choice(overrides: Overrides, model: str, *, default: str | None) -> Overrides:
    """The overrides with `model` chosen: the default clears the override, and an auth choice goes with it (CMD-6)."""
    provider, _, model_id = model.partition("/")
    is_default = model == default
    return replace(
        overrides,
        provider_override=None if is_default else provider,
        model_override=None if is_default else model_id,
        auth_profile_override=None,
        auth_profile_override_source=None,
    )


def _guess_inside(word: str, names: ModelNames) -> str | None:
    """For `provider/part`: the model of that provider that the part means."""
    provider, slash, part = word.partition("/")
    own = [model for model in names.allowed if _provider(model) == provider]
    return _guess(part, own, names) if slash and own else None


def _guess(word: str, candidates: Sequence[str], names: ModelNames) -> str | None:
    """The best of the candidates that `word` could mean, by the first test that any of them passes."""
    if len(word) < _PIECE_CHARS and not any(letter.isdigit() for letter in word):
        return None
    tests: tuple[Callable[[str], bool], ...] = (
        lambda model: _id(model) == word,
        lambda model: _id(model).startswith(word),
        lambda model: _provider(model) == word,
        lambda model: word in _id(model),
        lambda model: any(word in alias.lower() for alias in names.aliases if _aliased(alias, names) == model),
    )
    for passes in tests:
        found = [model for model in candidates if passes(model)]
        if found:
            # The order of the configuration settles what is left: min() keeps the first of equals.
            return min(found, key=lambda model: (model != names.default, len(_id(model))))
    return None


def _aliased(alias: str, names: ModelNames) -> str | None:
    return _spelled(names.aliases[alias], names)


def _spelled(model: str, names: ModelNames) -> str | None:
    """The allowed model in the spelling of the configuration, None if it is not allowed."""
    wanted = model.lower()
    return next((allowed for allowed in names.allowed if allowed.lower() == wanted), None)


def _provider(model: str) -> str:
    return model.partition("/")[0].lower()


def _id(model: str) -> str:
    return model.partition("/")[2].lower()
