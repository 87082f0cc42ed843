"""Whether a context must be made smaller, and the plan for it (COMPACT-1 to COMPACT-12).

A compaction is planned here and carried out by the shell, which asks a model for the summaries. The way of one:

    decide_threshold, decide_bytes, is_overflow_text     is it time?
    plan_compaction                                      what is summarised, what stays
    plan_chunks, build_history_request, …                what the model is asked, piece by piece
    join_summary, check_summary                          the text, and whether it may count
    build_entry                                          the entry to store, if it lowers the estimate
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Final, Literal

from instar.core.context.chunks import leave_out_oversized
from instar.core.context.cut import Cut, find_cut, spare_open_turn
from instar.core.context.files import FileLists, collect_files, parse_files
from instar.core.context.flush import FlushSettings
from instar.core.context.identifiers import extract_identifiers
from instar.core.context.pins import expand_pins
from instar.core.context.tokens import estimate_chars, estimate_entry
from instar.core.context.view import ContextView, place_messages
from instar.core.model.decision import Decision
from instar.core.model.entry import AnyEntry
from instar.core.model.ids import EntryId
from instar.core.transcript.repair import PlacedMessage

__all__ = [
    "CompactionPlan",
    "CompactionReason",
    "CompactionSettings",
    "NoCompaction",
    "decide_bytes",
    "decide_threshold",
    "effective_keep",
    "effective_reserve",
    "plan_compaction",
    "without_oversized",
]

CompactionReason = Literal["threshold", "overflow", "bytes", "manual", "limits"]
"""What asked for it: COMPACT-3, COMPACT-4, COMPACT-6, COMPACT-20, HIST-4."""

_SMALLEST_PROMPT_TOKENS: Final = 8_000
"""What the reserve must leave of a window for the prompt, if the window has that much (COMPACT-2)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CompactionSettings:
    """`agents.defaults.compaction` (COMPACT-1). Tokens, except `max_active_bytes`; None means not set.

    `enabled` False turns off the threshold only. `check_retries` are the corrective attempts of COMPACT-14.
    """

    enabled: bool = True
    mode: Literal["safeguard", "default"] = "safeguard"
    keep_recent_tokens: int = 20_000
    reserve_tokens: int = 16_384
    reserve_floor_tokens: int = 20_000
    model: str | None = None
    provider: str | None = None
    identifier_policy: Literal["strict", "off"] = "strict"
    check_retries: int = 1
    notify_user: bool = False
    max_active_bytes: int | None = None
    instructions: str = ""
    flush: FlushSettings = field(default_factory=FlushSettings)

    @property
    def keeps_identifiers(self) -> bool:
        """Whether a summary is checked for the identifiers of the latest turns."""
        return self.mode == "safeguard" and self.identifier_policy == "strict"


def list_summary_refs(settings: CompactionSettings, *, own_id: str) -> tuple[str, ...]:
    """The models that may be meant for summaries, the likeliest first; empty where none is named (COMPACT-1).

    A `provider` by itself is asked for the model that the session uses, `own_id`. With a `model` it goes in front of
    it, also where that has a slash, as the names of brokers do (``openrouter`` and ``meta/llama``); the name as it
    stands comes second, for one that says its provider already.
    """
    if settings.provider is None:
        return () if settings.model is None else (settings.model,)
    if settings.model is None:
        return (f"{settings.provider}/{own_id}",)
    return f"{settings.provider}/{settings.model}", settings.model


# --- is it time? ------------------------------------------------------------------------------------------------------


