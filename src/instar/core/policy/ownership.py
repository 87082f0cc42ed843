"""Whose is a session, and may this caller touch it (LEAK-4, LEAK-5)?

What belongs here: what each method and each event of the wire is about, and the decision over one session. What does
not: which scope a method needs (the method table with `instar.core.policy.scopes`) and resolving the object; that comes
first, then this decision, then the answer. The invariant: what a caller may not touch looks to them exactly like what
does not exist.

The rule in one sentence: credentials without a principal are the owner's and see everything; a principal sees what is
theirs and the groups they are in; the shared main session belongs to its admin alone. An incognito session belongs to
who began it, a person or the holder of one token without a principal, and to admins (KEY-22).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final, Literal

from instar.core.model.caller import Caller
from instar.core.model.ids import SessionKey
from instar.core.policy.scopes import ADMIN, has_scope
from instar.core.routing.grammar import DEFAULT_MAIN_KEY, is_incognito_key, parse_key
from instar.core.routing.identity import Links
from instar.core.routing.principal import principal_names, resolve_place_owner

__all__ = [
    "EVENT_OBJECTS",
    "METHOD_OBJECTS",
    "EventObject",
    "MethodObject",
    "SessionOwnership",
    "Touch",
    "decide_hearing",
    "decide_touch",
    "is_begun_by_another",
    "owns",
    "resolve_ownership",
    "sees_incognito",
]

MethodObject = Literal["nothing", "gateway", "session", "sessions", "run"]
"""What a method acts on: nothing that anybody owns, the gateway as a whole (for its admin), one session that its
parameters name, every session the caller may see, the session of one run."""

METHOD_OBJECTS: Final[Mapping[str, MethodObject]] = {
    "agent": "session",
    "agent.identity.get": "nothing",
    "agent.wait": "run",
    "agents.list": "nothing",
    "backup.create": "gateway",
    "chat.abort": "session",
    "chat.history": "session",
    "chat.inject": "session",
    "chat.metadata": "session",
    "chat.send": "session",
    "chat.startup": "session",
    "commands.list": "nothing",
    "config.get": "gateway",
    "config.patch": "gateway",
    "config.schema": "gateway",
    "config.set": "gateway",
    "connect": "nothing",
    "device.pair.approve": "gateway",
    "device.pair.list": "gateway",
    "device.pair.reject": "gateway",
    "device.pair.remove": "gateway",
    "dashboard.link": "nothing",
    "health": "sessions",
    "logs.tail": "gateway",
    "models.list": "nothing",
    "outbox.drop": "gateway",
    "outbox.list": "gateway",
    "outbox.send": "gateway",
    "pairing.approve": "gateway",
    "pairing.list": "gateway",
    "pairing.reject": "gateway",
    "pairing.revoke": "gateway",
    "people.erase": "gateway",
    "people.export": "gateway",
    "people.list": "gateway",
    "security.audit": "gateway",
    "sessions.abort": "session",
    "sessions.cleanup": "gateway",
    "sessions.compact": "session",
    "sessions.create": "session",
    "sessions.delete": "session",
    "sessions.describe": "session",
    "sessions.explain": "session",
    "sessions.export": "session",
    "sessions.get": "session",
    "sessions.import": "gateway",
    "sessions.list": "sessions",
    "sessions.messages.subscribe": "session",
    "sessions.messages.unsubscribe": "session",
    "sessions.patch": "session",
    "sessions.preview": "session",
    "sessions.reset": "session",
    "sessions.resolve": "session",
    "sessions.restore": "gateway",
    "sessions.resume": "session",
    "sessions.route": "gateway",
    "sessions.search": "sessions",
    "sessions.send": "session",
    "sessions.simulate": "gateway",
    "sessions.status": "session",
    "sessions.steer": "session",
    "sessions.subscribe": "sessions",
    "sessions.transcripts": "session",
    "sessions.usage": "sessions",
    "status": "sessions",
    "tokens.create": "gateway",
    "tokens.list": "gateway",
    "tokens.revoke": "gateway",
}
"""Every method of the wire. A test holds it against the method table: a method without a row fails the build, and so
does a row without a method."""


EventObject = Literal["nothing", "gateway", "session"]
"""What an event is about: nothing that anybody owns, the gateway as a whole (for its owner), one session."""

EVENT_OBJECTS: Final[Mapping[str, EventObject]] = {
    "agent": "session",
    "chat": "session",
    "connect.challenge": "nothing",
    "device.pair.requested": "gateway",
    "device.pair.resolved": "gateway",
    "health": "gateway",
    "pairing.requested": "gateway",
    "pairing.resolved": "gateway",
    "presence": "gateway",
    "session.message": "session",
    "sessions.changed": "session",
    "shutdown": "nothing",
    "tick": "nothing",
}
"""Every event of the wire. A test holds it against the event table: one without a row goes to owners only."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionOwnership:
    """Whose a session is. `owner` is its principal, None for shared places and the shared main session.

    `members` are the principals who have written in a group, or whom its channel lists as members. `began_with` are
    the credentials that began an incognito session (`Caller.credentials`), None where nobody knows.
    """

    owner: str | None = None
    members: frozenset[str] = frozenset()
    is_incognito: bool = False
    began_with: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Touch:
    """Whether a caller may touch a session. Where not, the answer to them is that there is no such session."""

    allowed: bool
    because: Literal["admin", "owner", "member", "not theirs"]
    rule: str = "LEAK-4"


