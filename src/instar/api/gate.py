"""The one gate in front of every method: scope, then object, then ownership (GW-10, LEAK-4, LEAK-5).

Nothing else decides this: the WebSocket, HTTP and every later transport come through here with a row of the method
table. The sessions that a request names are resolved first and looked up together; from then on a handler can name no
other (`Call.key`), so there is no way from an alias around the check.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from instar.api.port import OwnersPort
from instar.core.model.caller import Caller
from instar.core.model.ids import SessionKey
from instar.core.policy.ownership import METHOD_OBJECTS, Touch, owns, sees_incognito
from instar.core.policy.scopes import ADMIN, has_scope
from instar.core.routing.grammar import is_incognito_key
from instar.errors import Forbidden, InstarError
from instar.protocol.methods import Method
from instar.protocol.params import Params

__all__ = ["EVERYTHING", "SESSION_FIELDS", "Sight", "check_scope", "load_sight"]

SESSION_FIELDS: Final = ("key", "sessionKey", "parentSessionKey", "spawnedBy", "activeKey", "keys", "sessionKeys")
"""Fields that name sessions, one or several. What is named elsewhere a handler asks for itself (`Call.see`)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sight:
    """What one request may touch, of the sessions that it names. `sees_all` for callers who see everything stored,
    `sees_incognito` for those who see what is in memory only as well (KEY-22).

    Whatever is not in `touches` is not there: a key that was not looked up cannot be touched.
    """

    sees_all: bool = False
    sees_incognito: bool = False
    touches: Mapping[SessionKey, Touch] = field(default_factory=dict)

    def sees(self, key: SessionKey) -> bool:
        """Whether the caller may touch a session that the request named."""
        touch = self.touches.get(key)
        return self.covers(key) or (touch is not None and touch.allowed)

    def covers(self, key: SessionKey) -> bool:
        """Whether the caller may touch a session whoever's it is, so that nobody needs to be asked."""
        return self.sees_all and (self.sees_incognito or not is_incognito_key(key))


EVERYTHING: Final = Sight(sees_all=True, sees_incognito=True)
"""The sight of an admin, as of whoever has the gateway's own secret."""


def check_scope(method: Method, caller: Caller) -> None:
    """Raises `Forbidden`, naming the missing scope, unless the caller may use the method."""
    if not has_scope(caller.scopes, method.scope):
        raise Forbidden(f"missing scope: {method.scope}", missing_scope=method.scope)
    if METHOD_OBJECTS.get(method.name, "gateway") == "gateway" and not owns(caller):
        # What is about the gateway as a whole tells of everybody: a person's token needs the admin's scope for it.
        raise Forbidden(f"missing scope: {ADMIN}", missing_scope=ADMIN)


async def load_sight(
    owners: OwnersPort, caller: Caller, params: Params, resolve: Callable[[str], frozenset[SessionKey]]
) -> Sight:
    """What the request may touch. `resolve` gives every key that a text of it may come to mean."""
    if sees_incognito(caller):
        return EVERYTHING
    sight = Sight(sees_all=owns(caller))
    keys: set[SessionKey] = set()
    for text in ("main", *_texts(params)):
        try:
            keys |= resolve(text)
        except InstarError:
            # A text that can be no key; its handler says so.
            continue
    asked = sorted(key for key in keys if not sight.covers(key))
    if not asked:
        return sight
    found = await owners.touches((caller,), asked)
    return replace(sight, touches={key: touches[0] for key, touches in found.items()})


def _texts(params: Params) -> list[str]:
    values = [params.values.get(name) for name in SESSION_FIELDS]
    several = [one for value in values if isinstance(value, list) for one in value]
    return [text for text in (*values, *several) if isinstance(text, str) and text]
