"""Carrying out a patch: look up what the decision needs, decide in the transaction, tell (PATCH-1…16)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from instar.core.lifecycle.awareness import note_adopted
from instar.core.model.change import Changed, Noted, SessionChange, SessionFacts
from instar.core.model.decision import Decision, InputValue
from instar.core.model.ids import AgentId, SessionKey
from instar.core.model.session import Overrides, Session
from instar.core.policy.patch import Patch, PatchRefusal, apply_patch, decide_patch
from instar.core.policy.patch_fields import PatchFacts, parse_label
from instar.core.policy.resolve import resolve_plain_settings
from instar.core.routing.key import parse_key
from instar.core.routing.reserved import check_begun, check_parent
from instar.core.turn.operations import Creation, plan_create
from instar.errors import Forbidden, InvalidRequest, InvariantBroken, Unavailable
from instar.gateway.levels import setting_layers
from instar.gateway.parts import GatewayParts
from instar.gateway.turn_services import TurnServices

__all__ = ["patch_session"]


async def patch_session(
    parts: GatewayParts,
    services: TurnServices,
    key: SessionKey,
    fields: Mapping[str, object],
    *,
    who: str,
    is_admin: bool,
) -> Changed:
    """Apply a patch in wire spelling; a key without a session gets one (PATCH-3).

    Raises `InvalidRequest`, `Forbidden` or `Unavailable` with the field's name; then nothing is stored (PATCH-1).
    """
    config = parts.config()
    agent_id = parse_key(key, main_key=config.routing.keys.main_key).agent_id or config.agents.default_id
    label = parse_label(fields.get("label"))
    holders = await parts.store.find_sessions(label=label) if label else ()
    holder = next((one.key for one in holders if one.key != key), None)
    session_id = parts.ids.session_id()
    refusals: list[PatchRefusal] = []
    spawner = fields.get("spawnedBy")
    check_parent(key, SessionKey(spawner.strip()) if isinstance(spawner, str) else None)

    def decide(facts: SessionFacts) -> SessionChange:
        refusals.clear()
        decided = decide_patch(
            fields,
            PatchFacts(
                key=key,
                now=facts.now,
                session=facts.session,
                label_holder=holder,
                models=parts.models.names(agent_id),
                xhigh_models=parts.models.xhigh_models(),
                is_admin=is_admin,
                main_key=config.routing.keys.main_key,
                levels_below=_levels_below(parts, facts.session, agent_id),
            ),
        )
        if isinstance(decided, PatchRefusal):
            refusals.append(decided)
            return SessionChange()
        change = SessionChange(session=facts.session)
        if facts.session is None:
            check_begun(key, None)
            creation = Creation(agent_id=agent_id, session_id=session_id, cwd=config.workspace(agent_id))
            change = plan_create(facts, creation, who=who)
        return _patched(change, decided, facts, who=who)

    changed = await services.change("patch_session", key, decide)
    if refusals:
        raise _error_of(refusals[0])
    return changed


def _levels_below(parts: GatewayParts, session: Session | None, agent_id: AgentId) -> Mapping[str, object]:
    """What holds where the session itself says nothing (RESOLVE-5)."""
    layers = replace(setting_layers(parts.config(), session, agent_id), overrides=Overrides())
    return {name: setting.value for name, setting in resolve_plain_settings(layers).items()}


def _patched(change: SessionChange, patch: Patch, facts: SessionFacts, *, who: str) -> SessionChange:
    if change.session is None:
        raise InvariantBroken("a patch has a session to patch", why=facts.key)
    decision = Decision(kind="patch", outcome="patched", rule=patch.rule, inputs=_tell(patch))
    session = apply_patch(change.session, patch, now=facts.now)
    parent = session.origin.spawned_by
    is_adopted = parent is not None and parent != change.session.origin.spawned_by
    return replace(
        change,
        session=session,
        decisions=(*change.decisions, Noted(decision=decision, who=who)),
        states=note_adopted(facts.key, parent=parent) if parent is not None and is_adopted else (),
    )


def _tell(patch: Patch) -> dict[str, InputValue]:
    """What was set to what, for the record; values that are no plain words are only named."""
    return {
        name: value if isinstance(value, str | int | bool | None) else "set" for name, value in patch.fields.items()
    }


def _error_of(refusal: PatchRefusal) -> Exception:
    what = f"invalid sessions.patch: {refusal.field}"
    if refusal.code == "FORBIDDEN":
        return Forbidden(what, why=refusal.why, missing_scope="operator.admin")
    if refusal.code == "UNAVAILABLE":
        return Unavailable(what, why=refusal.why, fix="Try again in a moment.")
    return InvalidRequest(what, why=refusal.why, field=refusal.field)
