"""Sentences about the life of a session: freshness, resets, turns, and what is changed, kept or removed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from instar.core.explain.facts import Facts

__all__ = ["tell_budget", "tell_fork", "tell_freshness", "tell_plainly", "tell_reset", "tell_turn"]

_SUBJECTS: Final = {
    "prune": "Old tool results",
    "compact": "A summary of the conversation",
    "flush": "Notes before a summary",
    "limit": "A limit on the history",
    "patch": "Settings of the session were changed",
    "maintenance": "Maintenance looked at stored sessions",
    "import": "A transcript was imported",
    "erase": "What was held about a person was erased",
    "recover": "Work was taken up after a restart",
    "turn": "The turn ended",
}
"""What a decision of a kind is about, for kinds whose outcome says the rest."""

_RESETS: Final = {
    "new": "A new session was started by {trigger}",
    "reset": "A new session was started by {trigger}",
    "soft": "The session was refreshed by {trigger} soft; its transcript goes on",
    "create": "The session was created by {who}",
    "resume": "An earlier transcript was made current again by {who}",
    "delete": "The session was deleted by {who}",
    "cron": "A new session was started for the run of a job",
}


def tell_freshness(facts: Facts) -> str:
    """Why a session went on or began anew."""
    match facts.outcome:
        case "daily":
            return _tell_daily(facts)
        case "idle":
            return _tell_idle(facts)
        case "new":
            return "A new session: this was the first message here."
        case "fresh":
            return f"The session goes on: {_tell_fresh(facts)}."
        case _:
            return f"A new session: {facts.outcome}{facts.details()}."


def tell_fork(facts: Facts) -> str:
    """What a new thread began with, and why that."""
    parent = facts.word("parent", "the session above it")
    match facts.outcome:
        case "copied":
            session = facts.word("session_id")
            whose = f"of {parent} ({session})" if session else f"of {parent}"
            return f"The thread began with the transcript {whose}{facts.details(without={'parent', 'session_id'})}."
        case "too_large":
            limit = facts.number("limit_tokens")
            most = f"{limit:,.0f} tokens" if limit else "what is copied"
            return f"The thread began empty: the transcript of {parent} has more than {most}."
        case "not_shared":
            return f"The thread began empty: {parent} belongs to somebody else."
        case "shut":
            return f"The thread began empty: what is kept of {parent} was being deleted at that moment."
        case _:
            return tell_plainly(facts)


def tell_reset(facts: Facts) -> str:
    """Who or what started a session over, created it, or brought it back."""
    template = _RESETS.get(facts.outcome)
    if template is None:
        return f"The session was started over: {facts.outcome}{facts.details()}."
    sentence = template.format(trigger=facts.word("trigger", facts.who), who=facts.who)
    model, closed = facts.word("model"), facts.word("closed")
    sentence += f" and runs as {model}" if model else ""
    sentence += f"; the transcript {closed} is kept" if closed else ""
    return f"{sentence}."


def tell_turn(facts: Facts) -> str:
    """How a turn ended, or was taken up again."""
    if facts.outcome == "turn_resumed":
        return f"After a restart the turn went on from its last stored line{facts.details()}."
    if facts.outcome == "stand_in" and facts.word("why"):
        return facts.word("why")
    if facts.outcome == "empty_answer":
        model = f"The model {facts.word('model')}" if facts.word("model") else "The model"
        rest = facts.details(without={"model"})
        return f"{model} ended its answer without a word{rest}; whoever wrote was told."
    return tell_plainly(facts)


def tell_budget(facts: Facts) -> str:
    """Why money kept a turn from beginning, and until when."""
    spent, limit = facts.number("spent_usd"), facts.number("limit_usd")
    if facts.outcome != "stop" or spent is None or limit is None:
        return tell_plainly(facts)
    span = {"day": "for the day", "month": "for the month", "session": "of the session"}.get(facts.word("per"), "")
    frees_at = facts.moment("frees_at")
    until = f"it frees up {frees_at}" if frees_at else "a new session has its own"
    return f"The budget {span} was used up: ${spent:.2f} of ${limit:.2f}; {until}."


def tell_plainly(facts: Facts) -> str:
    """The outcome and all inputs of a decision of any kind, also of one that came later than this sentence."""
    kind = facts.recorded.decision.kind
    subject = _SUBJECTS.get(kind, kind.replace("_", " ").capitalize())
    return f"{subject}: {facts.outcome.replace('_', ' ')}{facts.details()}."


def _tell_daily(facts: Facts) -> str:
    head = f"Daily reset at {facts.word('at', 'the set hour')} {facts.zone}"
    began = facts.moment("started_at")
    if began is None:
        return f"{head}; nobody knows when this session began."
    return f"{head}; this session began {began}."


def _tell_idle(facts: Facts) -> str:
    span, last = facts.span("idle_s"), facts.moment("interacted_at")
    head = f"Idle reset after {span}" if span else "Idle reset"
    return f"{head}; the last message came {last}." if last else f"{head}; nobody knows when it was last used."


def _tell_fresh(facts: Facts) -> str:
    explain = _FRESH.get(facts.rule)
    reason = explain(facts) if explain else "no reset was due"
    until = facts.moment("next_expiry_at")
    return f"{reason}; without a word it resets {until}" if until else reason


def _since_boundary(facts: Facts) -> str:
    began, boundary = facts.moment("started_at"), facts.moment("daily_reset_at")
    if began is None or boundary is None:
        return "no daily reset was due"
    return f"it began {began}, after the daily reset of {boundary}"


def _in_window(facts: Facts) -> str:
    last, span = facts.moment("interacted_at"), facts.span("idle_s")
    return f"the last message came {last}, within {span}" if last and span else "it was not idle for long enough"


_FRESH: Final[dict[str, Callable[[Facts], str]]] = {
    "RESET-10": lambda _: "it is configured never to expire",
    "RESET-13": _since_boundary,
    "RESET-15": _in_window,
    "RESET-27": lambda _: "a provider keeps it and no reset is configured",
    "RESET-28": lambda _: "the client sent with the session it was showing",
    "LOSS-7": lambda _: "it was in use, so the daily reset is put off",
}
"""Why a session is fresh, by the rule that said so."""
