"""What a group is called that nobody has named (ENTRY-11)."""

from __future__ import annotations

import re
from typing import Final

from instar.core.model.ids import ChannelName
from instar.core.model.session import Naming, Session
from instar.core.routing.grammar import parse_key, row_kind

__all__ = ["derive_group_name", "name_session"]

_OTHER: Final = re.compile(r"[^a-z0-9#@._+-]")
_REPEATS: Final = re.compile(r"-{2,}")


def name_session(session: Session) -> str | None:
    """What lists call a session: as somebody named it, else a group by its place; None for any other."""
    if session.naming.display_name or row_kind(session.key, chat_type=session.origin.chat_type) != "group":
        return session.naming.display_name
    place = parse_key(session.key)
    channel = session.origin.channel or place.channel
    group_id = session.origin.group_id or place.peer_id
    return None if channel is None else derive_group_name(session.naming, channel=channel, group_id=group_id)


def derive_group_name(naming: Naming, *, channel: ChannelName, group_id: str | None) -> str | None:
    """The name of a group, ``<channel>:<token>``; None when nothing is known that could be said.

    The token comes from the space and room together (``acme#general``), else the room, the subject, the space, the
    id. One that is no ``#room`` and no ``@name`` begins with ``g-``.
    """
    for words in _candidates(naming, group_id):
        token = _REPEATS.sub("-", _OTHER.sub("-", "-".join(words.lower().split()))).strip("-")
        if token:
            is_marked = token.startswith(("@", "#")) or "#" in token
            return f"{channel}:{token if is_marked else 'g-' + token.removeprefix('g-')}"
    return None


def _candidates(naming: Naming, group_id: str | None) -> list[str]:
    space, room = naming.space or "", naming.group_channel or ""
    both = f"{space}#{room.lstrip('#')}" if space and room else ""
    return [both, room, naming.subject or "", space, group_id or ""]
