"""The one gate in front of every method: does the caller's scope allow it (GW-10, LEAK-5)?

Nothing else decides this: the WebSocket, HTTP and every later transport come through here with a row of the method
table.
"""

from __future__ import annotations

from instar.core.model.caller import Caller
from instar.core.policy.scopes import has_scope
from instar.errors import Forbidden
from instar.protocol.methods import Method

__all__ = ["check_scope"]


def check_scope(method: Method, caller: Caller) -> None:
    """Raises `Forbidden`, naming the missing scope, unless the caller may use the method."""
    if not has_scope(caller.scopes, method.scope):
        raise Forbidden(f"missing scope: {method.scope}", missing_scope=method.scope)
