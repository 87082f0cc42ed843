"""What `/model` says: which model answers here, which there are, and what a word may have meant (CMD-28, PATCH-5)."""

from __future__ import annotations

from difflib import get_close_matches
from typing import Final

from instar.core.policy.model_choice import ModelNames

__all__ = ["describe_models", "describe_unknown_model"]

_LISTED: Final = 20
"""Models that are named; a catalogue of hundreds helps nobody on a telephone."""


def describe_models(names: ModelNames, *, current: str, is_chosen: bool) -> str:
    """The answer to `/model` alone. `is_chosen` says that somebody chose the model for this session."""
    source = "chosen for this session" if is_chosen else "the default"
    others = [ref for ref in names.allowed if ref != current]
    lines = [f"Model: {current} ({source})"]
    if others:
        lines.append(f"/model <name> chooses another: {_list(others, names)}")
    return "\n".join(lines)


def describe_unknown_model(given: str, names: ModelNames) -> str:
    """The answer to a word that names no model, with the nearest name where one is near."""
    if not names.allowed:
        return f"There is no model “{given}”: no model is set up. Set one up under models.providers."
    spellings = {ref.lower(): ref for ref in names.allowed}
    spellings |= {ref.partition("/")[2].lower(): ref for ref in names.allowed}
    spellings |= {alias.lower(): ref for alias, ref in names.aliases.items() if ref in names.allowed}
    near = get_close_matches(given.lower(), list(spellings), n=1, cutoff=0.6)
    hint = f" Did you mean {spellings[near[0]]}?" if near else ""
    return f"There is no model “{given}” here.{hint}\nModels: {_list(names.allowed, names)}"


def _list(refs: tuple[str, ...] | list[str], names: ModelNames) -> str:
    short = {ref: alias for alias, ref in names.aliases.items()}
    told = [f"{ref} ({short[ref]})" if ref in short else ref for ref in refs[:_LISTED]]
    more = f", and {len(refs) - _LISTED} more" if len(refs) > _LISTED else ""
    return ", ".join(told) + more
