"""The entries that compactions leave in a transcript (COMPACT-21, COMPACT-25, LOSS-9).

Three kinds: one with a summary that a model wrote, one that takes the newest back, and one that keeps the last lines
on request. None of them removes anything: the model sees less, the transcript holds all.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from instar.core.context.build import build_view
from instar.core.context.compaction import CompactionPlan, CompactionReason
from instar.core.context.pins import expand_pins, format_pinned
from instar.core.context.span import find_span
from instar.core.model.decision import Decision
from instar.core.model.entry import AnyEntry, CompactionEntry
from instar.core.model.ids import EntryId, Instant
from instar.core.model.session import Counters

__all__ = ["build_entry", "count_without_model", "describe_compaction", "plan_kept_lines", "plan_undo"]


def build_entry(
    plan: CompactionPlan, summary: str, *, entry_id: EntryId, parent_id: EntryId | None, at: Instant
) -> CompactionEntry | None:
    """The entry to store, None when it would not lower the estimate (LOSS-9)."""
    if plan.estimate_after(summary) >= plan.estimated_before:
        return None
    details: dict[str, object] = {"readFiles": list(plan.files.read), "modifiedFiles": list(plan.files.changed)}
    if plan.pinned:
        details["pinned"] = format_pinned(plan.pinned)
    return CompactionEntry(
        id=entry_id,
        parent_id=parent_id,
        timestamp=at,
        summary=summary,
        first_kept_id=plan.first_kept_id,
        tokens_before=plan.tokens_before,
        details=details,
    )


def plan_undo(
    branch: Sequence[AnyEntry], *, entry_id: EntryId, at: Instant, tokens_before: int
) -> CompactionEntry | None:
    """The entry that takes back the compaction in force, None when there is none (LOSS-9).

    `branch` is the whole branch, root first. The view after it is the one before the compaction, with all that was
    said since.
    """
    span = find_span(branch)
    if span.compaction is None:
        return None
    before = find_span(branch[: span.after - 1])
    restored = before.compaction
    return CompactionEntry(
        id=entry_id,
        parent_id=branch[-1].id,
        timestamp=at,
        summary=restored.summary if restored else "",
        first_kept_id=restored.first_kept_id if restored else branch[0].id,
        tokens_before=tokens_before,
        details={"undoes": span.compaction.id, "restores": restored.id if restored else None},
    )


def plan_kept_lines(
    branch: Sequence[AnyEntry], *, lines: int, entry_id: EntryId, at: Instant, tokens_before: int
) -> CompactionEntry | None:
    """The entry after which the model sees only the last `lines` entries of the branch (COMPACT-25).

    None when it sees no more than that already: then there is nothing to leave out, and asking twice changes nothing.
    Nothing is summarised; a short note says that something was left out, and what is pinned stays word for word
    (LOSS-9). Notes of earlier compactions are no lines of the conversation.
    """
    last = [entry for entry in branch if not isinstance(entry, CompactionEntry)][-max(1, lines) :]
    view, kept = build_view(branch), {entry.id for entry in last}
    left = [entry for entry in view.entries() if entry.id not in kept]
    if not left:
        return None
    pinned = (*view.pinned, *expand_pins(left, view.pins))
    return CompactionEntry(
        id=entry_id,
        parent_id=branch[-1].id,
        timestamp=at,
        summary="Everything before this point was left out on request, without a summary.",
        first_kept_id=last[0].id,
        tokens_before=tokens_before,
        details={"pinned": format_pinned(pinned)} if pinned else None,
    )


def count_without_model(counters: Counters, *, undone: bool, tokens_after: int) -> Counters:
    """The counters after an entry that no model wrote: a view that was widened or narrowed says nothing of before.

    An undo makes the window hold `tokens_after` again; keeping the last lines clears every counter (COMPACT-25). What
    was spent stays in the ledger (LOSS-11).
    """
    if undone:
        return replace(counters, total_tokens=tokens_after)
    return replace(counters, input_tokens=0, output_tokens=0, total_tokens=0)


_RULES: Final[dict[CompactionReason, str]] = {
    "threshold": "COMPACT-3",
    "overflow": "COMPACT-4",
    "bytes": "COMPACT-6",
    "manual": "COMPACT-20",
    "limits": "HIST-4",
}


def describe_compaction(
    plan: CompactionPlan, *, outcome: str, tokens_after: int | None = None, again_at: Instant | None = None
) -> Decision:
    """What became of a plan as a decision to be stored (WHY-1): ``compacted``, or why not.

    `again_at` is when a failed one may be tried again by itself.
    """
    return Decision(
        kind="compact",
        outcome=outcome,
        rule=_RULES[plan.reason],
        inputs={
            "reason": plan.reason,
            "summarised": len(plan.history) + len(plan.prefix),
            "tokensBefore": plan.tokens_before,
            "tokensAfter": tokens_after,
            **({} if again_at is None else {"again_at": again_at}),
        },
    )
