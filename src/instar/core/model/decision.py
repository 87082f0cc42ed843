"""What was decided, by which rule, from which inputs (WHY-1).

A `Decision` is stored in the transaction of its effect and told by `instar explain`. Inputs are small and
never hold message text (LEAK-12).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from instar.core.model.ids import InboundId, Instant, SessionKey, TurnId

__all__ = ["Decision", "DecisionKind", "InputValue", "RecordedDecision"]

InputValue = str | int | float | bool | None
"""A fact a decision was made from: small enough to be read in one sentence."""

DecisionKind = Literal[
    "route",
    "access",
    "activation",
    "queue",
    "freshness",
    "fork",
    "reset",
    "turn",
    "recover",
    "prune",
    "compact",
    "flush",
    "limit",
    "send",
    "deliver",
    "patch",
    "command",
    "maintenance",
    "import",
    "erase",
    "budget",
    "tool",
    "level",
]
"""What kind of question was answered; one sentence builder each in `instar.core.explain`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """One answer: `kind` asked, `outcome` given, `rule` that gave it, `inputs` it was given from."""

    kind: DecisionKind
    outcome: str
    rule: str
    inputs: Mapping[str, InputValue] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedDecision:
    """A decision as it is stored: when, about which session, message and turn, and who caused it."""

    id: int
    at: Instant
    decision: Decision
    session_key: SessionKey | None = None
    inbound_id: InboundId | None = None
    turn_id: TurnId | None = None
    who: str = "gateway"