def owns(caller: Caller) -> bool:
    """Whether the caller is the gateway's owner for all that is stored: no principal, or the admin scope."""
    return caller.principal is None or has_scope(caller.scopes, ADMIN)


def sees_incognito(caller: Caller) -> bool:
    """Whether the caller sees every incognito session too: with the admin scope alone (KEY-22)."""
    return has_scope(caller.scopes, ADMIN)


def resolve_ownership(
    key: SessionKey, stored: SessionOwnership, links: Links, *, main_key: str = DEFAULT_MAIN_KEY
) -> SessionOwnership:
    """Whose the session of a key is, from its row and from the key itself, there or not.

    A direct chat is its peer's, whoever opened the session. A group has people and no owner. The main session and
    those of sources that are no people belong to nobody, so to the admin alone. A key that names somebody and no
    channel is whose its row says: links come and go, and the words in a session stay those of who began it.
    """
    if is_incognito_key(key):
        return replace(stored, members=frozenset(), is_incognito=True)
    parts = parse_key(key, main_key=main_key)
    kind = parts.type
    if kind in {"group", "channel"}:
        return SessionOwnership(members=stored.members)
    owner = resolve_place_owner(key, links, principal=stored.owner, main_key=main_key)
    if kind == "direct" and parts.channel is None:
        return SessionOwnership(owner=stored.owner or owner)
    return SessionOwnership(owner=owner)


def is_begun_by_another(key: SessionKey, *, began: str | None, owner: str | None, links: Links) -> bool:
    """Whether somebody would enter another's session, because a link's name has become, or was, an id in its key.

    `began` owns the session that is there, None without one; `owner` is whose the key is by the routing of today. Keys
    without a channel may stand for an id (`per-peer`) or for a linked person's name (LINK-6), and links change: what
    one of both began is not the other's. The same id on two channels is one person to `per-peer`, and goes on.
    """
    parts = parse_key(key)
    if parts.type != "direct" or parts.channel is not None or began is None or owner is None or began == owner:
        return False
    is_by_name = parts.peer_id in {began, owner}
    return is_by_name and began not in principal_names(owner, links)


def decide_touch(caller: Caller, session: SessionOwnership, *, names: frozenset[str] = frozenset()) -> Touch:
    """Whether `caller` sees and touches a session (LEAK-4). Principals compare without case.

    `names` are all names of the caller's principal (`core.routing.principal`); without them it has its own only.
    """
    if sees_incognito(caller) or (owns(caller) and not session.is_incognito):
        return Touch(allowed=True, because="admin")
    if caller.principal is None and session.began_with == caller.credentials:
        return Touch(allowed=True, because="owner")
    known = {name.strip().lower() for name in (caller.principal or "", *names)} - {""}
    if session.owner is not None and session.owner.strip().lower() in known:
        return Touch(allowed=True, because="owner")
    if any(member.strip().lower() in known for member in session.members):
        return Touch(allowed=True, because="member")
    return Touch(allowed=False, because="not theirs")


def decide_hearing(caller: Caller, event: str, session: SessionKey | None) -> Literal["yes", "no", "ask"]:
    """Whether a caller is told of an event; ``ask`` where that depends on whose the session is (LEAK-4, KEY-22)."""
    about = EVENT_OBJECTS.get(event, "gateway")
    if about == "nothing" or sees_incognito(caller):
        return "yes"
    if owns(caller) and (session is None or not is_incognito_key(session)):
        return "yes"
    return "ask" if about == "session" and session is not None else "no"
