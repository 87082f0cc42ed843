"""`reset_commands.json`: which messages start over, with which model and which first prompt (CMD-1…9)."""

from __future__ import annotations

from collections.abc import Callable

from instar.config.sections.commands import parse_triggers
from instar.core.policy.command_kinds import Reset
from instar.core.policy.command_rights import decide_command
from instar.core.policy.commands import CommandContext, parse_command
from instar.core.policy.model_choice import ModelNames


def ask_reset(case: dict) -> dict[str, object]:
    is_group = bool(case.get("isGroup"))
    context = CommandContext(
        is_group=is_group,
        mention_patterns=tuple(case.get("mentionPatterns") or ()),
        triggers=parse_triggers(case.get("resetTriggers"), "session.resetTriggers"),
        models=ModelNames(
            allowed=tuple(case.get("models") or ()),
            aliases=case.get("aliases") or {},
            default=case.get("defaultModel"),
        ),
    )
    command = parse_command(case.get("text") or "", context)
    if isinstance(command, Reset):
        is_authorised = bool(case.get("authorized"))
        decision = decide_command(command, is_authorised=is_authorised, is_owner=False, is_group=is_group)
        if decision.outcome == "run":
            return {"reset": True, "mode": command.mode, "model": command.model, "remainder": command.remainder}
    return {"reset": False, "mode": None, "model": None, "remainder": None}


OPS: dict[str, Callable[[dict], object]] = {"": ask_reset}
