"""What each method does, one module per family; one dictionary joins them.

A handler gets a checked call and answers with plain values. Method table and handlers must name the same methods:
that is checked here, when the module is loaded, so that a method without a row cannot exist (LEAK-5).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from instar.api.call import Handler
from instar.api.handlers import (
    agents,
    chat,
    devices,
    gateway,
    keeping,
    operator,
    pairing,
    people,
    records,
    security,
    sessions,
    subscriptions,
    tokens,
    upkeep,
)
from instar.errors import InvariantBroken
from instar.protocol.methods import METHODS

__all__ = ["HANDLERS"]

HANDLERS: Final[Mapping[str, Handler]] = {
    **sessions.HANDLERS,
    **subscriptions.HANDLERS,
    **upkeep.HANDLERS,
    **chat.HANDLERS,
    **agents.HANDLERS,
    **gateway.HANDLERS,
    **records.HANDLERS,
    **keeping.HANDLERS,
    **operator.HANDLERS,
    **pairing.HANDLERS,
    **devices.HANDLERS,
    **people.HANDLERS,
    **security.HANDLERS,
    **tokens.HANDLERS,
}
"""Every method's handler by the method's name."""

if HANDLERS.keys() != METHODS.keys():
    raise InvariantBroken(
        "every method has a row and a handler", why=f"these have only one: {sorted(HANDLERS.keys() ^ METHODS.keys())}"
    )
