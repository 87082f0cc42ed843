"""Transactions about decisions: recorded with their effect, read newest first (WHY-1)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Final

from instar.core.model.change import Noted
from instar.core.model.decision import InputValue
from instar.core.model.ids import Instant, SessionKey
from instar.core.model.query import DecisionPage, DecisionQuery
from instar.core.policy.redaction import Redactor
from instar.stores.rows import format_json, read_decision
from instar.stores.transaction import Transaction

__all__ = ["load_decisions", "record_decisions"]

_SEEN_MAX: Final = 2048
"""Inputs repeat themselves, turn after turn: looking for secrets in one takes as long as writing it."""


def record_decisions(tx: Transaction, decisions: Sequence[Noted], *, key: SessionKey | None, now: Instant) -> None:
    """Write decisions about a session, None for those about none."""
    if not decisions:
        return
    tx.run_many(
        "insert_decision",
        [
            {
                "at": now,
                "session_key": key,
                "inbound_id": noted.inbound_id,
                "turn_id": noted.turn_id,
                "kind": noted.decision.kind,
                "outcome": noted.decision.outcome,
                "rule": noted.decision.rule,
                "inputs": _format_inputs(tx.redactor, noted.decision.inputs),
                "who": noted.who,
            }
            for noted in decisions
        ],
    )


def _format_inputs(redactor: Redactor, inputs: Mapping[str, InputValue]) -> str:
    """The inputs without secrets (LEAK-12). Nearly all have none, so the text is looked at before the values are."""
    text = format_json(inputs)
    return format_json(redactor.fields(inputs)) if _has_secret(redactor, text) else text


@lru_cache(maxsize=_SEEN_MAX)
def _has_secret(redactor: Redactor, text: str) -> bool:
    return redactor.finds_in(text)


def load_decisions(tx: Transaction, query: DecisionQuery) -> DecisionPage:
    """Decisions that match every given field, newest first."""
    params = {
        "session_key": query.session_key,
        "inbound_id": query.inbound_id,
        "turn_id": query.turn_id,
        "kind": query.kind,
        "since": query.since,
        "limit": query.limit,
    }
    return tuple(read_decision(row) for row in tx.all(_query_name(query), params))


def _query_name(query: DecisionQuery) -> str:
    """The query whose index leaves the fewest rows."""
    if query.inbound_id is not None:
        return "load_decisions_of_message"
    if query.turn_id is not None:
        return "load_decisions_of_turn"
    if query.session_key is not None:
        return "load_decisions_of_session"
    return "load_decisions"
