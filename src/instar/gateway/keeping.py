"""What a person asks of a gateway so that nothing is lost: backups, held replies, deleted sessions (LOSS-5, 8, 12)."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from itertools import chain
from pathlib import PurePath

from instar.core.delivery.redo import RedoAction, decide_redo
from instar.core.model.change import DeliveryState
from instar.core.model.decision import Decision
from instar.core.model.ids import DeliveryId, SessionId, SessionKey
from instar.core.model.keeping import ArchivedTranscript, ImportedTranscript, RestoredSession, StoredBackup
from instar.core.model.query import DeliveryRow
from instar.core.routing.key import parse_key
from instar.core.turn.restored import build_restored_session, order_archives
from instar.errors import InvalidRequest, NotFound
from instar.gateway.doors import Visit
from instar.gateway.lane import LaneBook
from instar.gateway.parts import GatewayParts
from instar.gateway.turn_services import TurnServices

__all__ = ["Keeping"]


class Keeping:
    """Backups, the outbox in a person's hand, and sessions that come back."""

    def __init__(self, parts: GatewayParts, services: TurnServices, lanes: LaneBook) -> None:
        self._parts = parts
        self._services = services
        self._lanes = lanes

    async def back_up(self, name: str | None) -> StoredBackup:
        """Write a backup beside the store while everything goes on (LOSS-12). Raises `InvalidRequest`, `StoreError`.

        But erasures: of what they take no backup has any that is not in their receipt (LEAK-11).
        """
        async with self._services.doors.one_at_a_time:
            return await self._parts.keeper.back_up(name, now=self._parts.clock.now())

    # --- the outbox ---------------------------------------------------------------------------------------------------

    async def deliveries(
        self, states: Sequence[DeliveryState], *, key: SessionKey | None, limit: int
    ) -> tuple[DeliveryRow, ...]:
        """Replies in some states, newest first."""
        load = self._parts.store.load_deliveries
        found = [await load(session_key=key, state=state, limit=limit) for state in states]
        return tuple(sorted(chain(*found), key=lambda row: row.created_at, reverse=True)[:limit])

    async def redo(self, delivery_id: DeliveryId, action: RedoAction, *, who: str) -> DeliveryRow:
        """Send a reply again, or let it go; the reply as it was. Raises `NotFound`, `InvalidRequest`."""

        def decide(row: DeliveryRow) -> tuple[DeliveryState, Decision]:
            redo = decide_redo(action, row.state, has_words=bool(row.outbound.text))
            if redo.state is None:
                raise InvalidRequest(
                    f"The reply {delivery_id} cannot be {'sent again' if action == 'send' else 'dropped'}",
                    why=redo.why,
                    fix="`instar outbox list --state all` shows where each reply is.",
                    field="deliveryId",
                )
            outcome = "send_again" if action == "send" else "dropped"
            inputs = {"was": row.state, "who": who}
            return redo.state, Decision(kind="deliver", outcome=outcome, rule="LOSS-5", inputs=inputs)

        row = await self._parts.store.redo_delivery(delivery_id, now=self._parts.clock.now(), decide=decide)
        if row is None:
            raise NotFound(f"There is no reply {delivery_id}", fix="List them with `instar outbox list --state all`.")
        self._services.outbox.wake(row.outbound.target.channel)
        return row

    # --- deleted sessions ---------------------------------------------------------------------------------------------

    async def restore(self, key: SessionKey | None, path: str | None, *, who: str) -> RestoredSession:
        """Bring a deleted session back: all its archives, or the one that `path` names (LOSS-8).

        A session that has come to life under the key meanwhile stays as it is; what comes back joins its history.
        Raises `NotFound`, `InvalidRequest`, `TranscriptError`.
        """
        known = (await self._parts.keeper.read_archive(path)).session if path is not None else None
        source = known.key if known is not None else None
        wanted = key or source
        if wanted is None:
            raise _no_archive(key) if path is None else _no_key()
        # What the archive holds is read behind the door: it may be written anew in front of it (LEAK-11).
        async with self._services.doors.passing(Visit(key=wanted, source=source)):
            return await self._restore(wanted, path, who=who)

    async def _restore(self, key: SessionKey, path: str | None, *, who: str) -> RestoredSession:
        keeper = self._parts.keeper
        paths = (path,) if path is not None else await keeper.find_archives(key)
        archives = [await keeper.read_archive(one) for one in paths]
        if not archives:
            raise _no_archive(key)
        stored = [one.header.id for one in order_archives(archives) if await self._store(one, key, who=who)]
        self._lanes.warm(key).forget()
        session = await self._parts.store.load_session(key)
        if session is not None and stored:
            self._services.tell_session(session, "create")
        return RestoredSession(
            key=key,
            session_ids=tuple(map(SessionId, stored)),
            archives=tuple(paths),
            findings=tuple(f"{PurePath(one.path).name}: {finding}" for one in archives for finding in one.findings),
        )

    # --- imports ------------------------------------------------------------------------------------------------------

    async def import_transcript(self, data: bytes, *, name: str, key: SessionKey | None) -> ImportedTranscript:
        """Bring a foreign transcript in: as a session of its own, or into the history of the one under `key` (STORE-6).

        Raises `TranscriptError` for what is no transcript.
        """
        parts = self._parts
        agent_id = (parse_key(key).agent_id if key else None) or parts.config().agents.default_id
        async with contextlib.AsyncExitStack() as stack:
            if key is not None:
                await stack.enter_async_context(self._services.doors.passing(Visit(key=key)))
            imported = await parts.intake.take_bytes(data, name=name, key=key, agent_id=agent_id, now=parts.clock.now())
            self._lanes.warm(imported.key).forget()
        session = await parts.store.load_session(imported.key)
        if session is not None and imported.stored:
            self._services.tell_session(session, "create")
        return imported

    async def _store(self, archive: ArchivedTranscript, key: SessionKey, *, who: str) -> bool:
        parts = self._parts
        now = parts.clock.now()
        agent_id = parse_key(key).agent_id or parts.config().agents.default_id
        decision = Decision(
            kind="maintenance",
            outcome="restored",
            rule="LOSS-8",
            inputs={"session": archive.header.id, "entries": len(archive.entries), "who": who},
        )
        session = build_restored_session(archive, key=key, agent_id=agent_id, now=now)
        return await parts.store.import_transcript(session, archive.header, archive.entries, now=now, decision=decision)


def _no_archive(key: SessionKey | None) -> NotFound:
    return NotFound(
        f"There is no archive of {key}",
        why="none of a deleted session of that key lies beside the store",
        fix="Name the archive file: `instar sessions restore FILE --key KEY`.",
    )


def _no_key() -> InvalidRequest:
    return InvalidRequest("The archive does not tell whose it was", fix="Give the session key with --key.", field="key")