def effective_reserve(settings: CompactionSettings, window_tokens: int) -> int:
    """The tokens of the window that are kept free for the answer (COMPACT-2)."""
    prompt = min(_SMALLEST_PROMPT_TOKENS, max(1, window_tokens // 2))
    return min(max(settings.reserve_tokens, settings.reserve_floor_tokens), window_tokens - prompt)


def effective_keep(settings: CompactionSettings, window_tokens: int) -> int:
    """The tokens that stay verbatim: as configured, at most half of what a prompt may take (COMPACT-2)."""
    return min(settings.keep_recent_tokens, (window_tokens - effective_reserve(settings, window_tokens)) // 2)


def decide_threshold(settings: CompactionSettings, *, context_tokens: int, window_tokens: int) -> Decision:
    """Whether a context has grown too large after a turn: outcome ``compact`` or why not (COMPACT-3)."""
    reserve = effective_reserve(settings, window_tokens)
    is_over = context_tokens > window_tokens - reserve
    outcome = "disabled" if not settings.enabled else "compact" if is_over else "below-threshold"
    inputs = {"contextTokens": context_tokens, "windowTokens": window_tokens, "reserveTokens": reserve}
    return Decision(kind="compact", outcome=outcome, rule="COMPACT-3", inputs=inputs)


def decide_bytes(settings: CompactionSettings, *, transcript_bytes: int) -> Decision:
    """Whether the active transcript has become too large a file: ``compact`` or ``below-threshold`` (COMPACT-6)."""
    limit = settings.max_active_bytes or 0
    outcome = "compact" if 0 < limit <= transcript_bytes else "below-threshold"
    inputs = {"transcriptBytes": transcript_bytes, "limitBytes": limit}
    return Decision(kind="compact", outcome=outcome, rule="COMPACT-6", inputs=inputs)


# --- the plan ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class CompactionPlan:
    """What a compaction would do.

    `history` and `prefix` are the messages to summarise, oldest first: all that goes, and the beginning of the turn
    that is split (empty if none is). `previous_summary` is the record so far. `pinned` are entries that go but stay
    verbatim. `identifiers` must be found in the summary. `tokens_before` is what people are told; `estimated_before`
    and `kept_tokens` are what the new estimate is compared with.
    """

    reason: CompactionReason
    first_kept_id: EntryId
    history: tuple[PlacedMessage, ...]
    prefix: tuple[PlacedMessage, ...]
    previous_summary: str
    pinned: tuple[AnyEntry, ...]
    files: FileLists
    identifiers: tuple[str, ...]
    tokens_before: int
    estimated_before: int
    kept_tokens: int

    def estimate_after(self, summary: str) -> int:
        """The estimate of the context with this summary."""
        return estimate_chars(len(summary)) + self.kept_tokens


@dataclass(frozen=True, slots=True, kw_only=True)
class NoCompaction:
    """Why there is nothing to do, as a code and as a sentence (COMPACT-11)."""

    code: Literal["empty", "already-compacted", "nothing-to-summarise"]
    sentence: str


_BEFORE_A_TURN: Final = frozenset({"bytes", "limits"})
"""Reasons that are looked at when what the turn is to answer is in the transcript already."""

_EMPTY = NoCompaction(code="empty", sentence="There is nothing in this session yet.")
_ALREADY = NoCompaction(code="already-compacted", sentence="Nothing was said since the last compaction.")
_NOTHING = NoCompaction(
    code="nothing-to-summarise", sentence="All that was said is recent enough to be kept word for word."
)


def plan_compaction(
    view: ContextView,
    settings: CompactionSettings,
    *,
    window_tokens: int,
    reason: CompactionReason,
    keep_tokens: int | None = None,
    keep_messages: int | None = None,
) -> CompactionPlan | NoCompaction:
    """Plan a compaction of a view, or say why there is none.

    `keep_tokens` None takes the budget of COMPACT-2. What the last compaction kept verbatim goes into the history,
    too, or it would be lost without a trace. A compaction that a person asks for needs new words besides; one that
    the window forces is content with that part alone. One before a turn leaves that turn whole, also where it takes
    more than the budget.
    """
    if not view.items:
        return _ALREADY if view.compaction else _EMPTY
    keep = effective_keep(settings, window_tokens) if keep_tokens is None else keep_tokens
    cut = find_cut(view.items, keep_tokens=keep, keep_messages=keep_messages)
    if cut is None:
        return _NOTHING
    if reason in _BEFORE_A_TURN:
        cut = spare_open_turn(view.items, cut)
    new = place_messages(item.entry for item in view.items[: cut.history_end])
    prefix = place_messages(item.entry for item in view.items[cut.history_end : cut.index])
    carried = place_messages(item.entry for item in view.carried)
    if not new and not prefix and (reason == "manual" or not carried):
        return _NOTHING
    return _plan(view, settings, cut=cut, history=(*carried, *new), prefix=prefix, reason=reason)


def _plan(
    view: ContextView,
    settings: CompactionSettings,
    *,
    cut: Cut,
    history: tuple[PlacedMessage, ...],
    prefix: tuple[PlacedMessage, ...],
    reason: CompactionReason,
) -> CompactionPlan:
    left = [item.entry for item in (*view.carried, *view.items[: cut.index])]
    pinned = (*view.pinned, *expand_pins(left, view.pins))
    kept = view.items[cut.index :]
    gone = (*history, *prefix)
    known = parse_files(view.compaction.details) if view.compaction else FileLists()
    return CompactionPlan(
        reason=reason,
        first_kept_id=view.items[cut.index].entry.id,
        history=history,
        prefix=prefix,
        previous_summary=view.compaction.summary if view.compaction else "",
        pinned=pinned,
        files=collect_files((placed.message for placed in gone), known),
        identifiers=extract_identifiers(gone) if settings.keeps_identifiers else (),
        tokens_before=view.context.tokens,
        estimated_before=view.estimated,
        kept_tokens=sum(item.tokens for item in kept) + sum(map(estimate_entry, pinned)),
    )


def without_oversized(
    plan: CompactionPlan, settings: CompactionSettings, *, window_tokens: int
) -> CompactionPlan | None:
    """The plan for the attempt after the full one failed: remarks stand for messages that alone are too large.

    None when there are none, so that a second attempt would be the first one again (COMPACT-17).
    """
    history = leave_out_oversized(plan.history, window_tokens)
    prefix = leave_out_oversized(plan.prefix, window_tokens)
    if (history, prefix) == (plan.history, plan.prefix):
        return None
    identifiers = extract_identifiers((*history, *prefix)) if settings.keeps_identifiers else ()
    return replace(plan, history=history, prefix=prefix, identifiers=identifiers)
