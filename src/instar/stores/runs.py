"""Transactions about runs that go on beside others: their lines wait until the run ends (QUEUE-9).

Each line is committed when it is complete, so a crash loses none (LOSS-3). In the transcript they take their place when
the run ends, all together, below whatever is the leaf by then.
"""

from __future__ import annotations

from collections.abc import Sequence

from instar.core.model.entry import AnyEntry
from instar.core.model.ids import SessionKey, TurnId
from instar.stores.rows import format_line, read_entry
from instar.stores.transaction import Transaction

__all__ = ["forget_held", "hold_lines", "load_held", "take_held"]


def hold_lines(tx: Transaction, turn_id: TurnId, entries: Sequence[AnyEntry], *, key: SessionKey) -> None:
    """Keep lines of a run behind those that it has."""
    for entry in entries:
        tx.run("hold_line", {"turn_id": turn_id, "session_key": key, "line": format_line(entry).text})


def load_held(tx: Transaction, turn_id: TurnId) -> tuple[AnyEntry, ...]:
    """The lines of a run that are not in the transcript yet, in order; none for a run that is not beside others."""
    return tuple(read_entry(row).entry for row in tx.all("load_held_lines", {"turn_id": turn_id}))


def take_held(tx: Transaction, turn_id: TurnId, *, key: SessionKey) -> tuple[AnyEntry, ...]:
    """The same, and from now on they are the transcript's."""
    held = load_held(tx, turn_id)
    tx.run("release_lines", {"turn_id": turn_id, "session_key": key})
    return held


def forget_held(tx: Transaction, key: SessionKey) -> None:
    """The session goes away, and with it what its runs have said."""
    tx.run("delete_held_lines", {"session_key": key})
