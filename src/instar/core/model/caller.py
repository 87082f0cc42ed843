"""Who asks: what a connection's credentials allow, never what it says of itself (LEAK-3)."""

from __future__ import annotations

from dataclasses import dataclass, field

from instar.core.model.ids import Instant

__all__ = ["Caller", "has_expired"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """An authenticated client.

    `scopes` is what its credentials allow, narrowed by what it asked for. `principal` is the person that the
    credentials belong to; None for the gateway's own secret, which is the owner's. `client` names the program, for
    logs and decisions only: it is what the client says and decides nothing. `token_id` and `expires_at` are those of
    the token that was shown, None for the gateway's own secret and for a token without an end.
    """

    role: str = "operator"
    scopes: frozenset[str] = field(default_factory=frozenset)
    principal: str | None = None
    client: str = "unknown"
    token_id: str | None = None
    expires_at: Instant | None = None

    @property
    def credentials(self) -> str:
        """What tells these credentials from others: the token's id, empty for the gateway's own secret."""
        return self.token_id or ""

    @property
    def who(self) -> str:
        """The name under which decisions are recorded: the principal, or the role."""
        return self.principal or self.role


def has_expired(caller: Caller, *, now: Instant) -> bool:
    """Whether the credentials of a caller have come to their end."""
    return caller.expires_at is not None and caller.expires_at <= now
