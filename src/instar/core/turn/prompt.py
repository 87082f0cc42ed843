"""What of a context is sent to the model with one request (PRUNE-*, HIST-5…7, TRANS-20, TRANS-21, LOSS-9).

    view ─▶ limits a person set ─▶ old images out ─▶ old tool results trimmed ─▶ rendered ─▶ fitted to the window

Each step works on a copy; the transcript is not touched (PRUNE-1). The last step does nothing unless compaction could
not keep the context small enough: then the newest part is sent, and the person is told.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import tzinfo

from instar.core.context.compaction import CompactionSettings, effective_reserve
from instar.core.context.fit import fit_messages
from instar.core.context.limits import HistorySettings, select_messages
from instar.core.context.pruning import PruningSettings, describe_pass, plan_pruning, resolve_mode
from instar.core.context.render import render_messages
from instar.core.context.replay import build_replay_view
from instar.core.context.view import ContextView
from instar.core.model.decision import Decision
from instar.core.model.entry import AnyMessage
from instar.core.model.ids import Instant

__all__ = ["Prompt", "PromptSettings", "build_prompt_settings", "plan_prompt"]


@dataclass(frozen=True, slots=True, kw_only=True)
class PromptSettings:
    """What one request may hold. `truncate` are limits to keep by leaving out (HIST-5), None without; `user_turns`
    bounds direct chats (HIST-6). `budget_tokens` is what the window leaves for messages; `window_tokens` is the window.
    """

    pruning: PruningSettings
    window_tokens: int
    budget_tokens: int
    zone: tzinfo
    truncate: HistorySettings | None = None
    user_turns: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Prompt:
    """The messages of a request, as a provider accepts them, and what was decided on the way.

    `truncated` says that the window forced something out, which the person is told (LOSS-9).
    """

    messages: tuple[AnyMessage, ...]
    decisions: tuple[Decision, ...] = ()
    truncated: bool = False


def plan_prompt(view: ContextView, settings: PromptSettings, *, now: Instant) -> Prompt:
    """The messages of the next request of a view."""
    selected = select_messages(view, truncate=settings.truncate, user_turns=settings.user_turns)
    pruned = plan_pruning(
        build_replay_view(selected),
        settings.pruning,
        window_tokens=settings.window_tokens,
        now=now,
        last_call_at=view.last_call_at,
    )
    rendered = render_messages(pruned.messages, settings.zone).messages
    fitted = fit_messages(rendered, settings.budget_tokens, keep_first=len(view.head_messages()))
    decisions = [*_describe_limits(view, settings, shown=len(selected))]
    decisions += [describe_pass(pruned)] if pruned.resets_clock else []
    if fitted.truncated:
        decisions.append(
            Decision(
                kind="limit",
                outcome="truncated",
                rule="HIST-7",
                inputs={"budgetTokens": settings.budget_tokens, "tokens": fitted.tokens},
            )
        )
    return Prompt(
        messages=tuple(placed.message for placed in fitted.messages),
        decisions=tuple(decisions),
        truncated=fitted.truncated,
    )


def _describe_limits(view: ContextView, settings: PromptSettings, *, shown: int) -> Iterator[Decision]:
    """What the limits that a person has set left out, if anything."""
    if settings.truncate is None and settings.user_turns is None:
        return
    messages = len(view.messages())
    if shown < messages:
        yield Decision(
            kind="limit",
            outcome="left-out",
            rule="HIST-6" if settings.truncate is None else "HIST-5",
            inputs={"leftOut": messages - shown, "messages": messages},
        )


def build_prompt_settings(
    *,
    model_provider: str,
    model_id: str,
    window_tokens: int,
    compaction: CompactionSettings,
    pruning: PruningSettings,
    fixed_tokens: int,
    zone: tzinfo,
) -> PromptSettings:
    """What a request to a model may hold. `fixed_tokens` is the estimate of the system text and the tools.

    Half of the reserve stays free for the answer. The other half is the play between the threshold of a compaction
    and the hard limit: a context that grows over the threshold within a turn is still sent whole.
    """
    reserve = effective_reserve(compaction, window_tokens)
    return PromptSettings(
        pruning=resolve_mode(pruning, provider=model_provider, model=model_id),
        window_tokens=window_tokens,
        budget_tokens=max(1, window_tokens - reserve // 2 - fixed_tokens),
        zone=zone,
    )
