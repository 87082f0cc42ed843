"""The rule of the gate in a few lines, stated apart from the code that keeps it: for the matrix of methods (LEAK-5).

`RULES` says of each method which scope it needs and what it is about; `expect` says what a caller gets. Nothing here is
taken from the method table or from `core.policy`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

__all__ = ["CALLERS", "RULES", "Asked", "Caller", "Expected", "Rule", "Target", "expect"]

About = Literal["nothing", "everybody", "one session", "own part"]
"""Nothing that is anybody's; the gateway as a whole; the session that is named; of all sessions those one may see."""

Relation = Literal["none", "own", "member", "stranger", "main", "nowhere"]

Expected = Literal["forbidden", "hidden", "served"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Who asks. `person` is whose token it is, None for the owner's; `scopes` are what it holds."""

    person: str | None
    scopes: frozenset[str]

    @property
    def name(self) -> str:
        return f"{self.person or 'owner'} {'+'.join(sorted(self.scopes)) or 'nothing'}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A session to ask about, by all its names. `canary` is a word that stands in it and nowhere else."""

    relation: Relation
    key: str
    session_id: str
    label: str
    run_id: str
    turn_id: str
    inbound_id: str
    canary: str


Asked = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One method: the scope it needs, what it is about, and requests for it, each naming the target in its own way.

    `commands` says that it does what only those may say by a command who are named for it: no guest of a group.
    """

    scope: str
    about: About
    ask: Callable[[Target], Sequence[Asked]]
    commands: bool = False


CALLERS = [
    Caller(person=person, scopes=frozenset(scopes))
    for person in (None, "alice")
    for scopes in (
        (),
        ("read",),
        ("write",),
        ("admin",),
        ("operator.approvals", "operator.pairing", "operator.questions"),
    )
]
"""The last kind holds every scope that no method asks for: they add nothing to one another, and open nothing."""


def expect(rule: Rule, caller: Caller, relation: Relation) -> Expected:
    """What a caller gets who asks about a session that stands so to them.

    Admin may what write may, write may what read may. The owner sees every session, and so does an admin. A person sees
    their own sessions and those of the groups they are in; what is the gateway's as a whole they never see. In a group
    that names them nowhere they read and write, and command nothing.
    """
    ranks = {"read": 1, "write": 2, "admin": 3}
    held = max((ranks.get(scope, 0) for scope in caller.scopes), default=0)
    sees_all = caller.person is None or "admin" in caller.scopes
    if held < ranks[rule.scope] or (rule.about == "everybody" and not sees_all):
        return "forbidden"
    if rule.about == "one session" and not sees_all and relation in {"stranger", "main"}:
        return "hidden"
    if rule.commands and not sees_all and relation == "member":
        return "forbidden"
    return "served"


def _key(method_scope: str, *more: Asked, name: str = "key", commands: bool = False) -> Rule:
    """A method that names its session by a field."""
    extra = more or ({},)
    return Rule(
        scope=method_scope,
        about="one session",
        ask=lambda one: [{name: one.key, **each} for each in extra],
        commands=commands,
    )


def _plain(scope: str, about: About, *asked: Asked) -> Rule:
    """A method that names no session."""
    return Rule(scope=scope, about=about, ask=lambda _: list(asked or ({},)))


_SAY: Asked = {"message": "hello", "idempotencyKey": "{fresh}"}
"""``{fresh}`` is replaced by a new word in each request."""

RULES: Mapping[str, Rule] = {
    # what is read of one session
    "sessions.get": _key("read"),
    "sessions.describe": _key("read"),
    "sessions.preview": Rule(scope="read", about="one session", ask=lambda one: [{"keys": [one.key]}]),
    "sessions.resolve": Rule(
        scope="read",
        about="one session",
        ask=lambda one: [
            {"key": one.key},
            {"sessionId": one.session_id},
            {"sessionId": one.session_id[:12]},
            {"label": one.label},
            {"key": one.key, "allowMissing": True},
        ],
    ),
    "sessions.explain": Rule(
        scope="read",
        about="one session",
        ask=lambda one: [{"key": one.key}, {"turnId": one.turn_id}, {"inboundId": one.inbound_id}],
    ),
    "sessions.transcripts": _key("read"),
    "sessions.status": _key("read"),
    "sessions.export": _key("read"),
    "sessions.messages.subscribe": _key("read"),
    "sessions.messages.unsubscribe": _key("read"),
    "chat.history": _key("read", name="sessionKey"),
    "chat.startup": _key("read", name="sessionKey"),
    "chat.metadata": Rule(scope="read", about="one session", ask=lambda one: [{"sessionKey": one.key}]),
    "agent.identity.get": Rule(scope="read", about="one session", ask=lambda one: [{"sessionKey": one.key}]),
    # what is done to one session
    "chat.send": _key("write", _SAY, name="sessionKey"),
    "sessions.send": _key("write", {"message": "hello"}),
    "sessions.steer": _key("write", {"message": "hello"}, commands=True),
    "agent": _key("write", _SAY, name="sessionKey"),
    "agent.wait": Rule(scope="write", about="one session", ask=lambda one: [{"runId": one.run_id, "timeoutMs": 1}]),
    "chat.abort": _key("write", name="sessionKey", commands=True),
    "sessions.abort": Rule(
        scope="write",
        about="one session",
        ask=lambda one: [{"key": one.key}, {"runId": one.run_id}],
        commands=True,
    ),
    "sessions.create": Rule(
        scope="write",
        about="one session",
        ask=lambda one: [{"key": one.key}, {"parentSessionKey": one.key, "fork": True}],
    ),
    "chat.inject": _key("admin", {"message": "a line"}, name="sessionKey"),
    "sessions.patch": _key("admin", {"verboseLevel": "on"}),
    "sessions.compact": _key("admin"),
    "sessions.reset": _key("admin"),
    "sessions.resume": _key("admin"),
    "sessions.delete": _key("admin"),
    # one's own part of everything
    "sessions.list": _plain("read", "own part", {}, {"search": "a", "includeLastMessage": True, "limit": 1}),
    "sessions.search": _plain("read", "own part", {"query": "canary"}),
    "sessions.usage": _plain("read", "own part"),
    "sessions.subscribe": _plain("read", "own part"),
    "status": _plain("read", "own part"),
    "health": _plain("read", "own part"),
    # nobody's
    "agents.list": _plain("read", "nothing"),
    "models.list": _plain("read", "nothing"),
    "commands.list": _plain("read", "nothing"),
    "dashboard.link": _plain("read", "nothing"),
    # the gateway as a whole
    "logs.tail": _plain("read", "everybody"),
    "backup.create": _plain("admin", "everybody"),
    "config.get": _plain("admin", "everybody"),
    "config.patch": _plain("admin", "everybody", {"raw": "{"}),
    "config.schema": _plain("admin", "everybody"),
    "config.set": _plain("admin", "everybody", {"raw": "{"}),
    "device.pair.approve": _plain("admin", "everybody", {"requestId": "nope"}),
    "device.pair.list": _plain("admin", "everybody"),
    "device.pair.reject": _plain("admin", "everybody", {"requestId": "nope"}),
    "device.pair.remove": _plain("admin", "everybody", {"deviceId": "nope"}),
    "outbox.drop": _plain("admin", "everybody", {"deliveryId": "nope"}),
    "outbox.list": _plain("admin", "everybody"),
    "outbox.send": _plain("admin", "everybody", {"deliveryId": "nope"}),
    "pairing.approve": _plain("admin", "everybody", {"code": "NOPE"}),
    "pairing.list": _plain("admin", "everybody"),
    "pairing.reject": _plain("admin", "everybody", {"code": "NOPE"}),
    "pairing.revoke": _plain("admin", "everybody", {"peerId": "nope"}),
    "people.erase": _plain("admin", "everybody", {"id": "telegram:nope"}),
    "people.export": _plain("admin", "everybody", {"id": "telegram:nope"}),
    "people.list": _plain("admin", "everybody"),
    "security.audit": _plain("admin", "everybody"),
    "sessions.cleanup": _plain("admin", "everybody", {"dryRun": True}),
    "sessions.import": _plain("admin", "everybody", {"name": "x.jsonl", "content": "e30K"}),
    "sessions.restore": _plain("admin", "everybody", {"path": "/nope.zst"}),
    "sessions.route": _plain("admin", "everybody", {"channel": "telegram", "chat": "direct", "peer": "nope"}),
    "sessions.simulate": _plain("admin", "everybody", {"patch": "{}"}),
    "tokens.create": _plain("admin", "everybody", {"scopes": ["read"]}),
    "tokens.list": _plain("admin", "everybody"),
    "tokens.revoke": _plain("admin", "everybody", {"id": "nope"}),
}
"""Every method of the wire. One without a row fails the matrix."""
