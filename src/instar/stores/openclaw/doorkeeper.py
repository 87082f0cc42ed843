"""Who was let in before is let in here: allow-lists of an OpenClaw directory become approvals (LEAK-2, STORE-6).

A list is ``credentials/<channel>-allowFrom.json``, or ``<channel>-<account>-allowFrom.json``. Codes that waited for an
approval are not carried over: they have long expired, and whoever writes again gets a new one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from instar.config.config import Config
from instar.core.model.change import Noted
from instar.core.model.decision import Decision
from instar.core.model.ids import AccountId, ChannelName, Instant
from instar.core.model.pairing import Pairing, Pairings, Peer
from instar.core.model.pairing_change import PairingChange
from instar.core.policy.sharing import find_admitted, tell_sharing
from instar.core.routing.key import derive_session_key
from instar.core.routing.normalize import normalize_account_id, normalize_channel, normalize_peer
from instar.ports.store import Store
from instar.stores.openclaw.report import ImportItem, ItemStatus
from instar.stores.openclaw.scan import FoundState
from instar.stores.openclaw.side import read_listed

__all__ = ["carry_approvals", "parse_list_name"]

_LIST: Final = "-allowFrom.json"
_WHO: Final = "import"


async def carry_approvals(
    found: FoundState,
    store: Store | None,
    config: Config,
    *,
    now: Instant,
    is_dry_run: bool,
    later: Sequence[tuple[str, tuple[str, str, str]]] = (),
) -> list[ImportItem]:
    """Approve whom the lists name; who was approved before stays as they are, and who was erased stays out (LEAK-11).

    `later` are approvals from databases: where each stands, then channel, account and entry. Raises `StoreError`.
    """
    items: list[ImportItem] = []
    known = Pairings() if store is None else await store.load_pairings()
    done = {one.peer for one in known.approved}
    listed = await asyncio.to_thread(_read_lists, found, config, items)
    listed += [
        (source, (normalize_channel(channel), normalize_account_id(account)), entry)
        for source, (channel, account, entry) in later
    ]
    for source, where, name in listed:
        pairing = build_pairing(name, where, config, now=now)
        if pairing is None:
            what = f"{name!r} is nobody; set dmPolicy to 'open' if everybody may write"
            items.append(ImportItem(kind="pairing", status="noted", source=source, detail=what))
            continue
        erased_name = f"{pairing.peer.channel}:{pairing.peer.peer_id}"
        if store is not None and await store.find_erased_at([erased_name]) is not None:
            what = (
                f"{pairing.peer.peer_id} was erased here, and is not let in again by an old list; "
                "when they write, `instar pairing approve` lets them in"
            )
            items.append(ImportItem(kind="pairing", status="refused", source=source, detail=what))
            continue
        is_new = pairing.peer not in done
        done.add(pairing.peer)
        if is_new and not is_dry_run and store is not None:
            await _approve(store, pairing, now=now)
        status: ItemStatus = "known" if not is_new else "would-import" if is_dry_run else "imported"
        what = f"{pairing.peer.peer_id} may write on {pairing.peer.channel} (account {pairing.peer.account_id})"
        items.append(ImportItem(kind="pairing", status=status, source=source, detail=what))
    return items + (await _warn(store, config) if store is not None and items else [])


def _read_lists(
    found: FoundState, config: Config, items: list[ImportItem]
) -> list[tuple[str, tuple[ChannelName, AccountId], str]]:
    """Where each entry of a list stands, for which login, and what it says; what is no list goes to `items`."""
    entries = []
    for path in found.credentials:
        if not path.name.endswith(_LIST):
            continue
        source = path.relative_to(found.root).as_posix()
        listed = read_listed(path, "allowFrom")
        if listed is None:
            items.append(ImportItem(kind="pairing", status="damaged", source=source, detail="it holds no list"))
        entries += [(source, parse_list_name(path, config), str(name)) for name in listed or ()]
    return entries


def parse_list_name(path: Path, config: Config) -> tuple[ChannelName, AccountId]:
    """Whose list it is: the longest configured channel that its name begins with, else the first word of it."""
    stem = path.name.removesuffix(_LIST)
    fitting = [name for name in config.channels if stem == name or stem.startswith(f"{name}-")]
    channel = max(fitting, key=len, default=stem.partition("-")[0])
    return normalize_channel(channel), normalize_account_id(stem.removeprefix(channel).removeprefix("-"))


def build_pairing(name: str, where: tuple[ChannelName, AccountId], config: Config, *, now: Instant) -> Pairing | None:
    """The approval that an entry of a list stands for; None for one that names nobody (``*``)."""
    channel, account_id = where
    keys = config.routing.keys
    peer_id = normalize_peer(channel, kind="direct", peer_id=name, numbers=keys.numbers)
    if not peer_id or peer_id == "*":
        return None
    key = derive_session_key(
        keys,
        agent_id=config.agents.default_id,
        channel=channel,
        kind="direct",
        peer_id=peer_id,
        account_id=account_id,
        dm_scope="per-account-channel-peer",
    )
    peer = Peer(channel=channel, account_id=account_id, kind="direct", peer_id=peer_id)
    return Pairing(peer=peer, session_key=key, approved_at=now, approved_by=_WHO)


async def _approve(store: Store, pairing: Pairing, *, now: Instant) -> None:
    """Store one approval. Nobody is told: they were let in before and know it."""
    peer = pairing.peer
    inputs = {"channel": peer.channel, "account": peer.account_id, "chat": peer.kind}
    noted = Noted(decision=Decision(kind="access", outcome="approved", rule="LEAK-2", inputs=inputs), who=_WHO)
    change = PairingChange(session_key=pairing.session_key, approve=pairing, decisions=(noted,))
    await store.change_pairings(now=now, decide=lambda _: change)


async def _warn(store: Store, config: Config) -> list[ImportItem]:
    """Whether people who were let in would share one conversation."""
    pairings = await store.load_pairings()
    channels = [config.access(name) for name in config.channels]
    for one in pairings.approved:
        admitted = find_admitted(pairings, channels, beside=one.peer)
        sentence = tell_sharing(config.routing, one.peer, admitted)
        if sentence:
            return [ImportItem(kind="pairing", status="noted", source="credentials", detail=sentence)]
    return []
