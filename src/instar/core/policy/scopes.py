"""Which caller may use which method (GW-10, LEAK-3).

Scopes grow: who may administer may write, and who may write may read. A client's wish can only narrow what its
credentials allow.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

__all__ = ["ADMIN", "OWNER_SCOPES", "READ", "WRITE", "grant_scopes", "has_scope"]

READ: Final = "operator.read"
WRITE: Final = "operator.write"
ADMIN: Final = "operator.admin"

_IMPLIED: Final = {READ: frozenset({READ, WRITE, ADMIN}), WRITE: frozenset({WRITE, ADMIN})}
"""For a scope, the scopes that include it."""

OWNER_SCOPES: Final = frozenset({READ, WRITE, ADMIN, "operator.approvals", "operator.pairing", "operator.questions"})
"""What the gateway's own secret allows: everything, named as clients of the protocol name it."""


def grant_scopes(authority: Iterable[str], *, asked: Iterable[str] | None) -> frozenset[str]:
    """The scopes of a connection: those asked for that the credentials allow; None asks for all of them.

    A scope that was asked for is granted when the credentials hold it or one that includes it.
    """
    held = frozenset(authority)
    if asked is None:
        return held
    return frozenset(scope for scope in asked if has_scope(held, scope))


def has_scope(held: Iterable[str], needed: str) -> bool:
    """Whether one of the scopes held is the one needed or includes it."""
    return not _IMPLIED.get(needed, frozenset({needed})).isdisjoint(held)
