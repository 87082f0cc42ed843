"""Changes of a run that goes on beside others in its session (QUEUE-9).

What such a run writes is committed under the run as it is completed. When the run ends its lines take their place in
the transcript together: only then they are hung, as one chain, below the leaf of that moment.
"""

from __future__ import annotations

from dataclasses import replace

from instar.core.model.change import SessionChange
from instar.core.model.ids import TurnId

__all__ = ["hold_change", "place_change"]


def hold_change(change: SessionChange, turn_id: TurnId) -> SessionChange:
    """The change with its lines held under the run."""
    return replace(change, held_by=turn_id) if change.entries else change


def place_change(change: SessionChange, turn_id: TurnId) -> SessionChange:
    """The last change of the run: its lines take their place, those of the change behind those that were held."""
    return replace(change, place=turn_id)
