"""How a session stands, as text and as fields (STATUS-1…6, WHY-6, WHY-7).

What belongs here: the facts of one session put into lines. What does not: gathering them. Three token numbers are kept
apart: what is in the window now, what was billed so far, and how large the window is (WHY-7).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, tzinfo

from instar.core.explain.settings import build_setting_fields, build_setting_lines, describe_policy
from instar.core.lifecycle.freshness import Freshness
from instar.core.lifecycle.notice import format_span
from instar.core.lifecycle.reset import ResetPolicy
from instar.core.model.ids import Instant, SessionKey
from instar.core.model.session import Session
from instar.core.model.setting import Setting
from instar.core.policy.budget import Spending
from instar.core.policy.budget_text import describe_spending

__all__ = ["StatusFacts", "build_status_fields", "build_status_lines", "format_count", "hide_others_spending"]


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusFacts:
    """What `/status` tells. `session` None: nobody has written here yet.

    `window_used` are the tokens in the window now and `window_source` who counted them; `window_tokens` is its size,
    None if unknown. `billed_usd` is what the ledger booked, None where nothing was priced. `send_verdict` is `allow` or
    `deny`. `runtime` is where tools run. `spendings` are the budgets that a turn here falls under. `settings` is every
    setting that holds here, by its name in files (WHY-6). `window_counted_at` is when the provider last counted.
    """

    version: str
    now: Instant
    zone: tzinfo
    key: SessionKey
    session: Session | None
    model: str
    auth_kind: str
    window_used: int
    window_source: str
    window_tokens: int | None
    queue_mode: str
    queue_source: str
    waiting: int
    running: int
    send_verdict: str
    policy: ResetPolicy
    freshness: Freshness | None
    billed_usd: float | None = None
    activation: str | None = None
    runtime: str = "direct"
    spendings: tuple[Spending, ...] = ()
    settings: Mapping[str, Setting[object]] = field(default_factory=dict)
    window_counted_at: Instant | None = None


def hide_others_spending(facts: StatusFacts) -> StatusFacts:
    """The facts for whoever does not look after the money: of budgets only those that count no more than this session,
    or than one person (LEAK-4). What others have spent shows in the rest.
    """
    own = tuple(one for one in facts.spendings if one.budget.per == "session" or one.budget.match.person is not None)
    return replace(facts, spendings=own)


def build_status_lines(facts: StatusFacts) -> str:
    """The lines of `/status`."""
    session = facts.session
    lines = [f"Instar {facts.version}", f"Model: {facts.model} ({facts.auth_kind})"]
    if session is None:
        return "\n".join([*lines, f"Session: {facts.key} (nobody has written here yet)"])
    counters = session.counters
    billed = f"{format_count(counters.input_tokens)} in / {format_count(counters.output_tokens)} out"
    cost = "" if facts.billed_usd is None else f" · ${facts.billed_usd:.4f}"
    lines += [
        f"Tokens billed: {billed}{cost}",
        f"Context: {_window(facts)}",
        f"Compactions: {counters.compaction_count}",
        f"Session: {facts.key} · {session.session_id} · {_age(session, facts)}",
        f"Runtime: {facts.runtime}",
    ]
    lines += _levels(facts)
    if facts.activation is not None:
        lines.append(f"Activation: {facts.activation}")
    lines.append(f"Queue: {facts.queue_mode} ({facts.queue_source}), {facts.waiting} waiting, {facts.running} running")
    if facts.send_verdict != "allow":
        lines.append(f"Send policy: {facts.send_verdict}")
    lines += [f"Budget per {one.budget.per}: {describe_spending(one)}" for one in facts.spendings]
    lines += build_setting_lines(facts.settings)
    lines.append(f"Reset: {_reset(facts)}")
    return "\n".join(lines)


def build_status_fields(facts: StatusFacts) -> dict[str, object]:
    """The same as fields, for tools and `--json` (STATUS-6)."""
    session, counters = facts.session, facts.session.counters if facts.session else None
    began_at = session.lifecycle.started_at if session else None
    return {
        "version": facts.version,
        "sessionKey": facts.key,
        "sessionId": session.session_id if session else None,
        "startedAt": began_at,
        "ageMs": None if began_at is None else max(0, facts.now - began_at),
        "model": facts.model,
        "auth": facts.auth_kind,
        "context": {
            "used": facts.window_used,
            "source": facts.window_source,
            "limit": facts.window_tokens,
            "percent": _percent(facts),
            "countedAt": facts.window_counted_at,
        },
        "billed": {
            "inputTokens": counters.input_tokens if counters else 0,
            "outputTokens": counters.output_tokens if counters else 0,
            "costUsd": facts.billed_usd,
        },
        "compactionCount": counters.compaction_count if counters else 0,
        "queue": {
            "mode": facts.queue_mode,
            "source": facts.queue_source,
            "waiting": facts.waiting,
            "running": facts.running,
        },
        "activation": facts.activation,
        "sendPolicy": facts.send_verdict,
        "reset": {
            "mode": facts.policy.mode,
            "nextExpiryAt": facts.freshness.next_expiry_at if facts.freshness else None,
        },
        "runtime": facts.runtime,
        "settings": build_setting_fields(facts.settings),
        "budgets": [
            {
                "per": one.budget.per,
                "action": one.budget.action,
                "spentUsd": one.spent_usd,
                "limitUsd": one.budget.limit_usd,
            }
            for one in facts.spendings
        ],
    }


def format_count(count: int) -> str:
    """A number of tokens: as it is under 1000, then in ``k`` (one decimal under 10k), then in ``m`` (STATUS-4)."""
    if count < 1_000:
        return str(count)
    if count < 999_500:
        thousands = count / 1_000
        return f"{thousands:.1f}k" if round(thousands, 1) < 10 else f"{thousands:.0f}k"
    return f"{count / 1_000_000:.1f}m"


def _window(facts: StatusFacts) -> str:
    used, source = format_count(facts.window_used), facts.window_source
    if facts.window_counted_at is not None:
        source = f"{source} {_span(max(0, facts.now - facts.window_counted_at) // 1000)} ago"
    if facts.window_tokens is None:
        return f"{used} (window unknown, {source})"
    return f"{used}/{format_count(facts.window_tokens)} ({_percent(facts)}%, {source})"


def _percent(facts: StatusFacts) -> int | None:
    if not facts.window_tokens:
        return None
    return min(999, round(100 * facts.window_used / facts.window_tokens))


def _age(session: Session, facts: StatusFacts) -> str:
    began = session.lifecycle.started_at
    return "age unknown" if began is None else f"began {_span(max(0, facts.now - began) // 1000)} ago"


def _span(seconds: int) -> str:
    """A length of time in its largest whole unit: nobody wants seconds of something that is days old."""
    unit = next(unit for unit in (86_400, 3_600, 60, 1) if seconds >= unit or unit == 1)
    return format_span(max(1, seconds // unit * unit))


def _levels(facts: StatusFacts) -> list[str]:
    """What holds and is not off; the lines of settings tell where each came from."""
    named = {
        "Thinking": "thinkingLevel",
        "Verbose": "verboseLevel",
        "Reasoning": "reasoningLevel",
        "Elevated": "elevatedLevel",
    }
    held = {name: facts.settings[field].value for name, field in named.items() if field in facts.settings}
    return [f"{name}: {level}" for name, level in held.items() if level != "off"]


def _reset(facts: StatusFacts) -> str:
    rule = describe_policy(facts.policy)
    if facts.policy.mode == "none" or facts.freshness is None or facts.freshness.next_expiry_at is None:
        return rule
    moment = datetime.fromtimestamp(facts.freshness.next_expiry_at / 1000, tz=UTC).astimezone(facts.zone)
    return f"{rule}; next {moment:%Y-%m-%d %H:%M}"
