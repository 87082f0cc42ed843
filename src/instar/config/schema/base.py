"""What every object of the configuration has in common, and how one setting is described."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

__all__ = ["Levels", "Section", "setting"]


class Section(BaseModel):
    """An object of the configuration. Unknown names are kept, for `check` to warn about."""

    model_config = ConfigDict(
        alias_generator=to_camel, extra="allow", strict=True, frozen=True, protected_namespaces=(), defer_build=True
    )

    @classmethod
    def is_open(cls, fields: Mapping[str, object]) -> bool:  # noqa: ARG003  a subclass looks at them
        """Whether `fields`, an object of this section, may hold names that the schema does not know."""
        return False


def setting(
    meaning: str,
    *,
    default: str = "",
    unit: str = "",
    limit: str = "",
    rules: str = "",
    later: bool = False,
    secret: bool = False,
    alias: str | None = None,
) -> Any:  # noqa: ANN401  pydantic's own Field returns Any, so that it can stand for every type
    """A field with what the reference page says about it. `default` is in words; every setting may be left out.

    What is `secret` is told to nobody: neither the value nor, for an object, those in it (LEAK-12).
    """
    facts: dict[str, Any] = {
        "default": default,
        "unit": unit,
        "limit": limit,
        "rules": rules,
        "later": later,
        "secret": secret,
    }
    return Field(default=None, description=meaning, json_schema_extra=facts, alias=alias)


class Levels(Section):
    """What holds in a place where neither a message nor its session says anything; a channel goes before an agent."""

    thinking_default: str | None = setting(
        "How much the model thinks: `off`, `minimal`, `low`, `medium`, `high`, `xhigh`, or another word of `/think`.",
        default="what the provider does",
        rules="RESOLVE-5, PATCH-6",
    )
    verbose_default: str | None = setting(
        "How much a session tells of its work: `off`, `on` or `full`.", default="`off`", rules="RESOLVE-5, PATCH-7"
    )
    reasoning_default: str | None = setting(
        "Whether the model's reasoning is shown: `off`, `on` or `stream`.", default="`off`", rules="RESOLVE-5, PATCH-7"
    )
    elevated_default: str | None = setting(
        "How far tools reach beyond the sandbox for messages of an owner: `off`, `on`, `ask` or `full`.",
        default="`off`",
        rules="RESOLVE-5, PATCH-7, TYPE-6",
    )
    response_usage_default: str | None = setting(
        "The line under an answer about its tokens: `off`, `tokens` or `full`.",
        default="`messages.responseUsage`",
        rules="RESOLVE-5, PATCH-7",
    )
