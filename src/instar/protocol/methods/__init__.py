"""Every method of the wire: one table (RPC-1…24, RPC-30).

A row says which fields a method takes, which scope it needs, whether it changes anything, and what it answers. The
server checks requests against it, `docs/reference/protocol.md` is built from it, and a method without a row does not
exist. Fields that other gateways of this protocol know and this one does not use are listed by name and ignored, so
that their clients work.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from instar.protocol.methods.chat import CHAT
from instar.protocol.methods.connect import CONNECT
from instar.protocol.methods.devices import DEVICES
from instar.protocol.methods.gateway import AGENTS, GATEWAY
from instar.protocol.methods.keeping import KEEPING
from instar.protocol.methods.operator import OPERATOR
from instar.protocol.methods.pairing import PAIRING
from instar.protocol.methods.people import PEOPLE
from instar.protocol.methods.records import RECORDS
from instar.protocol.methods.row import ADMIN, IDEMPOTENCY, READ, WRITE, Method
from instar.protocol.methods.security import SECURITY
from instar.protocol.methods.sessions import SESSIONS
from instar.protocol.methods.tokens import TOKENS
from instar.protocol.methods.upkeep import UPKEEP

__all__ = ["ADMIN", "CONNECT", "METHODS", "READ", "WRITE", "Method"]


def _with_idempotency(method: Method) -> Method:
    """The method with ``idempotencyKey`` among its fields, if it changes anything (GW-13)."""
    if not method.side_effect or any(one.name == "idempotencyKey" for one in method.fields):
        return method
    return replace(method, fields=(*method.fields, IDEMPOTENCY))


METHODS: Final[Mapping[str, Method]] = {
    method.name: _with_idempotency(method)
    for method in (
        *SESSIONS,
        *RECORDS,
        *UPKEEP,
        *KEEPING,
        *CHAT,
        *AGENTS,
        *GATEWAY,
        *OPERATOR,
        *PAIRING,
        *DEVICES,
        *PEOPLE,
        *SECURITY,
        *TOKENS,
    )
}
"""Every method by name; `connect` stands apart, since it is only ever the first request."""
