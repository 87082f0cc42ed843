"""One person as the gateway may be asked about them: which ids are theirs, what is held, what was erased (LEAK-11)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from instar.core.model.ids import ChannelName, Instant

__all__ = ["ErasureReceipt", "ExportedPerson", "Left", "Person", "PersonId", "PersonRow"]


@dataclass(frozen=True, slots=True, kw_only=True)
class PersonId:
    """One id of a person, in its normal spelling. `channel` is None for one that holds on every channel."""

    channel: ChannelName | None
    peer_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """Who is meant. `name` is the linked person's, else the one id; `principals` are all names under which rows keep
    them: lower case, ``channel:peer`` as routing writes it, the linked name.
    """

    name: str
    ids: tuple[PersonId, ...] = ()
    principals: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class PersonRow:
    """A person in a list: the names they gave themselves, the ids they wrote under, what they wrote, and when last."""

    id: str
    ids: tuple[str, ...]
    names: tuple[str, ...]
    sessions: int
    messages: int
    last_at: Instant | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportedPerson:
    """Where an export lies, and how many of what it holds."""

    path: str
    counts: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Left:
    """A place in which something of an erased person was still found, how often, and what can be done about it."""

    place: str
    count: int
    fix: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ErasureReceipt:
    """What an erasure took out, without saying of whom.

    `counts` names what and how many. `residue` is how often something of the person was still found by a search
    through every file of the state directory, `left` where. `searched_words` says for how many words of theirs it was
    searched, `common_words` how many were left out because others wrote them too. `backups` are files that were made
    before and still hold them, `dropped_backups` those that were deleted. `planned` says that nothing was changed.
    """

    id: str
    at: Instant
    counts: Mapping[str, int] = field(default_factory=dict)
    residue: int = 0
    left: tuple[Left, ...] = ()
    searched_words: int = 0
    common_words: int = 0
    searched_files: int = 0
    backups: tuple[str, ...] = ()
    dropped_backups: tuple[str, ...] = ()
    planned: bool = False
