"""Everybody whom the rows know: who wrote, who owns a session, who has a token (LEAK-11)."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial

from instar.core.model.ids import Instant
from instar.core.model.people import Person, PersonRow
from instar.core.routing.identity import Links
from instar.core.routing.normalize import normalize_channel
from instar.core.routing.person import name_person, resolve_person_named
from instar.stores.erasing.find import ask, read_submission, walk
from instar.stores.transaction import Engine

__all__ = ["list_people"]


@dataclass(slots=True)
class _Seen:
    """What was seen of one person."""

    ids: set[str] = field(default_factory=set)
    names: set[str] = field(default_factory=set)
    keys: set[str] = field(default_factory=set)
    messages: int = 0
    last_at: Instant | None = None


async def list_people(engine: Engine, links: Links, *, limit: int) -> tuple[PersonRow, ...]:
    """At most `limit` people, whoever wrote last first; linked ids are one person."""
    seen: dict[str, _Seen] = {}
    known: dict[tuple[str, str], Person] = {}
    async for _, _, key, _, received_at, _, text, _ in walk(engine, "walk_inbox"):
        submission = read_submission(text)
        if submission is None:
            continue
        sender, channel = submission.inbound.sender, submission.inbound.channel
        named = resolve_person_named(submission.principal, links) if submission.principal else None
        if named is None and (channel, sender.id) not in known:
            known[channel, sender.id] = name_person(normalize_channel(channel), sender.id, links)
        one = seen.setdefault((named or known[channel, sender.id]).name, _Seen())
        one.ids.add(submission.principal or f"{channel}:{sender.id}")
        one.names.update({sender.name} if sender.name else ())
        one.keys.add(key)
        one.messages += 1
        one.last_at = max(one.last_at or received_at, received_at)
    async for _, key, owner, _, _ in walk(engine, "walk_sessions"):
        person = resolve_person_named(owner, links) if owner else None
        if person is not None:
            seen.setdefault(person.name, _Seen()).keys.add(key)
    for (principal,) in await engine.read(partial(ask, query="list_token_names", params={})):
        person = resolve_person_named(principal, links)
        if person is not None:
            seen.setdefault(person.name, _Seen()).ids.add(principal)
    rows = [
        PersonRow(
            id=name,
            ids=tuple(sorted(one.ids)),
            names=tuple(sorted(one.names)),
            sessions=len(one.keys),
            messages=one.messages,
            last_at=one.last_at,
        )
        for name, one in seen.items()
    ]
    rows.sort(key=lambda row: (-(row.last_at or 0), row.id))
    return tuple(rows[:limit])
