"""Which keys nobody may make a session under (KEY-22).

What belongs here: the refusal at the doors where a client names a session to make it or to write into it. What does
not: the grammar of keys, which is `grammar`'s. Reading, patching and deleting what is stored already stays allowed.
"""

from __future__ import annotations

from instar.core.model.ids import SessionKey
from instar.core.routing.grammar import is_incognito_key
from instar.errors import InvalidRequest

__all__ = ["check_storable"]


def check_storable(key: SessionKey, *, field: str = "key") -> None:
    """Raises `InvalidRequest` for a key of a session that lives in memory only: there are none, so it would be stored.

    `field` is where the client named it.
    """
    if is_incognito_key(key):
        raise InvalidRequest(
            f"There are no incognito sessions here ({key})",
            why="its words would be stored, and the prefix `incognito-` promises that they are not",
            fix="Name the session otherwise and delete it afterwards, which removes its words.",
            field=field,
        )
