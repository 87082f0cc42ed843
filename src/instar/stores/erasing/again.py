"""Erasures done again on what came back from before them: an old backup (LEAK-11).

The list of what was erased holds hashes only. So every id in the rows is hashed and compared; whoever is on the list,
and was erased after the backup was made, is taken out of the restored directory before it gets its name.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from instar.core.model.ids import Instant
from instar.core.model.people import ErasureReceipt, Person, PersonId
from instar.core.policy.erased import hash_id
from instar.core.routing.identity import NO_LINKS
from instar.core.routing.normalize import normalize_channel, normalize_peer
from instar.stores.erased import Erased, keep_away, list_erased, write_list
from instar.stores.erasing.eraser import StoreEraser
from instar.stores.erasing.files import Places
from instar.stores.erasing.find import read_submission, walk
from instar.stores.sealing.seals import Seals
from instar.stores.sqlite import SqliteStore
from instar.stores.transaction import Transaction
from instar.system.ids import SystemIds

__all__ = ["reapply_erasures"]


def reapply_erasures(
    state_dir: Path, erased: Sequence[Erased], *, made_at: Instant, now: Instant, seals: Seals | None = None
) -> ErasureReceipt | None:
    """Take out of a restored directory whoever was erased after `made_at`; None if that is nobody. Blocking.

    Raises `StoreError`, OSError.
    """
    return asyncio.run(_reapply(state_dir, erased, made_at=made_at, now=now, seals=seals)) if erased else None


async def _reapply(
    state_dir: Path, erased: Sequence[Erased], *, made_at: Instant, now: Instant, seals: Seals | None
) -> ErasureReceipt | None:
    store = SqliteStore(state_dir / "instar.db", seals=seals)
    await store.open()
    try:
        await store.engine.write(lambda tx: keep_away(tx, erased))
        write_list(state_dir, await store.engine.read(list_erased))
        later = [one for one in erased if one.at > made_at]
        person = await _find_person(store, later)
        if person is None:
            return None
        eraser = StoreEraser(
            store, _places(state_dir, seals), links=lambda: NO_LINKS, ids=SystemIds(), flush_mirror=_no_mirror
        )
        return await eraser.erase_all(person, now=now, who="restore", drop_backups=False)
    finally:
        await store.close()


async def _find_person(store: SqliteStore, erased: Sequence[Erased]) -> Person | None:
    """Everybody in the rows who is on the list, as if they were one."""
    salts = {one.salt for one in erased}
    hashes = {one.hash for one in erased}
    ids: set[tuple[str, str]] = set()
    names: set[str] = set()

    def note(name: str | None) -> None:
        if name and any(hash_id(name, salt=salt) in hashes for salt in salts):
            names.add(name.strip().lower())

    seen: set[tuple[str, str]] = set()
    async for row in walk(store.engine, "walk_inbox"):
        submission = read_submission(row[6])
        if submission is None:
            continue
        inbound = submission.inbound
        note(submission.principal)
        for peer in {inbound.sender.id, inbound.chat.id if inbound.chat.type == "direct" else inbound.sender.id}:
            seen.add((inbound.channel, peer))
    for channel, peer in seen:
        known = normalize_channel(channel)
        plain = normalize_peer(known, kind="direct", peer_id=peer)
        if any(hash_id(f"{known}:{each}", salt=salt) in hashes for each in {plain, peer} for salt in salts):
            ids.add((known, plain))
    async for _, _, owner, _, _ in walk(store.engine, "walk_sessions"):
        note(owner)
    for query in ("list_member_names", "list_token_names"):
        for name in await store.engine.read(partial(_all, query=query)):
            note(name)
    if not ids and not names:
        return None
    people = tuple(PersonId(channel=normalize_channel(channel), peer_id=peer) for channel, peer in sorted(ids))
    principals = names | {f"{channel}:{peer}" for channel, peer in ids}
    return Person(name="(restored)", ids=people, principals=frozenset(principals))


def _all(tx: Transaction, *, query: str) -> list[str]:
    return [row[0] for row in tx.all(query, {})]


def _places(state_dir: Path, seals: Seals | None) -> Places:
    return Places(
        state_dir=state_dir,
        database=state_dir / "instar.db",
        sessions=tuple(path for path in (state_dir / "agents").glob("*/sessions") if path.is_dir()),
        workspaces=tuple(path for path in state_dir.glob("workspace*") if path.is_dir()),
        config=state_dir / "instar.json5",
        seals=seals,
    )


async def _no_mirror() -> None:
    """A backup brings no mirror."""
