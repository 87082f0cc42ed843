"""What a new token may allow, and whether one that was shown still opens the gateway (LEAK-3).

What belongs here: checking the wish for a token against who makes it, and the decision over a stored one. What does
not: drawing and hashing the secret, and comparing it (the shell). The invariant: nobody hands out more than they hold.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from instar.core.model.caller import Caller
from instar.core.model.decision import Decision
from instar.core.model.ids import Instant
from instar.core.model.token import Token, TokenProblem
from instar.core.policy.scopes import ADMIN, OWNER_SCOPES, READ, WRITE, has_scope

__all__ = [
    "LABEL_MAX_CHARS",
    "PRINCIPAL_MAX_CHARS",
    "USE_NOTED_EVERY_MS",
    "TokenPlan",
    "TokenWish",
    "decide_token",
    "describe_token",
    "is_use_worth_noting",
    "parse_principal",
    "parse_scope",
    "plan_token",
]

LABEL_MAX_CHARS: Final = 128
PRINCIPAL_MAX_CHARS: Final = 256

USE_NOTED_EVERY_MS: Final = 60_000
"""A use is written down at most so often: who connects ten times a second must not write ten times."""

_ROLES: Final = frozenset({"operator"})
"""Roles that a token may carry; the protocol's ``node`` is not served."""

_RESERVED: Final = frozenset({"operator", "node", "gateway", "owner", "admin", "system"})
"""Names under which decisions are recorded for nobody in particular: no person may be called so."""

_SHORT: Final = {"read": READ, "write": WRITE, "admin": ADMIN}


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenWish:
    """What a person asks for. `scopes` empty means reading and writing; `lifetime_ms` None means for ever."""

    label: str = ""
    role: str = "operator"
    scopes: Sequence[str] = ()
    principal: str | None = None
    lifetime_ms: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenPlan:
    """The token to make, or the `problem` with the wish: a sentence and the `field` that it is about."""

    token: Token | None = None
    problem: str = ""
    field: str = ""


def plan_token(wish: TokenWish, *, maker: Caller, token_id: str, now: Instant) -> TokenPlan:
    """The token that `maker` may hand out, or what is wrong with the wish. Scopes beyond the maker's are refused."""
    if wish.role not in _ROLES:
        return TokenPlan(problem=f"role '{wish.role}' is not served; the role is operator", field="role")
    label = " ".join(wish.label.split())
    if len(label) > LABEL_MAX_CHARS:
        return TokenPlan(problem=f"a label has at most {LABEL_MAX_CHARS} characters", field="label")
    principal = None if wish.principal is None else parse_principal(wish.principal)
    if wish.principal is not None and principal is None:
        return TokenPlan(problem=f"'{wish.principal[:80]}' cannot be the name of a person", field="principal")
    scopes: set[str] = set()
    for text in wish.scopes or (READ, WRITE):
        scope = parse_scope(text)
        if scope is None:
            known = ", ".join(sorted((*_SHORT, *OWNER_SCOPES)))
            return TokenPlan(problem=f"unknown scope '{text[:80]}'; there are {known}", field="scopes")
        if not has_scope(maker.scopes, scope):
            return TokenPlan(problem=f"you do not hold {scope} and cannot give it away", field="scopes")
        scopes.add(scope)
    if wish.lifetime_ms is not None and wish.lifetime_ms <= 0:
        return TokenPlan(problem="a token lives longer than no time", field="expiresInMs")
    return TokenPlan(
        token=Token(
            id=token_id,
            role=wish.role,
            scopes=frozenset(scopes),
            created_by=maker.who,
            created_at=now,
            label=label or None,
            principal=principal,
            expires_at=None if wish.lifetime_ms is None else Instant(now + wish.lifetime_ms),
        )
    )


def describe_token(token_id: str, outcome: Literal["made", "revoked"], *, scopes: Iterable[str] = ()) -> Decision:
    """The record that a token was made or taken back (WHY-1). Whose it is stands in its row, which an erasure finds."""
    inputs = {"chat": "token", "id": token_id, "scopes": " ".join(sorted(scopes)) or None}
    return Decision(kind="access", outcome=outcome, rule="LEAK-3", inputs=inputs)


def parse_principal(text: str) -> str | None:
    """A person's name as principals are written: a linked identity's name or ``<channel>:<peer>``; None for no name.

    Lower case, without blanks and signs that cannot be seen; never a word under which the gateway itself acts.
    """
    name = text.strip().lower()
    is_plain = all(sign.isprintable() and not sign.isspace() for sign in name)
    if not name or not is_plain or len(name) > PRINCIPAL_MAX_CHARS or name in _RESERVED:
        return None
    return name


def parse_scope(text: str) -> str | None:
    """The scope that a word means, short (``read``) or as the protocol writes it; None for an unknown one."""
    word = text.strip().lower()
    scope = _SHORT.get(word, word)
    return scope if scope in OWNER_SCOPES else None


def decide_token(token: Token, *, now: Instant) -> TokenProblem | None:
    """Why a token that was shown opens nothing, None if it does. A revoked token says so, also after its time."""
    if token.revoked_at is not None:
        return "revoked"
    if token.expires_at is not None and token.expires_at <= now:
        return "expired"
    return None


def is_use_worth_noting(token: Token, *, now: Instant) -> bool:
    """Whether the use of a token is written down now: once a minute, and when the last one lies in the future."""
    return token.last_used_at is None or not 0 <= now - token.last_used_at < USE_NOTED_EVERY_MS
