"""What a group is called that nobody has named (ENTRY-11)."""

from __future__ import annotations

import re
from typing import Final

from instar.core.model.ids import ChannelName
from instar.core.model.session import Naming

__all__ = ["derive_group_name"]

_OTHER: Final = re.compile(r"[^a-z0-9#@._+-]")
_REPEATS: Final = re.compile(r"-{2,}")


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
