"""`sessions.patch`: which fields a patch sets, and whether it may (PATCH-1…16).

What belongs here: the patch as a whole, and applying what came out. What does not: how single fields are read
(`patch_fields`), looking up who holds a label, and storing. A patch is taken whole or not at all, so the decision reads
all of it before anything is said.

A field that is absent stays as it is; one that is null is removed. Words are stored in their one spelling, so that
nothing that reads the session later has to know the others.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

from instar.core.model.decision import Decision, InputValue
from instar.core.model.fields import SESSION_FIELDS
from instar.core.model.ids import Instant
from instar.core.model.session import Session
from instar.core.policy.patch_fields import FIELD_READERS, Fields, PatchFacts

__all__ = [
    "Patch",
    "PatchRefusal",
    "apply_patch",
    "clamp_thinking",
    "decide_patch",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Patch:
    """A patch that may be applied: stored fields by their name in files, None for those that are removed."""

    fields: Fields
    rule: str = "PATCH-1"

    def as_decision(self) -> Decision:
        """The record of this decision (WHY-1)."""
        told: dict[str, InputValue] = {
            name: value if isinstance(value, str | int | float | bool) else None for name, value in self.fields.items()
        }
        return Decision(kind="patch", outcome="changed", rule=self.rule, inputs=told)


@dataclass(frozen=True, slots=True, kw_only=True)
class PatchRefusal:
    """Why a patch is not taken. `code` is a code of the wire; `field` names the part that is wrong."""

    code: Literal["INVALID_REQUEST", "UNAVAILABLE", "FORBIDDEN"]
    field: str
    why: str
    rule: str


def decide_patch(patch: Mapping[str, object], facts: PatchFacts) -> Patch | PatchRefusal:
    """What `patch` changes, or why it is refused. A field `key` is left to the caller."""
    fields: dict[str, object] = {}
    for name in sorted(patch, key=_reading_order):
        if name == "key":
            continue
        reader = FIELD_READERS.get(name)
        if reader is None:
            return PatchRefusal(code="INVALID_REQUEST", field=name, why="unknown field", rule="PATCH-2")
        refusal = _refuse_beforehand(name, patch[name], facts)
        if refusal is not None:
            return refusal
        read = reader.read(patch[name], facts)
        if isinstance(read, str):
            return PatchRefusal(code="INVALID_REQUEST", field=name, why=read, rule=reader.rule)
        fields.update(read)
    return _check_together(patch, fields, facts)


def apply_patch(session: Session, patch: Patch, *, now: Instant) -> Session:
    """The session after `patch`: no interaction, but changed now (PATCH-16, ENTRY-9). May be applied twice."""
    # Any: the attributes come from the one table of fields, whose values `decide_patch` has read.
    groups: dict[str, dict[str, Any]] = {"lifecycle": {"updated_at": max(now, session.lifecycle.updated_at or now)}}
    for name, value in patch.fields.items():
        group, _, attribute = SESSION_FIELDS[name].partition(".")
        groups.setdefault(group, {})[attribute] = value
    changed: dict[str, Any] = {name: replace(getattr(session, name), **values) for name, values in groups.items()}
    return replace(session, **changed)


def clamp_thinking(level: str | None, *, supports_xhigh: bool) -> str | None:
    """The level a model can think at: ``xhigh`` drops to ``high`` where it does not know it (PATCH-6)."""
    return "high" if level == "xhigh" and not supports_xhigh else level


# --- the patch as a whole ---------------------------------------------------------------------------------------------


def _reading_order(name: str) -> tuple[bool, str]:
    """`thinkingLevel` first: its word `stream` also sets the reasoning level, which a word of its own overrules."""
    return name != "thinkingLevel", name


def _refuse_beforehand(name: str, value: object, facts: PatchFacts) -> PatchRefusal | None:
    """Refusals that are not about how the value is written."""
    if name == "model" and value is not None and facts.models is None:
        return PatchRefusal(
            code="UNAVAILABLE", field=name, why="the model catalogue is not available now", rule="PATCH-5"
        )
    if name == "sandboxMode" and value is False and not facts.is_admin:
        return PatchRefusal(
            code="FORBIDDEN", field=name, why="running tools on the host needs the admin scope", rule="PATCH-9"
        )
    return None


def _check_together(patch: Mapping[str, object], fields: dict[str, object], facts: PatchFacts) -> Patch | PatchRefusal:
    """What single fields cannot tell: two words for one field, a pinned archive, a level that the model lacks."""
    if "activationMode" in patch and "groupActivation" in patch:
        words = [FIELD_READERS[name].read(patch[name], facts) for name in ("activationMode", "groupActivation")]
        if words[0] != words[1]:
            why = "activationMode and groupActivation are one field and differ"
            return PatchRefusal(code="INVALID_REQUEST", field="groupActivation", why=why, rule="PATCH-11")
    if patch.get("archived") is True and patch.get("pinned") is True:
        return PatchRefusal(
            code="INVALID_REQUEST", field="pinned", why="an archived session cannot be pinned", rule="PATCH-14"
        )
    supports_xhigh = _model_after(fields, facts) in facts.xhigh_models
    if fields.get("thinkingLevel") == "xhigh" and not supports_xhigh:
        why = "the model does not support xhigh"
        return PatchRefusal(code="INVALID_REQUEST", field="thinkingLevel", why=why, rule="PATCH-6")
    stored = facts.session.overrides.thinking_level if facts.session else None
    if "modelOverride" in fields and "thinkingLevel" not in fields:
        clamped = clamp_thinking(stored, supports_xhigh=supports_xhigh)
        if clamped != stored:
            fields["thinkingLevel"] = clamped
    return Patch(fields=fields)


def _model_after(fields: Fields, facts: PatchFacts) -> str | None:
    """The ``provider/model`` that the session uses after the patch; None if nobody knows."""
    overrides = facts.session.overrides if facts.session else None
    provider = overrides.provider_override if overrides else None
    model = overrides.model_override if overrides else None
    if "modelOverride" in fields:
        provider, model = (
            value if isinstance(value, str) else None for value in (fields["providerOverride"], fields["modelOverride"])
        )
    default = facts.models.default if facts.models else None
    return f"{provider}/{model}" if provider and model else default
