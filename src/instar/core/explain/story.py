"""Recorded decisions as sentences: one each, with its rule at the end (WHY-2).

Each kind of decision has one teller. A kind, an outcome or an input that no teller knows is still told, plainly: a
decision that cannot be read would be a decision nobody can question.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import tzinfo
from typing import Final

from instar.core.explain.arriving import (
    tell_access,
    tell_activation,
    tell_command,
    tell_deliver,
    tell_queue,
    tell_route,
    tell_send,
)
from instar.core.explain.facts import Facts
from instar.core.explain.living import tell_budget, tell_fork, tell_freshness, tell_plainly, tell_reset, tell_turn
from instar.core.explain.placing import tell_level, tell_tool
from instar.core.explain.seen import tell_compaction, tell_flush, tell_limit, tell_pruning
from instar.core.model.decision import RecordedDecision

__all__ = ["ask", "tell"]

_TELLERS: Final[Mapping[str, Callable[[Facts], str]]] = {
    "route": tell_route,
    "access": tell_access,
    "activation": tell_activation,
    "queue": tell_queue,
    "freshness": tell_freshness,
    "fork": tell_fork,
    "reset": tell_reset,
    "turn": tell_turn,
    "recover": tell_turn,
    "prune": tell_pruning,
    "compact": tell_compaction,
    "flush": tell_flush,
    "budget": tell_budget,
    "limit": tell_limit,
    "send": tell_send,
    "deliver": tell_deliver,
    "patch": tell_plainly,
    "command": tell_command,
    "maintenance": tell_plainly,
    "import": tell_plainly,
    "erase": tell_plainly,
    "tool": tell_tool,
    "level": tell_level,
}

_QUESTIONS: Final[Mapping[tuple[str, str], str]] = {
    ("route", ""): "Why this session?",
    ("access", "refused"): "Why was this refused?",
    ("access", ""): "Why was this admitted?",
    ("activation", "observed"): "Why no reply?",
    ("activation", ""): "Why a reply?",
    ("queue", ""): "Why did it come when it came?",
    ("freshness", "fresh"): "Why the same session?",
    ("freshness", ""): "Why a new session?",
    ("fork", "copied"): "Why does it know what was said before?",
    ("fork", ""): "Why does it not know what was said before?",
    ("reset", ""): "Why a new session?",
    ("send", "deny"): "Why was the reply not sent?",
    ("send", ""): "Why was the reply sent?",
    ("deliver", ""): "Where did the reply go?",
    ("command", "swallow"): "Why no answer to the command?",
    ("prune", ""): "Why does the model see less?",
    ("compact", "compacted"): "Why was the conversation summarised?",
    ("compact", ""): "Why was the conversation not summarised?",
    ("flush", ""): "Why a turn without a message?",
    ("limit", ""): "Why does the model see less?",
    ("budget", "stop"): "Why no answer?",
    ("turn", "empty_answer"): "Why no answer?",
    ("turn", "stand_in"): "Why another model?",
    ("tool", "refuse"): "Why was the tool not run?",
    ("tool", ""): "Where do tools run?",
    ("level", ""): "How does it answer?",
}
"""What a person would ask, by kind and outcome; an empty outcome stands for every other one."""


def tell(decision: RecordedDecision, zone: tzinfo) -> str:
    """One sentence, and the rule that decided; times are told in `zone`, the host's.

    For example: ``Daily reset at 04:00 Europe/Berlin; this session began 2026-03-09 22:14. RESET-13``.
    """
    facts = Facts(recorded=decision, zone=zone)
    sentence = _TELLERS.get(decision.decision.kind, tell_plainly)(facts)
    return f"{sentence} {facts.rule}".rstrip()


def ask(decision: RecordedDecision) -> str:
    """The question that `tell` answers, for `/why`: ``Why a new session?``."""
    kind, outcome = decision.decision.kind, decision.decision.outcome
    return _QUESTIONS.get((kind, outcome)) or _QUESTIONS.get((kind, ""), "What happened?")
