"""Who asks: what a connection's credentials allow, never what it says of itself (LEAK-3)."""

from __future__ import annotations

from dataclasses import dataclass, field

__all__ = ["Caller"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """An authenticated client.

    `scopes` is what its credentials allow, narrowed by what it asked for. `principal` is the person that the
    credentials belong to; None for the gateway's own secret, which is the owner's. `client` names the program, for
    logs and decisions only: it is what the client says and decides nothing.
    """

    role: str = "operator"
    scopes: frozenset[str] = field(default_factory=frozenset)
    principal: str | None = None
    client: str = "unknown"

    @property
    def who(self) -> str:
        """The name under which decisions are recorded: the principal, or the role."""
        return self.principal or self.role
