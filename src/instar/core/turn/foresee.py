"""What would become of a message, without one (WHY-3).

The answers of the door, of the session's freshness, its queue and its send policy, each as the decision that a real
message would leave; nothing is stored.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from instar.core.lifecycle.freshness import Freshness
from instar.core.lifecycle.reset import ResetPolicy
from instar.core.model.change import Acceptance
from instar.core.model.decision import Decision
from instar.core.model.setting import Setting
from instar.core.policy.send import SendDecision
from instar.core.policy.tools import ToolPlacing
from instar.core.queue.settings import QueueSettings
from instar.core.turn.begin import describe_freshness

__all__ = ["Foreseen", "foresee_decisions"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Foreseen:
    """What was asked on the way. `freshness` is None where there is no session yet; `tools` is where those would run
    that touch the host. `levels` are the levels that hold by their fields.
    """

    acceptance: Acceptance
    freshness: Freshness | None
    policy: ResetPolicy
    queue: QueueSettings
    send: SendDecision
    tools: ToolPlacing
    levels: Mapping[str, Setting[object]] = field(default_factory=dict)


def foresee_decisions(foreseen: Foreseen) -> tuple[Decision, ...]:
    """The decisions in the order in which a message would meet them; a message that is refused meets no more."""
    acceptance = foreseen.acceptance
    if acceptance.status == "refused":
        return acceptance.decisions
    queue = foreseen.queue
    waits = Decision(
        kind="queue",
        outcome="mode",
        rule="QUEUE-11",
        inputs={"mode": queue.mode, "debounce_ms": queue.debounce_ms, "source": queue.sources.get("mode", "default")},
    )
    if acceptance.status == "observed":
        return acceptance.decisions
    begins = Decision(kind="freshness", outcome="new", rule="RESET-17")
    if foreseen.freshness is not None:
        begins = describe_freshness(foreseen.freshness, foreseen.policy)
    placed = foreseen.tools.as_decision("")
    return (*acceptance.decisions, begins, waits, *_describe_levels(foreseen), placed, foreseen.send.as_decision())


def _describe_levels(foreseen: Foreseen) -> tuple[Decision, ...]:
    """One decision for each level that somebody set."""
    return tuple(
        Decision(
            kind="level",
            outcome="holds",
            rule="RESOLVE-5",
            inputs={"setting": name, "value": str(held.value), "source": held.source},
        )
        for name, held in foreseen.levels.items()
        if held.source != "default"
    )
