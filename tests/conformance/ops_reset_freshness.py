"""`reset_freshness.json`: type, effective policy and freshness of a session under a configuration (RESET-*)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from zoneinfo import ZoneInfo

from instar.config.aliases import apply_aliases
from instar.config.sections.reset import parse_reset
from instar.core.lifecycle.freshness import decide_freshness
from instar.core.lifecycle.reset import ResetPolicy, ResetType, resolve_reset_policy, resolve_reset_type
from instar.core.model.ids import Instant, SessionKey
from instar.core.model.instant import format_iso, parse_iso
from instar.core.model.session import Lifecycle
from instar.core.routing.normalize import normalize_channel


def ask_freshness(case: dict) -> dict[str, object]:
    reset_type, policy = ask_policy(case)
    entry = case.get("entry") or {}
    found = decide_freshness(
        Lifecycle(
            started_at=read(entry, "sessionStartedAt"),
            last_interaction_at=read(entry, "lastInteractionAt"),
            updated_at=read(entry, "updatedAt"),
        ),
        header_at=read(entry, "transcriptHeaderAt"),
        policy=policy,
        now=read(case, "now") or Instant(0),
        zone=ZoneInfo(case.get("tz") or "UTC"),
    )
    return {
        "resetType": reset_type,
        "policy": show_policy(policy),
        "fresh": found.fresh,
        "staleReason": found.reason,
        "dailyResetAt": write(found.daily_reset_at),
        "idleExpiresAt": write(found.idle_expires_at),
    }


def ask_policy(case: dict) -> tuple[ResetType, ResetPolicy]:
    """The type that a case names or that its key and flags give, and the policy for it (RESET-8, RESET-11)."""
    named = case.get("resetType")
    reset_type = (
        "direct"
        if named == "dm"
        else named
        or resolve_reset_type(
            SessionKey(case.get("key") or ""),
            is_group=bool(case.get("isGroup")),
            is_thread=bool(case.get("isThread")),
        )
    )
    settings = parse_reset(apply_aliases(case.get("config") or {}))
    return reset_type, resolve_reset_policy(settings, reset_type, normalize_channel(case.get("channel")) or None)


def ask_reset_policy(case: dict) -> dict[str, object]:
    """The effective policy alone; `config_aliases.json` asks for it under the op `resetPolicy`."""
    return show_policy(ask_policy(case)[1])


def show_policy(policy: ResetPolicy) -> dict[str, object]:
    """The policy as the vectors write it."""
    return {
        "mode": policy.mode,
        "atHour": policy.at_hour,
        "atMinute": policy.at_minute,
        "idleSeconds": policy.idle_s,
    }


def read(fields: Mapping[str, object], name: str) -> Instant | None:
    """An instant given as ISO text or as milliseconds; anything else is unknown (RESET-12)."""
    value = fields.get(name)
    if isinstance(value, bool):
        return None
    if isinstance(value, int | float):
        return Instant(int(value)) if value == value // 1 else None
    return parse_iso(value) if isinstance(value, str) else None


def write(at: Instant | None) -> str | None:
    return None if at is None else format_iso(at)


OPS: dict[str, Callable[[dict], object]] = {"": ask_freshness}
